package core

import (
	"slices"
	"time"

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

// lineage is the chain of claimed blocks within a run of own rounds.
type lineage struct {
	tip     *block // last claimed block
	lead    string // the node whose block that was
	dead    bool   // the network went another way
	recheck bool   // held candidates may have become judgeable
}

// nodeBlock takes a block from one of our nodes.
func (c *Core) nodeBlock(s *session, f p2pwire.Frame, owned *buf) {
	v, err := p2pwire.ParseBlock(f.Body())
	if err != nil {
		c.end(s, ReasonMalformed)
		return
	}
	e := c.blocks.get(v.ID)
	ours := c.own[v.Producer] != nil
	if e != nil && !e.stub() && ours && !e.own && !e.survived && !e.verified {
		// Somebody sent bytes under this id before; only our node's are worth anything.
		c.canary.forgetBlock(c, e)
		if e.counted {
			e.counted = false
			c.boot.orphans--
		}
		e.signed, e.has = false, lanes{}
		c.setFrame(e, nil)
	}
	if e != nil && !e.stub() {
		if e.own && !e.sent.has(s.lane) {
			c.stats.OwnWithheld[ReasonSameID]++
			c.noteBlock(EventWithheld, ReasonSameID, s, e)
		}
		e.has.set(s.lane)
		e.sent.set(s.lane)
		if !e.own {
			e.taken = true
			c.relink(e)
		}
		c.vouch(e)
		return
	}
	if err := c.checkBlock(&v); err != nil {
		c.end(s, ReasonInvalidBlock)
		return
	}
	if e == nil {
		e = c.insert(v.ID)
	}
	e.fill(&v)
	e.linked = false
	e.has.set(s.lane)
	e.sent.set(s.lane)
	c.setFrame(e, c.keep(f, owned))
	e.payloads = maxPayloads
	if !ours {
		c.relayForeign(s, e)
		return
	}
	// A handshake may have named it: that alone makes it no public block.
	e.public, e.base = false, false
	e.own, e.node = true, s.Name()
	if p := c.blocks.get(e.prev); p != nil {
		c.vouch(p)
	}
	c.decide(e, s)
	if e.held && e.why == ReasonUnknownParent {
		c.repairGap(s)
	}
	if c.lineage.tip == e {
		c.lineage.recheck = true
	}
}

// relayForeign passes on a block of another producer that one of our nodes sent.
func (c *Core) relayForeign(s *session, e *block) {
	e.public = true
	c.link(e, func(x *block) {
		c.vouch(x)
		c.fanIn(x, s, false)
	})
	if !e.linked {
		c.orphan(e)
		return
	}
	for _, t := range slices.Clone(c.network) {
		if !e.has.has(t.lane) && t.kind != p2pwire.KindTransactions && c.send(t, queueGeneral, e.frame) {
			e.has.set(t.lane)
		}
	}
}

// repairGap asks a node for the ancestors of its candidate that never came here: blocks made while
// the connection, or the relay, was down. From a block the node has, it answers with its own branch.
func (c *Core) repairGap(s *session) {
	if c.since(s.lastAsk) < askGap {
		return
	}
	s.lastAsk = c.now.Mono
	for x := c.head; x != nil && x.num > s.rootNum; x = c.blocks.get(x.prev) {
		if x.taken || (x.has.has(s.lane) && c.since(x.arrived) > askGap) {
			c.ask(s, x.id)
			return
		}
	}
	if s.rootNum > 0 {
		c.ask(s, s.rootID)
	}
}

type action uint8

const (
	actForward action = iota
	actHold
	actWithhold
)

// decide judges a candidate and does what was decided.
func (c *Core) decide(e *block, s *session) {
	act, why := c.judge(e)
	switch act {
	case actForward:
		c.claim(e, s)
	case actHold:
		c.hold(e, s, why)
	case actWithhold:
		c.withhold(e, s, why)
	}
}

// judge applies the rules of the design's outbound path, in its order.
func (c *Core) judge(e *block) (action, Reason) {
	now := c.now.Wall
	if id, ok := c.claims.Get(uint64(e.producer), uint32(e.slot)); ok {
		if id != e.id {
			return actWithhold, ReasonSlotTaken
		}
	} else if uint32(e.slot) <= c.claims.Floor() {
		return actWithhold, ReasonBelowFloor
	}
	if e.slot > p2pwire.SlotAt(now+int64(c.cfg.MaxFuture)) {
		return actWithhold, ReasonTooEarly
	}
	if now > c.lateLimit(e.slot) {
		if e.held {
			return actWithhold, e.why // what it waited for did not come
		}
		return actWithhold, ReasonTooOld
	}
	if c.pendingClaim(e) {
		return actHold, ReasonClaimPending
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
	if act, why := c.judgeParent(e, p); act != actForward {
		return act, why
	}
	if e.slot <= c.fenceSlot() && (c.shownElse(e) || !c.learnedFor(e)) {
		return c.orGiveUp(e, ReasonStartFence)
	}
	return c.judgeSignature(e)
}

// judgeParent is I2: within a run the last claimed block, at its start the public head or, when the
// slot ends, the best public parent on offer.
func (c *Core) judgeParent(e, p *block) (action, Reason) {
	if c.inRun(e) {
		switch {
		case p == c.lineage.tip:
			return actForward, ReasonClaimed
		case p == nil || (p.stub() && !p.public):
			return c.orGiveUp(e, ReasonUnknownParent)
		}
		return actWithhold, ReasonNotLineage
	}
	switch {
	case c.head == nil:
		return actForward, ReasonClaimed
	case p == c.head:
		return actForward, ReasonClaimed
	case p == nil || !p.public:
		return c.orGiveUp(e, ReasonUnknownParent)
	case p.num < c.lib() || c.outvoted(p, c.head):
		return actWithhold, ReasonBelowLIB
	case p.num+p2pwire.RoundSlots <= c.head.num:
		// A whole round behind: not even a full run on it could become the best branch.
		return actWithhold, ReasonOlderParent
	case c.now.Wall < e.slot.Time():
		return actHold, ReasonOlderParent
	}
	return actForward, ReasonClaimed
}

// inRun tells whether a candidate continues the run of the last claimed block: the same round, or
// the one right behind it, between which no other producer has a slot.
func (c *Core) inRun(e *block) bool {
	t := c.lineage.tip
	return t != nil && !c.lineage.dead && e.slot.Round() <= t.slot.Round()+1
}

// orGiveUp holds a candidate until its round is over: late beats lost, since a node's later blocks
// build on this one.
func (c *Core) orGiveUp(e *block, why Reason) (action, Reason) {
	if c.now.Wall < c.lateLimit(e.slot) {
		return actHold, why
	}
	return actWithhold, why
}

// lateLimit is when an own block is of no use any more: behind its round a foreign producer builds
// on what is public by then.
func (c *Core) lateLimit(slot p2pwire.Slot) int64 {
	end := slot - p2pwire.Slot(slot.Index()) + p2pwire.RoundSlots
	return end.Time() + int64(c.cfg.LateGrace)
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

// fenceSlot is the last slot the start fence closes.
func (c *Core) fenceSlot() p2pwire.Slot {
	return p2pwire.SlotAt(c.started.Wall + int64(c.cfg.StartFence))
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

// shownElse tells whether the network shows another block for a candidate's slot, proven or not: what
// this relay let out before its restart comes back that way.
func (c *Core) shownElse(e *block) bool {
	for i := range c.blocks.n {
		x := c.blocks.at(i)
		if x != e && !x.own && x.public && x.frame != nil && x.slot == e.slot && x.producer == e.producer {
			return true
		}
	}
	return false
}

// judgeSignature checks the producer signature of a Savanna block where keys are configured.
func (c *Core) judgeSignature(e *block) (action, Reason) {
	op := c.own[e.producer]
	if op == nil || len(op.keys) == 0 || !e.savanna {
		return actForward, ReasonClaimed
	}
	v, err := p2pwire.ParseBlock(p2pwire.Frame(e.frame.b).Body())
	if err != nil {
		return actWithhold, ReasonBadSignature
	}
	if c.signatureKnown(&v) {
		return actForward, ReasonClaimed
	}
	if _, err := p2pwire.RecoverK1(v.ID, v.Signature()); err != nil {
		return actWithhold, ReasonBadSignature
	}
	c.alarm(ReasonUnknownKey, nil, e)
	return actForward, ReasonClaimed
}

// pendingClaim tells whether another candidate's claim of the same slot is being decided.
func (c *Core) pendingClaim(e *block) bool {
	for _, x := range c.held {
		if x.pending && x.producer == e.producer && x.slot == e.slot {
			return true
		}
	}
	return false
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
	c.now = now
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
	for i := 0; i < len(c.network); i++ {
		c.deliverOwn(c.network[i], e)
	}
	e.linked = true
	c.vouch(e)
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
	}
}

func (c *Core) hold(e *block, s *session, why Reason) {
	if !e.held {
		e.held = true
		c.held = append(c.held, e)
	}
	if e.why != why {
		e.why = why
		c.stats.OwnHeld[why]++
		c.noteBlock(EventHeld, why, s, e)
	}
	next := c.lateLimit(e.slot)
	if end := e.slot.Time(); c.now.Wall < end {
		next = end
	}
	if !e.pending && e.until != next {
		e.until = next
		wait := time.Duration(max(next-c.now.Wall, int64(time.Millisecond)))
		c.timers.add(c.now.Mono+wait, timer{kind: timerHeld})
	}
}

func (c *Core) unhold(e *block) {
	e.held = false
	c.held = slices.DeleteFunc(c.held, func(x *block) bool { return x == e })
}

// withhold keeps a candidate inside for good; its bytes are not needed any more, its id is: what
// builds on it stays inside too.
func (c *Core) withhold(e *block, s *session, why Reason) {
	e.why = why
	if !e.public {
		e.withheld = true
		c.setFrame(e, nil)
	}
	c.stats.OwnWithheld[why]++
	if why == ReasonSlotTaken {
		c.stats.Conflicts++
	}
	c.votes.withheld(c, e)
	c.noteBlock(EventWithheld, why, s, e)
	c.lineage.recheck = c.lineage.recheck || len(c.held) > 0
}

// judgeHeld judges the held candidates again, the earlier slot and the better parent first, until
// nothing moves.
func (c *Core) judgeHeld() {
	slices.SortStableFunc(c.held, func(a, b *block) int {
		if a.slot != b.slot {
			return int(int64(a.slot) - int64(b.slot))
		}
		pa, pb := c.blocks.get(a.prev), c.blocks.get(b.prev)
		if pa != nil && pb != nil && pa != pb {
			if better(pa, pb) {
				return -1
			}
			return 1
		}
		return 0
	})
	for moved := true; moved; {
		moved = false
		for _, e := range c.held {
			if e.pending {
				continue
			}
			if p := c.blocks.get(e.prev); p != nil {
				c.vouch(p)
			}
			act, why := c.judge(e)
			if act == actHold {
				c.hold(e, nil, why)
				continue
			}
			c.unhold(e)
			if act == actForward {
				c.claim(e, nil)
			} else {
				c.withhold(e, nil, why)
			}
			moved = true
			break
		}
	}
	c.lineage.recheck = false
}

// checkLineage drops the run's lineage when a verified block outside it claims finality for a block
// outside it (Savanna), or stands higher (legacy).
func (c *Core) checkLineage(b *block) {
	t := c.lineage.tip
	if t == nil || c.lineage.dead || b.stub() || b.slot.Round() > t.slot.Round()+1 || c.extends(b, t) || c.extends(t, b) {
		return
	}
	if b.savanna && !(b.qcNum > t.qcNum && c.outvoted(t, b)) || !b.savanna && b.num <= t.num {
		return
	}
	c.lineage.dead, c.lineage.recheck = true, true
	c.alarm(ReasonLineageDead, nil, b)
	c.head = nil
	best := b
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.verified && x.public && !x.stub() && !c.extends(x, t) && better(x, best) {
			best = x
		}
	}
	c.head = best
}
