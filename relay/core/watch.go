package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
)

const (
	// stepEvery is how often the takeover looks around at least.
	stepEvery = 100 * time.Millisecond
	// firstBlock is how long a released node may take to its first block.
	firstBlock = 150 * time.Millisecond
	// releaseTakes is how long, beyond the release pause, a released node needs to make a block that
	// is due (measured: 6 to 15 ms).
	releaseTakes = 15 * time.Millisecond
	// timerSlack is how late the step that releases a node may come without missing what it is for.
	timerSlack = 9 * time.Millisecond
	// leastGrace is the least a block is waited for beyond its due time.
	leastGrace = 8 * time.Millisecond
	// pingNear and pingFar are how often our nodes are asked for a sign of life when our run is near, and
	// else.
	pingNear, pingFar = 100 * time.Millisecond, 500 * time.Millisecond
	// voteSilence is how long votes may stay away before that is an alarm; nodes stop 5 s later.
	voteSilence = 2 * time.Second
)

// stepAt has the takeover look around at a time, or before.
func (c *Core) stepAt(at time.Duration) {
	if t := &c.reign; at < t.next {
		t.next = at
		c.timers.add(at, timer{kind: timerTakeover})
	}
}

func (c *Core) stepSoon() { c.stepAt(c.now.Mono) }

// takeoverDue looks around: what is due, who leads, who is there.
func (c *Core) takeoverDue() {
	t := &c.reign
	if c.now.Mono < t.next || c.stop {
		return
	}
	t.next = c.now.Mono + stepEvery
	if c.now.Mono < t.blind {
		t.next = t.blind
	}
	c.timers.add(t.next, timer{kind: timerTakeover})
	if t.next == t.blind {
		return
	}
	c.watchVotes()
	if c.follows() {
		c.releasesDue() // without a link to the active it releases by itself
		c.backDue()
		c.watchHung()
		c.watchNodes()
		return
	}
	defer c.tellLead()
	if t.asked {
		c.chooseMode()
	}
	c.resumeLeft()
	if !t.on() {
		return
	}
	c.releasesDue()
	c.backDue()
	c.watchHung()
	c.watchRun()
	c.watchApplied()
	c.chooseLead()
	c.watchNodes()
	c.watchStandby()
	c.controlDue()
}

// watchRun releases another node when the lead answers nothing within our run, when its block for our next
// slot does not come, or that for the slot just over did not.
func (c *Core) watchRun() {
	t := &c.reign
	l := t.find(t.lead)
	slot, ok := c.nextOwn()
	if l == nil || !ok || !c.boot.done || len(c.network) == 0 || !c.dueTrusted() {
		return
	}
	if in, _ := c.run(); in && l.hung {
		// Its next block may be due in half a second, and would be waited for beyond that.
		if n := c.standby(l); n != nil && c.armed(n) && c.lacks(n) == "" && c.hangs(l, n) {
			t.releases++
			c.setLead(n, ReasonLeadHung)
			return
		}
	}
	if !c.takenSlot(slot) && c.missed(l, slot-1) && c.watchSlot(l, slot-1) {
		return
	}
	for c.takenSlot(slot) {
		if slot++; !c.ourSlot(slot) {
			return
		}
	}
	c.watchSlot(l, slot)
}

// watchSlot releases another node if the lead's block for a slot is not there in time, and tells whether
// it did.
func (c *Core) watchSlot(l *node, slot p2pwire.Slot) bool {
	t := &c.reign
	if slot <= t.watched {
		return false
	}
	at := c.deadline(l, slot)
	if l.s == nil {
		// Its session ended and it is being redialled: that takes milliseconds, or for ever.
		if in, _ := c.run(); in {
			at = min(at, l.gone+redialTakes)
		}
	}
	if c.now.Mono < at {
		c.stepAt(at)
		return false
	}
	if c.waitsElse(l, slot) {
		return false
	}
	n := c.standby(l)
	if n == nil || l.s != nil && (!c.armed(n) || c.lacks(n) != "") {
		t.watched = slot // nobody to release
		return false
	}
	t.releases++
	c.setLead(n, ReasonLeadLate)
	return true
}

// missed tells whether a slot of ours that is over had no block though the lead was to make it: where
// blocks vary much, one is waited for beyond its timestamp.
func (c *Core) missed(l *node, slot p2pwire.Slot) bool {
	r := c.slots.rounds.known(slot.Round())
	if r == nil || !c.ourSlot(slot) || c.went(r.producer, slot) {
		return false
	}
	return l.freed == 0 || l.freed < c.mono(slot.Time())+c.lateOffset(l, slot)
}

// deadline is until when the lead's block for a slot is waited for: its due time and the grace, less
// where a release could not save the slot any more, but never less than what its blocks vary by.
func (c *Core) deadline(l *node, slot p2pwire.Slot) time.Duration {
	due := c.lateOffset(l, slot)
	jitter := c.jitter(l.cfg.Name)
	grace := c.cfg.Takeover.Grace
	for _, takes := range c.releaseTimes() {
		room := -due - takes
		if room >= grace {
			break
		}
		if room >= max(2*jitter, leastGrace) {
			grace = room
			break
		}
	}
	at := c.mono(slot.Time()) + due + max(grace, jitter*3/2)
	if l.freed != 0 && c.since(l.freed) < freedFor {
		at = max(at, l.freed+firstBlock)
	}
	return at
}

