package p2pwire

import "time"

// Slot is a block timestamp: a count of half seconds since 2000-01-01T00:00:00Z.
type Slot uint32

const (
	// SlotDuration is the block interval.
	SlotDuration = 500 * time.Millisecond
	// RoundSlots is the number of consecutive slots of one producer
	// (producer_repetitions).
	RoundSlots = 12

	slotEpochNs = 946684800 * int64(time.Second)
)

// Time returns the slot's timestamp in unix nanoseconds.
func (s Slot) Time() int64 { return slotEpochNs + int64(s)*int64(SlotDuration) }

// Index returns the position in the producer's round, 0..11.
func (s Slot) Index() int { return int(s % RoundSlots) }

// Round returns the number of the round the slot belongs to.
func (s Slot) Round() uint32 { return uint32(s / RoundSlots) }

// SlotAt returns the slot with the latest timestamp not after unixNs. Times
// before 2000 give slot 0, times beyond the 32-bit range the last slot.
func SlotAt(unixNs int64) Slot {
	if unixNs <= slotEpochNs {
		return 0
	}
	return Slot(min(uint64(unixNs-slotEpochNs)/uint64(SlotDuration), 1<<32-1))
}
