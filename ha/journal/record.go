package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// recordSize is the size of every record: it divides a disk sector, so that none lies in two.
const recordSize = 64

// kind says what a record is.
type kind uint8

const (
	kindHeader   kind = iota + 1 // number: magic, id: nonce, slot: flags
	kindChain                    // id: chain
	kindProducer                 // number: name, slot: last slot whose history is unknown
	kindFloor                    // slot: closed with all below
	kindClaim                    // number: producer, slot, id: block
	kindForeign                  // the same, for a block the network has from elsewhere
	kindMark                     // id: hash of the finalizer's key, slot
	kindSeal                     // what was remembered is above, what came later below
	kindBeat                     // a sign of life
	kindAgreed                   // a claim that the other relays of a cluster agreed to: it has the slot, whatever was claimed here
)

const (
	magic   = uint64(0x4c4e524a52504200) // "\0BPRJRNL", little endian
	version = 1

	// flagGap in a header: claims were let out that are not in the file.
	flagGap = 1
)

// record is one record, decoded. Its place in the file and the checksum are the encoder's.
type record struct {
	kind    kind
	version uint8
	slot    uint32
	number  uint64
	id      [32]byte
	wall    int64 // ns since the Unix epoch at which it was written
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder writes records one behind the other.
type encoder struct {
	nonce [32]byte
	next  uint32 // place of the next record
}

func (e *encoder) append(dst []byte, r record) []byte {
	dst = appendRecord(dst, r, e.nonce, e.next)
	e.next++
	return dst
}

func appendRecord(dst []byte, r record, nonce [32]byte, place uint32) []byte {
	le := binary.LittleEndian
	var b [recordSize]byte
	b[0], b[1] = byte(r.kind), r.version
	le.PutUint32(b[4:], r.slot)
	le.PutUint64(b[8:], r.number)
	copy(b[16:], r.id[:])
	le.PutUint64(b[48:], uint64(r.wall))
	le.PutUint32(b[56:], place)
	le.PutUint32(b[60:], checksum(b[:60], nonce))
	return append(dst, b[:]...)
}

// decodeRecord reads the record at a place; ok is false unless every bit of it is as it was written.
func decodeRecord(b []byte, nonce [32]byte, place uint32) (r record, ok bool) {
	le := binary.LittleEndian
	if len(b) != recordSize || b[2] != 0 || b[3] != 0 || le.Uint32(b[56:]) != place || le.Uint32(b[60:]) != checksum(b[:60], nonce) {
		return record{}, false
	}
	return record{
		kind: kind(b[0]), version: b[1], slot: le.Uint32(b[4:]), number: le.Uint64(b[8:]),
		id: [32]byte(b[16:48]), wall: int64(le.Uint64(b[48:])),
	}, true
}

func checksum(b []byte, nonce [32]byte) uint32 {
	return crc32.Update(crc32.Checksum(nonce[:], castagnoli), castagnoli, b)
}

// header is the first record of a file. Its checksum does not cover the nonce beforehand: it is what
// tells it.
func header(nonce [32]byte, flags uint32, wall int64) []byte {
	return appendRecord(nil, record{
		kind: kindHeader, version: version, number: magic, id: nonce, slot: flags, wall: wall,
	}, [32]byte{}, 0)
}
