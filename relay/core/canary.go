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
	since    time.Duration // when the node was given it
	kills    int           // nodes whose link it may have cost
	killer   string        // the last of them
	alone    int           // times that one lost its link once more, being the only one that can try it
	chance   bool          // the link that was just lost was not lost over it
	chances  int           // links lost by chance
	refused  int           // times a node said that it could not use it
	absent   int           // nodes that left and did not come back in time
	fled     []flight      // they, as long as they may still come back
	flown    bool          // one did so
	unlinked bool          // the node said that it could not use the block
	lacking  bool          // the node said that it lacks the block's parent
	waited   bool          // for a node that was slow to read
	mixed    bool          // the node got another payload of the block too: which one it took is not known
	solo     bool
}

// digest is the identity of the payload on trial.
func (t *trial) digest() [sha256.Size]byte { return sha256.Sum256(p2pwire.Frame(t.frame.b).Payload()) }

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
	lost      time.Duration  // when one did that tried nothing
	loser     string         // which one
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
	k.left, k.lost = -time.Hour, -time.Hour
}

// pickCanary chooses the node to go first with a block, or a vote (nil): one that lacks the block and has
// its parent, that does not lead, of the lowest priority; the node called avoid comes last. needed is
// false if every node has the block, or can never link it: they would not look at it.
func (c *Core) pickCanary(e *block, avoid string) (node *session, needed bool) {
	var parent *block
	if e != nil {
		parent = c.blocks.get(e.prev)
	}
	var best, last *session
	bestHas := false
	needed = len(c.internal) == 0
	for _, s := range c.internal {
		if e != nil && (s.has(e) || c.offRoot(s, e)) {
			continue
		}
		needed = true
		if s.closing || s.sync != nil || (e == nil && s.held) || (e != nil && c.hushed(s)) || c.soloAt(s) {
			continue
		}
		if avoid != "" && s.Name() == avoid || c.silent(s) || (e != nil && s.held && c.mayKeepBack(s, e)) {
			if last == nil || c.silent(last) {
				last = s
			}
			continue
		}
		has := parent == nil || s.has(parent)
		if best == nil || (has && !bestHas) || (has == bestHas && c.dearer(best, s)) {
			best, bestHas = s, has
		}
	}
	if best == nil {
		return last, needed
	}
	return best, needed
}

// sayGap is how long nodeos sends no further handshake that names the same head.
const sayGap = 50 * time.Millisecond

// hushed tells whether a node has just sent a handshake: it would send none for a block that it cannot use.
func (c *Core) hushed(s *session) bool { return c.since(s.said) < sayGap }

// offRoot tells whether a block is on another branch than a node's root: the node links nothing there.
func (c *Core) offRoot(s *session, e *block) bool {
	for e != nil && e.num > s.rootNum && !e.has.has(s.lane) {
		e = c.blocks.get(e.prev)
	}
	return e != nil && e.num == s.rootNum && e.id != s.rootID
}

// dearer tells whether losing a's link costs more than losing b's.
func (c *Core) dearer(a, b *session) bool {
	if va, vb := a.verifier(), b.verifier(); va != vb {
		return vb
	}
	if la, lb := c.leads(a), c.leads(b); la != lb {
		return la
	}
	return a.info.Priority > b.info.Priority
}

// leads tells whether a node leads, or its blocks go out.
func (c *Core) leads(s *session) bool {
	if c.reign.on() && c.reign.lead != "" {
		return s.Name() == c.reign.lead
	}
	return s.Name() == c.lineage.lead
}

// verifier tells whether a node is there to see suspicious messages first.
func (s *session) verifier() bool { return s.node != nil && s.node.cfg.Role == RoleVerifier }

// tryTwin gives another payload of a known block to one node.
func (c *Core) tryTwin(src SessionID, e *block, frame *buf) {
	t := trial{frame: frame.retain(), block: e, id: e.id, source: src}
	if c.boot.under() {
		c.canary.parked = append(c.canary.parked, t)
		c.stall()
		return
	}
	c.again(t)
}

// mix notes that a node is given a payload of a block of which it has another one.
func (c *Core) mix(s *session, t *trial) {
	t.mixed = true
	t.block.given.clear(s.lane)
	for i := range c.canary.running {
		if r := &c.canary.running[i]; r.block == t.block && r.node == s.id {
			r.mixed = true
		}
	}
}

// tryBlock gives a block to one node.
func (c *Core) tryBlock(e *block) {
	s, needed := c.pickCanary(e, "")
	switch {
	case !needed:
		return
	case s == nil || c.boot.under():
		c.stall()
		return
	case !c.deliver(s, e, true):
		c.stall()
		return
	}
	c.begin(trial{frame: e.frame.retain(), block: e, id: e.id, source: e.source}, s)
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
	t.at, t.since = c.now.Mono+c.cfg.SurviveAfter, c.now.Mono
	if len(c.canary.running) == 0 {
		c.timers.add(t.at, timer{kind: timerCanary})
	}
	c.canary.running = append(c.canary.running, t)
	if s.pingXmt == 0 {
		c.ping(s)
	}
}

