// Command takeover prints how many slots are lost when something happens to the leading node, by kind of fault
// and by the moment in the round:
//
//	go run ./test/sim/takeover --step 10ms
//
// Every world is a simulation of its own; the seed of each is that of the command plus the offset in ms.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"bprelay/relay/core"
	"bprelay/test/sim"
	"bprelay/test/simnet"
)

func main() {
	step := flag.Duration("step", 10*time.Millisecond, "distance of the offsets")
	from := flag.Duration("from", -2*time.Second, "first offset, from 500 ms before the timestamp of our first slot")
	to := flag.Duration("to", 6*time.Second, "last offset")
	seed := flag.Uint64("seed", 1, "seed")
	nodes := flag.Int("nodes", 3, "producing nodes")
	mode := flag.String("takeover", "leash", "leash or api")
	legacy := flag.Bool("legacy", false, "a legacy chain (api only)")
	keys := flag.Bool("own-keys", false, "every node has a finalizer key of its own, instead of one separate finalizer node")
	timeout := flag.Duration("vote-timeout", 0, "production-pause-vote-timeout-ms (6 s)")
	vary := flag.Duration("vary", 0, "by how much the ways from our nodes vary")
	only := flag.String("only", "", "kinds of faults to play, separated by commas")
	show := flag.Int("show", 20, "worlds with losses to list for each kind")
	play := flag.String("play", "", "play one world at this offset, with its transcript; needs --only")
	flag.Parse()
	base := sim.LeadScenario{Seed: *seed, Mode: simnet.Savanna, Nodes: *nodes, OwnKeys: *keys, VoteTimeout: *timeout, Vary: *vary, Trx: 250 * time.Millisecond}
	if *legacy {
		base.Mode = simnet.Legacy
	}
	if err := base.Takeover.UnmarshalText([]byte(*mode)); err != nil || base.Takeover == core.TakeoverRace {
		fmt.Fprintln(os.Stderr, "takeover: leash, api or auto")
		os.Exit(2)
	}
	for _, k := range []sim.Sweep{
		{Kind: sim.LeadKill},
		{Kind: sim.LeadKill, For: 3 * time.Second},
		{Kind: sim.LeadKill, For: 3 * time.Second, Again: 1700 * time.Millisecond},
		{Kind: sim.LeadHang},
		{Kind: sim.LeadHang, For: 700 * time.Millisecond},
		{Kind: sim.LeadCut, For: 2 * time.Second},
		{Kind: sim.LeadReset},
		{Kind: sim.LeadSlow, For: 2 * time.Second},
	} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), string(k.Kind)) {
			continue
		}
		k.Base, k.From, k.To, k.Step = base, *from, *to, *step
		name := string(k.Kind)
		if k.For > 0 {
			name += " for " + k.For.String()
		}
		if k.Again > 0 {
			name += ", and the next one's " + k.Again.String() + " later"
		}
		if *play != "" {
			at, err := time.ParseDuration(*play)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(2)
			}
			k.Base.Log = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			k.From, k.To = at, at+1
		}
		r := k.Run()
		fmt.Printf("%s: %s\n", name, r)
		for i, w := range r.Worst {
			if i == *show {
				fmt.Printf("    ... and %d more\n", len(r.Worst)-i)
				break
			}
			fmt.Println("   ", w)
		}
	}
}
