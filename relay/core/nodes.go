package core

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// takeover is who leads, who is held, and what it takes to release a node.
type takeover struct {
	mode  Takeover      // in force: race, leash or api
	asked bool          // something else than race is configured
	why   string        // why that one, in words
	known bool          // the start is over: the lead is known, or there is none
	since time.Duration // since when; 0: from the start on
	lead  string        // the node that leads, empty if none does
	nodes []*node

	reserve  reserve
	origins  map[uint64]*origin
	watched  p2pwire.Slot  // the slot for which nobody could be released
	wanted   string        // the node that was ordered to lead
	unfit    time.Duration // since when the lead lacks something; 0: it does not
	next     time.Duration // Mono of the next step
	blind    time.Duration // until then nothing is decided: this relay stood still
	up       time.Duration // when the first node was there; 0: none so far
	upLead   time.Duration // the same of nodes that may lead
	foreign  time.Duration // when a vote of a foreign finalizer came last
	ourVote  time.Duration // when a vote of our finalizers came last; 0: never
	voteless bool          // the network gives no votes
	silent   bool          // our finalizer does not vote
	alone    bool          // no node could be released
	lonely   time.Duration // since when
	chosen   bool          // the way was chosen once
	decided  time.Duration // when it was looked at last
	against  time.Duration // since when something speaks against it; 0: nothing does

	wishes   []ControlRequest
	passing  passing
	doubt    time.Duration // api: since when no node is known to run; 0: one is
	freeAt   time.Duration // api: when the next one is resumed for that
	releases uint64
	changes  uint64
	past     [32]leadChange // ring
	nextPast int
}

// node is one node of ours as the takeover sees it, connected or not.
type node struct {
	cfg     NodeConfig
	guest   bool          // it is not configured: forgotten when it goes
	s       *session      // its session, nil if there is none
	lastID  SessionID     // its last session
	proc    p2pwire.ID    // the nodeos process behind it
	heard   time.Duration // when the last time message that it answered on it was made
	gone    time.Duration // when it went
	lost    bool          // it went and could not be dialled
	drained bool
	held    bool          // it is not to produce
	quiet   time.Duration // leash: since when it was given no vote that frees it
	seen    time.Duration // leash: when it was first given a block that counts against that; 0: not yet
	freed   time.Duration // when it was released last
	pending bool          // it is being released: votes at votesAt, then the block upon which it looks
	votesAt time.Duration
	looks   time.Duration // when it can have looked at the block upon which it was released
	gave    time.Duration // when it was given a block last, while held; 0: not yet
	back    p2pwire.ID    // the block it is kept behind; zero: none
	stray   time.Duration // when it last produced although it should have been quiet; 0: never
	hung    bool          // it owes an answer: what it knew then says nothing of what it does next
	mute    bool          // it strayed while it got the votes of our finalizers: those are withheld, too
	voted   time.Duration // when it voted last; 0: never
	applied appliedProbe

	wish   wish
	asking bool
	asked  time.Duration
	fault  string // why the last call failed
	said   said
}

const (
	// armAfter is how long, beyond production-pause-vote-timeout-ms, a node without votes may still
	// produce: its tracker looks at the first block that is more than 1 s younger than the last vote.
	armAfter = 1400 * time.Millisecond
	// tolerance is that second, armMargin what a block may be on its way to the tracker.
	tolerance, armMargin = time.Second, 100 * time.Millisecond
)

// gotBlock notes that a held node was given a live block: the one that its tracker begins to count from.
func (c *Core) gotBlock(n *node) {
	n.gave = max(c.now.Mono, 1)
	if n.held && n.seen == 0 && c.since(n.quiet) > tolerance {
		n.seen = c.now.Mono
	}
}

func (t *takeover) init(c *Core) {
	t.origins = make(map[uint64]*origin)
	for _, n := range c.cfg.Nodes {
		t.nodes = append(t.nodes, &node{cfg: n, gone: -time.Hour})
	}
	t.mode = c.cfg.Takeover.Mode
	t.why = "as configured"
	if t.mode == TakeoverAuto {
		t.mode, t.why = TakeoverRace, "not decided yet"
	}
	t.asked = c.cfg.Takeover.Mode != TakeoverRace
	t.known = !t.asked
	t.next = c.now.Mono + stepEvery
	c.timers.add(t.next, timer{kind: timerTakeover})
}

