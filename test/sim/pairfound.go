package sim

import (
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// NamedPair is a world with two relays and what it is about.
type NamedPair struct {
	Name     string
	Scenario PairScenario
}

// PairFound are worlds in which something was wrong once.
func PairFound() (list []NamedPair) {
	const s, ms = time.Second, time.Millisecond
	race := PairScenario{Mode: simnet.Legacy, Nodes: 2, Trx: 250 * ms}
	far := PairScenario{Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 3, Trx: 150 * ms, Distance: 40 * ms}
	for _, x := range []struct {
		name   string
		base   PairScenario
		seed   uint64
		faults []PairFault
	}{
		// The answers to questions asked every 20 ms counted only within 20 ms.
		{"far away, cut off", far, 40, []PairFault{{1930 * ms, ActiveCutOff, 5680 * ms}}},
		{"far away, cut off at the end", far, 100, []PairFault{{4660 * ms, ActiveCutOff, 0}}},
		{"far away, killed", far, 101, []PairFault{{-70 * ms, ActiveKill, 5310 * ms}}},
		{"far away, hangs at the end", far, 105400, []PairFault{{5400 * ms, ActiveHang, 4 * s}}},
		{"far away, hangs and comes back", far, 101050, []PairFault{{1050 * ms, ActiveHang, 4 * s}}},
		// The standby was granted the role, and waited for an acknowledgement all the same.
		{
			"far away, loses its nodes at the end",
			PairScenario{Mode: simnet.Savanna, Takeover: core.TakeoverRace, Nodes: 2, Distance: 40 * ms}, 556,
			[]PairFault{{5300 * ms, ActiveNoNodes, 3530 * ms}},
		},
		// Back with the network, whose blocks nobody had vouched for, it let out its own.
		{"back in its turn", race, 100350, []PairFault{{350 * ms, ActiveCutOff, 2 * s}}},
		{"back in its turn, sessions anew", race, 100000, []PairFault{{0, ActiveCutOff, 1500 * ms}}},
		{
			"back in its turn, three faults",
			PairScenario{Mode: simnet.Legacy, Nodes: 3, Trx: 150 * ms}, 184,
			[]PairFault{{-630 * ms, ActiveCutOff, 2970 * ms}, {-210 * ms, ActiveBlind, 3860 * ms}, {3160 * ms, LinkOneWay, 660 * ms}},
		},
		// Blocks of an earlier life went to peers children first.
		{
			"both relays anew",
			PairScenario{Mode: simnet.Legacy, Nodes: 2, Trx: 300 * ms}, 64,
			[]PairFault{{3510 * ms, BothRestart, 3020 * ms}, {5410 * ms, BothKill, 4640 * ms}},
		},
	} {
		x.base.Seed, x.base.Faults = x.seed, x.faults
		list = append(list, NamedPair{x.name, x.base})
	}
	return list
}
