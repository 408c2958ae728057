package core

import (
	"bytes"
	"slices"
	"time"

	"bprelay/dedup"
	"bprelay/p2pwire"
)

// maxPayloads is how many different payloads may pass under one block id before one has survived:
// the id covers neither signature nor body, so a mutilated twin may come first.
const maxPayloads = 3

// maxPayloadsOfOne is how many of them one session may have on trial: one alone keeps nobody out.
const maxPayloadsOfOne = 2

// networkBlock takes a block from the outside world: checks, identity, fan-in.
func (c *Core) networkBlock(s *session, f p2pwire.Frame, owned *buf) {
	v, err := p2pwire.ParseBlock(f.Body())
	if err != nil {
		c.end(s, ReasonMalformed)
		return
	}
	if c.routeSync(s, &v, f, owned) {
		return
	}
	digest := c.digestOf(f)
	e := c.blocks.get(v.ID)
	if c.refusedAgain(v.ID, digest) {
		c.drop(s, ReasonHarmful)
		return
	}
	// Bytes seen before whose block is gone, because a bad twin of it was thrown out, are welcome again; and
	// so are those of a block of ours that was withheld since.
	if c.window.Seen(c.now.Mono, digest) && e != nil && !e.stub() && !(e.withheld && e.frame == nil) {
		c.drop(s, ReasonDuplicate)
		e.has.set(s.lane)
		return
	}
	if v.HasQC && v.QC.Num > v.Num {
		c.end(s, ReasonInvalidBlock) // a certificate for a block to come (the first Savanna block claims itself)
		return
	}
	if v.Slot > p2pwire.SlotAt(c.latest()+int64(c.cfg.MaxFuture)) {
		c.window.Forget(digest)
		c.drop(s, ReasonTooFarAhead)
		return
	}
	if c.head != nil && v.Num+staleDistance < c.head.num {
		c.drop(s, ReasonStale)
		return
	}
	if err := c.checkBlock(&v); err != nil {
		c.end(s, ReasonInvalidBlock)
		return
	}
	signed := c.signatureKnown(&v)
	switch {
	case e != nil && e.own && e.withheld && !signed && e.frame == nil:
		// Only its id is known to be good: these bytes have to prove themselves like any.
		e.has.set(s.lane)
		c.setFrame(e, c.keep(f, owned))
		e.payloads, e.source, e.public = 1, s.id, true
		c.link(e, c.linkedBlock)
		return
	case e != nil && e.own && !(e.withheld && !signed):
		switch {
		case e.claimed:
			e.has.set(s.lane)
			c.slotEcho(e, EchoBlock, c.now.Mono)
		case e.held && !signed && (e.frame == nil || !bytes.Equal(e.frame.b, f)):
			c.drop(s, ReasonTwin) // anyone can name the id of a block that is empty
		case e.withheld || e.held:
			e.has.set(s.lane)
			if e.frame == nil {
				c.setFrame(e, c.keep(f, owned))
			}
			c.publicElsewhere(s, e)
		}
		return
	case e != nil && !e.stub():
		e.has.set(s.lane)
		if e.survived {
			c.drop(s, ReasonTwin)
			return
		}
		limit := uint8(maxPayloads)
		if signed && !e.signed {
			limit *= 2 // bytes that cannot be genuine do not keep those out that can
		}
		if e.payloads >= limit || c.payloadsOf(s, e) >= maxPayloadsOfOne {
			c.drop(s, ReasonTooManyPayloads)
			return
		}
		e.payloads++
		twin := c.keep(f, owned)
		c.tryTwin(s.id, e, twin)
		c.pool.release(twin)
		return
	}
	if why := c.overQuota(s, &v, signed); why != ReasonNone {
		c.window.Forget(digest)
		c.drop(s, why)
		if why == ReasonOrphan {
			c.fetchGap(s, c.missingBelow(v.Previous))
		}
		return
	}
	if e == nil {
		e = c.insert(v.ID)
	}
	e.fill(&v)
	c.setFrame(e, c.keep(f, owned))
	e.payloads, e.source, e.signed = 1, s.id, signed
	e.public, e.linked = true, false
	e.has.set(s.lane)
	if op := c.own[v.Producer]; op != nil && signed {
		c.foreignOwn(s, e)
	}
	if e.verified {
		c.slotPublic(e) // a node had named it before its bytes came
	}
	c.boot.saw(c, e)
	c.link(e, c.linkedBlock)
	if !e.linked {
		c.orphan(e)
		c.drop(s, ReasonOrphan)
		c.fetchGap(s, c.missingBelow(e.prev))
		return
	}
}

