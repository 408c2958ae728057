package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// GeneratePair draws a world with two relays and one to three faults around our first judged round.
func GeneratePair(seed uint64) PairScenario {
	rng := rand.New(rand.NewPCG(seed, 0x2e1a75))
	sc := PairScenario{
		Seed: seed, Mode: simnet.Mode(rng.IntN(2)), Nodes: 2 + rng.IntN(2), Trx: time.Duration(rng.IntN(3)) * 150 * time.Millisecond,
		Distance: []time.Duration{0, 0, 5 * time.Millisecond, 40 * time.Millisecond}[rng.IntN(4)],
	}
	if sc.Mode == simnet.Savanna && rng.IntN(3) > 0 {
		sc.Takeover = core.TakeoverLeash
	}
	for range 1 + rng.IntN(3) {
		f := PairFault{
			Kind:  PairFaultKinds[rng.IntN(len(PairFaultKinds))],
			After: time.Duration(rng.IntN(750)-150) * 10 * time.Millisecond,
		}
		if rng.IntN(4) > 0 {
			f.For = time.Duration(5+rng.IntN(600)) * 10 * time.Millisecond
		}
		sc.Faults = append(sc.Faults, f)
	}
	if seed%2 == 1 {
		sc.DrawJournals()
	}
	slices.SortStableFunc(sc.Faults, func(a, b PairFault) int { return int(a.After - b.After) })
	return sc
}

// DrawJournals gives both relays a journal, and lets one of the faults hit there.
func (sc *PairScenario) DrawJournals() {
	rng := rand.New(rand.NewPCG(sc.Seed, 0x10e2a1))
	sc.Journals = true
	sc.Disk = []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}[rng.IntN(3)]
	if sc.Torn = 1 + rng.IntN(200); sc.Torn%journalRecord == 0 {
		sc.Torn++ // what is not torn looks whole
	}
	if f := &sc.Faults[rng.IntN(len(sc.Faults))]; rng.IntN(3) > 0 {
		f.Kind = JournalFaultKinds[rng.IntN(len(JournalFaultKinds))]
		if f.For > time.Second && rng.IntN(2) == 0 {
			f.For = time.Duration(10+rng.IntN(90)) * 10 * time.Millisecond // while the block is of use
		}
	}
}

// String is the scenario in one line.
func (sc PairScenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d %s %s, %d nodes, distance %s, trx %s", sc.Seed, sc.Mode, sc.Takeover, sc.Nodes, sc.Distance, sc.Trx)
	if sc.Journals {
		fmt.Fprintf(&b, ", journals (%s, torn %d)", sc.Disk, sc.Torn)
	}
	b.WriteByte(':')
	for _, f := range sc.Faults {
		fmt.Fprintf(&b, " [%s %s", f.After, f.Kind)
		if f.For > 0 {
			fmt.Fprintf(&b, " for %s", f.For)
		}
		b.WriteByte(']')
	}
	return b.String()
}

// Judge says what is wrong with an outcome: a rule of the network's broken, or more slots lost than the faults
// explain, see pairWorld.mayLose. It is empty if nothing is.
func (sc PairScenario) Judge(o *PairOutcome) (wrong []string) {
	if o.Report.SlotsDouble > 0 {
		wrong = append(wrong, fmt.Sprintf("%d slots with two blocks", o.Report.SlotsDouble))
	}
	for _, v := range o.Report.Violations {
		// How the network's own peers pass things on among each other is not the relays' doing.
		if strings.HasPrefix(v.Stream, "relay") || v.Stream == "" {
			wrong = append(wrong, v.String())
		}
	}
	if o.Siblings > 0 && sc.quiet() {
		wrong = append(wrong, fmt.Sprintf("%d slots for which held nodes signed, too", o.Siblings))
	}
	return append(wrong, o.Unexplained...)
}

// quiet tells whether no fault is a reason to release a held node: none is about our nodes or the way to them.
func (sc PairScenario) quiet() bool {
	return sc.Takeover == core.TakeoverLeash && !slices.ContainsFunc(sc.Faults, func(f PairFault) bool {
		switch f.Kind {
		case ActiveNoNodes, ActiveCutOff, TheLeadKill, BothKill, BothRestart, BothKillUnwritten, BothKillWritten, BothTorn:
			return true
		}
		return false
	})
}

// PairSweep plays worlds with two relays, on as many processors as there are.
type PairSweep struct {
	Worlds []PairScenario
	// Stop ends it when something is wrong with a world.
	Stop bool
}

// PairTotal is what they came to.
type PairTotal struct {
	Worlds, Double, Lost, Failed int
	// ByLost counts worlds by how many slots they lost.
	ByLost map[int]int
	Wrong  []string
}

// Run plays them; told, if not nil, gets each as it ends, one at a time.
func (s PairSweep) Run(told func(PairScenario, *PairOutcome, []string)) *PairTotal {
	total := &PairTotal{ByLost: map[int]int{}}
	jobs := make(chan PairScenario)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var ended atomic.Bool
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for sc := range jobs {
				o := PlayPair(sc)
				wrong := sc.Judge(o)
				mu.Lock()
				total.Worlds++
				total.Double += o.Report.SlotsDouble
				total.Lost += len(o.Lost)
				total.ByLost[len(o.Lost)]++
				if len(wrong) > 0 {
					ended.Store(s.Stop)
					total.Failed++
					total.Wrong = append(total.Wrong, fmt.Sprintf("%s: %s", sc, strings.Join(wrong, "; ")))
				}
				if told != nil {
					told(sc, o, wrong)
				}
				mu.Unlock()
			}
		})
	}
	for _, sc := range s.Worlds {
		if ended.Load() {
			break
		}
		jobs <- sc
	}
	close(jobs)
	wg.Wait()
	slices.Sort(total.Wrong)
	return total
}
