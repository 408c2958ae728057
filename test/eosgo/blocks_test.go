package eosgo

import (
	"bytes"
	"slices"
	"testing"
	"time"

	eos "github.com/eoscanada/eos-go"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/test/simnet"
)

// enough own blocks: two nodes make siblings for each of their slots.
const enough = 6

// TestClient has eos-go's client be a network peer of the relay's, on both kinds of chain.
func TestClient(t *testing.T) {
	t.Parallel()
	for _, consensus := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		t.Run(consensus.String(), func(t *testing.T) {
			t.Parallel()
			testClient(t, consensus)
		})
	}
}

func testClient(t *testing.T, consensus simnet.Mode) {
	var voted *echo
	var others []engine.Target
	if consensus == simnet.Savanna {
		voted = listen(t)
		others = append(others, engine.Target{Name: "echo", Dial: voted.address()})
	}
	w := startWorld(t, consensus, others...)
	live := w.join(t, "live", nil)
	checkHandshake(t, w, live)
	trx := sendTransaction(t, w, live)
	breakOff(t, w)
	gone := []core.SessionID{w.session("broken")}
	if voted != nil {
		gone = append(gone, voted.fails(t, w))
	}

	until(t, "our blocks", func() bool { return len(live.blocks(t)) >= enough })
	blocks := live.blocks(t)
	if claimed := w.claimedSince(w.session("live")); !begins(claimed, ids(blocks)) {
		t.Errorf("received %v\nwent out %v", ids(blocks), claimed)
	}
	for i, b := range blocks {
		checkBlock(t, w, &b)
		if i > 0 && b.wire.Previous != blocks[i-1].id {
			t.Errorf("block %d does not follow the one before it", b.wire.Num)
		}
	}
	checkIncluded(t, blocks, trx)
	checkLate(t, w, live)
	checkRange(t, w, live)

	// Nobody else noticed anything.
	for _, e := range w.of(core.EventSessionDown) {
		if !slices.Contains(gone, e.Session) {
			t.Errorf("a session ended: %+v", e)
		}
	}
	for _, e := range w.of(core.EventAlarm) {
		t.Errorf("alarm: %+v", e)
	}
	for _, p := range live.all() {
		if p.Type > eos.PackedTransactionMessageType {
			t.Errorf("received a message of type %d, above the client's protocol version", p.Type)
		}
	}
}

// checkHandshake: eos-go reads the relay's handshake as p2pwire does, and the relay goes by the
// version of eos-go's first one, not by that of the echo.
func checkHandshake(t *testing.T, w *world, c *client) {
	t.Helper()
	p := c.of(eos.HandshakeMessageType)[0]
	h, err := p2pwire.DecodeHandshake(p2pwire.Frame(p.Raw).Body())
	if err != nil {
		t.Fatal(err)
	}
	m := p.P2PMessage.(*eos.HandshakeMessage)
	if m.NetworkVersion != h.NetworkVersion || h.PV() < p2pwire.PVBase ||
		p2pwire.ID(m.ChainID) != w.chainID || p2pwire.ID(m.NodeID) != h.NodeID || h.NodeID.IsZero() ||
		m.Time.UnixNano() != h.Time || m.P2PAddress != h.P2PAddress || m.Agent != "bprelay" || m.OS != "linux" || m.Generation != 1 ||
		m.HeadNum != 0 || m.LastIrreversibleBlockNum != 0 {
		t.Errorf("eos-go reads %+v\nit is %+v", m, h)
	}
	if again, err := eos.MarshalBinary(m); err != nil || !bytes.Equal(again, p.Payload) {
		t.Errorf("eos-go writes the handshake as %x, %v\nit is %x", again, err, p.Payload)
	}
	status := func() core.SessionStatus {
		for _, s := range w.status(t).Sessions {
			if s.Agent == "live" {
				return s
			}
		}
		return core.SessionStatus{}
	}
	until(t, "the echo", func() bool { s := status(); return s.Stats.FramesIn >= 2 })
	if s := status(); s.PV != 1 || s.P2PAddress != c.peer.Name || !s.Ready {
		t.Errorf("the relay's session: %+v", s)
	}
}