// staleDistance is how far below the public head a block is of no use to anyone live.
const staleDistance = 1024

const (
	// maxOrphans bounds the blocks kept whose parent is unknown, ofOne those of one session.
	maxOrphans, maxOrphansOfOne = 512, 32
	// maxUnproven bounds the linked blocks of one session that nobody vouched for; more may come
	// from one that was asked for blocks.
	maxUnproven, maxUnprovenAsked = 64, 1024
	// askedFor is how long after a request its answer may take.
	askedFor = 10 * time.Second
)

// overQuota tells whether a session has too many blocks in the table that nobody vouched for: they
// would push out everything else.
func (c *Core) overQuota(s *session, v *p2pwire.Block, signed bool) Reason {
	if signed || s.info.Side == Internal {
		return ReasonNone
	}
	asked := c.since(s.asked) < askedFor
	// Below every node's root a block can prove nothing, and is of no use to anyone.
	if !asked && c.lowestRoot() >= v.Num {
		return ReasonStale
	}
	orphans, unproven, lib := 0, 0, c.lib()
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.source == s.id && !x.verified && x.frame != nil && x.num > lib {
			if x.counted {
				orphans++
			} else {
				unproven++
			}
		}
	}
	if p := c.blocks.get(v.Previous); p == nil || !p.linked {
		if c.boot.orphans >= maxOrphans || (orphans >= maxOrphansOfOne && !asked) {
			return ReasonOrphan
		}
	}
	if unproven >= maxUnprovenAsked || (unproven >= maxUnproven && !asked) {
		return ReasonQuota
	}
	return ReasonNone
}

// dropOrphans forgets the orphans of a session that ended.
func (c *Core) dropOrphans(s *session) {
	for i := 0; i < c.blocks.n && c.boot.orphans > 0; i++ {
		if x := c.blocks.at(i); x.counted && x.source == s.id && !c.shared(x) && x != c.lineage.tip {
			c.remove(x)
			i--
		}
	}
}

// linkedBlock fans a public block in once its ancestry is known.
func (c *Core) linkedBlock(b *block) {
	if slices.ContainsFunc(c.canary.parked, func(t trial) bool { return t.block == b }) {
		c.stall() // other payloads of it waited for this
	}
	c.votes.public(c, b)
	s := c.sessions[b.source]
	if b.taken {
		c.setVerified(b)
	}
	if b.survived {
		c.fanIn(b, nil, false)
		return
	}
	if b.signed {
		c.setVerified(b)
	}
	c.tryBlock(b)
	if s != nil && s.proven && b.signed {
		c.fanIn(b, nil, true)
	}
}

// signatureKnown tells whether a Savanna block is signed as its producer is known to sign: by the
// configured keys for own producers, by the one key of earlier blocks that survived for others.
func (c *Core) signatureKnown(v *p2pwire.Block) bool {
	if !v.Savanna {
		return false
	}
	if op := c.own[v.Producer]; op != nil {
		return op.authority != nil && op.authority.Verify(v)
	}
	a := c.learned[v.Producer]
	return a != nil && a.Verify(v)
}

// maxLearned bounds the producers whose keys are remembered; schedules have 21, EOSIO allows 125.
const maxLearned = 256

// learnKey remembers by which key a survived block was signed. A producer that signs with several
// stays unknown: which of them are needed only its authority tells. Only what stands above the public
// head teaches: nodeos ignores a block at or below its root, whoever signed it.
func (c *Core) learnKey(b *block) {
	if c.head == nil || b.num <= c.head.num || !b.savanna || b.signed || b.frame == nil || c.own[b.producer] != nil {
		return
	}
	v, err := p2pwire.ParseBlock(p2pwire.Frame(b.frame.b).Body())
	if err != nil {
		return
	}
	keys, err := v.Signers()
	if err != nil || len(keys) != 1 {
		return
	}
	a, err := p2pwire.NewAuthorityVerifier(p2pwire.AnyOf(keys...))
	if err != nil {
		return
	}
	if len(c.learned) >= maxLearned {
		clear(c.learned)
	}
	c.learned[b.producer] = a
}

