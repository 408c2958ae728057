package core

import (
	"math"
	"time"

	"bprelay/p2pwire"
)

// preferMargin is how long before its timestamp a candidate leaves at the latest, whoever is waited for.
const preferMargin = 10 * time.Millisecond

// rank orders our nodes: by priority, and among equals the one whose votes go out first. While a node
// produces on a branch of its own it votes for that one only, so our finalizer is silent for the whole
// run unless the run is that of its own node.
func (c *Core) rank(s *session) int {
	return c.rankBy(s.info.Name, s.info.Priority)
}

// rankBy is the rank of a node of that name and priority.
func (c *Core) rankBy(name string, priority int) int {
	r := 2 * priority
	if c.isFinalizer(name) {
		r++
	}
	return r
}

func (c *Core) isFinalizer(name string) bool {
	return c.cfg.FinalizerNode != "" && name == c.cfg.FinalizerNode
}

// rankOf is the best rank among the nodes that made a candidate.
func (c *Core) rankOf(e *block) int {
	r := math.MinInt
	for _, s := range c.internal {
		if e.sent.has(s.lane) {
			r = max(r, c.rank(s))
		}
	}
	return r
}

// waits tells until when (Mono) a candidate that could go out waits for another node's, and why. There
// is a choice at a run's start, and wherever slots would be left out; and only with a clock that the
// others confirm it is worth a wait.
func (c *Core) waits(e *block) (until time.Duration, why Reason) {
	if until := time.Duration(e.frame.at) + gapWait; c.now.Mono < until && c.besideGap(e) {
		return until, ReasonGap
	}
	if until := c.waitsForLead(e); c.now.Mono < until {
		return until, ReasonLeadExpected
	}
	gap := c.leavesOut(e)
	if until := min(time.Duration(e.frame.at)+gapWait, time.Duration(e.slot.Time()-c.clock.used)-preferMargin); gap && c.now.Mono < until && c.inRun(e) && c.fillsGap(e) {
		return until, ReasonGap
	}
	if gap && c.blocks.get(e.prev).slot.Time() < c.startWall() {
		// A node may have made the blocks for these slots while the relay was away: they are asked for.
		return time.Duration(e.slot.Time() - c.clock.used), ReasonStarting
	}
	if c.inRun(e) && !gap || !c.clockTrusted() {
		return 0, ReasonNone
	}
	ahead := soonest(e.slot)
	if gap {
		ahead = p2pwire.SlotDuration // a node gives a slot up when its timestamp has passed
	}
	stamp := time.Duration(e.slot.Time() - c.clock.used) // on Mono
	if at := stamp - ahead - c.cfg.ClockLimit; c.now.Mono < at && c.expected(e, math.MinInt) {
		return at, ReasonAheadOfTime
	}
	if c.inRun(e) || c.cfg.PreferWait == 0 || !c.expected(e, c.rankOf(e)) {
		return 0, ReasonNone
	}
	if e.waits == 0 {
		// What comes behind its due time has used up some of the wait already.
		from := min(time.Duration(e.frame.at), stamp+c.dueOffset(e.node, e.slot))
		e.waits = min(from+c.cfg.PreferWait, stamp-preferMargin)
	}
	return e.waits, ReasonPreferredNode
}

// gapWait is how long a block waits that its node may have made on another branch than its later ones.
const gapWait = 300 * time.Millisecond

// besideGap tells whether a node that made a candidate has been asked for the ancestors of a later one
// of its blocks, and this is not known to be among them: the answer is the node's best branch, which
// is not always the one it is producing on, and it must not take that one's slots.
func (c *Core) besideGap(e *block) bool {
	for _, h := range c.held {
		if h.gap && h.num > e.num && h.sent.meets(&e.sent) && !c.extends(h, e) {
			return true
		}
	}
	return false
}

// fillsGap tells whether a node has been asked for the ancestors of a candidate for a candidate's slot, or
// one before, that is higher: it has made more blocks, for the slots that the other one leaves out.
func (c *Core) fillsGap(e *block) bool {
	for _, h := range c.held {
		if h.gap && h.num > e.num && h.slot <= e.slot && !c.extends(h, e) {
			return true
		}
	}
	return false
}

// leavesOut tells whether slots lie between a candidate and its parent.
func (c *Core) leavesOut(e *block) bool {
	p := c.blocks.get(e.prev)
	return p != nil && !p.stub() && p.slot+1 < e.slot
}

// expected tells whether a node above a rank will make a candidate of its own for e's slot, as far as
// one can know: it made blocks in our last round, it is there and up to date, and it has made none yet.
func (c *Core) expected(e *block, above int) bool {
	last := c.timing.round
	if last >= e.slot.Round() {
		last = c.timing.prior
	}
	for _, s := range c.internal {
		if s.closing || s.node != nil && s.node.held || s.sync != nil || e.sent.has(s.lane) || c.rank(s) <= above {
			continue
		}
		if p := c.timing.nodes[s.info.Name]; p != nil && p.slot != 0 && p.slot.Round() >= last && p.slot < e.slot {
			return true
		}
	}
	return false
}
