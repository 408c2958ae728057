package sim

import (
	"strings"
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// TestRestartWithJournal: killed at any moment of our round and back within a second, a relay with a
// journal loses no slot and doubles none.
func TestRestartWithJournal(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for i := 0; i < 24; i += 3 {
			after := time.Duration(i)*190*time.Millisecond - 300*time.Millisecond
			down := time.Duration(100+i*37%900) * time.Millisecond
			disk := &StateDir{Latency: time.Duration(1+i%5*6) * time.Millisecond}
			sc := Scenario{
				Seed: 700 + uint64(i), Mode: mode, Nodes: 2 + i%2, Rounds: 1, Trx: 150 * time.Millisecond, Journal: disk,
				Script: []Step{{After: after, For: down, Target: "relay"}},
			}
			o := Run(sc)
			check(t, sc, o)
			if o.Report.SlotsPublic != o.Report.SlotsDue || o.Report.SlotsOrphaned > 0 || o.Report.OthersLost > 0 {
				t.Errorf("seed %d, %s, down %s after %s for %s: %d of %d slots public, %d orphaned, others lost %d; withheld %v", sc.Seed, mode, "relay", after, down,
					o.Report.SlotsPublic, o.Report.SlotsDue, o.Report.SlotsOrphaned, o.Report.OthersLost, o.Relay.Core().Snapshot(o.Relay.now).Stats.OwnWithheld)
			}
			if disk.Starts != 2 || disk.Complete != 1 {
				t.Errorf("seed %d: %d of %d starts found a complete journal", sc.Seed, disk.Complete, disk.Starts)
			}
		}
	}
}

// TestTornJournal: a disk that loses records it said it had, seen by a torn end, costs slots at most,
// never a second block for one. Both nodes made a block for every slot the journal forgot.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for i := int(mode); i < 24; i += 4 {
			disk := &StateDir{Latency: 2 * time.Millisecond, Torn: 64*(i%3) + 7}
			sc := Scenario{
				Seed: 800 + uint64(i), Mode: mode, Nodes: 3, Rounds: 1, Trx: 50 * time.Millisecond, Journal: disk,
				Script: []Step{{After: time.Duration(i-12) * 50 * time.Millisecond, For: time.Duration(50+i*41%400) * time.Millisecond, Target: "relay"}},
			}
			o := Run(sc)
			safe(t, sc, o)
			if disk.Starts != 2 || disk.Complete != 0 {
				t.Errorf("seed %d, %s: %d slots double, %d of %d starts complete", sc.Seed, mode, o.Report.SlotsDouble, disk.Complete, disk.Starts)
			}
			t.Logf("seed %d, %s: %d of %d public", sc.Seed, mode, o.Report.SlotsPublic, o.Report.SlotsDue)
		}
	}
}

// safe fails on what must never be, whatever was lost.
func safe(t *testing.T, sc Scenario, o *Outcome) {
	t.Helper()
	for _, v := range o.Report.Violations {
		if strings.HasPrefix(v.Stream, relayAddr) {
			t.Errorf("seed %d, %s: %s", sc.Seed, sc.Mode, v)
		}
	}
	if o.Report.SlotsDouble > 0 {
		t.Errorf("seed %d, %s: %d slots with two blocks", sc.Seed, sc.Mode, o.Report.SlotsDouble)
	}
}

// TestFailingJournal: while the disk refuses claims (journal: strict) nothing of ours goes out; when
// it works again within the round, everything does.
func TestFailingJournal(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for s := range uint64(4) {
			disk := &StateDir{Latency: 3 * time.Millisecond}
			sc := Scenario{Seed: 900 + s, Mode: mode, Nodes: 2, Rounds: 1, Trx: 150 * time.Millisecond, Journal: disk, Script: []Step{
				{After: time.Duration(s) * 900 * time.Millisecond, For: 1500 * time.Millisecond, Target: "disk"},
			}}
			o := Run(sc)
			check(t, sc, o)
			if o.Report.SlotsPublic != o.Report.SlotsDue {
				t.Errorf("seed %d, %s: %d of %d slots public", sc.Seed, mode, o.Report.SlotsPublic, o.Report.SlotsDue)
			}
			if st := o.Relay.Core().Snapshot(o.Relay.now).Stats; st.Alarms[core.ReasonClaimFailed] == 0 {
				t.Errorf("seed %d: no alarm", sc.Seed)
			}
		}
	}
}

// TestFaultsWithJournal: what else may break, with a relay that journals, on a slow disk.
func TestFaultsWithJournal(t *testing.T) {
	t.Parallel()
	for s := range uint64(3) {
		for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
			disk := &StateDir{Latency: time.Duration(1+s*8) * time.Millisecond}
			sc := Scenario{Seed: 950 + s, Mode: mode, Nodes: 2 + int(s%2), Rounds: 4, Trx: 200 * time.Millisecond, Faults: true, Evil: s%3 == 0, Journal: disk}
			check(t, sc, Run(sc))
		}
	}
}
