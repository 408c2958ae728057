package creds

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	// gossipKeySize makes it AES-256.
	gossipKeySize = 32
	// maxGossipKeys bounds the trials that one packet can cause.
	maxGossipKeys = 8
)

// ErrStep means that a step of a rotation makes no sense now.
var ErrStep = errors.New("not now")

// Keyring is the content of a gossip key file: the first key encrypts, all of them decrypt.
type Keyring struct{ keys [][]byte }

// NewKeyring has one new key.
func NewKeyring() (*Keyring, error) {
	k := &Keyring{}
	return k, k.Add()
}

// ReadKeyring reads a gossip key file: base64 keys of 16, 24 or 32 bytes, one a line. Lines that begin
// with # are comments. Errors never show a key.
func ReadKeyring(path string) (*Keyring, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("read gossip keys: %w", err)
	}
	k := &Keyring{}
	for n, line := range strings.Split(string(data), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if size := len(key); err != nil || size != 16 && size != 24 && size != 32 {
			return nil, fmt.Errorf("%s:%d: not a key: give base64 of 32 bytes", path, n+1)
		}
		if k.index(key) >= 0 {
			return nil, fmt.Errorf("%s:%d: the key stands there twice", path, n+1)
		}
		k.keys = append(k.keys, key)
	}
	switch {
	case len(k.keys) == 0:
		return nil, fmt.Errorf("%s holds no key", path)
	case len(k.keys) > maxGossipKeys:
		return nil, fmt.Errorf("%s holds %d keys: at most %d are of use", path, len(k.keys), maxGossipKeys)
	}
	return k, nil
}

// Keys are the keys, the one that encrypts first. The caller does not change them.
func (k *Keyring) Keys() [][]byte { return k.keys }

func (k *Keyring) index(key []byte) int {
	for i := range k.keys {
		if bytes.Equal(k.keys[i], key) {
			return i
		}
	}
	return -1
}

// Add appends a new key, which nobody encrypts with yet: the first step of a rotation.
func (k *Keyring) Add() error {
	if len(k.keys) > 1 {
		return fmt.Errorf("%w: a rotation is under way already (%d keys): use, then remove", ErrStep, len(k.keys))
	}
	key := make([]byte, gossipKeySize)
	_, _ = rand.Read(key) // never fails, by its documentation
	k.keys = append(k.keys, key)
	return nil
}

// Use makes the newest key the one that encrypts: the second step, when all members have read the
// first one's file.
func (k *Keyring) Use() error {
	last := len(k.keys) - 1
	if last < 1 {
		return fmt.Errorf("%w: there is no other key to use: add one first", ErrStep)
	}
	newest := k.keys[last]
	k.keys = append([][]byte{newest}, k.keys[:last]...)
	return nil
}

// Remove drops all keys but the one that encrypts: the last step, when all members have read the
// second one's file.
func (k *Keyring) Remove() error {
	if len(k.keys) < 2 {
		return fmt.Errorf("%w: there is no old key to remove", ErrStep)
	}
	k.keys = k.keys[:1:1]
	return nil
}

// Write puts the keys in place of a file's, whole or not at all.
func (k *Keyring) Write(path string) error {
	if err := replace(path, k.encode()); err != nil {
		return fmt.Errorf("write gossip keys: %w", err)
	}
	return nil
}

func (k *Keyring) encode() []byte {
	var b strings.Builder
	b.WriteString("# Gossip keys of a bprelay cluster: the first encrypts, all decrypt. The same file on every member.\n")
	for _, key := range k.keys {
		b.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	}
	return []byte(b.String())
}
