package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// round lets a whole round of ours go out, node A first and B's copies 2 ms later, so that both have
// delivered; then another producer's round passes. It returns the head and the next round's start.
func (r *rig) round(n, a, b *peer, head blk) (blk, p2pwire.Slot) {
	r.t.Helper()
	start := r.now.Wall - int64(r.step)
	first := p2pwire.SlotAt(start) + 1
	first += (p2pwire.RoundSlots - p2pwire.Slot(first.Index())) % p2pwire.RoundSlots
	prev := head
	for i := range p2pwire.Slot(12) {
		r.until(first+i, early(first+i))
		prev = makeBlock(prev, first+i, ourName)
		a.send(prev.frame)
		r.run(2 * time.Millisecond)
		b.send(prev.frame)
	}
	for i := range p2pwire.Slot(12) {
		slot := first + 12 + i
		r.until(slot, early(slot))
		prev = makeBlock(prev, slot, otherName)
		n.send(prev.frame)
		r.run(150 * time.Millisecond)
		a.alive()
		b.alive()
	}
	r.run(100 * time.Millisecond)
	for _, p := range r.order {
		p.clear()
	}
	return prev, first + 24
}

// TestPreferWait: at a run's start B's candidate comes first; A, of higher priority, is waited for as
// far as that can cost nothing.
func TestPreferWait(t *testing.T) {
	const never = time.Hour
	tests := []struct {
		name   string
		wait   time.Duration
		index  p2pwire.Slot  // of the round's slot that is judged
		b      time.Duration // when B's comes, relative to its due time
		a      time.Duration // when A's comes, likewise
		before func(r *rig, a, b *peer)
		wantA  bool
		latest time.Duration // when B's is out at the latest if it is that one, relative to its due time
	}{
		{name: "off: first come", wait: 0, a: time.Millisecond},
		{name: "in time", wait: 20 * time.Millisecond, a: 15 * time.Millisecond, wantA: true},
		{name: "too late", wait: 20 * time.Millisecond, a: 25 * time.Millisecond, latest: 20 * time.Millisecond},
		{name: "never past the slot", wait: 200 * time.Millisecond, a: never, latest: 28 * time.Millisecond},
		{name: "behind its due time, the rest of the wait only", wait: 20 * time.Millisecond, b: 15 * time.Millisecond, a: never, latest: 20 * time.Millisecond},
		{name: "behind that too: no wait", wait: 20 * time.Millisecond, b: 25 * time.Millisecond, a: never, latest: 25 * time.Millisecond},
		{name: "A's first", wait: 20 * time.Millisecond, b: time.Millisecond, a: 0, wantA: true},
		{name: "A is gone", wait: 20 * time.Millisecond, a: never, before: func(_ *rig, a, _ *peer) { a.drop() }},
		{name: "A's clock is wrong: due times say nothing", wait: 20 * time.Millisecond, a: never, before: func(r *rig, _, _ *peer) {
			for _, p := range r.order {
				p.answers(300 * time.Millisecond)
			}
			r.run(4 * time.Second)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, n, a, b, head := warmWith(t, func(c *core.Config) { c.PreferWait = tt.wait }, 1)
			for _, p := range r.order {
				p.answers(0)
			}
			r.run(50 * time.Millisecond)
			head, start := r.round(n, a, b, head)
			r.until(start, 6*time.Second)
			last := makeBlock(head, start-1, otherName)
			if tt.before != nil {
				tt.before(r, a, b)
			}
			r.until(start, early(start-1))
			n.send(last.frame)
			r.run(150 * time.Millisecond)
			n.clear()
			x, y := makeBlock(last, start, ourName, mark(1)), makeBlock(last, start, ourName, mark(2))
			send := func(p *peer, e blk, at time.Duration) {
				r.until(start, early(start)-at)
				p.send(e.frame)
			}
			if tt.a <= tt.b {
				send(a, x, tt.a)
				send(b, y, tt.b)
			} else {
				send(b, y, tt.b)
				if tt.a < never {
					send(a, x, tt.a)
				}
			}
			if tt.wantA {
				n.want(x)
				return
			}
			if tt.latest > 0 {
				r.until(start, early(start)-tt.latest)
			}
			n.want(y)
		})
	}
}

// TestPreferWaitWithinARun: there the lineage decides, at once.
func TestPreferWaitWithinARun(t *testing.T) {
	r, n, a, b, head := warmWith(t, func(c *core.Config) { c.PreferWait = 100 * time.Millisecond }, 1)
	for _, p := range r.order {
		p.answers(0)
	}
	r.run(50 * time.Millisecond)
	head, start := r.round(n, a, b, head)
	r.until(start, early(start))
	b0 := makeBlock(head, start, ourName, mark(2))
	b.send(b0.frame)
	n.want()
	r.until(start, 10*time.Millisecond)
	n.want(b0)
	prev := b0
	for i := p2pwire.Slot(1); i < 12; i++ {
		r.until(start+i, early(start+i))
		prev = makeBlock(prev, start+i, ourName, mark(2))
		b.send(prev.frame)
		if got := n.blocks(); got[len(got)-1] != prev.id {
			t.Fatalf("slot %d waits", i)
		}
	}
}

