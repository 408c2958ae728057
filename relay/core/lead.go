package core

import (
	"time"

	"bprelay/p2pwire"
)

const (
	// leadWait is how long after the first node came the lead is not known at most: no node gets votes
	// until then. leadSettle is how long the others are waited for at least, and for a block by which
	// one shows that it leads.
	leadWait, leadSettle = 3 * time.Second, 700 * time.Millisecond
	// unfitFor is how long outside our run the lead may lack something.
	unfitFor = time.Second
	// eve is how long before our run what the lead lacks counts at once.
	eve = 1500 * time.Millisecond
	// redialTakes is how long a redial may take at most on the eve of our run.
	redialTakes = 200 * time.Millisecond
	// freedFor is how long a released node is not released once more.
	freedFor = 2 * time.Second
)

// setLead makes a node lead, and holds the one that did. In the middle of our run that releases it.
func (c *Core) setLead(n *node, why Reason) {
	t := &c.reign
	old := t.lead
	if n.cfg.Name == old {
		return
	}
	if !t.known {
		t.since = c.now.Mono
	}
	lacked := ""
	if o := t.find(old); o != nil && why == ReasonLeadUnfit {
		lacked = c.unfit(o)
	}
	t.lead, t.known, t.wanted, t.passing = n.cfg.Name, true, "", passing{}
	c.release(n)
	if o := t.find(old); o != nil && o.cfg.Role.produces() {
		c.setHeld(o, true) // with the API, it is paused when the new lead was resumed
	}
	if old != "" {
		t.changes++ // else it is the first one
	}
	t.unfit = 0
	t.past[t.nextPast] = leadChange{at: c.wall(), node: t.lead, previous: old, why: why}
	t.nextPast = (t.nextPast + 1) % len(t.past)
	e := Event{Kind: EventLead, Reason: why, Side: Internal, Node: t.lead, Detail: old, Lacked: lacked}
	if n.s != nil {
		e.Session, e.Remote = n.s.id, n.s.info.Remote
	}
	c.note(e)
	c.stepSoon()
}

// leadChange is one change of the lead.
type leadChange struct {
	at             int64 // Wall; 0: none
	node, previous string
	why            Reason
}

// addChange completes a slot's record with the last change of the lead that concerns it.
func (c *Core) addChange(r *slotRecord) {
	r.takeover, r.change = c.reign.mode, leadChange{}
	for _, x := range c.reign.past {
		if x.at >= (r.slot-1).Time()+r.due && x.at < r.slot.Time() && x.at > r.change.at {
			r.change = x
		}
	}
}

// applyTakes is how long a node may take to apply a block. Freed before that, it begins to produce on it,
// and is deaf to the one it was kept behind.
const applyTakes = 60 * time.Millisecond

const (
	// boundaryRoom is how long before a slot's timestamp a released node must have its block, and
	// behindBoundary how long behind it the release begins otherwise. Real nodes that were freed with
	// their block due 3 to 11 ms before the timestamp began a branch of their own in most cases, and one at 12 ms.
	boundaryRoom, behindBoundary = 13 * time.Millisecond, 10 * time.Millisecond
)

// release frees a node: votes first, when the block it was given last can have been applied; then, when
// the votes can have been processed, the block upon which it looks.
func (c *Core) release(n *node) {
	n.freed = c.now.Mono
	if c.reign.mode != TakeoverLeash || n.s == nil || !n.held {
		c.setHeld(n, false)
		return
	}
	n.pending, n.votesAt = true, n.freed
	if n.gave != 0 {
		n.votesAt = max(n.votesAt, n.gave+applyTakes)
	}
	// At a slot's timestamp a node looks by itself: freed before it and given the block behind it, it would
	// begin on the block below.
	now := c.wall() + int64(n.votesAt-c.now.Mono)
	next := (p2pwire.SlotAt(now) + 1).Time()
	if c.dueTrusted() && now+int64(c.cfg.Takeover.ReleasePause+boundaryRoom) > next {
		n.votesAt += time.Duration(next-now) + behindBoundary
	}
	c.releaseStep(n)
}

// releaseStep does what of a release is due.
func (c *Core) releaseStep(n *node) {
	if n.s == nil {
		n.pending = false
		return
	}
	if n.held && c.now.Mono >= n.votesAt {
		c.giveVotes(n)
		c.setHeld(n, false)
	}
	at := n.votesAt
	if !n.held {
		at += c.cfg.Takeover.ReleasePause
	}
	if n.held || c.now.Mono < at {
		c.stepAt(at)
		return
	}
	n.pending = false
	c.giveBack(n)
	n.looks = c.now.Mono + c.cfg.Takeover.ReleasePause
	if n.cfg.API && n.said != saidRunning {
		c.stepAt(n.looks)
	}
}

