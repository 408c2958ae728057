package core

import "bprelay/p2pwire"

// Restored is what a journal knows of the time before this start.
type Restored struct {
	// Claims are the slots that have their block. That very block may still go out, another never; in a
	// cluster it goes out when that confirms it, and one that is not in Agreed gives way to its word.
	Claims []Claim
	// Agreed are those of Claims that the other relays of a cluster agreed to.
	Agreed []Claim
	// Floor closes itself and every slot below to new claims.
	Floor p2pwire.Slot
	// Votes say up to which slot votes may have left.
	Votes []VoteMark
	// Complete tells that no claim made before this start can be missing. The last claim then is
	// the lineage's tip.
	Complete bool
	// Fences are, per own producer, the last slot closed to new ids: above it every claim there can
	// be is known. A producer that is missing here has Config.StartFence.
	Fences map[p2pwire.Name]p2pwire.Slot
}

// restore takes over what was decided before this start.
func (c *Core) restore(r *Restored) {
	for name, fence := range r.Fences {
		if op := c.own[name]; op != nil {
			op.fence = fence.Time() + int64(p2pwire.SlotDuration) - 1
		}
	}
	var last *Claim
	for i := range r.Claims {
		cl := &r.Claims[i]
		c.claims.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID)
		if !cl.Foreign && (last == nil || cl.Slot > last.Slot) {
			last = cl
		}
	}
	c.claims.SetFloor(uint32(r.Floor))
	c.doubt(r)
	if last == nil || !r.Complete {
		return // what is missing may have been the last
	}
	// Its bytes come from a node or from the network; until then only its id is known.
	tip := c.stub(last.ID)
	if tip == nil {
		return
	}
	tip.slot, tip.producer = last.Slot, last.Producer
	c.lineage.tip = tip
}

// claimedBefore tells whether a candidate that has its slot got it before a restart: in one life
// blocks are claimed in rising order.
func (c *Core) claimedBefore(e *block) bool {
	t := c.lineage.tip
	return t != nil && e.slot <= t.slot
}

// fencedUntil is the last slot of any own producer that is closed because of a start.
func (c *Core) fencedUntil() p2pwire.Slot {
	var last p2pwire.Slot
	for name := range c.own {
		last = max(last, c.fenceSlot(name))
	}
	return last
}
