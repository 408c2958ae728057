package dedup

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	// maxChain is the most digests one bucket may hold, and so the most a look-up compares. With
	// at most one digest per two buckets a chain this long does not come up by chance; were the
	// seed ever guessed, a look-up would still cost no more than this.
	maxChain = 32

	// expirePerInsert is how many aged digests an insertion drops at most. More than one, so that
	// a backlog shrinks; few, so that no single frame pays for a quiet hour.
	expirePerInsert = 4

	// maxCapacity keeps positions within uint32 and memory within reason (72 GiB).
	maxCapacity = 1 << 30
)

// Window is a bounded set of 32-byte content digests: the digests first seen during the last
// maxAge, of these the newest capacity ones. What is forgotten goes in order of insertion; seeing a
// digest again does not prolong its stay.
//
// The index is keyed by xxhash under a random seed, so that whoever chooses digests cannot choose
// where they land. All memory (64 to 72 bytes per digest) is reserved by [NewWindow]; it becomes
// resident with use. The zero value is not usable. Not safe for concurrent use.
type Window struct {
	// entries[0] is no entry: its older and newer close the insertion order into a ring, and
	// position 0 reads as "none" in a chain.
	entries []entry
	heads   []uint32 // bucket -> newest entry of its chain
	free    uint32   // removed entries, linked through chain
	used    uint32   // entries[1..used] have been in use
	length  int
	maxAge  time.Duration
	now     time.Duration
	seed    uint64
	digest  xxhash.Digest
}

// entry is one remembered digest, in a chain of its bucket and in the ring of insertion order.
type entry struct {
	digest [32]byte
	at     time.Duration
	bucket uint32
	chain  uint32 // next older entry of the same bucket
	older  uint32
	newer  uint32
}

// NewWindow returns an empty window for at most capacity digests, each remembered for maxAge after
// it was first seen. A capacity below 1 counts as 1, one above 2^30 as 2^30; with a maxAge of zero
// or less nothing is forgotten by age. A window too small for the traffic of maxAge passes late
// duplicates on.
func NewWindow(capacity int, maxAge time.Duration) *Window {
	capacity = min(max(capacity, 1), maxCapacity)
	buckets := 1 << bits.Len(uint(2*capacity-1))
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never returns an error: crypto/rand ends the process instead
	return newWindow(capacity, maxAge, buckets, binary.LittleEndian.Uint64(seed[:]))
}

// newWindow is NewWindow with the index laid open to tests; buckets is a power of two.
func newWindow(capacity int, maxAge time.Duration, buckets int, seed uint64) *Window {
	return &Window{
		entries: make([]entry, capacity+1),
		heads:   make([]uint32, buckets),
		maxAge:  maxAge,
		seed:    seed,
	}
}

// Seen reports whether digest is remembered, and remembers it if not. now is the time on the
// caller's monotonic clock; a value before an earlier call's counts as that one.
func (w *Window) Seen(now time.Duration, digest [32]byte) bool {
	w.now = max(w.now, now)
	bucket := w.bucketOf(&digest)
	i, depth := w.find(bucket, &digest)
	if i != 0 {
		if !w.aged(i) {
			return true
		}
		w.remove(i)
		depth--
	}
	for range expirePerInsert {
		if w.length == 0 || !w.aged(w.oldest()) {
			break
		}
		w.remove(w.oldest())
	}
	if w.length == w.capacity() {
		w.remove(w.oldest())
	}
	if depth >= maxChain {
		w.shorten(bucket)
	}
	w.insert(bucket, &digest)
	return false
}

// Contains reports whether digest is remembered at now, and changes nothing.
func (w *Window) Contains(now time.Duration, digest [32]byte) bool {
	w.now = max(w.now, now)
	i, _ := w.find(w.bucketOf(&digest), &digest)
	return i != 0 && !w.aged(i)
}

// Forget drops digest, so that its next appearance counts as the first, and makes room for another.
// It reports whether the digest was held.
func (w *Window) Forget(digest [32]byte) bool {
	i, _ := w.find(w.bucketOf(&digest), &digest)
	if i == 0 {
		return false
	}
	w.remove(i)
	return true
}

// Len returns how many digests are held. Aged ones count until an insertion has cleared them away,
// a few at a time.
func (w *Window) Len() int { return w.length }

func (w *Window) capacity() int { return len(w.entries) - 1 }

func (w *Window) oldest() uint32 { return w.entries[0].newer }

func (w *Window) aged(i uint32) bool {
	return w.maxAge > 0 && w.now-w.entries[i].at > w.maxAge
}

func (w *Window) bucketOf(digest *[32]byte) uint32 {
	w.digest.ResetWithSeed(w.seed)
	_, _ = w.digest.Write(digest[:]) // never fails
	return uint32(w.digest.Sum64()) & uint32(len(w.heads)-1)
}

// find returns the position of digest in the bucket's chain, 0 if it is not there, and the number
// of entries it looked at: without a match that is the chain's length.
func (w *Window) find(bucket uint32, digest *[32]byte) (i uint32, depth int) {
	for i = w.heads[bucket]; i != 0; i = w.entries[i].chain {
		depth++
		if w.entries[i].digest == *digest {
			return i, depth
		}
	}
	return 0, depth
}

// shorten removes the oldest entries of a full chain.
func (w *Window) shorten(bucket uint32) {
	depth := 0
	for i := w.heads[bucket]; i != 0; {
		next := w.entries[i].chain
		if depth++; depth >= maxChain {
			w.remove(i)
		}
		i = next
	}
}

func (w *Window) insert(bucket uint32, digest *[32]byte) {
	i := w.free
	if i != 0 {
		w.free = w.entries[i].chain
	} else {
		w.used++
		i = w.used
	}
	newest := w.entries[0].older
	w.entries[i] = entry{digest: *digest, at: w.now, bucket: bucket, chain: w.heads[bucket], older: newest}
	w.heads[bucket] = i
	w.entries[newest].newer = i
	w.entries[0].older = i
	w.length++
}

func (w *Window) remove(i uint32) {
	e := &w.entries[i]
	link := &w.heads[e.bucket]
	for *link != i {
		link = &w.entries[*link].chain
	}
	*link = e.chain
	w.entries[e.older].newer = e.newer
	w.entries[e.newer].older = e.older
	e.chain = w.free
	w.free = i
	w.length--
}