// releasesDue goes on with releases.
func (c *Core) releasesDue() {
	for _, n := range c.reign.nodes {
		if n.pending {
			c.releaseStep(n)
		}
	}
}

// standby is the node to release when a node fails: of those that can be, one that is quiet goes first,
// then the preferred one. Nil if there is none.
func (c *Core) standby(except *node) *node {
	var best *node
	for _, n := range c.reign.nodes {
		if n == except || n.s == nil || n.s.closing || n.s.sync != nil || !n.cfg.Role.produces() || n.stray != 0 {
			continue
		}
		if n.freed != 0 && c.since(n.freed) < freedFor {
			continue
		}
		if best == nil || c.fitter(n, best) {
			best = n
		}
	}
	return best
}

// ready tells whether a node could make our next block.
func (c *Core) ready(n *node) bool {
	return c.lacks(n) == "" && !n.applied.stuck() && (!n.held || c.armed(n))
}

// fitter tells whether a would take over better than b.
func (c *Core) fitter(a, b *node) bool {
	in, _ := c.run()
	for _, f := range [...]func(*node) bool{
		func(n *node) bool { return !in || c.ready(n) }, // one that is drained is better than none
		func(n *node) bool { return c.reign.known || n.said == saidRunning },
		func(n *node) bool { return !n.drained },
		func(n *node) bool { return c.ails(n) == "" },
		func(n *node) bool { return !n.applied.stuck() },
		func(n *node) bool { return c.lacks(n) == "" },
		func(n *node) bool { return !n.held || c.armed(n) },
	} {
		if x, y := f(a), f(b); x != y {
			return x
		}
	}
	return c.rankBy(a.cfg.Name, a.cfg.Priority) > c.rankBy(b.cfg.Name, b.cfg.Priority)
}

// leadDown acts on a lead whose session ended. While it is being redialled it may be back at once.
func (c *Core) leadDown(l *node) {
	t := &c.reign
	if !t.on() || !t.known || c.stop || c.follows() && c.ha.linked {
		return
	}
	if !l.lost {
		c.stepSoon()
		return
	}
	if n := c.standby(l); n != nil {
		t.releases++
		c.setLead(n, ReasonLeadGone)
	}
}

// chooseLead makes a node lead if none does, and outside our run if the one that does is not fit to or
// is not wanted.
func (c *Core) chooseLead() {
	t := &c.reign
	l := t.find(t.lead)
	if !t.known || l == nil {
		n := c.standby(nil)
		if w := t.find(c.lineage.lead); w != nil && w.s != nil && w.cfg.Role.produces() && c.producing() {
			n = w // it is leading already
		}
		if n != nil && c.leadKnowable() {
			c.setLead(n, ReasonLeadChosen)
		}
		return
	}
	in, until := c.run()
	if in {
		if l.s == nil && l.lost {
			c.leadDown(l) // somebody may be back who can be released
		}
		if n := c.standby(l); t.mode == TakeoverAPI && l.fault != "" && l.said == saidPaused && n != nil && c.ready(n) {
			t.releases++
			c.setLead(n, ReasonLeadUnfit) // it could not be resumed
			return
		}
		c.passOn() // else watchRun sees to it
		return
	}
	why := ""
	switch {
	case l.s == nil && !l.lost && c.since(l.gone) < 2*unfitFor && (until > eve || c.since(l.gone) < redialTakes):
		return // it is being redialled
	case l.s == nil:
		why = "gone"
	default:
		why = c.unfit(l)
	}
	if why != "" {
		if t.unfit == 0 {
			t.unfit = max(c.now.Mono, 1)
		}
		if n := c.standby(l); n != nil && (c.ails(n) == "" && !n.applied.stuck() || l.s == nil) && (!l.hung || c.hangs(l, n)) &&
			(l.s == nil || c.since(t.unfit) >= unfitFor || until < eve) {
			reason := ReasonLeadUnfit
			if l.s == nil {
				reason = ReasonLeadGone
			}
			t.releases++
			c.setLead(n, reason)
		}
		return
	}
	t.unfit = 0
	if n, why := c.preferred(l); n != nil && c.changeable(until) {
		c.setLead(n, why)
	}
}

// producing tells whether one of our nodes is in the middle of a round, as far as its last block shows.
func (c *Core) producing() bool {
	t := c.lineage.tip
	return t != nil && t.slot.Index() < p2pwire.RoundSlots-1 && c.wall()-(t.slot+1).Time() < int64(p2pwire.SlotDuration)
}

