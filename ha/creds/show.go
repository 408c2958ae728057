package creds

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Certificate is what to show of one.
type Certificate struct {
	// File is its path, Name the member's, or the CA's common name.
	File string `json:"file"`
	Name string `json:"name"`
	CA   bool   `json:"ca,omitempty"`
	// Pin is the SHA-256 of its key, Fingerprint that of the certificate (both in hex).
	Pin         string    `json:"pin"`
	Fingerprint string    `json:"fingerprint_sha256"`
	Expires     time.Time `json:"expires"`
	// HasKey tells whether the key's file lies beside it.
	HasKey bool `json:"has_key"`
	// Problem is empty, or why this certificate will not be accepted, or will not be for long.
	Problem string `json:"problem,omitempty"`
}

// GossipKey is what to show of one: enough to compare members, and nothing to decrypt with.
type GossipKey struct {
	Fingerprint string `json:"fingerprint_sha256"`
	Encrypts    bool   `json:"encrypts"`
}

// Directory is what to show of a cluster's directory, or of what one member has of it.
type Directory struct {
	Certificates []Certificate `json:"certificates"`
	GossipKeys   []GossipKey   `json:"gossip_keys"`
}

// Describe reads a directory. What is missing of a cluster's files is no error: a member has its own
// only. An error is a file that cannot be read or understood.
func Describe(dir string, now time.Time) (*Directory, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	d := &Directory{}
	ca, err := readCert(filepath.Join(dir, CAFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".crt") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		c, err := readCert(path)
		if err != nil {
			return nil, err
		}
		d.Certificates = append(d.Certificates, describe(path, c, ca, now))
	}
	ring, err := ReadKeyring(filepath.Join(dir, GossipFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		d.GossipKeys = ring.Describe()
	}
	if len(d.Certificates) == 0 && len(d.GossipKeys) == 0 {
		return nil, fmt.Errorf("%s holds no certificates and no gossip keys", dir)
	}
	return d, nil
}

// Describe shows the keys' fingerprints, in order.
func (k *Keyring) Describe() []GossipKey {
	list := make([]GossipKey, len(k.keys))
	for i, key := range k.keys {
		sum := sha256.Sum256(append([]byte("bprelay gossip key\x00"), key...))
		list[i] = GossipKey{Fingerprint: hex.EncodeToString(sum[:8]), Encrypts: i == 0}
	}
	return list
}

func describe(path string, c, ca *x509.Certificate, now time.Time) Certificate {
	sum := sha256.Sum256(c.Raw)
	name, ok := NameOf(c)
	out := Certificate{
		File: path, Name: name, CA: c.IsCA, Pin: PinOf(c).String(), Fingerprint: hex.EncodeToString(sum[:]), Expires: c.NotAfter,
	}
	_, err := os.Stat(strings.TrimSuffix(path, ".crt") + ".key")
	out.HasKey = err == nil
	switch {
	case c.IsCA:
		out.Name = c.Subject.CommonName
		out.Problem = expiryText("the CA", "bprelay cluster init in a new directory", c.NotAfter, now)
		return out
	case !ok:
		out.Name = c.Subject.CommonName
		out.Problem = "names no member"
	case ca != nil && c.CheckSignatureFrom(ca) != nil:
		out.Problem = "is not signed by " + CAFile
	default:
		out.Problem = AlarmOf(name, c, now)
	}
	return out
}
