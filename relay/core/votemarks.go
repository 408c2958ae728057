package core

import (
	"crypto/sha256"
	"math"
	"slices"

	"bprelay/p2pwire"
)

// VoteMark says that votes of one finalizer may have left for slots up to Slot.
type VoteMark struct {
	// Key is the SHA-256 of the finalizer's public key.
	Key  [32]byte
	Slot p2pwire.Slot
}

// VoteMarker makes marks durable. A vote leaves only when a durable mark covers its slot; marks are
// asked for ahead, so that normally no vote waits. Its methods are called on the loop and must not
// block.
type VoteMarker interface {
	// MarkVotes asks for a mark. The answer comes through VotesMarked.
	MarkVotes(now Instant, m VoteMark)
	// SettleVotes tells, at a clean end, which mark would have been enough. No vote leaves later.
	SettleVotes(now Instant, m VoteMark)
}

const (
	// voteReserve is how many slots (2 s) a mark reaches beyond the vote it is asked for: as many
	// votes are lost at most when a relay is killed.
	voteReserve = 4
	// voteMargin is how many slots before the mark's end the next one is asked for.
	voteMargin = 2
)

// cover makes sure that a mark covers the slot, or will; false means that the vote has to wait.
func (c *Core) cover(k *finalizer, slot p2pwire.Slot) bool {
	if slot+voteMargin > k.asked {
		k.asked = slot + voteReserve
		c.cfg.VoteMarker.MarkVotes(c.now, VoteMark{Key: k.id, Slot: k.asked})
	}
	return slot <= k.mark
}

// VotesMarked brings the answer to MarkVotes; ok false means that the mark was not made durable.
func (c *Core) VotesMarked(now Instant, m VoteMark, ok bool) {
	c.enter(now)
	defer c.settle()
	for _, k := range c.votes.keys {
		if k.id != m.Key {
			continue
		}
		if ok {
			k.mark = max(k.mark, m.Slot)
		} else if k.asked == m.Slot {
			k.asked = k.mark // the next vote asks again
		}
		c.votes.marked(c, k, ok)
		return
	}
}

// marked lets the votes go that waited for a mark of their finalizer, or drops them without one.
func (v *voteBook) marked(c *Core, k *finalizer, ok bool) {
	var mine []waitingVote
	v.waiting = slices.DeleteFunc(v.waiting, func(w waitingVote) bool {
		if !w.unmarked || v.keys[w.key] != k {
			return false
		}
		mine = append(mine, w)
		return true
	})
	for _, w := range mine {
		if e := c.blocks.get(w.block); !ok || e == nil || !e.public || e.withheld {
			c.stats.Dropped[ReasonVoteUnmarked]++
		} else {
			c.emitVote(w.node, w.proc, e, w.key, w.frame)
		}
		c.pool.release(w.frame)
	}
}

// settle tells the exact marks, now that no more votes leave.
func (v *voteBook) settle(c *Core) {
	for _, k := range v.keys {
		if c.cfg.VoteMarker != nil && k.asked > k.last {
			c.cfg.VoteMarker.SettleVotes(c.now, VoteMark{Key: k.id, Slot: k.last})
		}
	}
}

// finalizer returns the record of a key, with what is known of it from before the start; nil if
// there are too many.
func (v *voteBook) finalizer(c *Core, key [96]byte) *finalizer {
	k := v.keys[key]
	if k == nil && len(v.keys) < maxFinalizers {
		k = &finalizer{mark: math.MaxUint32}
		if c.cfg.VoteMarker != nil || c.cfg.Cluster != nil || len(v.restored) > 0 {
			k.id = sha256.Sum256(key[:])
			k.last = v.restored[k.id]
		}
		if c.cfg.VoteMarker != nil {
			k.mark, k.asked = k.last, k.last
		}
		v.keys[key] = k
	}
	return k
}
