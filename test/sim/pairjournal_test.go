package sim

import (
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// Two relays with journals, one of which (or both) is killed while a claim is written, and back while its block
// is of use: no slot has two blocks, and one relay's death costs none.
func TestPairJournals(t *testing.T) {
	for i, k := range JournalFaultKinds {
		for j, lasts := range []time.Duration{300 * time.Millisecond, 1500 * time.Millisecond} {
			t.Run(string(k), func(t *testing.T) {
				t.Parallel()
				sc := PairScenario{
					Seed: uint64(70 + 10*j + i), Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 2, Trx: 150 * time.Millisecond,
					Journals: true, Disk: 5 * time.Millisecond, Torn: 40 + 64*j,
					Faults: []PairFault{{After: time.Duration(300+450*i) * time.Millisecond, Kind: k, For: lasts}},
				}
				if (i+j)%2 == 1 {
					sc.Mode, sc.Takeover = simnet.Legacy, core.TakeoverRace
				}
				judgePair(t, sc)
			})
		}
	}
}

// The active is alone, claims, and dies before the block has left; it comes back to a relay that took over.
func TestPairClaimMadeAloneBeforeADeath(t *testing.T) {
	for i := range 4 {
		for j, k := range []PairFaultKind{ActiveKillUnwritten, ActiveKillWritten} {
			t.Run(string(k), func(t *testing.T) {
				t.Parallel()
				after := time.Duration(400+330*i) * time.Millisecond
				judgePair(t, PairScenario{
					Seed: uint64(90 + 10*j + i), Mode: simnet.Legacy, Takeover: core.TakeoverRace, Nodes: 2, Trx: 50 * time.Millisecond,
					Journals: true, Disk: 2 * time.Millisecond,
					Faults: []PairFault{
						{After: after, Kind: LinkCut, For: time.Duration(200+500*i) * time.Millisecond},
						{After: after + 150*time.Millisecond, Kind: k, For: time.Duration(60+90*i) * time.Millisecond},
					},
				})
			})
		}
	}
}
