package engine

import (
	"slices"
	"testing"

	"bprelay/relay/core"
)

// archive is a journal that notes what it is told, and answers when the test says so.
type archive struct{ alone, agreed, later []core.Claim }

func (a *archive) Record(_ core.Instant, cl core.Claim, agreed bool) core.Verdict {
	if agreed {
		a.agreed = append(a.agreed, cl)
	} else {
		a.alone = append(a.alone, cl)
	}
	return core.Pending
}
func (a *archive) Agree(_ core.Instant, cl core.Claim) { a.later = append(a.later, cl) }
func (a *archive) all() []core.Claim                   { return slices.Concat(a.alone, a.agreed) }

// With a journal and a cluster a claim stands when both say so. The journal hears of it only when the cluster
// has approved: what it has is believed after a restart.
func TestJournalAndCluster(t *testing.T) {
	cl, now := core.Claim{Slot: 7}, core.Instant{}
	for _, c := range []struct {
		name             string
		durable          bool
		cluster, journal core.Verdict
		want             core.Verdict
		recorded         bool
	}{
		{"both", false, core.Approved, core.Approved, core.Approved, true},
		{"the cluster denies", false, core.Denied, core.Approved, core.Denied, false},
		{"the cluster fails", false, core.Failed, core.Approved, core.Failed, false},
		{"the journal fails", false, core.Approved, core.Failed, core.Failed, true},
		{"the journal has another block", false, core.Approved, core.Denied, core.Denied, true},
		{"the cluster keeps it itself", true, core.Approved, core.Failed, core.Approved, true},
		{"it denies", true, core.Denied, core.Approved, core.Denied, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			journal := &archive{}
			j := NewJoint(journal, &senate{durable: c.durable})
			if v := j.Claim(now, cl); v != core.Pending || len(journal.all()) > 0 {
				t.Fatalf("verdict %d, the journal has %v", v, journal.all())
			}
			for _, by := range []int{byCluster, byJournal} {
				if v, ok := j.answer(now, by, core.Claim{Slot: 6}, core.Approved); ok {
					t.Fatalf("an answer for another claim: %d", v)
				}
			}
			if v, ok := j.answer(now, byJournal, cl, core.Approved); ok {
				t.Fatalf("verdict %d before the cluster's", v)
			}
			got, ok := j.answer(now, byCluster, cl, c.cluster)
			if (len(journal.agreed) > 0) != c.recorded || len(journal.alone) > 0 {
				t.Fatalf("the journal has %+v", journal)
			}
			if !ok {
				got, ok = j.answer(now, byJournal, cl, c.journal)
			}
			if !ok || got != c.want {
				t.Fatalf("verdict %d (%t), want %d", got, ok, c.want)
			}
			for _, by := range []int{byCluster, byJournal} {
				if v, ok := j.answer(now, by, cl, core.Approved); ok {
					t.Fatalf("verdict %d once more", v)
				}
			}
		})
	}
	for _, durable := range []bool{false, true} {
		journal, cluster := &archive{}, &senate{durable: durable}
		j := NewJoint(journal, cluster)
		j.Claim(now, core.Claim{Slot: 8, Foreign: true})
		if len(journal.alone) != 1 || (len(cluster.asked) == 1) != durable || j.open == (core.Claim{Slot: 8, Foreign: true}) {
			t.Fatalf("a foreign claim: the journal has %v, the cluster %v", journal.all(), cluster.asked)
		}
		if j.Record(now, cl); !slices.Equal(journal.agreed, []core.Claim{cl}) {
			t.Fatalf("the journal knows %+v, and not what another relay claimed", journal)
		}
	}
}

// What is let out alone is this relay's word only, and the journal says so until somebody else has the block.
func TestJournalOfWhatLeftAlone(t *testing.T) {
	cl, now := core.Claim{Slot: 7}, core.Instant{}
	journal, m := &archive{}, newHub(core.Instant{})
	j := NewJoint(journal, &senate{})
	h := j.Host(m)
	j.Claim(now, cl)
	h.Alone(now, cl, 1, 1)
	h.ClaimDecided(now, cl, core.Approved)
	if !slices.Equal(journal.alone, []core.Claim{cl}) || len(journal.agreed) > 0 {
		t.Fatalf("the journal has %+v", journal)
	}
	if v, ok := j.Journalled(now, cl, core.Approved); !ok || v != core.Approved {
		t.Fatal("no answer")
	}
	h.Alone(now, cl, 2, 1) // the next right: nothing new
	h.ClaimDecided(now, cl, core.Approved)
	next := core.Claim{Slot: 8}
	j.Claim(now, next)
	h.ClaimDecided(now, next, core.Approved) // acknowledged
	h.Free(now, cl)
	if len(journal.alone) != 1 || !slices.Equal(journal.agreed, []core.Claim{next}) || !slices.Equal(journal.later, []core.Claim{cl}) {
		t.Fatalf("the journal has %+v", journal)
	}
}
