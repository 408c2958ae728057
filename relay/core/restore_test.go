package core_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// restart is a core that starts in our round with a journal: the network stands at head, the block of
// slot base-1; the claims are what the journal has.
func restart(t *testing.T, at time.Duration, complete bool, claimed []blk, opts ...blockOption) (r *rig, n *peer, head blk) {
	root := makeBlock(genesis(100), base-9, otherName, opts...)
	head = makeBlock(root, base-1, otherName, opts...)
	if claimed == nil {
		claimed = ourBlocks(head, 3, 1)
	}
	r = newRig(t, -at, func(c *core.Config) {
		c.Restored.Complete = complete
		if complete {
			c.Restored.Fences = map[p2pwire.Name]p2pwire.Slot{ourName: base - 100}
		}
		for _, b := range claimed {
			c.Restored.Claims = append(c.Restored.Claims, core.Claim{Producer: ourName, Slot: b.slot, ID: b.id})
		}
	})
	n = r.open(core.Network, "net1")
	n.handshake(root, head)
	n.send(head.frame)
	r.run(150 * time.Millisecond)
	n.clear()
	return r, n, head
}

// ourBlocks is a chain of own blocks on head, from slot base on.
func ourBlocks(head blk, count int, m byte) (out []blk) {
	for i := range count {
		head = makeBlock(head, base+p2pwire.Slot(i), ourName, mark(m))
		out = append(out, head)
	}
	return out
}

func lastPublic(opts ...blockOption) blk {
	return makeBlock(makeBlock(genesis(100), base-9, otherName, opts...), base-1, otherName, opts...)
}

// Claims that never left go out after the restart, from the node that made them, also when their
// child comes first.
func TestRestoredClaimsGoOut(t *testing.T) {
	xs := ourBlocks(lastPublic(), 5, 1)
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {3, 0, 1, 2, 4}, {4, 3, 2, 1, 0}, {2, 1, 0, 3, 4}} {
		r, n, head := restart(t, 2*time.Second, true, xs[:3])
		a := r.node("a", head)
		for _, i := range order {
			a.send(xs[i].frame)
		}
		n.want(xs...)
		if len(a.frames(p2pwire.TypeRequest)) == 0 && order[0] == 3 {
			t.Error("the node was not asked for the claimed blocks")
		}
	}
}

// The last restored claim is the lineage's tip: nothing else may be built upon, whether the network
// has it or nobody.
func TestRestoredLineage(t *testing.T) {
	xs := ourBlocks(lastPublic(), 4, 1)
	t.Run("a sibling branch stays inside", func(t *testing.T) {
		r, n, head := restart(t, 2*time.Second, true, xs[:3])
		b := r.node("b", head)
		for _, y := range ourBlocks(head, 6, 2) {
			b.send(y.frame)
		}
		// And one that skips the claimed slots.
		b.send(makeBlock(head, base+3, ourName, mark(3)).frame)
		r.run(10 * time.Second)
		n.want()
	})
	t.Run("the child of a claimed block the network has goes out at once", func(t *testing.T) {
		r, n, head := restart(t, 2*time.Second, true, xs[:3])
		a := r.node("a", head)
		n.send(xs[0].frame, xs[1].frame, xs[2].frame)
		a.send(xs[3].frame)
		n.want(xs[3])
	})
	t.Run("a claimed block shown by the network is nobody else's", func(t *testing.T) {
		xs := ourBlocksOf(lastPublic(savanna(90)), savanna(99))
		r := newRig(t, -2*time.Second, func(c *core.Config) {
			c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
			c.Restored.Complete = true
			c.Restored.Fences = map[p2pwire.Name]p2pwire.Slot{ourName: base - 100}
			c.Restored.Claims = []core.Claim{{Producer: ourName, Slot: xs[0].slot, ID: xs[0].id}}
		})
		head := lastPublic(savanna(90))
		n := r.network("net1", head)
		n.send(xs[0].frame)
		if r.event(core.EventAlarm, core.ReasonForeignBlock) != nil {
			t.Error("foreign_block over our own block")
		}
		n.send(makeBlock(xs[0], base+1, ourName, savanna(99), mark(9)).frame)
		if r.event(core.EventAlarm, core.ReasonForeignBlock) == nil {
			t.Error("no alarm over a block that is not in a complete journal")
		}
	})
	t.Run("a foreign claim is no lineage", func(t *testing.T) {
		head := lastPublic()
		foreign := makeBlock(head, base+1, ourName, mark(7))
		r := newRig(t, -time.Second, func(c *core.Config) {
			c.Restored.Complete = true
			c.Restored.Fences = map[p2pwire.Name]p2pwire.Slot{ourName: base - 100}
			c.Restored.Claims = []core.Claim{{Producer: ourName, Slot: foreign.slot, ID: foreign.id, Foreign: true}}
		})
		root := makeBlock(genesis(100), base-9, otherName)
		n := r.open(core.Network, "net1")
		n.handshake(root, head)
		n.send(head.frame)
		a := r.node("a", head)
		x := makeBlock(head, base+2, ourName, mark(1))
		a.send(makeBlock(head, base+1, ourName, mark(1)).frame, x.frame)
		n.want(x)
	})
}

