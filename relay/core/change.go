package core

import (
	"time"

	"bprelay/p2pwire"
)

// A lead that is well is replaced because somebody wants it: an operator's command, a drain, failback. That costs
// no slot where the one that led is quiet by the time of our next run. With the leash that takes the nodes' vote
// timeout, with the producer API a call.

// apiChange is how long before our run the lead may be changed by producer API: both calls have to be done.
const apiChange = 500 * time.Millisecond

// preferred is the node that should lead instead of the one that does, and why; nil if there is none.
func (c *Core) preferred(l *node) (*node, Reason) {
	t := &c.reign
	if t.wanted == t.lead {
		t.wanted = ""
	}
	if w := t.find(t.wanted); w != nil && w.s != nil && c.ails(w) == "" {
		return w, ReasonLeadOrdered
	}
	switch n := c.standby(l); {
	case n == nil || c.ails(n) != "" || n.drained:
	case l.drained:
		return n, ReasonLeadDrained
	case c.cfg.Takeover.Failback && n.cfg.Priority > l.cfg.Priority && c.armed(n):
		return n, ReasonLeadFailback
	}
	return nil, ReasonNone
}

// changeable tells whether a lead that is well can be changed that long before our next run.
func (c *Core) changeable(until time.Duration) bool {
	if t := c.lineage.tip; c.slots.rounds.period == 0 && t != nil && c.wall()-t.slot.Time() < int64(eve) {
		return false // the schedule is not known, and we are producing
	}
	if c.reign.mode == TakeoverAPI {
		return until >= apiChange
	}
	return until >= c.quietTakes()
}

// neverChangeable tells whether our runs are so close that a lead that is well can never be changed in order, and
// how far they are apart at most.
func (c *Core) neverChangeable() (bool, time.Duration) {
	_, most, known := c.runGaps()
	return c.reign.mode == TakeoverLeash && known && most-runMargin < c.quietTakes(), most
}

// passing is the change from one lead to the next between two slots of a run that never ends, by producer API:
// nodeos completes the block that it has begun when it is paused. The lead is paused while it makes one; when that
// one has come, and the other nodes have applied it, the next lead is resumed. It has most of a slot's time for the
// block behind it. If anything comes in between, the lead's block is late, and the next one is released for that.
type passing struct {
	to     string // who is to lead; empty: nothing is under way
	why    Reason
	at     time.Duration // when the lead was asked to pause
	paused bool          // its API said so
	after  p2pwire.ID    // its newest block when it said so: what comes behind that is its last
	not    time.Duration // Mono until which it is not tried again
}

const (
	// passFrom is how long behind a block of its the lead is paused at the earliest, passRoom how long before its
	// next one at the latest, and passTakes how long all of it may take.
	passFrom, passRoom, passTakes = 100 * time.Millisecond, 150 * time.Millisecond, 1500 * time.Millisecond
	// passLast is the last index of a block behind which it begins.
	passLast = p2pwire.RoundSlots - 5
	// passAgain is how long after a failed attempt it is tried again.
	passAgain = 5 * time.Second
)

// passOn changes the lead between two slots of a run that never ends.
func (c *Core) passOn() {
	t := &c.reign
	l, p := t.find(t.lead), &t.passing
	if t.mode != TakeoverAPI || l == nil || l.s == nil {
		return
	}
	if n := t.find(p.to); p.to != "" && (n == nil || n.s == nil || c.lacks(n) != "" || c.since(p.at) > passTakes) {
		c.notPassed(l)
		return
	}
	tip := c.lineage.tip
	if tip == nil || c.lineage.dead || tip.node != t.lead || !c.dueTrusted() {
		return
	}
	at := tip.arrived + passFrom
	switch {
	case p.to == "":
		c.beginPassing(l, tip)
	case !p.paused || tip.id == p.after: // if nothing comes, another node is released
	case c.now.Mono < at:
		c.stepAt(at)
	default:
		c.setLead(t.find(p.to), p.why)
	}
}

// beginPassing pauses the lead while it makes the block behind its last one, if another is to lead.
func (c *Core) beginPassing(l *node, tip *block) {
	p := &c.reign.passing
	if _, most, known := c.runGaps(); !known || most > 0 || l.said != saidRunning || l.asking || c.now.Mono < p.not {
		return
	}
	n, why := c.preferred(l)
	if n == nil || n.said != saidPaused || c.lacks(n) != "" {
		return
	}
	if i := tip.slot.Index(); i < 1 || i > passLast {
		return // around the end of a round it is not known when the next block is begun
	}
	from := tip.arrived + passFrom
	switch to := c.mono((tip.slot + 1).Time()) + c.lateOffset(l, tip.slot+1) - passRoom; {
	case c.now.Mono < from:
		c.stepAt(from)
	case c.now.Mono <= to:
		*p = passing{to: n.cfg.Name, why: why, at: c.now.Mono}
		c.call(l, wishPause)
	}
}

// passingPaused notes that the lead makes no more blocks than the one that it has begun.
func (c *Core) passingPaused(n *node) {
	if p := &c.reign.passing; p.to != "" && n.cfg.Name == c.reign.lead {
		p.paused = true
		if tip := c.lineage.tip; tip != nil {
			p.after = tip.id
		}
	}
}

// notPassed gives up a change between two slots; the lead goes on.
func (c *Core) notPassed(l *node) {
	p := &c.reign.passing
	if p.to == "" || l.cfg.Name != c.reign.lead {
		return
	}
	*p = passing{not: c.now.Mono + passAgain}
	c.call(l, wishResume)
}
