package core

import (
	"encoding/binary"
	"time"

	"bprelay/p2pwire"
)

const (
	// slotsKept is how many own slots are remembered: 85 rounds.
	slotsKept = 1024
	// slotNodes is how many nodes' parts in one slot are kept.
	slotNodes = 8
)

// slotBook remembers what happened with each own slot, for whoever asks later. It decides nothing.
// All its memory is reserved at the start.
type slotBook struct {
	ring   []slotRecord // in the order they were opened, the oldest overwritten first
	index  []p2pwire.Slot
	next   int
	newest p2pwire.Slot
	rounds roundBook
	links  linkBook
}

// slotRecord is one own slot. Offsets are ns from the slot's timestamp on the relay's clock,
// negative before it.
type slotRecord struct {
	producer p2pwire.Name
	slot     p2pwire.Slot
	due      int64 // when its block should leave the first of our nodes

	id       p2pwire.ID // the block that went out, zero if none
	gone     bool       // a network session's socket took it
	left     int64      // when
	added    int64      // ns from its read to that
	sessions int        // network sessions it was queued for at once

	echo   Echo
	echoAt int64

	outside   bool // the network has a block of ours for it that did not leave here
	outsideID p2pwire.ID
	outsideAt int64
	alarm     Reason

	expected bool // nothing came for it: it is due by the schedule as seen so far
	closed   bool // its round is over and judged
	outcome  Outcome
	why      Reason
	lead     string // the node whose block went out last before it, in its round
	takeover Takeover
	change   leadChange // the last change of the lead that concerns it

	nodes [slotNodes]slotNode
	n     int
	more  int // parts of nodes that did not fit
}

// slotNode is one node's part in a slot.
type slotNode struct {
	name       string
	candidates int        // different blocks it sent for the slot
	first      p2pwire.ID // the first of them
	id         p2pwire.ID // the one that counts: what went out, else the last
	arrived    int64      // the first one
	decision   Decision
	why        Reason
	decided    int64
	branch     p2pwire.Slot // inside: since which slot it has been on a branch of its own
	link       linkState
}

func (b *slotBook) init() {
	b.ring = make([]slotRecord, 0, slotsKept)
	b.index = make([]p2pwire.Slot, 0, slotsKept)
}

// find is the record of a slot, nil if there is none.
func (b *slotBook) find(slot p2pwire.Slot) *slotRecord {
	if slot > b.newest {
		return nil
	}
	n := len(b.index)
	for i := range n {
		if at := (b.next - 1 - i + n) % n; b.index[at] == slot {
			return &b.ring[at]
		}
	}
	return nil
}

// open makes a record; there must be none for the slot yet.
func (b *slotBook) open(producer p2pwire.Name, slot p2pwire.Slot, due int64) *slotRecord {
	if len(b.ring) < cap(b.ring) {
		b.next = len(b.ring)
		b.ring, b.index = b.ring[:b.next+1], b.index[:b.next+1]
	}
	r := &b.ring[b.next]
	*r = slotRecord{producer: producer, slot: slot, due: due}
	b.index[b.next] = slot
	b.next = (b.next + 1) % len(b.ring)
	b.newest = max(b.newest, slot)
	return r
}

// slotRecord finds or opens the record of an own slot. It is nil for a slot whose round was judged
// without it, or that is absurdly far ahead.
func (c *Core) slotRecord(producer p2pwire.Name, slot p2pwire.Slot) *slotRecord {
	if r := c.slots.find(slot); r != nil {
		if r.producer != producer {
			return nil
		}
		return r
	}
	if !c.ownRound(producer, slot) {
		return nil
	}
	return c.slots.open(producer, slot, c.slotDue(slot))
}

// offset is the present moment as seen from a slot's timestamp, ns.
func (c *Core) offset(slot p2pwire.Slot) int64 { return c.wall() - slot.Time() }

// slotDue is when the first of our nodes should send its block for a slot, seen from its timestamp.
func (c *Core) slotDue(slot p2pwire.Slot) int64 {
	nodes := c.slots.links.nodes
	if len(nodes) == 0 {
		return int64(c.dueOffset("", slot))
	}
	due := c.dueOffset(nodes[0].name, slot)
	for i := range nodes {
		due = min(due, c.dueOffset(nodes[i].name, slot))
	}
	return int64(due)
}