func ourBlocksOf(head blk, opts ...blockOption) []blk {
	return []blk{makeBlock(head, base, ourName, opts...)}
}

// Without a complete journal its claims are used, and the fence stands.
func TestIncompleteJournal(t *testing.T) {
	xs := ourBlocks(lastPublic(), 5, 1)
	for _, complete := range []bool{false, true} {
		// The journal has slot base only; x1 went out as well, and one peer has it.
		r, n, head := restart(t, time.Second, complete, xs[:1])
		n.send(xs[0].frame)
		r.run(150 * time.Millisecond)
		n2 := r.network("net2", xs[1])
		n.clear()
		b := r.node("b", xs[0])
		y0 := makeBlock(head, base, ourName, mark(2))
		y1 := makeBlock(xs[0], base+1, ourName, mark(2))
		b.send(y0.frame, y1.frame)
		r.run(time.Second)
		if complete {
			n.want(y1) // as told: the journal says that nothing went out for the slot
			continue
		}
		n.want()
		n2.want()
	}
}

// An unfinished journal does not stop what a stateless relay would let out.
func TestIncompleteJournalStillExtendsTheLearnedHead(t *testing.T) {
	xs := ourBlocks(lastPublic(), 3, 1)
	r, n, _ := restart(t, time.Second, false, xs[:1])
	n.send(xs[0].frame, xs[1].frame)
	r.run(150 * time.Millisecond)
	n.clear()
	a := r.node("a", xs[1])
	a.send(xs[2].frame)
	n.want(xs[2])
}

func TestRestoredFence(t *testing.T) {
	head := lastPublic()
	for fence, open := range map[p2pwire.Slot]bool{base - 1: true, base + 1: false} {
		r := newRig(t, 400*time.Millisecond, func(c *core.Config) {
			c.Restored.Complete = true
			c.Restored.Fences = map[p2pwire.Name]p2pwire.Slot{ourName: fence}
		})
		// Nobody in the network answers, so nothing is learned.
		a := r.node("a", head)
		n := r.open(core.Network, "mute")
		r.run(4 * time.Second)
		x := makeBlock(head, base+1, ourName)
		a.send(x.frame)
		r.run(100 * time.Millisecond)
		if r.c.Snapshot(r.now).Stats.OwnForwarded > 0 {
			t.Errorf("fence at %d: out although its parent may be one of ours, made while there was no relay", fence)
		}
		a.send(head.frame) // what it was asked for
		r.run(200 * time.Millisecond)
		if got := r.c.Snapshot(r.now).Stats.OwnForwarded == 1; got != open {
			t.Errorf("fence at %d: forwarded %v", fence, got)
		}
		_ = n
	}
}

func TestRestoredFloor(t *testing.T) {
	r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Restored.Floor = base }, 0)
	r.until(base, early(base))
	a.send(makeBlock(head, base, ourName).frame)
	n.want()
	if r.withheld(core.ReasonBelowFloor) != 1 {
		t.Error("not withheld as below_floor")
	}
}

// marker keeps marks as a journal would.
type marker struct {
	asked, settled []core.VoteMark
}

func (m *marker) MarkVotes(_ core.Instant, v core.VoteMark)   { m.asked = append(m.asked, v) }
func (m *marker) SettleVotes(_ core.Instant, v core.VoteMark) { m.settled = append(m.settled, v) }

func TestVotesWaitForTheirMark(t *testing.T) {
	m := &marker{}
	r, n, a, _, head := warmWith(t, func(c *core.Config) { c.VoteMarker = m }, 0, savanna(90))
	answer := func(ok bool) {
		t.Helper()
		if len(m.asked) == 0 {
			t.Fatal("no mark was asked for")
		}
		v := m.asked[0]
		m.asked = m.asked[1:]
		r.c.VotesMarked(r.now, v, ok)
		r.pump()
	}
	var xs []blk
	prev := head
	for i := range p2pwire.Slot(8) {
		r.until(base+i, early(base+i))
		prev = makeBlock(prev, base+i, ourName, savanna(90))
		xs = append(xs, prev)
		a.send(prev.frame, voteFrame(prev, 1))
		switch i {
		case 0:
			n.wantVotes()
			answer(true)
		case 3, 6:
			answer(true) // asked for ahead: it did not have to wait
		}
		n.wantVotes(xs...)
	}
	if len(m.asked) != 0 {
		t.Errorf("%d more marks asked for", len(m.asked))
	}
	r.c.Shutdown(r.now)
	if len(m.settled) != 1 || m.settled[0].Slot != base+7 || m.settled[0].Key != sha256.Sum256(append([]byte{1}, make([]byte, 95)...)) {
		t.Errorf("settled %+v", m.settled)
	}
}

