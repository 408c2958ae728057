package nodeos

import (
	"time"

	"bprelay/p2pwire"
)

// The schedule, in nodeos' order: bpalpha's round is the first of each cycle.
var scheduleNames = []string{"bpalpha", "bpbeta", "bpgamma", "bpdelta"}

// cycle is the length of the schedule in slots.
var cycle = p2pwire.Slot(len(scheduleNames) * p2pwire.RoundSlots)

// producerOf is whose slot it is.
func producerOf(s p2pwire.Slot) string {
	return scheduleNames[s%cycle/p2pwire.RoundSlots]
}

// own reports whether the slot is bpalpha's.
func own(s p2pwire.Slot) bool { return producerOf(s) == scheduleNames[0] }

// slotTime is a slot's timestamp.
func slotTime(s p2pwire.Slot) time.Time { return time.Unix(0, s.Time()) }

// nextRound is the first slot of bpalpha's next round of which nothing has been produced yet: its
// first block is begun half a second before that slot, and the round of a neighbour before.
func nextRound(now time.Time) p2pwire.Slot {
	s := p2pwire.SlotAt(now.Add(p2pwire.SlotDuration).UnixNano()) + 1
	return (s + cycle - 1) / cycle * cycle
}
