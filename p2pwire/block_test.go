package p2pwire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
)

func hexPrefix(b []byte, n int) string { return hex.EncodeToString(b[:n]) }

func TestCapturedBlocks(t *testing.T) {
	var s Scratch
	blocks, savanna, withQC, newest := 0, 0, 0, map[string]map[uint32]ID{}
	eachFrame(t, func(c *capture, rec *captureFrame, frame Frame) {
		if frame.Type() != TypeSignedBlock {
			return
		}
		b, err := ParseBlock(frame.Body())
		if err != nil {
			t.Fatalf("%s at %d: %v", c.name, rec.Offset, err)
		}
		if err := b.Check(&s); err != nil {
			t.Fatalf("%s block %d: %v", c.name, b.Num, err)
		}
		i := rec.Info
		if b.ID.String() != i.ID || b.Num != i.Num || b.Previous.String() != i.Prev ||
			uint32(b.Slot) != i.Slot || b.Producer.String() != i.Prod || len(s.leaves) != i.NTrx {
			t.Fatalf("%s at %d: %d %s %s slot %d by %s with %d transactions, want %+v",
				c.name, rec.Offset, b.Num, b.ID, b.Previous, b.Slot, b.Producer, len(s.leaves), i)
		}
		var claim []any
		if err := json.Unmarshal(i.QC, &claim); err != nil {
			t.Fatal(err)
		}
		if b.HasQC != (claim != nil) || b.HasQC && (float64(b.QC.Num) != claim[0] || b.QC.Strong != claim[1]) {
			t.Fatalf("%s block %d: QC %v %+v, want %s", c.name, b.Num, b.HasQC, b.QC, i.QC)
		}
		if b.SignatureType() != curveK1 || len(b.Signature()) != k1SigSize || b.AdditionalSignatures() || b.NewProducers {
			t.Fatalf("%s block %d: signature type %d of %d bytes", c.name, b.Num, b.SignatureType(), len(b.Signature()))
		}
		blocks++
		if b.Savanna {
			savanna++
		}
		if b.HasQC {
			withQC++
		}
		// Blocks of one recording form one chain per mode; forks have not happened.
		chain := newest[c.mode]
		if chain == nil {
			chain = map[uint32]ID{}
			newest[c.mode] = chain
		}
		if known, ok := chain[b.Num]; ok && known != b.ID {
			t.Fatalf("%s: two blocks %d: %s and %s", c.name, b.Num, known, b.ID)
		}
		chain[b.Num] = b.ID
		if parent, ok := chain[b.Num-1]; ok && parent != b.Previous {
			t.Fatalf("%s block %d: previous is %s, computed %s", c.name, b.Num, b.Previous, parent)
		}
	})
	t.Logf("%d blocks, %d proper savanna, %d with a QC claim", blocks, savanna, withQC)
	if blocks < 500 || savanna < 200 || withQC <= savanna {
		t.Errorf("%d blocks, %d savanna, %d with QC: captures incomplete (transition blocks carry a claim too)", blocks, savanna, withQC)
	}
}

