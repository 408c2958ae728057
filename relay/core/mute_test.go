package core_test

import (
	"fmt"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// A candidate waits for a moment of the system clock. The timer is set once, on the monotonic clock:
// if the system clock is slewed back a little meanwhile, it fires too soon and is not set again.
func TestLostWakeUp(t *testing.T) {
	for _, back := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		r, n, a, _, last := warm(t)
		older := makeBlock(last, base+1, otherName)
		r.until(base, early(base))
		n.send(older.frame)
		r.run(150 * time.Millisecond)
		r.until(base+11, 450*time.Millisecond)
		e := makeBlock(last, base+11, ourName) // on an older parent: waits for its slot's end
		a.send(e.frame)
		r.stepClock(-back)
		n.want()
		r.run(2 * time.Second)
		if len(n.blocks()) != 1 {
			t.Errorf("slewed back by %v: the block never left (withheld older_parent: %d)", back, r.withheld(core.ReasonOlderParent))
		}
	}
}

// The same for a first block that is ahead of time.
func TestLostWakeUpAheadOfTime(t *testing.T) {
	for _, back := range []time.Duration{0, time.Millisecond} {
		r, n, a, b, last := warm(t)
		a.answers(0)
		b.answers(0)
		n.answers(0)
		last, first := r.round(n, a, b, last)
		r.until(first, 2*time.Second)
		e := makeBlock(last, first, ourName)
		a.send(e.frame)
		n.want()
		r.stepClock(-back)
		r.until(first, 0)
		if len(n.blocks()) != 1 {
			t.Errorf("slewed back by %v: a block that came 2 s early did not leave by its timestamp", back)
		}
	}
}

// The producer behind us has a fast clock: its first block, of a slot that is 5 s ahead, comes in the
// middle of our run, on our third block. Our fourth has the newer certificate (Savanna) and ours is the
// longer branch (legacy): the run goes on and wins.
func TestNeighbourWithAFastClock(t *testing.T) {
	for _, kind := range []string{"legacy", "savanna"} {
		t.Run(kind, func(t *testing.T) {
			opts := func(qc uint32) []blockOption {
				if kind == "legacy" {
					return nil
				}
				return []blockOption{savanna(qc)}
			}
			r, n, a, _, head := warm(t, opts(99)...)
			prev, sent := head, 0
			for i := range p2pwire.Slot(12) {
				r.until(base+i, early(base+i))
				before := prev.id.Num() - 1
				prev = makeBlock(prev, base+i, ourName, opts(prev.id.Num())...)
				a.send(prev.frame)
				sent++
				if i == 2 {
					n.send(makeBlock(prev, base+12, otherName, opts(before+1)...).frame)
				}
			}
			r.run(time.Second)
			if got := len(n.blocks()); got != sent {
				t.Errorf("the network got %d of %d blocks; superseded: %d", got, sent, r.withheld(core.ReasonSuperseded))
			}
		})
	}
}

// One block of our run comes from another instance, on our own last block. The slot is its; what one
// of our nodes then builds on it is the run's only way on, but is no part of the lineage.
func TestRunGoesOnBehindAForeignBlock(t *testing.T) {
	r, n, a, b, last := signed(t, func(c *core.Config) {
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
	})
	r.until(base, early(base))
	x0 := makeBlock(last, base, ourName, savanna(101))
	a.send(x0.frame)
	n.want(x0)
	r.until(base+1, early(base+1))
	f1 := makeBlock(x0, base+1, ourName, savanna(102), mark(9)) // by another instance
	n.send(f1.frame)
	r.run(150 * time.Millisecond)
	r.until(base+2, early(base+2))
	x2 := makeBlock(f1, base+2, ourName, savanna(103))
	b.send(x2.frame)
	r.run(time.Second)
	if len(n.blocks()) != 2 {
		t.Errorf("the network got %d blocks, want x0 and x2; withheld not_lineage: %d", len(n.blocks()), r.withheld(core.ReasonNotLineage))
	}
}

