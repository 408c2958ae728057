package core_test

import (
	"errors"
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

// auto: the producer APIs are used until votes of foreign finalizers are heard, then the leash. Who leads goes on,
// and what was paused by its API is resumed: no vote does that.
func TestAutoResumesWhatItPaused(t *testing.T) {
	k := &calls{paused: map[string]bool{}}
	c := newCourt(t, 0, apiMode, func(cfg *core.Config) { cfg.Takeover.Mode = core.TakeoverAuto })
	c.before = func(p2pwire.Slot) { c.answerCalls(k) }
	c.to(base - 20)
	if s := c.takeover(); s.Mode != core.TakeoverAPI || !k.paused["b"] || k.paused["a"] {
		t.Fatalf("%+v, %v", s, k.log)
	}
	c.voters = 3 // the network's peers are there now
	for slot := base - 19; c.takeover().Mode == core.TakeoverAPI && slot < base+2*courtPeriod; slot++ {
		c.to(slot)
	}
	if s := c.takeover(); s.Mode != core.TakeoverLeash || s.Lead != "a" || c.state("b") == core.NodeArmed {
		t.Fatalf("%+v", s)
	}
	c.b.clear()
	c.to(base + 2*courtPeriod)
	if s := c.takeover(); k.paused["a"] || k.paused["b"] || s.Lead != "a" || c.state("b") != core.NodeArmed || foreign(c.b) > 0 {
		t.Errorf("%+v; paused by their API: %v; calls %v", s, k.paused, k.log)
	}
}

// An earlier relay used the producer APIs and left nodes paused. This one does not use them: it asks, and resumes.
func TestNodesLeftPausedAreResumed(t *testing.T) {
	for _, mode := range []core.Takeover{core.TakeoverRace, core.TakeoverLeash, core.TakeoverAuto} {
		k := &calls{paused: map[string]bool{"a": true, "b": true}}
		c := newCourt(t, 3, apiMode, func(cfg *core.Config) { cfg.Takeover.Mode = mode })
		c.before = func(p2pwire.Slot) { c.answerCalls(k) }
		c.to(base - 24)
		if k.paused["a"] || k.paused["b"] {
			t.Errorf("%s: 7 s after the start paused: %v; calls %v", mode, k.paused, k.log)
		}
		c.to(base + courtPeriod)
		if c.takeover().Mode != core.TakeoverRace && c.state("b") != core.NodeArmed {
			t.Errorf("%s: B is %s", mode, c.state("b"))
		}
		if n := len(k.log); n != 4 {
			t.Errorf("%s: asked once and resumed once each, got %v", mode, k.log)
		}
		// Its host is restarted, with pause-on-startup.
		k.paused["b"], k.log = true, nil
		c.die(c.b)
		c.to(c.head.slot + 4)
		c.b = c.open(core.Internal, "b").answers(0)
		c.b.handshake(c.head, c.head)
		c.to(base + 2*courtPeriod - 1)
		if k.paused["b"] {
			t.Errorf("%s: B was started paused and stays so; calls %v", mode, k.log)
		}
	}
}

// A standby that is paused by its API is quiet, and stays so while our run is near: it is resumed when it is
// released, behind the block upon which it looks.
func TestPausedStandbyIsResumedWhenReleased(t *testing.T) {
	k := &calls{paused: map[string]bool{"b": true}}
	c := inRound(t, 4, apiMode, func(cfg *core.Config) { cfg.Takeover.Mode = core.TakeoverLeash })
	c.before = func(p2pwire.Slot) { c.answerCalls(k) }
	k.paused["b"], k.paused["a"] = false, true // B makes the round
	c.to(base + 8)
	if !k.paused["a"] || c.takeover().Lead != "b" {
		t.Fatalf("%v; %+v", k.log, c.takeover())
	}
	tip := c.head
	c.a.clear()
	c.die(c.b)
	c.run(70 * time.Millisecond)
	given := false
	for range 40 {
		given = given || c.a.has(tip.frame)
		if c.answerCalls(k); !k.paused["a"] && !given {
			t.Fatal("A was resumed before it was given the newest block")
		}
		c.run(time.Millisecond)
	}
	if k.paused["a"] {
		t.Errorf("A leads and is paused; calls %v, %+v", k.log, c.takeover())
	}
}

// Planned maintenance: drain and lead are accepted, and then happen before our next round but one, however close
// our rounds are.
func TestDrainHappens(t *testing.T) {
	for _, mode := range []core.Takeover{core.TakeoverLeash, core.TakeoverAPI} {
		for _, drain := range []bool{true, false} {
			k := &calls{paused: map[string]bool{}}
			c := newCourt(t, 3, func(cfg *core.Config) {
				if mode == core.TakeoverAPI {
					apiMode(cfg)
				}
				cfg.Takeover.VoteTimeout = 10 * time.Second // 12 s are between our rounds: auto takes the leash
			})
			c.before = func(p2pwire.Slot) { c.answerCalls(k) }
			first := base + 3*courtPeriod
			c.to(first - 12)
			if s := c.takeover(); s.Mode != mode {
				t.Fatalf("%s: %+v", mode, s)
			}
			order := func() error { return c.c.SetLead(c.now, "b", false) }
			if drain {
				order = func() error { return c.c.Drain(c.now, "a", false) }
			}
			k.log = nil
			if err := order(); err != nil {
				t.Fatalf("%s: refused: %v", mode, err)
			}
			if mode == core.TakeoverAPI {
				// At once, and the one that is to lead is resumed before the other one is paused.
				c.to(first - 9)
				if got := strings.Join(k.log, ", "); got != "resume b, pause a" {
					t.Errorf("calls: %s", got)
				}
			}
			for i := range p2pwire.Slot(courtPeriod + 12) {
				c.to(first - 8 + i)
				if c.takeover().Lead == "b" {
					c.lead = c.b
				}
			}
			if s := c.takeover(); s.Lead != "b" || s.Releases > 0 || c.state("a") != core.NodeArmed {
				t.Errorf("%s, drain %t: a round later: %+v", mode, drain, s)
			}
		}
	}
}

// With the leash a change of the lead takes the vote timeout. Where our rounds are closer it is refused, with the
// reason, unless it is forced.
func TestChangesThatCannotHappenAreRefused(t *testing.T) {
	c, _ := settled(t, 20, func(cfg *core.Config) {
		cfg.Takeover.Mode, cfg.Takeover.VoteTimeout = core.TakeoverLeash, 10500*time.Millisecond
	})
	for name, err := range map[string]error{"drain a": c.c.Drain(c.now, "a", false), "lead b": c.c.SetLead(c.now, "b", false)} {
		if !errors.Is(err, core.ErrUnsafe) || !strings.Contains(err.Error(), "our rounds are 12 s apart at most") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.c.Drain(c.now, "b", false); err != nil {
		t.Errorf("B does not lead: %v", err)
	}
	if err := c.c.SetLead(c.now, "b", true); err != nil || c.takeover().Lead != "b" {
		t.Errorf("forced: %v, %s leads", err, c.takeover().Lead)
	}
}

// The standby is drained, and another one has only just been started. The lead dies in the middle of our round:
// the one that is armed is the last resort.
func TestDrainedStandbyIsTheLastResort(t *testing.T) {
	c, first := settled(t, 0, func(cfg *core.Config) {
		cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: "d", Role: core.RoleProducer, Priority: -1})
	})
	if err := c.c.Drain(c.now, "b", true); err != nil {
		t.Fatal(err)
	}
	d := c.open(core.Internal, "d").answers(0)
	d.handshake(c.head, c.head)
	c.before = func(p2pwire.Slot) { d.alive() }
	c.to(first + 3)
	c.lead = nil // it is there, and makes nothing
	c.until(first+4, -20*time.Millisecond)
	if s := c.takeover(); s.Lead != "b" {
		t.Errorf("%+v", s)
	}
}