func TestCapturedSavannaSignatures(t *testing.T) {
	verifiers := map[string]*K1Verifier{}
	for name, k := range loadMeta(t, "savanna").Keys {
		if len(k.K1) == 0 {
			continue
		}
		key, err := ParsePublicKey(k.K1[0])
		if err != nil {
			t.Fatal(err)
		}
		if key.String() != k.K1[0] {
			t.Fatalf("%s prints as %s", k.K1[0], key)
		}
		if verifiers[name], err = NewK1Verifier(key); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ParsePublicKey(loadMeta(t, "savanna").Genesis.InitialKey)
	if err != nil {
		t.Fatal(err)
	}
	if verifiers["eosio"], err = NewK1Verifier(key); err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	eachFrame(t, func(c *capture, _ *captureFrame, frame Frame) {
		if frame.Type() != TypeSignedBlock {
			return
		}
		b, err := ParseBlock(frame.Body())
		if err != nil || !b.Savanna || checked[b.Producer.String()] > 40 {
			return
		}
		v := verifiers[b.Producer.String()]
		got, err := RecoverK1(b.ID, b.Signature())
		if err != nil || got != v.Key() {
			t.Fatalf("%s block %d by %s: recovered %s, %v; want %s", c.name, b.Num, b.Producer, got, err, v.Key())
		}
		if !v.Verify(b.ID, b.Signature()) {
			t.Fatalf("%s block %d: Verify says no", c.name, b.Num)
		}
		wrong := b.ID
		wrong[31] ^= 1
		if v.Verify(wrong, b.Signature()) {
			t.Fatalf("%s block %d: Verify takes another digest", c.name, b.Num)
		}
		checked[b.Producer.String()]++
	})
	for name := range verifiers {
		// The chain became proper savanna a few blocks before eosio handed over.
		if name != "bpalpha_b" && checked[name] == 0 {
			t.Errorf("no proper savanna block by %s", name)
		}
	}
}

// blocksForFlips picks recorded blocks with and without transactions.
func blocksForFlips(t *testing.T) map[string][]byte {
	t.Helper()
	picked := map[string][]byte{}
	eachFrame(t, func(c *capture, rec *captureFrame, frame Frame) {
		if frame.Type() != TypeSignedBlock || len(frame) > 4000 {
			return
		}
		b, _ := ParseBlock(frame.Body())
		key := c.mode
		switch {
		case rec.Info.NTrx == 0:
			key += " empty"
		case rec.Info.NTrx == 1:
			key += " one"
		case rec.Info.NTrx%2 == 1:
			key += " odd"
		default:
			key += " even"
		}
		if b.Savanna {
			key += " savanna"
		}
		if picked[key] == nil {
			picked[key] = frame.Body()
		}
	})
	if len(picked) < 5 {
		t.Fatalf("only %d kinds of blocks", len(picked))
	}
	return picked
}

// A flipped bit in a block either changes its id, or is refused, or sits where
// nothing stateless can see it: the producer signature (caught by the key in
// Savanna) and the QC extension's content.
func TestBitFlipsAreCaught(t *testing.T) {
	var s Scratch
	for kind, body := range blocksForFlips(t) {
		b, err := ParseBlock(body)
		if err != nil {
			t.Fatal(err)
		}
		transactionsEnd := func() int {
			c := cursor{buf: body, off: b.transactions}
			for range c.count(minReceipt, "") {
				c.skipReceipt()
			}
			return c.off
		}()
		key, err := RecoverK1(b.ID, b.Signature())
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := NewK1Verifier(key)
		if err != nil {
			t.Fatal(err)
		}
		flipped := append([]byte(nil), body...)
		for bit := range 8 * len(body) {
			at := bit / 8
			flipped[at] ^= 1 << (bit % 8)
			got, err := ParseBlock(flipped)
			if err == nil {
				err = got.Check(&s)
			}
			signed := err == nil && verifier.Verify(got.ID, got.Signature())
			flipped[at] ^= 1 << (bit % 8)
			switch {
			case err != nil:
				var e *Error
				if !errors.As(err, &e) || e.Field == "" || !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s bit %d: error %v", kind, bit, err)
				}
			case at < b.HeaderEnd:
				if got.ID == b.ID {
					t.Fatalf("%s: header bit %d changes nothing", kind, bit)
				}
			case at == b.HeaderEnd+1:
				// Recovery bytes 27..30 and 31..34 mean the same, to nodeos too.
			case at >= b.HeaderEnd && at < b.transactions:
				if signed {
					t.Fatalf("%s: signature bit %d goes unseen", kind, bit)
				}
			case at < transactionsEnd:
				t.Fatalf("%s: bit %d of the transactions goes unseen", kind, bit)
			}
		}
	}
}

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
		s := make([]byte, k1SigSize)
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
		if key, err := RecoverK1(id, b.Signature()); err != nil || key != signer.Public() {
			t.Fatalf("%s: signed by %s, %v", tt.name, key, err)
		}
		err = b.Check(&s)
		var e *Error
		if tt.want == nil && err != nil || tt.want != nil && (!errors.Is(err, tt.want) || !errors.As(err, &e) || e.Field != tt.field) {
			t.Errorf("%s: %v, want %v in %s", tt.name, err, tt.want, tt.field)
		}
		if want := len(tt.exts) > 0 && tt.exts[0].ID == 2; b.AdditionalSignatures() != want && tt.want == nil {
			t.Errorf("%s: AdditionalSignatures is %v", tt.name, !want)
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
	if err != nil || b.SignatureType() != curveWA || len(b.Signature()) != k1SigSize+2 {
		t.Fatalf("%v, type %d, %d bytes", err, b.SignatureType(), len(b.Signature()))
	}
	if err := b.Check(new(Scratch)); !errors.Is(err, ErrWebAuthn) {
		t.Fatalf("got %v", err)
	}
}

