package p2pwire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/eoscanada/eos-go/ecc"
)

// The development key every EOSIO tutorial uses.
const (
	devWIF    = "5KQwrPbwdL6PhXujxW37FSSQZ1JiwsST4cqQzDeyXtP79zkvFD3"
	devPVT    = "PVT_K1_2bfGi9rYsXQSXXTvJbDAPhHLQUojjaNLomdm3cEJ1XTzMqUt3V"
	devLegacy = "EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"
	devPUB    = "PUB_K1_6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5BoDq63"
)

func TestKeyTexts(t *testing.T) {
	a, err := ParsePrivateKey(devWIF)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParsePrivateKey(devPVT)
	if err != nil {
		t.Fatal(err)
	}
	if a.Public() != b.Public() || a.Public().String() != devLegacy {
		t.Errorf("%s, %s", a.Public(), b.Public())
	}
	for _, text := range []string{devLegacy, devPUB} {
		if k, err := ParsePublicKey(text); err != nil || k != a.Public() {
			t.Errorf("%s: %s, %v", text, k, err)
		}
	}
	if a.Public().ECC().String() != devLegacy {
		t.Errorf("eos-go prints %s", a.Public().ECC())
	}
	if s := a.String(); strings.Contains(s, devWIF[1:20]) || !strings.Contains(s, devLegacy) {
		t.Errorf("a private key prints %q", s)
	}
	bad := func(s string) string { return s[:len(s)-1] + "1" }
	for _, text := range []string{"", "EOS", bad(devLegacy), bad(devPUB), "PUB_K1_" + devLegacy[3:], "EOS" + devPUB[7:], "PUB_R1_x", "PUB_WA_x", "EOS" + strings.Repeat("1", 50000)} {
		if _, err := ParsePublicKey(text); !errors.Is(err, ErrKey) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	for _, text := range []string{"", "PVT_K1_", bad(devWIF), bad(devPVT), "PVT_R1_x", strings.Repeat("5", 50000)} {
		if _, err := ParsePrivateKey(text); !errors.Is(err, ErrKey) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := NewVerifier(PublicKey{}); !errors.Is(err, ErrKey) {
		t.Errorf("a zero key: %v", err)
	}
}

func TestSignRecoverVerify(t *testing.T) {
	key := K1PrivateFromSeed("k")
	v, err := NewVerifier(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewVerifier(K1PrivateFromSeed("other").Public())
	if err != nil {
		t.Fatal(err)
	}
	eosKey := key.Public().ECC()
	for i := range uint32(100) {
		var seed [4]byte
		binary.LittleEndian.PutUint32(seed[:], i)
		digest := ID(sha256.Sum256(seed[:]))
		sig := key.Sign(digest)
		if sig != key.Sign(digest) {
			t.Fatal("signing is not deterministic")
		}
		if got, err := Recover(digest, sig[:]); err != nil || got != key.Public() {
			t.Fatalf("%d: %s, %v", i, got, err)
		}
		if !v.Verify(digest, sig[:]) || other.Verify(digest, sig[:]) {
			t.Fatalf("%d: verify", i)
		}
		if eos := mustSignature(sig[:]); !eos.Verify(digest[:], eosKey) {
			t.Fatalf("%d: eos-go refuses", i)
		}
		// A wrong recovery id leads to another key: nodeos refuses it.
		wrong := sig
		wrong[1] = 27 + 4 + (sig[1] - 27 - 4) ^ 1
		if v.Verify(digest, wrong[:]) {
			t.Fatalf("%d: a wrong recovery id verifies", i)
		}
		if got, err := Recover(digest, wrong[:]); err == nil && got == key.Public() {
			t.Fatalf("%d: a wrong recovery id recovers", i)
		}
		wrong[1] = 27 + 4 + (sig[1] - 27 - 4) ^ 2
		if v.Verify(digest, wrong[:]) {
			t.Fatalf("%d: an overflow recovery id verifies", i)
		}
	}
}

// Verify must say what Recover says, for anything.
func TestVerifyAgreesWithRecover(t *testing.T) {
	key := K1PrivateFromSeed("k")
	v, err := NewVerifier(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	digest := ID{7}
	sig := key.Sign(digest)
	for bit := range 8 * len(sig) {
		sig[bit/8] ^= 1 << (bit % 8)
		got, err := Recover(digest, sig[:])
		if want := err == nil && got == key.Public(); v.Verify(digest, sig[:]) != want {
			t.Errorf("bit %d: Verify is %v", bit, !want)
		}
		if err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("bit %d: %v", bit, err)
		}
		sig[bit/8] ^= 1 << (bit % 8)
	}
	for n := range sig {
		if v.Verify(digest, sig[:n]) {
			t.Errorf("%d bytes verify", n)
		}
		if _, err := Recover(digest, sig[:n]); err == nil {
			t.Errorf("%d bytes recover", n)
		}
	}
}

func TestCanonical(t *testing.T) {
	good := [66]byte{1: 31, 2: 1, 34: 1}
	tests := []struct {
		name   string
		change func(*[66]byte)
		want   bool
	}{
		{"good", func(*[66]byte) {}, true},
		{"27", func(s *[66]byte) { s[1] = 27 }, true},
		{"34", func(s *[66]byte) { s[1] = 34 }, true},
		{"26", func(s *[66]byte) { s[1] = 26 }, false},
		{"35", func(s *[66]byte) { s[1] = 35 }, false},
		{"R1", func(s *[66]byte) { s[0] = 1 }, false},
		{"r high", func(s *[66]byte) { s[2] = 0x80 }, false},
		{"r short", func(s *[66]byte) { s[2], s[3] = 0, 0x7f }, false},
		{"r needs its zero", func(s *[66]byte) { s[2], s[3] = 0, 0x80 }, true},
		{"s high", func(s *[66]byte) { s[34] = 0xff }, false},
		{"s short", func(s *[66]byte) { s[34], s[35] = 0, 1 }, false},
		{"s needs its zero", func(s *[66]byte) { s[34], s[35] = 0, 0xff }, true},
	}
	for _, tt := range tests {
		s := good
		tt.change(&s)
		if got := canonicalK1(s[:]); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestEmptyKeyIsNodeosDefault(t *testing.T) {
	h := Handshake{}
	body := h.AppendBody(nil)
	if string(body[66:66+K1KeySize]) != string(make([]byte, K1KeySize)) || string(body[140:140+K1SigSize]) != string(make([]byte, K1SigSize)) {
		t.Error("an empty key or signature is not zeros")
	}
	got, err := DecodeHandshake(body)
	if err != nil || got.Signed() || got.Key.Curve != ecc.CurveK1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestInvertScalar(t *testing.T) {
	for i := range byte(50) {
		bytes := sha256.Sum256([]byte{i})
		var v, got secp256k1.ModNScalar
		v.SetBytes(&bytes)
		if i < 3 {
			v.SetInt(uint32(i) + 1)
		}
		invertScalar(&got, &v)
		if want := new(secp256k1.ModNScalar).InverseValNonConst(&v); !got.Equals(want) {
			t.Fatalf("1/%s is %s, want %s", v, got, want)
		}
	}
}
