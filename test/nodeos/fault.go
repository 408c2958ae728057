package nodeos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
)

// faultKind is what happens to the node that leads.
type faultKind string

// The kinds.
const (
	faultKill    faultKind = "kill -9"
	faultFreeze  faultKind = "SIGSTOP"
	faultCut     faultKind = "link cut"    // connections break, new ones are refused
	faultSilence faultKind = "link silent" // nothing passes, nobody is told
)

var faultKinds = []faultKind{faultKill, faultFreeze, faultCut, faultSilence}

// noticed tells whether anything but the missing block shows that the lead is gone.
func (k faultKind) noticed() bool { return k == faultKill || k == faultCut }

// parseKinds reads a list of kinds.
func parseKinds(list string) (kinds []faultKind, err error) {
	for _, name := range strings.Split(list, ",") {
		k := faultKind(strings.TrimSpace(name))
		if !slices.Contains(faultKinds, k) {
			return nil, fmt.Errorf("%q is none of %q", k, faultKinds)
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// leadFault is one fault, in a round of ours.
type leadFault struct {
	kind faultKind
	// after is when, from the beginning of the round: from when its first block can be begun, one slot
	// before that block's timestamp.
	after time.Duration
	// lasts is for how long, see network.repair.
	lasts time.Duration
}

// From when to when faults come: the last block of a round leaves 5.55 s after the round's beginning.
const firstFault, lastFault = -1500 * time.Millisecond, 5900 * time.Millisecond

// How long they last. A killed node is started again then, in the round or after it; a frozen one goes
// on after the round, and every other link is back while the round is still under way.
const (
	downFor  = 3 * time.Second
	shortCut = 1500 * time.Millisecond
	roundFor = 6500 * time.Millisecond // from the round's beginning
)

// planFaults spreads n faults evenly, those of each kind over the whole round: the round is cut in as
// many parts as there are faults of the kind, and each has one anywhere in it. The order is random, but
// for the kinds, which take turns.
func planFaults(kinds []faultKind, n int, rng *rand.Rand) []leadFault {
	parts := map[faultKind][]int{}
	for i, k := range kinds {
		parts[k] = rng.Perm((n - i + len(kinds) - 1) / len(kinds))
	}
	plan := make([]leadFault, n)
	for i := range plan {
		k := kinds[i%len(kinds)]
		turn := i / len(kinds)
		width := float64(lastFault-firstFault) / float64(len(parts[k]))
		after := firstFault + time.Duration(width*(float64(parts[k][turn])+rng.Float64()))
		f := leadFault{kind: k, after: after.Round(time.Millisecond)}
		switch {
		case k == faultKill:
			f.lasts = downFor
		case k == faultCut && turn%2 == 0:
			f.lasts = shortCut
		default:
			f.lasts = max(roundFor-f.after, shortCut)
		}
		plan[i] = f
	}
	return plan
}

// begin is when the first block of a round can be begun.
func begin(round p2pwire.Slot) time.Time { return slotTime(round - 1) }

// strike does it, now.
func (n *network) strike(k faultKind, victim *node) {
	g := n.downlinks[victim.name]
	switch k {
	case faultKill:
		victim.down = true
		if victim.p2p != 0 {
			g.refuse() // as the dead node's host does
		}
		victim.kill()
	case faultFreeze:
		victim.freeze()
	case faultCut:
		g.shut()
	case faultSilence:
		g.silence()
	}
}

// repair undoes it.
func (n *network) repair(ctx context.Context, k faultKind, victim *node) error {
	g := n.downlinks[victim.name]
	switch k {
	case faultKill:
		if err := victim.run(); err != nil {
			return err
		}
		if _, err := victim.answers(ctx); err != nil {
			return err
		}
		if victim.p2p != 0 {
			return g.open(ctx)
		}
	case faultFreeze:
		victim.thaw()
	case faultCut:
		return g.open(ctx)
	case faultSilence:
		g.speak()
	}
	return nil
}
