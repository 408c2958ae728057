package p2pwire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/eoscanada/eos-go/ecc"
)

// samples has every rare message, with all its variable parts filled.
func samples() []Message {
	key := K1PrivateFromSeed("peer")
	h := Handshake{
		NetworkVersion: 1214, ChainID: ID{1}, NodeID: ID{2}, Time: -5, P2PAddress: "h:1:blk - 0200000",
		RootNum: 7, RootID: ID{3: 7}, HeadNum: 9, HeadID: ID{3: 9}, OS: "linux", Agent: "bp", Generation: -3,
	}
	signed := h
	signed.Sign(key)
	webauthn, err := ecc.NewPublicKeyFromData(append([]byte{curveWA}, append(make([]byte, 33), 1, 3, 'r', 'p', 'i')...))
	if err != nil {
		panic(err)
	}
	other := h
	other.Key = webauthn
	if other.Sig, err = ecc.NewSignatureFromData(append([]byte{curveWA}, append(make([]byte, 65), 1, 7, 2, '{', '}')...)); err != nil {
		panic(err)
	}
	lists := [2]IDList{{Mode: ListNormal, Pending: 3, IDs: []ID{{1}, {2}}}, {Mode: ListCatchUp, Pending: math.MaxUint32, IDs: []ID{{3}}}}
	info := BPPeerInfo{ServerEndpoint: "a:9876", OutboundIP: "1.2.3.4", Expiration: 12}
	sig := key.Sign(ID{4})
	return []Message{
		h, signed, other,
		ChainSize{RootNum: 1, RootID: ID{2}, HeadNum: 3, HeadID: ID{4}},
		GoAway{Reason: GoAwayDuplicate, NodeID: ID{9}},
		GoAway{Reason: 0x01020304},
		Time{Org: 1, Rec: -2, Xmt: math.MaxInt64, Dst: math.MinInt64},
		Notice{Trx: lists[0], Blocks: lists[1]}, Notice{},
		Request{Trx: lists[1], Blocks: lists[0]}, Request{},
		SyncRequest{Start: 1, End: math.MaxUint32},
		BlockNack{ID: ID{1}},
		BlockNotice{Previous: ID{1}, ID: ID{2}},
		GossipBPPeers{Peers: []BPPeer{
			{Version: 1, Producer: nameEosio, Info: info.AppendInfo(nil), Sig: mustSignature(sig[:])},
			{Version: math.MaxUint32, Sig: mustSignature(make([]byte, K1SigSize))},
		}},
		GossipBPPeers{},
		TransactionNotice{ID: ID{5}},
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	for _, m := range samples() {
		frame := AppendFrame(nil, m)
		f, err := ParseFrame(frame)
		if err != nil || len(f) != len(frame) || f.Type() != m.Type() {
			t.Errorf("%s: frame %v", m.Type(), err)
			continue
		}
		back, err := decodeAny(m.Type(), f.Body())
		if err != nil {
			t.Errorf("%s: %v", m.Type(), err)
			continue
		}
		if again := AppendFrame(nil, back); !bytes.Equal(again, frame) {
			t.Errorf("%s: %x\nagain %x", m.Type(), frame, again)
		}
		if h, ok := m.(Handshake); (!ok || h.Signed()) && m.Type() != TypeGossipBPPeers && !reflect.DeepEqual(m, back) {
			t.Errorf("%s: %+v\nback %+v", m.Type(), m, back)
		}
	}
}

// checkMalformed wants an *Error about a named field that matches want.
func checkMalformed(t *testing.T, what string, typ Type, err, want error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, want) || !errors.Is(err, ErrMalformed) || e.Field == "" || e.Type != typ {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if err != nil && !strings.Contains(err.Error(), typ.String()) {
		t.Errorf("%s: %q does not name the message", what, err)
	}
}

func TestMessagesTruncatedAndTrailing(t *testing.T) {
	decoders := []struct {
		name   string
		typ    Type
		body   []byte
		decode func([]byte) error
	}{
		{"vote", TypeVote, AppendVote(nil, ID{1}, true, [96]byte{1}, [192]byte{2}), func(b []byte) error { _, err := ParseVote(b); return err }},
		{"transaction", TypePackedTransaction, AppendTransaction(nil, 1, 2, 3, []byte("x"), [66]byte{}), func(b []byte) error { _, err := ParseTransaction(b, new(Scratch)); return err }},
		{"block", TypeSignedBlock, firstFrame(t, TypeSignedBlock).Body(), checkBlock},
	}
	for _, m := range samples() {
		typ := m.Type()
		decoders = append(decoders, struct {
			name   string
			typ    Type
			body   []byte
			decode func([]byte) error
		}{typ.String(), typ, m.AppendBody(nil), func(b []byte) error { _, err := decodeAny(typ, b); return err }})
	}
	for _, d := range decoders {
		if err := d.decode(d.body); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		for n := range d.body {
			checkMalformed(t, d.name+" cut", d.typ, d.decode(d.body[:n:n]), ErrTruncated)
		}
		checkMalformed(t, d.name+" longer", d.typ, d.decode(append(bytes.Clone(d.body), 0)), ErrTrailing)
	}
}

func checkBlock(body []byte) error {
	b, err := ParseBlock(body)
	if err != nil {
		return err
	}
	return b.Check(new(Scratch))
}

func TestMessagesBadValues(t *testing.T) {
	h := samples()[0].AppendBody(nil)
	notice := Notice{}.AppendBody(nil)
	vote := AppendVote(nil, ID{1}, true, [96]byte{}, [192]byte{})
	trx := AppendTransaction(nil, 1, 2, 3, nil)
	set := func(body []byte, at int, b ...byte) []byte {
		out := bytes.Clone(body)
		copy(out[at:], b)
		return out
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	replace := func(body []byte, at, n int, b []byte) []byte {
		return append(append(bytes.Clone(body[:at]), b...), body[at+n:]...)
	}
	emptyRPID := append(append([]byte{curveWA}, make([]byte, 33)...), 1, 0)
	tests := []struct {
		name  string
		typ   Type
		body  []byte
		field string
		want  error
	}{
		{"key curve 3", TypeHandshake, set(h, 66, 3), "key", ErrRange},
		{"webauthn key without rpid", TypeHandshake, replace(h, 66, K1KeySize, emptyRPID), "key", ErrRange},
		{"signature curve 3", TypeHandshake, set(h, 140, 3), "sig", ErrRange},
		{"hostile string", TypeHandshake, replace(h, 206, 1, huge), "p2p_address", ErrTruncated},
		{"mode 4", TypeNotice, set(notice, 0, 4), "known_trx.mode", ErrRange},
		{"mode 2^24", TypeNotice, set(notice, 9, 0, 0, 0, 1), "known_blocks.mode", ErrRange},
		{"hostile ids", TypeNotice, replace(notice, 8, 1, huge), "known_trx.ids", ErrRange},
		{"million ids", TypeNotice, replace(notice, 17, 1, []byte{0x80, 0x80, 0x40}), "known_blocks.ids", ErrTruncated},
		{"request mode", TypeRequest, set(notice, 9, 9), "req_blocks.mode", ErrRange},
		{"hostile peers", TypeGossipBPPeers, huge, "peers", ErrRange},
		{"million peers", TypeGossipBPPeers, []byte{0x80, 0x80, 0x40}, "peers", ErrTruncated},
		{"strong 2", TypeVote, set(vote, 32, 2), "strong", ErrRange},
		{"key of 95", TypeVote, set(vote, 33, 95), "finalizer_key", ErrRange},
		{"signature of 193", TypeVote, set(vote, voteSigLenOffset, 0xc1), "sig", ErrRange},
		{"compression 2", TypePackedTransaction, set(trx, 1, 2), "compression", ErrRange},
		{"not zlib", TypePackedTransaction, set(trx, 1, 1), "packed_trx", ErrInflate},
		{"hostile signatures", TypePackedTransaction, replace(trx, 0, 1, huge), "signatures", ErrRange},
		{"hostile cfd", TypePackedTransaction, replace(trx, 2, 1, huge), "packed_context_free_data", ErrTruncated},
		{"hostile actions", TypePackedTransaction, replace(trx, 4+14, 1, []byte{0xff, 0x7f}), "packed_trx.actions", ErrTruncated},
	}
	for _, tt := range tests {
		var err error
		switch tt.typ {
		case TypeVote:
			_, err = ParseVote(tt.body)
		case TypePackedTransaction:
			_, err = ParseTransaction(tt.body, new(Scratch))
		default:
			_, err = decodeAny(tt.typ, tt.body)
		}
		checkMalformed(t, tt.name, tt.typ, err, tt.want)
		var e *Error
		if errors.As(err, &e) && e.Field != tt.field {
			t.Errorf("%s: field %s, want %s", tt.name, e.Field, tt.field)
		}
	}
}

// A count that promises more than the body holds must cost nothing.
func TestHostileCountsAllocateLittle(t *testing.T) {
	body := append(Notice{}.AppendBody(nil)[:17], 0x80, 0x80, 0x40)
	peers := []byte{0x80, 0x80, 0x40}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		if _, err := DecodeNotice(body); err == nil {
			t.Fatal("decoded")
		}
		if _, err := DecodeGossipBPPeers(peers); err == nil {
			t.Fatal("decoded")
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 2000; n > 1024 {
		t.Errorf("%d bytes per refused message", n)
	}
}

func TestVarint(t *testing.T) {
	tests := []struct {
		in     []byte
		v      uint32
		n      int
		padded bool
	}{
		{[]byte{0}, 0, 1, false},
		{[]byte{0x7f}, 127, 1, false},
		{[]byte{0x80, 1}, 128, 2, false},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, math.MaxUint32, 5, false},
		{[]byte{0x80, 0}, 0, 2, true},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x7f}, math.MaxUint32, 5, false}, // excess bits are dropped
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 1}, math.MaxUint32, 5, true},
		{[]byte{0x81, 0x80, 0x80, 0x80, 0x00}, 1, 5, true},
	}
	for _, tt := range tests {
		c := cursor{buf: tt.in}
		if v := c.varint("v"); v != tt.v || c.off != tt.n || c.padded != tt.padded || c.err != nil {
			t.Errorf("%x: %d, %d bytes, padded %v, %v; want %+v", tt.in, v, c.off, c.padded, c.err, tt)
		}
		if !tt.padded && tt.in[len(tt.in)-1] != 0x7f || len(tt.in) == 1 {
			if got := appendVarint(nil, tt.v); !bytes.Equal(got, tt.in) {
				t.Errorf("%d is written as %x", tt.v, got)
			}
		}
	}
}

func TestNamesOfEnums(t *testing.T) {
	if GoAwayBenignOther.String() != "benign_other" || GoAwayReason(99).String() != "unknown" || GoAwayAuthentication != 11 {
		t.Error("go_away_reason")
	}
	if GoAwayBenignOther.Permanent() || GoAwayDuplicate.Permanent() || !GoAwayForked.Permanent() {
		t.Error("permanent reasons")
	}
	if ListLastIrrCatchUp.String() != "last_irr_catch_up" || ListMode(4).String() != "unknown" {
		t.Error("id_list_modes")
	}
}

func TestBPPeerInfo(t *testing.T) {
	info := BPPeerInfo{ServerEndpoint: "a:9876", OutboundIP: "1.2.3.4", Expiration: 12}
	data := info.AppendInfo(nil)
	got, err := BPPeer{Info: append(bytes.Clone(data), 1, 2)}.DecodeInfo()
	if err != nil || got != info {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := (BPPeer{Info: data[:len(data)-1]}).DecodeInfo(); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut: %v", err)
	}
}
