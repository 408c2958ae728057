package p2pwire

import (
	"crypto/sha256"
)

// Alternatives of a receipt's transaction.
const (
	receiptID     = 0 // deferred: only its id
	receiptPacked = 1
)

// minReceipt is the smallest receipt: status, cpu, net, index, packed transaction.
const minReceipt = 1 + 4 + 1 + 1 + 4

// Check walks what ParseBlock left: transaction receipts with their packed
// transactions (see [ParseTransaction]; inflating stops after
// [MaxBlockInflated] bytes), block extensions (2 and 3, ascending, unique,
// decodable), no byte beyond, no WebAuthn signature; then it verifies
// transaction_mroot in the merkle form the schedule version calls for. A block
// that passes is one whose form gives no nodeos a reason to close the
// connection. Neither signatures nor quorum certificates are verified, nor
// whether BLS points are on their curve. The error is an [*Error].
//
// The receipt status is not judged: nodeos' unpacker takes any byte.
func (b Block) Check(s *Scratch) error {
	if b.sigType == curveWA {
		return &Error{Type: TypeSignedBlock, Field: "producer_signature", Offset: b.HeaderEnd, Err: ErrWebAuthn}
	}
	if s.hash == nil {
		s.hash = sha256.New()
	}
	s.budget = MaxBlockInflated
	s.leaves = s.leaves[:0]
	c := cursor{buf: b.body, off: b.transactions}
	for range c.count(minReceipt, "transactions") {
		s.addLeaf(&c, true)
		if c.err != nil {
			return c.error(TypeSignedBlock)
		}
	}
	c.checkBlockExtensions()
	if err := c.finish(TypeSignedBlock); err != nil {
		return err
	}
	if merkleRoot(s.leaves, b.Savanna) != b.TransactionMRoot {
		return &Error{Type: TypeSignedBlock, Field: "transaction_mroot", Offset: 46, Err: ErrMerkle}
	}
	return nil
}

// addLeaf walks one transaction_receipt and adds its digest to the leaves; deep
// says whether to look into the packed transaction.
func (s *Scratch) addLeaf(c *cursor, deep bool) {
	head := c.take(5, "transactions.status") // status, cpu_usage_us
	net := c.varint("transactions.net_usage_words")
	if c.variant(2, "transactions.trx") == receiptID {
		s.digest = c.id("transactions.trx")
	} else {
		p := c.readPacked()
		if deep && c.err == nil {
			p.unpack(c, s, nil)
		}
		if c.err == nil {
			s.packedDigest(&p)
		}
	}
	if c.err != nil {
		return
	}
	s.hash.Reset()
	s.hash.Write(head)
	s.hash.Write(appendVarint(s.small[:0], net))
	s.hash.Write(s.digest[:])
	s.hash.Sum(s.digest[:0])
	s.leaves = append(s.leaves, s.digest)
}

// packedDigest leaves packed_transaction::packed_digest in s.digest: over the
// compression, the packed transaction, and the digest of what may be pruned.
func (s *Scratch) packedDigest(p *packed) {
	signatures := p.signatures
	if p.padded {
		again := cursor{buf: signatures, canonOn: true}
		for range again.count(K1SigSize, "signatures") {
			again.skipSignature("signatures")
		}
		signatures = again.canon
	}
	s.hash.Reset()
	s.hash.Write(signatures)
	s.hash.Write(appendVarint(s.small[:0], uint32(len(p.cfd))))
	s.hash.Write(p.cfd)
	s.hash.Sum(s.digest[:0])

	s.hash.Reset()
	s.hash.Write(appendVarint(append(s.small[:0], p.compression), uint32(len(p.trx))))
	s.hash.Write(p.trx)
	s.hash.Write(s.digest[:])
	s.hash.Sum(s.digest[:0])
}

// skipReceipt walks one transaction_receipt without looking into it.
func (c *cursor) skipReceipt() {
	c.skip(5, "transactions.status")
	c.varint("transactions.net_usage_words")
	if c.variant(2, "transactions.trx") == receiptID {
		c.skip(32, "transactions.trx")
		return
	}
	c.readPacked()
}
