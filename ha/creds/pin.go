package creds

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
)

// Pin is the SHA-256 of a public key, as it stands in a certificate (SubjectPublicKeyInfo).
type Pin [sha256.Size]byte

const pinPrefix = "sha256:"

// ErrPin means that a text is no pin.
var ErrPin = errors.New("is not a pin: give sha256: and 64 hex digits, as `bprelay cluster show` prints it")

// ParsePin reads what [Pin.String] writes.
func ParsePin(text string) (p Pin, err error) {
	digits, ok := strings.CutPrefix(text, pinPrefix)
	if !ok || hex.DecodedLen(len(digits)) != len(p) {
		return p, ErrPin
	}
	if _, err := hex.Decode(p[:], []byte(digits)); err != nil {
		return Pin{}, ErrPin
	}
	return p, nil
}

// PinOf is the pin of a certificate's key.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

func (p Pin) String() string { return pinPrefix + hex.EncodeToString(p[:]) }
