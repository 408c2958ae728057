package journal

import (
	"cmp"
	"slices"

	"bprelay/dedup"
)

// Claim is a slot of an own producer that has its block, for ever.
type Claim struct {
	Producer uint64 // the account name's number
	Slot     uint32 // block timestamp in units of 500 ms since 2000-01-01T00:00:00Z
	ID       [32]byte
	// Foreign: the network has the block from elsewhere.
	Foreign bool
}

// Mark says up to which slot votes of a finalizer may have left.
type Mark struct {
	Key  [32]byte // SHA-256 of the finalizer's public key
	Slot uint32
}

const (
	// maxClaims is how many claims are remembered, as many as the relay's claim book holds: 341 rounds.
	maxClaims = 4096
	// maxMarks bounds the finalizers; those whose marks are the oldest go first.
	maxMarks = 256
)

// Ledger is what a journal remembers. It does no I/O: the journal writes what it encodes to its file,
// a simulation to memory.
type Ledger struct {
	chain   [32]byte
	fences  map[uint64]uint32 // own producers: last slot whose history is unknown
	book    *dedup.Slots
	foreign map[[32]byte]bool
	marks   map[[32]byte]uint32
	settled map[[32]byte]uint32
	enc     encoder
}

func newLedger(chain [32]byte) *Ledger {
	return &Ledger{
		chain: chain, book: dedup.NewSlots(maxClaims),
		fences: map[uint64]uint32{}, foreign: map[[32]byte]bool{},
		marks: map[[32]byte]uint32{}, settled: map[[32]byte]uint32{},
	}
}

// Claim enters a claim; false means that the slot belongs to another block, or is too old to tell.
func (l *Ledger) Claim(c Claim) bool {
	r := l.book.Claim(c.Producer, c.Slot, c.ID)
	if r == dedup.Claimed && c.Foreign {
		l.foreign[c.ID] = true
	}
	return r == dedup.Claimed || r == dedup.Same
}

// Mark raises a finalizer's mark.
func (l *Ledger) Mark(m Mark) {
	l.marks[m.Key] = max(l.marks[m.Key], m.Slot)
	delete(l.settled, m.Key)
}

// Settle tells which mark is enough for a finalizer, now that no more votes leave: the next Snapshot
// has that one.
func (l *Ledger) Settle(m Mark) { l.settled[m.Key] = m.Slot }

// AppendClaim encodes what goes to the end of the file that the last Snapshot began; wall is the
// time, in ns since the Unix epoch.
func (l *Ledger) AppendClaim(dst []byte, c Claim, wall int64) []byte {
	return l.enc.append(dst, c.record(wall))
}

// AppendMark encodes a mark: see AppendClaim.
func (l *Ledger) AppendMark(dst []byte, m Mark, wall int64) []byte {
	return l.enc.append(dst, record{kind: kindMark, slot: m.Slot, id: m.Key, wall: wall})
}

// AppendBeat encodes a sign of life: see AppendClaim.
func (l *Ledger) AppendBeat(dst []byte, wall int64) []byte {
	return l.enc.append(dst, record{kind: kindBeat, wall: wall})
}

func (c *Claim) record(wall int64) record {
	k := kindClaim
	if c.Foreign {
		k = kindForeign
	}
	return record{kind: k, slot: c.Slot, number: c.Producer, id: c.ID, wall: wall}
}

// Snapshot encodes a whole new file, named by a nonce that was never used before. It begins a new
// numbering: see snapshot for one that may fail.
func (l *Ledger) Snapshot(nonce [32]byte, wall int64) []byte {
	data, enc := l.snapshot(nonce, wall)
	l.enc = enc
	return data
}

func (l *Ledger) snapshot(nonce [32]byte, wall int64) ([]byte, encoder) {
	enc := encoder{nonce: nonce, next: 1}
	b := header(nonce, 0, wall)
	add := func(r record) { r.wall = wall; b = enc.append(b, r) }
	add(record{kind: kindChain, id: l.chain})
	for _, name := range sortedKeys(l.fences, cmp.Compare[uint64]) {
		add(record{kind: kindProducer, number: name, slot: l.fences[name]})
	}
	known := map[[32]byte]bool{}
	l.book.Each(func(producer uint64, slot uint32, id [32]byte) {
		if l.foreign[id] {
			known[id] = true
		}
		add((&Claim{Producer: producer, Slot: slot, ID: id, Foreign: l.foreign[id]}).record(wall))
	})
	l.foreign = known
	add(record{kind: kindFloor, slot: l.book.Floor()})
	for key, slot := range l.settled {
		l.marks[key] = slot
	}
	clear(l.settled)
	for _, m := range l.newestMarks() {
		add(record{kind: kindMark, id: m.Key, slot: m.Slot})
	}
	add(record{kind: kindSeal})
	return b, enc
}

// newestMarks forgets the oldest marks above the bound and returns the others.
func (l *Ledger) newestMarks() []Mark {
	list := make([]Mark, 0, len(l.marks))
	for key, slot := range l.marks {
		list = append(list, Mark{key, slot})
	}
	slices.SortFunc(list, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(b.Slot, a.Slot), slices.Compare(a.Key[:], b.Key[:]))
	})
	for len(list) > maxMarks {
		delete(l.marks, list[len(list)-1].Key)
		list = list[:len(list)-1]
	}
	return list
}

func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}
