package core

import (
	"errors"
	"time"
)

// What is known of a node's production by its producer API. With takeover api one node runs and the others are
// paused; otherwise all are to run, as far as the API is concerned: one that an earlier relay left paused, or
// that starts so, is resumed.
//
// In doubt nodes are resumed, never all paused: others are paused only when the lead's API said that it runs, and
// when no node is known to run for a while, one after the other is resumed. The claim book lets one block a slot out whatever runs.

const (
	// askAgain is how long after a call of a producer API that failed it is tried again, askAnew how
	// often a call that succeeded is repeated: a node may have been restarted, or told otherwise.
	askAgain, askAnew = time.Second, 20 * time.Second
	// resumeEve is how long before our run the lead is resumed once more: somebody may have paused it. When our
	// finalizer is silent, that also resets the tracker by which it would stop.
	resumeEve = 600 * time.Millisecond
	// doubtAfter is how long no node may be known to run before nodes are resumed, freeEvery how long each of them
	// then has to show up before it is the next one's turn.
	doubtAfter, freeEvery = 2 * time.Second, 3 * time.Second
)

// wish is what a node's producer API was asked last.
type wish uint8

const (
	wishNone wish = iota
	wishPause
	wishResume
	wishTell // whether it is paused
)

// said is what a node's producer API said last of the process that is there now.
type said uint8

const (
	saidNothing said = iota
	saidRunning
	saidPaused
)

// call asks a node's producer API for something.
func (c *Core) call(n *node, w wish) {
	n.wish, n.asking, n.asked = w, true, c.now.Mono
	c.reign.wishes = append(c.reign.wishes, ControlRequest{Node: n.cfg.Name, Pause: w == wishPause, Ask: w == wishTell})
}

// wishFor asks a node's producer API for what the node is to do.
func (c *Core) wishFor(n *node) {
	w := wishResume
	if n.held {
		w = wishPause
	}
	if c.follows() || !n.cfg.API || n.s == nil || n.asking && n.wish == w || n.held && !c.leadResumed() {
		return
	}
	if n.wish == w && n.fault == "" && c.since(n.asked) < askAgain {
		return
	}
	c.call(n, w)
}

// leadResumed tells whether the lead's producer API said that it is not paused: only then are others
// paused, so that never all of them are.
func (c *Core) leadResumed() bool {
	l := c.reign.find(c.reign.lead)
	return c.reign.known && l != nil && l.wish == wishResume && !l.asking && l.fault == ""
}

func (c *Core) pauseOthers() {
	for _, n := range c.reign.nodes {
		if n.held && n.cfg.Role.produces() && (n.wish != wishPause || n.fault != "") {
			c.wishFor(n)
		}
	}
}

// controlDue repeats calls: those that failed, now and then all of them, and for the lead on the eve of our run.
func (c *Core) controlDue() {
	t := &c.reign
	if t.mode != TakeoverAPI {
		return
	}
	c.watchPaused()
	if !t.known || t.passing.to != "" {
		return
	}
	in, until := c.run()
	for _, n := range t.nodes {
		if n.s == nil || !n.cfg.Role.produces() || n.asking {
			continue
		}
		age := c.since(n.asked)
		switch {
		case n.wish == wishNone, n.fault != "" && age >= askAgain, age >= askAnew,
			n.cfg.Name == t.lead && !in && until < resumeEve && age >= 2*resumeEve:
			n.wish = wishNone
			c.wishFor(n)
		}
	}
}

