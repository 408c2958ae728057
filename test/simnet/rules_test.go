package simnet

import (
	"testing"
	"time"

	"bprelay/p2pwire"
)

// TestHandshakeRules is what a node answers to a first handshake it refuses.
func TestHandshakeRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *rig, h *p2pwire.Handshake)
		reason p2pwire.GoAwayReason // GoAwayNoReason: accepted
	}{
		{"good", func(*rig, *p2pwire.Handshake) {}, p2pwire.GoAwayNoReason},
		{"self", func(r *rig, h *p2pwire.Handshake) { h.NodeID = r.nodes["beta"].ID() }, p2pwire.GoAwaySelf},
		{"wrong chain", func(_ *rig, h *p2pwire.Handshake) { h.ChainID[0] ^= 1 }, p2pwire.GoAwayWrongChain},
		{"no p2p_address", func(_ *rig, h *p2pwire.Handshake) { h.P2PAddress = "" }, p2pwire.GoAwayFatalOther},
		{"no os", func(_ *rig, h *p2pwire.Handshake) { h.OS = "" }, p2pwire.GoAwayFatalOther},
		{"root above head", func(_ *rig, h *p2pwire.Handshake) { h.RootNum = h.HeadNum + 1 }, p2pwire.GoAwayFatalOther},
		{"forked root", func(_ *rig, h *p2pwire.Handshake) { h.RootID[9] ^= 1 }, p2pwire.GoAwayForked},
		{"wrong chain in a later generation passes", func(_ *rig, h *p2pwire.Handshake) { h.Generation, h.ChainID[0] = 2, 1 }, p2pwire.GoAwayNoReason},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := f6Rig(t, Savanna)
			s := r.script("peer")
			s.dials = []string{"beta:9876"}
			s.onConn = func(c *scriptConn) {
				beta := r.nodes["beta"]
				h := p2pwire.Handshake{
					NetworkVersion: p2pwire.NetworkVersion(9), ChainID: r.chain.ID(), NodeID: seedID("peer", 1),
					Time: r.w.Now().Wall, P2PAddress: "peer:9876", OS: "linux",
					RootNum: beta.Root().Num, RootID: beta.Root().ID, HeadNum: beta.ForkHead().Num, HeadID: beta.ForkHead().ID,
					Generation: 1,
				}
				tt.change(r, &h)
				c.say(h)
			}
			r.w.Add(s.addr, s)
			r.w.Run(time.Second)
			c := s.all[0]
			away := c.ofType(p2pwire.TypeGoAway, 0)
			if tt.reason == p2pwire.GoAwayNoReason {
				if len(away) != 0 || !c.open {
					t.Errorf("refused: open %t, %d go_away", c.open, len(away))
				}
				return
			}
			if len(away) != 1 || c.open {
				t.Fatalf("%d go_away, open %t", len(away), c.open)
			}
			if m, _ := p2pwire.DecodeGoAway(away[0].Body()); m.Reason != tt.reason {
				t.Errorf("go_away %s", m.Reason)
			}
		})
	}
}

// TestWhatPeersGet: what is sent to a peer depends on its version and on the
// suffix of its address.
func TestWhatPeersGet(t *testing.T) {
	for _, tt := range []struct {
		name                     string
		pv                       uint16
		suffix                   string
		blocks, votes, trx, nack bool
	}{
		{"PV 7", 7, "", true, false, true, false},
		{"PV 9", 9, "", true, true, true, false},
		{"PV 11", 11, "", true, true, true, true},
		{"blocks only", 9, ":blk", true, true, false, false},
		{"transactions only", 9, ":trx", false, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := f6Rig(t, Savanna)
			s := r.script("peer")
			s.dials = []string{"beta:9876"}
			echo := true
			s.onConn = func(c *scriptConn) {
				s.addr += tt.suffix
				c.claim(r.chain, tt.pv, r.nodes["beta"].Root(), r.nodes["beta"].ForkHead())
				c.keepAlive()
			}
			s.onFrame = func(c *scriptConn, f p2pwire.Frame) {
				if echo && f.Type() == p2pwire.TypeSignedBlock {
					echo = false
					c.send(f) // a duplicate
				}
			}
			addr := s.addr
			r.w.Add(addr, s)
			r.w.Run(4 * time.Second)
			c := s.all[0]
			for kind, want := range map[p2pwire.Type]bool{
				p2pwire.TypeSignedBlock: tt.blocks, p2pwire.TypeVote: tt.votes,
				p2pwire.TypePackedTransaction: tt.trx, p2pwire.TypeBlockNack: tt.nack,
			} {
				if got := len(c.ofType(kind, 0)); (got > 0) != want {
					t.Errorf("%d of %s", got, kind)
				}
			}
		})
	}
}

// TestPerHost: p2p-max-nodes-per-host closes the second connection silently.
func TestPerHost(t *testing.T) {
	r := newRig(t, Legacy, 1)
	r.start(Config{Name: "V", MaxNodesPerHost: 1})
	s := r.script("peer")
	s.dials = []string{"V:9876", "V:9876"}
	r.w.Add(s.addr, s)
	r.w.Run(time.Second)
	if !s.all[0].open || s.all[1].open || len(s.all[1].got) != 0 {
		t.Errorf("open %t and %t", s.all[0].open, s.all[1].open)
	}
}

