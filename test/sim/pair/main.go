// Command pair plays worlds with two relays: one kind of fault at every offset of a round, or worlds drawn from
// seeds.
//
//	go run ./test/sim/pair --step 100ms           // a table: kind of fault, worlds, slots lost
//	go run ./test/sim/pair --seeds 1000 --first 1 // drawn worlds; what is wrong is printed with its seed
//	go run ./test/sim/pair --seeds 1 --first 17 --log
//	go run ./test/sim/pair --found                // worlds in which something was wrong once
//	go run ./test/sim/pair --mutants              // breaks the relay and the pair in known ways: is each found out?
//
// It ends with 1 if anything is wrong with any.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"bprelay/relay/core"
	"bprelay/test/sim"
	"bprelay/test/simnet"
)

func main() {
	step := flag.Duration("step", 100*time.Millisecond, "distance of the offsets")
	from := flag.Duration("from", -1500*time.Millisecond, "first offset, from 500 ms before the timestamp of our first slot")
	to := flag.Duration("to", 6*time.Second, "last offset")
	lasts := flag.Duration("for", 4*time.Second, "how long a fault lasts")
	kinds := flag.String("kinds", "", "kinds of faults to play, separated by commas; all if empty")
	takeover := flag.String("takeover", "leash", "race, leash")
	distance := flag.Duration("distance", 0, "one-way latency between the relays, and between each and the network; above 10ms with preset wan")
	legacy := flag.Bool("legacy", false, "a legacy chain (race only)")
	journals := flag.Bool("journals", false, "both relays keep a journal, in drawn worlds too; else every second drawn one has them")
	seeds := flag.Uint64("seeds", 0, "play that many drawn worlds instead of a table")
	first := flag.Uint64("first", 1, "the first seed")
	log := flag.Bool("log", false, "print the transcript of each world")
	found := flag.Bool("found", false, "play the worlds in which something was wrong once, before the drawn ones")
	stop := flag.Bool("stop", false, "end with the first drawn world in which something is wrong")
	broken := flag.Bool("mutants", false, "break the relay and the pair in known ways, and see whether worlds or tests find it out")
	only := flag.String("only", "", "only mutants whose name contains one of these, separated by commas")
	flag.Parse()
	failed := 0
	if *broken {
		ok, err := runMutants(*only, *first, os.Stdout)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutants:", err)
		}
		if !ok {
			os.Exit(1)
		}
		return
	}
	if *seeds > 0 || *found {
		s := sim.PairSweep{Stop: *stop}
		if *found {
			for _, x := range sim.PairFound() {
				s.Worlds = append(s.Worlds, x.Scenario)
			}
		}
		for seed := *first; seed < *first+*seeds; seed++ {
			sc := sim.GeneratePair(seed)
			if *journals && !sc.Journals {
				sc.DrawJournals()
			}
			if *log {
				sc.Log = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			}
			s.Worlds = append(s.Worlds, sc)
		}
		start := time.Now()
		t := s.Run(func(sc sim.PairScenario, o *sim.PairOutcome, wrong []string) {
			if *log {
				fmt.Println(sc, "lost", o.Lost, "alarms", o.Alarms)
			}
			if len(wrong) > 0 {
				fmt.Println(sc, strings.Join(wrong, "; "))
			}
		})
		fmt.Printf("seeds %d to %d: %d failed, %d slots double, %s, %.1fs\n", *first, *first+*seeds-1, t.Failed, t.Double, lost(t), time.Since(start).Seconds())
		failed = t.Failed
	} else {
		failed = table(*step, *from, *to, *lasts, *kinds, *takeover, *distance, *legacy, *journals, *log)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

func lost(t *sim.PairTotal) string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(t.ByLost)) {
		parts = append(parts, fmt.Sprintf("%d in %d worlds", n, t.ByLost[n]))
	}
	return "slots lost: " + strings.Join(parts, ", ")
}

func table(step, from, to, lasts time.Duration, kinds, takeover string, distance time.Duration, legacy, journals, log bool) (failed int) {
	base := sim.PairScenario{Mode: simnet.Savanna, Nodes: 2, Trx: 250 * time.Millisecond, Distance: distance}
	if legacy {
		base.Mode = simnet.Legacy
	}
	if err := base.Takeover.UnmarshalText([]byte(takeover)); err != nil || base.Takeover != core.TakeoverRace && (legacy || base.Takeover != core.TakeoverLeash) {
		fmt.Fprintln(os.Stderr, "takeover: race, or leash on a Savanna chain")
		os.Exit(2)
	}
	all := sim.PairFaultKinds
	if base.Journals = journals; journals {
		base.Disk, base.Torn = 2*time.Millisecond, 71
		all = slices.Concat(all, sim.JournalFaultKinds)
	}
	for _, k := range all {
		if kinds != "" && !slices.Contains(strings.Split(kinds, ","), string(k)) {
			continue
		}
		var s sim.PairSweep
		for at := from; at <= to; at += step {
			sc := base
			sc.Seed = uint64(100_000 + at/time.Millisecond)
			sc.Faults = []sim.PairFault{{After: at, Kind: k, For: lasts}}
			if log {
				sc.Log = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			}
			s.Worlds = append(s.Worlds, sc)
		}
		t := s.Run(nil)
		fmt.Printf("%-40s %4d worlds, double %d, %s\n", k, t.Worlds, t.Double, lost(t))
		for _, w := range t.Wrong {
			fmt.Println("   ", w)
		}
		failed += t.Failed
	}
	return failed
}