// checkBlock: eos-go and p2pwire read the same in a block, and it is one of ours.
func checkBlock(t *testing.T, w *world, b *block) {
	t.Helper()
	savanna := w.chain.Mode() == simnet.Savanna
	v := &b.wire
	if b.id != v.ID || b.eos.BlockNumber() != v.Num || string(b.eos.Producer) != v.Producer.String() ||
		b.eos.Timestamp.UnixNano() != v.Slot.Time() || p2pwire.ID(b.eos.Previous) != v.Previous ||
		b.eos.ScheduleVersion != v.ScheduleVersion || !bytes.Equal(b.eos.ProducerSignature.Content, v.Signature()[1:]) {
		t.Errorf("eos-go reads %+v\nit is %+v", b.eos, v)
	}
	if v.Producer.String() != own || v.Savanna != savanna || w.chain.ProducerAt(v.Slot) != v.Producer {
		t.Errorf("block %d of %s at %d, savanna %t", v.Num, v.Producer, v.Slot, v.Savanna)
	}
	// It writes no variant index before a packed transaction, but its id.
	if again, err := eos.MarshalBinary(b.eos); len(b.eos.Transactions) == 0 && (err != nil || !bytes.Equal(again, v.Body())) {
		t.Errorf("eos-go writes block %d as %x, %v\nit is %x", v.Num, again, err, v.Body())
	}
	if !savanna {
		if len(b.eos.HeaderExtensions) != 0 {
			t.Errorf("block %d has header extensions", v.Num)
		}
		return
	}
	// A Savanna block is signed by its id, so eos-go can check it without knowing the extension.
	const finalityExtension = 2
	if x := b.eos.HeaderExtensions; len(x) != 1 || x[0].Type != finalityExtension {
		t.Errorf("block %d has header extensions %+v", v.Num, x)
	}
	if key := w.chain.ProducerKey(own); !b.eos.ProducerSignature.Verify(b.id[:], key.ECC()) {
		t.Errorf("eos-go does not accept the signature of block %d", v.Num)
	}
}

// sendTransaction: one that eos-go has packed reaches each of our nodes, once.
func sendTransaction(t *testing.T, w *world, c *client) p2pwire.ID {
	t.Helper()
	frame, id := w.chain.Transaction(1, uint32(time.Now().Add(time.Minute).Unix()))
	packet, err := eos.ReadPacket(bytes.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.peer.WriteP2PMessage(packet.P2PMessage); err != nil {
		t.Fatal(err)
	}
	for _, n := range w.nodes {
		until(t, "the transaction", func() bool { return len(n.executed()) > 0 })
		if got := n.executed(); !slices.Equal(got, []p2pwire.ID{id}) {
			t.Errorf("executed %v, sent %s", got, id)
		}
	}
	return id
}

// checkIncluded: the transaction is in one of the blocks, and eos-go knows it again.
func checkIncluded(t *testing.T, blocks []block, id p2pwire.ID) {
	t.Helper()
	times := 0
	for _, b := range blocks {
		for _, r := range b.eos.Transactions {
			if p2pwire.ID(r.Transaction.ID) == id {
				times++
			}
		}
	}
	if times != 1 {
		t.Errorf("the transaction is in the blocks %d times", times)
	}
}

// breakOff: a go_away as eos-go declares it is malformed, since its reason has 1 byte where nodeos has
// 4. It ends that session alone.
func breakOff(t *testing.T, w *world) {
	t.Helper()
	c := w.join(t, "broken", nil)
	theirs := eos.GoAwayMessage{Reason: eos.GoAwayBenignOther, NodeID: c.peer.NodeID}
	if _, err := eos.MarshalBinary(&theirs); err == nil {
		t.Error("eos-go can encode go_away now: leave that to it")
	}
	frame, err := eos.MarshalBinary(&eos.Packet{Type: theirs.GetType(), Payload: append([]byte{byte(theirs.Reason)}, theirs.NodeID...)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.peer.Write(frame); err != nil {
		t.Fatal(err)
	}
	if e := w.end(t, c); e.Reason != core.ReasonMalformed {
		t.Errorf("ended: %+v", e)
	}
	if st := w.status(t); st.Stats.Closed[core.ReasonMalformed] != 1 || st.Stats.Closed[core.ReasonGoAway] != 0 {
		t.Errorf("sessions ended: %v", st.Stats.Closed)
	}
	if len(c.of(eos.GoAwayMessageType)) != 0 {
		t.Error("the relay answered with go_away")
	}
}

// checkLate: a client whose head is the first of our blocks is given the others, each once, and then
// what comes live.
func checkLate(t *testing.T, w *world, live *client) {
	t.Helper()
	known := live.blocks(t)
	late := w.join(t, "late", &known[0])
	until(t, "the blocks it lacks", func() bool { return len(late.blocks(t)) >= len(known) })
	got := ids(late.blocks(t))
	until(t, "the same at the other client", func() bool { return len(live.blocks(t)) > len(got) })
	if want := ids(live.blocks(t))[1:]; !begins(want, got) {
		t.Errorf("received %v\nwant     %v", got, want)
	}
}

// checkRange: eos-go's sync_request brings the blocks from its start on, in order.
func checkRange(t *testing.T, w *world, live *client) {
	t.Helper()
	known := live.blocks(t)
	asking := w.join(t, "asking", nil)
	if err := asking.peer.SendSyncRequest(known[0].wire.Num, known[len(known)-1].wire.Num); err != nil {
		t.Fatal(err)
	}
	want := ids(known)
	until(t, "the blocks asked for", func() bool {
		got := ids(asking.blocks(t))
		i := slices.Index(got, want[0]) // behind what came live
		return i >= 0 && begins(got[i:], want)
	})
}
