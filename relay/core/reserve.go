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
	// trusted: nobody could take it, and its source had been right about this key before.
	trusted bool
	given   lanes
}

// keepVote puts a vote into the reserve; given are the nodes that were sent it.
func (c *Core) keepVote(b *buf, by SessionID, given lanes, trusted bool) {
	v, err := p2pwire.ParseVote(p2pwire.Frame(b.b).Body())
	if err != nil || c.blocks.get(v.BlockID) == nil {
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
		at: c.now.Mono, by: by, given: given, trusted: trusted && by == 0,
	}
}

// proven tells whether a node of ours took a vote and kept its link: a bad one would cost the link of
// the node that is to take over. Who was suspended has taken nothing.
func (c *Core) proven(k *keptVote) bool {
	for _, s := range c.internal {
		if k.given.has(s.lane) && !s.closing && c.since(k.at) >= c.cfg.SurviveAfter && (!s.answers || s.heard >= k.at) {
			return true
		}
	}
	for _, n := range c.reign.nodes {
		if k.by != 0 && n.lastID == k.by && n.s == nil {
			return n.gone-k.at >= c.cfg.SurviveAfter && n.heard >= k.at
		}
	}
	return false
}

// countsFor tells whether a vote would be news to a held node, for a block it has and may still vote on.
func (c *Core) countsFor(k *keptVote, n *node, above uint32) bool {
	if k.frame == nil || k.given.has(n.s.lane) {
		return false
	}
	e := c.blocks.get(k.block)
	return e != nil && e.public && e.id != n.back && n.s.has(e) && e.num > above && (k.trusted || c.proven(k))
}

// irreversible is the highest block that a held node takes for irreversible: a vote for it does not count.
// It is two certificates below the head.
func (c *Core) irreversible(n *node) uint32 {
	h := c.head
	if b := c.blocks.get(n.back); b != nil {
		h = c.blocks.get(b.prev)
	}
	if h == nil || !h.savanna {
		return n.s.rootNum
	}
	x := h
	for x != nil && x.num > h.qcNum {
		x = c.blocks.get(x.prev)
	}
	if x == nil {
		return n.s.rootNum
	}
	return max(n.s.rootNum, x.qcNum)
}

// reserveOf counts the votes that would free a node.
func (c *Core) reserveOf(n *node) int {
	if n.s == nil {
		return 0
	}
	count, above := 0, c.irreversible(n)
	for i := range c.reign.reserve.votes {
		if c.countsFor(&c.reign.reserve.votes[i], n, above) {
			count++
		}
	}
	return count
}

// giveVotes frees a node: the newest votes it never had, each of another finalizer.
func (c *Core) giveVotes(n *node) {
	r := &c.reign.reserve
	var picked [releaseVotes]*keptVote
	count, above := 0, c.irreversible(n)
newest:
	for i := range reserveVotes {
		k := &r.votes[(r.next-1-i+2*reserveVotes)%reserveVotes]
		if count == releaseVotes {
			break
		}
		if !c.countsFor(k, n, above) {
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
}

// clearLane forgets that a session got votes, whose lane is given to another.
func (r *reserve) clearLane(lane int) {
	for i := range r.votes {
		r.votes[i].given.clear(lane)
	}
}

// origin tells whose finalizer key it is, by who brings its votes here first: our own nodes or, valid
// ones, the network. What our finalizers vote may flow to held nodes. A node of ours with another way to
// the network brings the votes of others, too: a key of which the network was first lately is not ours.
type origin struct {
	told         bool          // whose it is is not learned: it is configured as ours, or nodes have another relay as well
	mine         bool          // told: it is ours
	ours, theirs uint32        // votes since the network, or one of our nodes, was first
	heard        time.Duration // when any vote came from the network last, proven or not
	unlisted     bool          // told to a human: our nodes vote by it, and it is not configured
}

const (
	maxOrigins = 512
	// ourStreak is how many votes our nodes have to bring first in a row for a key of which the network
	// was first to be ours: those that left before this relay was started come back that way.
	ourStreak = 40
	// unlistedVotes is how many votes by a key that is not configured it takes to tell of it.
	unlistedVotes = 4
	// voterAge is how long a foreign finalizer counts as heard.
	voterAge = 30 * time.Second
)

func (c *Core) origin(key []byte) *origin {
	h := maphash.Bytes(c.canary.seed, key)
	o := c.reign.origins[h]
	if o == nil {
		if len(c.reign.origins) >= maxOrigins {
			c.dropOrigins()
		}
		_, mine := c.finalizers[[p2pwire.FinalizerKeySize]byte(key)]
		o = &origin{told: c.cfg.Cluster != nil || mine, mine: mine}
		c.reign.origins[h] = o
	}
	return o
}

// dropOrigins makes room: keys that were not heard lately go, and if that does not help all of them.
func (c *Core) dropOrigins() {
	for h, o := range c.reign.origins {
		if o.ours == 0 && c.since(o.heard) > voterAge {
			delete(c.reign.origins, h)
		}
	}
	if len(c.reign.origins) >= maxOrigins {
		clear(c.reign.origins)
	}
}

// voteFrom notes that a new, valid vote by a key came from a side.
func (c *Core) voteFrom(side Side, key []byte) *origin {
	o := c.origin(key)
	if side == Internal {
		o.ours++
		if o.ours >= ourStreak {
			o.theirs = 0
		}
		return o
	}
	o.theirs, o.ours = o.theirs+1, 0
	o.heard = max(c.now.Mono, 1)
	return o
}

// checkListed tells of a key by which our nodes vote and that is not among the configured ones.
func (c *Core) checkListed(o *origin, key []byte) {
	if len(c.finalizers) == 0 || o.unlisted || o.told || !o.own() || o.ours < unlistedVotes {
		return
	}
	o.unlisted = true
	c.warn(ReasonFinalizerUnlisted, p2pwire.FinalizerKeyText([p2pwire.FinalizerKeySize]byte(key)))
}

// own tells whether a key is of a finalizer of ours.
func (o *origin) own() bool {
	if o.told {
		return o.mine
	}
	return o.ours > 0 && o.theirs == 0
}

// foreigners counts the foreign finalizers that were heard lately.
func (c *Core) foreigners() int {
	n := 0
	for _, o := range c.reign.origins {
		if o.heard != 0 && !o.own() && c.since(o.heard) <= voterAge {
			n++
		}
	}
	return n
}
