package core_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// Nodes that sign by whatever key, in any order, one of them now and then on a branch of its own: never
// two blocks for a slot, none without a signer, and no slot lost for which there was a block that fits,
// unless all such are by unknown keys that differ.
func TestRandomSigners(t *testing.T) {
	names := []string{"a", "b", "c"}
	for seed := range uint64(10) {
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 11))
		r, n, a, b, last := signed(t, func(c *core.Config) { c.Producers[0].Keys = publics("old r1old") })
		nodes := map[string]*peer{"a": a, "b": b, "c": r.node("c", last)}
		key := map[string]string{}
		public := last
		branch := map[string]blk{} // where a node is on its own
		for slot := base; slot < base+36; slot++ {
			if slot.Index() == 0 {
				clear(branch)
				for _, name := range names {
					key[name] = []string{"old", "old", "r1old", "new", "new", "r1wrong", "garbage", "old extra"}[rng.IntN(8)]
				}
				// The nodes that agree are the rule.
				if rng.IntN(2) == 0 {
					key["a"], key["b"] = key["c"], key["c"]
				}
			}
			r.until(slot, early(slot)+5*time.Millisecond)
			for _, p := range r.order {
				p.alive()
			}
			rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			var fit []string
			for _, name := range names {
				if rng.IntN(5) == 0 {
					continue // it is late by more than a slot: never
				}
				prev, own := branch[name]
				if !own {
					prev = public
				}
				signers := key[name]
				x := makeBlock(prev, slot, ourName, savanna(100), mark(byte(rng.IntN(3))), by(signers))
				nodes[name].send(x.frame)
				if prev.id == public.id && signers != "garbage" {
					fit = append(fit, signers)
				}
				if rng.IntN(12) == 0 {
					branch[name] = x
				}
				r.run(time.Duration(rng.IntN(4)) * time.Millisecond)
			}
			r.until(slot, -time.Millisecond)
			var out []blk
			for _, f := range n.frames(p2pwire.TypeSignedBlock) {
				v, err := p2pwire.ParseBlock(f.Body())
				if err != nil {
					t.Fatal(err)
				}
				if v.Slot == slot {
					out = append(out, blk{id: v.ID, slot: slot, frame: f})
				}
				if _, err := v.Signers(); err != nil {
					t.Fatalf("seed %d: a block without signers went out: %v", seed, err)
				}
			}
			if len(out) > 1 {
				t.Fatalf("seed %d: %d blocks for slot %d", seed, len(out), slot-base)
			}
			slices.Sort(fit)
			if fit = slices.Compact(fit); len(out) == 0 && len(fit) > 0 {
				known := slices.Contains(fit, "old") || slices.Contains(fit, "r1old")
				if known || len(fit) == 1 {
					t.Fatalf("seed %d: slot %d lost, fitting blocks are by %v", seed, slot-base, fit)
				}
			}
			if len(out) == 1 {
				public = out[0]
			}
		}
	}
}
