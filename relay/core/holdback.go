package core

import (
	"time"

	"bprelay/p2pwire"
)

const (
	// backBefore is how many slots before our run a held node begins to be kept one block behind.
	backBefore = 2
	// backGrace is how long behind the timestamp of its successor a held-back block is given anyway; within
	// our run, behind that of the one after it, since whoever is released for the first of them may fail, too.
	backGrace = 100 * time.Millisecond
)

// holdsBack tells whether a block is to be kept from a held node until the next one is there, so that
// the node looks whether it may produce at the very moment it is released; then the node is given what
// lies below.
func (c *Core) holdsBack(s *session, b *block) bool {
	n := s.node
	if n == nil || n.s != s || !n.held || n.pending || n.cfg.Name == c.reign.lead {
		return false
	}
	if n.back == b.id {
		return true
	}
	if !c.keepsBack(s, b) {
		n.back = p2pwire.ID{}
		return false
	}
	p := c.blocks.get(b.prev)
	if p == nil || !s.has(p) && !c.deliver(s, p, false) {
		n.back = p2pwire.ID{}
		return false // it has to be brought up to date first
	}
	n.back = b.id
	c.stepAt(c.mono(c.backUntil(b)))
	return true
}

// keepsBack tells whether a block is held back: only one that is known to be good.
func (c *Core) keepsBack(s *session, b *block) bool {
	return (b.claimed || b.survived || b.signed) && c.mayKeepBack(s, b)
}

// mayKeepBack tells whether a block is of a kind that is held back: live, the newest, and the one that our
// next slot's block may have to build on.
func (c *Core) mayKeepBack(s *session, b *block) bool {
	if c.reign.mode != TakeoverLeash || !c.reign.known || s.has(b) || !b.public || !b.linked || c.stop {
		return false
	}
	if c.wall() >= c.backUntil(b) {
		return false
	}
	if c.head != nil && c.head != b && c.head.num >= b.num {
		return false
	}
	next := b.slot + 1
	if b.claimed {
		return c.ourSlot(next)
	}
	for ; next <= b.slot+1+backBefore; next++ {
		if c.ourSlot(next) {
			return true
		}
	}
	return false
}

// backUntil is until when (Wall) a block is held back at most.
func (c *Core) backUntil(b *block) int64 {
	next := b.slot + 1
	if c.ourSlot(next) && c.ourSlot(next+1) {
		next++
	}
	return next.Time() + int64(backGrace)
}

// backDue gives the nodes the blocks that were held back for long enough.
func (c *Core) backDue() {
	for _, n := range c.reign.nodes {
		if n.s == nil || n.back.IsZero() {
			continue
		}
		b := c.blocks.get(n.back)
		if b == nil {
			n.back = p2pwire.ID{}
			continue
		}
		if at := c.mono(c.backUntil(b)); c.now.Mono < at {
			c.stepAt(at)
			continue
		}
		c.giveBack(n)
	}
}

// giveBack gives a node everything it was kept behind.
func (c *Core) giveBack(n *node) {
	b := c.blocks.get(n.back)
	n.back = p2pwire.ID{}
	if h := c.head; h != nil && (b == nil || h.num > b.num) {
		b = h
	}
	if t := c.lineage.tip; t != nil && !c.lineage.dead && b != nil && t.num > b.num && t.claimed {
		b = t
	}
	if b != nil && n.s != nil && n.s.sync == nil && !n.s.has(b) {
		c.deliver(n.s, b, b.signed)
	}
}

// mono is when the relay's clock will show a time.
func (c *Core) mono(wall int64) time.Duration { return time.Duration(wall - c.clock.used) }

// ourSlot tells whether a slot is ours as far as the schedule is known.
func (c *Core) ourSlot(slot p2pwire.Slot) bool {
	r := c.slots.rounds.known(slot.Round())
	return r != nil && (r.own || r.expected) && c.own[r.producer] != nil
}

// nextOwn is the first slot of ours whose timestamp is not over, as far as the schedule is known.
func (c *Core) nextOwn() (p2pwire.Slot, bool) {
	now := p2pwire.SlotAt(c.wall()) + 1
	if c.ourSlot(now) {
		return now, true
	}
	return c.ownRoundFrom(now.Round() + 1)
}

// ownRoundFrom is the first slot of the first round of ours from a number on, as far as the schedule is
// known.
func (c *Core) ownRoundFrom(number uint32) (p2pwire.Slot, bool) {
	for r := number; r <= number+maxPeriod; r++ {
		if first := p2pwire.Slot(r) * p2pwire.RoundSlots; c.ourSlot(first) {
			return first, true
		}
	}
	return 0, false
}
