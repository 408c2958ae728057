package simnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"bprelay/p2pwire"
)

// sigBody is the part of a simulated signature that carries meaning; the rest is
// a checksum standing for "these bytes are a curve point".
const sigBody = p2pwire.FinalizerSigSize - 4

// FinalizerKey is a simulated BLS key pair. Only the public half matters.
type FinalizerKey struct {
	Name string
	Pub  [p2pwire.FinalizerKeySize]byte
}

// NewFinalizerKey derives the key called name from a seed.
func NewFinalizerKey(seed uint64, name string) FinalizerKey {
	k := FinalizerKey{Name: name}
	expand(k.Pub[:], "bls", binary.LittleEndian.AppendUint64(nil, seed), []byte(name))
	return k
}

// Sign returns the signature of a vote for block id: deterministic, like BLS.
func (k FinalizerKey) Sign(id p2pwire.ID, strong bool) [p2pwire.FinalizerSigSize]byte {
	var sig [p2pwire.FinalizerSigSize]byte
	voteSignature(&sig, k.Pub[:], id, strong)
	return sig
}

func voteSignature(sig *[p2pwire.FinalizerSigSize]byte, pub []byte, id p2pwire.ID, strong bool) {
	flag := []byte{0}
	if strong {
		flag[0] = 1
	}
	expand(sig[:sigBody], "vote", pub, id[:], flag)
	sealPoint(sig)
}

// sealPoint writes the checksum that makes the bytes a "curve point".
func sealPoint(sig *[p2pwire.FinalizerSigSize]byte) {
	sum := sha256.Sum256(sig[:sigBody])
	copy(sig[sigBody:], sum[:])
}

// isPoint stands for the BLS library's check that bytes decode to a point:
// nodeos throws while unpacking when they do not.
func isPoint(sig []byte) bool {
	sum := sha256.Sum256(sig[:sigBody])
	return bytes.Equal(sig[sigBody:p2pwire.FinalizerSigSize], sum[:p2pwire.FinalizerSigSize-sigBody])
}

// expand fills dst with hash output over the labelled parts.
func expand(dst []byte, label string, parts ...[]byte) {
	h := sha256.New()
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	var base [32]byte
	h.Sum(base[:0])
	var block [36]byte
	copy(block[:], base[:])
	for i := uint32(0); len(dst) > 0; i++ {
		binary.LittleEndian.PutUint32(block[32:], i)
		sum := sha256.Sum256(block[:])
		dst = dst[copy(dst, sum[:]):]
	}
}

// seedID derives a 32-byte id (node ids, transaction contents) from a seed.
func seedID(label string, seed uint64, more ...uint64) p2pwire.ID {
	var buf []byte
	buf = binary.LittleEndian.AppendUint64(buf, seed)
	for _, m := range more {
		buf = binary.LittleEndian.AppendUint64(buf, m)
	}
	var id p2pwire.ID
	expand(id[:], label, buf)
	return id
}
