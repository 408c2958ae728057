package checker

import (
	"bprelay/p2pwire"
)

// RuleLineage (I2): an own block extends what is public, and within a run the last own block that
// left; unless the network went another way meanwhile, or the relay was started anew and knows of
// nothing. It is checked when [Checker.Network] tells what the network made.
const RuleLineage Rule = "lineage"

// Network tells of a genuine block of the network that the relay got at now (unix ns).
func (c *Checker) Network(now int64, b p2pwire.Block) {
	if c.network[b.ID] == nil {
		c.network[b.ID] = newSighting(now, now, b)
		c.rivals = append(c.rivals, c.network[b.ID])
	}
}

// Root tells the number of a root that the peer of a stream named.
func (c *Checker) Root(peer string, num uint32) {
	s := c.stream(peer)
	s.root = max(s.root, num)
}

// Restart tells that a relay starts, at now (unix ns).
func (c *Checker) Restart(now int64) { c.restarts = append(c.restarts, now) }

func newSighting(now, sent int64, b p2pwire.Block) *sighting {
	s := &sighting{id: b.ID, previous: b.Previous, producer: b.Producer, slot: b.Slot, num: b.Num, first: now, sent: sent}
	if b.HasQC {
		s.savanna, s.qcNum = true, b.QC.Num
	}
	return s
}

// known finds a public block.
func (c *Checker) known(id p2pwire.ID) *sighting {
	if s := c.blocks[id]; s != nil {
		return s
	}
	return c.network[id]
}

// lineage judges an own block that was just seen for the first time.
func (c *Checker) lineage(now int64, s *stream, b *sighting) {
	if len(c.network) == 0 {
		return
	}
	if !c.linked(now, s, b) {
		return
	}
	for _, pair := range [2][2]*sighting{{c.neighbour(b, -1), b}, {b, c.neighbour(b, 1)}} {
		before, after := pair[0], pair[1]
		if before != nil && after != nil && !after.adrift && !c.follows(after, before) && !c.released(before, after) {
			c.violate(RuleLineage, now, s, "%s slot %d: %s on %s instead of %s of slot %d", after.producer, after.slot, after.id.Short(), after.previous.Short(), before.id.Short(), before.slot)
		}
	}
}

// linked judges the parent of an own block that a stream brought. A peer that names a root at or above
// the parent says that it has that: it is not given it, and what it is given is no less public for that.
// Whoever else gets the block must be able to link it.
func (c *Checker) linked(now int64, s *stream, b *sighting) bool {
	b.adrift = c.known(b.previous) == nil && b.previous.Num() > 1
	if b.adrift && s.root < b.previous.Num() {
		c.violate(RuleLineage, now, s, "%s slot %d: %s on %s, which nobody has", b.producer, b.slot, b.id.Short(), b.previous.Short())
		return false
	}
	return true
}

// neighbour is the nearest own block of the same run in a direction.
func (c *Checker) neighbour(b *sighting, step int) *sighting {
	const reach = 3 * p2pwire.RoundSlots
	for i := 1; i <= reach; i++ {
		slot := b.slot + p2pwire.Slot(i*step)
		producer := c.producerAt(slot)
		if !c.own[producer] {
			return nil
		}
		if ids := c.slots[slotKey{producer, slot}]; len(ids) > 0 {
			return c.blocks[ids[0]]
		}
	}
	return nil
}

// follows tells whether an own block builds on another, at once or on what the network had of the run
// between them: another instance of ours may have let that out, and the run goes on behind it.
func (c *Checker) follows(after, before *sighting) bool {
	p := c.known(after.previous)
	for p != nil && p.id != before.id && c.own[p.producer] && p.slot > before.slot && p.first <= after.sent {
		p = c.known(p.previous)
	}
	return p != nil && p.id == before.id
}

// released tells whether the run may have gone on elsewhere than on before, when after left.
func (c *Checker) released(before, after *sighting) bool {
	for _, at := range c.restarts {
		if before.sent <= at && at <= after.sent {
			return true
		}
	}
	return c.overtaken(before, after.sent)
}

// overtaken tells whether the network had shown a branch by the time until that b is not on and that
// outdoes it: in Savanna by a certificate for a block of that branch, in legacy by its height, or by what is
// irreversible there.
func (c *Checker) overtaken(b *sighting, until int64) bool {
	for _, r := range c.rivals {
		if r.first > until || c.extends(r, b) || c.extends(b, r) {
			continue
		}
		if !r.savanna && (r.num > b.num || c.irreversible(r.id) > c.irreversible(b.id)) || r.savanna && r.qcNum > b.qcNum && r.qcNum > c.forkNum(r, b) {
			return true
		}
	}
	return false
}

// irreversible is Config.Irreversible, 0 without.
func (c *Checker) irreversible(id p2pwire.ID) uint32 {
	if c.cfg.Irreversible == nil {
		return 0
	}
	return c.cfg.Irreversible(id)
}

// Overtaken tells whether the network had left the branch of a public block by the time until (unix ns).
func (c *Checker) Overtaken(id p2pwire.ID, until int64) bool {
	b := c.known(id)
	return b != nil && c.overtaken(b, until)
}

// extends tells whether b is a or a known descendant of it.
func (c *Checker) extends(b, a *sighting) bool {
	for b != nil && b.num > a.num {
		b = c.known(b.previous)
	}
	return b == a || b != nil && b.id == a.id
}

// forkNum is the number of the newest known common ancestor, 0 if there is none.
func (c *Checker) forkNum(a, b *sighting) uint32 {
	for a != nil && b != nil && a.id != b.id {
		if a.num > b.num {
			a = c.known(a.previous)
		} else {
			b = c.known(b.previous)
		}
	}
	if a == nil || b == nil {
		return 0
	}
	return a.num
}
