package creds

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// ErrSignature means that a signature is not that of the key over the text.
var ErrSignature = errors.New("wrong signature")

// Sign signs a text with the member's key. The purpose keeps a signature from being taken for one of
// another kind.
func (i *Identity) Sign(purpose string, text []byte) ([]byte, error) {
	signer, ok := i.held.Load().cert.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the member's key cannot sign")
	}
	var sig []byte
	var err error
	if _, isEd := signer.Public().(ed25519.PublicKey); isEd {
		sig, err = signer.Sign(rand.Reader, bound(purpose, text), crypto.Hash(0))
	} else {
		digest := sha256.Sum256(bound(purpose, text))
		sig, err = signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

// CheckSignature returns [ErrSignature] unless sig is what the certificate's key (Ed25519 or ECDSA)
// signed for that purpose.
func CheckSignature(c *x509.Certificate, purpose string, text, sig []byte) error {
	good := false
	switch key := c.PublicKey.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(key, bound(purpose, text), sig)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(bound(purpose, text))
		good = ecdsa.VerifyASN1(key, digest[:], sig)
	default:
		return fmt.Errorf("%w: keys of this kind (%T) do not sign", ErrSignature, key)
	}
	if !good {
		return ErrSignature
	}
	return nil
}

// bound is the text together with its purpose, which holds no zero byte.
func bound(purpose string, text []byte) []byte {
	return append(append([]byte("bprelay "+purpose), 0), text...)
}
