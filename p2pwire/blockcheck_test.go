package p2pwire

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckRefusesWhatTheIDDoesNotCover(t *testing.T) {
	signer := K1PrivateFromSeed("producer")
	trx := AppendTransaction(nil, 1_800_000_000, 1, 2, []byte("payload"))
	base := BlockBuilder{
		Slot: 1000, Producer: nameEosio, Previous: ID{3: 9}, ScheduleVersion: ScheduleVersionSavanna,
		QC:       &QCClaim{Num: 8, Strong: true},
		Receipts: []Receipt{{CPU: 100, Net: 20, Trx: trx}, {CPU: 7, Net: 300, Trx: trx}, {ID: ID{1}}},
		Signer:   signer,
	}
	var sig [FinalizerSigSize]byte
	qc := QCExtension(AppendQC(nil, 8, 4, []byte{0b1011}, &sig))
	signature := func(curve byte, fill byte) []byte {
		s := make([]byte, K1SigSize)
		s[0], s[5] = curve, fill
		if curve == curveWA {
			s = append(s, 0, 0)
		}
		return s
	}
	additional := func(sigs ...[]byte) Extension {
		data := appendVarint(nil, uint32(len(sigs)))
		for _, s := range sigs {
			data = append(data, s...)
		}
		return Extension{extAdditionalSignatures, data}
	}
	tests := []struct {
		name  string
		exts  []Extension
		field string
		want  error
	}{
		{"none", nil, "", nil},
		{"qc", []Extension{qc}, "", nil},
		{"qc with bytes behind it", []Extension{{3, append(qc.Data[:len(qc.Data):len(qc.Data)], 1)}}, "", nil},
		{"additional and qc", []Extension{additional(signature(0, 1), signature(1, 1), signature(0, 2)), qc}, "", nil},
		{"falling", []Extension{qc, additional(signature(0, 1))}, "block_extensions", ErrExtension},
		{"twice", []Extension{qc, qc}, "block_extensions", ErrExtension},
		{"unknown low", []Extension{{0, nil}}, "block_extensions", ErrExtension},
		{"unknown high", []Extension{{4, nil}}, "block_extensions", ErrExtension},
		{"empty qc", []Extension{{3, nil}}, "block_extensions.qc.block_num", ErrExtension},
		{"qc cut", []Extension{{3, qc.Data[:len(qc.Data)-1]}}, "block_extensions.qc.pending_policy_sig", ErrExtension},
		{"no additional", []Extension{additional()}, "block_extensions.additional_signatures", ErrExtension},
		{"additional twice", []Extension{additional(signature(0, 1), signature(0, 1))}, "block_extensions.additional_signatures", ErrExtension},
		{"additional webauthn", []Extension{additional(signature(2, 1))}, "block_extensions.additional_signatures", ErrWebAuthn},
		{"huge bitset", []Extension{{3, append([]byte{8, 0, 0, 0, 1}, 0xff, 0xff, 0xff, 0xff, 0xf)}}, "block_extensions.qc.active_policy_sig", ErrExtension},
	}
	var s Scratch
	for _, tt := range tests {
		builder := base
		builder.BlockExtensions = tt.exts
		body, id := builder.AppendBlock(nil)
		b, err := ParseBlock(body)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if b.ID != id || !b.HasQC || b.QC != *base.QC || b.Slot != base.Slot || b.Num != 10 {
			t.Fatalf("%s: read back %+v", tt.name, b)
		}
		if key, err := Recover(id, b.Signature()); err != nil || key != signer.Public() {
			t.Fatalf("%s: signed by %s, %v", tt.name, key, err)
		}
		err = b.Check(&s)
		var e *Error
		if tt.want == nil && err != nil || tt.want != nil && (!errors.Is(err, tt.want) || !errors.As(err, &e) || e.Field != tt.field) {
			t.Errorf("%s: %v, want %v in %s", tt.name, err, tt.want, tt.field)
		}
		n := 0
		w := b.Signatures()
		for sig := w.Next(); sig != nil; sig = w.Next() {
			n++
		}
		if want := 1 + 3*strings.Count(tt.name, "additional and"); tt.want == nil && (n != want || w.Err() != nil) {
			t.Errorf("%s: %d signatures, %v; want %d", tt.name, n, w.Err(), want)
		}
	}
}

func TestCheckRefusesWebAuthnProducerSignature(t *testing.T) {
	body, _ := (&BlockBuilder{}).AppendBlock(nil)
	b, _ := ParseBlock(body)
	webauthn := append([]byte(nil), body[:b.transactions]...)
	webauthn[b.HeaderEnd] = curveWA
	webauthn = append(append(webauthn, 0, 0), body[b.transactions:]...)
	b, err := ParseBlock(webauthn)
	if err != nil || b.SignatureType() != curveWA || len(b.Signature()) != K1SigSize+2 {
		t.Fatalf("%v, type %d, %d bytes", err, b.SignatureType(), len(b.Signature()))
	}
	if err := b.Check(new(Scratch)); !errors.Is(err, ErrWebAuthn) {
		t.Fatalf("got %v", err)
	}
}

// A header, receipt or transaction with padded counts is taken by nodeos, which
// hashes what it would have written itself; spring passes such a block's bytes
// on as they are.
func TestPaddedCountsHashCanonically(t *testing.T) {
	trx := AppendTransaction(nil, 1_800_000_000, 1, 2, []byte("payload"))
	sig := [K1SigSize]byte{1: 31, 2: 1}
	signed := AppendTransaction(nil, 1_800_000_000, 1, 2, []byte("payload"), sig)
	builder := BlockBuilder{Receipts: []Receipt{{Trx: signed, Net: 5}}, Signer: K1PrivateFromSeed("p")}
	body, id := builder.AppendBlock(nil)
	b, err := ParseBlock(body)
	if err != nil {
		t.Fatal(err)
	}
	pad := func(body []byte, at int) []byte {
		out := append([]byte(nil), body[:at]...)
		out = append(out, body[at]|0x80, 0)
		return append(out, body[at+1:]...)
	}
	receipt := b.transactions + 1
	for name, at := range map[string]int{
		"header_extensions": b.HeaderEnd - 1,
		"transactions":      b.transactions,
		"net_usage_words":   receipt + 5,
		"trx index":         receipt + 6,
		"signatures":        receipt + 7,
		"signature index":   receipt + 8,
		"cfd":               receipt + 8 + K1SigSize + 1,
		"packed_trx":        receipt + 8 + K1SigSize + 2,
		"block_extensions":  len(body) - 1,
	} {
		got, err := ParseBlock(pad(body, at))
		if err != nil || got.ID != id {
			t.Errorf("%s: id %s, %v; want %s", name, got.ID, err, id)
			continue
		}
		if err := got.Check(new(Scratch)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	want, err := ParseTransaction(trx, new(Scratch))
	if err != nil {
		t.Fatal(err)
	}
	inner := trx[4:]
	padded := pad(inner, 10) // max_net_usage_words
	got, err := ParseTransaction(appendBytes(trx[:3:3], append(padded, 0xee)), new(Scratch))
	if err != nil || got.ID != want.ID {
		t.Errorf("padded transaction: %s, %v; want %s", got.ID, err, want.ID)
	}
}
