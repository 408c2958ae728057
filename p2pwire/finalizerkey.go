package p2pwire

import (
	"encoding/base64"
	"errors"
	"strings"

	//lint:ignore SA1019 the checksum of EOSIO's key texts is RIPEMD-160
	"golang.org/x/crypto/ripemd160"
)

// ErrFinalizerKey means that a text is no BLS public key.
var ErrFinalizerKey = errors.New("not a BLS public key (PUB_BLS_...)")

const blsPublicPrefix = "PUB_BLS_"

// ParseFinalizerKey reads a BLS public key as nodeos writes it: PUB_BLS_ and, in base64 (URL alphabet, no
// padding), the affine bytes as they stand in votes, followed by the first four of their RIPEMD-160.
func ParseFinalizerKey(text string) (key [FinalizerKeySize]byte, err error) {
	data, ok := strings.CutPrefix(text, blsPublicPrefix)
	raw, err := base64.RawURLEncoding.DecodeString(data)
	if !ok || err != nil || len(raw) != FinalizerKeySize+4 {
		return key, ErrFinalizerKey
	}
	key = [FinalizerKeySize]byte(raw)
	if string(blsChecksum(key)) != string(raw[FinalizerKeySize:]) {
		return [FinalizerKeySize]byte{}, ErrFinalizerKey
	}
	return key, nil
}

// FinalizerKeyText is the key as ParseFinalizerKey reads it.
func FinalizerKeyText(key [FinalizerKeySize]byte) string {
	return blsPublicPrefix + base64.RawURLEncoding.EncodeToString(append(key[:], blsChecksum(key)...))
}

func blsChecksum(key [FinalizerKeySize]byte) []byte {
	h := ripemd160.New()
	h.Write(key[:])
	return h.Sum(nil)[:4]
}
