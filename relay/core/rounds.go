package core

import (
	"fmt"
	"time"

	"bprelay/p2pwire"
)

const (
	// roundsKept is how far the view of the schedule reaches back and ahead, together.
	roundsKept = 512
	// maxPeriod is the longest schedule, EOSIO allows 125 producers.
	maxPeriod = 128
	// roundsAhead bounds how far ahead a candidate may open a round.
	roundsAhead = 100
	// echoWait is how long after the last moment of a round the network may take to show what it
	// made of it; then the round is judged.
	echoWait = 500 * time.Millisecond
	// lateRounds is how many rounds of ours behind its own a round is told of at the latest.
	lateRounds = 3
)

// roundBook is what is known of the producer schedule: who had which round, and every how many
// rounds the same producer comes again.
type roundBook struct {
	rounds [roundsKept]round
	period uint32 // 0: not known
	gap    uint32 // the last distance seen
	timer  bool
	armed  time.Duration
}

// round is one round of 12 slots.
type round struct {
	number   uint32
	producer p2pwire.Name
	public   bool // the network showed blocks of it
	own      bool // there was something of ours in it
	expected bool // it is ours by the schedule
	closed   bool // judged
	lo, hi   int  // own: first and last index of what came
}

// at is the entry of a round; nil if a later one has its place.
func (b *roundBook) at(number uint32) *round {
	r := &b.rounds[number%roundsKept]
	if r.number > number {
		return nil
	}
	if r.number < number {
		*r = round{number: number}
	}
	return r
}

// known is the entry of a round, nil if there is none.
func (b *roundBook) known(number uint32) *round {
	if r := &b.rounds[number%roundsKept]; r.number == number {
		return r
	}
	return nil
}

// producerOf tells whose a round is, as far as the schedule is known, 0 if it is not: by what came of it or was
// expected of it, or else by the last one up to now that has its place in the schedule.
func (c *Core) producerOf(number uint32) p2pwire.Name {
	b := &c.slots.rounds
	if r := b.known(number); r != nil && r.producer != 0 {
		return r.producer
	}
	if b.period == 0 {
		return 0
	}
	now := p2pwire.SlotAt(c.wall()).Round()
	for n := now - (now%b.period+b.period-number%b.period)%b.period; n+roundsKept > now; n -= b.period {
		if r := b.known(n); r != nil && r.producer != 0 {
			return r.producer
		}
	}
	return 0
}

// runEnd is the first slot behind a slot's round that may be another producer's; or, if all are ours up to the
// present, the first of the next round.
func (c *Core) runEnd(slot p2pwire.Slot) p2pwire.Slot {
	end, now := slot.Round()+1, p2pwire.SlotAt(c.latest()).Round()
	for end <= now && c.own[c.producerOf(end)] != nil {
		end++
	}
	return p2pwire.Slot(end) * p2pwire.RoundSlots
}

// roundLate is the Wall up to which a round's blocks are waited for before it is told of: what is late may come
// as long as its run goes on, but a run need not end.
func (c *Core) roundLate(number uint32) int64 {
	first := p2pwire.Slot(number) * p2pwire.RoundSlots
	return min(c.lateLimit(first), (first+(1+lateRounds)*p2pwire.RoundSlots).Time()+int64(c.cfg.LateGrace))
}

// roundEnd is the Wall at which a round is judged at the latest.
func (c *Core) roundEnd(number uint32) int64 { return c.roundLate(number) + int64(echoWait) }

// roundOver is the Wall at which a round is judged if it lacks nothing.
func (c *Core) roundOver(number uint32) int64 {
	return p2pwire.Slot((number+1)*p2pwire.RoundSlots).Time() + int64(c.cfg.LateGrace+echoWait)
}

// judgeable tells whether a round can be judged.
func (c *Core) judgeable(r *round) bool {
	if now := c.wall(); now < c.roundOver(r.number) || now >= c.roundEnd(r.number) {
		return now >= c.roundEnd(r.number)
	}
	first, last := r.slots()
	for slot := first; slot <= last; slot++ {
		if x := c.slots.find(slot); slot.Time() >= c.started.Wall && (x == nil || x.id.IsZero() && !x.outside) {
			return false
		}
	}
	return true
}

// slots are the first and the last slot of a round of ours that are told of.
func (r *round) slots() (first, last p2pwire.Slot) {
	first = p2pwire.Slot(r.number) * p2pwire.RoundSlots
	if r.expected {
		return first, first + p2pwire.RoundSlots - 1
	}
	return first + p2pwire.Slot(r.lo), first + p2pwire.Slot(r.hi)
}

// ownRound notes that there is something of ours in a round, and tells whether its slots may still
// get records.
func (c *Core) ownRound(producer p2pwire.Name, slot p2pwire.Slot) bool {
	number := slot.Round()
	if number > p2pwire.SlotAt(c.wall()).Round()+roundsAhead {
		return false
	}
	r := c.slots.rounds.at(number)
	if r != nil && r.producer == 0 {
		r.producer = producer
	}
	if r == nil || r.closed || c.wall() >= c.roundEnd(number) {
		return false
	}
	i := slot.Index()
	if !r.own {
		r.own, r.producer, r.lo, r.hi = true, producer, i, i
		c.armRounds(number)
	}
	r.lo, r.hi = min(r.lo, i), max(r.hi, i)
	return true
}

