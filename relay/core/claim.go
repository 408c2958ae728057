package core

import (
	"time"

	"bprelay/dedup"
	"bprelay/p2pwire"
)

// Claim is the wish to give a slot to a block.
type Claim struct {
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	ID       p2pwire.ID
	// Foreign: the block came from the network and none of our nodes was let out with it. It has its
	// slot, and is no part of our lineage.
	Foreign bool
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

// Claimer decides claims. The core asks it for a candidate that passed every other rule, and writes
// the block out only when Approved. While an answer is Pending no other candidate is asked for; an
// approved claim is never asked again, a failed one after a while. A Foreign claim is only told.
type Claimer interface {
	Claim(now Instant, cl Claim) Verdict
}

// ClaimRecorder is a Claimer that wants to know of claims which another relay of the cluster made.
type ClaimRecorder interface {
	Record(now Instant, cl Claim)
}

type memoryClaims struct{ book *dedup.Slots }

func (m memoryClaims) Claim(_ Instant, cl Claim) Verdict {
	if granted(m.book.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID)) {
		return Approved
	}
	return Denied
}

// claimRetry is how long after a claim that failed its candidate waits before it is asked again.
const claimRetry = 250 * time.Millisecond

// claim asks for the slot of a candidate that every other rule lets out. One that was claimed before,
// in this life or an earlier one, needs no second answer, unless a cluster has to confirm it.
func (c *Core) claim(e *block, s *session) {
	cl, v := e.claim(), Approved
	id, ok := c.claims.Get(uint64(cl.Producer), uint32(cl.Slot))
	if doubted, _ := c.inDoubt(cl.Producer, cl.Slot); !ok || id != cl.ID || doubted {
		if v = c.claimer.Claim(c.now, cl); v != Pending {
			c.stats.ClaimWait.observe(0)
		}
	}
	switch v {
	case Approved:
		c.forward(e, s)
	case Denied:
		c.withhold(e, s, ReasonSlotTaken)
	case Pending:
		e.pending, c.pending, c.asked = true, e, c.now.Mono
		why := ReasonClaimPending
		if e.why == ReasonClaimFailed {
			why = e.why // asked again: it is news only when it is decided
		}
		c.hold(e, s, why)
	default:
		c.claimFailed(e, s)
	}
}

// claim is the wish to give the block its slot.
func (b *block) claim() Claim { return Claim{Producer: b.producer, Slot: b.slot, ID: b.id} }

// claimFailed holds a candidate whose claim could not be recorded; what failed may work again before
// its round is over.
func (c *Core) claimFailed(e *block, s *session) {
	if e.shown {
		c.publicElsewhere(s, e) // it is out: nothing waits for it any more
		return
	}
	if e.why != ReasonClaimFailed {
		c.alarm(ReasonClaimFailed, s, e)
	}
	c.hold(e, s, ReasonClaimFailed)
	e.retry = c.now.Mono + claimRetry
	c.timers.add(e.retry, timer{kind: timerHeld})
}

// ClaimDecided brings the answer to a claim that was Pending. An approved candidate is judged once
// more, since the chain may have moved on meanwhile; its slot is taken in any case.
func (c *Core) ClaimDecided(now Instant, cl Claim, v Verdict) {
	c.enter(now)
	defer c.settle()
	if v == Approved && !granted(c.claims.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID)) {
		v = Denied
	}
	if v == Approved {
		c.settled(cl)
	}
	c.lineage.recheck = c.lineage.recheck || len(c.held) > 0
	e := c.pending
	if e == nil || e.claim() != cl {
		return
	}
	c.pending, e.pending = nil, false
	c.stats.ClaimWait.observe(int64(c.since(c.asked)))
	switch v {
	case Approved:
	case Denied:
		c.unhold(e)
		c.withhold(e, nil, ReasonSlotTaken)
	default:
		c.claimFailed(e, nil)
	}
}

// granted tells whether the claim book lets a block out.
func granted(r dedup.Result) bool { return r == dedup.Claimed || r == dedup.Same }

// concede gives a slot to a block of ours that the network has from elsewhere.
func (c *Core) concede(e *block) dedup.Result {
	cl := e.claim()
	r := c.bookOutside(cl)
	if r == dedup.Claimed {
		cl.Foreign = true
		c.claimer.Claim(c.now, cl) // nothing waits for the answer
	}
	return r
}

// bookOutside puts a claim into the book that was made elsewhere: by another relay, or by whoever showed its block.
// It replaces a claim from an earlier life that nobody confirmed, and confirms one of the same block.
func (c *Core) bookOutside(cl Claim) dedup.Result {
	r := c.claims.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID)
	switch {
	case r == dedup.Same:
		c.confirm(cl)
	case r == dedup.Taken && c.overrule(cl):
		return dedup.Claimed
	}
	return r
}

// forward lets a claimed block out: to the network first, then to the other nodes.
func (c *Core) forward(e *block, s *session) {
	// The book is the last word, whoever approved.
	switch c.claims.Claim(uint64(e.producer), uint32(e.slot), e.id) {
	case dedup.Claimed, dedup.Same:
	case dedup.BelowFloor:
		c.withhold(e, s, ReasonBelowFloor)
		return
	default:
		c.withhold(e, s, ReasonSlotTaken)
		return
	}
	c.settled(e.claim())
	e.claimed, e.public, e.why, e.frame.own = true, true, ReasonClaimed, true
	e.left = c.now.Mono
	if t := c.lineage.tip; t == nil || c.lineage.dead || e.slot > t.slot {
		// A block claimed before a restart may follow after later ones.
		c.lineage.tip, c.lineage.dead = e, false
	}
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
	c.linkChildren(e, c.linkedBlock) // the network may have gone on behind it before it went out
	c.noteBlock(EventClaimed, ReasonClaimed, s, e)
	if e.node != "" && e.node != c.lineage.lead {
		c.lineage.lead = e.node
		if !c.reign.on() {
			c.noteBlock(EventLead, ReasonNone, s, e)
		}
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
		if !c.mayShow(s, x) {
			return // it gets them when they may go anywhere
		}
		path = append(path, x)
	}
	for i := len(path) - 1; i >= 0; i-- {
		if !c.send(s, queueGeneral, path[i].frame) {
			return
		}
		path[i].has.set(s.lane)
		c.slotQueued(path[i])
	}
	if n := len(path); n > 0 {
		s.gaveAt, s.gaveFrom = c.now.Mono, path[n-1].num
		c.proves(s, b)
	}
}
