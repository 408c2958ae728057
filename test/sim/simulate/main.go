// Command simulate plays worlds of the simulation by the thousand and judges them.
//
//	go run ./test/sim/simulate --seeds 10000 --first 1
//	go run ./test/sim/simulate --schedule FILE
//	go run ./test/sim/simulate --play --first 1
//	go run ./test/sim/simulate --mutants
//
// For a seed that breaks a rule it prints the schedule, made as small as the breach allows, and the
// transcript. It ends with 1 if a rule was broken or a mutant survived, with 2 if it could not run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"bprelay/relay/core"
	"bprelay/test/sim"
)

// options are the command line.
type options struct {
	seeds, first uint64
	jobs         int
	schedule     string
	mutants      bool
	only         string
	play         bool
	stop         bool
	quiet        bool
	most         int
	takeover     core.Takeover
}

// errBroken says that the verdict is bad; it was printed.
var errBroken = errors.New("a rule was broken")

func main() {
	var o options
	flag.Uint64Var(&o.seeds, "seeds", 1000, "how many worlds to play")
	flag.Uint64Var(&o.first, "first", 1, "the first seed")
	flag.IntVar(&o.jobs, "jobs", runtime.GOMAXPROCS(0), "how many worlds to play at a time")
	flag.StringVar(&o.schedule, "schedule", "", "play the schedule in this file, with its transcript")
	flag.BoolVar(&o.play, "play", false, "play the first seed, with its transcript")
	flag.BoolVar(&o.mutants, "mutants", false, "break the relay in known ways and see whether seeds find out")
	flag.StringVar(&o.only, "only", "", "with --mutants: only the mutants with this in their name")
	flag.BoolVar(&o.stop, "stop", false, "stop at the first seed that breaks a rule")
	flag.BoolVar(&o.quiet, "quiet", false, "one line for each seed that breaks a rule, nothing else")
	flag.IntVar(&o.most, "print", 3, "how many failing seeds to print with schedule and transcript")
	flag.TextVar(&o.takeover, "takeover", core.TakeoverRace, "how nodes take over from each other: race, leash, api or auto")
	flag.Parse()
	err := run(o, os.Stdout)
	switch {
	case errors.Is(err, errBroken):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(o options, out io.Writer) error {
	switch {
	case o.mutants:
		return runMutants(o, out)
	case o.schedule != "":
		text, err := os.ReadFile(o.schedule)
		if err != nil {
			return err
		}
		s, err := sim.Parse(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", o.schedule, err)
		}
		if !transcript(out, s) {
			return errBroken
		}
		return nil
	}
	if o.play {
		if !transcript(out, sim.Generate(o.first).Led(o.takeover)) {
			return errBroken
		}
		return nil
	}
	return runSeeds(o, out)
}

// transcript plays a schedule and prints what happens; it tells whether all rules held.
func transcript(out io.Writer, s sim.Schedule) bool {
	fmt.Fprintln(out, s)
	v := sim.Play(s, func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) })
	fmt.Fprintf(out, "%d of %d own slots public, %d links lost\n", v.Public, v.Due, v.Links)
	for _, b := range v.Breaches {
		fmt.Fprintln(out, b)
	}
	return len(v.Breaches) == 0
}
