package demo

import (
	"math/rand/v2"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// A plan depends on where in the cycle of rounds the start falls: all places are tried. api and auto have
// the course of leash.
func TestPlan(t *testing.T) {
	for _, takeover := range []string{"race", "leash"} {
		t.Run(takeover, func(t *testing.T) { checkPlans(t, takeover) })
	}
}

func checkPlans(t *testing.T, takeover string) {
	o, err := Options{Duration: 40 * time.Second, Takeover: takeover, Kill: KillLeader, Seed: 1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	lead, kills := 4*time.Second, []bool{true, false} // in our round or not
	if takeover != "race" {
		lead, kills = 9*time.Second, []bool{true}
	}
	base := p2pwire.Slot(1_700_000_000).Time()
	for i := range 480 {
		now := base + int64(i)*int64(51*time.Millisecond)
		p := newPlan(now, o, rand.New(rand.NewPCG(uint64(i), 0)))
		chain := simnet.NewChain(simnet.ChainConfig{Producers: p.schedule, Genesis: p.start})
		for slot := p.first; slot < p.first+2*p.cycle; slot++ {
			if got, want := p.producerAt(slot), chain.ProducerAt(slot).String(); got != want {
				t.Fatalf("%d: slot %d is %s's, by the chain %s's", i, slot, got, want)
			}
		}
		if wait := time.Duration(p.first.Time() - now); p.first.Index() != 0 || p.producerAt(p.first) != ours || wait <= lead || wait > lead+6*time.Second+p2pwire.SlotDuration {
			t.Fatalf("%d: our first round begins at index %d of %s after %v", i, p.first.Index(), p.producerAt(p.first), wait)
		}
		for slot := p.start; slot < p.first; slot++ {
			// Where the cycle is short, the end of a round of ours may come before anything runs.
			if p.producerAt(slot) == ours && slot > p.start+2*p2pwire.RoundSlots-p.cycle/2 {
				t.Fatalf("%d: slot %d before the first round is ours", i, slot)
			}
		}
		if p.start.Time() > now || (p.first+p.cycle+p2pwire.RoundSlots-1).Time() > p.end {
			t.Fatalf("%d: 40 s do not hold two of our rounds, from %d at %d to %d", i, p.first, now, p.end)
		}
		checkKills(t, p, kills)
		if takeover != "race" {
			checkWarm(t, p, now)
		}
	}
}

// checkWarm: before the first kill the relay, which comes 3 s after the start at the latest, sees five
// rounds begin; the fifth is not ours.
func checkWarm(t *testing.T, p plan, now int64) {
	t.Helper()
	seen := p2pwire.SlotAt(now + int64(3*time.Second)).Round() // the first that it sees blocks of
	known := p2pwire.Slot(seen+uint32(len(p.schedule))+1) * p2pwire.RoundSlots
	if p.producerAt(known) == ours || known >= p.first+p.cycle {
		t.Fatalf("the schedule is known at slot %d, our second round begins at %d", known, p.first+p.cycle)
	}
	if p.kills[0].at < (p.first + p.cycle).Time() {
		t.Fatalf("kills %+v: too early", p.kills)
	}
}

func checkKills(t *testing.T, p plan, want []bool) {
	t.Helper()
	for i, in := range want {
		if len(p.kills) <= i || p.kills[i].inRound != in {
			t.Fatalf("kills %+v: want %v (in a round of ours)", p.kills, want)
		}
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
	o, err := Options{Takeover: "race", Kill: KillNone, Seed: 1, rounds: 2, lead: time.Second}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	now := p2pwire.Slot(1_700_000_000).Time() + 1
	p := newPlan(now, o, rand.New(rand.NewPCG(1, 1)))
	if len(p.kills) > 0 {
		t.Errorf("kills %+v", p.kills)
	}
	if want := (p.first + p.cycle + 11).Time(); p.end != want {
		t.Errorf("ends at %d, want %d", p.end, want)
	}
	o.Kill, o.rounds = KillRelay, 6 // only in our rounds: outside, nobody waits for a block of ours
	for _, k := range newPlan(now, o, rand.New(rand.NewPCG(1, 1))).kills {
		if !k.inRound {
			t.Errorf("a relay is killed outside our round: %+v", k)
		}
	}
	o.Kill, o.rounds = KillRandom, 2
	a, b := newPlan(now, o, rand.New(rand.NewPCG(1, 1))), newPlan(now, o, rand.New(rand.NewPCG(1, 1)))
	if len(a.kills) == 0 || len(a.kills) != len(b.kills) || a.kills[0] != b.kills[0] {
		t.Errorf("kills %+v and %+v", a.kills, b.kills)
	}
}

// An appointment in our round can be kept a few slots later, but not near its end.
func TestPutOff(t *testing.T) {
	p := testPlan()
	p.end = p2pwire.Slot(2500).Time()
	next := kill{at: p2pwire.Slot(2420).Time()}
	p.kills = []kill{next}
	k := kill{at: p2pwire.Slot(2404).Time() + 1, down: time.Second, inRound: true} // in slot 2405
	for _, want := range []bool{true, true, false} {
		if got := p.putOff(k); got != want {
			t.Fatalf("%+v: %v, want %v", k, got, want)
		}
		if want {
			k.at += int64(p2pwire.SlotDuration)
			if len(p.kills) != 2 || p.kills[0] != k || p.kills[1] != next {
				t.Fatalf("kills %+v, want %+v first", p.kills, k)
			}
			p.kills = p.kills[1:]
		}
	}
	if p.putOff(next) {
		t.Error("one between our rounds is put off")
	}
	p.end = p2pwire.Slot(2403).Time()
	if p.putOff(kill{at: p2pwire.Slot(2402).Time() + 1, inRound: true}) {
		t.Error("one is put off beyond the end")
	}
}