func TestVoteWithoutAMarkStaysInside(t *testing.T) {
	m := &marker{}
	r, n, a, _, head := warmWith(t, func(c *core.Config) { c.VoteMarker = m }, 0, savanna(90))
	r.until(base, early(base))
	x := makeBlock(head, base, ourName, savanna(90))
	a.send(x.frame, voteFrame(x, 1))
	r.c.VotesMarked(r.now, m.asked[0], false)
	r.pump()
	n.wantVotes()
	if got := r.c.Snapshot(r.now).Stats.Dropped[core.ReasonVoteUnmarked]; got != 1 {
		t.Errorf("vote_unmarked %d times", got)
	}
	x1 := makeBlock(x, base+1, ourName, savanna(90))
	a.send(x1.frame, voteFrame(x1, 1))
	r.c.VotesMarked(r.now, m.asked[1], true)
	r.pump()
	n.wantVotes(x1)
}

func TestRestoredVoteMark(t *testing.T) {
	m := &marker{}
	key := sha256.Sum256(append([]byte{1}, make([]byte, 95)...))
	r, n, a, _, head := warmWith(t, func(c *core.Config) {
		c.VoteMarker = m
		c.Restored.Votes = []core.VoteMark{{Key: key, Slot: base + 1}}
	}, 0, savanna(90))
	prev := head
	for i := range p2pwire.Slot(3) {
		r.until(base+i, early(base+i))
		prev = makeBlock(prev, base+i, ourName, savanna(90))
		a.send(prev.frame, voteFrame(prev, 1))
		for _, v := range m.asked {
			r.c.VotesMarked(r.now, v, true)
		}
		m.asked = nil
		r.pump()
	}
	n.wantVotes(prev)
	if got := r.c.Snapshot(r.now).Stats.Dropped[core.ReasonVoteOrder]; got != 2 {
		t.Errorf("vote_order %d times, want 2", got)
	}
}

// After a restart a block that leaves out slots waits, until its own, for those that a node made while
// the relay was away; nobody's come, and it goes out then.
func TestSlotsMadeWhileTheRelayWasAway(t *testing.T) {
	for _, alive := range []bool{true, false} {
		xs := ourBlocks(lastPublic(), 6, 1)
		r, n, _ := restart(t, 2*time.Second, true, xs[:3]) // slots 0 to 2 were let out
		n.send(xs[0].frame, xs[1].frame, xs[2].frame)
		r.run(150 * time.Millisecond)
		n.clear()
		b := r.node("b", xs[2])
		skip := makeBlock(xs[2], base+5, ourName, mark(9))
		b.send(skip.frame)
		n.want()
		if alive {
			a := r.node("a", xs[2])
			a.send(xs[5].frame)
			if len(a.frames(p2pwire.TypeRequest)) == 0 {
				t.Error("the node was not asked for what it made")
			}
			a.send(xs[3].frame, xs[4].frame)
			n.want(xs[3], xs[4], xs[5])
			continue
		}
		r.until(base+5, time.Millisecond)
		n.want()
		r.until(base+5, -time.Millisecond)
		n.want(skip)
	}
}

// Full blocks of a round leave their node 6 s early, right before the relay is started. The first block
// of the next round builds on them: without a word from the network it must not be let out before them.
func TestEarlyRoundMadeBeforeTheStart(t *testing.T) {
	root := makeBlock(genesis(100), base-9, otherName)
	head := makeBlock(root, base-1, otherName)
	xs := ourBlocks(head, 13, 1)
	r := newRig(t, 470*time.Millisecond, func(c *core.Config) {
		c.Restored.Complete = true
		c.Restored.Fences = map[p2pwire.Name]p2pwire.Slot{ourName: base - 100}
	})
	a := r.open(core.Internal, "a")
	a.handshake(root, xs[11])
	r.until(base+12, 500*time.Millisecond)
	a.alive()
	a.send(xs[12].frame)
	r.run(20 * time.Millisecond)
	n := r.open(core.Network, "net1")
	n.handshake(root, head)
	n.send(head.frame)
	r.run(20 * time.Millisecond)
	n.want()
	if len(a.frames(p2pwire.TypeRequest)) == 0 {
		t.Error("the node was not asked for what it made")
	}
	for _, x := range xs[:12] {
		a.send(x.frame)
	}
	n.want(xs...)
}
