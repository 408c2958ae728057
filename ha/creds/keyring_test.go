package creds

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reads reports whether ring b can read what ring a encrypts.
func reads(a, b *Keyring) bool { return b.index(a.keys[0]) >= 0 }

// A rotation that one member sees before the others at every step: all can read all, always.
func TestRotationKeepsTalking(t *testing.T) {
	path := filepath.Join(made(t, "a", "b"), GossipFile)
	load := func() *Keyring {
		k, err := ReadKeyring(path)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := load()
	for i, step := range []func(*Keyring) error{(*Keyring).Add, (*Keyring).Use, (*Keyring).Remove} {
		before, k := load(), load()
		if err := step(k); err != nil {
			t.Fatal(err)
		}
		if err := k.Write(path); err != nil {
			t.Fatal(err)
		}
		after := load()
		if !reads(before, after) || !reads(after, before) {
			t.Errorf("step %d: who has the new file and who has not cannot talk", i+1)
		}
	}
	if last := load(); len(last.keys) != 1 || reads(first, last) {
		t.Error("the old key is still there")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestRotationSteps(t *testing.T) {
	k, err := NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Use(); !errors.Is(err, ErrStep) {
		t.Errorf("use of nothing: %v", err)
	}
	if err := k.Remove(); !errors.Is(err, ErrStep) {
		t.Errorf("remove of nothing: %v", err)
	}
	old := k.keys[0]
	if err := k.Add(); err != nil || !bytes.Equal(k.keys[0], old) {
		t.Errorf("add: %v, and who encrypts changed", err)
	}
	if err := k.Add(); !errors.Is(err, ErrStep) {
		t.Errorf("add twice: %v", err)
	}
	if err := k.Use(); err != nil || bytes.Equal(k.keys[0], old) || !bytes.Equal(k.keys[1], old) {
		t.Errorf("use: %v", err)
	}
}

func TestReadKeyring(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 16))
	for _, c := range []struct {
		name, text, want string
		keys             int
	}{
		{"one", good + "\n", "", 1},
		{"comments and no last newline", "# x\n\n  " + good + "\r\n" + other, "", 2},
		{"empty", "", "holds no key", 0},
		{"only a comment", "# " + good, "holds no key", 0},
		{"short", good[:12] + "\n", "file:1: not a key", 0},
		{"no base64", good + "\n?" + good, "file:2: not a key", 0},
		{"twice", good + "\n" + good, "file:2: the key stands there twice", 0},
		{"many", func() (s string) {
			for i := range byte(9) {
				s += base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{i}, 32)) + "\n"
			}
			return s
		}(), "holds 9 keys", 0},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := ReadKeyring(path)
		switch {
		case c.want == "" && (err != nil || len(k.Keys()) != c.keys):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), good[:12])):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err := os.Chmod(path, 0o604); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeyring(path); !errors.Is(err, ErrMode) {
			t.Errorf("%s, mode 604: %v", c.name, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	dir, other := made(t, "a", "b"), made(t, "a", "x")
	foreign, err := os.ReadFile(filepath.Join(other, "x.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.crt"), foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Describe(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Certificate{}
	for _, c := range d.Certificates {
		got[filepath.Base(c.File)] = c
	}
	if len(got) != 4 || !got["ca.crt"].CA || got["a.crt"].Name != "a" || !got["a.crt"].HasKey || got["a.crt"].Problem != "" ||
		got["x.crt"].Problem != "is not signed by ca.crt" || got["x.crt"].HasKey {
		t.Errorf("%+v", got)
	}
	if got["b.crt"].Pin != PinOf(leaf(t, dir, "b")).String() || len(got["b.crt"].Fingerprint) != 64 {
		t.Errorf("%+v", got["b.crt"])
	}
	if len(d.GossipKeys) != 1 || !d.GossipKeys[0].Encrypts || len(d.GossipKeys[0].Fingerprint) != 16 {
		t.Errorf("%+v", d.GossipKeys)
	}
	if _, err := Describe(t.TempDir(), time.Now()); err == nil || !strings.Contains(err.Error(), "holds no certificates") {
		t.Errorf("an empty directory: %v", err)
	}
	late, err := Describe(dir, time.Now().Add(DefaultValidity-time.Hour))
	if err != nil || !strings.Contains(late.Certificates[0].Problem, "expires in 0 days") {
		t.Errorf("%+v, %v", late, err)
	}
}
