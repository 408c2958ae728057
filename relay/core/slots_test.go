package core_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// roundEnd is how long after the timestamp of a round's last slot it is judged: half a second to the
// round's end, the grace for late blocks, and the wait for the network.
const roundEnd = 1500 * time.Millisecond

// rounds are the rounds that were told of, in order.
func (r *rig) rounds() (out [][]core.SlotRecord) {
	for i := range r.events {
		if r.events[i].Kind == core.EventRound {
			out = append(out, r.events[i].Round)
		}
	}
	return out
}

// slot is the record of one slot.
func (r *rig) slot(slot p2pwire.Slot) core.SlotRecord {
	r.t.Helper()
	rep := r.c.Slots(r.now, core.SlotQuery{Slot: slot})
	if len(rep.Slots) != 1 || rep.Slots[0].Slot != slot {
		r.t.Fatalf("slot %d: %d records", slot, len(rep.Slots))
	}
	return rep.Slots[0]
}

func (r *rig) wantOutcome(slot p2pwire.Slot, o core.Outcome, why core.Reason) core.SlotRecord {
	r.t.Helper()
	x := r.slot(slot)
	if x.Outcome != o || x.Reason != why {
		r.t.Errorf("slot base%+d: %s (%s), want %s (%s): %+v", int64(slot)-int64(base), x.Outcome, x.Reason, o, why, x)
	}
	return x
}

func part(x core.SlotRecord, node string) core.NodeRecord {
	for _, n := range x.Nodes {
		if n.Node == node {
			return n
		}
	}
	return core.NodeRecord{}
}

func TestSlotRecordOfANormalRound(t *testing.T) {
	r, n, a, b, head := warm(t)
	prev := head
	for i := range p2pwire.Slot(12) {
		slot := base + i
		r.until(slot, early(slot))
		x := makeBlock(prev, slot, ourName)
		a.send(x.frame)
		r.run(3 * time.Millisecond)
		b.send(x.frame)
		prev = x
	}
	n.send(voteFrame(prev, 9))
	if len(r.rounds()) != 0 {
		t.Fatal("the round was told of before it was over")
	}
	r.until(base+11, -roundEnd)
	got := r.rounds()
	if len(got) != 1 || len(got[0]) != 12 {
		t.Fatalf("%d rounds told of: %+v", len(got), got)
	}
	for i, x := range got[0] {
		slot := base + p2pwire.Slot(i)
		due := -int64(early(slot))
		if x.Slot != slot || x.Outcome != core.OutcomePublic || x.Reason != core.ReasonClaimed || x.Node != "a" ||
			x.DueNs != due || x.LeftNs != (core.Offset{Ns: due, Known: true}) || x.Sessions != 1 || !x.Closed || x.Expected || x.KeptInside != 0 {
			t.Errorf("slot %d: %+v", i, x)
		}
		if na, nb := part(x, "a"), part(x, "b"); na.Decision != core.DecisionOut || na.ArrivedNs.Ns != due || !na.Connected ||
			nb.Decision != core.DecisionIdentical || nb.Reason != core.ReasonSameID || nb.ArrivedNs.Ns != due+3e6 || nb.Candidates != 1 {
			t.Errorf("slot %d: nodes %+v", i, x.Nodes)
		}
		if x.Echo != core.EchoVote || !x.EchoNs.Known {
			t.Errorf("slot %d: echo %s %+v", i, x.Echo, x.EchoNs)
		}
	}
	if got := r.c.Snapshot(r.now).Stats.OwnSlots[core.OutcomePublic]; got != 12 {
		t.Errorf("%d slots counted as public, want 12", got)
	}
	if x := r.c.Slots(r.now, core.SlotQuery{Num: got[0][4].Num}); len(x.Slots) != 1 || x.Slots[0].Slot != base+4 {
		t.Errorf("by number: %+v", x)
	}
	if x := r.c.Slots(r.now, core.SlotQuery{Last: 3}); len(x.Slots) != 3 || x.Slots[2].Slot != base+11 || x.Kept != 12 || x.Oldest != base || x.Newest != base+11 {
		t.Errorf("last three: %+v", x)
	}
	text, err := json.Marshal(got[0][0])
	var back core.SlotRecord
	if err != nil || json.Unmarshal(text, &back) != nil || !reflect.DeepEqual(back, got[0][0]) {
		t.Errorf("JSON and back: %s gives %+v (%v)", text, back, err)
	}
}

