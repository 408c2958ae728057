package quorum

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// Why leadership is handed on.
type Why string

// The rules, in the order they are looked at. Each names the relay that does better; without one nothing
// is handed on.
const (
	// WhyWitness: a witness was elected. At once.
	WhyWitness Why = "witness"
	// WhyStuck: the active's loop stood still for stuckWait.
	WhyStuck Why = "loop_stuck"
	// WhyBlind: the active had no node, or no network session, for blindWait, and the other has both.
	WhyBlind Why = "blind"
	// WhyMissed: a slot of ours passed that nobody claimed, and the other holds a candidate for it; or two in
	// a row passed, and the other has nodes or sessions where the active has none.
	WhyMissed Why = "missed"
	// WhySlowDisk: the active's disk needs more than half a heartbeat for a write, four times as long as
	// the other's.
	WhySlowDisk Why = "slow_disk"
	// WhyFailback: Options.Failback, and a relay that comes first in the configuration is well. Outside our
	// runs only.
	WhyFailback Why = "failback"
	// WhyHandover: somebody asked for it.
	WhyHandover Why = "handover"
	// WhyShutdown: the leader ends.
	WhyShutdown Why = "shutdown"
)

const (
	stuckWait = 500 * time.Millisecond
	blindWait = 500 * time.Millisecond
	// firstCalm is how long a leader hands nothing on by a rule after it was elected, or tried to: one
	// round. It doubles with every time it did, up to lastCalm, and is forgotten after as long again
	// without a cause. So two relays that are both in trouble do not pass the role to and fro.
	firstCalm = 6 * time.Second
	// missedSlots is how long a slot that passed without a block tells something about the active.
	missedSlots = 2 * p2pwire.RoundSlots
	lastCalm    = 96 * time.Second
)

// scene is what the leader, a relay, looks at.
type scene struct {
	now    time.Time
	self   Health
	others map[string]report // relays that vote and were heard of lately
	// claimed tells whether a slot was decided.
	claimed func(p2pwire.Name, p2pwire.Slot) bool
	// slot is the present one.
	slot p2pwire.Slot
	// heartbeat is the timing's.
	heartbeat time.Duration
	// first are the relays to fail back to, if that is wanted now.
	first []string
}

// rules decides whether the leader hands on. The zero value is a member that was no leader yet.
type rules struct {
	blindFrom  time.Time
	calm       time.Duration
	quietUntil time.Time
}

// elected begins a time as leader.
func (r *rules) elected(now time.Time) {
	if r.calm == 0 || now.Sub(r.quietUntil) > lastCalm {
		r.calm = firstCalm
	}
	r.blindFrom = time.Time{}
	r.quietUntil = now.Add(r.calm)
}

// tried notes that leadership was handed on, or not taken.
func (r *rules) tried(now time.Time) {
	r.calm = min(2*max(r.calm, firstCalm), lastCalm)
	r.quietUntil = now.Add(r.calm)
}

// judge returns to whom to hand on, and why; an empty name: to nobody.
func (r *rules) judge(s scene) (to string, why Why) {
	switch {
	case s.self.sees():
		r.blindFrom = time.Time{}
	case r.blindFrom.IsZero():
		r.blindFrom = s.now
	}
	blind := !s.self.sees() && s.now.Sub(r.blindFrom) >= blindWait
	if s.now.Before(r.quietUntil) {
		return "", ""
	}
	names := make([]string, 0, len(s.others))
	for name := range s.others {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, c := range []struct {
		why    Why
		holds  bool
		better func(o *Health) bool
	}{
		{WhyStuck, s.self.Stuck, func(o *Health) bool { return !o.Stuck }},
		{WhyBlind, blind, func(o *Health) bool { return o.sees() && !o.Stuck }},
		{WhyMissed, true, func(o *Health) bool {
			if o.Missed == 0 || o.Missed+missedSlots < s.slot || o.Stuck || s.claimed(o.MissedBy, o.Missed) {
				return false
			}
			return o.Holds && o.sees() || o.MissedInRow >= 2 && o.sees() && !s.self.sees()
		}},
		{WhySlowDisk, s.self.Disk > s.heartbeat/2, func(o *Health) bool { return o.sees() && 4*o.Disk < s.self.Disk }},
	} {
		if !c.holds {
			continue
		}
		for _, name := range names {
			if o := s.others[name].Health; c.better(&o) {
				return name, c.why
			}
		}
	}
	for _, name := range s.first {
		if o, ok := s.others[name]; ok && o.sees() && !o.Stuck && o.MissedInRow == 0 {
			return name, WhyFailback
		}
	}
	return "", ""
}

// sees tells whether a relay has both sides.
func (h *Health) sees() bool { return h.Nodes > 0 && h.Network > 0 }

// best is the relay that a witness, or a leader that ends, hands on to: one that sees both sides before
// one that does not, one that was heard of before one that was not, and then in the order of the
// configuration. avoid is taken only if there is no other.
func best(relays []string, others map[string]report, avoid string) string {
	rank := func(name string) int {
		n := 0
		if o, ok := others[name]; ok {
			n += 2
			if o.sees() && !o.Stuck {
				n += 4
			}
		}
		if name == avoid {
			n -= 8
		}
		return n
	}
	choice := ""
	for _, name := range relays {
		if choice == "" || rank(name) > rank(choice) {
			choice = name
		}
	}
	return choice
}
