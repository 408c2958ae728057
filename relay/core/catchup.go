package core

import (
	"time"

	"bprelay/p2pwire"
)

// catchUp is a session being brought up to the public chain. From the ring (far false) blocks are
// queued as the session takes them. From beyond the ring (far true, own nodes only) a network peer
// is asked and its answer handed on parent first; live blocks wait until then.
type catchUp struct {
	far      bool
	tip      p2pwire.ID // last block handed over
	from     p2pwire.ID // what the server was asked for the blocks behind of
	goal     p2pwire.ID // last block wanted; zero for the public head
	server   SessionID
	progress time.Duration
	since    time.Duration // start of the present count of blocks
	given    int           // blocks of the server since then
	asked    bool
}

const (
	// syncLowWater is how much of a catch-up is queued at a time (bytes).
	syncLowWater = 4 << 20
	// syncClaimWait is how long a node may take to ask after we claimed a higher head; then we fetch
	// unasked.
	syncClaimWait = 500 * time.Millisecond
	// syncPatience is how long a server may stall before another is asked.
	syncPatience = 2 * time.Second
	// syncPace and minPace: a server gives this many blocks in this time, or another is asked.
	syncPace, minPace = 5 * time.Second, 50
	// pushGap is the least time between two pushes that a session's handshakes trigger.
	pushGap = 200 * time.Millisecond
)

// claimHead names the verified public head, with the node's own root: nodeos then requests from its
// own head on.
func (c *Core) claimHead(s *session) {
	c.sendHandshake(s, s.rootNum, s.rootID, c.head.num, c.head.id)
	if s.sync == nil {
		s.sync = &catchUp{far: true, tip: s.rootID, progress: c.now.Mono}
	}
	c.timers.add(c.now.Mono+syncClaimWait, timer{kind: timerSync, session: s.id})
}

// startSync begins to bring up a session that lacks more than the ring holds. Network peers have
// others to ask.
func (c *Core) startSync(s *session) {
	if s.sync != nil || s.info.Side == Network || s.closing {
		return
	}
	if c.head != nil && c.head.num >= s.rootNum {
		c.claimHead(s)
		return
	}
	// No verified head that could be claimed: a head below the node's root would bring a go_away for
	// good. What is fetched is tried on this node.
	s.sync = &catchUp{far: true, tip: s.rootID}
	c.fetchFor(s)
}

// startPush begins to bring up a session from the ring.
func (c *Core) startPush(s *session, tip, goal p2pwire.ID) {
	if s.closing {
		return
	}
	s.sync = &catchUp{tip: tip, goal: goal, progress: c.now.Mono}
	c.continueSync(s)
}

// stopSync ends a catch-up.
func (c *Core) stopSync(s *session) { s.sync = nil }

// continueSync queues the next blocks of a push from the ring; when the public head is reached the
// session is live.
func (c *Core) continueSync(s *session) {
	y := s.sync
	if y.far {
		return
	}
	var path []*block
	x := c.head
	if !y.goal.IsZero() {
		x = c.blocks.get(y.goal)
	}
	for x != nil && x.id != y.tip && x.frame != nil && x.num > y.tip.Num() {
		path = append(path, x)
		x = c.blocks.get(x.prev)
	}
	if len(path) == 0 || path[len(path)-1].prev != y.tip {
		// The public chain left tip: the session is live again and says so if it lacks something.
		s.sync = nil
		return
	}
	for i := len(path) - 1; i >= 0; i-- {
		if s.out[queueGeneral].bytes >= syncLowWater {
			return
		}
		if !path[i].survived || (s.info.Side == Network && !c.mayShow(s, path[i])) {
			break
		}
		if !c.send(s, queueGeneral, path[i].frame) {
			return
		}
		path[i].has.set(s.lane)
		path[i].given.set(s.lane)
		y.tip = path[i].id
	}
	s.sync = nil
}

// fetchFor asks a network peer for what a node lacks beyond the ring.
func (c *Core) fetchFor(v *session) {
	y := v.sync
	y.asked, y.progress = true, c.now.Mono
	c.timers.add(c.now.Mono+syncPatience, timer{kind: timerSync, session: v.id})
	var best *session
	for _, n := range c.network {
		if n.closing || n.serving != 0 || n.rootNum == 0 || n.id == y.server || n.kind == p2pwire.KindTransactions {
			continue
		}
		if best == nil || c.betterServer(n, best) {
			best = n
		}
	}
	if best == nil {
		if n := c.sessions[y.server]; n != nil && !n.closing && n.serving == v.id {
			best = n
		} else {
			return // the timer tries again
		}
	} else if n := c.sessions[y.server]; n != nil {
		n.serving = 0
	}
	y.server, v.servedBy, best.serving = best.id, best.key, v.id
	y.given, y.since = 0, c.now.Mono
	y.from = y.tip
	c.ask(best, y.tip)
}

