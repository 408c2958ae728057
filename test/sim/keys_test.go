package sim

import (
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// TestKeys: with the key configured all is as without, and a change of the key that the relay was not
// told of costs no slot: our nodes sign by the new one at once, all of them.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		nodes  int
		trx    time.Duration
		rotate bool
	}{
		{"configured", 3, 100 * time.Millisecond, false},
		{"configured, identical blocks", 2, 0, false},
		{"changed, one node", 1, 100 * time.Millisecond, true},
		{"changed, two nodes", 2, 100 * time.Millisecond, true},
		{"changed, three nodes, identical blocks", 3, 0, true},
	} {
		for seed := range uint64(2) {
			sc := Scenario{Seed: 500 + seed, Mode: simnet.Savanna, Nodes: tt.nodes, Rounds: 3, Trx: tt.trx, Keys: true, Rotate: tt.rotate}
			o := Run(sc)
			check(t, sc, o)
			if o.Report.SlotsPublic != 36 || o.Report.OthersLost != 0 {
				t.Errorf("%s, seed %d: %d of 36 slots public, others lost %d", tt.name, sc.Seed, o.Report.SlotsPublic, o.Report.OthersLost)
			}
			st := o.Relay.Core().Snapshot(o.Relay.now).Stats
			if unknown := st.Alarms[core.ReasonUnknownKey]; unknown > 0 != tt.rotate || tt.rotate && unknown < 24 {
				t.Errorf("%s, seed %d: %d alarms over an unknown key", tt.name, sc.Seed, unknown)
			}
			if n := st.Alarms[core.ReasonForeignBlock] + st.OwnWithheld[core.ReasonBadSignature] + st.OwnWithheld[core.ReasonKeyDisputed]; n != 0 {
				t.Errorf("%s, seed %d: %+v", tt.name, sc.Seed, st)
			}
			if o.LinksLost != 0 {
				t.Errorf("%s, seed %d: our nodes lost %d links", tt.name, sc.Seed, o.LinksLost)
			}
		}
	}
}

// TestKeysUnderFaults: the same with nodes, links and the relay failing; only I1 and the chain's health
// are asked for.
func TestKeysUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		sc := Scenario{Seed: 520 + seed, Mode: simnet.Savanna, Nodes: 2 + int(seed%2), Rounds: 4, Trx: 200 * time.Millisecond, Keys: true, Rotate: true, Faults: true, Evil: seed%2 == 0}
		check(t, sc, Run(sc))
	}
}