// Two of our instances, legacy: the other's block for our slot is public and proven by a node, but at
// the height of the public head. Its slot is not taken, and we show the network a second one.
func TestForeignBlockBesideTheHead(t *testing.T) {
	r := newRig(t, 20*time.Second)
	root := makeBlock(genesis(100), base-40, otherName)
	n := r.open(core.Network, "net1")
	p := makeBlock(root, base-39, otherName)
	n.handshake(root, p)
	n.send(p.frame)
	a, _ := r.node("a", p), r.node("b", p)
	r.until(base, 700*time.Millisecond)
	var f, h blk
	for m := byte(1); ; m++ { // the head's id is the larger one
		f, h = makeBlock(p, base, ourName, mark(m)), makeBlock(p, base-1, otherName, mark(m))
		if string(h.id[:]) > string(f.id[:]) {
			break
		}
	}
	n.send(h.frame)
	r.run(150 * time.Millisecond)
	n.send(f.frame) // by another instance that missed h
	r.run(300 * time.Millisecond)
	n.clear()
	x := makeBlock(h, base, ourName, mark(77))
	r.until(base, early(base))
	a.send(x.frame)
	r.run(time.Second)
	if len(n.blocks()) != 0 {
		t.Error("a second block for the slot was written to the network")
	}
	if r.event(core.EventAlarm, core.ReasonForeignBlock) == nil {
		t.Error("no alarm over the other instance's block")
	}
}

// A key that a producer once signed with (here: any other producer, e.g. one voted out, or whose old
// key leaked) is enough to mute us: what it signs becomes the public head unseen by any node.
func TestSignedRubbishIsThePublicHead(t *testing.T) {
	setup := func(t *testing.T) (r *rig, n, evil, a *peer, last blk) {
		r, n, a, b, last := signed(t, func(c *core.Config) {
			c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
		})
		a.answers(0)
		b.answers(0)
		evil = r.open(core.Network, "")
		evil.handshake(last, last)
		r.until(base, 100*time.Millisecond)
		return r, n, evil, a, last
	}
	t.Run("at the run's start", func(t *testing.T) {
		r, n, evil, a, last := setup(t)
		bad := makeBlock(last, base+12, otherName, savanna(102)) // not its slot, nor any certificate
		evil.send(bad.frame)
		r.until(base, early(base))
		x := makeBlock(last, base, ourName, savanna(101))
		a.send(x.frame)
		r.run(2 * time.Second)
		n.want(x)
	})
	t.Run("within the run", func(t *testing.T) {
		r, n, evil, a, last := setup(t)
		r.until(base, early(base))
		x := makeBlock(last, base, ourName, savanna(101))
		a.send(x.frame)
		f := makeBlock(last, base+1, otherName, savanna(102), mark(3))
		g := makeBlock(f, base+2, otherName, savanna(f.id.Num()))
		evil.send(f.frame, g.frame)
		y := makeBlock(x, base+1, ourName, savanna(102))
		a.send(y.frame) // early: no node had the time to say anything about f and g
		r.run(2 * time.Second)
		n.want(x, y)
	})
	for _, rubbish := range []int{0, 24} {
		t.Run(fmt.Sprintf("%d of them mute the next round too, though their source was shut out", rubbish), func(t *testing.T) {
			r, n, evil, a, last := setup(t)
			prev, bads := last, []blk(nil)
			for i := range 24 {
				prev = makeBlock(prev, base+p2pwire.Slot(i%12), otherName, savanna(prev.id.Num()+1), mark(9))
				bads = append(bads, prev)
			}
			for _, x := range bads[:rubbish] {
				evil.send(x.frame)
			}
			b := r.order[2]
			nodes, lost := r.closeOver([]*peer{a, b}, bads[0].frame, last)
			t.Log("links lost", lost, "source", evil.closed, "head", r.c.Snapshot(r.now).PublicHead.Num-last.id.Num())
			prev = last
			for i := range p2pwire.Slot(12) { // the network knows nothing of that
				r.until(base+12+i, early(base+12+i))
				prev = makeBlock(prev, base+12+i, otherName, savanna(prev.id.Num()))
				n.send(prev.frame)
				n.alive()
				for _, p := range nodes {
					p.alive()
				}
			}
			r.until(base+24, early(base+24))
			n.clear()
			x := makeBlock(prev, base+24, ourName, savanna(prev.id.Num()))
			nodes[0].send(x.frame)
			r.run(time.Second)
			if len(n.blocks()) != 1 {
				t.Error("a round later our first block does not leave")
			}
		})
	}
	t.Run("our slots go to blocks that we never signed", func(t *testing.T) {
		r, n, evil, a, last := setup(t)
		fake := makeBlock(last, base+1, ourName, savanna(101), signedBy(otherKey), mark(5))
		child := makeBlock(fake, base+2, otherName, savanna(101), mark(6))
		evil.send(fake.frame, child.frame)
		if ev := r.event(core.EventAlarm, core.ReasonForeignBlock); ev != nil {
			t.Errorf("slot base+%d was given to a block with a wrong signature", ev.Slot-base)
		}
		_, _ = n, a
	})
}

