package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"

	"bprelay/p2pwire"
)

// Claim gives a slot of an own producer to a block.
type Claim struct {
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	ID       p2pwire.ID
	// Foreign: the network has the block from elsewhere, and none of our nodes was let out with it. Its
	// slot is closed to every other block; no relay adopts it.
	Foreign bool
}

// kind says what an entry of the log is.
type kind uint8

const (
	kindClaim kind = iota + 1
	kindLead
	kindReign
)

// entry is one entry of the log.
type entry struct {
	kind   kind
	claim  Claim
	block  []byte // of a claim, optionally: the whole signed_block frame
	epoch  uint64 // of a lead's state: the reign it belongs to
	lead   []byte // what LeadChanged handed out
	member string // of a reign: who is active
}

// Layout, little endian:
//
//	version u8 | kind u8 | body
//	claim: flags u8 (1: foreign, 2: a block follows) | producer u64 | slot u32 | id 32 | block: the rest
//	lead:  epoch u64 | state: the rest, at least a byte
//	reign: member: the rest, 1 to 32 bytes
//
// A member that finds an entry it cannot read among the committed ones steps aside: a claim may be in
// it. So a new version, or kind, may be written only when every member has the software that reads it.
const (
	entryVersion = 1
	entryHead    = 2
	claimSize    = entryHead + 1 + 8 + 4 + 32
	leadHead     = entryHead + 8

	flagForeign = 1
	flagBlock   = 2

	// maxBlock (bytes) bounds a block's frame, maxLead the state of the lead.
	maxBlock = 4 << 20
	maxLead  = 256 << 10
	maxName  = 32
)

var errEntry = errors.New("not an entry of this version")

func (e *entry) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, claimSize+len(e.block)+len(e.lead)+len(e.member))
	b = append(b, entryVersion, byte(e.kind))
	switch e.kind {
	case kindClaim:
		var flags byte
		if e.claim.Foreign {
			flags |= flagForeign
		}
		if len(e.block) > 0 {
			flags |= flagBlock
		}
		b = append(b, flags)
		b = le.AppendUint64(b, uint64(e.claim.Producer))
		b = le.AppendUint32(b, uint32(e.claim.Slot))
		b = append(b, e.claim.ID[:]...)
		b = append(b, e.block...)
	case kindLead:
		b = le.AppendUint64(b, e.epoch)
		b = append(b, e.lead...)
	case kindReign:
		b = append(b, e.member...)
	}
	return b
}

// decodeEntry reads what encode writes, and nothing else; the entry keeps views of b.
func decodeEntry(b []byte) (e entry, err error) {
	le := binary.LittleEndian
	if len(b) < entryHead || b[0] != entryVersion {
		return e, fmt.Errorf("%w: %d bytes, beginning with %x", errEntry, len(b), b[:min(len(b), entryHead)])
	}
	e.kind = kind(b[1])
	switch e.kind {
	case kindClaim:
		if len(b) < claimSize {
			return entry{}, fmt.Errorf("%w: a claim of %d bytes", errEntry, len(b))
		}
		flags := b[entryHead]
		e.claim = Claim{
			Producer: p2pwire.Name(le.Uint64(b[3:])), Slot: p2pwire.Slot(le.Uint32(b[11:])), ID: p2pwire.ID(b[15:claimSize]),
			Foreign: flags&flagForeign != 0,
		}
		rest := b[claimSize:]
		if flags&^(flagForeign|flagBlock) != 0 || (flags&flagBlock != 0) != (len(rest) > 0) || len(rest) > maxBlock {
			return entry{}, fmt.Errorf("%w: a claim with flags %#x and a block of %d bytes", errEntry, flags, len(rest))
		}
		if len(rest) > 0 {
			e.block = rest
		}
	case kindLead:
		if len(b) <= leadHead || len(b) > leadHead+maxLead {
			return entry{}, fmt.Errorf("%w: a lead's state of %d bytes", errEntry, len(b))
		}
		e.epoch, e.lead = le.Uint64(b[entryHead:]), b[leadHead:]
	case kindReign:
		if n := len(b) - entryHead; n < 1 || n > maxName {
			return entry{}, fmt.Errorf("%w: a reign of a member whose name has %d bytes", errEntry, n)
		}
		e.member = string(b[entryHead:])
	default:
		return entry{}, fmt.Errorf("%w: kind %d", errEntry, b[1])
	}
	return e, nil
}
