package core

import (
	"crypto/sha256"
	"hash/maphash"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// A message that cannot be proven good from its bytes goes to one node first and to all when that
// node survived it: nodeos closes its link over a bad block or vote and may need 30 s to come back.

// trial is one such message on its way.
type trial struct {
	frame    *buf
	block    *block     // nil for a vote
	id       p2pwire.ID // the block's: entries are reused
	source   SessionID
	pair     uint64 // vote: source's pair with the finalizer key
	node     SessionID
	name     string
	nodeID   p2pwire.ID // the process that took it
	at       time.Duration
	kills    int    // nodes whose link it may have cost
	killer   string // the last of them
	refused  int    // times a node said that it could not use it
	absent   int    // nodes that left and did not come back in time
	unlinked bool   // the node said that it could not use the block
	lacking  bool   // the node said that it lacks the block's parent
	waited   bool   // for a node that was slow to read
	solo     bool
}

// direct notes that a vote of a trusted source went to all nodes at once.
type direct struct {
	source SessionID
	at     time.Duration
}

type canaries struct {
	running   []trial // by at
	done      []trial // scratch of canaryDue
	suspended []trial // their node closed its link
	parked    []trial // no node was there to take it
	solo      []trial // to be tried one by one, since several were on trial when a node left
	recent    [64]direct
	next      int
	seed      maphash.Seed
	strikes   map[string]int
	doubts    map[string]int // how often a source's votes went out just before a node left
	left      time.Duration  // when a node closed its link last
	stalled   bool           // a block could not be tried, for want of a node
}

const (
	maxTrials = 4096
	// suspendFor is how long a node that closed its link is given to show that it is alive.
	suspendFor = 250 * time.Millisecond
)

func (k *canaries) init() {
	k.seed = maphash.MakeSeed()
	k.strikes = make(map[string]int)
	k.doubts = make(map[string]int)
	k.left = -time.Hour
}

// pickCanary chooses the node to go first: one that has the block's parent, that does not lead, of
// the lowest priority. parent may be nil; the node called avoid comes last.
func (c *Core) pickCanary(parent *block, avoid string) *session {
	var best, last *session
	bestHas := false
	for _, s := range c.internal {
		if s.closing || s.sync != nil {
			continue
		}
		if avoid != "" && s.Name() == avoid {
			last = s
			continue
		}
		has := parent == nil || s.has(parent)
		if best == nil || (has && !bestHas) || (has == bestHas && c.dearer(best, s)) {
			best, bestHas = s, has
		}
	}
	if best == nil {
		return last
	}
	return best
}

// dearer tells whether losing a's link costs more than losing b's.
func (c *Core) dearer(a, b *session) bool {
	la, lb := a.Name() == c.lineage.lead, b.Name() == c.lineage.lead
	if la != lb {
		return la
	}
	return a.info.Priority > b.info.Priority
}

// tryBlock gives one payload of a block to one node.
func (c *Core) tryBlock(src SessionID, e *block, frame *buf) {
	parent := c.blocks.get(e.prev)
	s := c.pickCanary(parent, "")
	switch {
	case e.frame != frame:
		if s == nil || c.boot.under() || (parent != nil && !s.has(parent) && !c.deliver(s, parent, false)) || !c.send(s, queueGeneral, frame) {
			c.canary.parked = append(c.canary.parked, trial{frame: frame.retain(), block: e, id: e.id, source: src})
			c.stall()
			return
		}
	case s == nil || c.boot.under():
		c.stall()
		return
	case e.has.has(s.lane): // it was sent before
	case s.has(e):
		return // at or below the node's root: of no use to it
	case !c.deliver(s, e, true):
		c.stall()
		return
	}
	c.begin(trial{frame: frame.retain(), block: e, id: e.id, source: src}, s)
}

func (c *Core) begin(t trial, s *session) {
	if len(c.canary.running) >= maxTrials || (t.block == nil && c.voteTrials(t.source) >= maxVoteTrials) {
		c.stats.Dropped[ReasonCanaryFull]++
		c.pool.release(t.frame)
		if t.block != nil {
			c.stall()
		}
		return
	}
	t.node, t.name, t.nodeID = s.id, s.Name(), s.peerID
	t.at = c.now.Mono + c.cfg.SurviveAfter
	if len(c.canary.running) == 0 {
		c.timers.add(t.at, timer{kind: timerCanary})
	}
	c.canary.running = append(c.canary.running, t)
}

// voteTrials counts a source's votes on trial.
func (c *Core) voteTrials(source SessionID) int {
	n := 0
	for i := range c.canary.running {
		if t := &c.canary.running[i]; t.block == nil && t.source == source {
			n++
		}
	}
	return n
}

// canaryDue ends the trials whose node kept its session long enough.
func (c *Core) canaryDue() {
	k := &c.canary
	n := 0
	for n < len(k.running) && k.running[n].at <= c.now.Mono {
		n++
	}
	k.done = append(k.done[:0], k.running[:n]...)
	m := copy(k.running, k.running[n:])
	clear(k.running[m:])
	k.running = k.running[:m]
	for _, t := range k.done {
		if c.void(t) {
			continue
		}
		if s := c.sessions[t.node]; s != nil && s.out[queueGeneral].bytes > 0 && !t.waited {
			// It has not even read so far: no verdict yet.
			t.waited, t.at = true, c.now.Mono+c.cfg.SurviveAfter
			k.running = append(k.running, t)
			continue
		}
		if t.unlinked || t.lacking {
			// Its handshake may have crossed the block: once more.
			if t.unlinked {
				t.refused++
			}
			t.unlinked, t.lacking, t.absent = false, false, t.absent+1
			if t.refused > 1 || t.absent > maxAbsent {
				c.refute(t)
			} else {
				c.again(t)
			}
			continue
		}
		c.survived(t)
	}
	clear(k.done)
	if len(k.running) > 0 {
		c.timers.add(k.running[0].at, timer{kind: timerCanary})
	}
	c.nextSolo()
}

// void tells whether the block of a trial is gone meanwhile; then the trial is over.
func (c *Core) void(t trial) bool {
	if t.block == nil || c.blocks.get(t.id) == t.block {
		return false
	}
	c.pool.release(t.frame)
	return true
}

// stall arranges for another try a little later.
func (c *Core) stall() {
	if !c.canary.stalled {
		c.canary.stalled = true
		c.timers.add(c.now.Mono+c.cfg.SurviveAfter, timer{kind: timerRetry})
	}
}

// survived lets a message in to everyone.
func (c *Core) survived(t trial) {
	src := c.sessions[t.source]
	if e := t.block; e != nil {
		switch {
		case e.survived && e.frame != nil && e.frame != t.frame:
			// Another payload got there first; nodes that were spared this one get it too.
			for i := 0; i < len(c.internal); i++ {
				if n := c.internal[i]; n.id != t.node && n.sync == nil {
					c.send(n, queueGeneral, t.frame)
				}
			}
		case e.frame != t.frame:
			c.setFrame(e, t.frame.retain())
		}
		if src != nil {
			src.proven = true
		}
		c.learnKey(e)
		c.vouch(e)
		c.fanIn(e, nil, false)
	} else {
		if v, err := p2pwire.ParseVote(p2pwire.Frame(t.frame.b).Body()); err == nil && src != nil && src.pairs != nil {
			// nodeos looks at a vote only when it has the block: no proof otherwise.
			if e := c.blocks.get(v.BlockID); e != nil && e.survived {
				if len(src.pairs) >= maxPairs {
					clear(src.pairs)
				}
				src.pairs[t.pair]++
			}
		}
		c.fanVote(t.frame, t.node)
	}
	c.pool.release(t.frame)
}

// spoke takes a node's handshake as its answer to the blocks it is trying: nodeos sends one for a
// block that it rejects without closing, as unlinkable or, before Spring 1.1, as bad.
func (c *Core) spoke(s *session, head *block) {
	for i := range c.canary.running {
		t := &c.canary.running[i]
		if t.node != s.id || t.block == nil || (head != nil && c.extends(head, t.block)) {
			continue
		}
		if s.headNum+1 >= t.block.num {
			t.unlinked = true
			continue
		}
		// It lacks the parent, which it is given now.
		t.lacking = true
		t.block.has.clear(s.lane)
	}
}

// refute throws a payload out that a node did not want. That is no crime: it may have lacked
// something. A source that does it all the time is ended.
func (c *Core) refute(t trial) {
	if c.void(t) {
		return
	}
	c.stats.Dropped[ReasonRejected]++
	c.window.Forget(sha256.Sum256(p2pwire.Frame(t.frame.b).Payload()))
	if src := c.sessions[t.source]; src != nil {
		src.proven = false
		if c.since(src.refutedAt) > time.Minute {
			src.refuted = 0
		}
		src.refutedAt = c.now.Mono
		if src.refuted++; src.refuted >= maxRefuted {
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
	if why == ReasonPeerClosed {
		k.left = c.now.Mono
	}
	if why != ReasonPeerClosed {
		for _, t := range gone {
			c.again(t)
		}
		return
	}
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
	for i := range mine {
		if t := &mine[i]; t.killer != s.Name() || len(c.internal) == 1 {
			t.kills++ // a node that loses its link all the time proves nothing twice
			t.killer = s.Name()
		}
	}
	c.convict(mine)
}

// nodeUnreachable: it died, nobody is to blame.
func (c *Core) nodeUnreachable(name string) {
	for _, t := range c.takeSuspended(func(t *trial) bool { return t.name == name }) {
		c.again(t)
	}
}

// suspendDue moves on with trials whose node did not come back in time: to another node, once.
func (c *Core) suspendDue() {
	due := c.takeSuspended(func(t *trial) bool { return t.at <= c.now.Mono })
	for _, t := range due {
		if t.absent++; t.absent > maxAbsent {
			c.refute(t)
			continue
		}
		c.again(t)
	}
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
	guilty := one && (twice || c.suspicious(ts[0].source))
	for i, t := range ts {
		if guilty && i == 0 {
			continue
		}
		t.solo = true
		c.canary.solo = append(c.canary.solo, t)
	}
	if guilty {
		c.blame(ts[0]) // takes what else the source has here along
		return
	}
	// Blocks first: everything waits for them.
	slices.SortStableFunc(c.canary.solo, func(a, b trial) int {
		switch {
		case (a.block == nil) != (b.block == nil):
			if a.block != nil {
				return -1
			}
			return 1
		case a.block != nil:
			return int(int64(a.block.num) - int64(b.block.num))
		}
		return 0
	})
	c.nextSolo()
}

// suspicious tells whether only a source's messages were on trial when a node left, for the third time
// within a minute: chance does not do that.
func (c *Core) suspicious(source SessionID) bool {
	src := c.sessions[source]
	if src == nil {
		return false
	}
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
		slices.ContainsFunc(c.canary.parked, func(t trial) bool { return t.solo })
}

func (c *Core) nextSolo() {
	k := &c.canary
	if len(k.solo) > 0 && c.since(k.left) < c.cfg.SurviveAfter {
		c.stall() // what cost the last link may still cost others theirs
		return
	}
	if len(k.solo) > 0 && !c.soloRunning() {
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
	var parent *block
	if t.block != nil {
		parent = c.blocks.get(t.block.prev)
	}
	s := c.pickCanary(parent, t.killer)
	if s == nil || (parent != nil && !s.has(parent) && !c.deliver(s, parent, false)) || !c.send(s, queueGeneral, t.frame) {
		c.canary.parked = append(c.canary.parked, t)
		c.stall()
		return
	}
	if t.block != nil {
		t.block.has.set(s.lane)
	}
	c.begin(t, s)
}

// blame drops a message that cost two links and shuts its source out for a while, longer each time.
func (c *Core) blame(t trial) {
	c.stats.Blamed++
	c.stats.Dropped[ReasonHarmful]++
	if src := c.sessions[t.source]; src != nil {
		c.shutOut(src, t.frame)
	}
	if t.block != nil {
		c.harmful.Seen(c.now.Mono, sha256.Sum256(p2pwire.Frame(t.frame.b).Payload()))
	}
	c.throwOut(t)
	c.pool.release(t.frame)
	c.dropVotes(t.source)
	c.purge(t.source)
	c.nextSolo()
	c.retry()
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

// maxServerFailures is how many catch-ups may fail with one peer before it is shut out.
const maxServerFailures = 1

// throwOut takes a payload out of its block's entry.
func (c *Core) throwOut(t trial) {
	e := t.block
	if e == nil || e.frame != t.frame || e.survived {
		return
	}
	other := c.otherPayload(e, t.frame)
	switch {
	case other != nil:
		c.setFrame(e, other.retain())
	case e.signed:
		// The header is genuine, only these bytes are not: wait for good ones.
		c.setFrame(e, nil)
		e.payloads, e.has, e.linked = 0, lanes{}, false
	default:
		c.removeTree(e)
	}
}

// purge removes what a guilty source sent and nobody else on the network has, nor any node of ours
// took.
func (c *Core) purge(source SessionID) {
	for i := 0; i < c.blocks.n; i++ {
		e := c.blocks.at(i)
		if e.source == source && !e.survived && !e.taken && !e.own && e.frame != nil && !c.shared(e) {
			c.removeTree(e)
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

// dropVotes takes a guilty source's other votes off trial. Its blocks stay: other peers' copies of
// them were dropped as duplicates.
func (c *Core) dropVotes(source SessionID) {
	k := &c.canary
	for _, list := range []*[]trial{&k.running, &k.suspended, &k.solo, &k.parked} {
		*list = slices.DeleteFunc(*list, func(t trial) bool {
			if t.source == source && t.block == nil {
				c.pool.release(t.frame)
				return true
			}
			return false
		})
	}
}

const (
	// harmfulEntries and harmfulAge bound what is remembered of bad blocks.
	harmfulEntries = 1024
	harmfulAge     = 10 * time.Minute

	// maxDoubts bounds how slowly trust in votes is earned back: 8 votes a key, then 64.
	maxDoubts = 2

	// maxVoteTrials bounds a session's votes on trial.
	maxVoteTrials = 128

	maxBans  = 4096
	maxPairs = 512
)

// otherPayload finds another payload of the block that is still on trial.
func (c *Core) otherPayload(e *block, not *buf) *buf {
	for _, list := range [][]trial{c.canary.running, c.canary.suspended, c.canary.solo, c.canary.parked} {
		for _, t := range list {
			if t.block == e && t.frame != not {
				return t.frame
			}
		}
	}
	return nil
}

// forgetBlock lets the trials of a block that leaves the table run on without it.
func (k *canaries) forgetBlock(c *Core, e *block) {
	for _, list := range []*[]trial{&k.running, &k.suspended, &k.solo, &k.parked} {
		for i := range *list {
			if (*list)[i].block == e {
				*list = slices.DeleteFunc(*list, func(t trial) bool {
					if t.block == e {
						c.pool.release(t.frame)
						return true
					}
					return false
				})
				break
			}
		}
	}
}

// retry puts public blocks that nobody could vouch for so far on trial.
func (c *Core) retry() {
	c.canary.stalled = false
	c.nextSolo()
	parked := c.canary.parked
	c.canary.parked = nil
	for _, t := range parked {
		c.again(t)
	}
	for i := 0; i < c.blocks.n; i++ {
		e := c.blocks.at(i)
		if e.public && !e.survived && e.linked && e.frame != nil && !c.onTrial(e.frame) {
			c.tryBlock(e.source, e, e.frame)
		}
	}
}

func (c *Core) onTrial(frame *buf) bool {
	if frame == nil {
		return false
	}
	for _, list := range [][]trial{c.canary.running, c.canary.suspended, c.canary.solo, c.canary.parked} {
		for i := range list {
			if list[i].frame == frame {
				return true
			}
		}
	}
	return false
}
