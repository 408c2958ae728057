package rig

import (
	"time"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// Ours is our producer, Voter the node that votes for it.
const (
	Ours  = "bpalpha"
	Voter = "voter"
)

// VoteTimeout is production-pause-vote-timeout-ms of our nodes. The default of 6 s would leave the 12 s between
// our rounds too short for a node to die, return and be quiet.
const VoteTimeout = time.Second

// Others are the network's producers: two besides ours are as few as a leash takes.
func Others() []string { return []string{"bpbeta", "bpgamma"} }

// Plan is a chain's schedule in wall time.
type Plan struct {
	Seed     uint64
	Genesis  p2pwire.Slot // zero: long ago
	Schedule []string     // all producers, 12 slots each
	First    p2pwire.Slot // the first slot of a round of ours
}

// NewPlan turns the schedule so that a round of ours begins as soon as possible after now+lead (now in unix ns),
// on a chain that begins now.
func NewPlan(seed uint64, now int64, lead time.Duration) Plan {
	p := Plan{Seed: seed, Genesis: p2pwire.SlotAt(now), Schedule: make([]string, 1+len(Others()))}
	p.First = p2pwire.SlotAt(now+int64(lead)) + 1
	if i := p.First.Index(); i != 0 {
		p.First += p2pwire.Slot(p2pwire.RoundSlots - i)
	}
	at := int(p.First.Round())
	for i, name := range append([]string{Ours}, Others()...) {
		p.Schedule[(at+i)%len(p.Schedule)] = name
	}
	return p
}

// FixedPlan is the same for everybody who knows the seed, whenever they start: for parts that run in different
// containers. Its chain begins long ago, with a gap. First is the first round of ours that begins at now+lead or later.
func FixedPlan(seed uint64, now int64, lead time.Duration) Plan {
	p := Plan{Seed: seed, Schedule: append([]string{Ours}, Others()...)}
	p.First = p2pwire.SlotAt(now+int64(lead)) + 1
	for p.First.Index() != 0 || p.ProducerAt(p.First) != Ours {
		p.First++
	}
	return p
}

// Cycle is how many slots there are from one round of ours to the next.
func (p *Plan) Cycle() p2pwire.Slot { return p2pwire.Slot(len(p.Schedule)) * p2pwire.RoundSlots }

// Round is the first slot of our i-th round, from 0.
func (p *Plan) Round(i int) p2pwire.Slot { return p.First + p2pwire.Slot(i)*p.Cycle() }

// ProducerAt tells whose slot it is.
func (p *Plan) ProducerAt(slot p2pwire.Slot) string {
	return p.Schedule[int(slot.Round())%len(p.Schedule)]
}

// Chain is the plan's chain.
func (p *Plan) Chain() *simnet.Chain {
	return simnet.NewChain(simnet.ChainConfig{Mode: simnet.Savanna, Seed: p.Seed, Genesis: p.Genesis, Producers: p.Schedule})
}

// blockEffort is what nodeos gives a block by default: a round of 12 is built in 12 times that (ns).
const blockEffort = int64(p2pwire.SlotDuration) - int64(450*time.Millisecond)/p2pwire.RoundSlots

// Begin is when a node begins with the block of a slot of a round, wall time (unix ns).
func Begin(slot p2pwire.Slot) int64 {
	first := slot - p2pwire.Slot(slot.Index())
	return (first - 1).Time() + int64(slot.Index())*blockEffort
}

// Due is when that block is ready.
func Due(slot p2pwire.Slot) int64 { return Begin(slot) + blockEffort }

// Name is for the names above, which are valid.
func Name(s string) p2pwire.Name {
	n, err := p2pwire.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}