// unfit is what keeps the lead from leading, in words; empty if nothing does. What it lacks as a held
// node does not matter.
func (c *Core) unfit(l *node) string {
	why := c.ails(l)
	if why == "" && c.reign.mode == TakeoverAPI && l.fault != "" && l.said != saidRunning {
		why = "producer API: " + l.fault
	}
	if why == "" && l.applied.stuck() {
		why = "does not apply blocks"
	}
	if why == "" && l.voted != 0 && c.reign.ourVote-l.voted > 2*unfitFor {
		why = "does not vote any more"
	}
	return why
}

// leadKnowable tells whether it is time to choose a lead after the start.
func (c *Core) leadKnowable() bool {
	t := &c.reign
	switch {
	case t.upLead == 0 || c.since(t.upLead) < leadSettle:
		return false
	case c.since(t.upLead) >= leadWait:
		return true
	}
	for _, n := range t.nodes {
		if n.cfg.Role.produces() && (n.s == nil || n.s.sync != nil) {
			return false
		}
	}
	return true
}

// judged looks at what was decided on a node's own block: who leads is who has the lineage.
func (c *Core) judged(s *session, e *block) {
	t := &c.reign
	n := s.node
	if n == nil || !t.on() || c.follows() {
		return
	}
	switch {
	case !t.known && e.claimed:
		c.setLead(n, ReasonLeadChosen) // it is leading already
	case n.cfg.Name != t.lead:
		c.strayed(n, e)
	}
}

// overtaken looks whether a block that stays inside shows that another node than its own leads.
func (c *Core) overtaken(e *block) {
	t := &c.reign
	n := t.find(e.node)
	if n == nil || !t.on() || !t.known || n.cfg.Name != t.lead || !e.withheld {
		return
	}
	switch e.why {
	case ReasonSlotTaken, ReasonNotLineage, ReasonParentWithheld:
	default:
		return
	}
	w := c.winner(e)
	if w == nil || w == n || w.s == nil || !w.cfg.Role.produces() {
		// It began on the wrong block, and who made the right one is not there any more.
		if w = c.standby(n); w == nil || !c.armed(w) {
			return
		}
		t.releases++
	}
	c.setLead(w, ReasonLeadOvertaken)
}

// winner is the node whose block has a candidate's slot, or is about to have it; nil if there is none.
func (c *Core) winner(e *block) *node {
	id, ok := c.claims.Get(uint64(e.producer), uint32(e.slot))
	b := c.blocks.get(id)
	if p := c.pending; !ok && p != nil && p.slot == e.slot && p.producer == e.producer {
		b, ok = p, true
	}
	if ok && b != nil && b.node != "" {
		return c.reign.find(b.node)
	}
	return nil
}

// run tells whether one of our runs is under way, or about to be, and else how long it is until then;
// a schedule that is not known means never.
func (c *Core) run() (in bool, until time.Duration) {
	slot, ok := c.nextOwn()
	for ok && c.takenSlot(slot) {
		if slot++; !c.ourSlot(slot) {
			slot, ok = c.ownRoundFrom(slot.Round() + 1)
		}
	}
	if !ok {
		return false, time.Hour
	}
	if slot.Index() > 0 || c.ourSlot(slot-1) {
		return true, 0
	}
	until = time.Duration((slot - 1).Time() - c.wall())
	return until < runMargin, max(until-runMargin, 0)
}

// runMargin is how long before its first slot begins our run counts as under way.
const runMargin = 200 * time.Millisecond

// takenSlot tells whether an own slot has its block.
func (c *Core) takenSlot(slot p2pwire.Slot) bool {
	r := c.slots.rounds.known(slot.Round())
	if r == nil {
		return false
	}
	_, ok := c.claims.Get(uint64(r.producer), uint32(slot))
	return ok
}

// waitsForLead is until when (Mono) a block of a node that does not lead waits for the lead's: let out at
// once it would put a lead that is well on a branch of its own, and its node is about to stop. A lead that
// was only just released has no such precedence: the first block wins.
func (c *Core) waitsForLead(e *block) time.Duration {
	t := &c.reign
	l := t.find(t.lead)
	if !c.leadWell(e) || c.since(l.freed) < freedFor || !c.dueTrusted() || e.slot.Time() < c.wall() {
		return 0
	}
	if n := t.find(e.node); n == nil || !n.held {
		return 0
	}
	return c.deadline(l, e.slot)
}

// leadWell tells whether another node leads than one that made a block, and is well: it will do better
// than to begin our run on an older parent.
func (c *Core) leadWell(e *block) bool {
	l := c.reign.find(c.reign.lead)
	return c.reign.on() && l != nil && l.s != nil && !l.s.closing && l.s.sync == nil && !l.hung && !e.sent.has(l.s.lane)
}
