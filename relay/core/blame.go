package core

import (
	"bytes"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// refute throws a payload out that a node did not want. That is no crime: it may have lacked
// something. A source that does it all the time is ended.
func (c *Core) refute(t trial) {
	if c.void(t) {
		return
	}
	c.stats.Dropped[ReasonRejected]++
	c.window.Forget(t.digest())
	if src := c.sessions[t.source]; src != nil {
		src.proven = false
		if c.since(src.refutedAt) > time.Minute {
			src.refuted = 0
		}
		src.refutedAt = c.now.Mono
		if t.refused > 1 {
			src.refuted++ // else the node just was not ready for it
		}
		if src.refuted >= maxRefuted {
			c.shutOut(src, t.frame)
		}
	}
	c.throwOut(t)
	c.pool.release(t.frame)
	c.retry()
}

// maxRefuted is how many blocks of one session our nodes may reject, less than a minute apart, before
// it is shut out.
const maxRefuted = 32

// blame drops a message that cost two links and shuts its source out for a while, longer each time; but not the
// one that sent a block which others build on once more.
func (c *Core) blame(t trial) {
	c.stats.Blamed++
	c.stats.Dropped[ReasonHarmful]++
	var digest [32]byte
	if t.block != nil {
		digest = t.digest()
	}
	second := t.block != nil && c.harmful.Contains(c.now.Mono, digest)
	if src := c.sessions[t.source]; src != nil && !second {
		c.shutOut(src, t.frame)
	}
	if t.block != nil {
		c.harmful.Seen(c.now.Mono, digest)
	}
	c.throwOut(t)
	c.pool.release(t.frame)
	if !second {
		c.dropTrials(t.source)
		c.purge(t.source)
	}
	c.nextSolo()
	c.retry()
}

// refusedAgain tells whether bytes that cost links are refused, for good or until others build on them: links break by
// chance, and without a good block nothing of what the network makes behind it is of use. So it is tried once
// more, whoever sends it then.
func (c *Core) refusedAgain(id p2pwire.ID, digest [32]byte) bool {
	if !c.harmful.Contains(c.now.Mono, digest) {
		return false
	}
	for i := 0; i < c.blocks.n && c.boot.orphans > 0; i++ {
		if x := c.blocks.at(i); x.counted && x.prev == id {
			return c.appealed.Seen(c.now.Mono, digest)
		}
	}
	return true
}

// shutOut ends a session and bans its address.
func (c *Core) shutOut(src *session, frame *buf) {
	ban := c.ban(src.key)
	c.note(Event{Kind: EventBlamed, Reason: ReasonBlamed, Session: src.id, Side: src.info.Side, Node: src.Name(), Remote: src.info.Remote, Detail: p2pwire.Frame(frame.b).Type().String()})
	c.endAfter(src, ReasonBlamed, ban)
}

// ban refuses an address, longer each time, and tells for how long.
func (c *Core) ban(key string) time.Duration {
	if len(c.bans) >= maxBans {
		clear(c.bans)
		clear(c.canary.strikes)
	}
	c.canary.strikes[key] = min(c.canary.strikes[key]+1, 8)
	d := c.cfg.BlameBan << (c.canary.strikes[key] - 1)
	c.bans[key] = c.now.Mono + d
	return d
}

// throwOut takes a payload out of its block's entry.
func (c *Core) throwOut(t trial) {
	e := t.block
	if e == nil || e.frame != t.frame || e.survived {
		return
	}
	if other := c.otherPayload(e, t.frame); other != nil {
		c.setFrame(e, other.retain())
		return
	}
	c.dropPayload(e)
}

// dropPayload takes a bad payload's entry away, unless its id is genuine: then only its bytes are not,
// and good ones are waited for.
func (c *Core) dropPayload(e *block) {
	if !e.verified && !e.signed && !e.own && e != c.lineage.tip {
		c.removeTree(e)
		return
	}
	c.setFrame(e, nil)
	e.payloads, e.linked = 0, false
	e.public = e.public && !e.own // a withheld one is as before
}

// purge removes what a guilty source sent and nobody else on the network has, nor was proven by a node
// of ours.
func (c *Core) purge(source SessionID) {
	for i := 0; i < c.blocks.n; i++ {
		e := c.blocks.at(i)
		if e.source == source && !e.survived && !e.own && e.frame != nil && !c.shared(e) {
			c.dropPayload(e)
			i = -1
		}
	}
}

// shared tells whether another network session than its source sent a block.
func (c *Core) shared(e *block) bool {
	for _, n := range c.network {
		if n.id != e.source && !n.closing && e.has.has(n.lane) {
			return true
		}
	}
	return false
}

// dropTrials takes a guilty source's votes and further payloads off trial; purge does the same for its
// blocks.
func (c *Core) dropTrials(source SessionID) {
	k := &c.canary
	for _, list := range k.lists() {
		*list = slices.DeleteFunc(*list, func(t trial) bool {
			if t.source == source && (t.block == nil || t.block.frame != t.frame) {
				c.pool.release(t.frame)
				return true
			}
			return false
		})
	}
}

// hasPayload tells whether a payload is one that came under the block's id.
func (c *Core) hasPayload(e *block, f []byte) bool {
	if e.frame != nil && bytes.Equal(e.frame.b, f) {
		return true
	}
	for _, list := range c.canary.lists() {
		for i := range *list {
			if t := &(*list)[i]; t.block == e && bytes.Equal(t.frame.b, f) {
				return true
			}
		}
	}
	return false
}

// otherPayload finds another payload of the block that is still on trial.
func (c *Core) otherPayload(e *block, not *buf) *buf {
	for _, list := range c.canary.lists() {
		for _, t := range *list {
			if t.block == e && t.frame != not {
				return t.frame
			}
		}
	}
	return nil
}
