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

// TestRun runs one own round on each kind of chain, real sockets and clock and all. What it wants
// holds however slow the machine is: the one round is the round of a kill, so that no loss counts as
// one outside.
func TestRun(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	for _, chain := range []string{"savanna", "legacy"} {
		t.Run(chain, func(t *testing.T) {
			t.Parallel()
			var view screen
			s, err := Run(t.Context(), Options{Chain: chain, Kill: KillLeader, Seed: 5, View: &view, lead: 3 * time.Second, rounds: 1})
			if err != nil {
				t.Fatal(err)
			}
			if !s.OK || s.SlotsDouble != 0 || s.SlotsLostOutside != 0 || s.SlotsDue != 12 {
				t.Errorf("%+v\n%s", s, &view)
			}
			if s.SlotsPublic == 0 || s.Kills != 1 || s.KillsInRound != 1 || s.Withheld == 0 || s.AddedLatency.Blocks == 0 {
				t.Errorf("nothing was tried: %+v\n%s", s, &view)
			}
			if s.AddedLatency.P50 <= 0 || s.AddedLatency.P50 > s.AddedLatency.P99 {
				t.Errorf("latency %+v", s.AddedLatency)
			}
			if !strings.Contains(view.String(), "KILL node") || !strings.Contains(view.String(), "bpalpha   1/12") {
				t.Errorf("view:\n%s", &view)
			}
		})
	}
}

// TestInterrupt ends a run in the middle of a round: the summary is about what was until then.
func TestInterrupt(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	view := screen{want: "bpalpha   3/12", then: cancel}
	s, err := Run(ctx, Options{Duration: time.Hour, Nodes: 2, Seed: 6, View: &view, Terminal: true, lead: 3 * time.Second})
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
