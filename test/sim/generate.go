package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// draft is a schedule being drawn from a seed.
type draft struct {
	Schedule
	rng *rand.Rand
}

// Generate draws the schedule of a seed.
func Generate(seed uint64) Schedule {
	d := &draft{rng: rand.New(rand.NewPCG(seed, 0xfa17))}
	d.Seed = seed
	d.Mode = simnet.Mode(d.rng.IntN(2))
	d.Layout = pick(d, "na", "na", "nma", "nac", "nmac", "na")
	d.Nodes = 1 + d.rng.IntN(3)
	d.Peers = 1 + d.rng.IntN(2)
	d.Trx = pick(d, 0, 150*time.Millisecond, 400*time.Millisecond)
	d.Distance = pick(d, 0, 0, 30*time.Millisecond, 80*time.Millisecond, 150*time.Millisecond)
	d.Keys = d.rng.IntN(2) == 0
	if d.rng.IntN(8) == 0 {
		d.Buffer = 4096
	}
	d.Length = 33 * time.Second
	if len(d.Layout) > 2 {
		d.Length = time.Duration(12*len(d.Layout)+3) * time.Second // to behind the second run
	}
	flavours[seed%uint64(len(flavours))](d)
	if d.Journal == 0 && d.rng.IntN(4) == 0 {
		d.journals()
	}
	slices.SortStableFunc(d.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return d.Schedule
}

// Led is a schedule in which one of our nodes leads. With a leash the chain is a Savanna one.
func (s Schedule) Led(by core.Takeover) Schedule {
	s.Takeover = by
	if by == core.TakeoverLeash {
		s.Mode = simnet.Savanna
	}
	return s
}

func pick[T any](d *draft, of ...T) T { return of[d.rng.IntN(len(of))] }

// between draws a duration, in steps of 10 ms.
func (d *draft) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.rng.Int64N(int64((most-least)/(10*time.Millisecond))+1))*10*time.Millisecond
}

// any is a time at which a fault can begin, early enough to recover from it.
func (d *draft) any() time.Duration { return d.between(settled, d.Length-8*time.Second) }

// runs lists when the own runs begin that come after the start of the faults, and how long they are.
func (d *draft) runs() (starts []time.Duration, length time.Duration) {
	const round = 6 * time.Second
	cycle := time.Duration(len(d.Layout)) * round
	first := time.Duration(strings.IndexAny(d.Layout, "ac")) * round
	length = time.Duration(strings.Count(d.Layout, "a")+strings.Count(d.Layout, "c")) * round
	for at := first; at+length <= d.Length; at += cycle {
		if at >= settled {
			starts = append(starts, at)
		}
	}
	if len(starts) == 0 {
		starts = append(starts, max(first, settled))
	}
	return starts, length
}

// inRun is a time within an own run, or a little before it.
func (d *draft) inRun() time.Duration {
	starts, length := d.runs()
	return pick(d, starts...) + d.between(-time.Second, length)
}

func (d *draft) node() string { return fmt.Sprintf("bp%d", d.rng.IntN(d.Nodes)) }
func (d *draft) peer() string {
	if i := d.rng.IntN(d.Peers + 1); i < d.Peers {
		return fmt.Sprintf("net%d", i)
	}
	return "obs"
}

func (d *draft) add(f Fault) { d.Faults = append(d.Faults, f) }

func (d *draft) times(most int, f func()) {
	for range 1 + d.rng.IntN(most) {
		f()
	}
}
