package core

import (
	"time"
)

// nodeHandshake acts on what one of our nodes says of its chain.
func (c *Core) nodeHandshake(s *session) {
	c.timers.add(c.now.Mono+sayGap, timer{kind: timerRetry}) // what waits for that, see hushed
	first := s.headSeen == 0
	s.headSeen++
	c.nameRoot(s)
	head := c.blocks.get(s.headID)
	if head == nil {
		head = c.stub(s.headID)
	}
	c.markChain(s, head) // first of all: nothing that it has is to be tried on it
	if head != nil {
		head.taken = true
		c.relink(head)
		by := lanesOf(s)
		c.vouch(head, &by)
	}
	if !first {
		c.spoke(s, head)
	}
	behind := c.head != nil && !s.reaches(c, head)
	switch {
	case !behind:
		if first {
			c.mirror(s)
		}
	case head != nil && !head.stub(), s.headNum >= c.head.num, c.rootInRing(s):
		if first {
			c.mirror(s)
		} else if c.since(s.lastPush) < pushGap {
			break
		}
		s.lastPush = c.now.Mono
		c.unmark(s, head)
		c.markChain(s, head)
		c.stopSync(s)
		c.deliver(s, c.head, false)
	default:
		if first {
			// The first answer must come at once and with generation 1.
			c.claimHead(s)
		}
		c.startSync(s)
	}
	if head != nil && head.stub() {
		c.lineage.recheck = true
	}
	if first {
		c.timers.add(c.now.Mono+c.cfg.SurviveAfter, timer{kind: timerHead, session: s.id})
		c.nodeBack(s)
		c.retry()
	}
}

// relink links a block that has come to be known otherwise than through its parent, and what waited
// for it.
func (c *Core) relink(b *block) {
	c.link(b, func(x *block) {
		if x.frame != nil && x.public {
			c.linkedBlock(x)
		}
	})
}

// nameRoot makes the session's root known, if the ring does not reach that far. What builds on the root
// of one of our nodes is linked: it has that.
func (c *Core) nameRoot(s *session) {
	if s.info.Side == Internal {
		if b := c.stub(s.rootID); b != nil && !b.own {
			b.taken = true
			c.relink(b)
		}
		return
	}
	if s.stubs < maxStubs {
		if c.blocks.get(s.rootID) == nil {
			s.stubs++
		}
		if b := c.stub(s.rootID); b != nil && !b.own {
			b.public = true
		}
	}
}

// maxStubs bounds the entries one network session can make by naming heads and roots.
const maxStubs = 16

// reaches tells whether the node's head is the public head or builds on it.
func (s *session) reaches(c *Core, head *block) bool {
	return head != nil && (head == c.head || (!head.stub() && c.extends(head, c.head)))
}

func (c *Core) rootInRing(s *session) bool {
	b := c.blocks.get(s.rootID)
	if b != nil && b.public && !b.stub() {
		return true
	}
	// The ring begins right above the root.
	for x := c.head; x != nil && x.num > s.rootNum; x = c.blocks.get(x.prev) {
		if x.frame == nil {
			return false
		}
		if x.num == s.rootNum+1 {
			return x.prev == s.rootID
		}
	}
	return false
}

// unmark forgets that a session has the public blocks that are not in its chain: it says that it
// lacks them.
func (c *Core) unmark(s *session, head *block) {
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.public && x.has.has(s.lane) && x.num > s.rootNum && (head == nil || x != head) {
			x.has.clear(s.lane)
		}
	}
}

// networkHandshake acts on what a network peer says of its chain.
func (c *Core) networkHandshake(s *session) {
	first := s.headSeen == 0
	s.headSeen++
	c.nameRoot(s)
	head := c.blocks.get(s.headID)
	if head == nil && s.stubs < maxStubs {
		s.stubs++
		head = c.stub(s.headID)
	}
	if head != nil && !head.own {
		head.public = true
		if head.taken {
			c.setVerified(head)
		}
	}
	if first {
		c.mirror(s)
		c.bootFrom(s)
	}
	if head == nil {
		return
	}
	if head.claimed {
		c.slotEcho(head, EchoHead, c.now.Mono)
	}
	head.has.set(s.lane)
	if !first && c.since(s.lastPush) < pushGap {
		return
	}
	c.resend(s, head)
}

// resend gives a network peer the own claimed blocks that its head shows it lacks, with what lies
// between.
func (c *Core) resend(s *session, head *block) {
	tip := c.lineage.tip
	if tip == nil || s.sync != nil || s.closing || tip == head || c.extends(head, tip) {
		return
	}
	if c.head != nil && c.extends(c.head, tip) {
		tip = c.head
	}
	if tip.stub() || (head.stub() && !c.extends(tip, head)) {
		return // its chain is unknown here: it will name a block we know when it has caught up
	}
	// What was written to it less than a round trip ago may have crossed the handshake.
	old := tip
	for old != nil && old.claimed && old.has.has(s.lane) && c.since(s.given(old)) <= s.trip()+crossing {
		old = c.blocks.get(old.prev)
	}
	if old == nil || c.extends(head, old) {
		return
	}
	if head.id == s.resent && c.since(s.lastPush) < resendGap {
		return // it could not use them: more of the same does not help
	}
	s.resent, s.lastPush = head.id, c.now.Mono
	for x := tip; x != nil && x != head && x.num > s.rootNum; x = c.blocks.get(x.prev) {
		x.has.clear(s.lane)
	}
	base := c.fork(tip, head)
	if base != nil && base.num >= s.rootNum && c.lacksOwn(tip, base) {
		c.startPush(s, base.id, tip.id)
	}
}

// resendGap is the least time between two resends to a peer that stays at the same head.
const resendGap = 2 * time.Second

// given is when a claimed block that a session has was written to it.
func (s *session) given(b *block) time.Duration {
	if b.num >= s.gaveFrom {
		return max(b.left, s.gaveAt)
	}
	return b.left
}

// trip is the round trip to a peer, or what it may be as long as that was not measured.
func (s *session) trip() time.Duration {
	if !s.answers {
		return unknownTrip
	}
	return s.rtt
}

// unknownTrip is above the round trip between any two places.
const unknownTrip = 300 * time.Millisecond

// crossing is added to the measured round trip, which is that of an idle moment.
const crossing = 10 * time.Millisecond

// lacksOwn tells whether a claimed block lies above base.
func (c *Core) lacksOwn(tip, base *block) bool {
	for x := tip; x != nil && x != base; x = c.blocks.get(x.prev) {
		if x.claimed {
			return true
		}
	}
	return false
}
