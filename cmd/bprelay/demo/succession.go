package demo

import (
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
)

// Succession is in milliseconds: for each relay that was killed while it was active in our round, from when
// the first block that the network lacked was due, or from the kill if that came later, until the observer
// had the next block of ours.
type Succession struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// succession finds in what the checker saw how long the network waited after each kill (unix ns), as far as
// a block of ours came in that round at all.
func succession(slots []checker.SlotState, kills []int64) Succession {
	var took latencies
	for _, kill := range kills {
		round := (p2pwire.SlotAt(kill) + 1).Round()
		from, next := int64(0), int64(0)
		for _, s := range slots {
			came := s.Slot.Time() + int64(s.First)
			if s.Slot.Round() != round || len(s.IDs) > 0 && came <= kill {
				continue
			}
			if from == 0 {
				from = max(kill, blockStart(s.Slot)+blockEffort)
			}
			if len(s.IDs) > 0 && (next == 0 || came < next) {
				next = came
			}
		}
		if next > 0 {
			took.ns = append(took.ns, max(0, next-from))
		}
	}
	const micros = 1e3 // in a millisecond
	l := took.summary()
	return Succession{P50: tenths(l.P50 / micros), P99: tenths(l.P99 / micros), Max: tenths(l.Max / micros)}
}

// lateSlots counts the blocks that the observer got after their timestamp.
func lateSlots(slots []checker.SlotState) (n int) {
	for _, s := range slots {
		if len(s.IDs) > 0 && s.First > time.Duration(0) {
			n++
		}
	}
	return n
}
