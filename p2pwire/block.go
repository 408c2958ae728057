package p2pwire

import (
	"crypto/sha256"
	"encoding/binary"
)

// ScheduleVersionSavanna is the schedule_version of a proper Savanna block.
const ScheduleVersionSavanna = 0x80000000

// fixedHeader is the size of a block header's fixed part: everything before
// new_producers.
const fixedHeader = 114

// QCClaim is the finality extension's qc_claim: the latest block the header's
// producer knows a quorum certificate for.
type QCClaim struct {
	Num    uint32
	Strong bool
}

// Block is a view of a signed_block (index 7). The exported fields are read
// from the header; the only pointer is the body it was parsed from, so copies
// are cheap and share it.
type Block struct {
	Slot             Slot
	Producer         Name
	Confirmed        uint16 // legacy only
	Previous         ID
	TransactionMRoot ID
	ActionMRoot      ID // Savanna: root of the finality tree
	ScheduleVersion  uint32

	ID           ID      // sha256 of the header, first four bytes replaced by Num
	Num          uint32  // number(Previous) + 1
	Savanna      bool    // proper Savanna block: the producer signs ID itself
	HasQC        bool    // a finality extension is there: QC is valid
	QC           QCClaim // claimed in the finality extension
	NewProducers bool    // new_producers is there (before WTMSIG only)

	HeaderEnd int // offset in the body: where the header ends and the signature begins

	body         []byte
	transactions int // offset of the transactions' count
	sigType      uint8
}

// ParseBlock reads the header, all its extensions, and the producer signature.
// Header extensions must be known (0, 1, 2), ascending, unique and decodable, as
// nodeos demands when it validates a header. What follows the signature is left
// to [Block.Check]. It does not allocate, except for a header with padded
// counts, whose id nodeos computes from the form it would have written itself.
func ParseBlock(body []byte) (Block, error) {
	c := cursor{buf: body}
	b := Block{body: body}
	b.readHeader(&c)
	b.HeaderEnd = c.off
	padded := c.padded
	curve, _ := c.skipSignature("producer_signature")
	b.sigType = uint8(curve)
	b.transactions = c.off
	if c.err == nil && c.left() < 2 {
		c.fail("transactions", ErrTruncated)
	}
	if err := c.error(TypeSignedBlock); err != nil {
		return Block{}, err
	}
	header := body[:b.HeaderEnd]
	if padded {
		again := cursor{buf: header, canonOn: true}
		new(Block).readHeader(&again)
		header = again.canon
	}
	b.ID = sha256.Sum256(header)
	b.Num = b.Previous.Num() + 1
	binary.BigEndian.PutUint32(b.ID[:4], b.Num)
	return b, nil
}

// readHeader reads block_header in reflection order.
func (b *Block) readHeader(c *cursor) {
	f := c.take(fixedHeader, "header")
	if f == nil {
		return
	}
	b.Slot = Slot(binary.LittleEndian.Uint32(f))
	b.Producer = Name(binary.LittleEndian.Uint64(f[4:]))
	b.Confirmed = binary.LittleEndian.Uint16(f[12:])
	b.Previous = ID(f[14:46])
	b.TransactionMRoot = ID(f[46:78])
	b.ActionMRoot = ID(f[78:110])
	b.ScheduleVersion = binary.LittleEndian.Uint32(f[110:])
	b.Savanna = b.ScheduleVersion == ScheduleVersionSavanna
	if b.NewProducers = c.bool("new_producers"); b.NewProducers {
		c.skipLegacySchedule()
	}
	b.readHeaderExtensions(c)
}

// Header returns the header's bytes: timestamp to header_extensions.
func (b Block) Header() []byte { return b.body[:b.HeaderEnd] }

// Signature returns the producer signature, variant index included: 66 bytes
// for K1 and R1. A producer with several keys may have more; see [Block.Signatures].
func (b Block) Signature() []byte { return b.body[b.HeaderEnd:b.transactions] }

// SignatureType returns the signature's curve: 0 K1, 1 R1, 2 WebAuthn.
func (b Block) SignatureType() uint8 { return b.sigType }

// Body returns the bytes the block was parsed from.
func (b Block) Body() []byte { return b.body }