func TestSlotRecordOfADeadLeader(t *testing.T) {
	r, _, a, b, head := warm(t)
	r.until(base, early(base))
	a0, b0 := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(a0.frame)
	b.send(b0.frame)
	r.run(100 * time.Millisecond)
	a.drop()
	prev := b0
	for i := p2pwire.Slot(1); i < 12; i++ {
		r.until(base+i, early(base+i))
		prev = makeBlock(prev, base+i, ourName, mark(2))
		b.send(prev.frame)
	}
	second := makeBlock(a0, base+11, ourName, mark(3))
	b.send(second.frame)
	r.until(base+11, -roundEnd)
	x := r.wantOutcome(base, core.OutcomePublic, core.ReasonClaimed)
	if p := part(x, "b"); x.KeptInside != 1 || p.Decision != core.DecisionInside || p.Reason != core.ReasonSlotTaken || p.BranchSince != base {
		t.Errorf("first slot: %+v", x)
	}
	for i := p2pwire.Slot(1); i < 11; i++ {
		x := r.wantOutcome(base+i, core.OutcomeLost, core.ReasonLeadLost)
		pa, pb := part(x, "a"), part(x, "b")
		if pb.Decision != core.DecisionInside || pb.Reason != core.ReasonParentWithheld || pb.BranchSince != base || x.Lead != "a" {
			t.Errorf("slot %d: lead %q, %+v", i, x.Lead, pb)
		}
		if at := int64(-early(base)) + 100e6 - int64(i)*5e8; pa.Connected || pa.DownNs != (core.Offset{Ns: at, Known: true}) || pa.DownReason != core.ReasonPeerClosed || pa.Decision != core.DecisionNone {
			t.Errorf("slot %d: %+v, want its session down at %d", i, pa, at)
		}
	}
	x = r.wantOutcome(base+11, core.OutcomePublic, core.ReasonClaimed)
	if p := part(x, "b"); x.Node != "b" || p.Candidates != 2 || p.Decision != core.DecisionOut || p.ID != second.id || p.FirstID != prev.id {
		t.Errorf("last slot: %+v", x)
	}
	if len(r.rounds()) != 1 {
		t.Errorf("told %d times of one round", len(r.rounds()))
	}
}

// cycle lets other producers' rounds and ours alternate, n rounds of each, ours first.
func (r *rig) cycle(net *peer, nodes []*peer, head blk, n int) blk {
	r.t.Helper()
	for i := range p2pwire.Slot(24 * n) {
		slot := base + i
		r.until(slot, early(slot))
		for _, p := range append([]*peer{net}, nodes...) {
			p.alive()
		}
		if slot.Round()%2 != base.Round()%2 {
			head = makeBlock(head, slot, otherName)
			net.send(head.frame)
			continue
		}
		head = makeBlock(head, slot, ourName)
		nodes[0].send(head.frame)
	}
	return head
}

// TestExpectedRound: the relay learns from the public chain which round is ours, and tells of it even
// if nothing came for it at all.
func TestExpectedRound(t *testing.T) {
	r, n, a, b, head := warm(t)
	r.cycle(n, []*peer{a, b}, head, 2)
	if rep := r.c.Slots(r.now, core.SlotQuery{Last: 1}); rep.PeriodRounds != 2 {
		t.Fatalf("period %d, want 2", rep.PeriodRounds)
	}
	ours := base + 48
	r.until(ours, 300*time.Millisecond)
	n.alive()
	a.drop()
	b.alive()
	r.until(ours+11, -roundEnd)
	got := r.rounds()
	if len(got) != 3 || len(got[2]) != 12 {
		t.Fatalf("%d rounds", len(got))
	}
	for i, x := range got[2] {
		if x.Slot != ours+p2pwire.Slot(i) || x.Outcome != core.OutcomeLost || x.Reason != core.ReasonNodeSilent || !x.Expected || x.Producer != ourName {
			t.Errorf("slot %d: %+v", i, x)
		}
		if pa, pb := part(x, "a"), part(x, "b"); pa.Connected || pa.DownNs.Ns != -300e6-int64(i)*5e8 || !pb.Connected || pb.DownNs.Known {
			t.Errorf("slot %d: a %+v, b %+v", i, pa, pb)
		}
	}
	// The next one as well, with nobody there and no block from anyone.
	b.drop()
	r.until(ours+24+11, -roundEnd)
	if got = r.rounds(); len(got) != 4 || got[3][0].Slot != ours+24 || got[3][0].Reason != core.ReasonNoNode {
		t.Errorf("%d rounds, the last %+v", len(got), got[len(got)-1])
	}
	// A block of somebody else in what would have been our round: it is not ours any more.
	p := makeBlock(genesis(500), ours+48, otherName)
	n2 := r.network("net2", p)
	n2.send(p.frame)
	r.node("a", p)
	r.run(time.Second)
	r.until(ours+48+11, -roundEnd)
	if got = r.rounds(); len(got) != 4 {
		t.Errorf("a round of somebody else was told of as ours: %+v", got[len(got)-1])
	}
}

