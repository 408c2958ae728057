package p2pwire

import (
	"encoding/binary"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// canonicalK1 applies fc::ecc::public_key::is_canonical to the 66 bytes of a
// signature variant and checks its index and recovery byte. nodeos refuses block
// and handshake signatures that are not canonical.
func canonicalK1(sig []byte) bool {
	if len(sig) != K1SigSize || sig[0] != curveK1 || sig[1] < 27 || sig[1] > 34 {
		return false
	}
	r, s := binary.BigEndian.Uint16(sig[2:]), binary.BigEndian.Uint16(sig[34:])
	// No top bit, and no leading zero byte that is not needed for that.
	return r >= 0x80 && r < 0x8000 && s >= 0x80 && s < 0x8000
}

func recoverK1(digest ID, sig []byte) (PublicKey, error) {
	if !canonicalK1(sig) {
		return PublicKey{}, fmt.Errorf("%w: not a canonical K1 signature", ErrSignature)
	}
	pub, _, err := ecdsa.RecoverCompact(sig[1:], digest[:])
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return k1Public(pub), nil
}

func k1Public(pub *secp256k1.PublicKey) (key PublicKey) {
	copy(key[1:], pub.SerializeCompressed())
	return key
}

// verifyK1 is Verify without the allocations of a recovery.
func (v *Verifier) verifyK1(digest ID, sig []byte) bool {
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
