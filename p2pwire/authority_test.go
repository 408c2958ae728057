package p2pwire

import (
	"errors"
	"slices"
	"testing"
)

func weights(threshold uint32, keys ...KeyWeight) Authority { return Authority{threshold, keys} }

func TestImpossibleAuthorities(t *testing.T) {
	a, b := K1PrivateFromSeed("a").Public(), R1PrivateFromSeed("b").Public()
	many := Authority{Threshold: 1}
	for i := range MaxAuthorityKeys + 1 {
		many.Keys = append(many.Keys, KeyWeight{K1PrivateFromSeed(string(rune('a' + i))).Public(), 1})
	}
	for _, tt := range []struct {
		name string
		a    Authority
		want error
	}{
		{"one key", AnyOf(a), nil},
		{"K1 and R1", AnyOf(a, b), nil},
		{"both needed", weights(5, KeyWeight{a, 2}, KeyWeight{b, 3}), nil},
		{"as many as there may be", weights(1, many.Keys[:MaxAuthorityKeys]...), nil},
		{"no keys", AnyOf(), ErrAuthority},
		{"threshold 0", weights(0, KeyWeight{a, 1}), ErrAuthority},
		{"threshold out of reach", weights(6, KeyWeight{a, 2}, KeyWeight{b, 3}), ErrAuthority},
		{"weight 0", weights(1, KeyWeight{a, 1}, KeyWeight{b, 0}), ErrAuthority},
		{"a key twice", AnyOf(a, b, a), ErrAuthority},
		{"too many keys", many, ErrAuthority},
		{"no key", AnyOf(PublicKey{}), ErrKey},
	} {
		if _, err := NewAuthorityVerifier(tt.a); tt.want == nil && err != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// The cases of nodeos' verify_signee: number of signatures, a key twice, a key
// that does not belong there, too little weight.
func TestAuthorityVerify(t *testing.T) {
	a, b, c, x := K1PrivateFromSeed("a"), R1PrivateFromSeed("b"), K1PrivateFromSeed("c"), K1PrivateFromSeed("x")
	ka, kb, kc := KeyWeight{a.Public(), 2}, KeyWeight{b.Public(), 1}, KeyWeight{c.Public(), 1}
	for _, tt := range []struct {
		name      string
		authority Authority
		by        []Signer // the first one's is the producer signature
		want      bool
	}{
		{"its key", AnyOf(a.Public()), []Signer{a}, true},
		{"its R1 key", AnyOf(b.Public()), []Signer{b}, true},
		{"old and new configured, old", AnyOf(a.Public(), c.Public()), []Signer{a}, true},
		{"old and new configured, new", AnyOf(a.Public(), c.Public()), []Signer{c}, true},
		{"another key", AnyOf(a.Public()), []Signer{x}, false},
		{"another key besides", AnyOf(a.Public()), []Signer{a, x}, false},
		{"another key first", AnyOf(a.Public()), []Signer{x, a}, false},
		{"its key twice", AnyOf(a.Public(), c.Public()), []Signer{a, a}, false},
		{"threshold reached by one", weights(2, ka, kb, kc), []Signer{a}, true},
		{"threshold reached by two", weights(2, ka, kb, kc), []Signer{b, c}, true},
		{"in any order", weights(2, ka, kb, kc), []Signer{c, b}, true},
		{"more than needed", weights(2, ka, kb, kc), []Signer{c, a, b}, true},
		{"too little weight", weights(2, ka, kb, kc), []Signer{b}, false},
		{"too little weight together", weights(4, ka, kb, kc), []Signer{a, b}, false},
		{"all needed", weights(4, ka, kb, kc), []Signer{a, b, c}, true},
		{"enough, and another key", weights(2, ka, kb, kc), []Signer{a, b, x}, false},
		{"enough, one twice", weights(2, ka, kb, kc), []Signer{a, b, b}, false},
		{"four of three", weights(2, ka, kb, kc), []Signer{a, b, c, x}, false},
	} {
		v, err := NewAuthorityVerifier(tt.authority)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		builder := BlockBuilder{
			Slot: 5, Previous: ID{3: 9}, ScheduleVersion: ScheduleVersionSavanna, QC: &QCClaim{Num: 8},
			Signer: tt.by[0], CoSigners: tt.by[1:],
		}
		body, _ := builder.AppendBlock(nil)
		block, err := ParseBlock(body)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Verify(&block); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		var distinct []PublicKey
		for _, s := range tt.by {
			k := s.(interface{ Public() PublicKey }).Public()
			if !slices.Contains(distinct, k) {
				distinct = append(distinct, k)
			}
		}
		keys, err := block.Signers()
		if twice := len(distinct) < len(tt.by); twice != errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", tt.name, err)
		} else if !twice && (len(keys) != len(distinct) || slices.ContainsFunc(distinct, func(k PublicKey) bool { return !slices.Contains(keys, k) })) {
			t.Errorf("%s: signed by %s, want %s", tt.name, keys, distinct)
		}
		if err := block.Check(new(Scratch)); err == nil != (len(distinct) == len(tt.by) || tt.by[0] == tt.by[1]) {
			t.Errorf("%s: Check: %v", tt.name, err)
		}
	}
}

func TestLegacyBlockHasNoSigner(t *testing.T) {
	key := K1PrivateFromSeed("a")
	body, _ := (&BlockBuilder{Slot: 5, Previous: ID{3: 9}, Signer: key}).AppendBlock(nil)
	b, err := ParseBlock(body)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewAuthorityVerifier(AnyOf(key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := b.Signers(); !errors.Is(err, ErrSignature) || v.Verify(&b) {
		t.Errorf("signed by %v, %v; nobody can tell", keys, err)
	}
}

// What Check refuses must neither panic nor verify.
func TestSignaturesOfMalformedBlocks(t *testing.T) {
	a, c := K1PrivateFromSeed("a"), K1PrivateFromSeed("c")
	v, err := NewAuthorityVerifier(weights(2, KeyWeight{a.Public(), 1}, KeyWeight{c.Public(), 1}))
	if err != nil {
		t.Fatal(err)
	}
	builder := BlockBuilder{ScheduleVersion: ScheduleVersionSavanna, Signer: a, CoSigners: []Signer{c}, BlockExtensions: []Extension{{extQuorumCertificate, nil}}}
	body, _ := builder.AppendBlock(nil)
	b, err := ParseBlock(body)
	if err != nil || !v.Verify(&b) {
		t.Fatalf("%v; the good block does not verify", err)
	}
	for n := b.transactions + 2; n < len(body); n++ {
		cut, err := ParseBlock(body[:n])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cut.Signers(); !errors.Is(err, ErrMalformed) || v.Verify(&cut) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(body), err)
		}
	}
	sig := c.Sign(b.ID)
	webauthn := append([]byte{1, curveWA}, append(sig[1:], 0, 0)...)
	for name, exts := range map[string][]Extension{
		"none":       {{extAdditionalSignatures, []byte{0}}},
		"empty":      {{extAdditionalSignatures, nil}},
		"twice":      {{extAdditionalSignatures, append([]byte{1}, sig[:]...)}, {extAdditionalSignatures, append([]byte{1}, sig[:]...)}},
		"cut":        {{extAdditionalSignatures, append([]byte{1}, sig[:60]...)}},
		"huge count": {{extAdditionalSignatures, append([]byte{0xff, 0xff, 0xff, 0x7f}, sig[:]...)}},
		"webauthn":   {{extAdditionalSignatures, webauthn}},
	} {
		builder := BlockBuilder{ScheduleVersion: ScheduleVersionSavanna, Signer: a, BlockExtensions: exts}
		body, _ := builder.AppendBlock(nil)
		b, err := ParseBlock(body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Signers(); !errors.Is(err, ErrMalformed) || v.Verify(&b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
