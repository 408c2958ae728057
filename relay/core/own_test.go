package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// early is how long before its timestamp block i of a round leaves its node.
func early(slot p2pwire.Slot) time.Duration {
	return time.Duration(slot.Index()+1) * 37500 * time.Microsecond
}

func TestOneBlockPerSlot(t *testing.T) {
	r, n, a, b, head := warm(t)
	prevA, prevB := head, head
	var public []blk
	for i := range p2pwire.Slot(12) {
		slot := base + i
		r.until(slot, early(slot))
		x, y := makeBlock(prevA, slot, ourName, mark(1)), makeBlock(prevB, slot, ourName, mark(2))
		a.send(x.frame)
		b.send(y.frame)
		public = append(public, x)
		prevA, prevB = x, y
	}
	n.want(public...)
	b.want(public...)
	a.want()
	if got := r.withheld(core.ReasonSlotTaken); got != 12 {
		t.Errorf("slot_taken %d times, want 12", got)
	}
}

func TestIdenticalBlocksAreNoConflict(t *testing.T) {
	r, n, a, b, head := warm(t)
	r.until(base, early(base))
	x := makeBlock(head, base, ourName)
	a.send(x.frame)
	b.send(x.frame)
	n.want(x)
	a.want()
	st := r.c.Snapshot(r.now).Stats
	if st.Conflicts != 0 || st.OwnWithheld[core.ReasonSameID] != 1 {
		t.Errorf("conflicts %d, same_id %d, want 0 and 1", st.Conflicts, st.OwnWithheld[core.ReasonSameID])
	}
}

func TestDeadLeaderLeavesLineageAlone(t *testing.T) {
	r, n, a, b, head := warm(t)
	r.until(base, early(base))
	a0, b0 := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(a0.frame)
	b.send(b0.frame)
	a.drop()
	prev := b0
	for i := p2pwire.Slot(1); i < 12; i++ {
		r.until(base+i, early(base+i))
		prev = makeBlock(prev, base+i, ourName, mark(2))
		b.send(prev.frame)
	}
	// In Savanna a healthy node makes a second block for its last slot, on the public branch.
	second := makeBlock(a0, base+11, ourName, mark(3))
	b.send(second.frame)
	n.want(a0, second)
	if got := r.withheld(core.ReasonParentWithheld); got != 11 {
		t.Errorf("parent_withheld %d times, want 11", got)
	}
}

func TestLineageWithinRun(t *testing.T) {
	r, n, a, b, head := warm(t)
	r.until(base, early(base))
	a0 := makeBlock(head, base, ourName, mark(1))
	a.send(a0.frame)
	r.until(base+1, early(base+1))
	stale := makeBlock(head, base+1, ourName, mark(2)) // public parent, but not our last block
	b.send(stale.frame)
	a1 := makeBlock(a0, base+1, ourName, mark(1))
	a.send(a1.frame)
	n.want(a0, a1)
	if r.withheld(core.ReasonNotLineage) != 1 {
		t.Error("the candidate on an older public block was not withheld as not_lineage")
	}
}

func TestOlderParentWaitsForBetterCandidate(t *testing.T) {
	r, n, a, b, last := warm(t)
	r.until(base, early(base))
	// b missed the last public block.
	old := makeBlock(genesis(101), base, ourName, mark(2))
	b.send(old.frame)
	n.want()
	x := makeBlock(last, base, ourName, mark(1))
	a.send(x.frame)
	n.want(x)
	r.run(2 * time.Second)
	n.want(x)
}

func TestOlderParentGoesOutAtSlotEnd(t *testing.T) {
	r, n, a, _, last := warm(t)
	r.until(base+12, 600*time.Millisecond)
	// Two more public blocks; our node only saw the first.
	p1 := makeBlock(last, base+10, otherName)
	p2 := makeBlock(p1, base+11, otherName)
	n.send(p1.frame, p2.frame)
	r.run(150 * time.Millisecond)
	slot := base + 12
	r.until(slot, early(slot))
	x := makeBlock(p1, slot, ourName)
	a.send(x.frame)
	n.want()
	r.until(slot, 5*time.Millisecond)
	n.want()
	r.until(slot, -time.Millisecond)
	n.want(x)
}

