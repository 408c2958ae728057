package core

import "time"

// Drain keeps a node from leading and lets another one lead, outside our runs, so that it can be
// stopped at no cost: it can when NodeStatus shows it drained and armed, or absent. With takeover api the lead
// also changes between two slots of a run that never ends. It is refused if nobody else could lead, if the node
// is the only one that votes for our finalizer, or if our runs are too close for the leash. force does it now,
// whatever it costs.
func (c *Core) Drain(now Instant, name string, force bool) error {
	c.enter(now)
	defer c.settle()
	if c.follows() {
		return refused(ErrNotPossible, "this relay is the standby: ask the active one")
	}
	t := &c.reign
	n := t.find(name)
	if n == nil {
		return refused(ErrNoSuchNode, "%q", name)
	}
	if !t.on() {
		return refused(ErrNotPossible, "with takeover: %s no node leads (%s); stop it outside our rounds", t.mode, t.why)
	}
	next := c.standbyFor(n)
	if !force {
		if n.voted != 0 && c.since(n.voted) < 2*voteSilence && !c.votesBeside(n) {
			return refused(ErrUnsafe, "%s is the only node that votes for our finalizer: without it all our producers stop after %s",
				name, c.cfg.Takeover.VoteTimeout)
		}
		if n.cfg.Role.produces() && next == nil {
			return refused(ErrUnsafe, "no other node could lead: %s", c.whyNobody(n))
		}
		if never, most := c.neverChangeable(); never && name == t.lead {
			return c.tooClose(name, most)
		}
	}
	n.drained = true
	if t.wanted == name {
		t.wanted = ""
	}
	if name == t.lead && force && next != nil {
		c.setLead(next, ReasonLeadDrained)
	}
	c.stepSoon()
	return nil
}

// Undrain ends a drain.
func (c *Core) Undrain(now Instant, name string) error {
	c.enter(now)
	defer c.settle()
	if c.follows() {
		return refused(ErrNotPossible, "this relay is the standby: ask the active one")
	}
	n := c.reign.find(name)
	if n == nil {
		return refused(ErrNoSuchNode, "%q", name)
	}
	n.drained = false
	c.stepSoon()
	return nil
}

// SetLead makes a node lead, as soon as that is possible outside our runs, or with takeover api between two slots
// of a run that never ends. It is refused if that is never possible. force does it now.
func (c *Core) SetLead(now Instant, name string, force bool) error {
	c.enter(now)
	defer c.settle()
	if c.follows() {
		return refused(ErrNotPossible, "this relay is the standby: ask the active one")
	}
	t := &c.reign
	n := t.find(name)
	switch {
	case n == nil:
		return refused(ErrNoSuchNode, "%q", name)
	case !t.on():
		return refused(ErrNotPossible, "with takeover: %s no node leads (%s)", t.mode, t.why)
	case !n.cfg.Role.produces():
		return refused(ErrNotPossible, "%s is a %s", name, n.cfg.Role)
	case n.s == nil:
		return refused(ErrNotPossible, "%s is not connected", name)
	case force && name != t.lead:
		n.drained = false
		c.setLead(n, ReasonLeadOrdered)
		t.wanted = name // should it be overtaken in the middle of our run
		return nil
	case n.drained:
		return refused(ErrUnsafe, "%s is drained", name)
	case name == t.lead:
		t.wanted = ""
		return nil
	case n.stray != 0:
		return refused(ErrUnsafe, "%s produces although it is held", name)
	case c.ails(n) != "":
		return refused(ErrUnsafe, "%s: %s", name, c.ails(n))
	}
	if never, most := c.neverChangeable(); never {
		return c.tooClose(t.lead, most)
	}
	t.wanted = name
	c.stepSoon()
	return nil
}

// tooClose refuses a change of the lead that would never be carried out.
func (c *Core) tooClose(lead string, most time.Duration) error {
	return refused(ErrUnsafe, "our rounds are %.0f s apart at most, and %s would go on producing for %.1f s when its votes are withheld: "+
		"both would make blocks of our next round. A lower vote_timeout (and production-pause-vote-timeout-ms), or takeover: api, allows it",
		most.Seconds(), lead, c.quietTakes().Seconds())
}

// standbyFor is a node that could lead instead of n, fit and not drained.
func (c *Core) standbyFor(n *node) *node {
	for _, x := range c.reign.nodes {
		if x != n && x.s != nil && !x.drained && x.stray == 0 && c.ails(x) == "" {
			return x
		}
	}
	return nil
}

func (c *Core) whyNobody(except *node) string {
	why := ""
	for _, x := range c.reign.nodes {
		if x == except || !x.cfg.Role.produces() {
			continue
		}
		lacks := c.ails(x)
		switch {
		case x.drained:
			lacks = "drained"
		case x.stray != 0:
			lacks = "cannot be held"
		}
		if why != "" {
			why += ", "
		}
		why += x.cfg.Name + " " + lacks
	}
	if why == "" {
		return "there is none"
	}
	return why
}

// votesBeside tells whether another node than n voted lately, too.
func (c *Core) votesBeside(n *node) bool {
	for _, x := range c.reign.nodes {
		if x != n && x.s != nil && x.voted != 0 && c.since(x.voted) < voteSilence {
			return true
		}
	}
	return false
}