// An earlier relay left all nodes paused, and the producer API of the one that is to lead does not answer. It is
// asked again and again, and so is the other one: never all paused, if anybody can be resumed.
func TestAllPausedIsFoundOut(t *testing.T) {
	k := &calls{paused: map[string]bool{"a": true, "b": true}, fail: map[string]bool{"a": true, "b": true}}
	c := newCourt(t, 3, apiMode)
	c.before = func(p2pwire.Slot) { c.answerCalls(k) }
	c.to(base - 20)
	if c.event(core.EventAlarm, core.ReasonProducerAPI) == nil {
		t.Fatal("no alarm")
	}
	k.fail["b"] = false
	c.to(c.head.slot + 12)
	if s := c.takeover(); k.paused["b"] || s.Lead != "b" {
		t.Errorf("%+v, paused %v, calls %v", s, k.paused, k.log)
	}
	k.fail["a"] = false
	c.to(c.head.slot + 6)
	if k.paused["b"] || !k.paused["a"] {
		t.Errorf("one runs and the other is paused again: %v, calls %v", k.paused, k.log)
	}
}

// In the middle of our round the lead dies, and its successor's API does not answer: the next one is resumed at once,
// and where there is none the API is asked until it does.
func TestStandbyWhoseAPIFailsIsPassedOver(t *testing.T) {
	k := &calls{paused: map[string]bool{}, fail: map[string]bool{}}
	c := newCourt(t, 3, apiMode, func(cfg *core.Config) {
		cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: "d", Role: core.RoleProducer, Priority: -1, API: true})
	})
	d := c.open(core.Internal, "d").answers(0)
	d.handshake(c.head, c.head)
	c.before = func(p2pwire.Slot) { c.answerCalls(k); d.alive() }
	c.to(base + 2*courtPeriod + 3)
	if c.takeover().Lead != "a" || !k.paused["b"] || !k.paused["d"] {
		t.Fatalf("%+v, %v", c.takeover(), k.log)
	}
	k.fail["b"] = true
	c.die(c.a)
	for range 10 {
		c.answerCalls(k)
		c.run(time.Millisecond)
	}
	if s := c.takeover(); s.Lead != "d" || k.paused["d"] {
		t.Errorf("%+v, paused %v, calls %v", s, k.paused, k.log)
	}
}
