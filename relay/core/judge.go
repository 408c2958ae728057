package core

import (
	"time"

	"bprelay/p2pwire"
)

type action uint8

const (
	actForward action = iota
	actHold
	actWithhold
)

// judge applies the rules of the design's outbound path, in its order.
func (c *Core) judge(e *block) (action, Reason) {
	act, why := c.judgeOwn(e)
	if act == actForward && c.follows() && !c.decided(e) {
		return c.orGiveUp(e, ReasonStandby)
	}
	return act, why
}

// judgeOwn applies all rules but the last: that an active relay lets it out.
func (c *Core) judgeOwn(e *block) (action, Reason) {
	id, claimed := c.claims.Get(uint64(e.producer), uint32(e.slot))
	if claimed {
		if id != e.id {
			if _, open := c.inDoubt(e.producer, e.slot); open {
				return c.orGiveUp(e, ReasonSlotInDoubt)
			}
			return actWithhold, ReasonSlotTaken
		}
	} else if uint32(e.slot) <= c.claims.Floor() {
		return actWithhold, ReasonBelowFloor
	}
	if e.slot > p2pwire.SlotAt(c.latest()+int64(c.cfg.MaxFuture)) {
		return actWithhold, ReasonTooEarly
	}
	if c.earliest() > c.lateLimit(e.slot) {
		switch {
		case c.now.Mono < c.hopeful(e):
			return actHold, ReasonTooOld
		case e.held:
			return actWithhold, e.why // what it waited for did not come
		}
		return actWithhold, ReasonTooOld
	}
	if !c.boot.done {
		return c.orGiveUp(e, ReasonStarting)
	}
	p := c.blocks.get(e.prev)
	if p != nil && p.withheld {
		return actWithhold, ReasonParentWithheld
	}
	if p != nil && p.held {
		return c.orGiveUp(e, ReasonParentHeld)
	}
	if c.superseded(e) {
		return actWithhold, ReasonSuperseded
	}
	if c.pending != nil && c.pending != e {
		return actHold, ReasonClaimPending // the lineage's next block is being decided
	}
	if act, why := c.judgeParent(e, p, claimed); act != actForward {
		return act, why
	}
	if claimed && e.by.verdict != sigBad {
		return actForward, ReasonClaimed // its slot is its own: there is nobody to wait for
	}
	if e.slot <= c.fenceSlot(e.producer) && !e.echoed && (c.shownElse(e, false) || !c.learnedFor(e)) {
		return c.orGiveUp(e, ReasonStartFence)
	}
	if until, why := c.waits(e); c.now.Mono < until {
		return actHold, why
	}
	if c.now.Mono < e.retry {
		return actHold, ReasonClaimFailed
	}
	return c.judgeSignature(e)
}

// judgeParent is I2: within a run the last claimed block, at its start the public head or, when the
// slot ends, the best public parent on offer. What was claimed before a restart passed it then.
func (c *Core) judgeParent(e, p *block, claimed bool) (action, Reason) {
	if claimed && c.claimedBefore(e) {
		switch {
		case p == nil || !p.public:
			return c.orGiveUp(e, ReasonUnknownParent)
		case p.num < c.lib() || (c.head != nil && c.outvoted(p, c.head)):
			return actWithhold, ReasonBelowLIB
		case c.shownElse(e, true):
			return actWithhold, ReasonSlotTaken // the claim was recorded, its block may never have left
		}
		return actForward, ReasonClaimed
	}
	if c.inRun(e) {
		switch {
		case p == nil || (p.stub() && !p.public):
			return c.orGiveUp(e, ReasonUnknownParent)
		case p == c.lineage.tip || c.onLineage(p):
			return actForward, ReasonClaimed
		case c.tipInDoubt():
			return c.orGiveUp(e, ReasonSlotInDoubt)
		}
		return actWithhold, ReasonNotLineage
	}
	switch {
	case c.head == nil && (p == nil || !p.public) && (c.boot.learned || c.missedBefore(e) || c.aboveAll(e)):
		return c.orGiveUp(e, ReasonUnknownParent)
	case c.head == nil:
		return actForward, ReasonClaimed
	case p == c.head && !c.belowRoots(e):
		return actForward, ReasonClaimed
	case p == nil || !p.public:
		return c.orGiveUp(e, ReasonUnknownParent)
	case p.num < c.lib() || c.outvoted(p, c.head):
		return actWithhold, ReasonBelowLIB
	case c.belowRoots(e):
		return c.orGiveUp(e, ReasonUnknownParent) // the head is not yet what the network is at
	case p.num+p2pwire.RoundSlots <= c.head.num:
		// A whole round behind: not even a full run on it could become the best branch.
		return actWithhold, ReasonOlderParent
	case c.wall() < e.slot.Time(), c.leadWell(e) && c.wall() < (e.slot+1).Time():
		return actHold, ReasonOlderParent
	}
	return actForward, ReasonClaimed
}

// missedBefore tells whether a candidate that no fence holds back may build on a block that one of our
// nodes made while there was no relay: in its round or the one before, the blocks of which may have left
// their node early.
func (c *Core) missedBefore(e *block) bool {
	begin := e.slot - p2pwire.Slot(e.slot.Index()) - p2pwire.RoundSlots
	return e.slot > c.fenceSlot(e.producer) && begin.Time()-int64(c.cfg.MaxFuture) < c.startWall()
}

