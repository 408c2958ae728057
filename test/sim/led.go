package sim

import (
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// The rules for worlds in which one of our nodes leads.
const (
	RuleSiblings = "siblings" // a node that should have been held made a block and nothing was wrong
	RuleTakeover = "takeover" // one fault of one node cost more than one slot
)

// quietTakes is how long all has to have been well for nodes to be held and quiet: the vote timeout, the second
// beyond it, a block, and what it takes to choose a lead after a fault.
const quietTakes = leashTimeout + 1400*time.Millisecond + 3*time.Second

// led tells whether a node leads in this world: with a leash on Savanna, and where others make blocks, too.
func (x *play) led() bool {
	switch {
	case x.s.Nodes < 2 || len(x.own) == len(x.s.Layout) || len(x.ledger.forged) > 0:
		return false
	case x.s.Takeover == core.TakeoverLeash:
		return x.s.Mode != 0
	}
	return x.s.Takeover == core.TakeoverAPI
}

// judgeLed applies them to an own run, of slots from first to last.
func (x *play) judgeLed(first, last p2pwire.Slot) {
	from, to := x.mono(first.Time())-quietTakes, x.mono(last.Time())+500*time.Millisecond
	machines := []string{"relay", "disk"}
	for _, name := range x.public() {
		machines = append(machines, name, name+"-relay", name+"-net0", name+"-net1")
	}
	if !x.led() || from < 3*time.Second || to > x.w.Now().Mono || x.relayStart(to).at > from || !x.health.well(from, to, machines...) {
		return
	}
	var sick []string
	ills := 0
	for _, name := range x.ours() {
		n := x.health.count(from, to, name, name+"-relay")
		if ills += n; n > 0 {
			sick = append(sick, name)
		}
	}
	lost := 0
	for slot := first; slot <= last; slot++ {
		made := map[string]bool{}
		for _, m := range x.ledger.made {
			if m.slot == slot {
				for _, name := range m.by {
					made[name] = true
				}
			}
		}
		if len(made) > 1 && len(sick) == 0 {
			x.breach(RuleSiblings, "slot %s: %d nodes made a block", x.slot(slot), len(made))
			return
		}
		if len(x.check.Blocks(x.chain.ProducerAt(slot), slot)) == 0 {
			lost++
		}
	}
	if lost > 1 && ills == 1 {
		x.breach(RuleTakeover, "%d slots of the run of slot %s were lost to one fault of %s", lost, x.slot(first), sick[0])
	}
}

// judgeRuns finds the own runs between two slots.
func (x *play) judgeRuns(first, last p2pwire.Slot) {
	for slot := first; slot <= last; slot++ {
		if x.isOwn(x.chain.ProducerAt(slot)) && !x.isOwn(x.chain.ProducerAt(slot-1)) {
			end := slot
			for x.isOwn(x.chain.ProducerAt(end+1)) && end < slot+2*p2pwire.RoundSlots {
				end++
			}
			if end <= last {
				x.judgeLed(slot, end)
			}
		}
	}
}
