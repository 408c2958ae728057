package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"bprelay/test/sim"
)

// minimiseRuns bounds the worlds played to make one failing schedule smaller.
const minimiseRuns = 200

// tally sums up what the worlds came to.
type tally struct {
	played, due, public, links int
	failed                     []*sim.Verdict
}

// runSeeds plays o.seeds worlds on o.jobs cores and prints what failed.
func runSeeds(o options, out io.Writer) error {
	start := time.Now()
	t := playAll(o, func(t *tally) {
		if !o.quiet {
			fmt.Fprintf(out, "%6d worlds, %d failed, %s\n", t.played, len(t.failed), time.Since(start).Round(time.Second))
		}
	})
	slices.SortFunc(t.failed, func(a, b *sim.Verdict) int { return int(int64(a.Schedule.Seed) - int64(b.Schedule.Seed)) })
	for _, v := range t.failed {
		fmt.Fprintf(out, "seed %d: %s\n", v.Schedule.Seed, v.Breaches[0])
	}
	if o.quiet {
		if len(t.failed) > 0 {
			return errBroken
		}
		return nil
	}
	for _, v := range t.failed[:min(len(t.failed), o.most)] {
		rule := v.Breaches[0].Rule
		fmt.Fprintf(out, "\nseed %d breaks %s; as small as it gets:\n\n", v.Schedule.Seed, rule)
		transcript(out, sim.Minimise(v.Schedule, sim.Breaks(rule), minimiseRuns))
	}
	fmt.Fprintf(out, "seeds %d to %d: %d failed; %d of %d own slots public, faults and all; %d links lost; %s\n",
		o.first, o.first+uint64(t.played)-1, len(t.failed), t.public, t.due, t.links, time.Since(start).Round(100*time.Millisecond))
	if len(t.failed) > 0 {
		return errBroken
	}
	return nil
}

// playAll plays the seeds in parallel; each world runs on one goroutine.
func playAll(o options, progress func(t *tally)) *tally {
	var (
		mu   sync.Mutex
		next = o.first
		t    tally
		wg   sync.WaitGroup
		said = time.Now()
	)
	for range max(o.jobs, 1) {
		wg.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				over := seed >= o.first+o.seeds || (o.stop && len(t.failed) > 0)
				mu.Unlock()
				if over {
					return
				}
				v := sim.Play(sim.Generate(seed).Led(o.takeover), nil)
				mu.Lock()
				t.played++
				t.due, t.public, t.links = t.due+v.Due, t.public+v.Public, t.links+v.Links
				if len(v.Breaches) > 0 {
					t.failed = append(t.failed, v)
				}
				if time.Since(said) > 10*time.Second {
					said = time.Now()
					progress(&t)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return &t
}