// betterServer prefers who failed less, then who was chosen by configuration, then who has shown good
// blocks. What a peer claims as its head counts for nothing.
func (c *Core) betterServer(a, b *session) bool {
	fa, fb := c.failures[a.key], c.failures[b.key]
	switch {
	case fa != fb:
		return fa < fb
	case a.info.Dialled != b.info.Dialled:
		return a.info.Dialled
	}
	return a.proven && !b.proven
}

// failed counts a catch-up against the peer that served it.
func (c *Core) failed(server string) {
	if len(c.failures) >= maxBans {
		clear(c.failures)
	}
	c.failures[server]++
}

// syncDue looks after a catch-up from beyond the ring.
func (c *Core) syncDue(v *session) {
	if v == nil || v.closing || v.sync == nil || !v.sync.far {
		return
	}
	if c.joinRing(v) {
		return
	}
	y := v.sync
	switch {
	case !y.asked || c.since(y.progress) >= syncPatience:
		if y.asked && y.tip == y.from {
			y.tip = v.rootID // the network may never have had the node's head
		}
		c.fetchFor(v)
		return
	case c.since(y.since) >= syncPace:
		if y.given < minPace {
			c.failed(v.servedBy)
			c.fetchFor(v)
			return
		}
		y.given, y.since = 0, c.now.Mono
	}
	c.timers.add(min(y.progress+syncPatience, y.since+syncPace), timer{kind: timerSync, session: v.id})
}

// joinRing goes on from the ring once the catch-up has reached it.
func (c *Core) joinRing(v *session) bool {
	b := c.blocks.get(v.sync.tip)
	if b == nil || !b.public || !b.linked {
		return false
	}
	verified := c.head != nil && c.extends(c.head, b)
	if verified && c.childOf(b) == nil && b != c.head {
		return false
	}
	if !verified && c.head != nil && b.num < c.head.num {
		return false // what lies between is not known here: the server has more to give
	}
	if n := c.sessions[v.sync.server]; n != nil {
		n.serving = 0
		c.serveNext()
	}
	c.markChain(v, b)
	if verified {
		c.startPush(v, b.id, p2pwire.ID{})
	} else {
		v.sync = nil
		c.retry()
	}
	return true
}

// serveNext asks for the nodes that found every network peer busy.
func (c *Core) serveNext() {
	for _, v := range c.internal {
		if y := v.sync; y != nil && y.far && y.asked && c.sessions[y.server] == nil {
			y.progress = c.now.Mono - syncPatience
			c.timers.add(c.now.Mono, timer{kind: timerSync, session: v.id})
		}
	}
}

// childOf finds the block of the public chain right above b that may be handed out from here, with all
// above it: a block of ours that is still judged may not, whatever builds on it.
func (c *Core) childOf(b *block) *block {
	for x := c.head; x != nil && x.frame != nil && x.public && x.linked && x.num > b.num; x = c.blocks.get(x.prev) {
		if x.prev == b.id {
			return x
		}
	}
	return nil
}

// routeSync hands a block of a catch-up to the node it was asked for. It tells whether that is all
// the block is good for.
func (c *Core) routeSync(s *session, v *p2pwire.Block, f p2pwire.Frame, owned *buf) bool {
	if s.serving == 0 {
		return false
	}
	t := c.sessions[s.serving]
	if t == nil || t.sync == nil || !t.sync.far || t.sync.server != s.id {
		s.serving = 0
		return false
	}
	old := c.head != nil && v.Num+uint32(c.cfg.RingBlocks/2) < c.head.num
	if v.Previous != t.sync.tip {
		return old
	}
	if c.checkBlock(v) != nil {
		c.end(s, ReasonInvalidBlock)
		return true
	}
	b := c.keep(f, owned)
	c.send(t, queueSync, b)
	c.pool.release(b)
	t.sync.tip, t.sync.progress, t.served = v.ID, c.now.Mono, c.now.Mono
	t.sync.given++
	if e := c.blocks.get(v.ID); e != nil && !old {
		e.has.set(t.lane)
		c.joinRing(t)
	}
	return old
}

// dropServer frees the node that a leaving network peer was serving.
func (c *Core) dropServer(s *session) {
	if v := c.sessions[s.serving]; v != nil && v.sync != nil && v.sync.server == s.id {
		v.sync.server = 0
		v.sync.progress = c.now.Mono - syncPatience
		c.timers.add(c.now.Mono, timer{kind: timerSync, session: v.id})
	}
	s.serving = 0
}
