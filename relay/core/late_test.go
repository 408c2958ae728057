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

// told are the slots of the rounds that were told of, by what was said of them then.
func (r *rig) told() map[p2pwire.Slot]core.Outcome {
	out := map[p2pwire.Slot]core.Outcome{}
	for _, records := range r.rounds() {
		for _, x := range records {
			out[x.Slot] = x.Outcome
		}
	}
	return out
}

// A chain whose only producer is ours: its run never ends. What our node made while it had no way here goes out
// however late it is, for there is nobody else who could have built meanwhile, and the chain stands still
// without it. But each round is told of in time.
func TestLateBlocksOfARunWithoutEnd(t *testing.T) {
	for _, rounds := range []p2pwire.Slot{1, 2, 5, 40, 600} {
		r, n, a, _, head := warm(t)
		slot := base
		push := func() blk {
			head = makeBlock(head, slot, ourName)
			a.send(head.frame)
			slot++
			return head
		}
		for slot < base+4*p2pwire.RoundSlots+9 {
			r.until(slot, early(slot))
			push()
			n.alive()
		}
		n.clear()
		from, back := slot, slot+rounds*p2pwire.RoundSlots
		for at := from; at < back; at++ {
			r.until(at, 0)
			for _, p := range []*peer{n, a} {
				p.alive()
			}
			if first := at - p2pwire.Slot(at.Index()); first > from {
				if over := first - 4*p2pwire.RoundSlots; over >= from-9 && len(r.told()) > 0 {
					if _, ok := r.told()[over]; !ok && at.Index() > 3 {
						t.Fatalf("%d rounds: nothing was told of slot %d at %d", rounds, over-base, at-base)
					}
				}
			}
		}
		var late []blk
		for slot < back {
			late = append(late, push())
		}
		n.want(late...)
		for range 12 { // and on it goes
			r.until(slot, early(slot))
			late = append(late, push())
		}
		n.want(late...)
		for _, x := range r.c.Slots(r.now, core.SlotQuery{}).Slots {
			if x.Slot >= from && x.Slot < back-2 && (x.Outcome != core.OutcomeLate || x.Reason != core.ReasonClaimed) {
				t.Fatalf("%d rounds: slot %d reads %v, %v; want late", rounds, x.Slot-base, x.Outcome, x.Reason)
			}
		}
	}
}

// Five producers of ours in a row, then another producer's: what our node made in the first round goes out up
// to that one's first slot and the grace, and then no more, whether that one is there or not.
func TestLateBlocksOfALongRun(t *testing.T) {
	const ours, cycle = 5 * p2pwire.RoundSlots, 6 * p2pwire.RoundSlots
	names := []p2pwire.Name{ourName, name("bpcharlie"), name("bpdelta"), name("bpecho"), name("bpfoxtrot"), otherName}
	for _, tt := range []struct {
		end  time.Duration // of the run, from when they come
		want bool
	}{{18 * time.Second, true}, {2 * time.Second, true}, {-400 * time.Millisecond, true}, {-600 * time.Millisecond, false}} {
		r, n, a, _, head := warmWith(t, func(c *core.Config) {
			for _, x := range names[1:5] {
				c.Producers = append(c.Producers, core.Producer{Name: x})
			}
		}, 0)
		slot := base
		producer := func() p2pwire.Name { return names[(slot-base)%cycle/p2pwire.RoundSlots] }
		for ; slot < base+3*cycle+9; slot++ { // the schedule is known by then
			from := a
			if producer() == otherName {
				from = n
			}
			r.until(slot, early(slot))
			head = makeBlock(head, slot, producer())
			from.send(head.frame)
			n.alive()
			a.alive()
		}
		n.clear()
		end := base + 3*cycle + ours
		for at := slot; at.Time() < end.Time()-int64(tt.end); at++ {
			r.until(at, 0)
			n.alive()
			a.alive()
		}
		r.until(end, tt.end)
		var late []blk
		for x := head; slot.Time() < r.now.Wall && slot < end; slot++ {
			x = makeBlock(x, slot, producer())
			late = append(late, x)
			a.send(x.frame)
		}
		if tt.want {
			n.want(late...)
		} else if n.want(); r.withheld(core.ReasonTooOld) == 0 {
			t.Errorf("%v behind the run's end: %d were too old, want some", -tt.end, r.withheld(core.ReasonTooOld))
		}
	}
}