// TestLibCatchup: a last_irr_catch_up notice that is not followed by blocks
// mutes a producer until the 5 s timeout closes the connection.
func TestLibCatchup(t *testing.T) {
	r := newRig(t, Legacy, 1)
	r.network(producers[1:]...)
	r.start(Config{Name: "A", Peers: []string{"beta"}, Producers: producers[:1], Finalizers: producers[:1]})
	s := r.script("peer")
	s.dials = []string{"A:9876"}
	a := r.nodes["A"]
	s.onConn = func(c *scriptConn) { c.claim(r.chain, 9, a.Root(), a.ForkHead()); c.keepAlive() }
	r.w.Run(60 * time.Second)
	r.w.Add(s.addr, s)
	round := r.round("bpalpha")
	r.toSlot(round+2, 0)
	c := s.all[0]
	head := a.ForkHead()
	c.say(p2pwire.Notice{
		Trx:    p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: head.Num + 500},
		Blocks: p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: head.Num + 600, IDs: []p2pwire.ID{{0, 1, 1}, {3: 1}}},
	})
	r.w.Run(10 * time.Millisecond)
	from := len(c.got)
	asked := r.w.now
	r.toSlot(round+6, 0)
	if n := len(c.ofType(p2pwire.TypeSignedBlock, from)); n != 0 || len(r.produced("A", round+5)) != 1 {
		t.Errorf("%d blocks sent in lib catch-up", n)
	}
	if _, missed := r.onChain("beta", round, 7); len(missed) < 3 {
		t.Errorf("missed %v: A was not mute", missed)
	}
	r.w.Run(10 * time.Second)
	if c.open {
		t.Fatal("not closed")
	}
	if took := c.closedAt - asked; took < 4900*time.Millisecond || took > 5100*time.Millisecond {
		t.Errorf("closed after %v", took)
	}
}

// TestF9: a peer that claims V's own root and the network's head, hands V's
// request catch_up to a public node and V the blocks, brings V to the head from
// any depth, without any lib catch-up.
func TestF9(t *testing.T) {
	for _, mode := range modes {
		for _, tt := range []struct {
			name   string
			behind time.Duration // 0 is genesis
		}{{"a few blocks", 2 * time.Second}, {"140 blocks", 70 * time.Second}, {"genesis", 0}} {
			t.Run(mode.String()+" "+tt.name, func(t *testing.T) {
				r := f6Rig(t, mode)
				var state *State
				if tt.behind > 0 {
					state = stateOf(r, "obs")
					r.w.Run(tt.behind)
				} else {
					r.w.Run(40 * time.Second)
				}
				beta := r.nodes["beta"]
				sync := &syncRelay{script: r.script("relay"), r: r}
				sync.onConn, sync.onFrame = sync.conn, sync.frame
				sync.dials = []string{"beta:9876"}
				r.w.Add(sync.addr, sync)
				r.w.Run(time.Second)
				v := r.start(Config{Name: "V", Peers: []string{"relay"}, State: state, VoteThreads: 2})
				began := r.w.now
				r.w.Run(100 * time.Millisecond)
				if v.Head().Num+1 < beta.Head().Num {
					t.Errorf("head %d of %d after 0.1 s", v.Head().Num, beta.Head().Num)
				}
				r.w.Run(5 * time.Second)
				if v.Head() != beta.Head() || len(r.events("V", EventClosed, began)) != 0 {
					t.Errorf("head %d of %d, closed %v", v.Head().Num, beta.Head().Num, r.events("V", EventClosed, began))
				}
				if n := len(sync.v.ofType(p2pwire.TypeSyncRequest, 0)); n != 0 || sync.requests == 0 {
					t.Errorf("%d sync_requests, %d requests", n, sync.requests)
				}
			})
		}
	}
}

// syncRelay is the peer of F9.
type syncRelay struct {
	*script
	r        *rig
	up, v    *scriptConn
	requests int
	sent     map[p2pwire.ID]bool
	waiting  []p2pwire.Frame
}

func (s *syncRelay) conn(c *scriptConn) {
	beta := s.r.nodes["beta"]
	if c.dialled {
		s.up = c
		c.claim(s.r.chain, 9, beta.Root(), beta.ForkHead())
	} else {
		s.v, s.sent = c, map[p2pwire.ID]bool{}
	}
	c.keepAlive()
}

func (s *syncRelay) frame(c *scriptConn, f p2pwire.Frame) {
	beta := s.r.nodes["beta"]
	switch {
	case c == s.v && f.Type() == p2pwire.TypeHandshake:
		h, _ := c.handshake()
		s.sent[h.HeadID] = true
		c.claim(s.r.chain, 9, Ref{Num: h.RootNum, ID: h.RootID}, beta.ForkHead())
	case c == s.v && f.Type() == p2pwire.TypeRequest:
		if m, _ := p2pwire.DecodeRequest(f.Body()); m.Blocks.Mode == p2pwire.ListCatchUp {
			s.requests++
			s.up.send(f)
		}
	case c == s.up && f.Type() == p2pwire.TypeSignedBlock && s.v != nil:
		s.waiting = append(s.waiting, f)
		s.pass()
	case f.Type() == p2pwire.TypeTime:
		c.pong(f)
	}
}

// pass hands on what has its parent at V, again and again.
func (s *syncRelay) pass() {
	for moved := true; moved; {
		moved = false
		for i, f := range s.waiting {
			if b := blockOf(f); s.sent[b.Previous] {
				s.sent[b.ID] = true
				s.v.send(f)
				s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
				moved = true
				break
			}
		}
	}
}
