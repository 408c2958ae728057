package nodeos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	pairFaults = flag.Int("pair-faults", 3, "faults of the active one of two relays, 24 s each; 0: none")
	pairSeed   = flag.Uint64("pair-seed", 1, "seed of when they happen")
)

// TestRealPair has two relays stand for our nodes, and takes the active one away in every round of ours.
func TestRealPair(t *testing.T) {
	binDir, version, relay := binaries(t)
	if *pairFaults == 0 {
		t.Skip("no faults are wanted by -pair-faults")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if end, bounded := t.Deadline(); bounded {
		ctx, cancel = context.WithDeadline(ctx, end.Add(-margin))
		defer cancel()
	}
	n := bootNetwork(ctx, t, binDir, relay, "pair", pairedRelays())
	if err := n.findActive(ctx); err != nil {
		t.Fatal(err)
	}
	round, err := n.leads(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var results []*pairResult
	for i, f := range planRelayFaults(*pairFaults, rand.New(rand.NewPCG(*pairSeed, 1))) {
		t.Run(fmt.Sprintf("%d_%s_%d_ms", i+1, f.kind, f.after.Milliseconds()), func(t *testing.T) {
			r, err := n.sufferRelay(ctx, round, f)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, r)
			for _, p := range r.problems {
				t.Error(p)
			}
			t.Logf("\n%s", pairTable([]*pairResult{r}))
		})
		if ctx.Err() != nil {
			t.Fatal("out of time: give -timeout")
		}
		round = max(round+cycle, nextRound(time.Now()))
	}
	t.Logf("\nnodeos %s, seed %d, %d transactions/s\n%s", version, *pairSeed, perSecond, pairTable(results))
}
