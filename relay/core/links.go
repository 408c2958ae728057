package core

import "bprelay/p2pwire"

const (
	// linkFacts is how many comings and goings of our nodes are remembered, knownNodes how many nodes.
	linkFacts  = 256
	knownNodes = 32
)

// linkBook remembers when our nodes came and went.
type linkBook struct {
	facts [linkFacts]linkFact // ring
	next  int
	nodes []linkNode
}

type linkNode struct {
	name string
	up   bool
}

// linkFact is the moment a node's link came up or went down.
type linkFact struct {
	at   int64 // Wall, 0: no fact
	name string
	up   bool
	why  Reason // down: why the session ended; none: it could not be dialled
}

// linkState is a node's link around the moment a block was due. Offsets are from the slot's timestamp.
type linkState struct {
	up   bool // there was a session when the block was due
	went bool // it went down at downAt: before the block was due if not up, else after
	down int64
	why  Reason
	came bool // it was back at upAt, later than that
	upAt int64
}

// linkNoted notes that a node's session began or ended, or that it could not be dialled. A node that
// has another session stays up.
func (c *Core) linkNoted(name string, up bool, why Reason) {
	b := &c.slots.links
	var n *linkNode
	for i := range b.nodes {
		if b.nodes[i].name == name {
			n = &b.nodes[i]
		}
	}
	if n == nil {
		if len(b.nodes) == knownNodes && !b.forgetNode() {
			return
		}
		b.nodes = append(b.nodes, linkNode{name: name})
		n = &b.nodes[len(b.nodes)-1]
	} else if n.up == up {
		return
	}
	if !up {
		for _, s := range c.internal {
			if s.Name() == name {
				return
			}
		}
	}
	n.up = up
	b.facts[b.next] = linkFact{at: c.wall(), name: name, up: up, why: why}
	b.next = (b.next + 1) % linkFacts
}

// forgetNode makes room by dropping a node that is not there.
func (b *linkBook) forgetNode() bool {
	for i := range b.nodes {
		if !b.nodes[i].up {
			b.nodes = append(b.nodes[:i], b.nodes[i+1:]...)
			return true
		}
	}
	return false
}

// at is the state of a node's link when a slot's block was due.
func (b *linkBook) at(n *linkNode, slot p2pwire.Slot, due int64) linkState {
	due += slot.Time()
	l := linkState{up: n.up}
	after := false
	for i := range linkFacts {
		f := &b.facts[(b.next+i)%linkFacts]
		if f.at == 0 || f.name != n.name {
			continue
		}
		at := f.at - slot.Time()
		switch {
		case f.at <= due && f.up:
			l = linkState{up: true}
		case f.at <= due:
			l = linkState{went: true, down: at, why: f.why}
		case !after && f.up:
			// Back again, or here for the first time.
			after = true
			l.up, l.came, l.upAt = false, true, at
		case !after:
			after = true
			l.up, l.went, l.down, l.why = true, true, at, f.why
		case f.up && !l.came:
			l.came, l.upAt = true, at
		}
	}
	return l
}

// addLinks completes a slot's record with the state of all nodes' links, and with the nodes that sent
// nothing.
func (c *Core) addLinks(r *slotRecord) {
	b := &c.slots.links
	for i := range b.nodes {
		if n := r.node(b.nodes[i].name); n != nil {
			n.link = b.at(&b.nodes[i], r.slot, r.due)
		}
	}
}