func TestHeaderExtensions(t *testing.T) {
	key := make([]byte, k1KeySize)
	authority := append(append(make([]byte, 8), 0, 1, 0, 0, 0, 1), append(key, 1, 0)...)
	schedule := append([]byte{1, 0, 0, 0, 1}, authority...)
	claim := []byte{8, 0, 0, 0, 1}
	finalizer := append([]byte{0, 0, 3, 'a', 'b', 'c', 1, 0, 0, 0, 0, 0, 0, 0, FinalizerKeySize}, make([]byte, FinalizerKeySize)...)
	finalizers := append(append([]byte{1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0}, 1), finalizer...)
	proposers := append(append([]byte{1, 7, 0, 0, 0, 100, 0, 0, 0, 1, 5, 0}, 1, 2, 0), authority...)
	full := append(append(append([]byte(nil), claim...), finalizers...), proposers...)
	join := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	tests := []struct {
		name  string
		exts  []Extension
		field string
		want  error
	}{
		{"all three", []Extension{{0, append([]byte{1}, make([]byte, 32)...)}, {1, schedule}, {2, full}}, "", nil},
		{"claim only", []Extension{{2, join(claim, []byte{0, 0})}}, "", nil},
		{"finalizers only", []Extension{{2, join(claim, finalizers, []byte{0})}}, "", nil},
		{"bytes behind the last field", []Extension{{2, join(full, []byte{1, 2, 3})}}, "", nil},
		{"unknown", []Extension{{3, nil}}, "header_extensions", ErrExtension},
		{"falling", []Extension{{1, schedule}, {0, []byte{0}}}, "header_extensions", ErrExtension},
		{"twice", []Extension{{2, full}, {2, full}}, "header_extensions", ErrExtension},
		{"features cut", []Extension{{0, append([]byte{2}, make([]byte, 63)...)}}, "header_extensions.protocol_features", ErrExtension},
		{"authority variant", []Extension{{1, join([]byte{1, 0, 0, 0, 1}, make([]byte, 8), []byte{1}, make([]byte, 10))}}, "header_extensions.producer_schedule", ErrExtension},
		{"claim bool", []Extension{{2, []byte{8, 0, 0, 0, 2, 0, 0}}}, "header_extensions.qc_claim", ErrExtension},
		{"optional bool", []Extension{{2, join(claim, []byte{2, 0})}}, "header_extensions.new_finalizer_policy_diff", ErrExtension},
		{"key length", []Extension{{2, join(claim, []byte{1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 95}, make([]byte, 120))}}, "header_extensions.new_finalizer_policy_diff", ErrExtension},
		{"hostile count", []Extension{{2, join(claim, []byte{1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x3f})}}, "header_extensions.new_finalizer_policy_diff", ErrExtension},
	}
	for n := range full {
		tests = append(tests, struct {
			name  string
			exts  []Extension
			field string
			want  error
		}{"finality cut", []Extension{{2, full[:n]}}, "", ErrExtension})
	}
	for _, tt := range tests {
		body, id := (&BlockBuilder{HeaderExtensions: tt.exts}).AppendBlock(nil)
		b, err := ParseBlock(body)
		if tt.want == nil {
			if err != nil || b.ID != id {
				t.Errorf("%s: %v", tt.name, err)
			} else if err := b.Check(new(Scratch)); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var e *Error
		if !errors.Is(err, tt.want) || !errors.As(err, &e) || tt.field != "" && e.Field != tt.field {
			t.Errorf("%s: %v, want %v in %s", tt.name, err, tt.want, tt.field)
		}
	}
}

func TestLegacyNewProducers(t *testing.T) {
	body, _ := (&BlockBuilder{Previous: ID{3: 1}}).AppendBlock(nil)
	with := append([]byte(nil), body[:fixedHeader]...)
	with = append(with, 1, 5, 0, 0, 0, 1)
	with = append(append(with, make([]byte, 8)...), make([]byte, k1KeySize)...)
	with = append(with, body[fixedHeader+1:]...)
	b, err := ParseBlock(with)
	if err != nil || !b.NewProducers || b.HeaderEnd != fixedHeader+1+5+8+k1KeySize+1 {
		t.Fatalf("%v, %+v", err, b)
	}
	if err := b.Check(new(Scratch)); err != nil {
		t.Fatal(err)
	}
}

// A header, receipt or transaction with padded counts is taken by nodeos, which
// hashes what it would have written itself; spring passes such a block's bytes
// on as they are.
func TestPaddedCountsHashCanonically(t *testing.T) {
	trx := AppendTransaction(nil, 1_800_000_000, 1, 2, []byte("payload"))
	sig := [k1SigSize]byte{1: 31, 2: 1}
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
		"cfd":               receipt + 8 + k1SigSize + 1,
		"packed_trx":        receipt + 8 + k1SigSize + 2,
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

// merkleReference is the definition written down directly: a recursive split
// for savanna, and legacy's loop over a growing slice.
func merkleReference(ids []ID, savanna bool) ID {
	pair := func(a, b ID) ID { return sha256.Sum256(append(append([]byte(nil), a[:]...), b[:]...)) }
	if len(ids) == 0 {
		return ID{}
	}
	if savanna {
		if len(ids) == 1 {
			return ids[0]
		}
		mid := 1
		for mid*2 < len(ids) {
			mid *= 2
		}
		return pair(merkleReference(ids[:mid], true), merkleReference(ids[mid:], true))
	}
	ids = append([]ID(nil), ids...)
	for len(ids) > 1 {
		if len(ids)%2 == 1 {
			ids = append(ids, ids[len(ids)-1])
		}
		var up []ID
		for i := 0; i < len(ids); i += 2 {
			l, r := ids[i], ids[i+1]
			l[0] &= 0x7f
			r[0] |= 0x80
			up = append(up, pair(l, r))
		}
		ids = up
	}
	return ids[0]
}

func TestMerkleRoot(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		ids := make([]ID, n)
		for i := range ids {
			binary.LittleEndian.PutUint64(ids[i][:], rng.Uint64())
		}
		for _, savanna := range []bool{false, true} {
			want := merkleReference(ids, savanna)
			if got := merkleRoot(append([]ID(nil), ids...), savanna); got != want {
				t.Fatalf("%d leaves, savanna %v: %s, want %s", n, savanna, got, want)
			}
		}
	}
}
