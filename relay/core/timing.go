package core

import (
	"time"

	"bprelay/p2pwire"
)

// timing is what is known of when own blocks come: each node's pace, and the rounds under way.
type timing struct {
	nodes map[string]*pace
	round uint32 // the last round one of our nodes made a block of, and the one before
	prior uint32
	open  []ownRound
	armed time.Duration // when they are looked at next
}

// pace is one node's way of producing, as it arrives here.
type pace struct {
	due   [p2pwire.RoundSlots]time.Duration // arrival relative to the timestamp, by index; learned
	known [p2pwire.RoundSlots]bool
	pv    uint16 // protocol version of its last handshake
	slot  p2pwire.Slot
	last  time.Duration // of its last block: arrival relative to the timestamp
	vary  time.Duration // by how much its blocks come behind their due time; fades
	seen  int           // blocks that vary rests on
	lead  time.Duration // how long before another node's block of that slot its last winning one came
	lag   time.Duration // how long after the winning block of that slot its last losing one came
	won   bool
	lost  bool
}

// ownRound is a round of ours whose slots are not all decided.
type ownRound struct {
	producer p2pwire.Name
	first    p2pwire.Slot
}

const (
	// maxPaces bounds the nodes learned about, maxOpenRounds the rounds under way.
	maxPaces, maxOpenRounds = 64, 8
	// dueStep is the most that one block changes what was learned, a fourth of it at that: a block
	// that was exhausted seconds early, or stuck behind a stall, moves it by little.
	dueStep = 50 * time.Millisecond
	// dueFirst is how far from nodeos' own plan the first block seen may be to be taken as it is.
	dueFirst = 100 * time.Millisecond
	// lateAfter is how long behind its due time a block may come without being late.
	lateAfter = 50 * time.Millisecond
)

// plannedDue is when a nodeos of a protocol version hands out block i of a round, relative to the
// block's timestamp. Spring (and leap 5): produce-block-offset-ms, 450 ms over the round. leap 3 and
// 4: cpu-effort-percent 80 and last-block-time-offset-us -200000. leap 3 to 5 announce the same
// version, so there the later of both counts.
func plannedDue(pv uint16, i int) time.Duration {
	spread := -time.Duration(i+1) * 450 * time.Millisecond / p2pwire.RoundSlots
	switch {
	case pv >= p2pwire.PVBlockRange:
		return spread
	case i == p2pwire.RoundSlots-1:
		return max(spread, -200*time.Millisecond)
	}
	return max(spread, -100*time.Millisecond)
}

// dueOffset is when a node's block for a slot is due here, relative to the slot's timestamp: as
// learned from its earlier blocks of that place in the round, or as its version plans it.
func (c *Core) dueOffset(node string, slot p2pwire.Slot) time.Duration {
	p, i := c.timing.nodes[node], int(slot.Index())
	switch {
	case p == nil:
		return plannedDue(p2pwire.PVSavanna, i)
	case p.known[i]:
		return p.due[i]
	}
	return plannedDue(p.pv, i)
}

// lateOffset is when a node's block for a slot begins to be late, relative to the slot's timestamp: never
// before its version plans it. A block that was full left early, and says nothing of one that is not.
func (c *Core) lateOffset(n *node, slot p2pwire.Slot) time.Duration {
	pv, i, trip := uint16(p2pwire.PVSavanna), int(slot.Index()), time.Duration(0)
	if n.s != nil {
		trip = n.s.rtt / 2
	}
	if p := c.timing.nodes[n.cfg.Name]; p != nil {
		if pv = p.pv; p.known[i] {
			return max(p.due[i], plannedDue(pv, i))
		}
	}
	return plannedDue(pv, i) + trip
}

// soonest is how long before its timestamp a node whose clock is right can have a block at most: if
// every block so far in the round was exhausted at once.
func soonest(slot p2pwire.Slot) time.Duration {
	return time.Duration(slot.Index()+1) * p2pwire.SlotDuration
}

// pace finds a node's; nil for a session that nobody named.
func (c *Core) pace(s *session) *pace {
	p := c.timing.nodes[s.info.Name]
	if p == nil && s.info.Name != "" && len(c.timing.nodes) < maxPaces {
		p = &pace{}
		c.timing.nodes[s.info.Name] = p
	}
	if p != nil {
		p.pv = s.pv
	}
	return p
}

// timed notes when a node's candidate came.
func (c *Core) timed(s *session, e *block) {
	offset := time.Duration(c.wall() - e.slot.Time())
	p := c.pace(s)
	if p != nil {
		p.slot, p.last = max(p.slot, e.slot), offset
	}
	if offset > p2pwire.SlotDuration || offset < -soonest(e.slot)-c.cfg.ClockLimit {
		return // fetched afterwards, or its clock is wrong: nothing to learn from
	}
	if r := e.slot.Round(); r > c.timing.round {
		c.timing.prior, c.timing.round = c.timing.round, r
	}
	c.watchRound(e)
	if p == nil {
		return
	}
	if c.clockTrusted() {
		p.learn(int(e.slot.Index()), offset)
	}
	c.runnerUp(s, p, e)
}