// foreignOwn handles a block of an own producer with a valid signature that no node of ours sent: it
// has its slot, whoever made it.
func (c *Core) foreignOwn(s *session, e *block) {
	// What this relay let out before it was restarted comes back that way too: the journal knows it,
	// and without one it lies behind the fence.
	doubted, _ := c.inDoubt(e.producer, e.slot)
	r := c.concede(e)
	if (r == dedup.Claimed || r == dedup.Same && doubted) && c.follows() {
		c.echoed(e)
		c.adopt(e, e.claim()) // the active let it out, and its claim is on the way
		return
	}
	if (r == dedup.Claimed || r == dedup.Taken) && e.slot > c.fenceSlot(e.producer) {
		c.alarm(ReasonForeignBlock, s, e)
	}
}

// publicElsewhere handles an own candidate that we did not let out but the network shows, with bytes
// that are known to be good.
func (c *Core) publicElsewhere(s *session, e *block) {
	if e.pending && c.cfg.Cluster != nil {
		// The other relay let it out as soon as it heard of the claim, and the network was faster with it
		// than that relay with its answer.
		e.shown = true
		c.echoed(e)
		return
	}
	if (!e.shown || e.slot > c.fenceSlot(e.producer)) && !c.follows() {
		c.alarm(ReasonWithheldInPublic, s, e) // else it left before this relay was started
	}
	if e.held {
		c.unhold(e)
	}
	c.concede(e)
	e.withheld, e.public, e.linked, e.survived = false, true, true, true
	c.setVerified(e)
	c.votes.public(c, e)
	c.fanIn(e, nil, false)
	c.linkChildren(e, c.linkedBlock)
}

// fanIn gives a block to every node that is live and lacks it. unproven lets it through although no
// node has survived it yet: its signature is known and its source has been good so far.
func (c *Core) fanIn(b *block, except *session, unproven bool) {
	for i := 0; i < len(c.internal); i++ {
		if t := c.internal[i]; t != except && t.sync == nil && !(t.held && c.holdsBack(t, b)) {
			c.deliver(t, b, unproven)
		}
	}
}

// deliver queues a block for a node, its missing ancestors first, and tells whether the node has it
// then. Bytes that no node has survived are not handed out on the way. A node that lacks more than
// the ring holds is brought up by catch-up.
func (c *Core) deliver(s *session, b *block, unproven bool) bool {
	if s.closing || s.kind == p2pwire.KindTransactions {
		return false
	}
	path, size := c.path[:0], 0
	c.path = nil // send can lead back here
	defer func() { c.path = path[:0] }()
	for x := b; !s.has(x); {
		if x.frame == nil || !x.public || !x.linked {
			c.fetchBytes(x, b)
			c.startSync(s) // what is not linked is tried on nobody
			return false
		}
		if !x.survived && !(x == b && unproven) {
			if !c.onTrial(x.frame) {
				c.stall() // when it came every node had it
			}
			return false // follows when it has survived
		}
		path = append(path, x)
		size += len(x.frame.b)
		p := c.blocks.get(x.prev)
		if p == nil {
			if x.num > s.rootNum+1 {
				c.startSync(s)
				return false
			}
			break
		}
		x = p
	}
	if len(path) > 1 && size > syncLowWater {
		c.startPush(s, path[len(path)-1].prev, p2pwire.ID{})
		return false
	}
	for i := len(path) - 1; i >= 0; i-- {
		if !c.send(s, queueGeneral, path[i].frame) {
			return false
		}
		path[i].has.set(s.lane)
		path[i].given.set(s.lane)
	}
	if n := s.node; n != nil && s.held {
		c.gotBlock(n)
		if len(path) > 0 && path[0].id == n.back {
			n.back = p2pwire.ID{}
		}
	}
	return true
}
