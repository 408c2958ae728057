package sim

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"bprelay/p2pwire"
)

// Sweep plays one kind of fault at every offset of a round: a world for each.
type Sweep struct {
	Base     LeadScenario
	Kind     LeadFaultKind
	For      time.Duration
	From, To time.Duration // offsets, as LeadFault.After
	Step     time.Duration
	// Again, if not zero, lets the same happen to the successor so much later.
	Again time.Duration
}

// SweepResult is what a sweep came to.
type SweepResult struct {
	Worlds, Double, Forks, OthersLost int
	LostLater                         int
	// Lost counts worlds by how many slots were lost in the round of the fault.
	Lost map[int]int
	// LostAt counts lost slots by index, Siblings the blocks signed beside a public one.
	LostAt   [p2pwire.RoundSlots]int
	Siblings int
	// Worst lists the worlds that lost the most, or broke a rule.
	Worst []string
}

// Run plays it, on as many processors as there are.
func (s Sweep) Run() *SweepResult {
	r := &SweepResult{Lost: map[int]int{}}
	type job struct{ after time.Duration }
	jobs := make(chan job)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range jobs {
				sc := s.Base
				sc.Seed += uint64(j.after / time.Millisecond)
				sc.Faults = []LeadFault{{After: j.after, Kind: s.Kind, For: s.For}}
				if s.Again > 0 {
					sc.Faults = append(sc.Faults, LeadFault{After: j.after + s.Again, Kind: s.Kind, For: s.For, Second: true})
				}
				o := PlayLead(sc)
				mu.Lock()
				r.add(j.after, sc.Seed, o)
				mu.Unlock()
			}
		})
	}
	for at := s.From; at < s.To; at += s.Step {
		jobs <- job{at}
	}
	close(jobs)
	wg.Wait()
	slices.Sort(r.Worst)
	return r
}

func (r *SweepResult) add(after time.Duration, seed uint64, o *LeadOutcome) {
	r.Worlds++
	r.Double += o.Report.SlotsDouble + o.Report.OthersDouble
	r.Forks += o.Forks
	r.OthersLost += o.Report.OthersLost
	r.LostLater += o.LostLater
	r.Lost[len(o.Lost)]++
	r.Siblings += o.Siblings
	for _, i := range o.Lost {
		r.LostAt[i]++
	}
	if len(o.Lost) > 0 || o.LostLater > 0 || o.Report.SlotsDouble > 0 || len(o.Report.Violations) > 0 || o.Report.OthersLost > 0 {
		r.Worst = append(r.Worst, fmt.Sprintf("%6d ms seed %d: lost %v later %d double %d forks %d others lost %d violations %v",
			after.Milliseconds(), seed, o.Lost, o.LostLater, o.Report.SlotsDouble, o.Forks, o.Report.OthersLost, o.Report.Violations))
	}
}

// String is a line of a table, and the worst worlds below.
func (r *SweepResult) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d worlds; slots lost in the round: ", r.Worlds)
	for _, n := range slices.Sorted(maps.Keys(r.Lost)) {
		fmt.Fprintf(&b, "%d in %d, ", n, r.Lost[n])
	}
	fmt.Fprintf(&b, "later %d, double %d, forks %d, others lost %d, siblings %d, by index %v", r.LostLater, r.Double, r.Forks, r.OthersLost, r.Siblings, r.LostAt)
	return b.String()
}
