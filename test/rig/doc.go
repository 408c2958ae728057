// Package rig is what stands around relays that are processes of their own: the network's producers and an
// observer on one side, nodes of ours on the other, on real sockets, with a judge that reads what the network
// side received. test/chaos has all of it in one process, docker/ in containers.
//
//	bpbeta ── bpgamma ── observer     the network: each is dialled by the relays, the observer dials them
//	   └────────┼────────┘
//	     relay1   relay2              not part of this package
//	   ┌────────┼────────┐
//	node1     node2     node3  voter  ours: three with the producer's key, one that votes
//
// The nodes are [bprelay/test/simnet]'s; the judge is [bprelay/test/checker], which parses the bytes that the
// observer got from everyone, and that the producers got from relays.
package rig
