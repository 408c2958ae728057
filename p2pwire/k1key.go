package p2pwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/eoscanada/eos-go/btcsuite/btcutil/base58"
	"github.com/eoscanada/eos-go/ecc"
	//lint:ignore SA1019 the checksum of EOSIO's key texts is RIPEMD-160
	"golang.org/x/crypto/ripemd160"
)

// K1Key is a compressed secp256k1 public key.
type K1Key [33]byte

// ErrKey is what errors about key texts match.
var ErrKey = errors.New("bad key")

// ParsePublicKey reads a K1 public key in the legacy form "EOS..." or as
// "PUB_K1_...": checksum and point are checked. Errors match [ErrKey].
func ParsePublicKey(s string) (K1Key, error) {
	var key K1Key
	text, suffix := s, ""
	switch {
	case strings.HasPrefix(s, "EOS"):
		text = s[len("EOS"):]
	case strings.HasPrefix(s, "PUB_K1_"):
		text, suffix = s[len("PUB_K1_"):], "K1"
	default:
		return key, fmt.Errorf("%w: public key %q begins with neither EOS nor PUB_K1_", ErrKey, s)
	}
	data, err := decodeKeyText(text, suffix, len(key))
	if err != nil {
		return key, fmt.Errorf("%w: public key %q: %w", ErrKey, s, err)
	}
	if _, err := secp256k1.ParsePubKey(data); err != nil {
		return key, fmt.Errorf("%w: public key %q: %w", ErrKey, s, err)
	}
	return K1Key(data), nil
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

// String returns the legacy form "EOS...", which every version prints.
func (k K1Key) String() string {
	sum := keyChecksum(k[:], "")
	return "EOS" + base58.Encode(append(k[:len(k):len(k)], sum[:]...))
}

// MarshalText implements encoding.TextMarshaler, for JSON and logs.
func (k K1Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ECC returns the key as eos-go's type.
func (k K1Key) ECC() ecc.PublicKey {
	key, err := ecc.NewPublicKeyFromData(variantData(curveK1, k[:]))
	if err != nil {
		panic("p2pwire: " + err.Error()) // 33 bytes of K1 are always taken
	}
	return key
}

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
