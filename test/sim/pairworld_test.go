package sim

import (
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// Two relays stand for our nodes: whatever goes wrong with one of them or with the link between them in the
// middle of our round costs no slot and shows the network no second block.
func TestPair(t *testing.T) {
	for i, k := range PairFaultKinds {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			sc := PairScenario{
				Seed: uint64(40 + i), Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 2, Trx: 150 * time.Millisecond,
				Faults: []PairFault{{After: time.Duration(300+450*i) * time.Millisecond, Kind: k, For: 4 * time.Second}},
			}
			if i%3 == 2 {
				sc.Mode, sc.Takeover = simnet.Legacy, core.TakeoverRace
			}
			judgePair(t, sc)
		})
	}
}

// Drawn worlds with up to three faults: their seeds are fixed here, `go run ./test/sim/pair --seeds N` plays others.
func TestPairDrawn(t *testing.T) {
	for seed := range uint64(6) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			judgePair(t, GeneratePair(1000+seed))
		})
	}
}

func judgePair(t *testing.T, sc PairScenario) {
	t.Helper()
	o := PlayPair(sc)
	for _, w := range sc.Judge(o) {
		t.Errorf("%s: %s", sc, w)
	}
	t.Logf("%s: lost %v, alarms %v", sc, o.Lost, o.Alarms)
	if t.Failed() {
		for _, e := range o.Events {
			t.Log(e)
		}
	}
}

// What drawn worlds and tables found.
func TestPairFound(t *testing.T) {
	for _, x := range PairFound() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			judgePair(t, x.Scenario)
		})
	}
}

// The priority member that starts alone, after everything was down, learns from silence that nobody else is there: in
// leash mode no node produces before somebody is active, and so the schedule cannot be learned from our blocks.
func TestPairStartsAlone(t *testing.T) {
	for _, f := range []PairFault{{200 * time.Millisecond, LinkCut, 0}, {200 * time.Millisecond, StandbyKill, 0}} {
		sc := PairScenario{
			Seed: 38, Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 2, Rounds: 9,
			Faults: []PairFault{{0, BothRestart, 5 * time.Second}, f},
		}
		if f.Kind == StandbyKill {
			sc.Faults = []PairFault{{0, StandbyKill, 0}, {200 * time.Millisecond, ActiveKill, 5 * time.Second}}
		}
		o := PlayPair(sc)
		if o.Report.SlotsDouble > 0 {
			t.Errorf("%s: %d slots with two blocks", sc, o.Report.SlotsDouble)
		}
		for _, slot := range o.Lost {
			if slot >= "7" {
				t.Errorf("%s: lost %v", sc, o.Lost)
				break
			}
		}
	}
}