// watchPaused has nodes resumed, one after the other, when none is known to run.
func (c *Core) watchPaused() {
	t := &c.reign
	here := false
	for _, n := range t.nodes {
		if !n.cfg.Role.produces() || n.s == nil {
			continue // what it makes would reach nobody
		}
		if here = true; n.said == saidRunning || !n.cfg.API {
			t.doubt = 0
			return
		}
	}
	if !here {
		t.doubt = 0
		return
	}
	if t.doubt == 0 {
		t.doubt = max(c.now.Mono, 1)
		if t.freeAt = c.now.Mono + doubtAfter; !t.known {
			t.freeAt += leadWait
		}
	}
	if c.now.Mono < t.freeAt {
		return
	}
	var next *node
	for _, n := range t.nodes {
		if n.s == nil || !n.cfg.Role.produces() || n.asking {
			continue
		}
		// Whoever was asked longest ago; at first the one that would be released.
		if next == nil || n.asked < next.asked || n.asked == next.asked && c.fitter(n, next) {
			next = n
		}
	}
	if next != nil {
		t.freeAt = c.now.Mono + freeEvery
		c.call(next, wishResume)
	}
}

// resumeLeft has nodes resumed that are left paused, where the producer API is not the way to take over: an
// earlier relay may have used it, or this one did before. Whoever is held by the leash is quiet anyway, and would
// produce for a while: it is resumed when that is over before our run, else when it is released.
func (c *Core) resumeLeft() {
	t := &c.reign
	if t.mode == TakeoverAPI || t.asked && !t.chosen || c.follows() {
		return
	}
	for _, n := range t.nodes {
		if !n.cfg.API || n.s == nil || n.asking || !n.cfg.Role.produces() || n.said == saidRunning {
			continue
		}
		again := askAgain
		if n.held && n.said == saidNothing {
			again = askAnew // it may have no producer API at all
		}
		_, until := c.run()
		switch {
		case n.fault != "" && c.since(n.asked) < again:
		case n.pending, n.held && n.said == saidPaused && until < c.quietTakes():
		case c.now.Mono < n.looks:
			c.stepAt(n.looks)
		case n.said == saidPaused, n.freed != 0 && c.since(n.freed) < freedFor:
			c.call(n, wishResume)
		default:
			c.call(n, wishTell)
		}
	}
}

// quietTakes is how long a node that got votes may go on producing without.
func (c *Core) quietTakes() time.Duration {
	return c.cfg.Takeover.VoteTimeout + armAfter + armMargin
}

// ControlRequests appends the calls wanted of the nodes' producer APIs to dst.
func (c *Core) ControlRequests(dst []ControlRequest) []ControlRequest {
	dst = append(dst, c.reign.wishes...)
	c.reign.wishes = c.reign.wishes[:0]
	return dst
}

// ControlDone brings the answer to a ControlRequest; err tells that the node's state is not known.
func (c *Core) ControlDone(now Instant, r ControlRequest, err error) {
	c.enter(now)
	defer c.settle()
	n := c.reign.find(r.Node)
	if n == nil || errors.Is(err, ErrSuperseded) || n.wish == wishNone || r.Ask != (n.wish == wishTell) ||
		!r.Ask && r.Pause != (n.wish == wishPause) {
		return // something else is wanted meanwhile, and asked for
	}
	n.asking = false
	if err != nil {
		if n.fault == "" && n.s != nil {
			c.stats.Alarms[ReasonProducerAPI]++
			c.note(Event{Kind: EventAlarm, Reason: ReasonProducerAPI, Side: Internal, Node: n.cfg.Name, Detail: err.Error()})
		}
		n.fault = err.Error()
		if c.reign.doubt != 0 {
			c.reign.freeAt = min(c.reign.freeAt, c.now.Mono+stepEvery) // the next one
		}
		if n.wish == wishPause {
			n.said = saidNothing
			c.notPassed(n)
		}
		return
	}
	n.fault, n.said = "", saidRunning
	if r.Pause {
		n.said = saidPaused
		c.passingPaused(n)
	}
	c.stepSoon()
	if c.reign.mode != TakeoverAPI {
		if n.wish == wishResume && n.held {
			n.quiet, n.seen = c.now.Mono, 0 // it forgets that it got no votes
		}
		return
	}
	if n.wish != wishResume {
		return
	}
	if n.cfg.Name == c.reign.lead {
		c.pauseOthers()
	}
	if c.reign.doubt != 0 && n.cfg.Name != c.reign.lead {
		c.warn(ReasonNodeFreed, n.cfg.Name)
	}
}
