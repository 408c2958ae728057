package demo

import (
	"encoding/json"
	"strings"
	"testing"

	"bprelay/relay/core"
	"bprelay/test/checker"
)

func TestJudge(t *testing.T) {
	v := func(rule checker.Rule, stream string) checker.Violation {
		return checker.Violation{Rule: rule, Stream: stream, What: "w"}
	}
	for _, c := range []struct {
		name   string
		report checker.Report
		broken string // part of it; empty: nothing is
	}{
		{"good", checker.Report{SlotsDue: 24, SlotsPublic: 20, SlotsLostInRound: 4}, ""},
		{"one a kill", checker.Report{SlotsDue: 24, SlotsPublic: 22, SlotsLostInRound: 2}, ""},
		{"double", checker.Report{SlotsDouble: 1}, "1 slots with two blocks"},
		{"lost", checker.Report{SlotsLostOutside: 2}, "2 slots lost outside"},
		{"relay's stream", checker.Report{Violations: []checker.Violation{v(checker.RuleOnce, "relay/7")}}, "once on relay/7"},
		{"nodeos' stream", checker.Report{Violations: []checker.Violation{v(checker.RuleOnce, "bpbeta/1")}}, ""},
		{"our block twice anywhere", checker.Report{Violations: []checker.Violation{v(checker.RuleOneBlockPerSlot, "bpbeta/1")}}, "one_block_per_slot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Summary{Mode: "race"}
			s.judge(c.report, 0)
			if c.broken == "" && len(s.Broken) > 0 || c.broken != "" && !strings.Contains(strings.Join(s.Broken, "; "), c.broken) {
				t.Errorf("broken: %q, want %q", s.Broken, c.broken)
			}
		})
	}
}

// With a lead one slot a kill may be lost; in race, the rest of the round.
func TestJudgeLead(t *testing.T) {
	for _, c := range []struct {
		mode        string
		kills, lost int
		broken      bool
	}{
		{"leash", 2, 0, false}, {"leash", 2, 2, false}, {"leash", 2, 3, true}, {"api", 0, 1, true}, {"race", 1, 8, false},
	} {
		s := Summary{Mode: c.mode, KillsInRound: c.kills}
		s.judge(checker.Report{SlotsDue: 24, SlotsPublic: 24 - c.lost, SlotsLostInRound: c.lost}, 0)
		if (len(s.Broken) > 0) != c.broken {
			t.Errorf("%+v: broken %q", c, s.Broken)
		}
	}
}

func TestSummary(t *testing.T) {
	var s Summary
	st := core.Stats{Blamed: 2}
	st.OwnWithheld[core.ReasonSameID] = 5
	st.OwnWithheld[core.ReasonSlotTaken] = 3
	st.OwnWithheld[core.ReasonParentWithheld] = 4
	st.Alarms[core.ReasonUnknownKey] = 1
	s.count(&st, &core.TakeoverStatus{Mode: core.TakeoverLeash, Why: "as configured", Releases: 3, LeadChanges: 5})
	s.SiblingsSigned, s.Mode, s.Why = 1, "leash", "as configured"
	s.judge(checker.Report{SlotsDue: 12, SlotsPublic: 12}, 0)
	s.OK = true
	if s.Withheld != 7 || s.Identical != 5 || s.Blamed != 2 || s.Alarms["unknown_key"] != 1 {
		t.Errorf("%+v", s)
	}
	var text strings.Builder
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12 due, 12 public", "7 blocks (parent_withheld 4, slot_taken 3); 5 identical", "2 peers blamed (unknown_key 1)", "leash (as configured): 3 releases, 5 lead changes, 1 siblings signed", "every promise kept"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	s.Kill = KillLeader
	if text.Reset(); s.WriteText(&text) != nil || !strings.Contains(text.String(), "nothing was killed") {
		t.Errorf("it was to kill, and did not:\n%s", &text)
	}
	raw, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"slots_due", "slots_public", "slots_double", "slots_lost_in_round", "slots_lost_outside", "withheld", "kills",
		"added_latency_us", "seed", "duration_s", "chain", "nodes", "won", "broken", "violations",
		"relays", "relay_kills", "takeovers", "takeover_ms", "slots_late",
		"takeover", "takeover_in_force", "releases", "lead_changes", "siblings_signed",
	} {
		if _, ok := fields[want]; !ok {
			t.Errorf("the JSON lacks %q", want)
		}
	}
	latency, _ := fields["added_latency_us"].(map[string]any)
	for _, want := range []string{"p50", "p99"} {
		if _, ok := latency[want]; !ok {
			t.Errorf("added_latency_us lacks %q", want)
		}
	}
	if fields["broken"] == nil || fields["violations"] == nil {
		t.Error("an empty list is null in the JSON")
	}
}
