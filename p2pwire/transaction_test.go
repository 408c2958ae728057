package p2pwire

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
)

func sampleTransaction(zlib bool) TransactionBuilder {
	return TransactionBuilder{
		Expiration: 1_800_000_000, RefBlockNum: 7, RefBlockPrefix: 0xdeadbeef,
		Actions: []Action{
			{Account: nameEosio, Name: nameReqauth, Actor: nameEosio, Permission: nameActive, Data: bytes.Repeat([]byte("data"), 300)},
			{Account: nameEosio, Name: nameReqauth},
		},
		Signatures:      [][K1SigSize]byte{{1: 31, 2: 1}, {0: curveR1, 1: 31}},
		ContextFreeData: [][]byte{nil, {1, 2, 3}},
		Zlib:            zlib,
	}
}

func TestTransactionIDIgnoresPacking(t *testing.T) {
	var s Scratch
	plain, packed := sampleTransaction(false), sampleTransaction(true)
	want := ID(sha256.Sum256(plain.appendTransaction(nil)))
	for i, b := range []*TransactionBuilder{&plain, &packed, &plain, &packed} {
		x, err := ParseTransaction(b.AppendPackedTransaction(nil), &s)
		if err != nil || x.ID != want || x.Expiration != plain.Expiration {
			t.Errorf("%d: %s, expires %d, %v; want %s", i, x.ID, x.Expiration, err, want)
		}
	}
	packed.Signatures, packed.ContextFreeData = nil, nil
	if x, err := ParseTransaction(packed.AppendPackedTransaction(nil), &s); err != nil || x.ID != want || len(x.Body()) == 0 {
		t.Errorf("pruned: %s, %v", x.ID, err)
	}
}

// rawTransaction writes a packed_transaction from its parts.
func rawTransaction(compression byte, cfd, trx []byte) []byte {
	return appendBytes(appendBytes([]byte{0, compression}, cfd), trx)
}

func TestTransactionParts(t *testing.T) {
	b := sampleTransaction(false)
	trx := b.appendTransaction(nil)
	cfd := []byte{1, 2, 9, 9}
	z := deflate(trx)
	badSum := bytes.Clone(z)
	badSum[len(badSum)-1] ^= 1
	sized := func(n int) []byte { // a transaction of exactly n bytes
		x := TransactionBuilder{Actions: []Action{{Data: make([]byte, n-56)}}}
		for {
			out := x.appendTransaction(nil)
			if len(out) == n {
				return out
			}
			x.Actions[0].Data = make([]byte, len(x.Actions[0].Data)+n-len(out))
		}
	}
	tests := []struct {
		name  string
		body  []byte
		field string
		want  error
	}{
		{"plain", rawTransaction(0, nil, trx), "", nil},
		{"plain, cfd", rawTransaction(0, cfd, trx), "", nil},
		{"bytes behind the transaction", rawTransaction(0, nil, append(bytes.Clone(trx), 1, 2)), "", nil},
		{"bytes behind the cfd", rawTransaction(0, append(bytes.Clone(cfd), 7), trx), "", nil},
		{"cfd cut", rawTransaction(0, cfd[:3], trx), "packed_context_free_data", ErrTruncated},
		{"transaction cut", rawTransaction(0, nil, trx[:len(trx)-1]), "packed_trx.transaction_extensions", ErrTruncated},
		{"no transaction", rawTransaction(0, nil, nil), "packed_trx.expiration", ErrTruncated},
		{"zlib", rawTransaction(1, nil, z), "", nil},
		{"zlib, cfd", rawTransaction(1, deflate(cfd), z), "", nil},
		{"zlib, bytes behind the stream", rawTransaction(1, nil, append(bytes.Clone(z), 1, 2)), "", nil},
		{"zlib, bytes behind the transaction", rawTransaction(1, nil, deflate(append(bytes.Clone(trx), 1))), "", nil},
		{"zlib, nothing", rawTransaction(1, nil, nil), "packed_trx", ErrInflate},
		{"zlib, stream cut", rawTransaction(1, nil, z[:len(z)-1]), "packed_trx", ErrInflate},
		{"zlib, checksum", rawTransaction(1, nil, badSum), "packed_trx", ErrInflate},
		{"zlib, transaction cut", rawTransaction(1, nil, deflate(trx[:len(trx)-1])), "packed_trx.transaction_extensions", ErrTruncated},
		{"zlib, plain cfd", rawTransaction(1, cfd, z), "packed_context_free_data", ErrInflate},
		{"zlib, cfd cut", rawTransaction(1, deflate(cfd[:3]), z), "packed_context_free_data", ErrTruncated},
		{"zlib, 1 MiB", rawTransaction(1, nil, deflate(sized(MaxInflated))), "", nil},
		{"zlib, 1 MiB + 1", rawTransaction(1, nil, deflate(sized(MaxInflated+1))), "packed_trx", ErrInflate},
		{"zlib bomb", rawTransaction(1, nil, deflate(make([]byte, 64<<20))), "packed_trx", ErrInflate},
	}
	var s Scratch
	for _, tt := range tests {
		_, err := ParseTransaction(tt.body, &s)
		if tt.want == nil {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		checkMalformed(t, tt.name, TypePackedTransaction, err, tt.want)
		var e *Error
		if errors.As(err, &e) && e.Field != tt.field {
			t.Errorf("%s: field %s, want %s", tt.name, e.Field, tt.field)
		}
	}
	if n := cap(s.inflated); n > MaxInflated+1 {
		t.Errorf("the scratch grew to %d bytes", n)
	}
}

// A block full of compression bombs costs bounded work: what is beyond the
// budget is taken unseen, everything outside is still checked.
func TestBlockInflatesBoundedly(t *testing.T) {
	filler := TransactionBuilder{Actions: []Action{{Data: make([]byte, MaxInflated-100)}}, Zlib: true}
	bomb := filler.AppendPackedTransaction(nil)
	broken := rawTransaction(1, nil, []byte("not zlib"))
	receipts := func(bombs int) []Receipt {
		var r []Receipt
		for range bombs {
			r = append(r, Receipt{Trx: bomb})
		}
		return append(r, Receipt{Trx: broken})
	}
	// The broken one has a digest like any other; only inflating shows it.
	build := func(bombs int) Block {
		body, _ := (&BlockBuilder{Receipts: receipts(bombs)}).AppendBlock(nil)
		b, err := ParseBlock(body)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var s Scratch
	if err := build(2).Check(&s); !errors.Is(err, ErrInflate) {
		t.Errorf("within the budget: %v", err)
	}
	if err := build(20).Check(&s); err != nil {
		t.Errorf("beyond the budget: %v", err)
	}
}