func TestUnknownParentIsWithheldInTheEnd(t *testing.T) {
	r, n, a, _, _ := warm(t)
	r.until(base, early(base))
	x := makeBlock(genesis(500), base, ourName)
	a.send(x.frame)
	r.until(base+12, -time.Second)
	n.want()
	if r.withheld(core.ReasonUnknownParent) != 1 {
		t.Error("not withheld as unknown_parent")
	}
}

func TestTooEarlyAndTooLate(t *testing.T) {
	r, n, a, _, head := warm(t)
	far := makeBlock(head, base+24, ourName)
	a.send(far.frame)
	if r.withheld(core.ReasonTooEarly) != 1 {
		t.Error("a block 12 s ahead was not withheld")
	}
	r.until(base+12, -time.Second)
	late := makeBlock(head, base+3, ourName)
	a.send(late.frame)
	r.run(1100 * time.Millisecond) // the next round might be ours
	if r.withheld(core.ReasonTooOld) != 1 {
		t.Error("a block behind its round was not withheld")
	}
	n.want()
}

func TestExhaustedBlockSixSecondsEarly(t *testing.T) {
	r, n, a, _, head := warm(t)
	x := head
	var all []blk
	r.until(base, 30*time.Millisecond)
	for i := range p2pwire.Slot(12) {
		x = makeBlock(x, base+i, ourName)
		a.send(x.frame)
		all = append(all, x)
	}
	n.want(all...)
}

func TestStartFence(t *testing.T) {
	t.Run("no network: closed for the fence, then open", func(t *testing.T) {
		r := newRig(t, time.Second)
		g := genesis(100)
		a := r.node("a", g)
		r.until(base, early(base))
		x := makeBlock(g, base, ourName)
		a.send(x.frame)
		r.until(base+12, -time.Second)
		if r.withheld(core.ReasonStarting)+r.withheld(core.ReasonStartFence) != 1 {
			t.Fatalf("a block of the fenced time was not withheld: %+v", r.events)
		}
		r.until(base+24, early(base))
		y := makeBlock(g, base+24, ourName)
		a.send(y.frame)
		if r.c.Snapshot(r.now).Stats.OwnForwarded != 1 {
			t.Fatal("a block after the fence was not claimed")
		}
	})
	t.Run("head learned from the network: open at once", func(t *testing.T) {
		r := newRig(t, time.Second)
		root := makeBlock(genesis(100), base-9, otherName)
		head := makeBlock(root, base-1, otherName)
		n := r.open(core.Network, "net1")
		n.handshake(root, head)
		req := n.frames(p2pwire.TypeRequest)
		if len(req) != 1 {
			t.Fatalf("asked %d times for recent blocks, want once", len(req))
		}
		m, err := p2pwire.DecodeRequest(req[0].Body())
		if err != nil || m.Blocks.Mode != p2pwire.ListCatchUp || len(m.Blocks.IDs) != 1 || m.Blocks.IDs[0] != root.id {
			t.Fatalf("request %+v, %v", m, err)
		}
		a := r.node("a", head)
		r.until(base, early(base))
		x := makeBlock(head, base, ourName)
		a.send(x.frame)
		n.want() // held: the answer is not there yet
		n.send(head.frame)
		n.want(x)
	})
	t.Run("a peer that knows more keeps it shut", func(t *testing.T) {
		r := newRig(t, time.Second)
		root := makeBlock(genesis(100), base-9, otherName)
		head := makeBlock(root, base-1, otherName)
		n := r.network("net1", root)
		n.send(head.frame)
		a := r.node("a", head)
		r.until(base, early(base))
		// The block that the relay let out before its restart: one peer has it.
		before := makeBlock(head, base, ourName, mark(1))
		n2 := r.network("net2", before)
		x := makeBlock(head, base, ourName, mark(2))
		a.send(x.frame)
		r.run(time.Second)
		n.want()
		n2.want()
	})
}

