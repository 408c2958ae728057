package rig

import (
	"testing"
	"time"

	"bprelay/p2pwire"
)

// now is some moment (unix ns).
const now = int64(1_790_000_000_123_000_000)

func TestPlans(t *testing.T) {
	for i := range int64(40) {
		at := now + i*700_000_000
		for name, p := range map[string]Plan{"new": NewPlan(7, at, lead), "fixed": FixedPlan(7, at, lead)} {
			if p.First.Index() != 0 || p.ProducerAt(p.First) != Ours {
				t.Errorf("%s: slot %d is the %dth of %s", name, p.First, p.First.Index(), p.ProducerAt(p.First))
			}
			if begins := Begin(p.First); begins < at+int64(lead)-int64(p2pwire.SlotDuration) {
				t.Errorf("%s: the first round begins %d ns after now", name, begins-at)
			}
			if p.Round(1)-p.First != 36 || p.ProducerAt(p.Round(1)) != Ours || p.ProducerAt(p.Round(1)-1) == Ours {
				t.Errorf("%s: the next round is at %d", name, p.Round(1)-p.First)
			}
		}
	}
	// Whoever starts at another time has the same chain.
	a, b := FixedPlan(7, now, lead), FixedPlan(7, now+int64(lead), 0)
	if a.Chain().ID() != b.Chain().ID() || a.Chain().GenesisID() != b.Chain().GenesisID() {
		t.Error("two chains of one seed differ")
	}
}

const lead = 9 * time.Second

// TestDue has the figures of a round by hand: 450 ms of 12 slots are spread over its blocks.
func TestDue(t *testing.T) {
	const first = p2pwire.Slot(1200)
	if got := Begin(first) - first.Time(); got != -500_000_000 {
		t.Errorf("the first block is begun at %d ns", got)
	}
	if got := Due(first) - first.Time(); got != -37_500_000 {
		t.Errorf("the first block is due at %d ns", got)
	}
	if got := Due(first+11) - (first + 11).Time(); got != -450_000_000 {
		t.Errorf("the last block is due at %d ns", got)
	}
}

// TestJudge feeds what two relays and a producer give to the network side.
func TestJudge(t *testing.T) {
	plan := FixedPlan(7, now, 0)
	chain := plan.Chain()
	key := p2pwire.K1PrivateFromSeed("rig")
	block := func(slot p2pwire.Slot, salt byte) []byte {
		b := p2pwire.BlockBuilder{
			Slot: slot, Producer: Name(Ours), Previous: p2pwire.ID{3: 9}, ActionMRoot: p2pwire.ID{salt},
			ScheduleVersion: p2pwire.ScheduleVersionSavanna, QC: &p2pwire.QCClaim{}, Signer: key,
		}
		body, _ := b.AppendBlock(nil)
		return p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body)
	}
	j := newJudge(plan, chain)
	for i, stream := range []string{
		"relay2>observer/1", "relay1>observer/2", "bpbeta>observer/3",
		"bpbeta>observer/3", // twice: nodeos' own affair
	} {
		j.feed(plan.First.Time()-int64(9-i)*1e6, stream, block(plan.First, 0))
	}
	var from []string
	for _, a := range j.Arrivals() {
		from = append(from, a.From)
	}
	if len(from) != 3 || from[0] != "relay2" || from[1] != "relay1" || from[2] != "bpbeta" {
		t.Errorf("arrivals %v, want relay2, relay1, bpbeta", from)
	}
	r := j.Report(plan.First, plan.First+1)
	if r.SlotsDue != 2 || r.SlotsPublic != 1 || r.SlotsLostOutside != 1 || r.SlotsDouble != 0 || len(r.Violations) != 0 {
		t.Errorf("report %+v", r)
	}
	j.feed(plan.First.Time(), "relay1>bpgamma/a7", block(plan.First, 1))
	if r := j.Report(plan.First, plan.First); r.SlotsDouble != 1 || len(r.Violations) != 1 {
		t.Errorf("a second block for a slot: %+v", r)
	}
}
