package dedup

import (
	"encoding/binary"
	"testing"
	"time"
)

const benchCapacity = 1 << 17

// fullWindow returns a window in its steady state: full, every digest about to be pushed out.
func fullWindow() (*Window, uint64) {
	w := NewWindow(benchCapacity, time.Minute)
	n := uint64(0)
	for ; n < 2*benchCapacity; n++ {
		w.Seen(time.Duration(n), digestOf(n))
	}
	return w, n
}

// BenchmarkHotWindowNew: a digest not seen before, evicting the oldest.
func BenchmarkHotWindowNew(b *testing.B) {
	w, n := fullWindow()
	var d [32]byte
	b.ReportAllocs()
	for b.Loop() {
		n++
		binary.LittleEndian.PutUint64(d[:], n)
		if w.Seen(time.Duration(n), d) {
			b.Fatal("seen")
		}
	}
}

// BenchmarkHotWindowDuplicate: a digest that is there, anywhere in the window.
func BenchmarkHotWindowDuplicate(b *testing.B) {
	w, n := fullWindow()
	var d [32]byte
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		i++
		binary.LittleEndian.PutUint64(d[:], n-1-i*7919%benchCapacity)
		if !w.Seen(time.Duration(n), d) {
			b.Fatal("not seen")
		}
	}
}

// BenchmarkHotWindowExpire: every insertion clears away what has aged.
func BenchmarkHotWindowExpire(b *testing.B) {
	w := NewWindow(benchCapacity, 1000)
	var d [32]byte
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		binary.LittleEndian.PutUint64(d[:], n)
		w.Seen(time.Duration(n), d)
	}
}

// BenchmarkHotSlotsClaim: the next slot's claim in a full book.
func BenchmarkHotSlotsClaim(b *testing.B) {
	s := NewSlots(4096)
	slot := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		slot++
		if s.Claim(1, slot, digestOf(uint64(slot))) != Claimed {
			b.Fatal("not claimed")
		}
	}
}

// BenchmarkHotSlotsSame: a claim asked for again, anywhere in a full book.
func BenchmarkHotSlotsSame(b *testing.B) {
	const capacity = 4096
	s := NewSlots(capacity)
	id := digestOf(1)
	for slot := range uint32(capacity) {
		s.Claim(1, slot+1, id)
	}
	i := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		i++
		if s.Claim(1, 1+i*7919%capacity, id) != Same {
			b.Fatal("not the same")
		}
	}
}

// TestNoAllocation holds the promise of the benchmarks in every test run.
func TestNoAllocation(t *testing.T) {
	w := NewWindow(100, 50)
	s := NewSlots(100)
	n := uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		n++
		w.Seen(time.Duration(n), digestOf(n))
		w.Contains(time.Duration(n), digestOf(n))
		w.Forget(digestOf(n - 3))
		s.Claim(1, uint32(n), digestOf(n))
		s.Claim(1, uint32(n)-50, digestOf(0))
		s.Get(1, uint32(n))
		s.SetFloor(uint32(n) - 90)
	}); got != 0 {
		t.Fatalf("%v allocations per run", got)
	}
}
