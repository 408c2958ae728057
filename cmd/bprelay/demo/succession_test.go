package demo

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
)

// state is a slot of which the observer got a block so many ms after its timestamp.
func state(slot p2pwire.Slot, ms int) checker.SlotState {
	return checker.SlotState{Slot: slot, IDs: []p2pwire.ID{blockID(1, 1)}, First: time.Duration(ms) * time.Millisecond}
}

// Slot 2400 is the first of a round: block i is due 37.5 ms x (i+1) before its timestamp.
func TestSuccession(t *testing.T) {
	lost := func(slot p2pwire.Slot) checker.SlotState { return checker.SlotState{Slot: slot} }
	kill := p2pwire.Slot(2401).Time() + int64(100*time.Millisecond)
	for _, c := range []struct {
		name  string
		slots []checker.SlotState
		want  float64
	}{
		{"the next one is 150 ms behind", []checker.SlotState{state(2400, -37), state(2401, -75), state(2402, 38), state(2403, -150)}, 150.5},
		{"one is lost, the next one in time", []checker.SlotState{state(2400, -37), state(2401, -75), lost(2402), state(2403, -150)}, 462.5},
		{"what was due before the kill counts from that", []checker.SlotState{state(2400, -37), state(2401, 130), state(2402, 150)}, 30},
		{"nothing came in this round", []checker.SlotState{state(2401, -75), lost(2402), state(2436, -37)}, 0},
		{"another round", []checker.SlotState{state(2436, 300)}, 0},
	} {
		if got := succession(c.slots, []int64{kill}); got.Max != c.want || got.P50 != c.want {
			t.Errorf("%s: %+v, want %v", c.name, got, c.want)
		}
	}
	if got := succession(nil, nil); got != (Succession{}) {
		t.Errorf("without kills: %+v", got)
	}
}

func TestLateSlots(t *testing.T) {
	if n := lateSlots([]checker.SlotState{state(1, -1), state(2, 0), state(3, 1), {Slot: 4, First: time.Second}}); n != 1 {
		t.Errorf("%d, want 1", n)
	}
}
