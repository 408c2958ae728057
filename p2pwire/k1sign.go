package p2pwire

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/eoscanada/eos-go/btcsuite/btcutil"
)

// K1Private is a secp256k1 private key: a peer key for handshakes, or a
// producer's in a simulation. It never prints itself.
type K1Private struct {
	key *secp256k1.PrivateKey
	pub PublicKey
}

// ParsePrivateKey reads a K1 private key in wallet import format ("5..." or the
// compressed "K...", "L...") or as "PVT_K1_...". Errors match [ErrKey] and never
// quote the text.
func ParsePrivateKey(s string) (*K1Private, error) {
	if text, ok := strings.CutPrefix(s, "PVT_K1_"); ok {
		data, err := decodeKeyText(text, "K1", 32)
		if err != nil {
			return nil, fmt.Errorf("%w: private key: %w", ErrKey, err)
		}
		return newK1Private([32]byte(data))
	}
	if len(s) > 64 {
		return nil, fmt.Errorf("%w: private key: too long", ErrKey)
	}
	wif, err := btcutil.DecodeWIF(s)
	if err != nil {
		return nil, fmt.Errorf("%w: private key: %w", ErrKey, err)
	}
	var data [32]byte
	wif.PrivKey.D.FillBytes(data[:])
	return newK1Private(data)
}

// K1PrivateFromSeed derives a key from a text, for simulations and tests.
func K1PrivateFromSeed(seed string) *K1Private {
	for data := sha256.Sum256([]byte(seed)); ; data = sha256.Sum256(data[:]) {
		if k, err := newK1Private(data); err == nil {
			return k
		}
	}
}

func newK1Private(data [32]byte) (*K1Private, error) {
	var d secp256k1.ModNScalar
	if overflow := d.SetBytes(&data); overflow != 0 || d.IsZero() {
		return nil, fmt.Errorf("%w: private key: not in 1..n-1", ErrKey)
	}
	k := secp256k1.NewPrivateKey(&d)
	return &K1Private{key: k, pub: k1Public(k.PubKey())}, nil
}

// Public returns the public key.
func (k *K1Private) Public() PublicKey { return k.pub }

// String hides the key.
func (k *K1Private) String() string { return "private key of " + k.pub.String() }

// Sign returns the signature variant over digest, as nodeos makes it
// (fc private_key::sign_compact): RFC 6979 nonces from the second one on until
// r and s are canonical, s in the lower half. Same key and digest, same bytes.
func (k *K1Private) Sign(digest ID) [K1SigSize]byte {
	var e secp256k1.ModNScalar
	e.SetByteSlice(digest[:])
	secret := k.key.Serialize()
	for attempt := uint32(1); ; attempt++ {
		nonce := secp256k1.NonceRFC6979(secret, digest[:], nil, nil, attempt)
		if sig, ok := k.signWith(nonce, &e); ok {
			return sig
		}
	}
}

// signWith signs with one nonce; false when the result is not canonical.
func (k *K1Private) signWith(nonce, e *secp256k1.ModNScalar) (sig [K1SigSize]byte, ok bool) {
	var point secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(nonce, &point)
	point.ToAffine()
	var x [32]byte
	point.X.PutBytes(&x)
	var r, s, inverse secp256k1.ModNScalar
	recovery := byte(r.SetBytes(&x)<<1) | byte(point.Y.IsOddBit())
	inverse.InverseValNonConst(nonce)
	s.Mul2(&k.key.Key, &r).Add(e).Mul(&inverse)
	if s.IsOverHalfOrder() {
		s.Negate()
		recovery ^= 1
	}
	sig[0] = curveK1
	sig[1] = 27 + 4 + recovery
	r.PutBytesUnchecked(sig[2:34])
	s.PutBytesUnchecked(sig[34:66])
	return sig, canonicalK1(sig[:])
}
