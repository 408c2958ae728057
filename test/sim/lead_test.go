package sim

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// TestFaultsOfTheLead plays every kind of fault at a few moments, the tight ones around our first slots and
// fresh ones; `go run ./test/sim/takeover` plays all of them.
func TestFaultsOfTheLead(t *testing.T) {
	long(t)
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for _, x := range []struct {
		name     string
		takeover core.Takeover
		mode     simnet.Mode
		kind     LeadFaultKind
		lasts    time.Duration
		again    time.Duration
		most     int // slots lost
	}{
		{"kill", core.TakeoverAuto, simnet.Savanna, LeadKill, 0, 0, 0},
		{"kill, back in the round", core.TakeoverLeash, simnet.Savanna, LeadKill, 2 * time.Second, 0, 0},
		{"two killed", core.TakeoverLeash, simnet.Savanna, LeadKill, 0, 1700 * time.Millisecond, 0},
		{"hang", core.TakeoverLeash, simnet.Savanna, LeadHang, 0, 0, 1},
		{"hang for a moment", core.TakeoverLeash, simnet.Savanna, LeadHang, 700 * time.Millisecond, 0, 1},
		{"cut", core.TakeoverLeash, simnet.Savanna, LeadCut, 2 * time.Second, 0, 1},
		{"reset", core.TakeoverLeash, simnet.Savanna, LeadReset, 0, 0, 0},
		{"slow", core.TakeoverLeash, simnet.Savanna, LeadSlow, 2 * time.Second, 0, 1},
		{"kill, API", core.TakeoverAPI, simnet.Legacy, LeadKill, 0, 0, 0},
		{"hang, API", core.TakeoverAPI, simnet.Savanna, LeadHang, 0, 0, 1},
	} {
		offsets := []time.Duration{450 * time.Millisecond, 5750 * time.Millisecond}
		for range 2 {
			offsets = append(offsets, time.Duration(rng.IntN(800)-200)*10*time.Millisecond)
		}
		for _, at := range offsets {
			sc := LeadScenario{Seed: 1 + uint64(at/time.Millisecond), Mode: x.mode, Takeover: x.takeover, Nodes: 3, Trx: 250 * time.Millisecond}
			sc.Faults = []LeadFault{{After: at, Kind: x.kind, For: x.lasts}}
			if x.again > 0 {
				sc.Faults = append(sc.Faults, LeadFault{After: at + x.again, Kind: x.kind, Second: true})
			}
			o := PlayLead(sc)
			if len(o.Lost) > x.most || o.LostLater > 0 || o.Report.SlotsDouble > 0 || o.Report.OthersDouble > 0 || o.Report.OthersLost > 0 || o.Forks > 0 || !o.Report.OK() {
				t.Errorf("%s at %s, seed %d: lost %v, later %d, double %d, others lost %d, %d forks, %v", x.name, at, sc.Seed,
					o.Lost, o.LostLater, o.Report.SlotsDouble, o.Report.OthersLost, o.Forks, o.Report.Violations)
				for _, e := range o.Events {
					t.Log(e)
				}
			}
		}
	}
}

// TestLeadThatHangsBeforeOurRun: the lead hangs when it is too late for an orderly change. Blocks vary so much
// that nobody could be released for slot 0 because that is late; that the lead answers nothing shows before.
// Its successor, which has not led before, is not late because its blocks vary as well.
func TestLeadThatHangsBeforeOurRun(t *testing.T) {
	long(t)
	t.Parallel()
	for after := -600 * time.Millisecond; after <= -100*time.Millisecond; after += 100 * time.Millisecond {
		for _, takeover := range []core.Takeover{core.TakeoverLeash, core.TakeoverAPI} {
			sc := LeadScenario{Seed: 11, Mode: simnet.Savanna, Takeover: takeover, Nodes: 3, Trx: 250 * time.Millisecond, Vary: 30 * time.Millisecond}
			sc.Faults = []LeadFault{{After: after, Kind: LeadHang}}
			if o := PlayLead(sc); len(o.Lost) > 0 || o.LostLater > 0 || o.Forks > 0 || o.Siblings > 0 || !o.Report.OK() {
				t.Errorf("%s, hangs at %v (slot 0 is due at 462 ms): lost %v, later %d, %d siblings, %d forks, %v",
					takeover, after, o.Lost, o.LostLater, o.Siblings, o.Forks, o.Report.Violations)
			}
		}
	}
}

// TestBusyNodes: where blocks vary much and all is well, nobody is released.
func TestBusyNodes(t *testing.T) {
	t.Parallel()
	for _, takeover := range []core.Takeover{core.TakeoverLeash, core.TakeoverAPI} {
		o := PlayLead(LeadScenario{Seed: 5, Mode: simnet.Savanna, Takeover: takeover, Nodes: 3, Trx: 100 * time.Millisecond, Vary: 40 * time.Millisecond, Rounds: 8})
		if o.Siblings != 0 || len(o.Lost) != 0 || o.LostLater != 0 || o.Status.Takeover.LeadChanges != 0 {
			t.Errorf("%s: %d siblings, lost %v and %d, %+v", takeover, o.Siblings, o.Lost, o.LostLater, o.Status.Takeover)
			for _, e := range o.Events {
				t.Log(e)
			}
		}
	}
}

