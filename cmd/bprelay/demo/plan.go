package demo

import (
	"math/rand/v2"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// ours is our producer.
const ours = "bpalpha"

// plan is what a run is going to be, in wall time (unix ns).
type plan struct {
	others   []string     // the network's producers
	schedule []string     // all producers, 12 slots each
	cycle    p2pwire.Slot // from one round of ours to the next
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

// newPlan turns the schedule so that our first round is the next one that begins at least o.lead
// from now, and makes the appointments: in rounds of ours and between them, early enough for the node
// to be back, as the course of the run says.
func newPlan(now int64, o Options, rng *rand.Rand) plan {
	c := o.course()
	p := plan{start: p2pwire.SlotAt(now), others: c.others, schedule: make([]string, 1+len(c.others))}
	p.cycle = p2pwire.Slot(len(p.schedule)) * p2pwire.RoundSlots
	p.first = p2pwire.SlotAt(now+int64(o.lead)) + 1
	if i := p.first.Index(); i != 0 {
		p.first += p2pwire.Slot(p2pwire.RoundSlots - i)
	}
	at := int(p.first.Round())
	for i, name := range append([]string{ours}, p.others...) {
		p.schedule[(at+i)%len(p.schedule)] = name
	}
	p.end = now + int64(o.Duration)
	if o.rounds > 0 {
		p.end = (p.first + p2pwire.Slot(o.rounds-1)*p.cycle + p2pwire.RoundSlots - 1).Time()
	}
	if o.Kill == KillNone {
		return p
	}
	for round, n := p.first+p2pwire.Slot(c.warm)*p.cycle, 0; ; round, n = round+p.cycle, n+1 {
		if n%c.every == 0 {
			p.add(kill{
				at:      blockStart(round+p2pwire.Slot(firstKillSlot+rng.IntN(lastKillSlot-firstKillSlot+1))) + rng.Int64N(blockEffort),
				down:    between(rng, c.down),
				inRound: true,
			})
		}
		over := (round + p2pwire.RoundSlots).Time()
		if !o.Kill.relay() {
			p.add(kill{
				at:   over + int64(between(rng, c.idle)),
				down: between(rng, c.idleDown),
			})
		}
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

// putOff makes an appointment in our round anew, a slot later, as long as that is early enough in it.
func (p *plan) putOff(k kill) bool {
	k.at += int64(p2pwire.SlotDuration)
	slot := p2pwire.SlotAt(k.at) + 1
	if !k.inRound || p.producerAt(slot) != ours || slot.Index() > lastKillSlot || k.at >= p.end {
		return false
	}
	p.kills = slices.Insert(p.kills, 0, k)
	return true
}

func between(rng *rand.Rand, s span) time.Duration {
	return s.low + time.Duration(rng.Int64N(int64(s.high-s.low)))
}