// A restarted relay knows its lineage by an id alone. Bad bytes under that id must not take it away.
func TestRestoredTipIsForgotten(t *testing.T) {
	xs := ourBlocks(lastPublic(), 3, 1)
	t.Run("bad twin", func(t *testing.T) {
		r, n, head := restart(t, 2*time.Second, true, xs[:1])
		evil := r.network("", head)
		a, b := r.node("a", head), r.node("b", head)
		bad := mutilate(t, xs[0], 1)
		evil.send(bad.frame)
		nodes, lost := r.closeOver([]*peer{a, b}, bad.frame, head)
		t.Log("links lost:", lost, "source:", evil.closed)
		n.clear()
		y := makeBlock(head, base+8, ourName, mark(9)) // skips the claimed block
		r.until(base+8, early(base+8))
		nodes[1].send(y.frame)
		r.run(time.Second)
		n.want()
	})
	t.Run("orphan of a session that ends", func(t *testing.T) {
		head := makeBlock(makeBlock(genesis(100), base-9, otherName), base-1, otherName)
		mid := makeBlock(head, base, ourName, mark(1))
		tip := makeBlock(mid, base+1, ourName, mark(1))
		r, n, _ := restart(t, 2*time.Second, true, []blk{mid, tip})
		other := r.network("net2", head)
		b := r.node("b", head)
		other.send(tip.frame) // its parent is not known here yet
		other.drop()
		y := makeBlock(head, base+5, ourName, mark(9))
		r.until(base+5, -time.Millisecond)
		b.send(y.frame)
		r.run(time.Second)
		n.want()
	})
}

// A rotation to keys that are not configured; one node is on a branch that nobody saw, still signing
// by the old ones. Its second block waits for its first, and counts as an opponent.
func TestChildOfAnUnknownBranchOpposes(t *testing.T) {
	r, n, a, b, last := signed(t, func(c *core.Config) {
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
	})
	nowhere := makeBlock(genesis(200), base-2, otherName, savanna(90))
	y0 := makeBlock(nowhere, base, ourName, savanna(90), mark(7))
	y1 := makeBlock(y0, base+1, ourName, savanna(90), mark(7))
	r.until(base, early(base))
	b.send(y0.frame)
	r.until(base+1, early(base+1))
	b.send(y1.frame)
	x1 := makeBlock(last, base+1, ourName, savanna(101), by("new")) // the block of slot base was lost
	a.send(x1.frame)
	r.until(base+2, early(base+2))
	x2 := makeBlock(x1, base+2, ourName, savanna(102), by("new"))
	a.send(x2.frame)
	r.run(time.Second)
	if len(n.blocks()) != 2 {
		t.Errorf("the network got %d blocks, want 2; withheld key_disputed %d, parent_withheld %d", len(n.blocks()),
			r.withheld(core.ReasonKeyDisputed), r.withheld(core.ReasonParentWithheld))
	}
}

