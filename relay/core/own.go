package core

import (
	"cmp"
	"slices"
	"time"

	"bprelay/p2pwire"
)

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
	if s.node != nil {
		s.node.sawBlock(v.Num)
	}
	e := c.blocks.get(v.ID)
	op := c.own[v.Producer]
	ours := op != nil
	if e != nil && !e.stub() && ours && !e.own && !e.survived && !e.verified {
		// Somebody sent bytes under this id before; only our node's are worth anything.
		e.shown = e.public && c.hasPayload(e, f)
		c.canary.forgetBlock(c, e)
		if e.counted {
			e.counted = false
			c.boot.orphans--
		}
		e.echoed, e.signed, e.has = e.public, false, lanes{}
		c.setFrame(e, nil)
	}
	if e != nil && !e.stub() {
		if ours {
			c.slotCandidate(s, e)
		}
		if e.own && !e.sent.has(s.lane) {
			c.timed(s, e)
			c.stats.OwnWithheld[ReasonSameID]++
			c.noteBlock(EventWithheld, ReasonSameID, s, e)
		}
		e.has.set(s.lane)
		e.sent.set(s.lane)
		if !e.own {
			e.taken = true
			if !e.survived {
				// Our node's bytes are worth more than those that nobody tried.
				c.setFrame(e, c.keep(f, owned))
				e.given.set(s.lane)
			}
			c.relink(e)
		}
		by := lanesOf(s)
		c.vouch(e, &by)
		if e.own {
			c.anotherCopy(s, e, &v, f, owned)
		}
		return
	}
	if err := c.checkBlock(&v); err != nil {
		c.end(s, ReasonInvalidBlock)
		return
	}
	if e == nil {
		e = c.insert(v.ID)
	}
	known := e.public
	e.fill(&v)
	e.linked = false
	e.has.set(s.lane)
	e.sent.set(s.lane)
	c.setFrame(e, c.keep(f, owned))
	e.given.set(s.lane)
	e.payloads = maxPayloads
	if !ours {
		c.relayForeign(s, e, known)
		return
	}
	// A handshake may have named it: that alone makes it no public block.
	e.public, e.base = false, false
	e.own, e.node = true, s.Name()
	e.by = c.signing(op, s, &v)
	c.judgeUnconfirmed()
	if p := c.blocks.get(e.prev); p != nil {
		c.vouch(p, &e.sent)
	}
	c.slotCandidate(s, e)
	if c.cfg.Cluster != nil {
		c.cfg.Cluster.Holds(c.now, e.claim())
		if e.shown {
			c.echoed(e) // the other relay let it out
		}
	}
	c.decide(e, s)
	c.judged(s, e)
	c.timed(s, e) // behind the decision, which rests on what was usual before
	if e.held && c.rootless(e) {
		c.repairGap(s, c.bottomHeld(e).num)
	}
	if c.lineage.tip == e || len(c.held) > 1 {
		c.lineage.recheck = true // a later one may have waited for it
	}
}

// relayForeign passes on a block of another producer that one of our nodes sent: to the network only if that
// has not shown to know it.
func (c *Core) relayForeign(s *session, e *block, known bool) {
	e.public = true
	c.link(e, func(x *block) {
		c.vouch(x, &e.given)
		c.fanIn(x, s, false)
	})
	if !e.linked {
		c.orphan(e)
		return
	}
	if known {
		return
	}
	for _, t := range slices.Clone(c.network) {
		if !e.has.has(t.lane) && t.kind != p2pwire.KindTransactions && c.send(t, queueGeneral, e.frame) {
			e.has.set(t.lane)
		}
	}
}

// repairGap asks a node for the ancestors of a block of its that never came here: blocks made while
// the connection, or the relay, was down. From a block the node has, it answers with its own branch, from
// one on another branch with what is behind the root we named; unless the block stands above that: then it
// leaves.
func (c *Core) repairGap(s *session, num uint32) {
	if c.since(s.lastAsk) < askGap {
		return
	}
	s.lastAsk = c.now.Mono
	for x := c.head; x != nil && x.num > s.rootNum; x = c.blocks.get(x.prev) {
		if x.num < num && (x.id == s.headID || (x.has.has(s.lane) && c.since(x.arrived) > askGap)) {
			c.ask(s, x.id)
			return
		}
	}
	if from := c.publicTop(); s.rootNum > 0 && !from.IsZero() && from.Num() < s.rootNum {
		// Where nobody else makes blocks, what it made is irreversible to it before it was here. A block of that
		// number it has in any case, and one on another branch does no harm.
		c.ask(s, from)
	} else if s.rootNum > 0 {
		c.ask(s, s.rootID)
	}
}

// fetchHead asks a node for the block that it named when its link came up, and what is below it, if that stands
// above the public head and has not come otherwise: the last one of our round may have been made while the
// link, or the relay, was down, and no other follows that would tell.
func (c *Core) fetchHead(s *session) {
	if s == nil || s.closing || s.sync != nil {
		return
	}
	if !c.boot.done {
		c.timers.add(c.now.Mono+c.cfg.SurviveAfter, timer{kind: timerHead, session: s.id})
		return
	}
	top := c.publicTop()
	if b := c.blocks.get(s.headID); b != nil && b.stub() && !top.IsZero() && b.num > top.Num() {
		c.repairGap(s, b.num)
	}
}

