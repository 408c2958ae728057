package sim

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/explain"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// records are the slots the last relay of a run told of, by slot.
func records(o *Outcome) map[p2pwire.Slot]core.SlotRecord {
	out := map[p2pwire.Slot]core.SlotRecord{}
	for _, r := range o.Relay.Core().Slots(o.Relay.now, core.SlotQuery{}).Slots {
		out[r.Slot] = r
	}
	return out
}

// agree fails where a record says otherwise than what the network saw.
func agree(t *testing.T, seed uint64, s *checker.SlotState, r *core.SlotRecord) {
	t.Helper()
	seen := len(s.IDs) > 0
	var said bool
	switch r.Outcome {
	case core.OutcomePublic, core.OutcomeLate, core.OutcomeOrphaned, core.OutcomeElsewhere:
		said = true
	case core.OutcomeLost:
	default:
		t.Errorf("seed %d: slot %d (index %d) is over, but its outcome %s", seed, s.Slot, s.Slot.Index(), r.Outcome)
	}
	if seen != said || seen && s.IDs[0] != r.ID {
		t.Errorf("seed %d: slot %d (index %d): the network saw %v, the record says %s", seed, s.Slot, s.Slot.Index(), s.IDs, fmt.Sprint(explain.Slot(r)))
	}
}

// TestExplainDeadLeader kills the leader in the middle of a round and reads what the relay says of it.
func TestExplainDeadLeader(t *testing.T) {
	t.Parallel()
	story := regexp.MustCompile(`^slot \d+: lost: (bp\d:1)'s session closed .* before it was due(?:, and was back .* after it was due)?; (bp\d:1) was on its own branch since slot \d+ \(takeover: race\)$`)
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		told := 0
		for s := range uint64(4) {
			victim := fmt.Sprintf("bp%d:1", s%2)
			sc := Scenario{Seed: 500 + s, Mode: mode, Nodes: 2, Rounds: 2, Trx: 100 * time.Millisecond, Script: []Step{
				{After: 1300 * time.Millisecond, Target: victim},
			}}
			o := Run(sc)
			check(t, sc, o)
			got := records(o)
			for i := range o.Report.Slots {
				slot := &o.Report.Slots[i]
				r, ok := got[slot.Slot]
				if !ok {
					t.Errorf("seed %d, %s: no record of slot %d (index %d)", sc.Seed, mode, slot.Slot, slot.Slot.Index())
					continue
				}
				agree(t, sc.Seed, slot, &r)
				if r.Outcome != core.OutcomeLost {
					continue
				}
				m := story.FindStringSubmatch(explain.Headline(&r))
				if r.Reason != core.ReasonLeadLost || m == nil || m[1] != victim || m[2] == victim {
					t.Errorf("seed %d, %s: %s: %s", sc.Seed, mode, r.Reason, fmt.Sprint(explain.Slot(&r)))
					continue
				}
				told++
			}
		}
		if told < 7 {
			t.Errorf("%s: only %d lost slots in all runs: the leader was never killed", mode, told)
		}
	}
}

// TestRecordsAgreeWithTheNetwork: whatever goes wrong, the relay's account of a slot is what the
// network saw of it.
func TestRecordsAgreeWithTheNetwork(t *testing.T) {
	t.Parallel()
	outcomes := map[core.Outcome]int{}
	missing, all := 0, 0
	// In the last ones the relay learned of its blocks from before its restart when their round was over.
	for _, s := range []uint64{900, 901, 902, 903, 911, 959} {
		for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
			sc := Scenario{Seed: s, Mode: mode, Nodes: 2 + int(s%2), Rounds: 4, Trx: 200 * time.Millisecond, Faults: true}
			o := Run(sc)
			got := records(o)
			for i := range o.Report.Slots {
				slot := &o.Report.Slots[i]
				all++
				r, ok := got[slot.Slot]
				if !ok {
					missing++ // before the last start of the relay
					continue
				}
				outcomes[r.Outcome]++
				agree(t, sc.Seed, slot, &r)
			}
		}
	}
	t.Logf("%v, and %d of %d slots before the relay's last start", outcomes, missing, all)
	if outcomes[core.OutcomePublic] == 0 || outcomes[core.OutcomeLost] == 0 {
		t.Errorf("the faults are too weak: %v", outcomes)
	}
}
