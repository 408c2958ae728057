package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// lateRun lets four blocks of a round out in time; the other eight come when the next producer's
// first block may be there already.
func lateRun(t *testing.T, after time.Duration, others bool, opts ...blockOption) (r *rig, n *peer, out, late []blk, next blk) {
	r, n, a, _, head := warm(t, opts...)
	prev := head
	for i := range p2pwire.Slot(4) {
		r.until(base+i, early(base+i))
		prev = makeBlock(prev, base+i, ourName, opts...)
		a.send(prev.frame)
		out = append(out, prev)
	}
	next = makeBlock(prev, base+12, otherName, append([]blockOption{mark(9)}, opts...)...)
	for slot := base + 4; slot < base+12; slot++ {
		r.until(slot, 0)
		n.alive()
		a.alive()
	}
	r.until(base+12, 40*time.Millisecond)
	if others {
		n.send(next.frame)
	}
	r.until(base+12, -after)
	for slot := base + 4; slot < base+12; slot++ {
		prev = makeBlock(prev, slot, ourName, opts...)
		late = append(late, prev)
		a.send(prev.frame)
	}
	return r, n, out, late, next
}

// Once the next producer has built on our last public block, what we have left over could only fork
// it off its own slots.
func TestLateBlocksStopAtTheNextProducersBlock(t *testing.T) {
	for name, opts := range map[string][]blockOption{"legacy": nil, "savanna": {savanna(99)}} {
		t.Run(name, func(t *testing.T) {
			r, n, out, _, _ := lateRun(t, 200*time.Millisecond, true, opts...)
			n.want(out...)
			r.run(2 * time.Second)
			n.want(out...)
			if got := r.withheld(core.ReasonSuperseded); got != 1 {
				t.Errorf("superseded %d times, want 1: the others build on that one", got)
			}
			if r.event(core.EventAlarm, core.ReasonLineageDead) != nil {
				t.Error("an alarm about our lineage: nothing of it was lost")
			}
		})
	}
}

// While nobody has built on it, late beats lost: the next producer may be down.
func TestLateBlocksGoOutWhileNobodyBuiltOnUs(t *testing.T) {
	_, n, out, late, _ := lateRun(t, 200*time.Millisecond, false)
	n.want(append(out, late...)...)
}

// At a run's start it is the same: a candidate that waited for its slot's end is of no use behind
// another producer's later block.
func TestRunStartBehindALaterBlock(t *testing.T) {
	r, n, a, _, last := warm(t)
	r.until(base+11, 0)
	old := makeBlock(last, base+11, ourName) // our only block of the round, late
	next := makeBlock(last, base+12, otherName)
	r.until(base+12, 40*time.Millisecond)
	n.send(next.frame)
	r.run(150 * time.Millisecond)
	a.send(old.frame)
	r.run(2 * time.Second)
	n.want()
	if got := r.withheld(core.ReasonSuperseded); got != 1 {
		t.Errorf("superseded %d times, want 1", got)
	}
}

// Two producers of ours have adjacent rounds, the relay has seen so. What our node made at the end of the
// first one reaches the relay late, in the second one, together with what it built on that: nobody else
// builds meanwhile, and without it the whole second round would be lost.
func TestLateBlocksOfTheFirstOfTwoRounds(t *testing.T) {
	second := name("bpcharlie")
	for _, late := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 5 * time.Second, 7 * time.Second} {
		r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Producers = append(c.Producers, core.Producer{Name: second}) }, 0)
		push := func(p *peer, producer p2pwire.Name, slot p2pwire.Slot) {
			r.until(slot, early(slot))
			head = makeBlock(head, slot, producer)
			p.send(head.frame)
			for _, x := range []*peer{n, a} {
				x.alive()
			}
		}
		slot := base
		for ; slot < base+3*36; slot++ { // ours, ours, another one's
			switch slot.Round() % 3 {
			case base.Round() % 3:
				push(a, ourName, slot)
			case (base.Round() + 1) % 3:
				push(a, second, slot)
			default:
				push(n, otherName, slot)
			}
		}
		r.run(2 * survive)
		for ; slot.Index() < 9; slot++ {
			push(a, ourName, slot)
		}
		n.clear()
		var xs []blk
		end := slot + 3 // of the first round
		r.until(end, -late)
		for x := head; slot.Time() < r.now.Wall && slot < end+12; slot++ {
			producer := ourName
			if slot >= end {
				producer = second
			}
			x = makeBlock(x, slot, producer)
			xs = append(xs, x)
			a.send(x.frame)
		}
		if late > 6500*time.Millisecond {
			n.want() // the second round is over, too
			continue
		}
		n.want(xs...)
		r.until(end+12, -roundEnd)
		missed := 0
		for _, records := range r.rounds() {
			for _, x := range records {
				if x.Slot >= end-3 && x.Slot < slot && x.Outcome == core.OutcomeLost && x.Reason != core.ReasonNoNetwork {
					missed++
				}
			}
		}
		if missed > 0 {
			t.Errorf("%v late: %d slots that went out are told to be lost", late, missed)
		}
	}
}
