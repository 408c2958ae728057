// Package probe looks at a p2p peer from outside, as a relay would see it: is it a nodeos on the
// right chain, is its clock right, and does it pass on blocks, votes and transactions.
//
//	report, err := probe.Run(ctx, probe.Options{Address: "peer.example:9876", ListenFor: 5 * time.Second})
//
// The dialogue costs the peer next to nothing. With a known chain id the probe greets with an empty
// head; without one it sends only a time message and answers the peer's ping, upon which nodeos
// greets first, within its 10 s tick. Then it mirrors the peer's root and head, so that nodeos
// neither asks for blocks nor sends old ones, listens, and closes TCP. It never sends a go_away.
package probe
