package sim

import (
	"math/rand/v2"
	"time"

	"bprelay/test/simnet"
)

// pushTo pushes a transaction each time an interval is over, to one of the nodes at these addresses that is not down.
func pushTo(w *simnet.World, rng *rand.Rand, chain *simnet.Chain, every time.Duration, at []string,
	nodes map[string]*simnet.Node, down func(addr string) bool) {
	number := uint64(0)
	var push func()
	push = func() {
		number++
		addr := at[rng.IntN(len(at))]
		if !down(addr) {
			frame, _ := chain.Transaction(number, uint32(w.Now().Wall/1e9)+30)
			w.Call(addr, func(now simnet.Instant) { nodes[addr].PushTransaction(now, frame) })
		}
		w.At(w.Now().Mono+every, push)
	}
	w.At(w.Now().Mono+every, push)
}
