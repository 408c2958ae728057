package dedup

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 picks one and prints it")

// seeded returns a random source whose seed is printed, and can be given again with -seed.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// digestOf returns a digest that is distinct per n.
func digestOf(n uint64) (d [32]byte) {
	binary.LittleEndian.PutUint64(d[:], n)
	return d
}

// windowModel is what Window promises, in the plainest form: a list in order of insertion.
type windowModel struct {
	capacity int
	maxAge   time.Duration
	now      time.Duration
	list     []modelEntry
}

type modelEntry struct {
	digest [32]byte
	at     time.Duration
}

func (m *windowModel) advance(now time.Duration) {
	m.now = max(m.now, now)
	m.list = slices.DeleteFunc(m.list, func(e modelEntry) bool {
		return m.maxAge > 0 && m.now-e.at > m.maxAge
	})
}

func (m *windowModel) index(digest [32]byte) int {
	return slices.IndexFunc(m.list, func(e modelEntry) bool { return e.digest == digest })
}

func (m *windowModel) Seen(now time.Duration, digest [32]byte) bool {
	m.advance(now)
	if m.index(digest) >= 0 {
		return true
	}
	if len(m.list) == m.capacity {
		m.list = m.list[1:]
	}
	m.list = append(m.list, modelEntry{digest, m.now})
	return false
}

func (m *windowModel) Contains(now time.Duration, digest [32]byte) bool {
	m.advance(now)
	return m.index(digest) >= 0
}

func (m *windowModel) Forget(digest [32]byte) {
	if i := m.index(digest); i >= 0 {
		m.list = slices.Delete(m.list, i, i+1)
	}
}

// checkLinks verifies the window's own structure: every held entry is in the ring of insertion
// order, oldest first, and in the chain of its bucket, once each; the rest is free.
func checkLinks(t *testing.T, w *Window) {
	t.Helper()
	var inRing, inChains, inFree int
	last := time.Duration(-1 << 63)
	for i := w.entries[0].newer; i != 0; i = w.entries[i].newer {
		inRing++
		if w.entries[i].at < last {
			t.Fatalf("entry %d is out of order in the ring", i)
		}
		last = w.entries[i].at
		if w.entries[w.entries[i].newer].older != i || inRing > len(w.entries) {
			t.Fatalf("ring broken at entry %d", i)
		}
	}
	for bucket, head := range w.heads {
		depth := 0
		for i := head; i != 0; i = w.entries[i].chain {
			depth++
			if int(w.entries[i].bucket) != bucket || depth > maxChain {
				t.Fatalf("chain of bucket %d broken at entry %d, depth %d", bucket, i, depth)
			}
		}
		inChains += depth
	}
	for i := w.free; i != 0 && inFree <= len(w.entries); i = w.entries[i].chain {
		inFree++
	}
	if inRing != w.Len() || inChains != w.Len() || inFree != int(w.used)-w.Len() {
		t.Fatalf("length %d: %d in the ring, %d in chains, %d of %d free", w.Len(), inRing, inChains, inFree, w.used)
	}
}

func TestWindowAgainstModel(t *testing.T) {
	r := seeded(t)
	for range 200 {
		capacity := 1 + r.IntN(40)
		maxAge := time.Duration(r.IntN(30)) * time.Second // 0: no age bound
		w := NewWindow(capacity, maxAge)
		m := &windowModel{capacity: capacity, maxAge: maxAge}
		now := time.Duration(0)
		for step := range 500 {
			switch r.IntN(10) {
			case 0:
				now += time.Duration(r.IntN(40)) * time.Second
			case 1, 2:
				now += time.Duration(r.IntN(1000)) * time.Millisecond
			case 3:
				now -= time.Duration(r.IntN(1000)) * time.Millisecond // must count as no time at all
			}
			d := digestOf(r.Uint64N(60))
			var got, want bool
			var op string
			switch r.IntN(10) {
			case 0:
				op, want = "Forget", m.index(d) >= 0
				m.Forget(d)
				if got = w.Forget(d); got && !want {
					got = false // it was held, but aged: both answers are right
				}
			case 1, 2:
				op, want, got = "Contains", m.Contains(now, d), w.Contains(now, d)
			default:
				op, want, got = "Seen", m.Seen(now, d), w.Seen(now, d)
			}
			if got != want {
				t.Fatalf("step %d, capacity %d, age %v: %s = %v, model %v", step, capacity, maxAge, op, got, want)
			}
			if w.Len() < len(m.list) || w.Len() > capacity {
				t.Fatalf("step %d: holds %d, model %d, capacity %d", step, w.Len(), len(m.list), capacity)
			}
		}
		checkLinks(t, w)
		for n := range uint64(60) {
			if got, want := w.Contains(now, digestOf(n)), m.Contains(now, digestOf(n)); got != want {
				t.Fatalf("at the end: Contains(%d) = %v, model %v", n, got, want)
			}
		}
	}
}

func TestWindowKeepsTheNewestInOrderOfInsertion(t *testing.T) {
	w := NewWindow(3, 0)
	for n := range uint64(3) {
		w.Seen(0, digestOf(n))
	}
	if !w.Seen(0, digestOf(0)) {
		t.Fatal("0 was not remembered")
	}
	w.Seen(0, digestOf(3)) // 0 goes although it was just asked for
	for n, want := range []bool{false, true, true, true} {
		if got := w.Contains(0, digestOf(uint64(n))); got != want {
			t.Errorf("Contains(%d) = %v, want %v", n, got, want)
		}
	}
}