// roundPublic learns the schedule from a block that became the public head.
func (c *Core) roundPublic(e *block) {
	b := &c.slots.rounds
	number := e.slot.Round()
	r := b.at(number)
	if r == nil || r.public {
		return
	}
	r.public = true
	if !r.own {
		if r.producer != e.producer {
			r.expected = false // it is not ours after all
		}
		r.producer = e.producer
	}
	b.contradicted(r)
	for d := uint32(1); d <= maxPeriod && d <= number; d++ {
		p := b.known(number - d)
		if p == nil || !p.public || p.producer != r.producer {
			continue
		}
		if d == b.gap || c.allOurs(number-d, number) {
			b.period = d
		}
		b.gap = d
		break
	}
	for d := uint32(0); d < b.period && d <= number; d++ {
		if p := b.known(number - d); p != nil && p.public && c.own[p.producer] != nil {
			c.expectRound(p.number+b.period, p.producer)
		}
	}
}

// allOurs tells whether blocks of ours are public of all rounds from one to another. A producer has one place in
// the schedule: when it comes again behind rounds that are all known, that is the whole of it.
func (c *Core) allOurs(from, to uint32) bool {
	for n := from; n <= to; n++ {
		if r := c.slots.rounds.known(n); r == nil || !r.public || c.own[r.producer] == nil {
			return false
		}
	}
	return true
}

// contradicted drops what was learned of the schedule when a round shows that it has changed.
func (b *roundBook) contradicted(r *round) {
	p := b.known(r.number - min(b.period, r.number))
	if b.period == 0 || p == nil || !p.public || p.producer == r.producer {
		return
	}
	b.period, b.gap = 0, 0
	for i := range b.rounds {
		if x := &b.rounds[i]; x.number > r.number && x.expected {
			if x.expected = false; !x.own && !x.public {
				x.producer = 0
			}
		}
	}
}

// expectRound notes that a round to come is ours by the schedule.
func (c *Core) expectRound(number uint32, producer p2pwire.Name) {
	if c.wall() >= c.roundEnd(number) {
		return
	}
	r := c.slots.rounds.at(number)
	if r == nil || r.closed || r.expected || r.public && r.producer != producer {
		return
	}
	r.expected, r.producer = true, producer
	c.armRounds(number)
}

// roundMark is a round of ours to come, as another relay of the cluster knows it.
type roundMark struct {
	Number   uint32       `json:"number"`
	Producer p2pwire.Name `json:"producer"`
}

// ownRounds are our rounds from the present one on, of one period.
func (c *Core) ownRounds() (list []roundMark) {
	b := &c.slots.rounds
	from := p2pwire.SlotAt(c.wall()).Round()
	for n := from; n < from+b.period; n++ {
		if r := b.known(n); r != nil && r.expected && c.own[r.producer] != nil {
			list = append(list, roundMark{n, r.producer})
		}
	}
	return list
}

// learnRounds takes over what another relay knows of the schedule, if nothing is known of it here. Rounds
// that turn out to be another producer's are forgotten as always.
func (c *Core) learnRounds(period uint32, list []roundMark) error {
	b := &c.slots.rounds
	if period > maxPeriod || len(list) > maxPeriod {
		return fmt.Errorf("a schedule of %d rounds, with %d of ours", period, len(list))
	}
	if b.period > 0 || period == 0 {
		return nil
	}
	b.period = period
	from := p2pwire.SlotAt(c.wall()).Round()
	for _, m := range list {
		if c.own[m.Producer] != nil && m.Number <= from+2*maxPeriod {
			c.expectRound(m.Number, m.Producer)
		}
	}
	return nil
}

// armRounds sets a timer for a round's judgement.
func (c *Core) armRounds(number uint32) {
	b := &c.slots.rounds
	end := c.roundOver(number)
	if c.wall() >= end {
		end = c.roundEnd(number)
	}
	at := c.now.Mono + time.Duration(max(end-c.wall(), int64(time.Millisecond)))
	if !b.timer || at < b.armed {
		b.timer, b.armed = true, at
		c.timers.add(at, timer{kind: timerRounds})
	}
}

// roundsDue judges the rounds that are over.
func (c *Core) roundsDue() {
	b := &c.slots.rounds
	if c.now.Mono < b.armed {
		return // an earlier one was set after it
	}
	b.timer = false
	for i := range b.rounds {
		if r := &b.rounds[i]; (r.own || r.expected) && !r.closed && c.judgeable(r) {
			c.closeRound(r)
		}
	}
	for i := range b.rounds {
		if r := &b.rounds[i]; (r.own || r.expected) && !r.closed {
			c.armRounds(r.number)
		}
	}
}

// closeRound judges the slots of a round of ours and tells of it, once.
func (c *Core) closeRound(r *round) {
	r.closed = true
	first, last := r.slots()
	count := int(last-first) + 1
	records, nodes := make([]SlotRecord, 0, count), make([]NodeRecord, 0, count*max(1, len(c.slots.links.nodes)))
	lead := ""
	for slot := first; slot <= last; slot++ {
		x := c.slots.find(slot)
		if x == nil {
			if slot.Time() < c.started.Wall {
				continue
			}
			x = c.slots.open(r.producer, slot, c.slotDue(slot))
			x.expected = true
		}
		x.lead = lead
		c.addLinks(x)
		c.addChange(x)
		x.outcome, x.why = c.outcome(x, true)
		x.closed = true
		c.stats.OwnSlots[x.outcome]++
		if w := x.winner(); w != nil {
			lead = w.name
		}
		records = append(records, x.view(&nodes))
	}
	if p := c.slots.rounds.period; p > 0 && c.own[r.producer] != nil {
		c.expectRound(r.number+p, r.producer)
	}
	if len(records) > 0 {
		c.note(Event{Kind: EventRound, Producer: r.producer, Slot: records[0].Slot, Round: records})
	}
}
