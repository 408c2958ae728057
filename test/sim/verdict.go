package sim

import (
	"fmt"
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// The rules a world is judged by, besides those of test/checker.
const (
	RuleSilence   = "silence"   // a candidate with the right parent was in the relay's hands and did not go out
	RuleLate      = "late"      // a block of ours went out in another producer's slots
	RuleLost      = "lost"      // an own slot was lost and nothing was wrong
	RuleStart     = "start"     // a run began on an older block than the relay had
	RuleVoteLost  = "vote_lost" // a vote for a public block was in the relay's hands and did not go out
	RuleFanIn     = "fan_in"    // a block of the network did not reach a node of ours in time
	RuleFollow    = "follow"    // a node of ours is not on the public chain at the end
	RuleLinks     = "links"     // nodes lost their links too often
	RuleConflicts = "conflicts" // more siblings counted than were made
)

// Breach is a rule that was broken.
type Breach struct {
	Rule, What string
	At         time.Duration
}

func (b Breach) String() string { return fmt.Sprintf("%s at %s: %s", b.Rule, duration(b.At), b.What) }

// Verdict is what became of a world.
type Verdict struct {
	Schedule    Schedule
	Breaches    []Breach // the first one stopped the world, but for those found at its end
	Due, Public int      // own slots
	Links       int      // links our nodes ended over what they were sent
	Sent        int      // messages the hostile peer got out
	Stats       core.Stats
}

// Broken tells whether a rule was broken.
func (v *Verdict) Broken(rule string) bool {
	return slices.ContainsFunc(v.Breaches, func(b Breach) bool { return b.Rule == rule })
}

func (x *play) breach(rule, format string, args ...any) {
	b := Breach{Rule: rule, What: fmt.Sprintf(format, args...), At: x.w.Now().Mono}
	x.breaches = append(x.breaches, b)
	x.done = true
	x.say("BREACH %s", b)
}

// stopAtBreach ends the world as soon as a checker found something.
func (x *play) stopAtBreach() {
	if x.done {
		return
	}
	found := x.check.Violations()
	if len(x.ledger.forged) == 0 {
		found = slices.Concat(found, x.inside.Violations()) // two instances make any node ask again and again
	}
	for _, v := range found {
		x.breach(string(v.Rule), "%s: %s", v.Stream, v.What)
	}
}

// judge applies the rules that need hindsight.
func (x *play) judge() {
	for _, v := range x.check.Report(0, 0, nil).Violations {
		x.breach(string(v.Rule), "%s: %s", v.Stream, v.What)
	}
	first := p2pwire.SlotAt(x.chain.GenesisTime() + int64(settled))
	last := p2pwire.SlotAt(x.w.Now().Wall - int64(2*time.Second))
	for slot := first; slot <= last; slot++ {
		if x.isOwn(x.chain.ProducerAt(slot)) {
			x.judgeSlot(slot)
		}
	}
	x.judgeRuns(first, last)
	x.judgeVotes()
	x.judgeFanIn()
	x.judgeFollow()
	x.judgeLinks()
}

// settled is when the first start fence is over and all sessions are there.
const settled = 8 * time.Second

// patience is what the relay may take in worlds where messages are on trial. With nothing else wrong a
// good one must be there before the next one could bring it along.
func (x *play) patience() time.Duration {
	if x.evil != nil && !slices.ContainsFunc(x.s.Faults, func(f Fault) bool { return f.Kind != Twins }) {
		return 400 * time.Millisecond
	}
	if x.evil != nil {
		return 1500 * time.Millisecond
	}
	return time.Second
}

func (x *play) judgeLinks() {
	most := 0
	if x.evil != nil {
		most = 24 // a few for each of its messages that were tried, until it was shut out for long
		if x.s.Nodes == 1 {
			most = 36 // an only node has to lose three over one message, not two
		}
	}
	if x.ledger.linksLost > most {
		x.breach(RuleLinks, "our nodes ended %d links over what they were sent", x.ledger.linksLost)
	}
	if x.relay == nil || len(x.ledger.forged) > 0 {
		return
	}
	siblings := 0
	for _, list := range x.ledger.candidates {
		ids := map[p2pwire.ID]bool{}
		for _, c := range list {
			ids[c.id] = true
		}
		siblings += len(ids) - 1
	}
	if n := x.relay.Core().Snapshot(x.relay.now).Stats.Conflicts; int(n) > siblings {
		x.breach(RuleConflicts, "%d conflicts counted, %d siblings made", n, siblings)
	}
}

// judgeFollow: nodes that were well for a while are on the public chain.
func (x *play) judgeFollow() {
	now := x.w.Now().Mono
	net := x.nodes["net0"]
	if len(x.ledger.forged) > 0 || !x.health.well(now-3*time.Second, now, "net0", "net0-net1", "net0-relay") {
		return
	}
	for _, name := range x.ours() {
		n := x.nodes[name]
		if n == nil || !x.health.node(now-x.patience()-time.Second, now, name) || n.Producing() {
			continue
		}
		if x.privateLonger(n) {
			continue
		}
		if !net.OnChain(n.Root().ID) || n.Head().Slot+5 < net.Head().Slot {
			x.breach(RuleFollow, "%s is at %d of slot %s, the network at %d of slot %s", name, n.Head().Num, x.slot(n.Head().Slot), net.Head().Num, x.slot(net.Head().Slot))
		}
	}
}

// privateLonger tells whether a node stays on a branch that was withheld, since in legacy the longer one,
// or the one with more producers in it, is the better one: nobody can make it leave.
func (x *play) privateLonger(n *simnet.Node) bool {
	net := x.nodes["net0"]
	return x.s.Mode == simnet.Legacy && !net.OnChain(n.Head().ID) && (n.Head().Num >= net.Head().Num || n.HasBlock(net.Head().ID))
}

// judgeFanIn: each fresh block of the network's chain reaches each node that is well, in time.
func (x *play) judgeFanIn() {
	if len(x.ledger.forged) > 0 {
		return // the nodes may have taken the other instance's branch
	}
	net := x.nodes["net0"]
	for _, a := range x.ledger.fresh {
		made := time.Duration(a.slot.Time() - x.chain.GenesisTime())
		by := a.at + x.patience()
		if x.s.Takeover != core.TakeoverRace {
			// Before our run a held node is kept one block behind.
			by = max(by, x.mono((a.slot+1).Time())+x.patience())
		}
		if a.at < settled || a.at > made+2*time.Second || by > x.w.Now().Mono || !net.OnChain(a.id) || !x.uplink(a.at-3*time.Second, by) {
			continue
		}
		for _, name := range x.ours() {
			if !x.health.node(a.at-500*time.Millisecond, by, name) {
				continue
			}
			if got, ok := x.ledger.given[name][a.digest]; !ok || got > by {
				x.breach(RuleFanIn, "%s of slot %s came to the relay at %s and not to %s", a.id.Short(), x.slot(a.slot), duration(a.at), name)
			}
		}
	}
}

func (x *play) verdict() *Verdict {
	v := &Verdict{Schedule: x.s, Breaches: x.breaches, Links: x.ledger.linksLost}
	first := p2pwire.SlotAt(x.chain.GenesisTime() + int64(settled))
	for slot := first; slot <= p2pwire.SlotAt(x.w.Now().Wall-int64(2*time.Second)); slot++ {
		if p := x.chain.ProducerAt(slot); x.isOwn(p) {
			v.Due++
			if len(x.check.Blocks(p, slot)) > 0 {
				v.Public++
			}
		}
	}
	if x.evil != nil {
		v.Sent = x.evil.sent
	}
	if x.relay != nil && x.relay.Core() != nil {
		v.Stats = x.relay.Core().Snapshot(x.relay.now).Stats
	}
	return v
}
