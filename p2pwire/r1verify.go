package p2pwire

import (
	"crypto/elliptic"
	"fmt"
	"math/big"
)

// r1Half is the largest s that nodeos takes in an R1 signature.
var r1Half = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

// recoverR1 is fc::crypto::r1::public_key's recovery (SEC 1, 4.1.6) for 66 bytes
// of a signature variant. crypto/ecdsa can verify but not recover, and nodeos
// recovers; all numbers here are public, so constant time does not matter.
func recoverR1(digest ID, sig []byte) (PublicKey, error) {
	curve := elliptic.P256()
	params := curve.Params()
	r, s := new(big.Int).SetBytes(sig[2:34]), new(big.Int).SetBytes(sig[34:])
	if r.Sign() == 0 || r.Cmp(params.N) >= 0 || s.Sign() == 0 || s.Cmp(r1Half) > 0 {
		return PublicKey{}, fmt.Errorf("%w: r or s of an R1 signature is out of range", ErrSignature)
	}
	id := (sig[1] - 27) & 3
	x := new(big.Int).Set(r)
	if id>>1 == 1 {
		x.Add(x, params.N)
	}
	if x.Cmp(params.P) >= 0 {
		return PublicKey{}, fmt.Errorf("%w: an R1 signature's recovery id is wrong", ErrSignature)
	}
	var compressed [33]byte
	compressed[0] = 2 + id&1
	x.FillBytes(compressed[1:])
	rx, ry := elliptic.UnmarshalCompressed(curve, compressed[:])
	if rx == nil {
		return PublicKey{}, fmt.Errorf("%w: r of an R1 signature is no point's", ErrSignature)
	}
	// Q = (s/r) R - (e/r) G
	w := new(big.Int).ModInverse(r, params.N)
	e := new(big.Int).SetBytes(digest[:])
	e.Mul(e.Neg(e), w).Mod(e, params.N)
	s.Mul(s, w).Mod(s, params.N)
	//lint:ignore SA1019 there is no other way to a sum of points in the standard library
	gx, gy := curve.ScalarBaseMult(e.Bytes())
	//lint:ignore SA1019 as above
	rx, ry = curve.ScalarMult(rx, ry, s.Bytes())
	//lint:ignore SA1019 as above
	qx, qy := curve.Add(gx, gy, rx, ry)
	if qx.Sign() == 0 && qy.Sign() == 0 {
		return PublicKey{}, fmt.Errorf("%w: an R1 signature leads to no key", ErrSignature)
	}
	return r1Public(qx, qy), nil
}

func r1Public(x, y *big.Int) (key PublicKey) {
	key[0] = curveR1
	copy(key[1:], elliptic.MarshalCompressed(elliptic.P256(), x, y))
	return key
}
