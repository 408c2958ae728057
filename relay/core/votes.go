package core

import (
	"crypto/sha256"
	"hash/maphash"
	"slices"
	"time"

	"bprelay/p2pwire"
)

const (
	// maxFinalizers bounds the finalizer keys our nodes vote with.
	maxFinalizers = 64
	// maxWaitingVotes and voteWait bound the own votes that wait for their block to become public.
	maxWaitingVotes = 256
	voteWait        = 5 * time.Second
	// maxEarlyVotes bounds the network's that wait for a candidate which another relay has let out.
	maxEarlyVotes = 64
	// emitterLag is how many slots behind another node the emitting one, or finalizer_node, may fall
	// before it is replaced.
	emitterLag = 2
)

// finalizer is what is kept per finalizer key of ours.
type finalizer struct {
	last    p2pwire.Slot // timestamp of the last vote that left
	emitter SessionID    // the node whose votes leave
	chosen  p2pwire.Slot // timestamp of finalizer_node's last vote for a public block
	mark    p2pwire.Slot // votes up to here may leave
	asked   p2pwire.Slot // the highest mark asked for
	id      [32]byte     // SHA-256 of the key, in marks
	odd     []oddVoter   // nodeos processes that voted for a branch of their own lately
}

type waitingVote struct {
	frame *buf
	block p2pwire.ID
	key   [96]byte
	node  SessionID
	proc  p2pwire.ID // the nodeos process
	until time.Duration
	// unmarked: its block is public, but no mark covers it yet.
	unmarked bool
	// early: it is one of the network's, and node is the session that it came from.
	early bool
}

// voteBook keeps I4: per finalizer key votes leave in rising block-timestamp order, one per
// timestamp, from one node at a time, for public blocks only.
type voteBook struct {
	keys     map[[96]byte]*finalizer
	waiting  []waitingVote
	restored map[[32]byte]p2pwire.Slot
	ballots  ballots
	early    int // of those that wait
}

func (v *voteBook) init(restored []VoteMark) {
	v.keys = make(map[[96]byte]*finalizer)
	v.ballots.init()
	v.restored = make(map[[32]byte]p2pwire.Slot, len(restored))
	for _, m := range restored {
		v.restored[m.Key] = max(v.restored[m.Key], m.Slot)
	}
}

// nodeVote takes a vote of one of our nodes.
func (c *Core) nodeVote(s *session, f p2pwire.Frame, owned *buf) {
	v, err := p2pwire.ParseVote(f.Body())
	if err != nil {
		c.end(s, ReasonMalformed)
		return
	}
	e := c.blocks.get(v.BlockID)
	if e != nil && e.public {
		by := lanesOf(s)
		c.vouch(e, &by)
	}
	o := c.origin(v.FinalizerKey())
	if o.told && !o.mine && len(c.finalizers) > 0 {
		c.passedOn(s, e, &v, f, owned)
		return
	}
	if c.window.Contains(c.now.Mono, sha256.Sum256(f.Payload())) {
		if k := c.votes.keys[[96]byte(v.FinalizerKey())]; k != nil {
			k.even(s.peerID) // the very vote that was published
		}
		if o.own() {
			c.nodeVotes(s)
		}
		c.drop(s, ReasonDuplicate)
		return
	}
	if c.voteFrom(Internal, v.FinalizerKey()).own() {
		c.reign.ourVote = max(c.now.Mono, 1)
		c.nodeVotes(s)
		c.checkListed(o, v.FinalizerKey())
	}
	switch {
	case e != nil && e.withheld:
		c.votes.wentOdd(c, [96]byte(v.FinalizerKey()), s.peerID)
		c.drop(s, ReasonVoteWithheld)
		return
	case e == nil || !e.public || e.stub():
		b := c.keep(f, owned)
		c.waitVote(waitingVote{frame: b, block: v.BlockID, key: [96]byte(v.FinalizerKey()), node: s.id, proc: s.peerID})
		c.pool.release(b)
		return
	}
	b := c.keep(f, owned)
	c.emitVote(s.id, s.peerID, e, [96]byte(v.FinalizerKey()), b)
	c.pool.release(b)
}