// TestHeldNodesSignNothing: with nothing wrong only the lead makes blocks in our rounds, and everything
// that is there to take over is known to be.
func TestHeldNodesSignNothing(t *testing.T) {
	t.Parallel()
	for _, keys := range []bool{false, true} {
		o := PlayLead(LeadScenario{Seed: 3, Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 3, OwnKeys: keys, Trx: 100 * time.Millisecond, Rounds: 3})
		if o.Siblings != 0 || len(o.Lost) != 0 || o.LostLater != 0 || o.Status.Takeover.LeadChanges != 0 {
			t.Errorf("own keys %t: %d siblings, lost %v and %d, %+v", keys, o.Siblings, o.Lost, o.LostLater, o.Status.Takeover)
		}
		for _, n := range o.Status.Takeover.Nodes {
			if n.State == core.NodeNotReady || n.State == core.NodeUnholdable {
				t.Errorf("own keys %t: %s is %s: %s", keys, n.Node, n.State, n.Why)
			}
		}
	}
}

// TestDrainCostsNothing: planned maintenance of the lead loses nothing and forks nothing, whatever the way to take
// over, and however close our rounds are. Only one node signs each block.
func TestDrainCostsNothing(t *testing.T) {
	long(t)
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	for _, x := range []struct {
		name     string
		takeover core.Takeover
		mode     simnet.Mode
		alone    bool
	}{
		{"leash", core.TakeoverLeash, simnet.Savanna, false},
		{"API", core.TakeoverAPI, simnet.Legacy, false},
		{"API, one producer", core.TakeoverAPI, simnet.Savanna, true},
		{"API, one producer, legacy", core.TakeoverAPI, simnet.Legacy, true},
	} {
		for i := range 6 {
			at := time.Duration(rng.IntN(700)-100) * 10 * time.Millisecond
			sc := LeadScenario{Seed: uint64(i) + 1, Mode: x.mode, Takeover: x.takeover, Nodes: 3, Alone: x.alone, Rounds: 3, Trx: 100 * time.Millisecond}
			sc.Faults = []LeadFault{{After: at, Kind: LeadDrain}}
			o := PlayLead(sc)
			if s := o.Status.Takeover; len(o.Lost)+o.LostLater+o.Siblings+o.Forks+o.Report.SlotsDouble > 0 || !o.Report.OK() ||
				s.Lead == o.Lead || s.Lead == "" || s.Releases > 0 || s.LeadChanges != 1 {
				t.Errorf("%s at %s, seed %d: lost %v, later %d, %d siblings, %d forks, double %d; %s led, %+v, answers %v", x.name, at, sc.Seed, o.Lost,
					o.LostLater, o.Siblings, o.Forks, o.Report.SlotsDouble, o.Lead, s, o.Orders)
				for _, e := range o.Events {
					t.Log(e)
				}
			}
		}
	}
}

// TestRelayFaults: the relay stands still or is restarted in our round, alone or while the lead dies. It costs no slot
// that a relay that is back could have saved: what the nodes made meanwhile leaves, if late, and nobody is released
// because the relay did not look. The last slots before the next producer's are another matter: what leaves
// behind their timestamp comes too late.
func TestRelayFaults(t *testing.T) {
	long(t)
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	for _, x := range []struct {
		name  string
		kind  LeadFaultKind
		lasts time.Duration
		kill  time.Duration // the lead is killed so much behind its beginning; 0: it is not
		most  int           // slots lost
	}{
		{"stall", RelayStall, 600 * time.Millisecond, 0, 0},
		{"short stall", RelayStall, 120 * time.Millisecond, 0, 0},
		{"restart", RelayRestart, 300 * time.Millisecond, 0, 0},
		{"stall, and the lead dies", RelayStall, 600 * time.Millisecond, 200 * time.Millisecond, 1},
	} {
		for _, takeover := range []core.Takeover{core.TakeoverLeash, core.TakeoverAPI} {
			for i := range 5 {
				at := time.Duration(rng.IntN(480)) * 10 * time.Millisecond
				sc := LeadScenario{Seed: uint64(i) + 1, Mode: simnet.Savanna, Takeover: takeover, Nodes: 3, Trx: 250 * time.Millisecond}
				sc.Faults = []LeadFault{{After: at, Kind: x.kind, For: x.lasts}}
				if x.kill > 0 {
					sc.Faults = append(sc.Faults, LeadFault{After: at + x.kill, Kind: LeadKill})
				}
				o := PlayLead(sc)
				if s := o.Status.Takeover; len(o.Lost) > x.most || o.LostLater+o.Forks+o.Report.SlotsDouble+o.Report.OthersLost+violations(o) > 0 ||
					x.kill == 0 && (s.Releases > 0 || o.Siblings > 0) {
					t.Errorf("%s, %s at %s, seed %d: lost %v, later %d, %d siblings, %d forks, double %d, others lost %d, %v; %d releases", x.name, takeover, at,
						sc.Seed, o.Lost, o.LostLater, o.Siblings, o.Forks, o.Report.SlotsDouble, o.Report.OthersLost, o.Report.Violations, s.Releases)
					for _, e := range o.Events {
						t.Log(e)
					}
				}
			}
		}
	}
}

// violations counts those of the relay: the simulated network's own do not matter.
func violations(o *LeadOutcome) (n int) {
	for _, v := range o.Report.Violations {
		if strings.HasPrefix(v.Stream, relayAddr) {
			n++
		}
	}
	return n
}

// long leaves a test out where the race detector makes it ten times as long (-short): a world is one goroutine.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: many worlds")
	}
}
