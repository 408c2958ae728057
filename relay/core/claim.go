package core

import (
	"bprelay/dedup"
	"bprelay/p2pwire"
)

// Claim is the wish to give a slot to a block.
type Claim struct {
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	ID       p2pwire.ID
}

// Verdict is the answer to a Claim. There are more than two: a claim that could not be made durable
// is neither granted nor taken by someone else.
type Verdict uint8

const (
	// Approved: the slot belongs to the block, now and for ever.
	Approved Verdict = iota + 1
	// Denied: the slot belongs to another block.
	Denied
	// Failed: the claim could not be recorded; the block must not leave.
	Failed
	// Pending: the answer comes later through ClaimDecided.
	Pending
)

// Claimer decides claims. The core asks it once for a candidate that passed every other rule, and
// writes the block out only when Approved.
type Claimer interface {
	Claim(now Instant, cl Claim) Verdict
}

type memoryClaims struct{ book *dedup.Slots }

func (m memoryClaims) Claim(_ Instant, cl Claim) Verdict {
	switch m.book.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID) {
	case dedup.Claimed, dedup.Same:
		return Approved
	}
	return Denied
}

func (c *Core) claim(e *block, s *session) {
	switch c.claimer.Claim(c.now, Claim{Producer: e.producer, Slot: e.slot, ID: e.id}) {
	case Approved:
		c.forward(e, s)
	case Denied:
		c.withhold(e, s, ReasonSlotTaken)
	case Pending:
		e.pending = true
		c.hold(e, s, ReasonClaimPending)
	default:
		c.withhold(e, s, ReasonClaimFailed)
	}
}

// ClaimDecided brings the answer to a claim that was Pending.
func (c *Core) ClaimDecided(now Instant, cl Claim, v Verdict) {
	c.enter(now)
	for _, e := range c.held {
		if !e.pending || e.producer != cl.Producer || e.slot != cl.Slot {
			continue
		}
		e.pending = false
		switch {
		case v == Approved && e.id == cl.ID:
			c.unhold(e)
			c.forward(e, nil)
		case v == Failed:
			c.unhold(e)
			c.withhold(e, nil, ReasonClaimFailed)
		default:
			c.unhold(e)
			c.withhold(e, nil, ReasonSlotTaken)
		}
		break
	}
	c.lineage.recheck = true
	c.settle()
}

// forward lets a claimed block out: to the network first, then to the other nodes.
func (c *Core) forward(e *block, s *session) {
	if c.claims.Claim(uint64(e.producer), uint32(e.slot), e.id) == dedup.Taken {
		// The book is the last word, whoever approved.
		c.withhold(e, s, ReasonSlotTaken)
		return
	}
	e.claimed, e.public, e.why, e.frame.own = true, true, ReasonClaimed, true
	e.left = c.now.Mono
	c.lineage.tip, c.lineage.dead = e, false
	c.stats.OwnForwarded++
	c.leaves(e)
	c.slotDecided(e, DecisionOut, ReasonClaimed)
	for i := 0; i < len(c.network); i++ {
		c.deliverOwn(c.network[i], e)
	}
	e.linked, e.survived = true, true
	c.setVerified(e)
	c.fanIn(e, nil, false)
	c.votes.public(c, e)
	c.noteBlock(EventClaimed, ReasonClaimed, s, e)
	if e.node != c.lineage.lead {
		c.lineage.lead = e.node
		c.noteBlock(EventLead, ReasonNone, s, e)
	}
}

// deliverOwn queues a claimed block for a network peer, earlier claimed ones it lacks first.
func (c *Core) deliverOwn(s *session, b *block) {
	if s.closing || s.kind == p2pwire.KindTransactions {
		return
	}
	path := c.path[:0]
	c.path = nil
	defer func() { c.path = path[:0] }()
	for x := b; x != nil && x.claimed && x.frame != nil && !s.has(x); x = c.blocks.get(x.prev) {
		path = append(path, x)
	}
	for i := len(path) - 1; i >= 0; i-- {
		if !c.send(s, queueGeneral, path[i].frame) {
			return
		}
		path[i].has.set(s.lane)
		c.slotQueued(path[i])
	}
}