// nodeVotes notes that a node votes for a finalizer of ours. In a cluster one that has no finalizer key only
// passes on what it got through another relay.
func (c *Core) nodeVotes(s *session) {
	if s.node != nil && (s.node.cfg.Role != RoleProducer || c.cfg.Cluster == nil) {
		s.node.voted = max(c.now.Mono, 1)
	}
}

// passedOn takes a vote of a foreign finalizer that one of our nodes has from elsewhere: from another relay.
func (c *Core) passedOn(s *session, e *block, v *p2pwire.Vote, f p2pwire.Frame, owned *buf) {
	if e == nil || !e.public || e.stub() || c.window.Seen(c.now.Mono, sha256.Sum256(f.Payload())) {
		c.drop(s, ReasonDuplicate)
		return
	}
	c.votes.ballots.add(c.ballot(v.BlockID[:], v.FinalizerKey()))
	c.origin(v.FinalizerKey()).heard = max(c.now.Mono, 1)
	c.votedFor(e)
	b := c.keep(f, owned)
	c.fanVote(b, s.id, true, true)
	c.pool.release(b)
}

// waitVote keeps a vote for later, within bounds.
func (c *Core) waitVote(w waitingVote) {
	if len(c.votes.waiting) >= maxWaitingVotes {
		c.stats.Dropped[ReasonVoteQueueFull]++
		return
	}
	w.frame, w.until = w.frame.retain(), c.now.Mono+voteWait
	c.votes.waiting = append(c.votes.waiting, w)
	c.timers.add(w.until, timer{kind: timerVotes})
}

// emitVote lets a vote for a public block out, if it keeps the order, and to the other nodes.
func (c *Core) emitVote(from SessionID, proc p2pwire.ID, e *block, key [96]byte, b *buf) {
	k := c.votes.finalizer(c, key)
	if k == nil {
		c.stats.Dropped[ReasonVoteQueueFull]++
		return
	}
	if !k.even(proc) {
		c.stats.Dropped[ReasonVoteParity]++
		return
	}
	may := c.mayEmit(k, from, e.slot)
	switch {
	case c.stop:
		return // the marks are settled
	case e.slot <= k.last:
		c.stats.Dropped[ReasonVoteOrder]++
		return
	case !may:
		c.stats.Dropped[ReasonVoteNotEmitter]++
		return
	}
	if c.cfg.VoteMarker != nil && !c.cover(k, e.slot) {
		c.waitVote(waitingVote{frame: b, block: e.id, key: key, node: from, proc: proc, unmarked: true})
		return
	}
	if c.window.Seen(c.now.Mono, sha256.Sum256(p2pwire.Frame(b.b).Payload())) {
		c.stats.Dropped[ReasonDuplicate]++
		return
	}
	k.emitter, k.last = from, e.slot
	if s := c.sessions[from]; s == nil || !s.ready || s.closing {
		k.emitter = 0 // it waited, and its node's session has ended meanwhile
	}
	c.votes.ballots.add(c.ballot(e.id[:], key[:]))
	for i := 0; i < len(c.network) && !c.follows(); i++ {
		c.sendVote(c.network[i], b) // a standby only notes that the active does
	}
	c.fanVote(b, from, !c.origin(key[:]).own(), true)
}

// oddVoter is a nodeos that voted for a block that stayed inside. Its view of the chain is not the published
// one until it votes for public blocks again.
type oddVoter struct {
	proc   p2pwire.ID
	agreed uint8
}

const (
	// parity is how many votes for public blocks in a row make a node's votes good again.
	parity = 2
	maxOdd = 16
)

// wentOdd notes that a node voted for a withheld block.
func (v *voteBook) wentOdd(c *Core, key [96]byte, proc p2pwire.ID) {
	k := v.finalizer(c, key)
	if k == nil {
		return
	}
	k.odd = slices.DeleteFunc(k.odd, func(o oddVoter) bool { return o.proc == proc })
	if len(k.odd) >= maxOdd {
		k.odd = slices.Delete(k.odd, 0, 1)
	}
	k.odd = append(k.odd, oddVoter{proc: proc})
}

// even tells whether a node's votes, of which this is one for a public block, agree with what was
// published.
func (k *finalizer) even(proc p2pwire.ID) bool {
	for i := range k.odd {
		if o := &k.odd[i]; o.proc == proc {
			if o.agreed++; o.agreed < parity {
				return false
			}
			k.odd = slices.Delete(k.odd, i, i+1)
			return true
		}
	}
	return true
}

