package engine

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// senate is a cluster that notes what it is told, and does in Pump what it was given to do.
type senate struct {
	wake  func()
	gaps  []time.Duration
	pumps int
	next  time.Duration
	do    []func(now core.Instant, h ClusterHost)
	asked []core.Claim

	durable bool
}

func (s *senate) Claim(_ core.Instant, cl core.Claim) core.Verdict {
	s.asked = append(s.asked, cl)
	return core.Pending
}
func (s *senate) Durable() bool                                   { return s.durable }
func (s *senate) Restored(*core.Restored)                         {}
func (s *senate) Holds(core.Instant, core.Claim)                  {}
func (s *senate) Echo(core.Instant, core.Claim)                   {}
func (s *senate) Missed(core.Instant, p2pwire.Name, p2pwire.Slot) {}
func (s *senate) Answered(core.Instant, uint64)                   {}
func (s *senate) Candidate(core.Instant, core.Claim)              {}
func (s *senate) Due(core.Instant, p2pwire.Name, p2pwire.Slot)    {}
func (s *senate) LeadChanged(core.Instant, []byte)                {}
func (s *senate) Attach(_ ClusterHost, wake func())               { s.wake = wake }
func (s *senate) Gap(_ core.Instant, d time.Duration)             { s.gaps = append(s.gaps, d) }

func (s *senate) Pump(now core.Instant, h ClusterHost) time.Duration {
	s.pumps++
	todo := s.do
	s.do = nil
	for _, f := range todo {
		f(now, h)
	}
	return now.Mono + s.next
}

func TestClusterActsOnTheLoop(t *testing.T) {
	cfg := loopback()
	sn := &senate{next: time.Hour}
	cfg.Cluster = sn
	e, h := build(t, cfg, nil)
	start(t, e)
	on(t, e, func() {
		sn.do = append(sn.do, func(now core.Instant, host ClusterHost) {
			host.SetClusterRole(now, core.ClusterActive, 3, core.ReasonActiveGranted)
			_, _ = host.Adopt(now, core.Claim{Slot: 5})
			host.ClaimDecided(now, core.Claim{Slot: 6}, core.Approved)
		})
	})
	sn.wake() // from any goroutine
	soon(t, "three answers", func() bool { return look(t, e, func() int { return len(h.answers) }) == 3 })
	on(t, e, func() {
		if want := []string{"active 3", "adopt 5", "6 1"}; !slices.Equal(h.answers, want) || h.strangers > 0 {
			t.Errorf("answers %q, %d from elsewhere", h.answers, h.strangers)
		}
	})
	// It is called when it wants to be.
	on(t, e, func() { sn.next = 5 * time.Millisecond })
	sn.wake()
	before := look(t, e, func() int { return sn.pumps })
	soon(t, "ten more calls", func() bool { return look(t, e, func() int { return sn.pumps }) > before+10 })
	// The loop stands still.
	on(t, e, func() { time.Sleep(gapFrom + 50*time.Millisecond) }) // real time: the pause itself is under test
	soon(t, "the gap to be told", func() bool { return look(t, e, func() int { return len(sn.gaps) }) > 0 })
	on(t, e, func() {
		if d := sn.gaps[0]; d < gapFrom || d > time.Minute {
			t.Errorf("a gap of %s", d)
		}
	})
	if err := e.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	sn.wake() // comes to nothing
}

// A session that has not acknowledged what left alone is reset; one that has stays.
func TestOverdueSessionsAreReset(t *testing.T) {
	cfg := loopback()
	cfg.Cluster = &senate{next: time.Hour}
	e, h := build(t, cfg, nil)
	start(t, e)
	deaf, good := dialTo(t, e, core.Network), dialTo(t, e, core.Network)
	soon(t, "two sessions", func() bool { return look(t, e, func() int { return len(h.order) }) == 2 })
	on(t, e, func() {
		h.send(h.order[0], make([]byte, 16<<20)) // more than any socket takes
		e.loop.begin()
		e.loop.pump()
	})
	on(t, e, func() {
		for _, s := range h.order {
			h.overdue = append(h.overdue, s.id)
		}
		e.loop.begin()
		e.loop.pump()
	})
	soon(t, "one session to be left", func() bool { return look(t, e, func() int { return len(h.order) }) == 1 })
	_ = deaf.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, deaf); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the deaf one saw %v, want a reset", err)
	}
	on(t, e, func() {
		h.send(h.order[0], []byte("still here"))
		e.loop.begin()
		e.loop.pump()
	})
	readFull(t, good, len("still here"))
}
