package core

import (
	"bytes"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// direct notes that a vote of a trusted source went to all nodes at once.
type direct struct {
	source SessionID
	at     time.Duration
}

// watch remembers that a vote of a trusted pair went to everyone.
func (k *canaries) watch(c *Core, s *session) {
	k.recent[k.next%len(k.recent)] = direct{s.id, c.now.Mono}
	k.next++
}

// nodeGone suspends the trials at a node that closed its link, and takes trust from the sources
// whose messages it got last.
func (c *Core) nodeGone(s *session, why Reason) {
	k := &c.canary
	var gone []trial
	k.running = slices.DeleteFunc(k.running, func(t trial) bool {
		if t.node == s.id {
			gone = append(gone, t)
			return true
		}
		return false
	})
	if why == ReasonPeerClosed && s.servedBy != "" && c.since(s.served) < suspendFor {
		c.failed(s.servedBy)
		if c.failures[s.servedBy] > maxServerFailures {
			c.ban(s.servedBy)
		}
	}
	if why != ReasonPeerClosed {
		for _, t := range gone {
			c.again(t)
		}
		return
	}
	c.blip(s, gone)
	k.left = c.now.Mono
	for i, d := range k.recent {
		if d.source != 0 && c.since(d.at) < c.cfg.SurviveAfter {
			// One of these may have been it. Trust is earned back the slower the more often it was lost.
			k.recent[i].source = 0
			if src := c.sessions[d.source]; src != nil && len(src.pairs) > 0 {
				key := src.key
				if len(k.doubts) >= maxBans {
					clear(k.doubts)
				}
				k.doubts[key] = min(k.doubts[key]+1, maxDoubts)
				clear(src.pairs)
			}
		}
	}
	if len(gone) == 0 {
		return
	}
	for i := range gone {
		gone[i].at = c.now.Mono + suspendFor
	}
	k.suspended = append(k.suspended, gone...)
	c.timers.add(c.now.Mono+suspendFor, timer{kind: timerSuspend})
}

// nodeBack judges the trials suspended at a node that is here again: the same process means that it
// closed its link over one of them; another one had simply died.
func (c *Core) nodeBack(s *session) {
	c.cameBack(s)
	mine := c.takeSuspended(func(t *trial) bool { return t.name == s.Name() })
	if len(mine) == 0 {
		return
	}
	if mine[0].nodeID != s.peerID {
		for _, t := range mine {
			c.again(t)
		}
		return
	}
	guilty := mine[:0]
	for _, t := range mine {
		if c.lostOver(&t, s) {
			guilty = append(guilty, t)
		} else {
			c.again(t)
		}
	}
	c.convict(guilty)
	c.nextSolo()
}

// blip notes that a node closed its link, with these messages on trial, and when that was none of their doing: it
// came sooner than the node can have read them, as it does when the relay itself was asleep while the link broke;
// or another node, which tried nothing, lost its own meanwhile.
func (c *Core) blip(s *session, gone []trial) {
	k := &c.canary
	if len(gone) == 0 {
		for i := range k.suspended {
			if t := &k.suspended[i]; t.name != s.Name() && c.since(t.at-suspendFor) < c.cfg.SurviveAfter {
				t.chance = true
			}
		}
		k.lost, k.loser = c.now.Mono, s.Name()
		return
	}
	for i := range gone {
		t := &gone[i]
		t.chance = c.since(t.since) < min(s.rtt/2, farTrip) || k.loser != s.Name() && k.lost > t.since && c.since(k.lost) < c.cfg.SurviveAfter
	}
}

// farTrip bounds the time in which a node that is far away cannot have read what it was given.
const farTrip = 20 * time.Millisecond

// maxChances is how many links that were lost by chance a message is not charged for.
const maxChances = 2

// lostOver counts a link that a node, which is here again, may have lost over a message, and tells whether it does
// count: a node that names the block as its head, or one on it, has taken it.
func (c *Core) lostOver(t *trial, s *session) bool {
	took := t.block != nil && !t.mixed && s.tookBlock(c, t.block)
	rival := t.block != nil && t.block.payloads > 1
	if chance := t.chance || took; chance && !rival && t.chances < maxChances {
		t.chances, t.chance = t.chances+1, false
		return false
	}
	switch {
	case t.killer != s.Name():
		t.kills++
		t.killer = s.Name()
	case c.elsewhere(t, s):
		// A node that loses its link all the time proves nothing twice.
	case t.alone == 0 && (t.block == nil || len(c.internal) == 1):
		t.alone++ // nor does the only node that can try it, by two losses: links break by chance
	default:
		t.kills++
	}
	return true
}

// tookBlock tells whether the head that a node named is a block or builds on it.
func (s *session) tookBlock(c *Core, b *block) bool {
	head := c.blocks.get(s.headID)
	return head != nil && c.extends(head, b)
}

// elsewhere tells whether a trial could be repeated at another node. Who is held tries no votes.
func (c *Core) elsewhere(t *trial, s *session) bool {
	return slices.ContainsFunc(c.internal, func(n *session) bool {
		switch {
		case n == s || n.closing:
			return false
		case t.block == nil:
			return !n.held && n.sync == nil
		}
		return !n.has(t.block)
	})
}

// flight is a node that left with a message on trial and was not back in time to tell whether it had died.
type flight struct {
	proc p2pwire.ID
	one  bool // all that it had on trial was of one source
}

// cameBack counts the links that a process lost over messages which went on to other nodes meanwhile: it
// may have been left alone for longer, because it had lost its link before.
func (c *Core) cameBack(s *session) {
	var guilty []trial
	for _, list := range c.canary.lists() {
		for i := 0; i < len(*list); i++ {
			t := &(*list)[i]
			at := slices.IndexFunc(t.fled, func(f flight) bool { return f.proc == s.peerID })
			if at < 0 {
				continue
			}
			one := t.fled[at].one
			t.fled = slices.Delete(t.fled, at, at+1)
			t.absent--
			if c.lostOver(t, s); t.kills > 1 && one {
				guilty = append(guilty, *t)
				*list = slices.Delete(*list, i, i+1)
				i--
			}
		}
	}
	for i, t := range guilty {
		switch {
		case slices.ContainsFunc(guilty[:i], func(o trial) bool { return o.source == t.source }):
			c.pool.release(t.frame) // its source is gone
		case !c.void(t):
			c.blame(t)
		}
	}
}

// nodeUnreachable: it died, nobody is to blame.
func (c *Core) nodeUnreachable(name string) {
	for _, t := range c.takeSuspended(func(t *trial) bool { return t.name == name }) {
		c.again(t)
	}
}

// suspendDue moves on with trials whose node did not come back in time: to another node, once. As long as
// there is none they wait for their own, which may be dialled only after a while: what it did counts.
func (c *Core) suspendDue() {
	due := c.takeSuspended(func(t *trial) bool { return t.at <= c.now.Mono })
	if len(due) > 0 && len(c.internal) == 0 {
		for i := range due {
			due[i].at = c.now.Mono + suspendFor
		}
		c.canary.suspended = append(c.canary.suspended, due...)
		c.timers.add(c.now.Mono+suspendFor, timer{kind: timerSuspend})
		return
	}
	for _, t := range due {
		if t.absent++; t.absent > maxAbsent {
			c.refute(t)
			continue
		}
		one := !slices.ContainsFunc(due, func(o trial) bool { return o.node == t.node && o.source != t.source })
		if t.fled = append(t.fled, flight{t.nodeID, one}); t.flown {
			c.singleOut([]trial{t}) // not in company again: it could be any of them
			continue
		}
		t.flown = true
		c.again(t)
	}
	c.nextSolo()
}

// maxAbsent is how many nodes may leave for good over one message before it is given up.
const maxAbsent = 2

func (c *Core) takeSuspended(match func(*trial) bool) []trial {
	var out []trial
	c.canary.suspended = slices.DeleteFunc(c.canary.suspended, func(t trial) bool {
		if match(&t) {
			out = append(out, t)
			return true
		}
		return false
	})
	return out
}

// convict: a link can be lost by chance, so a message is tried again, and alone; the second time it
// was it.
func (c *Core) convict(ts []trial) {
	if len(ts) == 0 {
		return
	}
	one := !slices.ContainsFunc(ts, func(t trial) bool { return t.source != ts[0].source })
	twice := slices.ContainsFunc(ts, func(t trial) bool { return t.kills > 1 })
	guilty := one && (twice || c.suspicious(ts[0].source, ts[0].killer))
	if guilty {
		c.singleOut(ts[1:])
		c.blame(ts[0]) // takes what else the source has here along
		return
	}
	c.singleOut(ts)
	c.nextSolo()
}

// singleOut has messages tried one by one: first the blocks, for which everything waits, from below, and of the
// others the one that cost most links.
func (c *Core) singleOut(ts []trial) {
	for _, t := range ts {
		t.solo = true
		c.canary.solo = append(c.canary.solo, t)
	}
	slices.SortStableFunc(c.canary.solo, func(a, b trial) int {
		switch {
		case (a.block == nil) != (b.block == nil):
			if a.block != nil {
				return -1
			}
			return 1
		case a.block != nil && a.block.num != b.block.num:
			return int(int64(a.block.num) - int64(b.block.num))
		}
		return b.kills + b.alone - a.kills - a.alone
	})
}

// suspicious tells whether only a source's messages were on trial when a node left, for the third time
// within a minute: chance does not do that.
func (c *Core) suspicious(source SessionID, node string) bool {
	src := c.sessions[source]
	if src == nil || src.suspectedBy == node {
		return false // the same node again: it may just be unsteady
	}
	src.suspectedBy = node
	if c.since(src.suspected) > time.Minute {
		src.suspicions = 0
	}
	src.suspected = c.now.Mono
	src.suspicions++
	return src.suspicions > 2
}

func (c *Core) soloRunning() bool {
	return slices.ContainsFunc(c.canary.running, func(t trial) bool { return t.solo }) ||
		slices.ContainsFunc(c.canary.suspended, func(t trial) bool { return t.solo }) ||
		slices.ContainsFunc(c.canary.parked, func(t trial) bool { return t.solo && (t.block == nil || t.block.linked) })
}

// soloAt tells whether a node is trying a message alone: nothing else is tried there meanwhile.
func (c *Core) soloAt(s *session) bool {
	return slices.ContainsFunc(c.canary.running, func(t trial) bool { return t.solo && t.node == s.id })
}

// nextSolo has the next message tried that is to be tried alone. Blocks that wait go before votes: retry
// comes back here.
func (c *Core) nextSolo() {
	if k := &c.canary; !k.stalled || len(k.solo) > 0 && k.solo[0].block != nil {
		c.startSolo()
	}
}

func (c *Core) startSolo() {
	k := &c.canary
	for len(k.solo) > 0 && !c.soloRunning() { // not all of them need to be tried any more
		if c.since(k.left) < c.cfg.SurviveAfter {
			// What cost the last link may still cost others theirs.
			c.timers.add(k.left+c.cfg.SurviveAfter, timer{kind: timerSuspend})
			return
		}
		if k.solo[0].block == nil && slices.ContainsFunc(k.running, func(t trial) bool { return t.block != nil }) {
			return // their end comes back here
		}
		t := k.solo[0]
		k.solo = slices.Delete(k.solo, 0, 1)
		c.again(t)
	}
}

// again puts a message on trial at whichever node is there now.
func (c *Core) again(t trial) {
	if c.void(t) {
		return
	}
	if t.block != nil && !t.block.linked {
		c.canary.parked = append(c.canary.parked, t) // until it is: what is not linked is tried on nobody
		return
	}
	var parent *block
	if t.block != nil {
		parent = c.blocks.get(t.block.prev)
	}
	if e := t.block; e != nil && e.frame != nil && e.frame != t.frame && bytes.Equal(e.frame.b, t.frame.b) {
		// The same bytes came once more, from elsewhere.
		c.pool.release(t.frame)
		t.frame = e.frame.retain()
	}
	if t.block != nil && t.kills+t.chances > 0 && t.block.frame != nil {
		switch {
		case t.block.survived && t.block.frame != t.frame:
			c.blame(t) // other bytes proved good: these are what cost the link
			return
		case c.rivalRuns(t):
			c.canary.parked = append(c.canary.parked, t)
			c.stall()
			return
		}
	}
	s, needed := c.pickCanary(t.block, t.killer)
	if !needed {
		if t.block != nil && !slices.ContainsFunc(c.internal, func(n *session) bool { return !c.offRoot(n, t.block) }) {
			c.pool.release(t.frame) // nobody can ever link it
			return
		}
		if e := t.block; !e.survived && e.frame == t.frame && e.payloads > 1 && (t.kills > 0 || len(t.fled) > 0) {
			// Who has the block has it by other bytes: these cost a link, and must not be what is handed on.
			c.window.Forget(t.digest())
			c.throwOut(t)
			c.pool.release(t.frame)
			return
		}
		if t.block.survived || t.block.frame == t.frame {
			c.spread(t)
			c.pool.release(t.frame)
			return
		}
		s, _ = c.pickCanary(nil, t.killer)
	}
	t.mixed = false
	if s == nil || (parent != nil && !s.has(parent) && !c.deliver(s, parent, false)) || !c.send(s, queueGeneral, t.frame) {
		c.canary.parked = append(c.canary.parked, t)
		c.stall()
		return
	}
	if t.block != nil {
		t.block.has.set(s.lane)
		switch {
		case !needed:
			c.mix(s, &t)
		case t.block.frame == t.frame:
			t.block.given.set(s.lane)
		}
	}
	c.begin(t, s)
}

// rivalRuns tells whether another payload of the block is being tried: if that one is good, this one
// need not cost another link.
func (c *Core) rivalRuns(t trial) bool {
	return slices.ContainsFunc(c.canary.running, func(r trial) bool {
		return r.block == t.block && r.frame != t.frame && !r.mixed
	})
}

// maxServerFailures is how many catch-ups may fail with one peer before it is shut out.
const maxServerFailures = 1