// publicTop is the public head; as long as there is none, the highest block that a network peer named; zero
// without either.
func (c *Core) publicTop() (id p2pwire.ID) {
	if c.head != nil {
		return c.head.id
	}
	for _, s := range c.network {
		if s.headNum > id.Num() {
			id = s.headID
		}
	}
	return id
}

// repairGaps asks every node that made a candidate.
func (c *Core) repairGaps(e *block) {
	for _, s := range slices.Clone(c.internal) {
		if e.sent.has(s.lane) && !s.closing {
			c.repairGap(s, e.num)
		}
	}
}

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

func (c *Core) hold(e *block, s *session, why Reason) {
	if !e.held {
		e.held = true
		c.held = append(c.held, e)
	}
	e.gap = e.gap || why == ReasonUnknownParent
	if e.why != why {
		e.why = why
		c.stats.OwnHeld[why]++
		if why == ReasonStandby {
			c.candidate(e)
		}
		c.slotDecided(e, DecisionWaits, why)
		c.noteBlock(EventHeld, why, s, e)
	}
	now, next := c.earliest(), c.lateLimit(e.slot)
	if end := e.slot.Time(); c.wall() < end {
		now, next = c.wall(), end
	}
	if why == ReasonPreferredNode || why == ReasonAheadOfTime || why == ReasonGap || why == ReasonLeadExpected {
		until, _ := c.waits(e)
		now, next = c.wall(), int64(until)+c.clock.used
	}
	if why == ReasonTooOld {
		now, next = c.wall(), int64(c.hopeful(e))+c.clock.used
	}
	if e.until != next || c.now.Mono >= e.armed {
		e.until = next
		wait := time.Duration(max(next-now, int64(time.Millisecond)))
		e.armed = c.now.Mono + wait
		c.timers.add(e.armed, timer{kind: timerHeld})
	}
}

func (c *Core) unhold(e *block) {
	e.held = false
	if c.pending == e {
		c.pending, e.pending = nil, false // its answer comes too late for it
	}
	c.held = slices.DeleteFunc(c.held, func(x *block) bool { return x == e })
}

// withhold keeps a candidate inside for good; its bytes are not needed any more, its id is: what
// builds on it stays inside too.
func (c *Core) withhold(e *block, s *session, why Reason) {
	e.why = why
	if e.shown {
		c.publicElsewhere(s, e) // it cannot be kept inside any more, and the network builds on it
		c.lineage.recheck = c.lineage.recheck || len(c.held) > 0
		return
	}
	if !e.public {
		e.withheld = true
		c.setFrame(e, nil)
	}
	c.stats.OwnWithheld[why]++
	if why == ReasonSlotTaken {
		c.stats.Conflicts++
	}
	c.slotDecided(e, DecisionInside, why)
	c.votes.withheld(c, e)
	c.noteBlock(EventWithheld, why, s, e)
	c.overtaken(e)
	for i := 0; i < c.blocks.n && c.boot.orphans > 0; i++ {
		if x := c.blocks.at(i); x.counted && x.prev == e.id && !x.taken {
			c.link(x, c.linkedBlock) // what the network has built on it waited for what becomes of it
		}
	}
	c.lineage.recheck = c.lineage.recheck || len(c.held) > 0
}

// judgeAgain judges a held candidate. One whose claim is being decided only waits, until it is of no
// use any more.
func (c *Core) judgeAgain(e *block) (action, Reason) {
	if e.pending {
		return c.orGiveUp(e, e.why)
	}
	return c.judge(e)
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
			if c.better(pa, pb) {
				return -1
			}
			return 1
		}
		return cmp.Compare(c.rankOf(b), c.rankOf(a))
	})
	for moved := true; moved; {
		moved = false
		for _, e := range c.held {
			if p := c.blocks.get(e.prev); p != nil {
				c.vouch(p, &e.sent)
			}
			act, why := c.judgeAgain(e)
			if act == actHold {
				fresh := why == ReasonUnknownParent && e.why != why
				if c.hold(e, nil, why); fresh {
					c.repairGaps(e)
				}
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

// reachesDown tells whether the ancestors of b are known down to a number.
func (c *Core) reachesDown(b *block, num uint32) bool {
	for b != nil && b.num > num {
		b = c.blocks.get(b.prev)
	}
	return b != nil
}

// checkLineage drops the run's lineage when a verified block outside it claims finality for a block
// outside it (Savanna), or is on a better branch (legacy).
func (c *Core) checkLineage(b *block) {
	t := c.lineage.tip
	if t == nil || c.lineage.dead || b.stub() || b.slot.Round() > t.slot.Round()+1 || c.extends(b, t) || c.extends(t, b) {
		return
	}
	if t.stub() && !c.reachesDown(b, t.num) {
		return // claimed before a restart: what lies below is not known yet
	}
	if b.savanna && !(b.qcNum > t.qcNum && c.outvoted(t, b)) || !b.savanna && c.legacyRank(b, t) <= 0 {
		return
	}
	c.lineage.dead, c.lineage.recheck = true, true
	c.alarm(ReasonLineageDead, nil, b)
	c.head = nil
	best := b
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.verified && x.public && !x.stub() && !c.extends(x, t) && c.better(x, best) {
			best = x
		}
	}
	c.head = best
}
