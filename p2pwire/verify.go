package p2pwire

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// ErrSignature is what errors of [Recover] match.
var ErrSignature = errors.New("bad signature")

// Recover returns the key that signed digest. sig is the signature variant as it
// stands in messages, 66 bytes: index 0 (K1) or 1 (R1), recovery byte 27 + 4 +
// recovery id, r, s. Like nodeos it takes canonical K1 signatures only, and R1
// signatures only with s in the lower half. Errors match [ErrSignature].
func Recover(digest ID, sig []byte) (PublicKey, error) {
	if len(sig) != K1SigSize || sig[1] < 27 || sig[1] > 34 {
		return PublicKey{}, fmt.Errorf("%w: not of the form of a K1 or R1 signature", ErrSignature)
	}
	switch sig[0] {
	case curveK1:
		return recoverK1(digest, sig)
	case curveR1:
		return recoverR1(digest, sig)
	}
	return PublicKey{}, fmt.Errorf("%w: neither K1 nor R1", ErrSignature)
}

// Verifier checks signatures of one known key. It is immutable and may be used
// by several goroutines.
type Verifier struct {
	key   PublicKey
	point secp256k1.JacobianPoint // K1 only
}

// NewVerifier prepares key. The error matches [ErrKey]: not a point of the
// curve.
func NewVerifier(key PublicKey) (*Verifier, error) {
	v := &Verifier{key: key}
	switch key[0] {
	case curveK1:
		pub, err := secp256k1.ParsePubKey(key[1:])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		pub.AsJacobian(&v.point)
	case curveR1:
		if err := key.check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
	default:
		return nil, fmt.Errorf("%w: neither K1 nor R1", ErrKey)
	}
	return v, nil
}

// Key returns the key.
func (v *Verifier) Key() PublicKey { return v.key }

// Verify reports whether [Recover] would return the verifier's key: the
// signature is canonical and valid, and its recovery id, too, is the one that
// leads to the key (nodeos recovers, so a wrong one is a wrong signature). For
// K1 it does not allocate; R1, which hardly any producer signs with, is
// recovered and compared.
func (v *Verifier) Verify(digest ID, sig []byte) bool {
	switch {
	case len(sig) == 0 || sig[0] != v.key[0]:
		return false
	case sig[0] == curveK1:
		return v.verifyK1(digest, sig)
	}
	key, err := Recover(digest, sig)
	return err == nil && key == v.key
}
