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
	// Agreed: the other relays of a cluster agreed, or decided. A claim that is neither is this relay's word
	// alone, and gives way to one that is.
	Agreed bool
}

// kind is what a record says of the claim.
func (c *Claim) kind() kind {
	switch {
	case c.Foreign:
		return kindForeign
	case c.Agreed:
		return kindAgreed
	}
	return kindClaim
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
	firm    map[[32]byte]kind // claims that are more than this relay's word: kindForeign, kindAgreed
	marks   map[[32]byte]uint32
	settled map[[32]byte]uint32
	enc     encoder
}

func newLedger(chain [32]byte) *Ledger {
	return &Ledger{
		chain: chain, book: dedup.NewSlots(maxClaims),
		fences: map[uint64]uint32{}, firm: map[[32]byte]kind{},
		marks: map[[32]byte]uint32{}, settled: map[[32]byte]uint32{},
	}
}

// Claim enters a claim; false means that the slot belongs to another block, or is too old to tell. What the
// cluster agreed to, or the network has, takes the place of another block that was claimed by this relay's
// word alone.
func (l *Ledger) Claim(c Claim) bool {
	k := c.kind()
	switch l.book.Claim(c.Producer, c.Slot, c.ID) {
	case dedup.Claimed:
	case dedup.Same:
		if k != kindAgreed || l.firm[c.ID] != 0 {
			return true // nothing new
		}
	case dedup.Taken:
		if id, _ := l.book.Get(c.Producer, c.Slot); k == kindClaim || l.firm[id] != 0 {
			return false
		}
		l.book.Replace(c.Producer, c.Slot, c.ID)
	default:
		return false
	}
	if k != kindClaim {
		l.firm[c.ID] = k
	}
	return true
}

// Agree notes that the cluster agreed to a claim that was made alone, and tells whether that is news.
func (l *Ledger) Agree(c Claim) bool {
	id, ok := l.book.Get(c.Producer, c.Slot)
	if !ok || id != c.ID || l.firm[id] != 0 {
		return false
	}
	l.firm[id] = kindAgreed
	return true
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
	return record{kind: c.kind(), slot: c.Slot, number: c.Producer, id: c.ID, wall: wall}
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
	known := map[[32]byte]kind{}
	for _, c := range l.claims() {
		if k := c.kind(); k != kindClaim {
			known[c.ID] = k
		}
		add(c.record(wall))
	}
	l.firm = known
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

// claims are all that are remembered, in rising order of slot.
func (l *Ledger) claims() (list []Claim) {
	l.book.Each(func(producer uint64, slot uint32, id [32]byte) {
		k := l.firm[id]
		list = append(list, Claim{Producer: producer, Slot: slot, ID: id, Foreign: k == kindForeign, Agreed: k == kindAgreed})
	})
	return list
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
