package dedup

import (
	"cmp"
	"slices"
	"strconv"
)

// Result is the claim book's answer to one claim.
type Result uint8

// The answers of [Slots.Claim]. Only Claimed and Same allow a block out; the zero Result is none of
// them, so that a forgotten assignment forbids.
const (
	// Claimed: the slot was free and belongs to this id from now on.
	Claimed Result = iota + 1
	// Same: the slot already belongs to this very id.
	Same
	// Taken: the slot belongs to another id.
	Taken
	// BelowFloor: the slot lies at or below the floor and no claim of it is remembered. There may
	// have been one: no id may have it.
	BelowFloor
)

// String returns the answer's name as used in logs and metrics.
func (r Result) String() string {
	switch r {
	case Claimed:
		return "claimed"
	case Same:
		return "same"
	case Taken:
		return "taken"
	case BelowFloor:
		return "below_floor"
	}
	return "result_" + strconv.Itoa(int(r))
}

// Slots is the claim book: which block id a (producer, slot) belongs to. A claim is made once and
// never changed. The book is bounded; to make room it forgets the claim of the lowest slot, and the
// floor rises to that slot first. The floor never moves back, and at or below it no new claim is
// made, so that a forgotten claim cannot be made again with another id.
//
// Claims usually come in rising slot order, which costs O(1); a look-up is a binary search. All
// memory (96 bytes per claim) is reserved by [NewSlots]. The zero value is a book without room: it
// claims nothing. Not safe for concurrent use.
type Slots struct {
	buf      []claim // twice the capacity: claims slides through it and is moved back when it hits the end
	claims   []claim // sorted by slot, then producer; a part of buf
	start    int     // where in buf claims begins
	capacity int
	floor    uint32
}

type claim struct {
	producer uint64
	slot     uint32
	id       [32]byte
}

// NewSlots returns an empty book for at most capacity claims, its floor at 0. A capacity below 1
// counts as 1. A slot before that of the capacity-th newest claim is refused as [BelowFloor], so
// capacity should cover at least the slots that can still be in doubt; with 12 own slots a round,
// 4096 claims cover 341 rounds.
func NewSlots(capacity int) *Slots {
	capacity = max(capacity, 1)
	buf := make([]claim, 2*capacity)
	return &Slots{buf: buf, claims: buf[:0], capacity: capacity}
}

// Claim asks for (producer, slot) on behalf of the block id. producer is the account name's uint64,
// slot the block timestamp (500 ms units since 2000-01-01T00:00:00Z). A remembered claim answers
// Same or Taken wherever the floor is.
//
// When the book is full and every remembered claim is of a later slot (or of the same one), there is
// nothing older to forget: the floor rises to slot and the answer is BelowFloor.
func (s *Slots) Claim(producer uint64, slot uint32, id [32]byte) Result {
	at, known := s.search(producer, slot)
	if known {
		if s.claims[at].id == id {
			return Same
		}
		return Taken
	}
	if slot <= s.floor {
		return BelowFloor
	}
	if len(s.claims) >= s.capacity {
		if len(s.claims) == 0 || s.claims[0].slot >= slot {
			s.floor = slot
			return BelowFloor
		}
		s.SetFloor(s.claims[0].slot)
		s.forgetLowest()
		at--
	}
	s.insert(at, claim{producer: producer, slot: slot, id: id})
	return Claimed
}

// Replace gives a remembered slot to another id, and tells whether it was remembered. It is for a claim that
// turns out never to have been made: the caller knows that nobody acted on it.
func (s *Slots) Replace(producer uint64, slot uint32, id [32]byte) bool {
	at, known := s.search(producer, slot)
	if known {
		s.claims[at].id = id
	}
	return known
}

// Get returns the id (producer, slot) belongs to; ok is false if no claim of it is remembered.
func (s *Slots) Get(producer uint64, slot uint32) (id [32]byte, ok bool) {
	at, known := s.search(producer, slot)
	if !known {
		return id, false
	}
	return s.claims[at].id, true
}

// Floor returns the highest slot that is closed to new claims; all below it are closed too.
func (s *Slots) Floor() uint32 { return s.floor }

// SetFloor closes slot and everything below it to new claims. It never moves the floor back: a slot
// below the present floor changes nothing. Claims at or below it stay remembered while there is room.
func (s *Slots) SetFloor(slot uint32) { s.floor = max(s.floor, slot) }

// Len returns how many claims are remembered.
func (s *Slots) Len() int { return len(s.claims) }

// search returns where (producer, slot) is, or where it would be inserted.
func (s *Slots) search(producer uint64, slot uint32) (at int, known bool) {
	// Nearly every new claim is the newest; that needs no search.
	if n := len(s.claims); n == 0 || s.claims[n-1].compare(producer, slot) < 0 {
		return n, false
	}
	lo, hi := 0, len(s.claims)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.claims[mid].compare(producer, slot) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(s.claims) && s.claims[lo].compare(producer, slot) == 0
}

func (c *claim) compare(producer uint64, slot uint32) int {
	if c.slot != slot {
		return cmp.Compare(c.slot, slot)
	}
	return cmp.Compare(c.producer, producer)
}

func (s *Slots) forgetLowest() {
	s.claims = s.claims[1:]
	s.start++
}

// insert keeps the order and stays within buf: when the end is reached, at least capacity-1 claims
// were forgotten since the last move, so moving costs O(1) per claim.
func (s *Slots) insert(at int, c claim) {
	if s.start+len(s.claims) == len(s.buf) {
		s.claims = s.buf[:copy(s.buf, s.claims)]
		s.start = 0
	}
	s.claims = slices.Insert(s.claims, at, c)
}

// Each calls f for every remembered claim, in rising order of slot.
func (s *Slots) Each(f func(producer uint64, slot uint32, id [32]byte)) {
	for i := range s.claims {
		f(s.claims[i].producer, s.claims[i].slot, s.claims[i].id)
	}
}