// releaseTimes is how long a release takes to bring about a block that is due: with room to spare, and at the
// least.
func (c *Core) releaseTimes() [2]time.Duration {
	if c.reign.mode == TakeoverAPI {
		return [2]time.Duration{releaseTakes, releaseTakes}
	}
	pause := c.cfg.Takeover.ReleasePause
	return [2]time.Duration{pause + boundaryRoom + timerSlack, pause + releaseTakes}
}

// dueTrusted tells whether the clock is good enough to tell that a block is late.
func (c *Core) dueTrusted() bool {
	return c.clock.known && !c.clock.doubt && (!c.clock.off || c.clock.fixed)
}

// waitsElse tells whether the lead's block is here and waits for something that another node's would
// have to wait for as well.
func (c *Core) waitsElse(l *node, slot p2pwire.Slot) bool {
	if c.pending != nil && c.pending.slot == slot {
		return true
	}
	for _, e := range c.held {
		if e.slot != slot || l.s == nil || !e.sent.has(l.s.lane) {
			continue
		}
		switch e.why {
		case ReasonUnknownParent, ReasonOlderParent, ReasonParentHeld:
			return false
		}
		return true
	}
	return false
}

// watchHung notes which nodes owe an answer. One that was suspended goes on with what it knew before: it
// has to become quiet anew.
func (c *Core) watchHung() {
	for _, n := range c.reign.nodes {
		hung := n.s != nil && n.s.answers && n.s.pingXmt != 0 && c.since(n.s.owes) > silentAfter+n.s.rtt
		if n.hung && !hung {
			n.quiet, n.seen = c.now.Mono, 0
		}
		n.hung = hung
	}
}

// hangs tells whether a node that owes an answer hangs for sure: the one that is to take over was asked 200 ms
// later, and answered. Had this relay been stopped, or its links, neither would have.
func (c *Core) hangs(n, next *node) bool {
	return n.hung && n.s != nil && next.s != nil && !next.hung && next.s.heard >= n.s.owes+silentAfter/2
}

// watchNodes asks our nodes for a sign of life: it tells who hangs, and who took the votes it was given.
func (c *Core) watchNodes() {
	every := pingFar
	if in, until := c.run(); in || until <= 2*eve {
		every = pingNear
	}
	for _, n := range c.reign.nodes {
		// Only the last one's answer is taken: while one is outstanding there is no other.
		if s := n.s; s != nil && !s.closing && s.pingXmt == 0 && c.since(s.pingAt) >= every {
			c.ping(s)
		}
	}
}

// warn counts and tells something a human should look at that is about no block.
func (c *Core) warn(why Reason, detail string) {
	c.stats.Alarms[why]++
	c.note(Event{Kind: EventAlarm, Reason: why, Detail: detail})
}

// watchVotes tells when votes stay away: those of the network stop all our nodes, those of our own
// finalizer do as well.
func (c *Core) watchVotes() {
	t := &c.reign
	fresh := c.head != nil && c.head.savanna && c.wall()-c.head.slot.Time() < int64(voteSilence) && t.up != 0
	if !fresh || len(c.internal) == 0 {
		return
	}
	// Until the lead is known, votes are given to nobody and prove nothing; and without blocks there are none.
	vote := c.foreignVote()
	switch quiet := c.since(max(vote, t.up, t.since)); {
	case !t.known:
	case quiet < voteSilence:
		t.voteless = false
	case !t.voteless && len(c.network) > 0 && (vote == 0 || c.head.arrived > vote+voteSilence/2):
		t.voteless = true
		c.warn(ReasonNoVotes, fmt.Sprintf("none for %.1f s from %d network peers", quiet.Seconds(), len(c.network)))
	}
	switch quiet := c.since(t.ourVote); {
	case t.ourVote == 0 && (c.since(t.up) < c.cfg.Takeover.VoteTimeout || !c.hasFinalizer()):
	case quiet < voteSilence:
		t.silent = false
	case c.follows(): // the active tells
	case !t.silent && (t.ourVote == 0 || c.head.arrived > t.ourVote+voteSilence/2):
		t.silent = true
		c.warn(ReasonFinalizerSilent, fmt.Sprintf("no vote for %.1f s", quiet.Seconds()))
	}
}

// hasFinalizer tells whether a node of ours is there to vote, by its role or by name.
func (c *Core) hasFinalizer() bool {
	return c.cfg.FinalizerNode != "" || slices.ContainsFunc(c.reign.nodes, func(n *node) bool { return n.cfg.Role == RoleFinalizer })
}

// watchStandby tells in time that nobody could take over.
func (c *Core) watchStandby() {
	t := &c.reign
	producing := 0
	var lacking []string
	for _, n := range t.nodes {
		if !n.cfg.Role.produces() {
			continue
		}
		if producing++; n.cfg.Name == t.lead {
			continue
		}
		state, why := c.state(n)
		if state == NodeArmed {
			t.lonely, t.alone = 0, false
			return
		}
		lacking = append(lacking, strings.TrimSpace(n.cfg.Name+" "+string(state)+" "+why))
	}
	if producing < 2 || !t.known {
		return
	}
	if t.lonely == 0 {
		t.lonely = max(c.now.Mono, 1)
	}
	if !t.alone && c.since(t.lonely) >= c.cfg.Takeover.VoteTimeout+2*armAfter {
		t.alone = true
		c.warn(ReasonNoStandby, strings.Join(lacking, "; "))
	}
}