// TestPreferWaitIsCutShort: whoever was waited for is gone.
func TestPreferWaitIsCutShort(t *testing.T) {
	r, n, a, b, head := warmWith(t, func(c *core.Config) { c.PreferWait = 100 * time.Millisecond }, 1)
	for _, p := range r.order {
		p.answers(0)
	}
	r.run(50 * time.Millisecond)
	head, start := r.round(n, a, b, head)
	r.until(start, early(start))
	y := makeBlock(head, start, ourName, mark(2))
	b.send(y.frame)
	n.want()
	a.drop()
	n.want(y)
}

// TestFinalizerAffinity: at equal priority the node whose votes go out is preferred.
func TestFinalizerAffinity(t *testing.T) {
	r, n, _, b, head := warmWith(t, func(c *core.Config) { c.PreferWait, c.FinalizerNode = 20*time.Millisecond, "f" }, 0)
	f := r.open(core.Internal, "f")
	f.handshake(head, head)
	for _, p := range r.order {
		p.answers(0)
	}
	r.run(50 * time.Millisecond)
	head, start := r.round(n, f, b, head)
	r.until(start, early(start))
	x, y := makeBlock(head, start, ourName, mark(1)), makeBlock(head, start, ourName, mark(2))
	b.send(y.frame)
	r.run(10 * time.Millisecond)
	n.want()
	f.send(x.frame)
	n.want(x)
}

// TestFastClockOfANode: a node whose clock is ahead starts our round on a head that is not the last.
// While another node can still bring its own, it waits; alone, it does not.
func TestFastClockOfANode(t *testing.T) {
	for _, alone := range []bool{false, true} {
		r, n, a, b, head := warm(t)
		for _, p := range r.order {
			p.answers(0)
		}
		r.run(50 * time.Millisecond)
		head, start := r.round(n, a, b, head)
		if alone {
			b.drop()
		}
		// The round we are in is not ours: our next one begins 12 slots later.
		start += 12
		prev := head
		for i := range p2pwire.Slot(8) {
			r.until(start-12+i, early(i))
			prev = makeBlock(prev, start-12+i, otherName)
			n.send(prev.frame)
			r.run(150 * time.Millisecond)
		}
		r.until(start, 2*time.Second)
		n.clear()
		x := makeBlock(prev, start, ourName, mark(1))
		a.send(x.frame)
		if alone {
			n.want(x)
			continue
		}
		n.want()
		for i := p2pwire.Slot(8); i < 12; i++ {
			r.until(start-12+i, early(i))
			prev = makeBlock(prev, start-12+i, otherName)
			n.send(prev.frame)
			r.run(150 * time.Millisecond)
		}
		r.until(start, early(start))
		n.want()
		y := makeBlock(prev, start, ourName, mark(2))
		b.send(y.frame)
		n.want(y)
	}
}

// TestFastClockWithinARun: in Savanna a node that has finished its own branch makes a second block for
// the last slot on the public one. If its clock is ahead, that would leave out the slots before.
func TestFastClockWithinARun(t *testing.T) {
	for _, dead := range []bool{false, true} {
		r, n, a, b, head := warm(t)
		for _, p := range r.order {
			p.answers(0)
		}
		r.run(50 * time.Millisecond)
		prev, start := r.round(n, a, b, head)
		var public []blk
		for i := range p2pwire.Slot(7) {
			r.until(start+i, early(start+i))
			prev = makeBlock(prev, start+i, ourName, mark(1))
			a.send(prev.frame)
			public = append(public, prev)
		}
		second := makeBlock(prev, start+11, ourName, mark(2))
		b.send(second.frame)
		n.want(public...)
		if dead {
			r.until(start+11, 500*time.Millisecond)
			n.want(append(public, second)...)
			continue
		}
		for i := p2pwire.Slot(7); i < 12; i++ {
			r.until(start+i, early(start+i))
			prev = makeBlock(prev, start+i, ourName, mark(1))
			a.send(prev.frame)
			public = append(public, prev)
		}
		n.want(public...)
	}
}

// Our leader died. One node goes on right at the end of the round, and leaves out the slots between;
// another one, back a moment ago, has made blocks for them while it had no link. Its last one came first
// and it has been asked for the others: they go before, unless they do not come.
func TestSlotsLeftOutThatAnotherNodeMade(t *testing.T) {
	for name, tt := range map[string]struct {
		answers, first bool
	}{
		"it answers": {true, true}, "it does not": {false, true}, "it comes second": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, n, a, b, prev := warm(t)
			for i := range p2pwire.Slot(4) {
				r.until(base+i, early(base+i))
				prev = makeBlock(prev, base+i, ourName)
				a.send(prev.frame)
			}
			for slot := base + 4; slot < base+11; slot++ {
				r.until(slot, 0)
				n.alive()
				b.alive()
			}
			a.drop()
			a = a.again(prev, prev)
			n.clear()
			skip := makeBlock(prev, base+11, ourName, mark(9))
			var xs []blk
			for last, slot := prev, base+8; slot < base+12; slot++ {
				last = makeBlock(last, slot, ourName)
				xs = append(xs, last)
			}
			r.until(base+11, early(base+11))
			if tt.first {
				a.send(xs[3].frame)
			}
			b.send(skip.frame)
			if !tt.first {
				a.send(xs[3].frame)
				n.want(skip)
				return
			}
			n.want()
			if tt.answers {
				a.send(xs[0].frame, xs[1].frame, xs[2].frame)
				n.want(xs...)
				return
			}
			r.until(base+11, 50*time.Millisecond)
			n.want(skip)
		})
	}
}
