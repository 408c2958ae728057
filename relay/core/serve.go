package core

import (
	"bprelay/p2pwire"
)

// mayShow tells whether a block may be written to the network: an own producer's only if it has its
// slot, wherever it came from.
func (c *Core) mayShow(b *block) bool {
	if c.own[b.producer] == nil {
		return true
	}
	id, ok := c.claims.Get(uint64(b.producer), uint32(b.slot))
	return ok && id == b.id
}

// request serves a peer that asks for blocks.
func (c *Core) request(s *session, r *p2pwire.Request) {
	if r.Blocks.Mode != p2pwire.ListCatchUp && r.Blocks.Mode != p2pwire.ListNormal {
		return
	}
	var from *block
	if len(r.Blocks.IDs) > 0 {
		from = c.blocks.get(r.Blocks.IDs[0])
	}
	if s.info.Side == Internal && s.sync != nil && s.sync.far {
		if !s.sync.asked {
			if len(r.Blocks.IDs) > 0 && !c.leftOut(r.Blocks.IDs[0]) {
				s.sync.tip = r.Blocks.IDs[0]
			}
			c.fetchFor(s)
		}
		return
	}
	if s.sync != nil || c.head == nil || c.since(s.lastPush) < pushGap {
		return
	}
	base := s.rootID
	if from != nil && from.public && c.extends(c.head, from) {
		base = from.id
	}
	s.lastPush = c.now.Mono
	if s.info.Side == Internal {
		c.unmark(s, from)
		c.markChain(s, from)
		c.deliver(s, c.head, false)
		return
	}
	c.startPush(s, base, p2pwire.ID{})
}

// leftOut tells whether an id is known to be none of the public chain's: a node that was on a branch of
// its own names it, and no peer has anything to give behind it.
func (c *Core) leftOut(id p2pwire.ID) bool {
	x := c.head
	for x != nil && x.num > id.Num() {
		x = c.blocks.get(x.prev)
	}
	return x != nil && x.id != id
}

// syncRequest serves a range from the ring, as far as it goes.
func (c *Core) syncRequest(s *session, r p2pwire.SyncRequest) {
	if r.End == 0 || c.head == nil || s.sync != nil || c.since(s.lastPush) < pushGap {
		return
	}
	s.lastPush = c.now.Mono
	goal := c.head
	for x := c.head; x != nil && x.frame != nil && x.num >= r.Start; x = c.blocks.get(x.prev) {
		if x.num >= r.End {
			goal = x
		}
		if x.num == r.Start {
			c.startPush(s, x.prev, goal.id)
			return
		}
	}
}