// belowRoots tells whether a candidate stands at or below what is irreversible to every peer that was chosen by
// configuration: they have another block there, or this very one; neither is known yet. It is nothing they link.
func (c *Core) belowRoots(e *block) bool {
	below := false
	for _, s := range c.network {
		if !s.info.Dialled || s.closing || s.kind == p2pwire.KindTransactions {
			continue
		}
		if e.num > s.rootNum || e.has.has(s.lane) {
			return false
		}
		below = true
	}
	return below
}

// aboveAll tells whether a candidate builds on a block that is above all that the network has named.
func (c *Core) aboveAll(e *block) bool {
	top := c.publicTop()
	return !top.IsZero() && e.num > top.Num()+1
}

// superseded tells whether the public head is another producer's block for a later slot. That producer
// keeps building on what it has: in Savanna its branch wins by its timestamp, and in legacy a late run
// of ours would only cost the network a fork before it wins by its length.
func (c *Core) superseded(e *block) bool {
	return c.head != nil && c.head.slot > e.slot && c.head.producer != e.producer &&
		(c.head.slot-1).Time() <= c.latest()
}

// onLineage tells whether p continues the lineage with blocks that have their slots, from elsewhere.
func (c *Core) onLineage(p *block) bool {
	for x := p; x != nil && x != c.lineage.tip; x = c.blocks.get(x.prev) {
		id, ok := c.claims.Get(uint64(x.producer), uint32(x.slot))
		if !x.verified || !x.public || x.num <= c.lineage.tip.num || !ok || id != x.id {
			return false
		}
	}
	return p != nil && c.extends(p, c.lineage.tip)
}

// inRun tells whether a candidate continues the run of the last claimed block: the same round, or
// the one right behind it, between which no other producer has a slot.
func (c *Core) inRun(e *block) bool {
	t := c.lineage.tip
	return t != nil && !c.lineage.dead && e.slot.Round() <= t.slot.Round()+1
}

// orGiveUp holds a candidate until its run is over: late beats lost, since a node's later blocks
// build on this one.
func (c *Core) orGiveUp(e *block, why Reason) (action, Reason) {
	if c.earliest() < c.lateLimit(e.slot) {
		return actHold, why
	}
	return actWithhold, why
}

// lateLimit is when an own block is of no use any more: behind its run a foreign producer builds on what is
// public by then. Within it, in the rounds of ours behind its own, nobody else builds, and what our nodes make
// there builds on it. Of a run that goes on beyond the present only that much is told.
func (c *Core) lateLimit(slot p2pwire.Slot) int64 {
	return c.runEnd(slot).Time() + int64(c.cfg.LateGrace)
}

// lateHope is how long a block waits that is too late unless the next round is ours, too: then its node, or
// another one, soon sends what it made in that.
const lateHope = 2 * p2pwire.SlotDuration

// hopeful is until when (Mono) a block may turn out not to be too late, since it is not known whose the round at
// its run's end is. One that the network has sent is public whatever comes: there is nothing to wait for.
func (c *Core) hopeful(e *block) time.Duration {
	if e.shown || (e.held && e.why != ReasonTooOld) || c.producerOf(c.runEnd(e.slot).Round()) != 0 {
		return 0
	}
	return e.arrived + lateHope
}

// lib is the highest root our nodes named: blocks at or below it are irreversible.
func (c *Core) lib() uint32 {
	var n uint32
	for _, s := range c.internal {
		n = max(n, s.rootNum)
	}
	return n
}

// outvoted tells whether b, on another branch than a, claims a quorum certificate for a block that a
// does not build on: finalizers went that way, and what builds on a can not win any more.
func (c *Core) outvoted(a, b *block) bool {
	if !b.savanna {
		return false
	}
	fork := c.fork(a, b)
	return fork != nil && b.qcNum > fork.num
}

// lowestRoot is the lowest root our nodes named, 0 without a node.
func (c *Core) lowestRoot() uint32 {
	if len(c.internal) == 0 {
		return 0
	}
	n := c.internal[0].rootNum
	for _, s := range c.internal {
		n = min(n, s.rootNum)
	}
	return n
}

// fenceSlot is the last slot of a producer that is closed to new ids because of a start. It moves with
// the clock that turns out to have been right.
func (c *Core) fenceSlot(producer p2pwire.Name) p2pwire.Slot {
	op := c.own[producer]
	if op == nil {
		return 0
	}
	return p2pwire.SlotAt(op.fence + c.startWall() - c.started.Wall)
}

// learnedFor tells whether the candidate extends the head as just learned from the network: the
// bootstrap was answered, every peer that is connected has spoken, and none has named a higher block
// than we know.
func (c *Core) learnedFor(e *block) bool {
	if !c.boot.learned || c.head == nil || e.prev != c.head.id {
		return false
	}
	for _, s := range c.network {
		if s.headNum > c.head.num {
			return false
		}
	}
	for _, s := range c.sessions {
		if s.info.Side == Network && s.info.Dialled && !s.ready && !s.closing {
			return false // it may know more
		}
	}
	return true
}

// shownElse tells whether the network shows another block for a candidate's slot, proven to be genuine or
// any: what this relay let out before its restart comes back that way.
func (c *Core) shownElse(e *block, proven bool) bool {
	for i := range c.blocks.n {
		x := c.blocks.at(i)
		if x != e && !x.own && x.public && x.frame != nil && x.slot == e.slot && x.producer == e.producer &&
			(!proven || x.verified || x.signed) {
			return true
		}
	}
	return false
}
