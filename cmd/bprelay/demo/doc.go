// Package demo shows a relay at work: in one process, over loopback TCP, it runs a network of
// simulated producers and an observer, our producer on several simulated nodes behind a real relay,
// and transactions; it kills nodes, and says what the network saw.
//
//	summary, err := demo.Run(ctx, demo.Options{Duration: time.Minute, Nodes: 3, Kill: demo.KillLeader, View: os.Stderr})
//	if err == nil && !summary.OK { ... summary.Broken ... }
//
//	bpbeta ─┬─ bpgamma ─┬─ (bpdelta)    fully meshed; bpdelta in race only
//	        └─ relay ───┴─ observer     the observer also has all producers as peers
//	           ├─ node1 (bpalpha)       each node's only peer is the relay
//	           ├─ node2 (bpalpha)
//	           ├─ node3 (bpalpha)
//	           └─ (voter)               votes for bpalpha; in race the nodes do
//
// With a lead one node produces and the others are held: on a leash, by the votes that they do not get
// (production-pause-vote-timeout-ms is 1 s here), or by their producer API, HTTP on loopback.
//
// With several relays ([Options.Relays]) each is a process of its own, as is the witness of a quorum of two, started with a configuration file and
// credentials as an operator would make them; every node of ours is dialled by both, and so are the network's
// producers; the observer dials both. What they decide comes here over a pipe ([Reporter]), how they stand from
// their admin servers. A relay that is killed gets SIGKILL.
//
// The relay is the production one: core, engine, event loop, real sockets. The nodes are
// [bprelay/test/simnet]'s. The numbers come from [bprelay/test/checker], which parses the raw bytes
// that the observer received from the relay and from the producers, and knows nothing of either.
//
// Rounds are 12 slots of half a second at fixed places of the wall clock. The schedule is turned so
// that our producer's first round begins a few seconds after the start; a cycle takes 18 s, in race 24 s.
package demo