func (p *pace) learn(i int, offset time.Duration) {
	plan := plannedDue(p.pv, i)
	if !p.known[i] {
		p.known[i], p.due[i] = true, min(max(offset, plan-dueFirst), plan+dueFirst)
		return
	}
	p.seen++
	if late := min(offset-max(p.due[i], plan), maxVary); late > p.vary {
		p.vary = late
	} else {
		p.vary -= (p.vary - max(late, 0)) / 16
	}
	p.due[i] += min(max(offset-p.due[i], -dueStep), dueStep) / 4
}

// maxVary bounds what is believed of how much a node's blocks vary, leastVary is what any do.
const maxVary, leastVary = 80 * time.Millisecond, 4 * time.Millisecond

// varySeen is how many blocks of a node it takes to know by how much they vary.
const varySeen = p2pwire.RoundSlots / 2

// jitter is by how much a node's blocks may come behind their due time without anything being wrong. One that
// has only begun to lead is no better than those before it.
func (c *Core) jitter(node string) time.Duration {
	d, p := leastVary, c.timing.nodes[node]
	if p != nil {
		d = max(d, p.vary)
	}
	if p == nil || p.seen < varySeen {
		for _, other := range c.timing.nodes {
			d = max(d, other.vary)
		}
	}
	return d
}

// runnerUp notes how long behind the winner of its slot a node's candidate came, if it is the first.
func (c *Core) runnerUp(s *session, p *pace, e *block) {
	id, ok := c.claims.Get(uint64(e.producer), uint32(e.slot))
	if !ok {
		return
	}
	w := c.blocks.get(id)
	if w == nil || w.frame == nil || w.node == s.Name() {
		return
	}
	d := c.now.Mono - time.Duration(w.frame.at)
	p.lag, p.lost = d, true
	if w.followed {
		return
	}
	w.followed = true
	c.stats.Lead.observe(int64(d))
	if q := c.timing.nodes[w.node]; q != nil {
		q.lead, q.won = d, true
	}
}

// leaves notes that an own block goes out, and whether that is late.
func (c *Core) leaves(e *block) {
	c.watchRound(e)
	offset := time.Duration(c.wall() - e.slot.Time())
	if c.clockTrusted() && offset > 0 && offset > c.dueOffset(e.node, e.slot)+lateAfter {
		c.stats.OwnLate++
	}
}

// watchRound sees to it that the round of an own block is looked at when it is over.
func (c *Core) watchRound(e *block) {
	first := e.slot - p2pwire.Slot(e.slot.Index())
	for _, r := range c.timing.open {
		if r.first == first && r.producer == e.producer {
			return
		}
	}
	if over := c.roundLate(first.Round()); len(c.timing.open) < maxOpenRounds && c.earliest() <= over {
		c.timing.open = append(c.timing.open, ownRound{e.producer, first})
		c.armRound(over)
	}
}

// armRound sets the timer for the open rounds, one for all: rounds of ours without end are always open.
func (c *Core) armRound(over int64) {
	at := c.now.Mono + time.Duration(over-c.earliest()) + time.Millisecond
	if t := &c.timing; t.armed <= c.now.Mono || at < t.armed {
		t.armed = at
		c.timers.add(at, timer{kind: timerRound})
	}
}

// roundDue counts the slots of rounds that are over for which nothing went out.
func (c *Core) roundDue() {
	if c.now.Mono < c.timing.armed {
		return // an earlier one was set after it
	}
	kept := c.timing.open[:0]
	for _, r := range c.timing.open {
		if over := c.roundLate(r.first.Round()); c.earliest() <= over {
			kept = append(kept, r)
			c.armRound(over)
			continue
		}
		for slot := r.first; slot < r.first+p2pwire.RoundSlots; slot++ {
			// What was due before the start is nobody's fault here.
			if slot.Time() > c.startWall() && !c.went(r.producer, slot) {
				c.stats.OwnMissed++
			}
		}
	}
	c.timing.open = kept
}

// went tells whether a block for an own slot went out, here or elsewhere.
func (c *Core) went(producer p2pwire.Name, slot p2pwire.Slot) bool {
	if _, ok := c.claims.Get(uint64(producer), uint32(slot)); ok {
		return true
	}
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.slot == slot && x.producer == producer && x.public && !x.stub() {
			return true
		}
	}
	return false
}

// NodeTiming is how the blocks of one of our nodes come.
type NodeTiming struct {
	Node string `json:"node"`
	// DueNs is when its block of each place in a round is due here, relative to the timestamp.
	DueNs [p2pwire.RoundSlots]int64 `json:"due_ns"`
	// ArrivalNs is when its last own block came, relative to the timestamp.
	ArrivalNs int64 `json:"arrival_ns"`
	// LeadNs is by how much its last block that went out was ahead of the next node's for that slot,
	// LagNs by how much its last block that did not was behind the one that did; nil if there was none.
	LeadNs *int64 `json:"lead_ns,omitempty"`
	LagNs  *int64 `json:"lag_ns,omitempty"`
}

func (c *Core) nodeTimings() []NodeTiming {
	var list []NodeTiming
	for name, p := range c.timing.nodes {
		if p.slot == 0 {
			continue
		}
		t := NodeTiming{Node: name, ArrivalNs: int64(p.last)}
		for i := range t.DueNs {
			t.DueNs[i] = int64(c.dueOffset(name, p2pwire.Slot(i)))
		}
		if p.won {
			n := int64(p.lead)
			t.LeadNs = &n
		}
		if p.lost {
			n := int64(p.lag)
			t.LagNs = &n
		}
		list = append(list, t)
	}
	return list
}
