package p2pwire

import (
	"errors"
	"strings"
	"testing"

	"github.com/eoscanada/eos-go/ecc"
)

func validHandshake() Handshake {
	return Handshake{NetworkVersion: 1214, Time: 1_800_000_000_000_000_000, P2PAddress: "host:9876 - 0000000", OS: "linux", Generation: 1}
}

func TestHandshakeValidate(t *testing.T) {
	long := strings.Repeat("x", 385)
	tests := []struct {
		name   string
		change func(*Handshake)
		ok     bool
	}{
		{"plain", func(*Handshake) {}, true},
		{"no agent", func(h *Handshake) { h.Agent = "" }, true},
		{"long texts", func(h *Handshake) { h.Agent, h.OS, h.P2PAddress = long[1:], long[1:], long[1:] }, true},
		{"root is head", func(h *Handshake) { h.RootNum, h.HeadNum = 5, 5 }, true},
		{"root above head", func(h *Handshake) { h.RootNum, h.HeadNum = 6, 5 }, false},
		{"no address", func(h *Handshake) { h.P2PAddress = "" }, false},
		{"address too long", func(h *Handshake) { h.P2PAddress = long }, false},
		{"no os", func(h *Handshake) { h.OS = "" }, false},
		{"os too long", func(h *Handshake) { h.OS = long }, false},
		{"agent too long", func(h *Handshake) { h.Agent = long }, false},
		{"foreign token", func(h *Handshake) { h.Token = ID{1} }, false},
		{"token without signature", func(h *Handshake) { h.Token = handshakeToken(h.Time) }, true},
		{"signature without token", func(h *Handshake) { h.Sig = mustSignature([]byte(strings.Repeat("\x00", 65) + "\x01")) }, false},
		{"signed", func(h *Handshake) { h.Sign(K1PrivateFromSeed("a")) }, true},
		{"signed, then another time", func(h *Handshake) { h.Sign(K1PrivateFromSeed("a")); h.Time++ }, false},
	}
	for _, tt := range tests {
		h := validHandshake()
		tt.change(&h)
		if err := h.Validate(); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestHandshakeAuth(t *testing.T) {
	key := K1PrivateFromSeed("peer")
	h := validHandshake()
	if _, err := h.VerifyAuth(); err == nil || h.Signed() {
		t.Error("an unsigned handshake verifies")
	}
	h.Sign(key)
	got, err := DecodeHandshake(h.AppendBody(nil))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := got.VerifyAuth(); err != nil || k != key.Public() {
		t.Errorf("%s, %v", k, err)
	}
	// eos-go agrees about the signature.
	if pub, err := got.Sig.PublicKey(got.Token[:]); err != nil || pub.String() != key.Public().String() {
		t.Errorf("eos-go recovers %s, %v", pub, err)
	}
	for name, change := range map[string]func(*Handshake){
		"other time": func(h *Handshake) { h.Time++ },
		"other key":  func(h *Handshake) { h.Key = K1PrivateFromSeed("b").Public().ECC() },
		"R1 key":     func(h *Handshake) { h.Key.Curve = ecc.CurveR1 },
		"no key":     func(h *Handshake) { h.Key = ecc.PublicKey{} },
		"bad sig":    func(h *Handshake) { h.Sig.Content = make([]byte, 65); h.Sig.Content[0] = 31; h.Sig.Content[64] = 1 },
	} {
		changed := got
		change(&changed)
		if _, err := changed.VerifyAuth(); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHandshakeAuthByR1(t *testing.T) {
	key := R1PrivateFromSeed("peer")
	h := validHandshake()
	h.Token = handshakeToken(h.Time)
	sig := key.Sign(h.Token)
	h.Key, h.Sig = key.Public().ECC(), mustSignature(sig[:])
	got, err := DecodeHandshake(h.AppendBody(nil))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := got.VerifyAuth(); err != nil || k != key.Public() {
		t.Errorf("%s, %v", k, err)
	}
}

func TestAddressKind(t *testing.T) {
	tests := []struct {
		address string
		want    AddressKind
	}{
		{"host:9876 - 0123456", KindBoth},
		{"host:9876:blk - 0123456", KindBlocks},
		{"host:9876:trx - 0123456", KindTransactions},
		{"host:9876:blk", KindBlocks},
		{"host:9876:trx:1MB/s", KindTransactions},
		{"host:9876:1MB/s", KindBoth},
		{"[::1]:9876:trx - 0123456", KindTransactions},
		{"[::1]:9876 - 0123456", KindBoth},
		{"[::1:9876:trx", KindBoth},
		{"", KindBoth},
		{"host", KindBoth},
		{strings.Repeat("h", 300) + ":9876:blk", KindBoth},
	}
	for _, tt := range tests {
		if got := (Handshake{P2PAddress: tt.address}).PeerKind(); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.address, got, tt.want)
		}
	}
	for _, kind := range []AddressKind{KindBoth, KindBlocks, KindTransactions} {
		if got := ParseAddressKind(FormatAddress("host:1", kind, ID{0xab})); got != kind {
			t.Errorf("%s comes back as %s", kind, got)
		}
	}
	if got := FormatAddress("host:1", KindBlocks, ID{0xab, 0xcd, 0xef, 0x12}); got != "host:1:blk - abcdef1" {
		t.Errorf("address %q", got)
	}
}
