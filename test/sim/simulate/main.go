// Command simulate plays seeded worlds and judges them.
//
//	go run ./test/sim/simulate --seeds 10000 --first 1
package main

import (
	"flag"
	"fmt"
	"time"

	"bprelay/test/sim"
)

func main() {
	n := flag.Int("seeds", 100, "")
	first := flag.Uint64("first", 1, "")
	v := flag.Bool("v", false, "")
	flag.Parse()
	start := time.Now()
	fails := map[string]int{}
	for i := range uint64(*n) {
		s := sim.Generate(*first + i)
		var log func(string, ...any)
		if *v {
			log = func(f string, a ...any) { fmt.Printf(f+"\n", a...) }
			fmt.Println(s)
		}
		ver := sim.Play(s, log)
		for _, b := range ver.Breaches {
			fails[b.Rule]++
			fmt.Println(s.Seed, s.Seed%13, b)
			break
		}
	}
	fmt.Println(fails, time.Since(start))
}
