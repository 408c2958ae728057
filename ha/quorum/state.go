package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"bprelay/dedup"
	"bprelay/p2pwire"
)

const (
	// maxClaims is how many claims are remembered; slots below the oldest are closed (dedup.Slots). It is
	// part of what all members must agree upon: another number is another version of the snapshot.
	maxClaims = 4096
	// maxRecent is how many of the newest claims a relay adopts that did not see them decided (two runs
	// of three rounds).
	maxRecent = 72
)

// Reign is who is active. There is one at a time, in the order of the log.
type Reign struct {
	// Epoch is the place in the log of the entry that began it: it grows with every change.
	Epoch uint64
	// Term is raft's, in which it began: with another leader's term it is over.
	Term uint64
	// Member is the active relay's name; empty: there was none yet.
	Member string
}

// Decision is the answer to a claim that was proposed.
type Decision struct {
	// Winner is the id that has the slot, if Known.
	Winner p2pwire.ID
	// Known is false for a slot so old that its claim, if there was one, is forgotten: nobody gets it.
	Known bool
}

// state is what all members agree upon: it depends on the committed entries and their order alone.
type state struct {
	slots  *dedup.Slots
	recent []Claim // the newest decided, in the order they were
	reign  Reign
	lead   []byte // of the present reign, or of the last that had one
}

func newState() *state { return &state{slots: dedup.NewSlots(maxClaims)} }

// claim decides a slot: whoever comes first has it. first tells that it was this one.
func (s *state) claim(cl Claim) (d Decision, first bool) {
	switch s.slots.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID) {
	case dedup.Claimed:
		s.recent = append(s.recent, cl)
		if len(s.recent) > maxRecent {
			s.recent = slices.Delete(s.recent, 0, len(s.recent)-maxRecent)
		}
		return Decision{cl.ID, true}, true
	case dedup.BelowFloor:
		return Decision{}, false
	default:
		return s.decision(cl.Producer, cl.Slot), false
	}
}

// decision is what a slot's claims came to so far; not Known: there was none, or it is forgotten.
func (s *state) decision(producer p2pwire.Name, slot p2pwire.Slot) Decision {
	id, ok := s.slots.Get(uint64(producer), uint32(slot))
	return Decision{id, ok}
}

// rule begins a reign.
func (s *state) rule(member string, index, term uint64) {
	s.reign = Reign{Epoch: index, Term: term, Member: member}
}

// setLead takes a lead's state, unless it is of a reign that is over.
func (s *state) setLead(epoch uint64, lead []byte) bool {
	if epoch != s.reign.Epoch {
		return false
	}
	s.lead = slices.Clone(lead)
	return true
}

// Snapshot, little endian: version u8 | floor u32 | reign: epoch u64, term u64, name u8+n | lead u32+n |
// claims u32, each producer u64, slot u32, id 32 | recent u8, each flags u8, producer u64, slot u32, id 32
// | CRC-32C of all before.
const snapshotVersion = 1

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errSnapshot = errors.New("not a snapshot of this version")
)

func (s *state) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, 64+len(s.lead)+44*s.slots.Len()+45*len(s.recent))
	b = append(b, snapshotVersion)
	b = le.AppendUint32(b, s.slots.Floor())
	b = le.AppendUint64(b, s.reign.Epoch)
	b = le.AppendUint64(b, s.reign.Term)
	b = append(b, byte(len(s.reign.Member)))
	b = append(b, s.reign.Member...)
	b = le.AppendUint32(b, uint32(len(s.lead)))
	b = append(b, s.lead...)
	b = le.AppendUint32(b, uint32(s.slots.Len()))
	s.slots.Each(func(producer uint64, slot uint32, id [32]byte) {
		b = le.AppendUint64(b, producer)
		b = le.AppendUint32(b, slot)
		b = append(b, id[:]...)
	})
	b = append(b, byte(len(s.recent)))
	for _, cl := range s.recent {
		var flags byte
		if cl.Foreign {
			flags = flagForeign
		}
		b = append(b, flags)
		b = le.AppendUint64(b, uint64(cl.Producer))
		b = le.AppendUint32(b, uint32(cl.Slot))
		b = append(b, cl.ID[:]...)
	}
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeState reads what encode writes, and nothing else.
func decodeState(b []byte) (*state, error) {
	le := binary.LittleEndian
	if len(b) < 4 || crc32.Checksum(b[:len(b)-4], castagnoli) != le.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("%w: %d bytes with a wrong checksum", errSnapshot, len(b))
	}
	r := reader{b: b[:len(b)-4]}
	if v := r.u8(); v != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d", errSnapshot, v)
	}
	s := newState()
	floor := r.u32()
	s.reign.Epoch, s.reign.Term = r.u64(), r.u64()
	s.reign.Member = string(r.take(int(r.u8())))
	if lead := r.take(int(r.u32())); len(lead) > 0 {
		s.lead = slices.Clone(lead)
	}
	n, last := r.u32(), uint64(0)
	for i := uint32(0); i < n && r.err == nil; i++ {
		producer, slot := r.u64(), r.u32()
		id := p2pwire.ID(r.id())
		if r.err == nil && (s.slots.Claim(producer, slot, id) != dedup.Claimed || uint64(slot) < last) {
			return nil, fmt.Errorf("%w: claim %d of %d is out of order", errSnapshot, i+1, n)
		}
		last = uint64(slot)
	}
	s.slots.SetFloor(floor)
	for range r.u8() {
		flags := r.u8()
		cl := Claim{Producer: p2pwire.Name(r.u64()), Slot: p2pwire.Slot(r.u32()), ID: r.id(), Foreign: flags == flagForeign}
		if flags > flagForeign {
			return nil, fmt.Errorf("%w: flags %#x", errSnapshot, flags)
		}
		s.recent = append(s.recent, cl)
	}
	if r.err != nil || len(r.b) > 0 || len(s.reign.Member) > maxName || len(s.lead) > maxLead || n > maxClaims || len(s.recent) > maxRecent {
		return nil, fmt.Errorf("%w: its parts do not fit its size", errSnapshot)
	}
	return s, nil
}

// reader takes a snapshot apart; after an error everything it returns is zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.err = errSnapshot
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8 {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if p := r.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (r *reader) id() (id p2pwire.ID) {
	copy(id[:], r.take(len(id)))
	return id
}
