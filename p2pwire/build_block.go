package p2pwire

import (
	"crypto/sha256"
	"encoding/binary"
)

// Extension is one entry of header_extensions or block_extensions.
type Extension struct {
	ID   uint16
	Data []byte
}

// Receipt is one transaction of a block to be built. Trx is the body of a
// packed_transaction ([AppendTransaction]); when it is nil, ID stands for a
// deferred transaction.
type Receipt struct {
	Status uint8  // 0 executed
	CPU    uint32 // microseconds
	Net    uint32 // words of 8 bytes
	Trx    []byte
	ID     ID
}

// Signer signs a digest: the signature variant as it stands in messages.
type Signer interface {
	Sign(digest ID) [K1SigSize]byte
}

// BlockBuilder makes signed_block bodies for simulated nodes and tests. Its
// fields are the header's and the body's; the zero value of each is allowed.
type BlockBuilder struct {
	Slot            Slot
	Producer        Name
	Confirmed       uint16
	Previous        ID
	ActionMRoot     ID
	ScheduleVersion uint32 // ScheduleVersionSavanna for a proper Savanna block

	// QC, if set, adds a finality extension with this claim and no policy change.
	QC *QCClaim
	// HeaderExtensions are written before the finality extension.
	HeaderExtensions []Extension
	// Receipts are the block's transactions; transaction_mroot comes from them.
	Receipts []Receipt
	// BlockExtensions are written as they are, in this order; see AppendQC.
	BlockExtensions []Extension

	// Signer signs the block, a *K1Private or *R1Private; if nil the signature is
	// empty (zero).
	Signer Signer
	// CoSigners sign it too, into a block extension before BlockExtensions: the
	// producer has several keys.
	CoSigners []Signer
	// Digest optionally gives what is signed. If nil that is the block id, as
	// in Savanna. (In legacy it depends on chain state a simulation may not have.)
	Digest func(header []byte, id ID) ID
}

// AppendBlock appends the body to dst and returns it with the block's id.
func (b *BlockBuilder) AppendBlock(dst []byte) ([]byte, ID) {
	start := len(dst)
	dst = appendU32(dst, uint32(b.Slot))
	dst = appendU64(dst, uint64(b.Producer))
	dst = appendU16(dst, b.Confirmed)
	dst = append(dst, b.Previous[:]...)
	mroot := b.transactionMRoot()
	dst = append(dst, mroot[:]...)
	dst = append(dst, b.ActionMRoot[:]...)
	dst = appendU32(dst, b.ScheduleVersion)
	dst = appendBool(dst, false)
	extensions := b.HeaderExtensions
	if b.QC != nil {
		data := append(appendBool(appendU32(nil, b.QC.Num), b.QC.Strong), 0, 0)
		extensions = append(extensions[:len(extensions):len(extensions)], Extension{extFinality, data})
	}
	dst = appendExtensions(dst, extensions)

	header := dst[start:]
	id := ID(sha256.Sum256(header))
	binary.BigEndian.PutUint32(id[:4], b.Previous.Num()+1)
	digest := id
	if b.Digest != nil {
		digest = b.Digest(header, id)
	}
	if b.Signer != nil {
		sig := b.Signer.Sign(digest)
		dst = append(dst, sig[:]...)
	} else {
		dst = append(dst, make([]byte, K1SigSize)...)
	}

	dst = appendVarint(dst, uint32(len(b.Receipts)))
	for i := range b.Receipts {
		dst = b.Receipts[i].appendTo(dst)
	}
	extensions = b.BlockExtensions
	if len(b.CoSigners) > 0 {
		data := appendVarint(nil, uint32(len(b.CoSigners)))
		for _, s := range b.CoSigners {
			sig := s.Sign(digest)
			data = append(data, sig[:]...)
		}
		extensions = append([]Extension{{extAdditionalSignatures, data}}, extensions...)
	}
	return appendExtensions(dst, extensions), id
}

func appendExtensions(dst []byte, extensions []Extension) []byte {
	dst = appendVarint(dst, uint32(len(extensions)))
	for _, e := range extensions {
		dst = appendBytes(appendU16(dst, e.ID), e.Data)
	}
	return dst
}

func (r *Receipt) appendTo(dst []byte) []byte {
	dst = appendU32(append(dst, r.Status), r.CPU)
	dst = appendVarint(dst, r.Net)
	if r.Trx == nil {
		return append(append(dst, receiptID), r.ID[:]...)
	}
	return append(append(dst, receiptPacked), r.Trx...)
}

// transactionMRoot runs the receipts through the checker's own digest code, which
// has its independent test in the recorded blocks. It does not look into the
// transactions, so that malformed ones can be put into a block.
func (b *BlockBuilder) transactionMRoot() ID {
	s := Scratch{hash: sha256.New()}
	var buf []byte
	for i := range b.Receipts {
		buf = b.Receipts[i].appendTo(buf[:0])
		s.addLeaf(&cursor{buf: buf}, false)
	}
	return merkleRoot(s.leaves, b.ScheduleVersion == ScheduleVersionSavanna)
}

// AppendQC appends the data of a quorum certificate extension (block extension
// 3) for block num: a strong aggregate of the finalizers whose bits are set in
// voters (bit i of byte i/8 is finalizer i of n). sig is not checked by anything
// in this package.
func AppendQC(dst []byte, num uint32, n int, voters []byte, sig *[FinalizerSigSize]byte) []byte {
	dst = appendU32(dst, num)
	dst = appendVarint(append(dst, 1), uint32(n))
	bitset := make([]byte, (n+7)/8)
	copy(bitset, voters)
	dst = append(append(dst, bitset...), 0)
	dst = append(append(dst, finalizerSigLenLo, finalizerSigLenHi), sig[:]...)
	return append(dst, 0)
}

// QCExtension wraps [AppendQC]'s data for [BlockBuilder].BlockExtensions.
func QCExtension(data []byte) Extension { return Extension{extQuorumCertificate, data} }
