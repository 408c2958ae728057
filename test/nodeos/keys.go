package nodeos

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/eoscanada/eos-go/ecc"

	"bprelay/p2pwire"
)

// blockKey signs blocks and transactions (K1).
type blockKey struct {
	private *ecc.PrivateKey
	public  ecc.PublicKey
}

// newBlockKey derives a key from a text: every run has the same ones, which are worth nothing.
func newBlockKey(seed string) (blockKey, error) {
	private, err := ecc.NewPrivateKeyFromSeed("bprelay test/nodeos " + seed)
	if err != nil {
		return blockKey{}, fmt.Errorf("derive the key of %s: %w", seed, err)
	}
	return blockKey{private, private.PublicKey()}, nil
}

// provider is the key as nodeos' option signature-provider wants it.
func (k blockKey) provider() string { return k.public.String() + "=KEY:" + k.private.String() }

// wire is the public key as it is packed.
func (k blockKey) wire() ([]byte, error) {
	key, err := p2pwire.ParsePublicKey(k.public.String())
	if err != nil {
		return nil, err
	}
	return key[:], nil
}

// voteKey is a finalizer's BLS key.
type voteKey struct {
	private, public string
	affine          [p2pwire.FinalizerKeySize]byte
}

func (k voteKey) provider() string { return k.public + "=KEY:" + k.private }

// newVoteKey has spring-util make one.
func newVoteKey(ctx context.Context, binDir string) (k voteKey, err error) {
	out, err := exec.CommandContext(ctx, filepath.Join(binDir, "spring-util"), "bls", "create", "key", "--to-console").Output()
	if err != nil {
		return k, fmt.Errorf("create a BLS key: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		label, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch label {
		case "Private key":
			k.private = value
		case "Public key":
			k.public = value
		}
	}
	// Base64 (URL alphabet, no padding) of the affine bytes and a checksum of four.
	data, found := strings.CutPrefix(k.public, "PUB_BLS_")
	raw, err := base64.RawURLEncoding.DecodeString(data)
	if !found || err != nil || len(raw) != len(k.affine)+4 || k.private == "" {
		return k, fmt.Errorf("create a BLS key: unexpected output of spring-util: %q", out)
	}
	k.affine = [p2pwire.FinalizerKeySize]byte(raw)
	return k, nil
}