// votedFor notes that the network votes for a block. That it votes for good ones shows when they have
// proven to be.
func (c *Core) votedFor(e *block) {
	if e != nil {
		e.voted = max(c.now.Mono, 1)
	}
}

// foreignVote is when the network voted last for a block that is known to be good.
func (c *Core) foreignVote() time.Duration {
	const near = 8 // votes come within a few slots
	e := c.head
	for i := 0; i < near && e != nil; i++ {
		if e.survived || e.verified {
			c.reign.foreign = max(c.reign.foreign, e.voted)
		}
		e = c.blocks.get(e.prev)
	}
	return c.reign.foreign
}

// mayEmit tells whether it is a node's turn to emit a finalizer's votes. finalizer_node takes it over
// with any newer vote; while it is there, the others have it only when it lags.
func (c *Core) mayEmit(k *finalizer, from SessionID, slot p2pwire.Slot) bool {
	if s := c.chosenFinalizer(); s != nil {
		if s.id == from {
			k.chosen = max(k.chosen, slot)
			return true
		}
		if k.chosen == 0 {
			k.chosen = slot // its votes may be on the way; or it has not this key
		}
		if slot < k.chosen+emitterLag {
			return false
		}
	}
	return k.emitter == 0 || k.emitter == from || slot >= k.last+emitterLag
}

// chosenFinalizer is the session of finalizer_node, if it is connected.
func (c *Core) chosenFinalizer() *session {
	for _, s := range c.internal {
		if c.isFinalizer(s.info.Name) && !s.closing {
			return s
		}
	}
	return nil
}

func (c *Core) sendVote(s *session, b *buf) {
	if s.kind == p2pwire.KindTransactions {
		return
	}
	if !p2pwire.TypeVote.SendableTo(s.pv) {
		c.stats.Dropped[ReasonProtocolVersion]++
		return
	}
	c.send(s, queueGeneral, b)
}

// fanVote gives a vote to every node but the one it came from or went to. What a foreign finalizer votes
// is kept for the nodes that are held: it would free them.
func (c *Core) fanVote(b *buf, except SessionID, foreign, trusted bool) {
	var given lanes
	by := SessionID(0)
	held := false
	for i := 0; i < len(c.internal); i++ {
		t := c.internal[i]
		switch {
		case t.id == except:
			given.set(t.lane)
			by = t.id
		case t.held && (foreign || t.node == nil || t.node.mute):
			held = true
		case t.sync == nil:
			c.sendVote(t, b)
			given.set(t.lane)
			by = t.id
		}
	}
	if held {
		c.keepVote(b, by, given, trusted)
	}
}

// public lets the votes go that waited for a block.
func (v *voteBook) public(c *Core, e *block) { v.take(c, e, true) }

// withheld drops the votes that waited for a block.
func (v *voteBook) withheld(c *Core, e *block) { v.take(c, e, false) }

func (v *voteBook) take(c *Core, e *block, emit bool) {
	if len(v.waiting) == 0 {
		return
	}
	var mine []waitingVote
	v.waiting = slices.DeleteFunc(v.waiting, func(w waitingVote) bool {
		if w.block == e.id && !w.unmarked {
			mine = append(mine, w)
			return true
		}
		return false
	})
	for _, w := range mine {
		if w.early {
			v.early--
			c.lateLook(w, e, emit)
		} else if emit {
			c.emitVote(w.node, w.proc, e, w.key, w.frame)
		} else {
			v.wentOdd(c, w.key, w.proc)
			c.stats.Dropped[ReasonVoteWithheld]++
		}
		c.pool.release(w.frame)
	}
}

func (v *voteBook) expire(c *Core) {
	v.waiting = slices.DeleteFunc(v.waiting, func(w waitingVote) bool {
		if w.until > c.now.Mono {
			return false
		}
		if w.early {
			v.early--
		}
		c.stats.Dropped[ReasonVoteExpired]++
		c.pool.release(w.frame)
		return true
	})
}

