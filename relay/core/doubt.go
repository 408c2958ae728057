package core

import "bprelay/p2pwire"

// doubts are the restored claims that the cluster has not confirmed in this life. In a cluster the journal
// only forbids: no other block of such a slot leaves here. The block itself leaves when the cluster agrees
// to it or has claimed it, or when the network shows it: the relay may have died between the decision and
// the writing, and the others may have decided since. Standalone there is nobody to ask, and no doubt.
type doubts map[slotOf]bool // true: a cluster agreed to it, and no other block can have the slot

type slotOf struct {
	producer p2pwire.Name
	slot     p2pwire.Slot
}

// doubt notes what a cluster has to confirm.
func (c *Core) doubt(r *Restored) {
	if c.cfg.Cluster == nil {
		return
	}
	c.doubts = make(doubts, len(r.Claims))
	for i := range r.Claims {
		if cl := &r.Claims[i]; !cl.Foreign { // else the network had it
			c.doubts[slotOf{cl.Producer, cl.Slot}] = false
		}
	}
	for i := range r.Agreed {
		cl := &r.Agreed[i]
		if id, ok := c.claims.Get(uint64(cl.Producer), uint32(cl.Slot)); ok && id == cl.ID && !cl.Foreign {
			c.doubts[slotOf{cl.Producer, cl.Slot}] = true
		}
	}
}

// inDoubt tells whether a slot has its block by the journal's word alone, and whether another block may turn
// out to have it.
func (c *Core) inDoubt(producer p2pwire.Name, slot p2pwire.Slot) (doubted, open bool) {
	if len(c.doubts) == 0 {
		return false, false
	}
	agreed, doubted := c.doubts[slotOf{producer, slot}]
	return doubted, doubted && !agreed
}

// settled ends the doubt about a slot: it has the block that the book says.
func (c *Core) settled(cl Claim) (doubted, open bool) {
	if doubted, open = c.inDoubt(cl.Producer, cl.Slot); doubted {
		delete(c.doubts, slotOf{cl.Producer, cl.Slot})
		c.lineage.recheck = true
	}
	return doubted, open
}

// confirm is settled, by somebody's word whom the journal did not hear.
func (c *Core) confirm(cl Claim) (doubted bool) {
	doubted, open := c.settled(cl)
	if open {
		c.record(cl)
	}
	return doubted
}

// record tells the journal what the cluster decided.
func (c *Core) record(cl Claim) {
	if r, ok := c.claimer.(ClaimRecorder); ok {
		cl.Foreign = false
		r.Record(c.now, cl)
	}
}

// overrule gives a slot to another block than the one that the journal had for it: by the cluster's word, or
// the network's. That is possible only if nobody else can have agreed to the journal's, and the network has
// not shown it.
func (c *Core) overrule(cl Claim) bool {
	id, _ := c.claims.Get(uint64(cl.Producer), uint32(cl.Slot))
	x := c.blocks.get(id)
	if _, open := c.inDoubt(cl.Producer, cl.Slot); !open || x != nil && x.public && x.verified {
		return false
	}
	c.claims.Replace(uint64(cl.Producer), uint32(cl.Slot), cl.ID)
	delete(c.doubts, slotOf{cl.Producer, cl.Slot})
	c.lineage.recheck = true
	if x != nil && c.lineage.tip == x {
		c.lineage.tip = nil
	}
	return true
}

// tipInDoubt tells whether the lineage ends in a block that may turn out not to have its slot.
func (c *Core) tipInDoubt() bool {
	t := c.lineage.tip
	if t == nil {
		return false
	}
	_, open := c.inDoubt(t.producer, t.slot)
	return open
}
