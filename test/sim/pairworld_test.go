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
	const s, ms = time.Second, time.Millisecond
	race := PairScenario{Mode: simnet.Legacy, Nodes: 2, Trx: 250 * ms}
	far := PairScenario{Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 3, Trx: 150 * ms, Distance: 40 * ms}
	for name, x := range map[string]struct {
		base   PairScenario
		seed   uint64
		faults []PairFault
	}{
		// The answers to questions asked every 20 ms counted only within 20 ms.
		"far away, cut off":              {far, 40, []PairFault{{1930 * ms, ActiveCutOff, 5680 * ms}}},
		"far away, cut off at the end":   {far, 100, []PairFault{{4660 * ms, ActiveCutOff, 0}}},
		"far away, killed":               {far, 101, []PairFault{{-70 * ms, ActiveKill, 5310 * ms}}},
		"far away, hangs at the end":     {far, 105400, []PairFault{{5400 * ms, ActiveHang, 4 * s}}},
		"far away, hangs and comes back": {far, 101050, []PairFault{{1050 * ms, ActiveHang, 4 * s}}},
		// The standby was granted the role, and waited for an acknowledgement all the same.
		"far away, loses its nodes at the end": {
			PairScenario{Mode: simnet.Savanna, Takeover: core.TakeoverRace, Nodes: 2, Distance: 40 * ms}, 556,
			[]PairFault{{5300 * ms, ActiveNoNodes, 3530 * ms}},
		},
		// Back with the network, whose blocks nobody had vouched for, it let out its own.
		"back in its turn":                {race, 100350, []PairFault{{350 * ms, ActiveCutOff, 2 * s}}},
		"back in its turn, sessions anew": {race, 100000, []PairFault{{0, ActiveCutOff, 1500 * ms}}},
		"back in its turn, three faults": {
			PairScenario{Mode: simnet.Legacy, Nodes: 3, Trx: 150 * ms}, 184,
			[]PairFault{{-630 * ms, ActiveCutOff, 2970 * ms}, {-210 * ms, ActiveBlind, 3860 * ms}, {3160 * ms, LinkOneWay, 660 * ms}},
		},
		// Blocks of an earlier life went to peers children first.
		"both relays anew": {
			PairScenario{Mode: simnet.Legacy, Nodes: 2, Trx: 300 * ms}, 64,
			[]PairFault{{3510 * ms, BothRestart, 3020 * ms}, {5410 * ms, BothKill, 4640 * ms}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc := x.base
			sc.Seed, sc.Faults = x.seed, x.faults
			judgePair(t, sc)
		})
	}
}