// leftElsewhere notes up to which slot a finalizer's votes have left through another relay.
func (v *voteBook) leftElsewhere(id [32]byte, slot p2pwire.Slot) {
	v.restored[id] = max(v.restored[id], slot)
	for _, k := range v.keys {
		if k.id == id {
			k.last = max(k.last, slot)
		}
	}
}

// emitterGone frees the keys whose votes a node emitted.
func (v *voteBook) emitterGone(id SessionID) {
	for _, k := range v.keys {
		if k.emitter == id {
			k.emitter = 0
		}
	}
}

// networkVote takes a vote from the outside world: one node first for a new pair of source and
// finalizer, then everyone.
func (c *Core) networkVote(s *session, f p2pwire.Frame, owned *buf) {
	v, err := p2pwire.ParseVote(f.Body())
	if err != nil {
		c.end(s, ReasonMalformed)
		return
	}
	if c.window.Seen(c.now.Mono, sha256.Sum256(f.Payload())) {
		c.drop(s, ReasonDuplicate)
		return
	}
	e := c.blocks.get(v.BlockID)
	if e != nil && e.held && !e.withheld && c.cfg.Cluster != nil && c.votes.early < maxEarlyVotes {
		b := c.keep(f, owned)
		c.earlyVote(s, &v, b)
		c.pool.release(b)
		return
	}
	if e != nil && (e.withheld || e.held) {
		c.drop(s, ReasonVoteWithheld)
		return
	}
	if c.head != nil && v.BlockID.Num()+staleDistance < c.head.num {
		c.drop(s, ReasonStale)
		return
	}
	if e != nil && e.claimed {
		c.slotEcho(e, EchoVote, c.now.Mono)
	}
	b := c.keep(f, owned)
	c.admitVote(s, e, &v, b)
	c.pool.release(b)
}

// earlyVote keeps a vote for a candidate until that is decided. The other relay lets a block out at once when it
// takes over its claim: the network's votes may be here before its answer is.
func (c *Core) earlyVote(s *session, v *p2pwire.Vote, b *buf) {
	n := len(c.votes.waiting)
	c.waitVote(waitingVote{frame: b, block: v.BlockID, node: s.id, early: true})
	c.votes.early += len(c.votes.waiting) - n
}

// lateLook takes it up again, if its block went out and whoever sent it is there.
func (c *Core) lateLook(w waitingVote, e *block, out bool) {
	s := c.sessions[w.node]
	v, err := p2pwire.ParseVote(p2pwire.Frame(w.frame.b).Body())
	if !out || s == nil || err != nil {
		c.stats.Dropped[ReasonVoteWithheld]++
		return
	}
	if e.claimed {
		c.slotEcho(e, EchoVote, w.until-voteWait)
	}
	c.admitVote(s, e, &v, w.frame)
}

// admitVote lets a vote of the network in: one node first, unless its source and finalizer are known.
func (c *Core) admitVote(s *session, e *block, v *p2pwire.Vote, b *buf) {
	h := c.ballot(v.BlockID[:], v.FinalizerKey())
	if c.votes.ballots.has(h) {
		c.drop(s, ReasonTwin)
		return
	}
	if len(c.internal) == 0 {
		return
	}
	pair := maphash.Bytes(c.canary.seed, v.FinalizerKey())
	if n := s.pairs[pair]; n > 0 && n >= 1<<(3*c.canary.doubts[s.key]) {
		c.votes.ballots.add(h)
		c.votedFor(e)
		c.fanVote(b, 0, !c.voteFrom(Network, v.FinalizerKey()).own(), true)
		c.canary.watch(c, s)
		return
	}
	node, _ := c.pickCanary(nil, "")
	if node == nil && e != nil && e.public {
		c.origin(v.FinalizerKey()).heard = max(c.now.Mono, 1) // all our nodes are held: nobody can try it
	}
	t := trial{frame: b, source: s.id, pair: pair}
	if node == nil && slices.ContainsFunc(c.internal, c.soloAt) && c.voteTrials(s.id) < maxVoteTrials {
		t.frame = b.retain()
		c.canary.parked = append(c.canary.parked, t)
		c.stall()
		return
	}
	if node == nil || !p2pwire.TypeVote.SendableTo(node.pv) || !c.send(node, queueGeneral, b) {
		return
	}
	t.frame = b.retain()
	c.begin(t, node)
}