// slotCandidate notes that a node sent a block for one of our slots.
func (c *Core) slotCandidate(s *session, e *block) {
	r := c.slotRecord(e.producer, e.slot)
	if r == nil {
		return
	}
	n := r.node(s.Name())
	if n == nil {
		return
	}
	if n.candidates == 0 {
		n.first, n.arrived = e.id, c.offset(e.slot)
	}
	if n.candidates > 0 && (e.id == n.id || e.id == n.first) {
		return // the same once more
	}
	n.candidates++
	if n.decision == DecisionOut || n.decision == DecisionIdentical {
		return // a second block for its slot does not undo that
	}
	n.id = e.id
	switch {
	case e.claimed:
		n.decide(DecisionIdentical, ReasonSameID, c.offset(e.slot))
	case e.withheld:
		n.decide(DecisionInside, e.why, c.offset(e.slot))
		n.branch = c.branchStart(e)
	case e.held:
		n.decide(DecisionWaits, e.why, c.offset(e.slot))
	}
}

// node is a node's part in the slot; nil if there is no room left for it.
func (r *slotRecord) node(name string) *slotNode {
	for i := range r.n {
		if r.nodes[i].name == name {
			return &r.nodes[i]
		}
	}
	if r.n == slotNodes {
		r.more++
		return nil
	}
	r.n++
	r.nodes[r.n-1] = slotNode{name: name}
	return &r.nodes[r.n-1]
}

func (n *slotNode) decide(d Decision, why Reason, at int64) {
	n.decision, n.why, n.decided = d, why, at
}

// slotDecided notes what was decided on a candidate, for every node that sent it.
func (c *Core) slotDecided(e *block, d Decision, why Reason) {
	r := c.slots.find(e.slot)
	if r == nil || r.producer != e.producer {
		return
	}
	if d == DecisionOut {
		r.id = e.id
	}
	var branch p2pwire.Slot
	if d == DecisionInside {
		branch = c.branchStart(e)
	}
	for i := range r.n {
		n := &r.nodes[i]
		if n.candidates == 0 || n.id != e.id {
			continue
		}
		n.decide(d, why, c.offset(e.slot))
		n.branch = branch
		if d == DecisionOut {
			d, why = DecisionIdentical, ReasonSameID // whoever else has sent the same
		}
	}
}

// branchStart is the slot at which the branch of a candidate left the public chain.
func (c *Core) branchStart(e *block) p2pwire.Slot {
	p := c.blocks.get(e.prev)
	if p == nil || !p.own || p.claimed || p.public {
		return e.slot
	}
	if r := c.slots.find(p.slot); r != nil {
		for i := range r.n {
			if n := &r.nodes[i]; n.id == p.id && n.branch != 0 {
				return n.branch
			}
		}
	}
	return p.slot
}

// slotQueued notes that an own block was queued for a network session as it came.
func (c *Core) slotQueued(e *block) {
	if r := c.slots.find(e.slot); r != nil && r.id == e.id {
		r.sessions++
	}
}

// slotLeft notes that the first network session's socket takes an own block; added is how long the
// relay had it.
func (c *Core) slotLeft(now Instant, frame []byte, added int64) {
	// It is a signed_block of ours: the header begins with its timestamp.
	slot := p2pwire.Slot(binary.LittleEndian.Uint32(frame[p2pwire.PrefixLen+1:]))
	if r := c.slots.find(slot); r != nil && !r.gone {
		r.gone, r.left, r.added = true, int64(now.Mono)+c.clock.used-slot.Time(), added
	}
}

// slotPublic notes a verified block of ours that did not leave through this relay.
func (c *Core) slotPublic(e *block) {
	if c.own[e.producer] == nil || e.claimed {
		return
	}
	if r := c.slotRecord(e.producer, e.slot); r != nil && !r.outside {
		r.outside, r.outsideID, r.outsideAt = true, e.id, c.arrival(e)
		c.echoed(e)
	}
}

// arrival is when a block came, seen from its timestamp.
func (c *Core) arrival(e *block) int64 { return c.offset(e.slot) - int64(c.since(e.arrived)) }

// slotEcho notes that the network showed a claimed block, and so its ancestors, in some way, at a
// moment of the monotonic clock.
func (c *Core) slotEcho(e *block, how Echo, at time.Duration) {
	for x := e; x != nil && x.claimed; x = c.blocks.get(x.prev) {
		r := c.slots.find(x.slot)
		if r == nil || r.echo != EchoNone || r.id != x.id {
			return
		}
		r.echo, r.echoAt = how, c.offset(x.slot)-int64(c.since(at))
		c.echoed(x)
	}
}

// slotAlarm notes an alarm over one of our blocks.
func (c *Core) slotAlarm(why Reason, e *block) {
	if c.own[e.producer] == nil {
		return
	}
	if r := c.slotRecord(e.producer, e.slot); r != nil {
		r.alarm = why
	}
}
