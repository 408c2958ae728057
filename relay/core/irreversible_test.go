package core_test

import (
	"bytes"
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// confirming is what a legacy producer says of the blocks since its own last one.
func confirming(n uint16) blockOption {
	return func(b *p2pwire.BlockBuilder) { b.Confirmed = n }
}

// Legacy, four producers. Our run of twelve reached nobody; of the next two producers' the network got five
// each. That is the better branch for all nodeos: with two producers in it more is irreversible than with
// one. What our node begins on it goes out at once, not when its slot is over.
func TestLegacyBranchWithMoreThatIsIrreversible(t *testing.T) {
	others := [3]p2pwire.Name{name("bpbeta"), name("bpgamma"), name("bpdelta")}
	r := newRig(t, time.Second)
	root := makeBlock(genesis(100), base-2, others[1])
	head := makeBlock(root, base-1, others[2])
	n := r.open(core.Network, "net1")
	n.handshake(root, head)
	n.send(head.frame)
	a := r.node("a", head)
	slot := base
	last := map[p2pwire.Name]uint32{}
	push := func(producer p2pwire.Name, on blk, count int) blk {
		for i := range count {
			var opts []blockOption
			if i == 0 && last[producer] > 0 {
				opts = append(opts, confirming(uint16(on.id.Num()-last[producer])))
			}
			on = makeBlock(on, slot, producer, opts...)
			r.until(slot, early(slot))
			if slot++; producer == ourName {
				a.send(on.frame)
			} else if !n.gone {
				n.send(on.frame)
			}
			a.alive()
			if !n.gone {
				n.alive()
			}
		}
		r.run(200 * time.Millisecond)
		return on
	}
	round := func(producer p2pwire.Name, on blk) blk {
		on = push(producer, on, 12)
		last[producer] = on.id.Num()
		return on
	}
	for range 3 { // by then the relay knows the schedule
		head = round(ourName, head)
		for _, p := range others {
			head = round(p, head)
		}
	}
	n.drop()
	ours := push(ourName, head, 12)
	n = r.network("net1", head)
	theirs := head
	for _, p := range others[:2] {
		slot += 7
		theirs = push(p, theirs, 5)
	}
	if got := r.c.Snapshot(r.now).PublicHead.ID; got != theirs.id.String() {
		t.Errorf("the public head is %s, want %s, not %s", got[:8], theirs.id.Short(), ours.id.Short())
	}
	slot += 12
	r.until(slot, early(slot))
	n.clear()
	next := makeBlock(theirs, slot, ourName, confirming(22))
	a.send(next.frame)
	n.want(next)
}

// dpos is what nodeos keeps with each legacy block (block_header_state_legacy), as far as its last
// irreversible block depends on it.
type dpos struct {
	num      uint32
	confirm  []int // what the blocks from the oldest unproposed one up to this one still lack
	proposed uint32
	implied  map[p2pwire.Name]uint32
	last     map[p2pwire.Name]uint32 // each producer's last block
	lib      uint32
}

func (s dpos) next(producer p2pwire.Name, producers int) (dpos, uint16) {
	confirmed := 0
	if at := s.last[producer]; at > 0 {
		confirmed = int(s.num - at)
	}
	n := dpos{num: s.num + 1, confirm: append(slices.Clone(s.confirm), producers*2/3+1), proposed: s.proposed, implied: maps.Clone(s.implied), last: maps.Clone(s.last)}
	for i, left := len(n.confirm)-1, confirmed+1; i >= 0 && left > 0; i, left = i-1, left-1 {
		if n.confirm[i]--; n.confirm[i] == 0 {
			n.proposed, n.confirm = n.num-uint32(len(n.confirm)-1-i), n.confirm[i+1:]
			break
		}
	}
	n.implied[producer], n.last[producer] = s.proposed, n.num
	var sorted []uint32
	for _, v := range n.implied {
		sorted = append(sorted, v)
	}
	for len(sorted) < producers {
		sorted = append(sorted, 0)
	}
	slices.Sort(sorted)
	n.lib = sorted[(producers-1)/3]
	return n, uint16(confirmed)
}

// The public head of a legacy chain is the one that nodeos would choose, whatever rounds its branches have.
func TestLegacyForkChoiceIsNodeos(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	byLIB := 0
	for i := 0; i < 20 || byLIB == 0 && i < 200; i++ {
		producers := []p2pwire.Name{name("bpb"), name("bpc"), name("bpd"), name("bpe"), name("bpf")}[:3+rng.IntN(3)]
		r := newRig(t, time.Second)
		root := makeBlock(genesis(100), base-2, producers[0])
		n := r.open(core.Network, "net1")
		type tip struct {
			blk
			dpos
		}
		state := tip{root, dpos{num: root.id.Num(), implied: map[p2pwire.Name]uint32{}, last: map[p2pwire.Name]uint32{}}}
		extend := func(on tip, slot p2pwire.Slot, m byte) tip {
			next, confirmed := on.dpos.next(producers[int(slot.Round())%len(producers)], len(producers))
			return tip{makeBlock(on.blk, slot, producers[int(slot.Round())%len(producers)], confirming(confirmed), mark(m)), next}
		}
		first := extend(state, base-1, 0)
		n.handshake(root, first.blk)
		n.send(first.frame)
		a := r.node("a", first.blk)
		give := func(b blk) {
			n.send(b.frame)
			a.alive()
		}
		at := first
		slot := base
		for end := base + p2pwire.Slot(3*12*len(producers)); slot < end; slot++ {
			if rng.IntN(8) == 0 {
				continue
			}
			at = extend(at, slot, 0)
			r.until(slot, 0)
			give(at.blk)
		}
		r.run(200 * time.Millisecond)
		branches := []tip{at, at}
		for k := range branches {
			for s := slot; s < slot+p2pwire.Slot(24+rng.IntN(48)); s++ {
				if rng.IntN(3) == 0 || rng.IntN(2) == 0 && int(s.Round())%2 == k {
					continue
				}
				branches[k] = extend(branches[k], s, byte(k))
				r.until(s, 0)
				give(branches[k].blk)
				if rng.IntN(2) == 0 {
					r.run(110 * time.Millisecond)
				}
			}
			r.run(200 * time.Millisecond)
		}
		x, y := branches[0], branches[1]
		best := cmp.Or(cmp.Compare(x.lib, y.lib), cmp.Compare(x.num, y.num), bytes.Compare(x.id[:], y.id[:]))
		if (x.lib > y.lib) != (x.num > y.num) && x.num != y.num && x.lib != y.lib {
			byLIB++
		}
		want := x
		if best < 0 {
			want = y
		}
		if got := r.c.Snapshot(r.now).PublicHead.ID; got != want.id.String() {
			t.Fatalf("%d producers, %d of %d and %d of %d irreversible: the public head is %s", len(producers), x.lib, x.num, y.lib, y.num, got[:8])
		}
	}
	if byLIB == 0 {
		t.Error("no case in which the lower branch is the better one")
	}
}
