package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"

	"bprelay/p2pwire"
)

// This file writes blocks and reads the parts of them that p2pwire's views do
// not show (receipts' transaction ids, the QC). It is written from the protocol
// reference on its own, so that a misreading in p2pwire shows as a
// disagreement between the two.

// header is the content of a block header.
type header struct {
	slot      p2pwire.Slot
	producer  p2pwire.Name
	confirmed uint16
	previous  p2pwire.ID
	trxRoot   p2pwire.ID
	action    p2pwire.ID
	savanna   bool
	qc        p2pwire.QCClaim // Savanna
}

func (h header) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.slot))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.producer))
	dst = binary.LittleEndian.AppendUint16(dst, h.confirmed)
	dst = append(dst, h.previous[:]...)
	dst = append(dst, h.trxRoot[:]...)
	dst = append(dst, h.action[:]...)
	if !h.savanna {
		dst = binary.LittleEndian.AppendUint32(dst, 1)
		return append(dst, 0, 0) // no new_producers, no header extensions
	}
	dst = binary.LittleEndian.AppendUint32(dst, p2pwire.ScheduleVersionSavanna)
	dst = append(dst, 0, 1, 2, 0, 7) // no new_producers, one extension: id 2 of 7 bytes
	dst = binary.LittleEndian.AppendUint32(dst, h.qc.Num)
	strong := byte(0)
	if h.qc.Strong {
		strong = 1
	}
	return append(dst, strong, 0, 0) // no policy diffs
}

func (h header) id() p2pwire.ID { return headerID(h.append(nil), h.previous) }

func headerID(headerBytes []byte, previous p2pwire.ID) p2pwire.ID {
	id := p2pwire.ID(sha256.Sum256(headerBytes))
	binary.BigEndian.PutUint32(id[:4], previous.Num()+1)
	return id
}

// receipt is one executed transaction of a block under construction.
type receipt struct {
	id    p2pwire.ID
	cpuUS uint32
	net   uint32 // words
	body  []byte // packed_transaction
}

// leaf is the receipt's digest: what transaction_mroot is made of.
func (r receipt) leaf() p2pwire.ID {
	buf := binary.LittleEndian.AppendUint32([]byte{0}, r.cpuUS)
	buf = appendVarint(buf, r.net)
	digest := packedDigest(r.body)
	return sha256.Sum256(append(buf, digest[:]...))
}

func (r receipt) append(dst []byte) []byte {
	dst = append(dst, 0) // executed
	dst = binary.LittleEndian.AppendUint32(dst, r.cpuUS)
	dst = appendVarint(dst, r.net)
	dst = append(dst, 1) // a packed_transaction follows
	return append(dst, r.body...)
}

// packedDigest is packed_transaction::packed_digest of a body written by
// appendTransaction: one K1 signature, no compression, no context-free data.
func packedDigest(body []byte) p2pwire.ID {
	const prunable = 1 + 66
	signatures := body[:prunable]
	cfd := body[prunable+1 : prunable+2] // its packed form: an empty byte string
	inner := sha256.New()
	inner.Write(signatures)
	inner.Write(cfd)
	outer := sha256.New()
	outer.Write(body[prunable : prunable+1]) // compression
	outer.Write(body[prunable+2:])           // packed_trx, with its length
	outer.Write(inner.Sum(nil))
	var id p2pwire.ID
	outer.Sum(id[:0])
	return id
}

