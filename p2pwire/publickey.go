package p2pwire

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/eoscanada/eos-go/btcsuite/btcutil/base58"
	"github.com/eoscanada/eos-go/ecc"
	//lint:ignore SA1019 the checksum of EOSIO's key texts is RIPEMD-160
	"golang.org/x/crypto/ripemd160"
)

// PublicKey is a K1 (secp256k1) or R1 (secp256r1) public key as it stands in
// messages: the variant index, 0 or 1, and the compressed point. The zero value
// is nodeos' empty key.
type PublicKey [K1KeySize]byte

// ErrKey is what errors about key texts match.
var ErrKey = errors.New("bad key")

// ErrWebAuthnKey is what [ParsePublicKey] says of "PUB_WA_...". It matches
// [ErrKey] too. Such a key can be in an authority, but no block signed with one
// is let in by any nodeos.
var ErrWebAuthnKey = fmt.Errorf("%w: WebAuthn is not supported", ErrKey)

// ParsePublicKey reads a public key: K1 in the legacy form "EOS..." or as
// "PUB_K1_...", R1 as "PUB_R1_...". Checksum and point are checked. Errors match
// [ErrKey].
func ParsePublicKey(s string) (PublicKey, error) {
	var curve byte
	var text, suffix string
	switch {
	case strings.HasPrefix(s, "EOS"):
		text = s[len("EOS"):]
	case strings.HasPrefix(s, "PUB_K1_"):
		text, suffix = s[len("PUB_K1_"):], "K1"
	case strings.HasPrefix(s, "PUB_R1_"):
		curve, text, suffix = curveR1, s[len("PUB_R1_"):], "R1"
	case strings.HasPrefix(s, "PUB_WA_"):
		return PublicKey{}, ErrWebAuthnKey
	default:
		return PublicKey{}, fmt.Errorf("%w: public key %q begins with none of EOS, PUB_K1_ and PUB_R1_", ErrKey, s)
	}
	data, err := decodeKeyText(text, suffix, K1KeySize-1)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: public key %q: %w", ErrKey, s, err)
	}
	key := PublicKey(append([]byte{curve}, data...))
	if err := key.check(); err != nil {
		return PublicKey{}, fmt.Errorf("%w: public key %q: %w", ErrKey, s, err)
	}
	return key, nil
}

// check tells whether the key is a point of its curve.
func (k PublicKey) check() error {
	if k[0] == curveR1 {
		if x, _ := elliptic.UnmarshalCompressed(elliptic.P256(), k[1:]); x == nil {
			return errors.New("not a point of the curve")
		}
		return nil
	}
	_, err := secp256k1.ParsePubKey(k[1:])
	return err
}

// decodeKeyText decodes base58 data followed by four bytes of
// ripemd160(data + suffix).
func decodeKeyText(text, suffix string, size int) ([]byte, error) {
	// The decoder takes time quadratic in its input.
	if len(text) > 64 {
		return nil, errors.New("too long")
	}
	raw := base58.Decode(text)
	if len(raw) != size+4 {
		return nil, fmt.Errorf("want %d bytes and a checksum, have %d", size, len(raw))
	}
	data := raw[:size]
	if keyChecksum(data, suffix) != [4]byte(raw[size:]) {
		return nil, errors.New("wrong checksum")
	}
	return data, nil
}

func keyChecksum(data []byte, suffix string) [4]byte {
	h := ripemd160.New()
	h.Write(data)
	h.Write([]byte(suffix))
	return [4]byte(h.Sum(nil))
}

// String returns the form every version of nodeos prints: "EOS..." for K1,
// "PUB_R1_..." for R1.
func (k PublicKey) String() string {
	prefix, suffix := "EOS", ""
	if k[0] == curveR1 {
		prefix, suffix = "PUB_R1_", "R1"
	}
	sum := keyChecksum(k[1:], suffix)
	return prefix + base58.Encode(append(k[1:len(k):len(k)], sum[:]...))
}

// MarshalText implements encoding.TextMarshaler, for JSON and logs.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ECC returns the key as eos-go's type.
func (k PublicKey) ECC() ecc.PublicKey {
	key, err := ecc.NewPublicKeyFromData(k[:])
	if err != nil {
		panic("p2pwire: " + err.Error()) // 33 bytes of K1 or R1 are always taken
	}
	return key
}
