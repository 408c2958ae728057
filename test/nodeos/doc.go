// Package nodeos runs a relay between real nodeos processes and judges what the network saw of it.
//
// Its test needs the binaries nodeos and spring-util of a Spring 1.2 build:
//
//	NODEOS_BIN_DIR=$HOME/spring/build/bin go test -v -timeout 20m ./test/nodeos/
//
// Without the variable nothing real runs, and the test says so on stderr. TestRealNodeos takes seven
// minutes for each of its two modes, -run TestRealNodeos/savanna runs one of them; TestRealLeash takes
// four, see below. State and logs of a failed run are kept, those of any run with NODEOS_KEEP=1;
// NODEOS_NET_LOG=debug has nodeos tell more of its sessions.
//
// # The network
//
// Everything runs on loopback in a temporary directory. Own producer bpalpha is run, with takeover
// race, by two nodeos, A and B, with the same keys, whose only peer is the relay: it dials A, and B
// dials it. All the relay's links but those of the judges lead through gates, which can be shut. The
// producers bpbeta, bpgamma and bpdelta and an API node without producers form the network; the relay
// dials the producers. The schedule is these four, 12 slots each, so a cycle takes 24 s. The relay is the
// real binary, started with a configuration file, and killed and restarted like the nodes.
//
// The chain is booted over HTTP alone. The system contract is a few dozen bytes of WebAssembly that
// are assembled here: it hands its action's data to the privileged host function named by the
// action.
//
// # A lead
//
// TestRealLeash has one node lead and holds the others (takeover leash, or api on request). bpalpha is
// run by three nodes A, B and C with the block key only, C dialling the relay itself, and on a Savanna
// chain by a fourth one, F, that votes. In every round of ours something happens to whoever leads then:
// it is killed (kill -9) and started again 3 s later, frozen (SIGSTOP) until the round is over, its link
// is cut, for 1.5 s or until the round is over, or its link falls silent until then. The faults of each
// kind are spread over the time from 1.5 s before the round begins to its end, by a seed that is
// printed:
//
//	NODEOS_BIN_DIR=$HOME/spring/build/bin go test -v -timeout 60m -run TestRealLeash ./test/nodeos/ -leash-faults 60
//
// It fails if a kill costs a slot other than the first one of the round, or costs that one though the
// node died before the round; if any other fault costs more than one slot; if a public node leaves a
// branch or shows a block that the chain lacks; if there are two blocks for one slot, or votes in wrong
// order; and if a node that was held all the time signs a block of its own.
//
// # The judges
//
// Taps, p2p clients of their own, listen at the three public producers (did the network ever get to
// see two blocks for one slot?) and at the relay's network listener (did the relay write two?). Which
// blocks became part of the chain is read from the API node. What became of sessions is read from
// the logs of nodes and relay.
package nodeos
