package demo

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// screen is a View that calls a function once when it shows a text.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	then func()
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.then != nil && strings.Contains(s.text.String(), s.want) {
		s.then()
		s.then = nil
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestRun runs one own round of each kind, real sockets and clock and all. What it wants holds however
// slow the machine is: the one round is the round of a kill, so that no loss counts as one outside.
func TestRun(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	for _, c := range []struct {
		name  string
		o     Options
		check func(*testing.T, *Summary)
		view  []string
	}{
		{"race on savanna", Options{Takeover: "race", lead: 3 * time.Second}, checkRace, nil},
		{"race on legacy", Options{Takeover: "race", Chain: "legacy", lead: 3 * time.Second}, checkRace, nil},
		{"leash", Options{Takeover: "leash", Nodes: 2, lead: 7 * time.Second, eager: true}, checkLead, append(leadView, "voter votes")},
		{"api on legacy", Options{Takeover: "api", Chain: "legacy", Nodes: 2, lead: 7 * time.Second, eager: true}, checkLead, leadView},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var view screen
			c.o.Kill, c.o.Seed, c.o.View, c.o.rounds = KillLeader, 5, &view, 1
			s, err := Run(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			if s.SlotsDouble != 0 || s.SlotsLostOutside != 0 || s.SlotsDue != 12 || len(s.Violations) > 0 || s.Mode != c.o.Takeover {
				t.Errorf("%+v\n%s", s, &view)
			}
			if s.SlotsPublic == 0 || s.Kills != 1 || s.KillsInRound != 1 || s.AddedLatency.Blocks == 0 {
				t.Errorf("nothing was tried: %+v\n%s", s, &view)
			}
			if s.AddedLatency.P50 <= 0 || s.AddedLatency.P50 > s.AddedLatency.P99 {
				t.Errorf("latency %+v", s.AddedLatency)
			}
			c.check(t, s)
			for _, want := range append(c.view, "KILL node", "bpalpha   1/12") {
				if !strings.Contains(view.String(), want) {
					t.Errorf("view lacks %q:\n%s", want, &view)
				}
			}
		})
	}
}

func checkRace(t *testing.T, s *Summary) {
	if !s.OK || s.Withheld == 0 || s.SiblingsSigned == 0 || s.Releases != 0 {
		t.Errorf("%+v", s)
	}
}

// checkLead: another node was released when the lead was killed. What the kill cost is a matter of the
// machine.
func checkLead(t *testing.T, s *Summary) {
	if s.Releases == 0 || s.LeadChanges < 1 {
		t.Errorf("%+v", s)
	}
}

var leadView = []string{"(lead_chosen)", "held, armed", "which leads: in our round", "does not (lead_"}

// TestInterrupt ends a run in the middle of a round: the summary is about what was until then.
func TestInterrupt(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	view := screen{want: "bpalpha   3/12", then: cancel}
	s, err := Run(ctx, Options{Duration: time.Hour, Takeover: "race", Nodes: 2, Seed: 6, View: &view, Terminal: true, lead: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if s.SlotsDouble != 0 || s.SlotsDue < 3 || s.SlotsDue > 20 || len(s.Violations) > 0 {
		t.Errorf("%+v\n%s", s, &view)
	}
}

// TestInterruptEarly ends a run before there is a chain.
func TestInterruptEarly(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Run(ctx, Options{Duration: time.Hour, Seed: 6}); err == nil {
		t.Errorf("no error, summary %+v", s)
	}
}
