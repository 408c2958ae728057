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
	if b.learned || b.tried[s.id] || (b.peer != 0 && c.sessions[b.peer] != nil && c.since(b.asked) < bootPatience) {
		return
	}
	b.tried[s.id] = true
	b.peer, b.target, b.asked = s.id, s.headID, c.now.Mono
	if s.headID == s.rootID || s.headNum == 0 {
		c.bootDone(true)
		return
	}
	c.ask(s, s.rootID)
	c.timers.add(c.now.Mono+bootPatience, timer{kind: timerBoot})
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

func (c *Core) bootDone(learned bool) {
	b := &c.boot
	b.done = true
	b.learned = b.learned || learned
	c.lineage.recheck = true
}

// ask requests the blocks behind from, which the peer must know: an unknown id brings a go_away.
func (c *Core) ask(s *session, from p2pwire.ID) {
	c.sendControl(s, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{from}}})
}

// askGap is the least time between two requests for missing blocks to one peer.
const askGap = 500 * time.Millisecond

// fetchGap asks the sender of a block with an unknown parent for what is missing, from the newest
// block of the public chain that it sent us itself, or from its root.
func (c *Core) fetchGap(s *session) {
	if c.since(s.lastPush) < askGap {
		return
	}
	s.lastPush = c.now.Mono
	from := s.rootID
	x := c.head
	for range 64 {
		if x == nil || x.num <= s.rootNum {
			break
		}
		if x.source == s.id && x.frame != nil {
			from = x.id
			break
		}
		x = c.blocks.get(x.prev)
	}
	if !from.IsZero() {
		c.ask(s, from)
	}
}