// on tells whether there is a lead, now or as soon as it is known.
func (t *takeover) on() bool { return t.mode == TakeoverLeash || t.mode == TakeoverAPI }

// leashed tells whether votes are withheld from nodes that are held: with the leash, and while it is not
// known yet who leads.
func (t *takeover) leashed() bool {
	return t.mode == TakeoverLeash || t.mode == TakeoverRace && !t.chosen && t.asked
}

// find finds a node by name.
func (t *takeover) find(name string) *node {
	for _, n := range t.nodes {
		if n.cfg.Name == name {
			return n
		}
	}
	return nil
}

// maxNodes bounds the nodes known; configured ones are all there.
const maxNodes = 64

// nodeUp notes a node's session. Whoever is not known to lead is held from its first vote on.
func (c *Core) nodeUp(s *session) {
	t := &c.reign
	n := t.find(s.Name())
	if n == nil {
		if len(t.nodes) >= maxNodes {
			s.held = t.leashed()
			return
		}
		n = &node{cfg: NodeConfig{Name: s.Name(), Priority: s.info.Priority}, guest: true}
		t.nodes = append(t.nodes, n)
	}
	if t.up == 0 {
		t.up = max(c.now.Mono, 1)
	}
	if t.upLead == 0 && n.cfg.Role.produces() {
		t.upLead = max(c.now.Mono, 1)
	}
	n.s, n.lastID, n.lost, n.back, n.pending = s, s.id, false, p2pwire.ID{}, false
	if n.proc != s.peerID {
		n.proc, n.gave = s.peerID, 0
		n.stray, n.mute, n.held = 0, false, false
		n.said = saidNothing
	}
	if n.hung {
		n.quiet, n.seen = c.now.Mono, 0 // see watchHung
	}
	n.hung, n.applied = false, appliedProbe{}
	n.voted, n.wish, n.asking, n.fault = 0, wishNone, false, ""
	s.node = n
	if c.cfg.Takeover.Mode == TakeoverRace || !n.cfg.Role.produces() {
		return
	}
	if n.cfg.Name == t.lead && t.known {
		c.setHeld(n, false)
		return
	}
	if t.on() || !t.known {
		c.setHeld(n, true)
	}
	c.stepSoon()
}

// nodeDown notes that a node's session is gone.
func (c *Core) nodeDown(s *session) {
	n := s.node
	if n == nil || n.s != s {
		return
	}
	n.s, n.gone, n.lost, n.back, n.pending = nil, c.now.Mono, !s.info.Dialled, p2pwire.ID{}, false
	n.heard = s.heard
	for _, other := range c.internal {
		if other.Name() == n.cfg.Name && other != s {
			n.s, n.lost = other, false // connected both ways
		}
	}
	if n.s != nil {
		return
	}
	if n.cfg.Name == c.reign.lead {
		c.leadDown(n)
	}
	if n.guest && n.cfg.Name != c.reign.lead {
		c.reign.nodes = slices.DeleteFunc(c.reign.nodes, func(x *node) bool { return x == n })
	}
}

// nodeLost notes that a node could not be dialled: it is not only its session that is gone.
func (c *Core) nodeLost(name string) {
	if n := c.reign.find(name); n != nil && n.s == nil {
		n.lost = true
		if name == c.reign.lead {
			c.leadDown(n)
		}
	}
}

// setHeld keeps a node from producing, or ends that.
func (c *Core) setHeld(n *node, held bool) {
	if held && !n.held {
		n.quiet, n.seen = c.now.Mono, 0
	}
	n.held = held
	for _, s := range c.internal {
		if s.node == n {
			s.held = held && c.reign.leashed()
		}
	}
	if c.reign.mode == TakeoverAPI && c.reign.known {
		c.wishFor(n)
	}
}

// armed tells whether a held node is quiet by now.
func (c *Core) armed(n *node) bool {
	switch {
	case !n.held || n.stray != 0:
		return false
	case c.reign.mode == TakeoverAPI:
		return n.said == saidPaused
	}
	return c.armedIn(n) <= 0
}

// armedIn is how long a held node may still produce.
func (c *Core) armedIn(n *node) time.Duration {
	if n.hung || n.seen == 0 {
		return c.cfg.Takeover.VoteTimeout + armAfter
	}
	return n.seen + c.cfg.Takeover.VoteTimeout + armMargin - c.now.Mono
}

