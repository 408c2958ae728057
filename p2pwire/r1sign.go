package p2pwire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
)

// R1Private is a secp256r1 private key, for simulations and tests: a real one
// stays in the producer's hardware. It never prints itself.
type R1Private struct {
	key *ecdsa.PrivateKey
	pub PublicKey
}

// R1PrivateFromSeed derives a key from a text.
func R1PrivateFromSeed(seed string) *R1Private {
	for data := sha256.Sum256([]byte(seed)); ; data = sha256.Sum256(data[:]) {
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), data[:]); err == nil {
			return newR1Private(k)
		}
	}
}

func newR1Private(key *ecdsa.PrivateKey) *R1Private {
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic("p2pwire: " + err.Error()) // a private key's point is on its curve
	}
	return &R1Private{key, r1Public(new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:]))}
}

// Public returns the public key.
func (k *R1Private) Public() PublicKey { return k.pub }

// String hides the key.
func (k *R1Private) String() string { return "private key of " + k.pub.String() }

// Sign returns the signature variant over digest with s in the lower half, as
// nodeos makes it (fc r1::private_key::sign_compact), but with the nonce of RFC
// 6979. nodeos' own is random: two nodes' R1 signatures of one block differ.
func (k *R1Private) Sign(digest ID) (sig [K1SigSize]byte) {
	der, err := k.key.Sign(nil, digest[:], crypto.SHA256)
	var parsed struct{ R, S *big.Int }
	if err == nil {
		_, err = asn1.Unmarshal(der, &parsed)
	}
	if err != nil {
		panic("p2pwire: " + err.Error()) // a good key always signs 32 bytes
	}
	if parsed.S.Cmp(r1Half) > 0 {
		parsed.S.Sub(elliptic.P256().Params().N, parsed.S)
	}
	sig[0] = curveR1
	parsed.R.FillBytes(sig[2:34])
	parsed.S.FillBytes(sig[34:])
	for sig[1] = 27 + 4; sig[1] < 27+4+4; sig[1]++ {
		if key, err := Recover(digest, sig[:]); err == nil && key == k.pub {
			return sig
		}
	}
	panic("p2pwire: a signature leads to no key") // one of the four always does
}
