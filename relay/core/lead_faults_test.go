package core_test

import (
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// A lead that was suspended, and whose link broke before it went on, had its last votes just before that: it
// still produces for vote_timeout and more. The link's end does not make it quiet.
func TestHungLeadThatReconnectsHasToBecomeQuiet(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	c.lead, c.a.clock = nil, nil // suspended
	c.to(first + 4)
	c.lead = c.b
	c.to(first + 28)
	if c.takeover().Lead != "b" || c.state("a") == core.NodeArmed {
		t.Fatalf("%+v", c.takeover())
	}
	c.a.drop()
	c.a = c.a.again(c.head, c.head).answers(0) // it goes on: the same process
	c.to(first + 30)
	if s := c.state("a"); s != core.NodeArming {
		t.Errorf("A is %s 1 s after it went on", s)
	}
}

// stall lets time pass while the relay does nothing.
func (c *court) stall(d time.Duration) {
	c.now.Mono += d
	c.now.Wall += int64(d)
}

// The relay stands still for 600 ms in our round; the lead's block is in its socket all the time. A message on
// another socket is read first: that must not release the standby.
func TestStalledRelayReadsBeforeItReleases(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	c.b.clear()
	c.now.Mono += 600 * time.Millisecond
	c.now.Wall += int64(600 * time.Millisecond)
	c.c.Data(c.now, c.n.id, p2pwire.AppendFrame(nil, p2pwire.Time{Xmt: c.now.Wall})) // one socket of the poll's batch
	c.c.Tick(c.now)                                                                  // the engine runs due timers behind each
	c.pump()
	c.head = makeBlock(c.head, first+4, ourName, savanna(c.head.id.Num()-1), mark(77))
	c.a.send(c.head.frame)
	c.run(20 * time.Millisecond)
	if s := c.takeover(); s.Releases != 0 || foreign(c.b) != 0 {
		t.Errorf("%d releases, lead %s, the standby got %d foreign votes", s.Releases, s.Lead, foreign(c.b))
	}
}

// The relay stands still for 600 ms while our nodes owe answers that lie in its sockets: nobody was hung, and the
// standby is as quiet as before.
func TestStalledRelayLeavesTheStandbyArmed(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 14)
	c.b.clock = nil
	for c.b.clear(); len(c.b.frames(p2pwire.TypeTime)) == 0; {
		c.run(10 * time.Millisecond)
	}
	asked := c.b.frames(p2pwire.TypeTime)[0]
	c.stall(600 * time.Millisecond)
	c.c.Tick(c.now)
	c.pump()
	c.b.answers(0).tell(asked)
	c.run(20 * time.Millisecond)
	if s := c.state("b"); s != core.NodeArmed {
		t.Errorf("B is %s: %+v", s, c.takeover())
	}
}

// The finalizer's key was changed on the chain (as on_finalizer_silent does) and not in the configuration. A single
// relay, which has no twin whose votes a node could pass on, lets the votes of its nodes out, and says so.
func TestVotesByAKeyThatIsNotConfigured(t *testing.T) {
	c, first := settled(t, 0, func(cfg *core.Config) {
		cfg.Producers[0].FinalizerKeys = [][p2pwire.FinalizerKeySize]byte{{2}}
	})
	c.to(first + 3)
	if n := len(c.n.votes()); n != 4 {
		t.Errorf("%d votes of ours reached the network in four slots", n)
	}
	if n := foreign(c.b); n > 0 || len(c.b.votes()) != 4 {
		t.Errorf("the held node got %d votes, %d of them of others", len(c.b.votes()), n)
	}
	e := c.event(core.EventAlarm, core.ReasonFinalizerUnlisted)
	if key := p2pwire.FinalizerKeyText([p2pwire.FinalizerKeySize]byte{1}); e == nil || !strings.Contains(e.Detail, key) {
		t.Errorf("alarm: %v, want one that names %s", e, key)
	}
	told := 0
	for _, e := range c.events {
		if e.Reason == core.ReasonFinalizerUnlisted {
			told++
		}
	}
	if told != 1 {
		t.Errorf("%d alarms: only our key is ours, and it is told once", told)
	}
}
