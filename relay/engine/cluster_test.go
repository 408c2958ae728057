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
}

func (s *senate) Claim(_ core.Instant, cl core.Claim) core.Verdict {
	s.asked = append(s.asked, cl)
	return core.Pending
}
func (s *senate) Durable() bool                                   { return false }
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

// With a journal and a cluster a claim stands when both say so. The journal hears of it only when the cluster
// has approved: what it has goes out after a restart.
func TestJournalAndCluster(t *testing.T) {
	cl, now := core.Claim{Slot: 7}, core.Instant{}
	for _, c := range []struct {
		name             string
		durable          bool
		cluster, journal core.Verdict
		want             core.Verdict
		recorded         bool
	}{
		{"both", false, core.Approved, core.Approved, core.Approved, true},
		{"the cluster denies", false, core.Denied, core.Approved, core.Denied, false},
		{"the cluster fails", false, core.Failed, core.Approved, core.Failed, false},
		{"the journal fails", false, core.Approved, core.Failed, core.Failed, true},
		{"the journal has another block", false, core.Approved, core.Denied, core.Denied, true},
		{"the cluster keeps it itself", true, core.Approved, core.Failed, core.Approved, true},
		{"it denies", true, core.Denied, core.Approved, core.Denied, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			journal := &senate{}
			j := &joint{journal: journal, cluster: &senate{}, durable: c.durable}
			if v := j.Claim(now, cl); v != core.Pending || len(journal.asked) > 0 {
				t.Fatalf("verdict %d, the journal has %v", v, journal.asked)
			}
			for _, by := range []int{byCluster, byJournal} {
				if v, ok := j.answer(now, by, core.Claim{Slot: 6}, core.Approved); ok {
					t.Fatalf("an answer for another claim: %d", v)
				}
			}
			if v, ok := j.answer(now, byJournal, cl, core.Approved); ok {
				t.Fatalf("verdict %d before the cluster's", v)
			}
			got, ok := j.answer(now, byCluster, cl, c.cluster)
			if (len(journal.asked) > 0) != c.recorded {
				t.Fatalf("the journal has %v", journal.asked)
			}
			if !ok {
				got, ok = j.answer(now, byJournal, cl, c.journal)
			}
			if !ok || got != c.want {
				t.Fatalf("verdict %d (%t), want %d", got, ok, c.want)
			}
			for _, by := range []int{byCluster, byJournal} {
				if v, ok := j.answer(now, by, cl, core.Approved); ok {
					t.Fatalf("verdict %d once more", v)
				}
			}
		})
	}
	for _, durable := range []bool{false, true} {
		journal, cluster := &senate{}, &senate{}
		j := &joint{journal: journal, cluster: cluster, durable: durable}
		j.Claim(now, core.Claim{Slot: 8, Foreign: true})
		if len(journal.asked) != 1 || (len(cluster.asked) == 1) != durable || j.open == (core.Claim{Slot: 8, Foreign: true}) {
			t.Fatalf("a foreign claim: the journal has %v, the cluster %v", journal.asked, cluster.asked)
		}
		if j.Record(now, cl); len(journal.asked) != 2 || journal.asked[1] != cl {
			t.Fatalf("the journal knows %v, and not what another relay claimed", journal.asked)
		}
	}
}
