package demo

import (
	"math/rand/v2"
	"time"

	"bprelay/p2pwire"
)

// ours is our producer; others are those of the network.
const ours = "bpalpha"

var others = []string{"bpbeta", "bpgamma", "bpdelta"}

// plan is what a run is going to be, in wall time (unix ns).
type plan struct {
	schedule []string     // producers, 12 slots each
	start    p2pwire.Slot // genesis
	first    p2pwire.Slot // our first round's first slot: from here on slots are due
	end      int64
	kills    []kill // by at
}

// kill is an appointment with a node.
type kill struct {
	at      int64
	down    time.Duration // until it is started again
	inRound bool          // of ours
}

// Within a round a node dies between these two slots; it comes back when the round is over.
const (
	firstKillSlot = 2
	lastKillSlot  = 7
)

// cycle is how many slots there are from one round of ours to the next.
const cycle = 4 * p2pwire.RoundSlots

// newPlan turns the schedule so that our first round is the next one that begins at least o.lead
// from now, and makes the appointments: in every other round of ours, beginning with the first, and
// between any two rounds, early enough for the node to be back.
func newPlan(now int64, o Options, rng *rand.Rand) plan {
	p := plan{start: p2pwire.SlotAt(now), schedule: make([]string, 1+len(others))}
	p.first = p2pwire.SlotAt(now+int64(o.lead)) + 1
	if i := p.first.Index(); i != 0 {
		p.first += p2pwire.Slot(p2pwire.RoundSlots - i)
	}
	at := int(p.first.Round())
	for i, name := range append([]string{ours}, others...) {
		p.schedule[(at+i)%len(p.schedule)] = name
	}
	p.end = now + int64(o.Duration)
	if o.rounds > 0 {
		p.end = (p.first + p2pwire.Slot(o.rounds-1)*cycle + p2pwire.RoundSlots - 1).Time()
	}
	if o.Kill == KillNone {
		return p
	}
	for round, n := p.first, 0; ; round, n = round+cycle, n+1 {
		if n%2 == 0 {
			p.add(kill{
				at:      blockStart(round+p2pwire.Slot(firstKillSlot+rng.IntN(lastKillSlot-firstKillSlot+1))) + rng.Int64N(blockEffort),
				down:    between(rng, 6*time.Second, 8*time.Second),
				inRound: true,
			})
		}
		over := (round + p2pwire.RoundSlots).Time()
		p.add(kill{
			at:   over + int64(between(rng, 7*time.Second, 9*time.Second)),
			down: between(rng, 3*time.Second, 4*time.Second),
		})
		if over > p.end {
			return p
		}
	}
}

// blockEffort is what nodeos gives a block by default: a round of 12 is built in 12 times that (ns).
const blockEffort = int64(p2pwire.SlotDuration) - int64(450*time.Millisecond)/p2pwire.RoundSlots

// blockStart is when a node begins with the block of a slot, wall time.
func blockStart(slot p2pwire.Slot) int64 {
	first := slot - p2pwire.Slot(slot.Index())
	return (first - 1).Time() + int64(slot.Index())*blockEffort
}

func (p *plan) add(k kill) {
	if k.at < p.end {
		p.kills = append(p.kills, k)
	}
}

func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)))
}
