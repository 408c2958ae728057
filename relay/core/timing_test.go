package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

func (r *rig) node1(name string) core.NodeTiming {
	r.t.Helper()
	for _, n := range r.c.Snapshot(r.now).Nodes {
		if n.Node == name {
			return n
		}
	}
	r.t.Fatalf("nothing known of %s", name)
	return core.NodeTiming{}
}

func TestDueIsPlannedByVersionAndLearned(t *testing.T) {
	tests := []struct {
		pv          uint16
		first, last time.Duration
	}{
		{11, -37500 * time.Microsecond, -450 * time.Millisecond},
		{9, -37500 * time.Microsecond, -450 * time.Millisecond},
		{7, -37500 * time.Microsecond, -200 * time.Millisecond},
	}
	for _, tt := range tests {
		r, _, _, _, head := warm(t)
		c := r.open(core.Internal, "c")
		c.hello(head, head, func(h *p2pwire.Handshake) { h.NetworkVersion = p2pwire.NetworkVersion(tt.pv) })
		r.until(base+5, early(base+5))
		c.send(makeBlock(head, base+5, ourName).frame)
		got := r.node1("c")
		if time.Duration(got.DueNs[0]) != tt.first || time.Duration(got.DueNs[11]) != tt.last {
			t.Errorf("version %d: due %v", tt.pv, got.DueNs)
		}
	}
}

// TestDueIsRobust: a node that is 60 ms away is learned to be; a block that was exhausted or stuck
// changes little, and a step of the relay's clock nothing.
func TestDueIsRobust(t *testing.T) {
	r, n, a, b, head := warm(t)
	for _, p := range r.order {
		p.answers(0)
	}
	r.run(50 * time.Millisecond)
	var start p2pwire.Slot
	for range 2 {
		head, start = r.round(n, a, b, head)
	}
	due := func(i int) time.Duration { return time.Duration(r.node1("b").DueNs[i]).Round(time.Millisecond) }
	if got, want := due(3), -148*time.Millisecond; got != want { // 2 ms behind A
		t.Fatalf("due %s, want %s", got, want)
	}
	for _, at := range []time.Duration{1900 * time.Millisecond, -400 * time.Millisecond, -3 * time.Second} {
		slot := start + 3
		r.until(slot, at)
		b.send(makeBlock(head, slot, ourName, mark(byte(at/time.Millisecond))).frame)
		if got := due(3); got < -170*time.Millisecond || got > -130*time.Millisecond {
			t.Errorf("after one %s before its timestamp: due %s", at, got)
		}
	}
	was := due(3)
	r.stepClock(100 * time.Hour)
	b.send(makeBlock(head, start+4, ourName, mark(99)).frame)
	if got := due(3); got != was {
		t.Errorf("after a step of the clock: due %s, was %s", got, was)
	}
}

func TestMissedLateAndLead(t *testing.T) {
	r, n, a, b, head := warm(t)
	for _, p := range r.order {
		p.answers(0)
	}
	r.run(50 * time.Millisecond)
	stats := func() core.Stats { return r.c.Snapshot(r.now).Stats }
	prev := head
	for i := range p2pwire.Slot(12) {
		slot := base + i
		switch i {
		case 4: // comes 100 ms after its timestamp
			r.until(slot, -100*time.Millisecond)
		default:
			r.until(slot, early(slot))
		}
		if i >= 9 {
			break // the node is dead
		}
		prev = makeBlock(prev, slot, ourName)
		a.send(prev.frame)
		r.run(3 * time.Millisecond)
		b.send(prev.frame)
	}
	if st := stats(); st.OwnLate != 1 || st.OwnMissed != 0 {
		t.Errorf("late %d, missed %d before the round is over; want 1 and 0", st.OwnLate, st.OwnMissed)
	}
	r.until(base+12, -time.Second)
	st := stats()
	if st.OwnMissed != 3 || st.Lead.Count != 9 || st.Lead.SumNs != int64(27*time.Millisecond) {
		t.Errorf("missed %d, lead %d times, %d ns together; want 3, 9, 27 ms", st.OwnMissed, st.Lead.Count, st.Lead.SumNs)
	}
	if got := r.node1("a"); got.LeadNs == nil || *got.LeadNs != int64(3*time.Millisecond) || got.LagNs != nil {
		t.Errorf("a: %+v, want a lead of 3 ms", got)
	}
	if got := r.node1("b"); got.LagNs == nil || *got.LagNs != int64(3*time.Millisecond) || got.LeadNs != nil {
		t.Errorf("b: %+v, want a lag of 3 ms", got)
	}
	r.round(n, a, b, prev)
	if got := stats().OwnMissed; got != 3 {
		t.Errorf("missed %d after a good round, want 3", got)
	}
}

// TestMissedWithoutOneBlockOut: candidates came, none could go out.
func TestMissedWithoutOneBlockOut(t *testing.T) {
	r, _, a, _, head := warm(t)
	r.until(base, early(base))
	lone := makeBlock(genesis(77), base, ourName)
	a.send(lone.frame)
	r.until(base+12, -time.Second)
	if got := r.c.Snapshot(r.now).Stats.OwnMissed; got != 12 {
		t.Errorf("missed %d, want 12", got)
	}
	_ = head
}

// TestARunThatGoesOn: every round is ours, for 50 of them, so none is over until the last. With a timer for each that
// armed one for all the others, the core soon did nothing else.
func TestARunThatGoesOn(t *testing.T) {
	r, n, a, b, prev := warm(t)
	for _, p := range r.order {
		p.answers(0)
	}
	const slots = 50 * p2pwire.RoundSlots
	for i := range p2pwire.Slot(slots) {
		slot := base + i
		r.until(slot, early(slot))
		prev = makeBlock(prev, slot, ourName)
		a.send(prev.frame)
		r.run(3 * time.Millisecond)
		b.send(prev.frame)
	}
	r.until(base+slots+4*p2pwire.RoundSlots, 0)
	if st := r.c.Snapshot(r.now).Stats; st.OwnForwarded != slots || st.OwnMissed != 0 || len(n.blocks()) != slots {
		t.Errorf("let out %d, missed %d, the network got %d; want %d, 0, %[4]d", st.OwnForwarded, st.OwnMissed, len(n.blocks()), slots)
	}
}
