package p2pwire

import (
	stdecdsa "crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"github.com/eoscanada/eos-go/btcsuite/btcutil/base58"
	"github.com/eoscanada/eos-go/ecc"
)

// From nodeos' own test of its R1 keys (libfc, test_cypher_suites).
func TestR1KeyText(t *testing.T) {
	const private, public = "iyQmnyPEGvFd8uffnk152WC2WryBjgTrg22fXQryuGL9mU6qW", "PUB_R1_6EPHFSKVYHBjQgxVGQPrwCxTg7BbZ69H9i4gztN9deKTEXYne4"
	secret, err := decodeKeyText(private, "R1", 32)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stdecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if key != newR1Private(raw).Public() || key.String() != public || key.ECC().String() != public {
		t.Errorf("%s; eos-go prints %s; the private key's is %s", key, key.ECC(), newR1Private(raw).Public())
	}
	noPoint := append([]byte{4}, key[2:]...)
	sum := keyChecksum(noPoint, "R1")
	for _, text := range []string{
		"PUB_R1_", public[:len(public)-1] + "5", "PUB_K1_" + public[7:], "EOS" + public[7:], "PUB_R1_" + devPUB[7:],
		"PUB_R1_" + base58.Encode(append(noPoint, sum[:]...)), "PUB_WA_" + public[7:],
	} {
		if _, err := ParsePublicKey(text); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := NewVerifier(PublicKey{0: curveR1}); !errors.Is(err, ErrKey) {
		t.Errorf("a zero R1 key: %v", err)
	}
	if _, err := NewVerifier(PublicKey{0: curveWA}); !errors.Is(err, ErrKey) {
		t.Errorf("a WebAuthn key: %v", err)
	}
}

// Signatures by two other implementations: Trust Wallet's core with the private
// key sha256("A"), and the elliptic package of JavaScript.
func TestR1SignaturesOfOthers(t *testing.T) {
	raw := sha256.Sum256([]byte("A"))
	wallet, err := stdecdsa.ParseRawPrivateKey(elliptic.P256(), raw[:])
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ digest, signature, public string }{
		{"14fc3299ee3e1113096bf1869dfa14c04a7ffdedd8ebdabf530683e4cfcd726c",
			"SIG_R1_KC4qBxibZpXLESzN37F46Jv8w7dQtyPDeRmeFs8Z4DmEFhr3FACLkjcbSLkVN7acBt4eb6zUa9N76UfJncr4htxCSe7huZ",
			newR1Private(wallet).Public().String()},
		{"ed2a1b6b8d301e1e79dfb10234fd9abbb094aedb43b3bf33449f9b8a1787e4e7",
			"SIG_R1_KhMXY87g8FhNkm5BQAEkbt1avawEag8GbtyMZDGZEQPcJeWLkhTsaBpLHPPbRo5fc5D6FvzucatBaMAUbFZzcEz1yUmTpk",
			"PUB_R1_562tX4UqQqJqfL3PnKFNYycVMQ1WghKDLzbx9XePwE1zSJj8Zo"},
	} {
		digest, err := ParseID(tt.digest)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := ecc.NewSignature(tt.signature)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Recover(digest, appendSignature(nil, sig)); err != nil || got.String() != tt.public {
			t.Errorf("recovered %s, %v; want %s", got, err, tt.public)
		}
	}
}

// Recover, Verify and crypto/ecdsa must say the same of any bytes.
func TestR1SignRecoverVerify(t *testing.T) {
	key, other := R1PrivateFromSeed("k"), R1PrivateFromSeed("other")
	if key.String() == other.String() {
		t.Fatal("two seeds, one key")
	}
	v, err := NewVerifier(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewVerifier(other.Public())
	if err != nil {
		t.Fatal(err)
	}
	check := func(digest ID, sig []byte) {
		t.Helper()
		got, err := Recover(digest, sig)
		recovered := err == nil && got == key.Public()
		if err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%x: %v", sig, err)
		}
		if v.Verify(digest, sig) != recovered || w.Verify(digest, sig) {
			t.Errorf("%x: Verify disagrees with Recover (%v)", sig, recovered)
		}
		r, s := new(big.Int).SetBytes(sig[2:34]), new(big.Int).SetBytes(sig[34:])
		if recovered && !stdecdsa.Verify(&key.key.PublicKey, digest[:], r, s) {
			t.Errorf("%x: crypto/ecdsa disagrees", sig)
		}
	}
	for i := range byte(20) {
		digest := ID(sha256.Sum256([]byte{i}))
		sig := key.Sign(digest)
		if sig != key.Sign(digest) || !v.Verify(digest, sig[:]) {
			t.Fatalf("%d: does not verify", i)
		}
		check(digest, sig[:])
		for bit := range 8 * len(sig) {
			if bit > 24 && bit%11 != int(i)%11 {
				continue
			}
			sig[bit/8] ^= 1 << (bit % 8)
			check(digest, sig[:])
			sig[bit/8] ^= 1 << (bit % 8)
		}
		high := sig // nodeos: "invalid high s-value encountered in r1 signature"
		new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[34:])).FillBytes(high[34:])
		high[1] ^= 1
		if _, err := Recover(digest, high[:]); err == nil {
			t.Fatal("a high s is taken")
		}
	}
	// Numbers at the edges give errors, no panic.
	n := elliptic.P256().Params().N
	for _, r := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(5), n, new(big.Int).Sub(n, big.NewInt(1)), elliptic.P256().Params().P} {
		for _, s := range []*big.Int{big.NewInt(0), big.NewInt(1), r1Half, n} {
			for id := byte(26); id < 36; id++ {
				sig := [K1SigSize]byte{0: curveR1, 1: id}
				r.FillBytes(sig[2:34])
				s.FillBytes(sig[34:])
				check(ID{1}, sig[:])
			}
		}
	}
	for _, k := range []int{0, 1, 65, 67} {
		if _, err := Recover(ID{}, make([]byte, k)); !errors.Is(err, ErrSignature) {
			t.Errorf("%d bytes: %v", k, err)
		}
	}
}

func TestK1SignatureByEosGo(t *testing.T) {
	private, err := ecc.NewPrivateKey(devWIF)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ParsePublicKey(private.PublicKey().String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(20) {
		digest := ID(sha256.Sum256([]byte{i}))
		sig, err := private.Sign(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Recover(digest, appendSignature(nil, sig)); err != nil || got != want {
			t.Fatalf("%s, %v", got, err)
		}
	}
}
