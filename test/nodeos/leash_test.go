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
	leashFaults = flag.Int("leash-faults", 6, "faults of the lead with takeover leash, 24 s each; 0: none")
	apiFaults   = flag.Int("api-faults", 0, "the same with takeover api, on a legacy and on a Savanna chain each")
	leashSeed   = flag.Uint64("leash-seed", 1, "seed of when faults happen")
	leashNodes  = flag.Int("leash-nodes", 3, "how many of our nodes produce in these tests: 2 or 3")
	leashKinds  = flag.String("leash-kinds", "kill -9,SIGSTOP,link cut,link silent", "what may happen to the lead")
)

// TestRealLeash has one node lead and takes it away, in every round of ours at another moment.
func TestRealLeash(t *testing.T) {
	kinds, err := parseKinds(*leashKinds)
	if err != nil {
		t.Fatal(err)
	}
	if *leashNodes < 2 || *leashNodes > 3 {
		t.Fatalf("-leash-nodes %d: give 2 or 3", *leashNodes)
	}
	binDir, version, relay := binaries(t)
	var results []*leadResult
	for _, m := range []struct {
		name   string
		shape  topology
		faults int
	}{
		{"leash, savanna", leashed(*leashNodes), *leashFaults},
		{"api, legacy", paused(*leashNodes, false), *apiFaults},
		{"api, savanna", paused(*leashNodes, true), *apiFaults},
	} {
		t.Run(m.name, func(t *testing.T) {
			if m.faults == 0 {
				t.Skip("no faults are wanted by -leash-faults or -api-faults")
			}
			results = append(results, runFaults(t, binDir, relay, m.name, m.shape, planFaults(kinds, m.faults, rand.New(rand.NewPCG(*leashSeed, 0))))...)
		})
	}
	t.Logf("\nnodeos %s, seed %d, %d producing nodes of ours, %d transactions/s\n%s\n%s", version, *leashSeed, *leashNodes, perSecond, leadLines(results), leadTable(results))
}

// runFaults boots a network and plays the plan, one fault a round.
func runFaults(t *testing.T, binDir, relay, mode string, shape topology, plan []leadFault) (results []*leadResult) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if end, bounded := t.Deadline(); bounded {
		ctx, cancel = context.WithDeadline(ctx, end.Add(-margin))
		defer cancel()
	}
	n := bootNetwork(ctx, t, binDir, relay, "lead", shape)
	round, err := n.leads(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range plan {
		name := fmt.Sprintf("%d_%s_%d_ms", i+1, f.kind, f.after.Milliseconds())
		t.Run(name, func(t *testing.T) {
			r, err := n.suffer(ctx, mode, round, f)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, r)
			for _, p := range r.problems {
				t.Error(p)
			}
			t.Logf("\n%s", leadLines([]*leadResult{r}))
		})
		if ctx.Err() != nil {
			t.Fatal("out of time: give -timeout")
		}
		round = max(round+cycle, nextRound(time.Now()))
	}
	if sent, failed := n.load.sent.Load(), n.load.failed.Load(); failed*20 > sent {
		t.Errorf("%d transactions were taken, %d were not", sent, failed)
	}
	return results
}
