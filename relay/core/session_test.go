package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

func TestDiallerSpeaksFirstThenMirrors(t *testing.T) {
	r := newRig(t, time.Second)
	n := r.open(core.Network, "net1")
	first := handshakes(t, n)
	if len(first) != 1 || first[0].Generation != 1 || first[0].HeadNum != 0 || first[0].RootNum != 0 {
		t.Fatalf("first handshake %+v", first)
	}
	if len(n.frames(p2pwire.TypeTime)) != 1 {
		t.Error("no time message behind the first handshake")
	}
	n.handshake(genesis(90), genesis(100))
	all := handshakes(t, n)
	if len(all) != 2 {
		t.Fatalf("%d handshakes, want 2", len(all))
	}
	m := all[1]
	if m.Generation != 2 || m.RootNum != 90 || m.RootID != genesis(90).id || m.HeadID != genesis(100).id || m.PV() != 9 {
		t.Errorf("not mirrored: %+v", m)
	}
	n.handshake(genesis(90), genesis(101))
	if len(handshakes(t, n)) != 2 {
		t.Error("a later handshake was answered")
	}
}

func handshakes(t *testing.T, p *peer) []p2pwire.Handshake {
	var out []p2pwire.Handshake
	for _, f := range p.frames(p2pwire.TypeHandshake) {
		h, err := p2pwire.DecodeHandshake(f.Body())
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Validate(); err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
	return out
}

func TestAcceptedPeerSpeaksFirst(t *testing.T) {
	r := newRig(t, time.Second)
	id, err := r.c.Open(r.now, core.SessionInfo{Side: core.Network, Remote: "10.1.1.1:4000"})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{r: r, id: id, name: "in", nodeID: p2pwire.ID{9}}
	r.peers[id] = p
	r.run(4 * time.Second)
	if len(p.got) != 0 {
		t.Fatal("an accepted connection was spoken to before its handshake")
	}
	p.handshake(genesis(90), genesis(100))
	hs := handshakes(t, p)
	if len(hs) != 1 || hs[0].Generation != 1 || hs[0].HeadID != genesis(100).id {
		t.Fatalf("answer %+v", hs)
	}
}

func TestChainIsLearnedFromANode(t *testing.T) {
	r := newRig(t, time.Second, func(c *core.Config) { c.ChainID = p2pwire.ID{} })
	a := r.open(core.Internal, "a")
	if len(handshakes(t, a)) != 0 || len(a.frames(p2pwire.TypeTime)) != 1 {
		t.Fatal("want only a time message while the chain is unknown")
	}
	a.handshake(genesis(90), genesis(100))
	if hs := handshakes(t, a); len(hs) != 1 || hs[0].ChainID != r.chain || hs[0].Generation != 1 {
		t.Fatalf("answer %+v", hs)
	}
	n := r.open(core.Network, "net1")
	n.hello(genesis(90), genesis(100), func(h *p2pwire.Handshake) { h.ChainID = p2pwire.ID{66} })
	if n.closed != core.ReasonWrongChain {
		t.Errorf("closed as %v, want wrong_chain", n.closed)
	}
	if len(n.frames(p2pwire.TypeGoAway)) != 0 {
		t.Error("a go_away was sent")
	}
}

func TestHandshakesThatAreRefused(t *testing.T) {
	cases := map[string]struct {
		change func(*p2pwire.Handshake)
		why    core.Reason
	}{
		"no address":       {func(h *p2pwire.Handshake) { h.P2PAddress = "" }, core.ReasonBadHandshake},
		"no os":            {func(h *p2pwire.Handshake) { h.OS = "" }, core.ReasonBadHandshake},
		"root above head":  {func(h *p2pwire.Handshake) { h.RootNum = h.HeadNum + 1 }, core.ReasonBadHandshake},
		"other chain":      {func(h *p2pwire.Handshake) { h.ChainID[0]++ }, core.ReasonWrongChain},
		"same node again":  {func(h *p2pwire.Handshake) { h.NodeID = p2pwire.ID{0xaa, 0} }, core.ReasonDuplicateSession},
		"without a key":    {func(*p2pwire.Handshake) {}, core.ReasonAuthentication},
		"with another key": {func(h *p2pwire.Handshake) { h.Sign(otherKey) }, core.ReasonAuthentication},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, time.Second, func(c *core.Config) {
				if tc.why == core.ReasonAuthentication {
					c.AllowedPeerKeys = []p2pwire.PublicKey{ourKey.Public()}
				}
			})
			p := r.open(core.Network, "first")
			p.hello(genesis(90), genesis(100), func(h *p2pwire.Handshake) { h.Sign(ourKey) })
			if p.gone {
				t.Fatalf("the good one was closed: %v", p.closed)
			}
			bad := r.open(core.Network, "bad")
			bad.hello(genesis(90), genesis(100), tc.change)
			if bad.closed != tc.why {
				t.Errorf("closed as %v, want %v", bad.closed, tc.why)
			}
			if p.gone {
				t.Error("the good session was closed too")
			}
		})
	}
}

