package core

import (
	"time"

	"bprelay/p2pwire"
)

// bootstrap learns the recent public chain from the network after a start, before any candidate is
// judged: the peer's reversible blocks, from its root to its head.
type bootstrap struct {
	done    bool // candidates may be judged
	learned bool // a network peer has answered
	peer    SessionID
	target  p2pwire.ID // the head that peer named
	asked   time.Duration
	tried   map[SessionID]bool
	orphans int // blocks in the table whose parent is unknown
}

const (
	// bootPatience is how long one peer may take before the next is asked.
	bootPatience = time.Second
	// bootLimit is how long after the start candidates wait for a network peer at all.
	bootLimit = 3 * time.Second
)

func (b *bootstrap) init(c *Core) {
	b.tried = make(map[SessionID]bool)
	c.timers.add(c.now.Mono+bootLimit, timer{kind: timerBoot})
}

// bootFrom asks a network peer that just became ready, if nobody is being asked.
func (c *Core) bootFrom(s *session) {
	b := &c.boot
	if !s.info.Dialled && c.dialledPeers() {
		return // whoever connects to us comes second
	}
	if b.learned || b.tried[s.id] {
		return
	}
	if other := c.sessions[b.peer]; other != nil && c.since(b.asked) < bootPatience && (other.info.Dialled || !s.info.Dialled) {
		return // that one is being asked
	}
	b.tried[s.id] = true
	b.peer, b.target, b.asked = s.id, s.headID, c.now.Mono
	if root := c.blocks.get(s.rootID); root != nil {
		root.base = true
		c.relink(root)
	}
	if s.headID == s.rootID || s.headNum == 0 {
		// It has nothing to show yet; its next block will do, or what another one has.
		b.asked = c.now.Mono - bootPatience
		c.bootDone(false)
		return
	}
	c.ask(s, s.rootID)
	c.timers.add(c.now.Mono+bootPatience, timer{kind: timerBoot})
}

// dialledPeers tells whether there is a network peer that was chosen by configuration.
func (c *Core) dialledPeers() bool {
	for _, s := range c.sessions {
		if s.info.Side == Network && s.info.Dialled && !s.closing {
			return true
		}
	}
	return false
}

// bootStep goes on to the next peer, or gives up waiting.
func (c *Core) bootStep() {
	b := &c.boot
	if b.learned {
		return
	}
	if c.since(c.started.Mono) >= bootLimit && !b.done {
		c.bootDone(false)
	}
	for _, s := range c.network {
		if !b.tried[s.id] && !s.closing {
			c.bootFrom(s)
			return
		}
	}
}

// saw notes a block the network sent; the one we asked up to ends the bootstrap.
func (b *bootstrap) saw(c *Core, e *block) {
	if !b.learned && b.peer != 0 && (e.id == b.target || (e.num > b.target.Num() && c.blocks.get(e.prev) != nil)) {
		c.bootDone(true)
	}
}

// under tells that a peer's answer is coming in: which of it our nodes have shows at its end.
func (b *bootstrap) under() bool { return !b.done && b.peer != 0 }

// bootDone ends the wait. What our nodes named as their heads is now known with its ancestors.
func (c *Core) bootDone(learned bool) {
	b := &c.boot
	b.done = true
	b.learned = b.learned || learned
	c.lineage.recheck = true
	for _, s := range c.internal {
		if head := c.blocks.get(s.headID); head != nil && !head.stub() && head.linked {
			by := lanesOf(s)
			c.vouch(head, &by)
			c.markChain(s, head)
		}
	}
	c.retry()
}

// ask requests the blocks behind from, which the peer must know: an unknown id brings a go_away.
func (c *Core) ask(s *session, from p2pwire.ID) {
	s.asked = c.now.Mono
	c.sendControl(s, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{from}}})
}

// askGap is the least time between two requests for missing blocks to one peer.
const askGap = 500 * time.Millisecond

// missingBelow is the block that the lowest of a chain of orphans lacks; prev is the parent of its top.
func (c *Core) missingBelow(prev p2pwire.ID) p2pwire.ID {
	for p := c.blocks.get(prev); p != nil && p.counted; p = c.blocks.get(prev) {
		prev = p.prev
	}
	return prev
}

// fetchGap asks a network peer for a block that is missing, and for what lies between: from the newest
// linked block beneath that the peer or one of our nodes has, even if the peer's root has moved past it. A
// peer on another branch than that one answers from its root, which may lie above the hole: as long as that is
// there it is asked from further below, by a round and more, down to what is irreversible to our nodes, and
// then from the top again. Without any, from the peer's root.
func (c *Core) fetchGap(s *session, missing p2pwire.ID) {
	if c.since(s.lastPush) < askGap {
		return
	}
	s.lastPush = c.now.Mono
	limit, lib := missing.Num(), c.lib()
	h := &s.hole
	if h.from > lib && missing.Num() <= h.missing.Num() && c.since(s.asked) < askedFor {
		h.step = max(p2pwire.RoundSlots, 2*h.step)
		limit = min(limit, max(h.from-min(h.from, h.step), lib)+1)
	} else {
		*h = hole{}
	}
	h.missing, h.from = missing, 0
	var from *block
	for i := range c.blocks.n {
		x := c.blocks.at(i)
		if x.linked && x.public && x.num < limit && (x.verified || x.has.has(s.lane)) && (from == nil || x.num > from.num) {
			from = x
		}
	}
	switch {
	case from != nil:
		h.from = from.num
		c.ask(s, from.id)
	case s.rootNum <= missing.Num() && s.rootNum > 0:
		c.ask(s, s.rootID)
	}
}

// hole is what a network peer was asked for, and from where.
type hole struct {
	missing p2pwire.ID // the block at its top
	from    uint32     // number of the block that was named last, 0: none was
	step    uint32     // how far below that the next one is
}

// fetchBytes asks for a block above the public head of which only the id is known: a node named it, or its
// bytes were thrown out with others'; and b builds on it. A catch-up ends at the head and would not bring
// it. Who has b is asked, one after the other.
func (c *Core) fetchBytes(x, b *block) {
	if x.frame != nil || c.head == nil || x.num <= c.head.num {
		return
	}
	var from *session
	for _, n := range c.network {
		if !n.closing && b.has.has(n.lane) && (from == nil || n.asked < from.asked) {
			from = n
		}
	}
	if from != nil {
		c.fetchGap(from, x.id)
	}
}
