package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"bprelay/p2pwire"
)

// certificate is a quorum certificate: who voted how, as bits by policy index.
type certificate struct {
	num    uint32
	strong uint64
	weak   uint64
	sig    [p2pwire.FinalizerSigSize]byte
}

func (q *certificate) isStrong() bool { return q.weak == 0 }

// extQuorumCertificate is the block extension's id.
const extQuorumCertificate = 3

// append writes the extension's data; p2pwire's builder knows strong votes only.
func (q *certificate) append(dst []byte, finalizers int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, q.num)
	dst = appendBits(dst, q.strong, finalizers)
	dst = appendBits(dst, q.weak, finalizers)
	dst = append(binary.AppendUvarint(dst, p2pwire.FinalizerSigSize), q.sig[:]...)
	return append(dst, 0) // no pending policy's signature
}

func appendBits(dst []byte, set uint64, n int) []byte {
	if set == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(append(dst, 1), uint64(n))
	for i := range (n + 7) / 8 {
		dst = append(dst, byte(set>>(8*i)))
	}
	return dst
}

// includedTrx is a transaction found in a block; body is a view, nil when the
// receipt only names the id.
type includedTrx struct {
	id   p2pwire.ID
	body []byte
}

var errBlockTail = errors.New("block body outside of what the simulation reads")

// readTail reads the receipts' transactions and the QC from behind the
// signature of a body that p2pwire has checked. Compressed transactions are
// never made by a simulated chain, and refused here.
func readTail(buf []byte) (trx []includedTrx, qc *certificate, err error) {
	t := tail{buf: buf}
	for n := t.varint(); n > 0 && !t.bad; n-- {
		t.take(5) // status, cpu
		t.varint()
		if t.byte() == 0 {
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
		if id == extQuorumCertificate {
			qc = readCertificate(&tail{buf: ext}, &t.bad)
		}
	}
	if t.bad || len(t.buf) != 0 {
		return nil, nil, errBlockTail
	}
	return trx, qc, nil
}

func readCertificate(t *tail, bad *bool) *certificate {
	qc := &certificate{num: binary.LittleEndian.Uint32(t.take(4)), strong: t.bits(), weak: t.bits()}
	if t.varint() != p2pwire.FinalizerSigSize {
		t.bad = true
	}
	copy(qc.sig[:], t.take(p2pwire.FinalizerSigSize))
	*bad = *bad || t.bad
	return qc
}

// tail is a reader that remembers having run over the end.
type tail struct {
	buf []byte
	bad bool
}

// spare is what take answers past the end: no field asked for by size is longer.
var spare [p2pwire.FinalizerSigSize]byte

func (t *tail) take(n int) []byte {
	if t.bad || n < 0 || n > len(t.buf) {
		t.bad, t.buf = true, nil
		return spare[:min(max(n, 0), len(spare))]
	}
	out := t.buf[:n]
	t.buf = t.buf[n:]
	return out
}

func (t *tail) byte() byte { return t.take(1)[0] }

func (t *tail) varint() int {
	v, n := binary.Uvarint(t.buf)
	if n <= 0 || v > 1<<30 {
		t.bad, t.buf = true, nil
		return 0
	}
	t.buf = t.buf[n:]
	return int(v)
}

func (t *tail) bits() (set uint64) {
	if t.byte() == 0 {
		return 0
	}
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
	for n := t.varint(); n > 0 && !t.bad; n-- {
		t.take(66)
	}
	compressed = t.byte() != 0
	t.take(t.varint())
	trx = t.take(t.varint())
	return start[:len(start)-len(t.buf)], trx, compressed
}