// unheard tells whether a node has not even read what it was given: one that is suspended keeps its
// link over anything. It answers time messages in the order it reads.
func (t *trial) unheard(s *session) bool { return s.answers && s.heard < t.since }

// triesUnheard tells whether a node has something on trial that came behind the time message it
// answered last.
func (c *Core) triesUnheard(s *session) bool {
	for i := range c.canary.running {
		if t := &c.canary.running[i]; t.node == s.id && t.unheard(s) {
			return true
		}
	}
	return false
}

// silent tells whether a node has owed an answer for so long that it may be suspended.
func (c *Core) silent(s *session) bool {
	return s.answers && s.pingXmt != 0 && c.since(s.pingAt) >= c.cfg.SurviveAfter
}

// voteTrials counts a source's votes on trial, and those that wait for a node.
func (c *Core) voteTrials(source SessionID) int {
	n := 0
	for _, list := range [...][]trial{c.canary.running, c.canary.parked} {
		for i := range list {
			if t := &list[i]; t.block == nil && t.source == source {
				n++
			}
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
		if s := c.sessions[t.node]; s != nil && (t.unheard(s) || s.out[queueGeneral].bytes > 0 && !t.waited) {
			if t.waited && c.elsewhere(&t, s) {
				t.waited = false
				c.again(t)
				continue
			}
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
		if t.mixed {
			c.setVerified(e)
			c.pool.release(t.frame)
			return
		}
		if !e.survived && e.frame != t.frame {
			c.setFrame(e, t.frame.retain())
		}
		c.spread(t)
		if src != nil {
			src.proven = true
		}
		e.survived = true
		if c.harmful.Len() > 0 {
			c.harmful.Forget(t.digest()) // it was tried once more
		}
		c.learnKey(e)
		if e.withheld {
			c.publicElsewhere(src, e)
		} else {
			c.setVerified(e)
			c.fanIn(e, nil, false)
		}
	} else {
		c.voteSurvived(t, src)
	}
	c.pool.release(t.frame)
}

// voteSurvived lets a vote in to everyone. nodeos looks at a vote only when it has the block, and has no
// other vote of that finalizer for it: without that, the node's keeping its link is no proof.
func (c *Core) voteSurvived(t trial, src *session) {
	v, err := p2pwire.ParseVote(p2pwire.Frame(t.frame.b).Body())
	if err != nil {
		return
	}
	e := c.blocks.get(v.BlockID)
	if e == nil || !e.survived {
		c.fanVote(t.frame, t.node, true, false)
		return
	}
	if !c.votes.ballots.add(c.ballot(v.BlockID[:], v.FinalizerKey())) {
		return // another one was first
	}
	if src != nil && src.pairs != nil {
		if len(src.pairs) >= maxPairs {
			clear(src.pairs)
		}
		src.pairs[t.pair]++
	}
	c.votedFor(e)
	c.fanVote(t.frame, t.node, !c.voteFrom(Network, v.FinalizerKey()).own(), false)
}

// spread gives a payload to the nodes that got another one of its block: they may have dropped that
// without a word. Who has the block does not look at it.
func (c *Core) spread(t trial) {
	for i := 0; t.block.payloads > 1 && i < len(c.internal); i++ {
		if n := c.internal[i]; n.id != t.node && n.sync == nil && t.block.has.has(n.lane) {
			c.send(n, queueGeneral, t.frame)
		}
	}
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

// payloadsOf counts a session's payloads of a block on trial.
func (c *Core) payloadsOf(s *session, e *block) int {
	n := 0
	for _, list := range c.canary.lists() {
		for i := range *list {
			if t := &(*list)[i]; t.block == e && t.source == s.id {
				n++
			}
		}
	}
	return n
}

// lists are all the places a trial can be in.
func (k *canaries) lists() [4]*[]trial {
	return [4]*[]trial{&k.running, &k.suspended, &k.solo, &k.parked}
}

// forgetBlock ends the trials of a block that leaves the table.
func (k *canaries) forgetBlock(c *Core, e *block) {
	for _, list := range k.lists() {
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
	parked := c.canary.parked
	c.canary.parked = nil
	for _, t := range parked {
		c.again(t)
	}
	for i := 0; i < c.blocks.n; i++ {
		e := c.blocks.at(i)
		if e.public && !e.survived && e.linked && e.frame != nil && !c.onTrial(e.frame) {
			c.tryBlock(e)
		}
	}
	c.startSolo()
}

func (c *Core) onTrial(frame *buf) bool {
	if frame == nil {
		return false
	}
	for _, list := range c.canary.lists() {
		for i := range *list {
			if (*list)[i].frame == frame {
				return true
			}
		}
	}
	return false
}
