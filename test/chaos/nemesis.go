//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// kind is what the nemesis does.
type kind string

// The kinds. The active is the relay that is active then, the standby another relay.
const (
	killActive     kind = "kill_active"     // kill -9; started again when the round is over
	killStandby    kind = "kill_standby"    // the same
	restartActive  kind = "restart_active"  // kill -9, and started again at once
	killBoth       kind = "kill_both"       // the active and the node that leads
	killLead       kind = "kill_lead"       // the node that leads, and no relay
	termActive     kind = "term_active"     // SIGTERM: it hands over
	pauseActive    kind = "pause_active"    // SIGSTOP, SIGCONT: 50 to 400 ms
	freezeActive   kind = "freeze_active"   // the same, 1 to 6 s
	freezeStandby  kind = "freeze_standby"  // the same
	cutRelays      kind = "cut_relays"      // nothing passes between the relays
	cutToActive    kind = "cut_to_active"   // nothing passes from the standby to the active
	cutFromActive  kind = "cut_from_active" // nothing passes from the active to the standby
	isolateActive  kind = "isolate_active"  // nothing passes to or from it
	isolateStandby kind = "isolate_standby" // the same
	blindActive    kind = "blind_active"    // nothing passes between it and the network
	bereftActive   kind = "bereft_active"   // nothing passes between it and our nodes
	delayLink      kind = "delay_link"      // what passes between the relays takes up to 150 ms, each way
	downActive     kind = "down_active"     // its interface is down
	diskFull       kind = "disk_full"       // the active's state_dir is full
	clockOff       kind = "clock_off"       // a relay's clock is up to 400 ms off, from its start

	// Of a quorum with a witness only.
	killWitness   kind = "kill_witness"
	freezeWitness kind = "freeze_witness"
	cutWitness    kind = "cut_witness" // nothing passes to or from it
)

var kinds = []kind{
	killActive, freezeActive, cutRelays, isolateActive, killBoth, termActive, delayLink, pauseActive, restartActive, killStandby,
	cutFromActive, downActive, blindActive, diskFull, killLead, freezeStandby, cutToActive, isolateStandby, bereftActive, clockOff,
}

var witnessKinds = []kind{killWitness, freezeWitness, cutWitness}

// kindsOf are those that mean something.
func kindsOf(m mode, witness bool) []kind {
	list := slices.Clone(kinds)
	if m == quorumMode && witness {
		list = append(list, witnessKinds...)
	}
	return list
}

// trait is what is expected of a kind.
type trait struct {
	least, most time.Duration // for how long; zero: see down
	// restart: who was killed is started again; when the round is over, unless soon.
	restart, soon bool
	// lost is how many slots of the round it may cost; negative: any number, which is counted.
	lost int
	// takeover: the active cannot go on, and how long the network waits for our next block is measured.
	takeover bool
}

const (
	// some is for what a cluster may lose slots by, to be counted and judged by whoever reads the table.
	some = -1
)

var traits = map[kind]trait{
	killActive:     {restart: true, takeover: true},
	killStandby:    {restart: true},
	restartActive:  {least: 50 * time.Millisecond, most: 400 * time.Millisecond, restart: true, soon: true, takeover: true},
	killBoth:       {restart: true, takeover: true, lost: 1},
	killLead:       {restart: true, lost: 1},
	termActive:     {restart: true},
	pauseActive:    {least: 50 * time.Millisecond, most: 400 * time.Millisecond, lost: some},
	freezeActive:   {least: time.Second, most: 6 * time.Second, takeover: true, lost: some},
	freezeStandby:  {least: 50 * time.Millisecond, most: 6 * time.Second},
	cutRelays:      {least: 50 * time.Millisecond, most: 6 * time.Second, lost: some},
	cutToActive:    {least: 50 * time.Millisecond, most: 6 * time.Second, lost: some},
	cutFromActive:  {least: 50 * time.Millisecond, most: 6 * time.Second, lost: some},
	isolateActive:  {least: time.Second, most: 6 * time.Second, takeover: true, lost: some},
	isolateStandby: {least: 50 * time.Millisecond, most: 6 * time.Second},
	blindActive:    {least: time.Second, most: 6 * time.Second, takeover: true, lost: some},
	bereftActive:   {least: time.Second, most: 6 * time.Second, takeover: true, lost: some},
	delayLink:      {least: 500 * time.Millisecond, most: 6 * time.Second, lost: some},
	downActive:     {least: time.Second, most: 6 * time.Second, takeover: true, lost: some},
	diskFull:       {least: time.Second, most: 6 * time.Second, lost: some},
	clockOff:       {lost: some},
	killWitness:    {restart: true},
	freezeWitness:  {least: 50 * time.Millisecond, most: 6 * time.Second},
	cutWitness:     {least: 50 * time.Millisecond, most: 6 * time.Second},
}

// fault is one appointment.
type fault struct {
	Kind kind
	// At is when, from the moment at which the round's first block is begun; For is how long it lasts.
	At, For time.Duration
	// Delay is how long each way takes (delay_link), Offset how far the clock is off (clock_off), of the relay
	// by number.
	Delay  time.Duration
	Offset time.Duration
	Relay  int
}

func (f fault) String() string {
	s := fmt.Sprintf("%s at %d ms", f.Kind, f.At.Milliseconds())
	if f.For > 0 {
		s += fmt.Sprintf(" for %d ms", f.For.Milliseconds())
	}
	if f.Delay > 0 {
		s += fmt.Sprintf(", %d ms each way", f.Delay.Milliseconds())
	}
	if f.Offset != 0 {
		s += fmt.Sprintf(", relay%d by %d ms", f.Relay+1, f.Offset.Milliseconds())
	}
	return s
}

// Moments of a fault: from before our round to the last block's way out.
const (
	earliest = -1500 * time.Millisecond
	latest   = 5500 * time.Millisecond
)

// faultsPerRun is how many of our rounds have one.
const faultsPerRun = 2

// draw gives a run's faults. Runs of consecutive seeds go through all kinds.
func draw(seed uint64, list []kind) (faults []fault) {
	rng := rand.New(rand.NewPCG(seed, 0xc4a05))
	for i := range uint64(faultsPerRun) {
		// The halves of the list are out of step, so that not always the same two meet.
		n := uint64(len(list))
		at := (seed + i*(n/2+seed/n)) % n
		faults = append(faults, drawOne(list[at], rng))
	}
	return faults
}

func drawOne(k kind, rng *rand.Rand) fault {
	f := fault{Kind: k, At: between(rng, earliest, latest)}
	if t := traits[k]; t.most > 0 {
		f.For = between(rng, t.least, t.most)
	}
	switch k {
	case delayLink:
		f.Delay = between(rng, 5*time.Millisecond, 150*time.Millisecond)
	case clockOff:
		f.At, f.Relay = 0, rng.IntN(2)
		f.Offset = between(rng, -400*time.Millisecond, 400*time.Millisecond)
	}
	return f
}

func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return (low + time.Duration(rng.Int64N(int64(high-low)))).Round(time.Millisecond)
}