func TestWindowAge(t *testing.T) {
	w := NewWindow(10, 5*time.Second)
	d := digestOf(1)
	w.Seen(time.Second, d)
	for _, step := range []struct {
		at   time.Duration
		seen bool
	}{
		{3 * time.Second, true},
		{6 * time.Second, true}, // maxAge to the nanosecond
		{6*time.Second + 1, false},
		{7 * time.Second, true},
		{2 * time.Second, true}, // a clock that stepped back
		{11*time.Second + 1, true},
		{11*time.Second + 2, false},
	} {
		if got := w.Contains(step.at, d); got != step.seen {
			t.Errorf("at %v: Contains = %v, want %v", step.at, got, step.seen)
		}
		if got := w.Seen(step.at, d); got != step.seen {
			t.Errorf("at %v: Seen = %v, want %v", step.at, got, step.seen)
		}
	}
}

func TestWindowClearsABacklogInSmallSteps(t *testing.T) {
	const n = 1000
	w := NewWindow(n, time.Second)
	for i := range uint64(n) {
		w.Seen(0, digestOf(i))
	}
	for i := range uint64(n) {
		before := w.Len()
		w.Seen(time.Minute, digestOf(n+i))
		if dropped := before + 1 - w.Len(); dropped > expirePerInsert {
			t.Fatalf("insertion %d dropped %d", i, dropped)
		}
	}
	if w.Len() != n {
		t.Fatalf("holds %d, want the %d new ones", w.Len(), n)
	}
	checkLinks(t, w)
}

// TestWindowComparesTheWholeDigest changes each single bit of a digest that shares its bucket.
func TestWindowComparesTheWholeDigest(t *testing.T) {
	var base [32]byte
	for bit := range 256 {
		w := newWindow(4, 0, 1, 0)
		w.Seen(0, base)
		twin := base
		twin[bit/8] ^= 1 << (bit % 8)
		if w.Contains(0, twin) || w.Seen(0, twin) {
			t.Fatalf("a digest that differs in bit %d counted as seen", bit)
		}
		if !w.Contains(0, base) || !w.Contains(0, twin) {
			t.Fatalf("bit %d: lost one of the two", bit)
		}
	}
}

// TestWindowBoundsAChain puts everything into one bucket, as somebody who knew the seed could.
func TestWindowBoundsAChain(t *testing.T) {
	w := newWindow(1000, 0, 1, 0)
	for n := range uint64(500) {
		if w.Seen(0, digestOf(n)) {
			t.Fatalf("%d counted as seen", n)
		}
		if !w.Contains(0, digestOf(n)) {
			t.Fatalf("%d is not remembered", n)
		}
	}
	if w.Len() != maxChain {
		t.Fatalf("holds %d in one bucket, want %d", w.Len(), maxChain)
	}
	if w.Contains(0, digestOf(500-maxChain-1)) || !w.Contains(0, digestOf(500-maxChain)) {
		t.Fatal("not the oldest were dropped")
	}
	checkLinks(t, w)
}

func TestWindowSeedsDiffer(t *testing.T) {
	a, b := NewWindow(1<<10, 0), NewWindow(1<<10, 0)
	same := 0
	for n := range uint64(64) {
		d := digestOf(n)
		if a.bucketOf(&d) == b.bucketOf(&d) {
			same++
		}
	}
	if same > 8 {
		t.Fatalf("%d of 64 digests have the same bucket in two windows", same)
	}
}

func TestWindowTinyCapacities(t *testing.T) {
	for _, capacity := range []int{-1, 0, 1} {
		w := NewWindow(capacity, time.Second)
		for n := range uint64(10) {
			if w.Seen(0, digestOf(n)) || !w.Seen(0, digestOf(n)) || w.Len() != 1 {
				t.Fatalf("capacity %d: wrong after %d", capacity, n)
			}
		}
		if !w.Forget(digestOf(9)) || w.Forget(digestOf(9)) || w.Len() != 0 {
			t.Fatalf("capacity %d: Forget is wrong", capacity)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add(uint8(3), uint8(2), []byte("\x00\x01\x02\x43\x84\xc5\x00\x00"))
	f.Fuzz(func(t *testing.T, capacity, age uint8, ops []byte) {
		w := newWindow(int(capacity)+1, time.Duration(age), 4, 1)
		m := &windowModel{capacity: int(capacity) + 1, maxAge: time.Duration(age)}
		now := time.Duration(0)
		for _, op := range ops[:min(len(ops), 4*maxChain-4)] { // so that no chain is cut short
			d := digestOf(uint64(op & 0x1f))
			now += time.Duration(op >> 5 & 1)
			if op>>6 == 3 {
				m.advance(now)
				m.Forget(d)
				w.Contains(now, d) // lets both see the same time
				w.Forget(d)
			} else if got, want := w.Seen(now, d), m.Seen(now, d); got != want {
				t.Fatalf("Seen = %v, model %v", got, want)
			}
		}
		checkLinks(t, w)
	})
}
