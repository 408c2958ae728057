package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"bprelay/p2pwire"
)

// ErrKeyFileMode is matched by the error for a key file that others than its owner and group may
// read or write.
var ErrKeyFileMode = errors.New("everybody has access to it")

// ReadPeerPrivateKey reads the key that signs handshakes, nil if none is configured. Errors name the
// file, never its content; one that others may read matches [ErrKeyFileMode], one without a key in
// it [p2pwire.ErrKey].
func (p *P2P) ReadPeerPrivateKey() (*p2pwire.K1Private, error) {
	if p.PeerPrivateKeyFile == "" {
		return nil, nil
	}
	f, err := os.Open(p.PeerPrivateKeyFile)
	if err != nil {
		return nil, fmt.Errorf("open peer key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at peer key: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() {
		return nil, fmt.Errorf("read peer key %s: not a regular file", p.PeerPrivateKeyFile)
	} else if mode.Perm()&0o007 != 0 {
		return nil, fmt.Errorf("read peer key %s of mode %04o: %w", p.PeerPrivateKeyFile, mode.Perm(), ErrKeyFileMode)
	}
	const most = 1024
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("read peer key: %w", err)
	}
	key, err := p2pwire.ParsePrivateKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read peer key %s: %w", p.PeerPrivateKeyFile, err)
	}
	return key, nil
}

// checkKeyFile reads the key once, so that a bad file shows at the start and not at the first peer,
// and notes the public key.
func (d *decoder) checkKeyFile(p *P2P) {
	const path = "p2p.peer_private_key_file"
	key, err := p.ReadPeerPrivateKey()
	switch {
	case err == nil:
		p.PeerPublicKey = key.Public()
	case errors.Is(err, fs.ErrNotExist):
		d.fail(path, p.PeerPrivateKeyFile, bad("create it, or correct the path", "does not exist"))
	case errors.Is(err, ErrKeyFileMode):
		d.fail(path, p.PeerPrivateKeyFile, bad("chmod 600 it (mount a container's secret with mode 0400)", "can be read or written by everybody"))
	case errors.Is(err, p2pwire.ErrKey):
		d.fail(path, p.PeerPrivateKeyFile, bad("put a K1 private key alone into it, as WIF or PVT_K1_", "holds no private key"))
	default:
		d.fail(path, p.PeerPrivateKeyFile, bad("make it a readable file", "cannot be read: %v", err))
	}
}
