package demo

import (
	"math/rand/v2"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// A plan depends on where in the cycle of rounds the start falls: all places are tried.
func TestPlan(t *testing.T) {
	o, err := Options{Duration: 40 * time.Second, Kill: KillLeader, Seed: 1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	base := p2pwire.Slot(1_700_000_000).Time()
	for i := range 2400 {
		now := base + int64(i)*int64(10*time.Millisecond)
		p := newPlan(now, o, rand.New(rand.NewPCG(uint64(i), 0)))
		chain := simnet.NewChain(simnet.ChainConfig{Producers: p.schedule, Genesis: p.start})
		for slot := p.first; slot < p.first+2*cycle; slot++ {
			if got, want := p.producerAt(slot), chain.ProducerAt(slot).String(); got != want {
				t.Fatalf("%d: slot %d is %s's, by the chain %s's", i, slot, got, want)
			}
		}
		if wait := time.Duration(p.first.Time() - now); p.first.Index() != 0 || p.producerAt(p.first) != ours || wait <= 4*time.Second || wait > 10*time.Second+p2pwire.SlotDuration {
			t.Fatalf("%d: our first round begins at index %d of %s after %v", i, p.first.Index(), p.producerAt(p.first), wait)
		}
		for slot := p.start; slot < p.first; slot++ {
			if p.producerAt(slot) == ours {
				t.Fatalf("%d: slot %d before the first round is ours", i, slot)
			}
		}
		if p.start.Time() > now || (p.first+cycle+p2pwire.RoundSlots-1).Time() > p.end {
			t.Fatalf("%d: 40 s do not hold two of our rounds, from %d at %d to %d", i, p.first, now, p.end)
		}
		checkKills(t, p)
	}
}

func checkKills(t *testing.T, p plan) {
	t.Helper()
	if len(p.kills) < 2 || !p.kills[0].inRound || p.kills[1].inRound {
		t.Fatalf("kills %+v: want one in the first round, then one between rounds", p.kills)
	}
	for i, k := range p.kills {
		if k.at >= p.end || i > 0 && k.at < p.kills[i-1].at+int64(p.kills[i-1].down) {
			t.Fatalf("kills %+v, end %d: too late, or while another is down", p.kills, p.end)
		}
		killed := p2pwire.SlotAt(k.at) + 1
		if inRound := p.producerAt(killed) == ours; inRound != k.inRound {
			t.Fatalf("kill %+v at slot %d of %s", k, killed.Index(), p.producerAt(killed))
		}
		if index := killed.Index(); k.inRound && (index < firstKillSlot-1 || index > lastKillSlot) {
			t.Fatalf("kill %+v at index %d", k, index)
		}
		// Back with seconds to spare before the next round of ours.
		for late := time.Duration(0); late <= 4*time.Second; late += p2pwire.SlotDuration {
			if back := p2pwire.SlotAt(k.at + int64(k.down+late)); p.producerAt(back) == ours {
				t.Fatalf("kill %+v: back only %v before our slot %d", k, late, back)
			}
		}
	}
}

// The same seed and time give the same plan; without kills there are none, and rounds set the end.
func TestPlanVariants(t *testing.T) {
	o, err := Options{Kill: KillNone, Seed: 1, rounds: 2, lead: time.Second}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	now := p2pwire.Slot(1_700_000_000).Time() + 1
	p := newPlan(now, o, rand.New(rand.NewPCG(1, 1)))
	if len(p.kills) > 0 {
		t.Errorf("kills %+v", p.kills)
	}
	if want := (p.first + cycle + 11).Time(); p.end != want {
		t.Errorf("ends at %d, want %d", p.end, want)
	}
	o.Kill = KillRandom
	a, b := newPlan(now, o, rand.New(rand.NewPCG(1, 1))), newPlan(now, o, rand.New(rand.NewPCG(1, 1)))
	if len(a.kills) == 0 || len(a.kills) != len(b.kills) || a.kills[0] != b.kills[0] {
		t.Errorf("kills %+v and %+v", a.kills, b.kills)
	}
}
