package sim

import (
	"fmt"
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// clockOf makes a step that sets the clock of a machine.
func clockOf(target string, after, offset time.Duration) Step {
	return Step{After: after, Target: "clock-" + target, For: offset}
}

// TestClockSteps: whatever the clock of the relay does, or that of one node, no slot gets two blocks
// and none is lost.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	offsets := []time.Duration{2 * time.Second, -2 * time.Second, 10 * time.Second, -10 * time.Second}
	if testing.Short() {
		offsets = offsets[2:]
	}
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for i, offset := range offsets {
			for _, after := range []time.Duration{-8 * time.Second, -200 * time.Millisecond, 2700 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s, relay %+v at %v", mode, offset, after), func(t *testing.T) {
					sc := Scenario{Seed: 900 + uint64(i), Mode: mode, Nodes: 3, Rounds: 2, Trx: 150 * time.Millisecond,
						Script: []Step{clockOf(relayAddr, after, offset), clockOf(relayAddr, after+20*time.Second, 0)}}
					o := Run(sc)
					check(t, sc, o)
					st := o.Relay.Core().Snapshot(o.Relay.now)
					if o.Report.SlotsPublic != 24 || o.Report.OthersLost != 0 {
						t.Errorf("%d of 24 slots public, %d of others lost, withheld %v", o.Report.SlotsPublic, o.Report.OthersLost, st.Stats.OwnWithheld)
					}
					if got := st.Stats.Alarms[core.ReasonClockJump]; got != 2 {
						t.Errorf("%d alarms of steps, want 2", got)
					}
					if !st.Clock.Trusted || st.Stats.OwnMissed != 0 {
						t.Errorf("at the end: %+v, missed %d", st.Clock, st.Stats.OwnMissed)
					}
				})
			}
		}
	}
}

// TestRelayStartsWithAWrongClock: a restart within our round, with the clock off.
func TestRelayStartsWithAWrongClock(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for i, offset := range []time.Duration{2 * time.Second, -2 * time.Second, 10 * time.Second, -10 * time.Second} {
			sc := Scenario{Seed: 920 + uint64(i), Mode: mode, Nodes: 2, Rounds: 2, Trx: 150 * time.Millisecond, Script: []Step{
				{After: 1200 * time.Millisecond, For: 300 * time.Millisecond, Target: "relay"},
				clockOf(relayAddr, 1300*time.Millisecond, offset),
			}}
			o := Run(sc)
			check(t, sc, o)
			t.Logf("%s, %+v: %d of %d slots public", mode, offset, o.Report.SlotsPublic, o.Report.SlotsDue)
		}
	}
}

// TestNodeClocks: one of our nodes has a wrong clock; the others' blocks go out.
func TestNodeClocks(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for i, offset := range []time.Duration{2 * time.Second, -2 * time.Second, 10 * time.Second, -10 * time.Second} {
			t.Run(fmt.Sprintf("%s, %+v", mode, offset), func(t *testing.T) {
				sc := Scenario{Seed: 940 + uint64(i), Mode: mode, Nodes: 3, Rounds: 3, Trx: 150 * time.Millisecond,
					Script: []Step{clockOf("bp1:1", 9*time.Second, offset)}}
				o := Run(sc)
				check(t, sc, o)
				st := o.Relay.Core().Snapshot(o.Relay.now)
				if o.Report.SlotsPublic != 36 || o.Report.OthersLost != 0 {
					t.Errorf("%d of 36 slots public, %d of others lost, withheld %v, held %v", o.Report.SlotsPublic, o.Report.OthersLost, st.Stats.OwnWithheld, st.Stats.OwnHeld)
				}
				if st.Stats.Alarms[core.ReasonClockOffset]+st.Stats.Alarms[core.ReasonClockJump] != 0 || !st.Clock.Trusted {
					t.Errorf("the relay's clock is blamed: %+v", st.Clock)
				}
			})
		}
	}
}
