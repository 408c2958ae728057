package sim

import (
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// pairHit is a fault as it was played: on a relay, on a node of ours, or (neither) on the link between the relays.
type pairHit struct {
	relay, node string
	from, to    time.Duration // while it lasted, and what it hit was not what it had been before
	began       time.Duration
	cold        bool // the relay was ended, and remembers nothing
}

const (
	// relaunched is how long a relay that was started again may take until it can stand in for the other one: at
	// most 3 s until it knows the lead, after its sessions are up. healed is how long one may take that was cut off
	// or paused: its redial takes 1 s.
	relaunched, healed = 4 * time.Second, 1500 * time.Millisecond
	// nodeBack is how long a node that was started again may take until it can be released.
	nodeBack = 7 * time.Second
)

// hit notes a fault.
func (x *pairWorld) hit(relay, node string, lasts, after time.Duration) {
	h := pairHit{relay: relay, node: node, from: x.w.Now().Mono, began: x.w.Now().Mono, to: 1 << 62, cold: after == relaunched && relay != ""}
	if lasts > 0 {
		h.to = h.from + lasts + after
	}
	x.hits = append(x.hits, h)
}

// mayLose bounds how many slots of a round the faults explain; the round's blocks are due from begin to end.
//
//   - All of it, if at some time neither relay was sound, or none of our nodes that can lead was. In race, also if
//     a node that produces died in it.
//   - Else a slot for each node that died (it may be the one that leads, and die with slot 0), and one for each fault
//     but the first: what takes over may be hit itself.
//
// So one fault of a relay or of the link costs nothing.
func (x *pairWorld) mayLose(begin, end time.Duration) int {
	overlaps := func(h pairHit) bool { return h.from < end && h.to > begin }
	for i, h := range x.hits {
		if h.relay == "" || !overlaps(h) {
			continue
		}
		for _, other := range x.hits[:i] {
			if other.relay != "" && other.relay != h.relay && overlaps(other) && max(h.from, other.from) < min(h.to, other.to) {
				return p2pwire.RoundSlots
			}
		}
	}
	// Two relays without a past that do not see each other: the one without priority may have to wait for ever, the
	// other one until it knows when our rounds are, or for pair.Timing.QuietWait.
	if x.coldBefore(begin) && slices.ContainsFunc(x.hits, func(h pairHit) bool { return h.node == "" && overlaps(h) }) {
		return p2pwire.RoundSlots
	}
	n, dead := 0, map[string]bool{}
	for _, h := range x.hits {
		if !overlaps(h) {
			continue
		}
		n++
		if h.node != "" {
			n++
			dead[h.node] = true
			if x.sc.Takeover == core.TakeoverRace && h.began > begin-time.Second {
				return p2pwire.RoundSlots
			}
		}
	}
	if len(dead) >= x.sc.Nodes || len(dead) > 1 {
		return p2pwire.RoundSlots
	}
	return max(n-1, 0)
}

// coldBefore tells whether both relays were down at one time before a moment.
func (x *pairWorld) coldBefore(at time.Duration) bool {
	for i, h := range x.hits {
		for _, other := range x.hits[:i] {
			if h.cold && other.cold && h.relay != other.relay && h.from < at && max(h.from, other.from) < min(h.to, other.to) {
				return true
			}
		}
	}
	return false
}