// merkle is transaction_mroot over the leaves: plain and split at the largest
// power of two in Savanna; pairwise with marked sides and the last odd leaf
// doubled before.
func merkle(leaves []p2pwire.ID, savanna bool) p2pwire.ID {
	switch {
	case len(leaves) == 0:
		return p2pwire.ID{}
	case savanna:
		return plainMerkle(leaves)
	}
	level := append([]p2pwire.ID(nil), leaves...)
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := range len(level) / 2 {
			l, r := level[2*i], level[2*i+1]
			l[0] &= 0x7f
			r[0] |= 0x80
			level[i] = hashPair(l, r)
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

func plainMerkle(leaves []p2pwire.ID) p2pwire.ID {
	if len(leaves) == 1 {
		return leaves[0]
	}
	half := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	return hashPair(plainMerkle(leaves[:half]), plainMerkle(leaves[half:]))
}

func hashPair(l, r p2pwire.ID) p2pwire.ID { return sha256.Sum256(append(l[:], r[:]...)) }

// certificate is a quorum certificate: who voted how, as bits by policy index.
type certificate struct {
	num    uint32
	strong uint64
	weak   uint64
	sig    [finalizerSigSize]byte
}

func (q *certificate) isStrong() bool { return q.weak == 0 }

// extQuorumCertificate is the block extension's id.
const extQuorumCertificate = 3

func (q *certificate) append(dst []byte, finalizers int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, q.num)
	dst = appendBits(dst, q.strong, finalizers)
	dst = appendBits(dst, q.weak, finalizers)
	dst = append(appendVarint(dst, finalizerSigSize), q.sig[:]...)
	return append(dst, 0) // no pending policy's signature
}

func appendBits(dst []byte, set uint64, n int) []byte {
	if set == 0 {
		return append(dst, 0)
	}
	dst = appendVarint(append(dst, 1), uint32(n))
	for i := range (n + 7) / 8 {
		dst = append(dst, byte(set>>(8*i)))
	}
	return dst
}

// appendBlockTail writes what follows the signature.
func appendBlockTail(dst []byte, receipts []receipt, qc *certificate, finalizers int) []byte {
	dst = appendVarint(dst, uint32(len(receipts)))
	for _, r := range receipts {
		dst = r.append(dst)
	}
	if qc == nil {
		return append(dst, 0)
	}
	ext := qc.append(nil, finalizers)
	dst = binary.LittleEndian.AppendUint16(append(dst, 1), extQuorumCertificate)
	return append(appendVarint(dst, uint32(len(ext))), ext...)
}

func appendVarint(dst []byte, v uint32) []byte { return binary.AppendUvarint(dst, uint64(v)) }

var errBlockTail = errors.New("block body outside of what the simulation reads")

// tail is a reader over a body that p2pwire has checked already; it stops at
// forms only other software would write.
type tail struct {
	buf []byte
	bad bool
}

func (t *tail) take(n int) []byte {
	if n < 0 || n > len(t.buf) {
		t.bad, t.buf = true, nil
		return make([]byte, max(n, 0)%(1<<16))
	}
	out := t.buf[:n]
	t.buf = t.buf[n:]
	return out
}

func (t *tail) varint() int {
	v, n := binary.Uvarint(t.buf)
	if n <= 0 || v > 1<<30 {
		t.bad, t.buf = true, nil
		return 0
	}
	t.buf = t.buf[n:]
	return int(v)
}

func (t *tail) bits() uint64 {
	if t.take(1)[0] == 0 {
		return 0
	}
	set := uint64(0)
	for i, b := range t.take((t.varint() + 7) / 8) {
		if i < 8 {
			set |= uint64(b) << (8 * i)
		}
	}
	return set
}

// transaction skips a packed_transaction with K1 or R1 signatures and returns
// its bytes and the packed_trx inside.
func (t *tail) transaction() (whole, trx []byte, compressed bool) {
	start := t.buf
	for range t.varint() {
		t.take(66)
	}
	compressed = t.take(1)[0] != 0
	t.take(t.varint())
	trx = t.take(t.varint())
	return start[:len(start)-len(t.buf)], trx, compressed
}

// readTail reads the receipts' transactions and the QC from behind the
// signature of a body.
func readTail(buf []byte) (trx []includedTrx, qc *certificate, err error) {
	t := tail{buf: buf}
	for n := t.varint(); n > 0 && !t.bad; n-- {
		t.take(5) // status, cpu
		t.varint()
		if t.take(1)[0] == 0 {
			trx = append(trx, includedTrx{id: p2pwire.ID(t.take(32))})
			continue
		}
		body, packed, compressed := t.transaction()
		if compressed {
			return nil, nil, errBlockTail
		}
		trx = append(trx, includedTrx{id: sha256.Sum256(packed), body: body})
	}
	for n := t.varint(); n > 0 && !t.bad; n-- {
		id := binary.LittleEndian.Uint16(t.take(2))
		ext := t.take(t.varint())
		if id != extQuorumCertificate {
			continue
		}
		e := tail{buf: ext}
		qc = &certificate{num: binary.LittleEndian.Uint32(e.take(4)), strong: e.bits(), weak: e.bits()}
		if e.varint() != finalizerSigSize {
			return nil, nil, errBlockTail
		}
		copy(qc.sig[:], e.take(finalizerSigSize))
		t.bad = t.bad || e.bad
	}
	if t.bad {
		return nil, nil, errBlockTail
	}
	return trx, qc, nil
}

// includedTrx is a transaction found in a block; body is a view, nil when the
// receipt only names the id.
type includedTrx struct {
	id   p2pwire.ID
	body []byte
}