// What waits for a gap to be filled is known by its reason, and that is overwritten while a claim is
// being decided: the answer's wrong branch then takes the slots.
func TestGapForgottenWhileAClaimIsPending(t *testing.T) {
	for _, pending := range []bool{false, true} {
		sc := &slowClaims{}
		r, n, a, b, last := warmWith(t, func(c *core.Config) { c.Claimer = sc }, 0)
		sc.r = r
		approve := func() {
			for len(sc.waiting) > 0 {
				sc.decide(core.Approved)
			}
		}
		r.until(base, early(base))
		x0 := makeBlock(last, base, ourName)
		a.send(x0.frame)
		approve()
		x1 := makeBlock(x0, base+1, ourName, mark(1))
		x2 := makeBlock(x1, base+2, ourName, mark(1))
		x3 := makeBlock(x2, base+3, ourName, mark(1))
		r.until(base+3, early(base+3))
		a.send(x3.frame) // x1 and x2 were lost: the node is asked
		if r.event(core.EventHeld, core.ReasonUnknownParent) == nil {
			t.Fatal("no gap")
		}
		if pending {
			b.send(makeBlock(x0, base+1, ourName, mark(3)).frame)
		}
		a.send(makeBlock(x0, base+1, ourName, mark(2)).frame) // the node's best branch, not the one it is on
		if pending {
			sc.decide(core.Denied)
		}
		a.send(x1.frame, x2.frame)
		approve()
		r.run(400 * time.Millisecond)
		approve()
		if got := n.blocks(); len(got) != 4 || got[1] != x1.id {
			t.Errorf("pending %v: %d blocks left, want x0 to x3", pending, len(got))
		}
	}
}

// The journal took our claim, and while it did, another instance's block for the slot came. Nothing of
// ours leaves; but the journal has our block, and after a restart it would leave.
func TestForeignBlockWhileTheClaimIsPending(t *testing.T) {
	sc := &slowClaims{}
	r, n, a, _, last := signed(t, func(c *core.Config) {
		c.Claimer = sc
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
	})
	sc.r = r
	r.until(base, early(base))
	x := makeBlock(last, base, ourName, savanna(101), mark(1))
	a.send(x.frame)
	if len(sc.waiting) != 1 {
		t.Fatal("no claim asked for")
	}
	f := makeBlock(last, base, ourName, savanna(101), mark(2))
	n.send(f.frame)
	sc.decide(core.Approved) // on disk: slot base belongs to x; the foreign claim was refused as taken
	n.want()
	// The same journal after a restart: f is public, x comes again.
	r2 := newRig(t, -2*time.Second, func(c *core.Config) {
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
		c.Restored = core.Restored{Complete: true, Fences: map[p2pwire.Name]p2pwire.Slot{ourName: base - 100},
			Claims: []core.Claim{{Producer: ourName, Slot: base, ID: x.id}}}
	})
	n2 := r2.network("net1", last)
	n2.send(f.frame)
	r2.run(150 * time.Millisecond)
	a2 := r2.node("a", last)
	a2.send(x.frame)
	r2.run(time.Second)
	if len(n2.blocks()) != 0 {
		t.Error("after the restart our block leaves beside the other instance's")
	}
}

// A held candidate turns up in public: the votes of our nodes that waited for it must leave.
func TestVotesForAHeldBlockShownElsewhere(t *testing.T) {
	sc := &slowClaims{}
	r, n, a, _, last := signed(t, func(c *core.Config) {
		c.Claimer = sc
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
	})
	sc.r = r
	r.until(base, early(base))
	x := makeBlock(last, base, ourName, savanna(101))
	a.send(x.frame, voteFrame(x, 1))
	n.send(x.frame)
	r.run(time.Second)
	if got := len(n.frames(p2pwire.TypeVote)); got != 1 {
		t.Errorf("%d votes left, want 1", got)
	}
}

// The system clock is put right by a large step ahead, and our two nodes do not agree with each other:
// the step stays in doubt for ever, and what waits for a moment of the clock waits by the old one.
func TestDoubtThatNeverEnds(t *testing.T) {
	r, n, a, b, _ := warm(t)
	a.answers(0)
	b.answers(3 * time.Second)
	n.drop()
	r.run(4 * time.Second)
	r.stepClock(-8 * time.Second) // wrong
	r.run(time.Minute)
	st := r.c.Snapshot(r.now)
	t.Logf("%+v", st.Clock)
	if st.Clock.Stepped {
		t.Error("a minute after the step it is still in doubt")
	}
}