// strayed notes that a held node made a block although it should be quiet.
func (c *Core) strayed(n *node, e *block) {
	t := &c.reign
	if !n.held || n.stray != 0 || n.hung || e.slot.Time() < c.wall()-int64(time.Second) {
		return
	}
	if t.mode == TakeoverAPI {
		if n.said == saidPaused && c.since(n.asked) > armAfter {
			n.stray = c.now.Mono
			c.alarm(ReasonCannotHold, n.s, e)
		}
		return
	}
	if c.armedIn(n) > -tolerance {
		return
	}
	if !n.mute {
		// Perhaps the votes of our own finalizers free it: their description is no producer's name.
		n.mute, n.quiet, n.seen = true, c.now.Mono, 0
		return
	}
	n.stray = c.now.Mono
	c.alarm(ReasonCannotHold, n.s, e)
}

// lacks is what keeps a held node from being released within our run, in words; empty if nothing does.
func (c *Core) lacks(n *node) string {
	why := c.ails(n)
	switch {
	case why != "":
	case c.reign.mode == TakeoverLeash && n.held && c.reserveOf(n) == 0:
		return "no vote in reserve that it never had"
	case n.fault != "" && (c.reign.mode == TakeoverAPI || n.said == saidPaused):
		return "producer API: " + n.fault
	}
	return why
}

// ails is what keeps a node from leading, in words; empty if nothing does.
func (c *Core) ails(n *node) string {
	s := n.s
	switch {
	case !n.cfg.Role.produces():
		return "has no producer key"
	case s == nil || s.closing:
		return "not connected"
	case s.sync != nil:
		return "catching up"
	case n.hung:
		return "does not answer"
	case c.head != nil && !c.upToDate(n):
		return "lags behind the public head"
	}
	return ""
}

// silentAfter is how long a node may owe an answer to a time message before it counts as hung.
const silentAfter = 400 * time.Millisecond

// upToDate tells whether a node was given the public head, but for the block it is kept behind, and for
// one that is being tried elsewhere.
func (c *Core) upToDate(n *node) bool {
	h := c.head
	if !n.s.has(h) && c.since(h.arrived) < trialTime {
		if p := c.blocks.get(h.prev); p != nil {
			h = p
		}
	}
	if n.s.has(h) || h.num <= n.s.headNum {
		return true
	}
	p := c.blocks.get(h.prev)
	return p != nil && n.s.has(p)
}

// trialTime is how long a block may take from its arrival to all nodes.
const trialTime = 300 * time.Millisecond

// state is how a node stands, for people.
func (c *Core) state(n *node) (NodeState, string) {
	t := &c.reign
	switch {
	case n.s == nil && n.lost:
		return NodeAbsent, "cannot be reached"
	case n.s == nil:
		return NodeAbsent, "not connected"
	case !n.cfg.Role.produces():
		return NodeFree, ""
	case t.lead == n.cfg.Name && t.on():
		return NodeLead, ""
	case !n.held:
		return NodeFree, ""
	case n.stray != 0:
		return NodeUnholdable, "it produces without votes: is production-pause-vote-timeout-ms 0, or above vote_timeout, or has it another peer?"
	}
	why := c.lacks(n)
	switch {
	case !c.armed(n) && t.mode == TakeoverLeash:
		return NodeArming, why
	case !c.armed(n) && why == "":
		return NodeArming, "not paused yet"
	case why != "":
		return NodeNotReady, why
	}
	return NodeArmed, ""
}

func (c *Core) takeoverStatus() TakeoverStatus {
	t := &c.reign
	st := TakeoverStatus{
		Configured: c.cfg.Takeover.Mode, Mode: t.mode, Why: t.why, Lead: t.lead,
		Releases: t.releases, LeadChanges: t.changes, Nodes: []NodeStatus{},
	}
	if slot, ok := c.nextOwn(); ok {
		st.NextRunInNs = max(slot.Time()-c.wall(), 0)
	}
	for _, n := range t.nodes {
		ns := NodeStatus{Node: n.cfg.Name, Role: n.cfg.Role, Drained: n.drained}
		ns.State, ns.Why = c.state(n)
		if ns.State == NodeArming && t.mode == TakeoverLeash {
			ns.ArmedInNs = int64(c.armedIn(n))
		}
		if n.held && n.s != nil && t.mode == TakeoverLeash {
			ns.ReserveVotes = c.reserveOf(n)
			ns.HeldBack = n.back.Num()
		}
		st.Nodes = append(st.Nodes, ns)
	}
	return st
}
