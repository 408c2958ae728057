package p2pwire

import (
	"bytes"
	"testing"

	eos "github.com/eoscanada/eos-go"
)

// eosgo returns an empty eos-go message of a type it has, nil otherwise.
func eosgo(t Type) any {
	switch t {
	case TypeHandshake:
		return &eos.HandshakeMessage{}
	case TypeChainSize:
		return &eos.ChainSizeMessage{}
	case TypeTime:
		return &eos.TimeMessage{}
	case TypeNotice:
		return &eos.NoticeMessage{}
	case TypeRequest:
		return &eos.RequestMessage{}
	case TypeSyncRequest:
		return &eos.SyncRequestMessage{}
	case TypeSignedBlock:
		return &eos.SignedBlock{}
	case TypePackedTransaction:
		return &eos.PackedTransaction{}
	}
	return nil
}

// eos-go is an implementation made by others: for the messages it gets right,
// its encoder must produce the recorded bytes from what its decoder read, and
// where both say something about a message they must say the same.
func TestCapturesAgreeWithEosGo(t *testing.T) {
	var s Scratch
	seen := map[Type]int{}
	eachFrame(t, func(c *capture, rec *captureFrame, frame Frame) {
		m := eosgo(frame.Type())
		// Blocks and transactions by the hundred tell nothing more.
		if m == nil || seen[frame.Type()] >= 150 {
			return
		}
		seen[frame.Type()]++
		if err := eos.UnmarshalBinary(frame.Body(), m); err != nil {
			t.Fatalf("%s at %d: eos-go: %v", c.name, rec.Offset, err)
		}
		switch m := m.(type) {
		case *eos.SignedBlock:
			b, err := ParseBlock(frame.Body())
			if err != nil {
				t.Fatal(err)
			}
			id, err := m.BlockID()
			if err != nil || !bytes.Equal(id, b.ID[:]) || m.BlockNumber() != b.Num || string(m.Producer) != b.Producer.String() {
				t.Fatalf("%s block %d: eos-go says %s, %v; here %s", c.name, b.Num, id, err, b.ID)
			}
			if !bytes.Equal(m.ProducerSignature.Content, b.Signature()[1:]) {
				t.Fatalf("%s block %d: signatures differ", c.name, b.Num)
			}
			if got := b.Slot.Time(); m.Timestamp.UnixNano() != got {
				t.Fatalf("%s block %d: time %d, eos-go %d", c.name, b.Num, got, m.Timestamp.UnixNano())
			}
		case *eos.PackedTransaction:
			x, err := ParseTransaction(frame.Body(), &s)
			if err != nil {
				t.Fatal(err)
			}
			if id, err := m.ID(); err != nil || !bytes.Equal(id, x.ID[:]) {
				t.Fatalf("%s at %d: transaction %s, eos-go %s, %v", c.name, rec.Offset, x.ID, id, err)
			}
		default:
			compareWithEosGo(t, m, frame)
		}
	})
	for _, typ := range []Type{TypeHandshake, TypeTime, TypeNotice, TypeRequest, TypeSyncRequest, TypeSignedBlock, TypePackedTransaction} {
		if seen[typ] == 0 {
			t.Errorf("no %s compared", typ)
		}
	}
}

// compareWithEosGo wants eos-go's encoding of m to be the frame's body.
func compareWithEosGo(t *testing.T, m any, frame Frame) {
	t.Helper()
	got, err := eos.MarshalBinary(m)
	if err != nil || !bytes.Equal(got, frame.Body()) {
		t.Fatalf("%s: eos-go writes %x, %v\nwant %x", frame.Type(), got, err, frame.Body())
	}
}

func TestSamplesAgreeWithEosGo(t *testing.T) {
	for _, m := range samples() {
		x := eosgo(m.Type())
		if h, ok := m.(Handshake); x == nil || ok && h.Key.Curve == curveWA {
			continue
		}
		frame := Frame(AppendFrame(nil, m))
		if err := eos.UnmarshalBinary(frame.Body(), x); err != nil {
			t.Fatalf("%s: eos-go: %v", m.Type(), err)
		}
		compareWithEosGo(t, x, frame)
	}
}

// eos-go takes go_away's reason for one byte, so it reads the node id three bytes
// early. nodeos writes and reads four, as the recorded one shows.
func TestGoAwayReasonIsFourBytes(t *testing.T) {
	recorded := firstFrame(t, TypeGoAway)
	m, err := DecodeGoAway(recorded.Body())
	if err != nil || m.Reason != GoAwayDuplicate || len(recorded.Body()) != 36 {
		t.Fatalf("recorded: %+v of %d bytes, %v", m, len(recorded.Body()), err)
	}
	var theirs eos.GoAwayMessage
	if err := eos.UnmarshalBinary(recorded.Body(), &theirs); err != nil {
		t.Fatal(err)
	}
	if want := append([]byte{0, 0, 0}, m.NodeID[:29]...); theirs.Reason != eos.GoAwayDuplicate || !bytes.Equal(theirs.NodeID, want) {
		t.Errorf("eos-go reads %+v: if it reads four bytes now, add it to the cross-check", theirs)
	}
}

// Transactions eos-go packs, compressed or not, have the same id here.
func TestEosGoTransactions(t *testing.T) {
	var s Scratch
	for _, compression := range []eos.CompressionType{eos.CompressionNone, eos.CompressionZlib} {
		trx := eos.NewSignedTransaction(eos.NewTransaction([]*eos.Action{{
			Account:       "eosio",
			Name:          "reqauth",
			Authorization: []eos.PermissionLevel{{Actor: "alice", Permission: "active"}},
			ActionData:    eos.NewActionDataFromHexData(bytes.Repeat([]byte{1, 2, 3}, 1000)),
		}}, nil))
		packed, err := trx.Pack(compression)
		if err != nil {
			t.Fatal(err)
		}
		body, err := eos.MarshalBinary(packed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := packed.ID()
		if err != nil {
			t.Fatal(err)
		}
		if x, err := ParseTransaction(body, &s); err != nil || compression == eos.CompressionNone && !bytes.Equal(x.ID[:], want) {
			t.Errorf("%s: %s, %v; eos-go %s", compression, x.ID, err, want)
		} else if plain, err := trx.Pack(eos.CompressionNone); err != nil {
			t.Fatal(err)
		} else if id, err := plain.ID(); err != nil || !bytes.Equal(x.ID[:], id) {
			t.Errorf("%s: %s, %v; eos-go %s", compression, x.ID, err, id)
		}
	}
}
