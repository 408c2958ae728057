package p2pwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestFrameLimits(t *testing.T) {
	frame := func(length uint32, payload ...byte) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, length), payload...)
	}
	const block = byte(TypeSignedBlock)
	tests := []struct {
		name  string
		buf   []byte
		total int
		want  error
	}{
		{"nothing", nil, 0, nil},
		{"part of a prefix", []byte{1, 0, 0}, 0, nil},
		{"empty payload", frame(0), 0, ErrLength},
		{"prefix only", frame(1 << 20), PrefixLen + 1<<20, nil},
		{"8 MiB", frame(MaxPayload, block), PrefixLen + MaxPayload, nil},
		{"8 MiB + 1", frame(MaxPayload + 1), 0, ErrLength},
		{"4 GiB - 1", frame(1<<32 - 1), 0, ErrLength},
		{"unknown 14", frame(33, 14), 0, ErrUnknownType},
		{"unknown 100", frame(33, 100), 0, ErrUnknownType},
		{"unknown of two bytes", frame(33, 0x8e, 1), 0, ErrUnknownType},
		{"unknown of two bytes, one there", frame(33, 0x8e), 0, ErrUnknownType},
		{"padded 7", frame(1000, 0x87, 0), 0, ErrNonMinimal},
		{"padded 7, long", frame(1000, 0x87, 0x80, 0x80, 0x80, 0), 0, ErrNonMinimal},
		{"padded 7, more", frame(1000, 0x87, 1), 0, ErrUnknownType},
		{"time of 33 bytes", frame(34, byte(TypeTime)), 0, ErrLength},
		{"time of 31 bytes", frame(32, byte(TypeTime)), 0, ErrLength},
		{"vote", frame(325, byte(TypeVote)), 329, nil},
		{"index without body", frame(1, byte(TypePackedTransaction)), 0, ErrLength},
		{"huge handshake", frame(1<<20, byte(TypeHandshake)), 0, ErrLength},
	}
	for _, tt := range tests {
		total, err := FrameLen(tt.buf)
		if total != tt.total || !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: FrameLen = %d, %v; want %d, %v", tt.name, total, err, tt.total, tt.want)
		}
		f, err := ParseFrame(tt.buf)
		if f != nil || !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: ParseFrame = %d bytes, %v; want %v", tt.name, len(f), err, tt.want)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v is not ErrMalformed", tt.name, err)
		}
	}
}

func TestParseFrameIsAView(t *testing.T) {
	m := BlockNack{ID: ID{1, 2, 3}}
	buf := AppendFrame(nil, m)
	buf = AppendFrame(buf, SyncRequest{Start: 5, End: 9})
	f, err := ParseFrame(buf)
	if err != nil || f.Type() != TypeBlockNack || !bytes.Equal(f.Body(), m.ID[:]) || len(f.Payload()) != 33 {
		t.Fatalf("%v %v", f, err)
	}
	if &f[0] != &buf[0] || cap(f) != len(f) {
		t.Error("the frame must share the buffer and end where it ends")
	}
	if g, err := ParseFrame(buf[len(f):]); err != nil || g.Type() != TypeSyncRequest || !bytes.Equal(g, AppendRawFrame(nil, TypeSyncRequest, g.Body())) {
		t.Fatalf("%v %v", g, err)
	}
}

// What may be sent at each protocol version.
func TestSendable(t *testing.T) {
	const base = "handshake_message chain_size_message go_away_message time_message notice_message request_message sync_request_message signed_block packed_transaction"
	tests := []struct {
		pv   uint16
		want string
	}{
		{0, base}, {1, base}, {7, base}, {8, base},
		{9, base + " vote_message"},
		{10, base + " vote_message block_nack_message block_notice_message"},
		{11, base + " vote_message block_nack_message block_notice_message gossip_bp_peers_message"},
		{12, base + " vote_message block_nack_message block_notice_message gossip_bp_peers_message transaction_notice_message"},
		{106, base + " vote_message block_nack_message block_notice_message gossip_bp_peers_message transaction_notice_message"},
	}
	for _, tt := range tests {
		got := ""
		for typ := range Type(255) {
			if typ.SendableTo(tt.pv) != (typ.Known() && tt.pv >= typ.MinPV()) {
				t.Errorf("%s at PV %d: SendableTo and MinPV disagree", typ, tt.pv)
			}
			if typ.SendableTo(tt.pv) {
				got += " " + typ.String()
			}
		}
		if got != " "+tt.want {
			t.Errorf("PV %d: %s, want %s", tt.pv, got, tt.want)
		}
	}
	if typ := Type(NumTypes); typ.Known() || typ.String() != "unknown" || typ.MaxBody() != 0 || typ.MinBody() != 0 {
		t.Error("type 14 is known")
	}
}

func TestProtocolVersion(t *testing.T) {
	tests := []struct{ network, pv uint16 }{
		{0, 0}, {1204, 0}, {1205, 0}, {1206, 1}, {1212, 7}, {1214, 9}, {1217, 12}, {1311, 106}, {1312, 0}, {65535, 0},
	}
	for _, tt := range tests {
		if got := ProtocolVersion(tt.network); got != tt.pv {
			t.Errorf("ProtocolVersion(%d) = %d, want %d", tt.network, got, tt.pv)
		}
	}
	if NetworkVersion(PVSavanna) != 1214 {
		t.Error("PV 9 is announced as 1214")
	}
}