// Every round is ours, for a quarter of an hour. There is one timer for the rounds that are not over: when each
// had one, and set it for all others again, the core soon did nothing else.
func TestARunWithoutEnd(t *testing.T) {
	r, n, a, b, prev := warm(t)
	for _, p := range r.order {
		p.answers(0)
	}
	const slots = 150 * p2pwire.RoundSlots
	for slot := base; slot < base+slots; slot++ {
		r.until(slot, early(slot))
		prev = makeBlock(prev, slot, ourName)
		a.send(prev.frame)
		r.run(3 * time.Millisecond)
		b.send(prev.frame)
	}
	r.until(base+slots+4*p2pwire.RoundSlots, 0)
	if st := r.c.Snapshot(r.now).Stats; st.OwnForwarded != slots || len(n.blocks()) != slots || st.OwnMissed != 0 {
		t.Errorf("let out %d, the network got %d, missed %d; want %d, %[4]d, 0", st.OwnForwarded, len(n.blocks()), st.OwnMissed, int(slots))
	}
}

// What is late comes while the schedule is not known yet. What our node made in the rounds behind it tells that
// these are ours, whether it comes right behind or as it is made.
func TestLateBlocksTellOfTheSchedule(t *testing.T) {
	for _, filled := range []bool{true, false} {
		for _, late := range []p2pwire.Slot{14, 16, 30} {
			r, n, a, _, head := warm(t)
			for _, at := range []p2pwire.Slot{base, base + late - 1} {
				r.until(at, -100*time.Millisecond)
				n.alive()
				a.alive()
			}
			var xs []blk
			for x, slot := head, base+8; slot <= base+late; slot++ {
				if !filled && slot.Round() == base.Round()+1 && late > 24 {
					continue
				}
				x = makeBlock(x, slot, ourName)
				xs = append(xs, x)
			}
			at := 0 // they come together
			if late == 14 {
				at = 4 // those of the second round come later
			}
			a.send(flat(xs[:at])...)
			if at > 0 {
				n.want()
				r.run(400 * time.Millisecond)
			}
			a.send(flat(xs[at:])...)
			if !filled && late > 24 {
				r.run(1100 * time.Millisecond)
				n.want() // a round between may have been another one's
				continue
			}
			n.want(xs...)
		}
	}
}

func flat(bs []blk) (out [][]byte) {
	for _, b := range bs {
		out = append(out, b.frame)
	}
	return out
}

// The last block of our round was made while the link was down. No other follows that would tell of it: the node
// is asked for what it names as its head.
func TestLastBlockMadeWithoutALink(t *testing.T) {
	for _, away := range []time.Duration{10 * time.Millisecond, 700 * time.Millisecond} {
		r, n, a, b, head := warm(t)
		b.drop()
		for i := range p2pwire.Slot(11) {
			r.until(base+i, early(base+i))
			n.alive()
			head = makeBlock(head, base+i, ourName)
			a.send(head.frame)
		}
		n.clear()
		a.drop()
		r.until(base+11, 0)
		r.run(away)
		last := makeBlock(head, base+11, ourName)
		back := a.again(head, last)
		for range 20 {
			if r.run(10 * time.Millisecond); len(back.frames(p2pwire.TypeRequest)) > 0 {
				back.send(last.frame)
				break
			}
		}
		n.want(last)
	}
}

// A chain whose only producer is ours, or that has several and all are: after it came once more, the schedule is
// known. What a node made before it stopped for want of votes goes out however late it comes.
func TestLateBlocksOfASoleProducer(t *testing.T) {
	second := name("bpcharlie")
	for rounds, names := range map[p2pwire.Slot][]p2pwire.Name{1: {ourName}, 2: {ourName, second}} {
		r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Producers = append(c.Producers, core.Producer{Name: second}) }, 0)
		slot := base
		push := func() blk {
			head = makeBlock(head, slot, names[slot.Round()%uint32(rounds)])
			a.send(head.frame)
			slot++
			return head
		}
		for slot < base+rounds*p2pwire.RoundSlots+2 {
			r.until(slot, early(slot))
			push()
			n.alive()
		}
		n.clear()
		from := slot
		for at := from; at < from+36; at++ {
			r.until(at, 0)
			n.alive()
			a.alive()
		}
		var late []blk
		for slot < from+6 {
			late = append(late, push())
		}
		n.want(late...)
	}
}