func TestKeepalive(t *testing.T) {
	r := newRig(t, time.Second)
	n := r.network("net1", genesis(100))
	n.clear()
	for range 10 {
		r.run(3 * time.Second)
		n.send(p2pwire.AppendFrame(nil, p2pwire.Time{Xmt: r.now.Wall}))
	}
	var pings, pongs int
	for _, f := range n.frames(p2pwire.TypeTime) {
		m, _ := p2pwire.DecodeTime(f.Body())
		if m.Org == 0 {
			pings++
		} else {
			pongs++
		}
	}
	if pings < 9 || pongs != 10 || n.gone {
		t.Errorf("%d pings, %d pongs, closed %v", pings, pongs, n.closed)
	}
	r.run(40 * time.Second)
	if n.closed != core.ReasonIdle {
		t.Errorf("a silent session ended as %v, want idle", n.closed)
	}
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	r := newRig(t, time.Second)
	n := r.open(core.Network, "net1")
	r.run(20 * time.Second)
	if n.closed != core.ReasonHandshakeTimeout {
		t.Errorf("ended as %v", n.closed)
	}
	if st := r.c.Snapshot(r.now); len(st.Sessions) != 0 || st.BufferedBytes != 0 {
		t.Errorf("left behind: %d sessions, %d bytes", len(st.Sessions), st.BufferedBytes)
	}
}

func TestTooManyYoungConnections(t *testing.T) {
	r := newRig(t, time.Second, func(c *core.Config) { c.MaxYoung = 10 })
	refused := 0
	for range 1000 {
		if _, err := r.c.Open(r.now, core.SessionInfo{Side: core.Network, Remote: "10.9.9.9:1"}); err != nil {
			refused++
		}
	}
	if refused != 990 {
		t.Errorf("refused %d of 1000, want 990", refused)
	}
	if _, err := r.c.Open(r.now, core.SessionInfo{Side: core.Internal, Name: "a", Dialled: true, Remote: "10.0.0.1:1"}); err != nil {
		t.Errorf("our own node was refused: %v", err)
	}
}

func TestGossipAndGoAway(t *testing.T) {
	r, n, a, b, _ := warm(t)
	gossip := p2pwire.AppendFrame(nil, p2pwire.GossipBPPeers{})
	n.send(gossip)
	a.send(gossip)
	if len(a.got)+len(b.got)+len(n.got) != 0 {
		t.Error("gossip_bp_peers was passed on")
	}
	n.send(p2pwire.AppendFrame(nil, p2pwire.GoAway{Reason: 10}))
	if n.closed != core.ReasonGoAway {
		t.Errorf("closed as %v", n.closed)
	}
	if len(a.got)+len(b.got) != 0 {
		t.Error("a go_away was passed on")
	}
	_ = r
}

func TestSlowNetworkPeerIsClosedAndOthersGoOn(t *testing.T) {
	r, n, a, _, head := warm(t, savanna(90))
	slow := r.network("slow", head)
	r.hold[slow.id] = true
	big := make([]byte, 60_000)
	prev := head
	var all []blk
	for i := range p2pwire.Slot(12) {
		r.until(base+i, early(base+i))
		for k := range 60 {
			a.send(trxFrame(r, string(big)+string(rune('a'+i))+string(rune('a'+k))))
		}
		prev = makeBlock(prev, base+i, ourName, savanna(101))
		a.send(prev.frame)
		all = append(all, prev)
	}
	n.want(all...)
	st := r.c.Snapshot(r.now)
	if st.QueuedBytes > 9<<20 || st.Stats.Dropped[core.ReasonTrxQueueFull] == 0 {
		t.Errorf("queued %d bytes, dropped %d transactions", st.QueuedBytes, st.Stats.Dropped[core.ReasonTrxQueueFull])
	}
	r.hold[slow.id] = false
	r.pump()
	slow.want(all...)
}

func TestQueueBoundClosesSlowPeer(t *testing.T) {
	r, n, a, _, head := warm(t, func(b *p2pwire.BlockBuilder) {})
	slow := r.network("slow", head)
	r.hold[slow.id] = true
	trx := p2pwire.AppendTransaction(nil, 1, 2, 3, make([]byte, 4<<20))
	prev := head
	for i := range p2pwire.Slot(12) {
		r.until(base+i, early(base+i))
		prev = makeBlock(prev, base+i, ourName, func(b *p2pwire.BlockBuilder) {
			b.Receipts = []p2pwire.Receipt{{CPU: uint32(i), Trx: trx}}
		})
		a.send(prev.frame)
	}
	if slow.closed != core.ReasonSlowConsumer {
		t.Errorf("closed as %v, want slow_consumer", slow.closed)
	}
	if len(n.blocks()) != 12 {
		t.Errorf("the other peer got %d blocks, want 12", len(n.blocks()))
	}
}

func TestPartialFramesAreBounded(t *testing.T) {
	r, n, a, b, head := warm(t, func(bb *p2pwire.BlockBuilder) {})
	var hogs []*peer
	for range 20 {
		hogs = append(hogs, r.network("hog", head))
	}
	prefix := []byte{0, 0, 128, 0, 8} // a transaction of 8 MiB
	noise := make([]byte, 64<<10)
	for _, h := range hogs {
		h.send(prefix)
	}
	for range 120 {
		for _, h := range hogs {
			if !h.gone {
				h.send(noise)
			}
		}
		if st := r.c.Snapshot(r.now); st.PartialBytes > 64<<20 {
			t.Fatalf("%d bytes of partial frames", st.PartialBytes)
		}
	}
	closed := 0
	for _, h := range hogs {
		if h.closed == core.ReasonReassembly {
			closed++
		}
	}
	if closed == 0 {
		t.Error("nobody was closed")
	}
	x := makeBlock(head, base, otherName)
	n.send(x.frame)
	r.run(survive)
	a.want(x)
	b.want(x)
}