func TestResendOwnBlocksAfterUplinkBlip(t *testing.T) {
	r, n, a, _, head := warm(t)
	r.until(base, early(base))
	x0 := makeBlock(head, base, ourName)
	a.send(x0.frame)
	n.want(x0)
	n.drop()
	r.until(base+1, early(base+1))
	x1 := makeBlock(x0, base+1, ourName)
	a.send(x1.frame)
	n = r.open(core.Network, "net1")
	n.handshake(head, head)
	n.want(x0, x1)
}

func TestForeignBlockWithOurKeyTakesTheSlot(t *testing.T) {
	r := newRig(t, 20*time.Second, func(c *core.Config) {
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
	})
	root := makeBlock(genesis(100), base-40, otherName, savanna(99))
	head := makeBlock(root, base-39, otherName, savanna(100))
	n := r.open(core.Network, "net1")
	n.handshake(root, head)
	n.send(head.frame)
	a := r.node("a", head)
	r.until(base, early(base))
	forged := makeBlock(head, base, ourName, savanna(101), signedBy(otherKey))
	n.send(forged.frame)
	if r.event(core.EventAlarm, core.ReasonForeignBlock) != nil {
		t.Fatal("a forged block raised the alarm of a valid one")
	}
	foreign := makeBlock(head, base, ourName, savanna(101), mark(5))
	n.send(foreign.frame)
	if r.event(core.EventAlarm, core.ReasonForeignBlock) == nil {
		t.Fatal("no alarm over a foreign block with our valid signature")
	}
	x := makeBlock(head, base, ourName, savanna(101), mark(6))
	a.send(x.frame)
	n.want()
	if r.withheld(core.ReasonSlotTaken) != 1 {
		t.Error("our own block for the slot was not withheld")
	}
}

func TestForgedBlockMutesNobody(t *testing.T) {
	r, n, a, _, head := warm(t)
	r.until(base, early(base))
	forged := makeBlock(head, base, ourName, signedBy(otherKey), mark(7))
	n.send(forged.frame)
	x := makeBlock(head, base, ourName, mark(1))
	a.send(x.frame)
	n.want(x)
}

func TestLineageDiesOfNewerQCOutsideIt(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	r.until(base, early(base))
	x0 := makeBlock(head, base, ourName, savanna(101))
	a.send(x0.frame)
	n.want(x0)
	r.until(base+3, 0)
	f1 := makeBlock(head, base+1, otherName, savanna(102))
	f2 := makeBlock(f1, base+2, otherName, savanna(f1.id.Num()))
	n.send(f1.frame, f2.frame)
	r.run(300 * time.Millisecond)
	if r.event(core.EventAlarm, core.ReasonLineageDead) == nil {
		t.Fatal("the lineage lives on")
	}
	y := makeBlock(f2, base+5, ourName, savanna(104))
	r.until(base+5, early(base+5))
	b.send(y.frame)
	n.want(x0, y)
}

func TestGapIsRepairedFromTheNode(t *testing.T) {
	r, n, a, _, head := warm(t)
	r.until(base, early(base))
	x0 := makeBlock(head, base, ourName)
	x1 := makeBlock(x0, base+1, ourName)
	x2 := makeBlock(x1, base+2, ourName)
	a.send(x0.frame)
	a.drop() // x1 is made while the connection is down
	r.until(base+2, early(base+2))
	a = r.open(core.Internal, "a")
	a.nodeID = p2pwire.ID{0xaa, 1}
	a.handshake(head, x1)
	a.send(x2.frame)
	n.want(x0)
	if len(a.frames(p2pwire.TypeRequest)) != 1 {
		t.Fatal("the node was not asked for the missing block")
	}
	a.send(x1.frame, x2.frame)
	n.want(x0, x1, x2)
}

type lateClaims struct{ asked []core.Claim }

func (l *lateClaims) Claim(_ core.Instant, cl core.Claim) core.Verdict {
	l.asked = append(l.asked, cl)
	return core.Pending
}

