package core

import (
	"errors"
	"time"
)

const (
	// askAgain is how long after a call of a producer API that failed it is tried again, askAnew how
	// often a call that succeeded is repeated: a node may have been restarted, or told otherwise.
	askAgain, askAnew = time.Second, 20 * time.Second
	// resumeEve is how long before our run the lead is resumed when our finalizer is silent: that
	// resets the tracker by which it would stop.
	resumeEve = 600 * time.Millisecond
)

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
	n.wish, n.asking, n.asked = w, true, c.now.Mono
	c.reign.wishes = append(c.reign.wishes, ControlRequest{Node: n.cfg.Name, Pause: n.held})
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

// controlDue repeats calls: those that failed, and now and then all of them.
func (c *Core) controlDue() {
	t := &c.reign
	if t.mode != TakeoverAPI || !t.known {
		return
	}
	_, until := c.run()
	for _, n := range t.nodes {
		if n.s == nil || !n.cfg.Role.produces() || n.asking {
			continue
		}
		age := c.since(n.asked)
		switch {
		case n.wish == wishNone, n.fault != "" && age >= askAgain, age >= askAnew,
			n.cfg.Name == t.lead && t.silent && until < resumeEve && age >= resumeEve:
			n.wish = wishNone
			c.wishFor(n)
		}
	}
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
	if n == nil || errors.Is(err, ErrSuperseded) || (n.wish == wishPause) != r.Pause || n.wish == wishNone {
		return // something else is wanted meanwhile, and asked for
	}
	n.asking = false
	if err != nil {
		if n.fault == "" {
			c.stats.Alarms[ReasonProducerAPI]++
			c.note(Event{Kind: EventAlarm, Reason: ReasonProducerAPI, Side: Internal, Node: n.cfg.Name, Detail: err.Error()})
		}
		n.fault = err.Error()
		return
	}
	n.fault, n.paused = "", r.Pause
	if !r.Pause && n.cfg.Name == c.reign.lead {
		c.pauseOthers()
	}
}