// A node's link is lost twice within a second. The request for the gap went out on the session that
// died; nothing asks again, since the node's later blocks only wait for their parent.
func TestGapIsAskedForAgain(t *testing.T) {
	for _, twice := range []bool{false, true} {
		r, n, a, _, last := warm(t)
		r.until(base, early(base))
		x0 := makeBlock(last, base, ourName)
		a.send(x0.frame)
		xs := []blk{x0}
		for i := range p2pwire.Slot(6) {
			xs = append(xs, makeBlock(xs[i], base+1+i, ourName))
		}
		a.drop() // xs[1] and xs[2] are lost
		r.until(base+3, early(base+3)+20*time.Millisecond)
		a = a.again(last, xs[2])
		r.until(base+3, early(base+3))
		a.send(xs[3].frame)
		if len(a.requests()) != 1 {
			t.Fatal("the node was not asked")
		}
		if twice {
			a.drop() // before it answered
			r.run(200 * time.Millisecond)
			a = a.again(last, xs[3])
		}
		for i := 4; i < 7; i++ {
			if i == 4 && len(a.requests()) > 0 {
				a.send(xs[1].frame, xs[2].frame)
			}
			r.until(xs[i].slot, early(xs[i].slot))
			a.send(xs[i].frame)
			if twice && i == 4 && len(a.requests()) > 0 {
				a.send(xs[1].frame, xs[2].frame, xs[3].frame)
			}
		}
		r.run(time.Second)
		if got := len(n.blocks()); got != 7 {
			t.Errorf("lost twice %v: the network got %d of 7 blocks; requests on the last session: %d", twice, got, len(a.requests()))
		}
	}
}

// The answer to the request for a gap does not come (the node was busy, or sent another branch): nothing
// asks again on a session that is fine.
func TestGapIsAskedForOnce(t *testing.T) {
	r, n, a, _, last := warm(t)
	r.until(base, early(base))
	xs := []blk{makeBlock(last, base, ourName)}
	a.send(xs[0].frame)
	for i := range p2pwire.Slot(8) {
		xs = append(xs, makeBlock(xs[i], base+1+i, ourName))
	}
	for i := 3; i < 9; i++ {
		r.until(xs[i].slot, early(xs[i].slot))
		a.send(xs[i].frame)
	}
	if got := len(a.requests()); got < 2 {
		t.Errorf("asked %d times in 3 s", got)
	}
	_ = n
}

// Our last blocks did not reach the network, which went on without them and has made irreversible what it has
// instead. A peer that is asked for what lies behind them answers from its root, above the hole: it has to be
// asked from further below.
func TestGapBelowTheRootOfAnotherBranch(t *testing.T) {
	for _, lost := range []int{1, 2, 5, 12} {
		r, n, a, _, last := warm(t)
		n.drop()
		xs := ourBlocks(last, lost, 1)
		for _, x := range xs {
			r.until(x.slot, early(x.slot))
			a.send(x.frame)
			a.alive()
		}
		ys := []blk{last}
		for i := range p2pwire.Slot(30) {
			ys = append(ys, makeBlock(ys[i], base+12+i, otherName))
		}
		const root = 20 // of the peer, then
		r.until(ys[21].slot, 0)
		a.alive()
		n = r.open(core.Network, "net1")
		n.handshake(ys[root], ys[21])
		seen := 0
		for i := 22; i < 31; i++ {
			r.until(ys[i].slot, 0)
			a.alive()
			n.send(ys[i].frame)
			for _, q := range n.requests()[seen:] {
				seen++
				from := root
				for j := range ys[:i] {
					if id := q.Blocks.IDs[0]; ys[j].id == id || id.Num() < last.id.Num() {
						from = j
						break
					}
				}
				for _, y := range ys[from+1 : i+1] {
					n.send(y.frame)
				}
			}
			r.run(200 * time.Millisecond)
		}
		if !a.has(ys[30].frame) {
			t.Errorf("%d blocks lost: the node did not get the network's chain; asked %d times", lost, seen)
		}
	}
}
