package sim

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bprelay/test/simnet"
)

var (
	seeds = flag.Int("seeds", 0, "fresh random seeds to run with faults, besides the fixed ones")
	seed  = flag.Uint64("seed", 0, "run this one seed with faults")
)

// maxLinksLost is far above what any of these worlds costs: beyond it a node runs in a circle.
const maxLinksLost = 100

// check fails on any breach of I1, I4, order or framing, and on a node that is not on the public
// chain at the end.
func check(t *testing.T, sc Scenario, o *Outcome) {
	t.Helper()
	for _, v := range o.Report.Violations {
		if !strings.HasPrefix(v.Stream, relayAddr) {
			continue // the simulated network among itself
		}
		t.Errorf("seed %d: %s", sc.Seed, v)
	}
	if o.Report.SlotsDouble != 0 {
		t.Errorf("seed %d: %d slots with two blocks", sc.Seed, o.Report.SlotsDouble)
	}
	if o.Report.SlotsLostOutside != 0 {
		for _, s := range o.Report.Slots {
			if len(s.IDs) == 0 && !s.InKill {
				t.Errorf("seed %d: slot %d (index %d) lost", sc.Seed, s.Slot, s.Slot.Index())
			}
		}
	}
	if o.LinksLost > maxLinksLost {
		t.Errorf("seed %d: our nodes closed their links %d times", sc.Seed, o.LinksLost)
	}
	if t.Failed() {
		for _, f := range o.Faults {
			t.Log(f)
		}
		t.Logf("%+v", o.Relay.Core().Snapshot(o.Relay.now).Stats)
	}
}

func TestQuietWorld(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for _, trx := range []time.Duration{0, 100 * time.Millisecond} {
			sc := Scenario{Seed: 1, Mode: mode, Nodes: 3, Rounds: 2, Trx: trx}
			o := Run(sc)
			check(t, sc, o)
			if o.Report.SlotsPublic != 24 || o.Report.OthersLost != 0 || o.Report.OthersDouble > 0 {
				t.Errorf("%s, trx every %s: %+v", mode, trx, o.Report)
			}
			for _, n := range o.Ours {
				if !o.Network[0].OnChain(n.Root().ID) || n.Head().Num+3 < o.Network[0].Head().Num {
					t.Errorf("%s: node %s is at %v, the network at %v", mode, n.Name(), n.Head(), o.Network[0].Head())
				}
			}
		}
	}
}

func TestDistantNetwork(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for _, d := range []time.Duration{30 * time.Millisecond, 80 * time.Millisecond, 150 * time.Millisecond} {
			sc := Scenario{Seed: 7, Mode: mode, Nodes: 3, Rounds: 2, Trx: 200 * time.Millisecond, Distance: d}
			o := Run(sc)
			check(t, sc, o)
			if o.Report.SlotsPublic != 24 || o.Report.SlotsOrphaned > 0 {
				t.Errorf("%s, %s away: %d public, %d orphaned, withheld %v", mode, d, o.Report.SlotsPublic, o.Report.SlotsOrphaned, o.Relay.Core().Snapshot(o.Relay.now).Stats.OwnWithheld)
			}
		}
	}
}

// TestRelayRestartInRound: the blocks made while the relay was down are fetched from the nodes, so a
// short absence costs nothing.
func TestRelayRestartInRound(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for s := range uint64(6) {
			sc := Scenario{Seed: 300 + s, Mode: mode, Nodes: 2, Rounds: 1, Trx: 150 * time.Millisecond, Script: []Step{
				{After: time.Duration(s) * 700 * time.Millisecond, For: 300 * time.Millisecond, Target: "relay"},
			}}
			o := Run(sc)
			check(t, sc, o)
			t.Logf("seed %d, %s: %d of %d slots public", sc.Seed, mode, o.Report.SlotsPublic, o.Report.SlotsDue)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	// The larger ones once found a bug.
	list := []uint64{1, 2, 3, 4, 515127615, 641347210, 1985590737, 2661301418, 2865880164, 2919926296, 3005156535}
	for range *seeds {
		list = append(list, rand.Uint64()>>32)
	}
	if *seed != 0 {
		list = []uint64{*seed}
	}
	for _, s := range list {
		for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
			sc := Scenario{Seed: s, Mode: mode, Nodes: 2 + int(s%2), Rounds: 4, Trx: 200 * time.Millisecond, Faults: true, Evil: s%3 == 0}
			t.Run(mode.String(), func(t *testing.T) {
				t.Logf("seed %d", s)
				check(t, sc, Run(sc))
			})
		}
	}
}

// TestHostilePeer: damaged twins and votes from one address cost at most a few links, no slot, and
// keep nobody from following the chain.
func TestHostilePeer(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for s := range uint64(4) {
			sc := Scenario{Seed: 100 + s, Mode: mode, Nodes: 3, Rounds: 3, Trx: 300 * time.Millisecond, Evil: true}
			o := Run(sc)
			check(t, sc, o)
			if o.EvilSent == 0 {
				t.Errorf("seed %d: the hostile peer got nothing out", sc.Seed)
			}
			if o.LinksLost > 20 {
				t.Errorf("seed %d, %s: our nodes lost %d links over %d damaged messages", sc.Seed, mode, o.LinksLost, o.EvilSent)
			}
			for _, n := range o.Ours {
				if !o.Network[0].OnChain(n.Root().ID) || n.Head().Num+4 < o.Network[0].Head().Num {
					t.Errorf("seed %d, %s: node %s is at %v, the network at %v", sc.Seed, mode, n.Name(), n.Head(), o.Network[0].Head())
				}
			}
			t.Logf("seed %d, %s: %d damaged messages, %d links lost, blamed %d", sc.Seed, mode, o.EvilSent, o.LinksLost, o.Relay.Core().Snapshot(o.Relay.now).Stats.Blamed)
		}
	}
}