func TestSlotLostForWantOfPeersOrTime(t *testing.T) {
	t.Run("no network peer", func(t *testing.T) {
		r, n, a, _, head := warm(t)
		n.drop()
		r.until(base, early(base))
		x := makeBlock(head, base, ourName)
		a.send(x.frame)
		r.until(base+11, -roundEnd)
		r.wantOutcome(base, core.OutcomeLost, core.ReasonNoNetwork)
		n = r.open(core.Network, "net1")
		n.handshake(head, head)
		n.want(x)
		if x := r.wantOutcome(base, core.OutcomeLate, core.ReasonClaimed); x.LeftNs.Ns <= 0 || x.Sessions != 0 {
			t.Errorf("%+v", x)
		}
		if len(r.rounds()) != 1 {
			t.Errorf("told %d times of one round", len(r.rounds()))
		}
	})
	t.Run("start fence", func(t *testing.T) {
		r := newRig(t, time.Second)
		a := r.node("a", genesis(100))
		r.until(base+5, early(base+5))
		a.send(makeBlock(genesis(100), base+5, ourName).frame)
		r.until(base+11, -roundEnd)
		if x := r.wantOutcome(base+5, core.OutcomeLost, core.ReasonStartFence); part(x, "a").Decision != core.DecisionInside {
			t.Errorf("%+v", x)
		}
	})
	t.Run("an older parent leaves at the slot's end", func(t *testing.T) {
		r, n, a, _, last := warm(t)
		r.until(base+12, 600*time.Millisecond)
		p1 := makeBlock(last, base+10, otherName)
		n.send(p1.frame, makeBlock(p1, base+11, otherName).frame)
		r.run(150 * time.Millisecond)
		r.until(base+12, early(base+12))
		a.send(makeBlock(p1, base+12, ourName).frame)
		if x := r.wantOutcome(base+12, core.OutcomePending, core.ReasonNone); part(x, "a").Decision != core.DecisionWaits {
			t.Errorf("while it waits: %+v", x)
		}
		r.run(time.Second)
		r.wantOutcome(base+12, core.OutcomePublic, core.ReasonClaimed)
	})
	t.Run("the network went on without it", func(t *testing.T) {
		r, n, a, _, head := warm(t, savanna(90))
		r.until(base+11, early(base+11))
		x := makeBlock(head, base+11, ourName, savanna(101))
		a.send(x.frame)
		r.until(base+12, 0)
		f1 := makeBlock(head, base+12, otherName, savanna(102))
		n.send(f1.frame, makeBlock(f1, base+13, otherName, savanna(f1.id.Num())).frame)
		r.until(base+11, -roundEnd)
		r.wantOutcome(base+11, core.OutcomeOrphaned, core.ReasonOrphaned)
	})
}

func TestSlotOfAForeignBlock(t *testing.T) {
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
	// Anyone can forge our name: that is worth no record.
	n.send(makeBlock(head, base+1, ourName, savanna(101), signedBy(otherKey)).frame)
	foreign := makeBlock(head, base, ourName, savanna(101), mark(5))
	n.send(foreign.frame)
	a.send(makeBlock(head, base, ourName, savanna(101), mark(6)).frame)
	if rep := r.c.Slots(r.now, core.SlotQuery{}); len(rep.Slots) != 1 {
		t.Errorf("records %+v", rep.Slots)
	}
	r.until(base+11, -roundEnd)
	x := r.wantOutcome(base, core.OutcomeElsewhere, core.ReasonForeignBlock)
	if x.ID != foreign.id || x.Node != "" || part(x, "a").Reason != core.ReasonSlotTaken {
		t.Errorf("%+v", x)
	}
}

// TestSlotBookIsBounded: a node that sends blocks for more slots than there is room for, in any
// order, pushes out the oldest records and opens none for absurd ones.
func TestSlotBookIsBounded(t *testing.T) {
	r, _, a, _, head := warm(t)
	for i := range p2pwire.Slot(3000) {
		if i%40 == 0 {
			r.until(base+i, early(base))
			for _, p := range r.order {
				if !p.gone {
					p.alive()
				}
			}
		}
		a.send(makeBlock(head, base+i, ourName).frame)
	}
	rep := r.c.Slots(r.now, core.SlotQuery{})
	if rep.Kept != 1024 || len(rep.Slots) != 1024 {
		t.Errorf("%d records", rep.Kept)
	}
	a.send(makeBlock(head, base+1<<30, ourName).frame, makeBlock(head, 12, ourName).frame)
	if got := r.c.Slots(r.now, core.SlotQuery{}); got.Oldest != rep.Oldest || got.Newest != rep.Newest {
		t.Errorf("absurd slots got records: %d to %d", got.Oldest, got.Newest)
	}
	for i := range 20 {
		p := r.node("n"+string(rune('a'+i)), head)
		p.send(makeBlock(head, base+3001, ourName, mark(byte(i))).frame)
	}
	if x := r.slot(base + 3001); len(x.Nodes) != 8 || x.NodesOmitted == 0 {
		t.Errorf("%d nodes, %d omitted", len(x.Nodes), x.NodesOmitted)
	}
}