func TestPendingClaim(t *testing.T) {
	lc := &lateClaims{}
	r := newRig(t, 20*time.Second, func(c *core.Config) { c.Claimer = lc })
	root := makeBlock(genesis(100), base-40, otherName)
	head := makeBlock(root, base-39, otherName)
	n := r.open(core.Network, "net1")
	n.handshake(root, head)
	n.send(head.frame)
	a, b := r.node("a", head), r.node("b", head)
	r.until(base, early(base))
	x, y := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(x.frame)
	b.send(y.frame)
	n.want()
	if len(lc.asked) != 1 {
		t.Fatalf("asked for %d claims, want 1", len(lc.asked))
	}
	r.c.ClaimDecided(r.now, lc.asked[0], core.Approved)
	r.pump()
	n.want(x)
	if r.withheld(core.ReasonSlotTaken) != 1 {
		t.Error("the sibling was not withheld")
	}
}

// What a network peer said before it can have read our last block does not make it get that again, even if the
// way to it was never measured.
func TestHandshakeThatCrossedOurBlock(t *testing.T) {
	r, _, a, _, head := warm(t)
	r.until(base, 40*time.Millisecond)
	x := makeBlock(head, base, ourName, mark(1))
	p := r.network("net2", head)
	p.clear()
	a.send(x.frame)
	r.run(80 * time.Millisecond)
	p.handshake(head, head)
	r.run(20 * time.Millisecond)
	p.want(x)
	r.run(300 * time.Millisecond)
	p.handshake(head, head) // it says so still
	r.run(20 * time.Millisecond)
	p.want(x, x)
}

// What the network builds on a block that was kept inside shows that it had left, before the relay was started. The
// node that made it has it, and needs its bytes from nobody to go on with the network.
func TestNetworkBuildsOnWhatWasKeptInside(t *testing.T) {
	for _, early := range []bool{false, true} {
		r, n, a, head := lone(t)
		x := makeBlock(head, base+11, ourName)
		y := makeBlock(x, base+15, otherName)
		for at := base; at < base+16; at++ {
			r.until(at, 0)
			n.alive()
			a.alive()
		}
		if early { // it comes while that is held
			a.send(x.frame)
			n.send(y.frame)
			r.run(2 * time.Second)
		} else {
			a.send(x.frame)
			r.run(2 * time.Second)
			n.send(y.frame)
		}
		if r.withheld(core.ReasonTooOld) != 1 {
			t.Fatalf("%v: %d blocks were too old, want 1", early, r.withheld(core.ReasonTooOld))
		}
		n.want()
		r.run(2 * survive)
		if !a.has(y.frame) {
			t.Errorf("%v: the node is not given what the network built on its block", early)
		}
	}
}

// What stands below what is irreversible to the network links to nothing there, although it builds on the public head
// as far as that is known. It takes no slot.
func TestCandidateBelowTheNetworksRoot(t *testing.T) {
	for name, opts := range map[string][]blockOption{"legacy": nil, "savanna": {savanna(99)}} {
		t.Run(name, func(t *testing.T) {
			r, n, a, head := lone(t, opts...)
			x := makeBlock(head, base-2, otherName, append(opts, mark(3))...)
			y := makeBlock(x, base-1, otherName, savanna(x.id.Num()))
			n.handshake(x, y)
			r.until(base, early(base))
			a.send(makeBlock(head, base, ourName, opts...).frame)
			r.run(2 * survive)
			n.want()
			if opts != nil {
				n.send(x.frame, y.frame)
				a.handshake(x, y)
				r.run(2 * survive)
			}
			r.until(base+12, -time.Second)
			n.want()
			if st := r.c.Snapshot(r.now).Stats; st.OwnForwarded != 0 || r.withheld(core.ReasonBelowLIB)+r.withheld(core.ReasonUnknownParent) != 1 {
				t.Errorf("let out %d, withheld below the root %d, without a known parent %d; want 0 and one of them",
					st.OwnForwarded, r.withheld(core.ReasonBelowLIB), r.withheld(core.ReasonUnknownParent))
			}
		})
	}
}
