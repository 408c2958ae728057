package p2pwire

import (
	"encoding/hex"
	"encoding/json"
	"errors"
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
		if b.SignatureType() != curveK1 || len(b.Signature()) != K1SigSize || b.NewProducers {
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
	verifiers := map[string]*Verifier{}
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
		if verifiers[name], err = NewVerifier(key); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ParsePublicKey(loadMeta(t, "savanna").Genesis.InitialKey)
	if err != nil {
		t.Fatal(err)
	}
	if verifiers["eosio"], err = NewVerifier(key); err != nil {
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
		got, err := Recover(b.ID, b.Signature())
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
		key, err := Recover(b.ID, b.Signature())
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := NewVerifier(key)
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
			// One bit of each signature byte: verifying is slow under -race.
			inSignature := at >= b.HeaderEnd && at < b.transactions && bit%8 == at%8
			signed := err == nil && inSignature && verifier.Verify(got.ID, got.Signature())
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
