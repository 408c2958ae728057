//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
	"bprelay/test/rig"
)

// TestOutcome has the active die 100 ms before its block 5 is due; the other one's comes 250 ms after that, and the
// next ones in time.
func TestOutcome(t *testing.T) {
	const round = p2pwire.Slot(1200)
	const millisecond = int64(time.Millisecond)
	began := rig.Due(round+5) - 100*millisecond
	var arrivals []rig.Arrival
	came := func(i p2pwire.Slot, from string, after int64) {
		arrivals = append(arrivals, rig.Arrival{Slot: round + i, ID: p2pwire.ID{byte(i)}, From: from, Wall: rig.Due(round+i) + after*millisecond})
	}
	for i := range p2pwire.Slot(5) {
		came(i, "relay1", 5)
		came(i, "relay2", 6)
	}
	came(5, "relay2", 250)
	for i := p2pwire.Slot(6); i < 12; i++ {
		came(i, "relay2", 5)
	}
	roles := []roleChange{
		{"relay2", began - 60*1000*millisecond, true, "active_elected"}, // long before
		{"relay1", began + 10*millisecond, true, "active_confirmed"},    // no other one
		{"relay2", began + 301*millisecond, true, "active_missed_alone"},
	}
	c := course{fault: fault{Kind: killActive, At: time.Second}, round: round, active: "relay1", began: began}
	o := c.outcome(arrivals, roles)
	if o.TakeoverMs != 250 || o.GapMs != 350 || o.DetectMs != 301 || o.After != "relay2" || o.Why != "active_missed_alone" {
		t.Errorf("outcome %+v", o)
	}
	// Without a block behind the fault nothing can be measured.
	if o := c.outcome(arrivals[:10], nil); o.TakeoverMs != -1 || o.GapMs != -1 || o.DetectMs != -1 {
		t.Errorf("nothing came: %+v", o)
	}
}

func TestCount(t *testing.T) {
	const round = p2pwire.Slot(1200)
	var slots []checker.SlotState
	for i := range p2pwire.Slot(24) {
		s := checker.SlotState{Slot: round + i, IDs: []p2pwire.ID{{byte(i)}}, First: -time.Millisecond}
		switch i {
		case 3:
			s.IDs = nil
		case 4:
			s.IDs = append(s.IDs, p2pwire.ID{99})
		case 5:
			s.First = time.Millisecond
		case 6:
			s.Orphaned = true
		}
		slots = append(slots, s)
	}
	var o outcome
	o.count(slots, round)
	if o.Due != 12 || o.Lost != 1 || len(o.LostAt) != 1 || o.LostAt[0] != 3 || o.Double != 1 || o.Late != 1 || o.Orphans != 1 {
		t.Errorf("outcome %+v", o)
	}
}

func TestSummary(t *testing.T) {
	run := func(seed uint64, ok bool, o ...outcome) *result {
		r := &result{Seed: seed, OK: ok, Outcomes: o, Alarms: map[string]int{"no_votes": 1}}
		if !ok {
			r.Broken = []string{"1 slots with two blocks"}
		}
		return r
	}
	kill := func(took float64) outcome {
		return outcome{Fault: string(killActive), Due: 12, Late: 1, TakeoverMs: took, GapMs: took + 10, DetectMs: took, After: "relay2", Why: "active_missed"}
	}
	s := summary{Runs: 3, Played: 3}
	s.sum([]*result{
		run(1, true, kill(200), outcome{Fault: "none", Due: 12, TakeoverMs: -1, GapMs: -1, DetectMs: -1}),
		run(2, true, kill(300)), run(3, true, kill(-1), outcome{Fault: string(cutRelays), Due: 12, Lost: 2, TakeoverMs: 7, GapMs: 7, DetectMs: -1}),
	})
	if !s.OK || s.Due != 60 || s.Lost != 2 || s.Late != 3 || s.Alarms["no_votes"] != 3 || len(s.Faults) != 3 {
		t.Errorf("summary %+v", s)
	}
	// The cut is none of the faults after which somebody has to take over.
	if want := (spread{N: 2, P50: 200, P99: 300, Max: 300}); s.Takeover != want || s.Killed != want {
		t.Errorf("takeover %+v, after a kill %+v, want %+v", s.Takeover, s.Killed, want)
	}
	var text strings.Builder
	s.writeText(&text)
	if !strings.Contains(text.String(), "missed 3") {
		t.Errorf("the table does not say why:\n%s", text.String())
	}
	for name, s := range map[string]summary{"broken": {Runs: 1, Played: 1}, "not played": {Runs: 2, Played: 1}} {
		s.sum([]*result{run(9, name != "broken", kill(200))})
		if s.OK {
			t.Errorf("%s, and all is well", name)
		}
	}
}
