package core

import (
	"hash/maphash"
	"time"

	"bprelay/p2pwire"
)

// reserve keeps the last votes of foreign finalizers: those that a held node never got are what frees
// it. nodeos counts a vote only once, and only for a block above its root.
type reserve struct {
	votes [reserveVotes]keptVote // ring
	next  int
}

const (
	// reserveVotes is two seconds' worth of votes of 32 finalizers.
	reserveVotes = 128
	// releaseVotes is how many of them a release takes, by different finalizers: one suffices, if it
	// still counts.
	releaseVotes = 4
)

// keptVote is one vote of a foreign finalizer.
type keptVote struct {
	frame *buf
	block p2pwire.ID
	key   uint64 // hash of the finalizer key
	at    time.Duration
	by    SessionID // a node that was given it, 0 if none was
	given lanes
}

// keepVote puts a vote into the reserve; given are the nodes that were sent it.
func (c *Core) keepVote(b *buf, by SessionID, given lanes) {
	v, err := p2pwire.ParseVote(p2pwire.Frame(b.b).Body())
	if err != nil {
		return
	}
	r := &c.reign.reserve
	k := &r.votes[r.next]
	r.next = (r.next + 1) % reserveVotes
	if k.frame != nil {
		c.pool.release(k.frame)
	}
	*k = keptVote{
		frame: b.retain(), block: v.BlockID, key: maphash.Bytes(c.canary.seed, v.FinalizerKey()),
		at: c.now.Mono, by: by, given: given,
	}
}

// proven tells whether a node of ours took a vote and kept its link: a bad one would cost the link of
// the node that is to take over.
func (c *Core) proven(k *keptVote) bool {
	if k.by == 0 {
		return false
	}
	end := c.now.Mono
	if s := c.sessions[k.by]; s == nil || !s.ready || s.closing {
		end = c.canary.left // when a node closed its link last: no earlier than this one can have
		for _, n := range c.reign.nodes {
			if n.lastID == k.by {
				end = n.gone
			}
		}
	}
	return end-k.at >= c.cfg.SurviveAfter
}

// counts tells whether a vote would be news to a held node, for a block it has and may still vote on.
func (c *Core) countsFor(k *keptVote, n *node) bool {
	if k.frame == nil || k.given.has(n.s.lane) || !c.proven(k) {
		return false
	}
	e := c.blocks.get(k.block)
	return e != nil && e.public && e.id != n.back && n.s.has(e) && e.num > n.s.rootNum &&
		(c.head == nil || e.num+reversible > c.head.num)
}

// reversible is how far below the head a vote may be to count: Savanna makes a block irreversible two
// or three blocks later.
const reversible = 4

// reserveOf counts the votes that would free a node.
func (c *Core) reserveOf(n *node) int {
	if n.s == nil {
		return 0
	}
	count := 0
	for i := range c.reign.reserve.votes {
		if c.countsFor(&c.reign.reserve.votes[i], n) {
			count++
		}
	}
	return count
}

// giveVotes frees a node: the newest votes it never had, each of another finalizer.
func (c *Core) giveVotes(n *node) int {
	r := &c.reign.reserve
	var picked [releaseVotes]*keptVote
	count := 0
newest:
	for i := range reserveVotes {
		k := &r.votes[(r.next-1-i+2*reserveVotes)%reserveVotes]
		if count == releaseVotes {
			break
		}
		if !c.countsFor(k, n) {
			continue
		}
		for _, p := range picked[:count] {
			if p.key == k.key {
				continue newest
			}
		}
		picked[count] = k
		count++
	}
	for i := count - 1; i >= 0; i-- { // the oldest first, as they came
		picked[i].given.set(n.s.lane)
		c.sendVote(n.s, picked[i].frame)
	}
	return count
}

// clearReserve forgets that a session got votes, whose lane is given to another.
func (r *reserve) clearLane(lane int) {
	for i := range r.votes {
		r.votes[i].given.clear(lane)
	}
}

// origin tells whose finalizer key it is, by who brings its votes here first: our own nodes or, valid
// ones, the network. What our finalizers vote may flow to held nodes.
type origin struct{ ours, theirs uint32 }

const maxOrigins = 512

func (c *Core) origin(key []byte) *origin {
	h := maphash.Bytes(c.canary.seed, key)
	o := c.reign.origins[h]
	if o == nil {
		if len(c.reign.origins) >= maxOrigins {
			clear(c.reign.origins)
		}
		o = new(origin)
		c.reign.origins[h] = o
	}
	return o
}

// voteFrom notes that a new, valid vote by a key came from a side.
func (c *Core) voteFrom(side Side, key []byte) *origin {
	o := c.origin(key)
	if side == Internal {
		o.ours++
	} else {
		o.theirs++
	}
	if o.ours > 1<<16 || o.theirs > 1<<16 {
		o.ours, o.theirs = o.ours/2, o.theirs/2
	}
	return o
}

// own tells whether a key is of a finalizer of ours. A few of its votes may have come back through the
// network: those that left before this relay was started.
func (o *origin) own() bool { return o.ours > 4*o.theirs }

// foreigners counts the foreign finalizers that were heard.
func (t *takeover) foreigners() int {
	n := 0
	for _, o := range t.origins {
		if o.theirs > 0 && !o.own() {
			n++
		}
	}
	return n
}
