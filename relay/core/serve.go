package core

import (
	"bprelay/p2pwire"
)

// mayShow tells whether a block may be written to a network peer: an own producer's only if it has its
// slot, wherever it came from; and one that was claimed alone only in its time, to who was heard of lately.
func (c *Core) mayShow(s *session, b *block) bool {
	if c.own[b.producer] == nil {
		return true
	}
	id, ok := c.claims.Get(uint64(b.producer), uint32(b.slot))
	if doubted, _ := c.inDoubt(b.producer, b.slot); doubted {
		return false
	}
	return ok && id == b.id && (b.alone == 0 || c.now.Mono < b.alone && c.since(s.lastRecv) <= c.ha.fresh)
}

// private tells whether a block that a node names as its head is none the network would know: one kept
// inside, or one where the network has another.
func (c *Core) private(id p2pwire.ID) bool {
	if b := c.blocks.get(id); b != nil && (b.own || b.public) {
		return !b.public
	}
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.num == id.Num() && x.verified && x.public {
			return true
		}
	}
	return false
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
			if len(r.Blocks.IDs) > 0 && !c.private(r.Blocks.IDs[0]) {
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
