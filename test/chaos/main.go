//go:build linux

// Command chaos runs clusters of real bprelay processes, each in a network namespace of its own, in front of
// simulated nodes and a simulated network, and lets things happen to them in our rounds: kill -9, SIGSTOP, dropped
// packets, a dead interface, a full disk. It judges by the bytes that the network side received.
//
//	go run ./test/chaos --mode pair --runs 100 --seed 1 --json
//	go run ./test/chaos --mode quorum --runs 100 --seed 1 --json
//	go run ./test/chaos --seed 17 --runs 1 --logs /tmp/17   // one run again, with its logs
//	go run ./test/chaos --fault kill_active --runs 10       // one kind only
//
// A run plays four rounds of ours, 18 s apart: in the second and the third something happens, drawn from the seed
// of the run, which is the seed given for the first one, and one more for each further one. It takes root and
// iproute2 and nftables (apt-get install iproute2 nftables), and removes all that it made, when it is interrupted,
// too. The exit code is 1 if any promise is broken: two blocks for a slot, a slot lost by a fault that may lose
// none, a relay that ended by itself; and 2 if the runs could not be played.
//
// A run shows the same faults at the same moments when it is played again, and not the same bytes: processes and
// kernels are real.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitBroken = 1
	exitFailed = 2
)

// options are the command line's.
type options struct {
	mode     mode
	witness  bool
	runs     int
	seed     uint64
	parallel int
	json     bool
	results  bool
	logs     string
	level    string
	only     string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == worldArg {
		os.Exit(playOrder())
	}
	var o options
	flag.StringVar((*string)(&o.mode), "mode", string(pairMode), "pair, or quorum")
	flag.BoolVar(&o.witness, "witness", true, "quorum: two relays and a witness; else three relays")
	flag.IntVar(&o.runs, "runs", 10, "how many runs")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the first run; the next one's is one more")
	flag.IntVar(&o.parallel, "parallel", 0, "runs at a time; 0: up to eight, of a pair three for each core, of a quorum, whose members are in more of a hurry, two")
	flag.BoolVar(&o.json, "json", false, "print the summary as one JSON object, and progress to stderr")
	flag.BoolVar(&o.results, "results", false, "with --json: each run's result, too")
	flag.StringVar(&o.logs, "logs", "", "directory for configurations and logs of all runs; if empty, they are removed")
	flag.StringVar(&o.level, "log-level", "info", "of the relays")
	flag.StringVar(&o.only, "fault", "", "only this kind of fault: "+kindNames())
	flag.Parse()
	if err := o.check(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitFailed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := runAll(ctx, o)
	if s != nil {
		if o.json {
			text, _ := json.MarshalIndent(s, "", "  ") // a struct of plain values
			fmt.Println(string(text))
		} else {
			s.writeText(os.Stdout)
		}
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitFailed)
	case !s.OK:
		os.Exit(exitBroken)
	}
}

func (o *options) check() error {
	if o.parallel == 0 {
		each := 3
		if o.mode == quorumMode {
			each = 2
		}
		o.parallel = min(each*runtime.NumCPU(), 8)
	}
	o.witness = o.witness && o.mode == quorumMode
	switch {
	case o.mode != pairMode && o.mode != quorumMode:
		return fmt.Errorf("no mode %q: choose pair or quorum", o.mode)
	case flag.NArg() > 0:
		return fmt.Errorf("what is %q?", flag.Arg(0))
	case o.runs < 1 || o.parallel < 1:
		return errors.New("runs and parallel are 1 or more")
	case o.only != "" && !slices.Contains(kindsOf(o.mode, o.witness), kind(o.only)):
		return fmt.Errorf("no fault %q in this mode: choose one of %s", o.only, kindNames())
	case os.Geteuid() != 0:
		return errors.New("network namespaces take root: run it as root")
	}
	return nil
}

func kindNames() string {
	var names []string
	for _, k := range append(slices.Clone(kinds), witnessKinds...) {
		if !slices.Contains(names, string(k)) {
			names = append(names, string(k))
		}
	}
	return strings.Join(names, ", ")
}
