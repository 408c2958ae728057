package dedup

import (
	"testing"
)

func TestSlotsClaimIsMadeOnce(t *testing.T) {
	const alice, bob = 0x345c850000000000, 0x3d0e000000000000
	x, y := digestOf(1), digestOf(2)
	s := NewSlots(8)
	for i, step := range []struct {
		producer uint64
		slot     uint32
		id       [32]byte
		want     Result
	}{
		{alice, 100, x, Claimed},
		{alice, 100, x, Same},
		{alice, 100, y, Taken},
		{alice, 100, x, Same},
		{bob, 100, y, Claimed}, // another producer's slot is another slot
		{alice, 99, y, Claimed},
		{alice, 101, x, Claimed}, // one id in two slots is the caller's concern
		{alice, 99, x, Taken},
	} {
		if got := s.Claim(step.producer, step.slot, step.id); got != step.want {
			t.Fatalf("step %d: %v, want %v", i, got, step.want)
		}
	}
	if id, ok := s.Get(bob, 100); !ok || id != y {
		t.Fatalf("Get = %x, %v", id, ok)
	}
	if _, ok := s.Get(bob, 101); ok {
		t.Fatal("Get found a claim nobody made")
	}
	if s.Len() != 4 {
		t.Fatalf("%d claims, want 4", s.Len())
	}
}

func TestSlotsFloor(t *testing.T) {
	x, y := digestOf(1), digestOf(2)
	s := NewSlots(8)
	s.Claim(1, 10, x)
	s.SetFloor(20)
	s.SetFloor(5)
	if s.Floor() != 20 {
		t.Fatalf("floor %d, want 20", s.Floor())
	}
	for i, step := range []struct {
		slot uint32
		id   [32]byte
		want Result
	}{
		{10, x, Same}, // remembered, although closed
		{10, y, Taken},
		{11, x, BelowFloor},
		{20, x, BelowFloor},
		{21, x, Claimed},
		{0, x, BelowFloor},
	} {
		if got := s.Claim(1, step.slot, step.id); got != step.want {
			t.Errorf("step %d, slot %d: %v, want %v", i, step.slot, got, step.want)
		}
	}
}

func TestSlotsFullRaisesTheFloor(t *testing.T) {
	s := NewSlots(3)
	for slot := uint32(10); slot < 13; slot++ {
		s.Claim(1, slot, digestOf(1))
	}
	if s.Floor() != 0 {
		t.Fatalf("floor %d before the book is full", s.Floor())
	}
	for i, step := range []struct {
		producer uint64
		slot     uint32
		want     Result
		floor    uint32
	}{
		{1, 13, Claimed, 10},    // 10 is forgotten
		{1, 10, BelowFloor, 10}, // and stays closed
		{1, 20, Claimed, 11},
		{2, 12, BelowFloor, 12}, // same slot as the lowest claim: nothing older to forget
		{1, 12, Same, 12},
		{2, 13, Claimed, 12},      // forgets 12, which the floor covered already
		{1, 12, BelowFloor, 12},   // so it cannot come again
		{3, 13, BelowFloor, 13},   // 13 (1), 13 (2), 20
		{1, 1000, Claimed, 13},    // forgets 13 (1)
		{1, 13, BelowFloor, 13},   //
		{2, 13, Same, 13},         //
		{1, 15, Claimed, 13},      // above the floor, between older claims
		{2, 13, BelowFloor, 13},   // it took the place of this one
		{1, 14, BelowFloor, 14},   // 15, 20, 1000 are remembered: nothing older to forget
		{1, 500, Claimed, 15},     //
		{1, 1000, Same, 15},       //
		{1, 1 << 31, Claimed, 20}, // 500, 1000, 2^31
	} {
		if got := s.Claim(step.producer, step.slot, digestOf(1)); got != step.want || s.Floor() != step.floor {
			t.Fatalf("step %d: Claim(%d, %d) = %v with floor %d, want %v, %d",
				i, step.producer, step.slot, got, s.Floor(), step.want, step.floor)
		}
	}
}

// slotKey is one slot of one producer.
type slotKey struct {
	producer uint64
	slot     uint32
}

// TestSlotsAgainstModel holds the book to its promise over random claims: every claim ever granted
// is kept in a plain map. None is granted twice, none is changed, none is forgotten above the floor,
// the floor never moves back, and above the floor no free slot is refused while there is room.
func TestSlotsAgainstModel(t *testing.T) {
	r := seeded(t)
	for range 200 {
		capacity := 1 + r.IntN(30)
		s := NewSlots(capacity)
		granted := map[slotKey][32]byte{}
		head, floor := uint32(1000), uint32(0)
		for step := range 400 {
			key := slotKey{producer: r.Uint64N(2), slot: head - r.Uint32N(40)}
			switch r.IntN(6) {
			case 0, 1, 2:
				head++
				key.slot = head
			case 3:
				if r.IntN(20) == 0 {
					s.SetFloor(head - r.Uint32N(60))
				}
			}
			before, full := s.Floor(), s.Len() == capacity
			id := digestOf(r.Uint64N(3))
			owner, ever := granted[key]
			_, remembered := s.Get(key.producer, key.slot)
			got := s.Claim(key.producer, key.slot, id)
			switch got {
			case Claimed:
				if ever || key.slot <= before {
					t.Fatalf("step %d: %v granted, owned before: %v, floor %d", step, key, ever, before)
				}
				granted[key] = id
			case Same, Taken:
				if !ever || (owner == id) != (got == Same) {
					t.Fatalf("step %d: %v of %x is %v, granted to %x: %v", step, key, id, got, owner, ever)
				}
			case BelowFloor:
				if key.slot > s.Floor() || remembered || (key.slot > before && !full) {
					t.Fatalf("step %d: %v refused, floor %d, then %d, full %v, remembered %v", step, key, before, s.Floor(), full, remembered)
				}
			default:
				t.Fatalf("step %d: %v", step, got)
			}
			if s.Floor() < floor || s.Len() > capacity {
				t.Fatalf("step %d: floor %d after %d, %d claims of %d", step, s.Floor(), floor, s.Len(), capacity)
			}
			floor = s.Floor()
			for key, owner := range granted {
				id, ok := s.Get(key.producer, key.slot)
				if ok && id != owner || !ok && key.slot > floor {
					t.Fatalf("step %d: claim %v of %x is now %x, remembered %v, floor %d", step, key, owner, id, ok, floor)
				}
			}
		}
	}
}

func TestSlotsZeroValueClaimsNothing(t *testing.T) {
	var s Slots
	if got := s.Claim(1, 7, digestOf(1)); got != BelowFloor || s.Len() != 0 {
		t.Fatalf("%v, %d claims", got, s.Len())
	}
}

func TestResultString(t *testing.T) {
	for r, want := range map[Result]string{
		0: "result_0", Claimed: "claimed", Same: "same", Taken: "taken", BelowFloor: "below_floor",
	} {
		if got := r.String(); got != want {
			t.Errorf("%d: %q, want %q", r, got, want)
		}
	}
}
