package core

import (
	"time"

	"bprelay/p2pwire"
)

// A nodeos whose chain thread is stuck still answers time messages: those are the network threads' work. Whether it
// applies blocks shows only when it is asked for one. request catch_up is answered with the blocks behind the
// one it names up to the applied head: asked with the parent of the public head, by one block, or by nothing while
// the node is behind. An id that nodeos does not know costs the link, so it is one that the node has for a while.

// appliedProbe is what a node was asked to tell whether it applies blocks.
type appliedProbe struct {
	num     uint32        // the block it was asked for; 0: nothing is outstanding
	at      time.Duration // when
	answers bool          // it answered one on this session
	missed  int           // how many it did not answer, the last ones in a row
}

const (
	// probeNear is how long before our run our nodes are asked, probeEvery how often.
	probeNear, probeEvery = 3 * eve, 500 * time.Millisecond
	// probeSettled is how old the public head is by then: each node had the time to apply it.
	probeSettled = 300 * time.Millisecond
	// probeWait is how long the answer may take.
	probeWait = 500 * time.Millisecond
	// probesMissed is how many it takes: a node that is busy may be behind for a block or two.
	probesMissed = 3
)

func (p *appliedProbe) stuck() bool { return p.missed >= probesMissed }

// watchApplied asks the nodes that could lead our next run for the public head, shortly before it begins, and counts
// how often those that take time messages did not have it.
func (c *Core) watchApplied() {
	in, until := c.run()
	for _, n := range c.reign.nodes {
		p, s := &n.applied, n.s
		if s == nil || s.closing || s.sync != nil || !n.cfg.Role.produces() {
			continue
		}
		if p.num != 0 && c.since(p.at) > probeWait+s.rtt {
			if p.num = 0; p.answers && !n.hung && s.heard > p.at {
				p.missed++
			}
		}
		h := c.head
		if in || until > probeNear || h == nil || c.since(h.arrived) < probeSettled || !s.has(h) ||
			p.num != 0 || p.at != 0 && c.since(p.at) < probeEvery {
			continue
		}
		if x := c.blocks.get(h.prev); x == nil || !s.has(x) || c.since(x.arrived) < probeWait {
			continue
		}
		p.num, p.at = h.num, c.now.Mono
		c.sendControl(s, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{h.prev}}})
	}
}

// sawBlock notes that a node sent a block: whatever is below it was applied.
func (n *node) sawBlock(num uint32) {
	p := &n.applied
	if p.num != 0 && num >= p.num {
		p.answers = p.answers || num == p.num // a later one is its own, made in the meantime
		p.num = 0
	}
	p.missed = 0
}
