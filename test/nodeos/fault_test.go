package nodeos

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestPlanFaults wants the faults of each kind spread over the whole round, and none outside it.
func TestPlanFaults(t *testing.T) {
	for _, n := range []int{1, 4, 6, 60, 61} {
		plan := planFaults(faultKinds, n, rand.New(rand.NewPCG(7, 0)))
		if len(plan) != n {
			t.Fatalf("%d faults, not %d", len(plan), n)
		}
		at := map[faultKind][]time.Duration{}
		for i, f := range plan {
			if f.kind != faultKinds[i%len(faultKinds)] {
				t.Errorf("fault %d is a %s", i, f.kind)
			}
			at[f.kind] = append(at[f.kind], f.after)
			if f.kind != faultKill && f.after+f.lasts < roundFor && !(f.kind == faultCut && f.lasts == shortCut) {
				t.Errorf("%s at %v ends in the round, after %v", f.kind, f.after, f.lasts)
			}
		}
		for k, times := range at {
			slices.Sort(times)
			width := (lastFault - firstFault) / time.Duration(len(times))
			for i, got := range times {
				from := firstFault + time.Duration(i)*width
				if got < from-time.Millisecond || got > from+width+time.Millisecond {
					t.Errorf("%d faults: %s %d is at %v, not in the %v from %v on", n, k, i, got, width, from)
				}
			}
		}
	}
}

func TestParseKinds(t *testing.T) {
	if got, err := parseKinds("SIGSTOP, kill -9"); err != nil || !slices.Equal(got, []faultKind{faultFreeze, faultKill}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseKinds("kill"); err == nil {
		t.Error("an unknown kind was taken")
	}
}
