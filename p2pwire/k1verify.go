package p2pwire

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// ErrSignature is what errors of [RecoverK1] match.
var ErrSignature = errors.New("bad signature")

// RecoverK1 returns the key that signed digest. sig is the signature variant as
// it stands in messages, 66 bytes: index 0, recovery byte 27 + 4 + recovery id,
// r, s. Like nodeos it takes canonical signatures only. Errors match
// [ErrSignature].
func RecoverK1(digest ID, sig []byte) (K1Key, error) {
	if !canonicalK1(sig) {
		return K1Key{}, fmt.Errorf("%w: not a canonical K1 signature", ErrSignature)
	}
	pub, _, err := ecdsa.RecoverCompact(sig[1:], digest[:])
	if err != nil {
		return K1Key{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return K1Key(pub.SerializeCompressed()), nil
}

// K1Verifier checks signatures of one known key. It is immutable and may be
// used by several goroutines.
type K1Verifier struct {
	key   K1Key
	point secp256k1.JacobianPoint
}

// NewK1Verifier prepares key. The error matches [ErrKey]: not a point of the
// curve.
func NewK1Verifier(key K1Key) (*K1Verifier, error) {
	pub, err := secp256k1.ParsePubKey(key[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	v := &K1Verifier{key: key}
	pub.AsJacobian(&v.point)
	return v, nil
}

// Key returns the key.
func (v *K1Verifier) Key() K1Key { return v.key }

// Verify reports whether [RecoverK1] would return the verifier's key: the
// signature is canonical and valid, and its recovery id, too, is the one that
// leads to the key (nodeos recovers, so a wrong one is a wrong signature). It
// does not allocate.
func (v *K1Verifier) Verify(digest ID, sig []byte) bool {
	if !canonicalK1(sig) {
		return false
	}
	recovery := (sig[1] - 27) & 3
	var r, s, e, w secp256k1.ModNScalar
	if r.SetByteSlice(sig[2:34]) || s.SetByteSlice(sig[34:66]) || r.IsZero() || s.IsZero() {
		return false
	}
	e.SetByteSlice(digest[:])

	// R = (e/s) G + (r/s) Q
	invertScalar(&w, &s)
	e.Mul(&w)
	w.Mul(&r)
	var eG, rQ, sum secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(&e, &eG)
	secp256k1.ScalarMultNonConst(&w, &v.point, &rQ)
	secp256k1.AddNonConst(&eG, &rQ, &sum)
	if sum.Z.IsZero() || (sum.X.IsZero() && sum.Y.IsZero()) {
		return false
	}
	sum.ToAffine()

	// R.x must be r, or r + n when the recovery id says so; R.y of its oddness.
	if byte(sum.Y.IsOddBit()) != recovery&1 {
		return false
	}
	var x [32]byte
	sum.X.PutBytes(&x)
	var xModN secp256k1.ModNScalar
	overflow := xModN.SetBytes(&x)
	return byte(overflow) == recovery>>1 && xModN.Equals(&r)
}

// orderMinus2 is the group order less two, big endian.
var orderMinus2 = [32]byte{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
	0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x3f,
}

// invertScalar sets out to 1/v as v^(n-2) (Fermat), four bits at a time. The
// library's own inversion goes through math/big and allocates.
func invertScalar(out, v *secp256k1.ModNScalar) {
	var powers [16]secp256k1.ModNScalar // v^0 .. v^15
	powers[0].SetInt(1)
	for i := 1; i < len(powers); i++ {
		powers[i].Mul2(&powers[i-1], v)
	}
	out.SetInt(1)
	for _, b := range orderMinus2 {
		for _, nibble := range [2]byte{b >> 4, b & 15} {
			out.Square().Square().Square().Square()
			if nibble != 0 {
				out.Mul(&powers[nibble])
			}
		}
	}
}
