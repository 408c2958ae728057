package p2pwire

import (
	"crypto/sha256"
	"fmt"
	"testing"
)

// hotBlocks gives bodies of rising size: recorded ones and one with 500
// transactions.
func hotBlocks(t testing.TB) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	eachFrame(t, func(c *capture, rec *captureFrame, frame Frame) {
		if frame.Type() != TypeSignedBlock {
			return
		}
		kind := fmt.Sprintf("%s_%dtrx", c.mode, rec.Info.NTrx)
		if b, err := ParseBlock(frame.Body()); err == nil && rec.Info.NTrx < 3 && (c.mode == "legacy") != b.Savanna {
			found[kind] = frame.Body()
		}
	})
	builder := BlockBuilder{ScheduleVersion: ScheduleVersionSavanna, QC: &QCClaim{Num: 7, Strong: true}, Signer: K1PrivateFromSeed("p")}
	sig := builder.Signer.Sign(ID{1})
	for i := range 500 {
		trx := AppendTransaction(nil, 1_800_000_000, uint16(i), 2, make([]byte, 200), sig)
		builder.Receipts = append(builder.Receipts, Receipt{CPU: 100, Net: 30, Trx: trx})
	}
	found["savanna_500trx"], _ = builder.AppendBlock(nil)
	return found
}

func hotTransaction() []byte {
	sig := K1PrivateFromSeed("p").Sign(ID{1})
	return AppendTransaction(nil, 1_800_000_000, 1, 2, make([]byte, 64), sig)
}

func BenchmarkHotParseFrame(b *testing.B) {
	var data []byte
	for _, c := range loadCaptures(b) {
		if c.name == "savanna-producer-live.dn" {
			data = c.data
		}
	}
	b.ReportAllocs()
	buf, n := data, 0
	for b.Loop() {
		f, err := ParseFrame(buf)
		if err != nil {
			b.Fatal(err)
		}
		n += len(f)
		if buf = buf[len(f):]; len(buf) == 0 {
			buf = data
		}
	}
	b.SetBytes(int64(n / b.N))
}

func BenchmarkHotParseBlock(b *testing.B) {
	for kind, body := range hotBlocks(b) {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseBlock(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHotBlockCheck(b *testing.B) {
	for kind, body := range hotBlocks(b) {
		b.Run(kind, func(b *testing.B) {
			var s Scratch
			block, err := ParseBlock(body)
			if err == nil {
				err = block.Check(&s)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := block.Check(&s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHotParseVote(b *testing.B) {
	body := firstFrame(b, TypeVote).Body()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseVote(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHotParseTransaction(b *testing.B) {
	for name, body := range map[string][]byte{"small": hotTransaction(), "recorded": firstFrame(b, TypePackedTransaction).Body()} {
		b.Run(name, func(b *testing.B) {
			var s Scratch
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseTransaction(body, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Not among the hot ones: compress/flate allocates a table for codes longer than
// nine bits.
func BenchmarkParseTransactionZlib(b *testing.B) {
	trx := sampleTransaction(true)
	body := trx.AppendPackedTransaction(nil)
	var s Scratch
	if _, err := ParseTransaction(body, &s); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTransaction(body, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHotPayloadDigest(b *testing.B) {
	for name, body := range map[string][]byte{
		"vote": firstFrame(b, TypeVote).Payload(), "trx": hotTransaction(), "block": hotBlocks(b)["savanna_500trx"],
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var sum [32]byte
			for b.Loop() {
				sum = sha256.Sum256(body)
			}
			_ = sum
		})
	}
}

func BenchmarkHotVerifyK1(b *testing.B) {
	key := K1PrivateFromSeed("p")
	v, err := NewVerifier(key.Public())
	if err != nil {
		b.Fatal(err)
	}
	sig := key.Sign(ID{1})
	b.ReportAllocs()
	for b.Loop() {
		if !v.Verify(ID{1}, sig[:]) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVerifyR1(b *testing.B) {
	key := R1PrivateFromSeed("p")
	v, err := NewVerifier(key.Public())
	if err != nil {
		b.Fatal(err)
	}
	sig := key.Sign(ID{1})
	b.ReportAllocs()
	for b.Loop() {
		if !v.Verify(ID{1}, sig[:]) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkRecoverK1(b *testing.B) {
	key := K1PrivateFromSeed("p")
	sig := key.Sign(ID{1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Recover(ID{1}, sig[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// The hot path's promise, held by a test and not only by whoever reads the
// benchmarks.
func TestHotPathDoesNotAllocate(t *testing.T) {
	var s Scratch
	vote := firstFrame(t, TypeVote)
	trx := hotTransaction()
	key := K1PrivateFromSeed("p")
	v, err := NewVerifier(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sig := key.Sign(ID{1})
	want := func(name string, f func() bool) {
		t.Helper()
		if !f() {
			t.Fatalf("%s fails", name)
		}
		if n := testing.AllocsPerRun(50, func() { f() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	want("ParseFrame", func() bool { f, err := ParseFrame(vote); return err == nil && f.Type() == TypeVote })
	want("ParseVote", func() bool { _, err := ParseVote(vote.Body()); return err == nil })
	want("ParseTransaction", func() bool { _, err := ParseTransaction(trx, &s); return err == nil })
	want("Verify", func() bool { return v.Verify(ID{1}, sig[:]) })
	authority, err := NewAuthorityVerifier(Authority{2, []KeyWeight{{key.Public(), 1}, {K1PrivateFromSeed("q").Public(), 1}}})
	if err != nil {
		t.Fatal(err)
	}
	signed := BlockBuilder{ScheduleVersion: ScheduleVersionSavanna, Signer: K1PrivateFromSeed("q"), CoSigners: []Signer{key}}
	block, _ := signed.AppendBlock(nil)
	want("AuthorityVerifier", func() bool { b, err := ParseBlock(block); return err == nil && authority.Verify(&b) })
	for kind, body := range hotBlocks(t) {
		want(kind, func() bool {
			b, err := ParseBlock(body)
			return err == nil && b.Check(&s) == nil
		})
	}
}
