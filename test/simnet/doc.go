// Package simnet is a simulated nodeos: the part of it that a p2p peer can see,
// as a state machine without sockets, clocks or goroutines.
//
// A [Node] has a chain (fork database, block validation, production on
// schedule, votes and finality) and a net plugin (handshakes, synchronisation,
// block, vote and transaction relay, connection management). It speaks real
// wire bytes and follows nodeos v1.2.2 where a peer could tell the difference;
// what is cut short is said at the place. Inputs are events with the time they
// happen at, effects go through a [Host].
//
// Two hosts exist. [World] runs any number of endpoints in one goroutine under
// virtual time, with latencies, cuts, pauses, clock offsets and kills, and the
// same seed gives the same run. [TCP] runs one node on real loopback sockets.
//
//	chain := simnet.NewChain(simnet.ChainConfig{Mode: simnet.Savanna, Seed: 1, Producers: []string{"bpa", "bpb"}})
//	w := simnet.NewWorld(simnet.WorldConfig{Seed: 1, Start: chain.GenesisTime()})
//	w.Add("a:9876", simnet.NewNode(simnet.Config{Name: "a", Chain: chain, Producers: []string{"bpa"},
//		Address: "a:9876", Peers: []string{"b:9876"}, EnableStaleProduction: true}))
//	w.Add("b:9876", simnet.NewNode(simnet.Config{Name: "b", Chain: chain, Producers: []string{"bpb"}, Address: "b:9876"}))
//	w.Run(time.Minute)
//
// BLS is simulated: a vote's signature is a function of the public key, block
// id and strength that everyone can recompute, so that validity is checkable
// and forging one takes intent. Producer signatures are real K1 signatures.
package simnet
