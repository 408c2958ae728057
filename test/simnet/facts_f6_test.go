package simnet

import (
	"testing"
	"time"

	"bprelay/p2pwire"
)

// The tests of these files reproduce what was measured on real nodeos v1.2.2;
// a sub-test is a row.

// f6Rig is the network, with enough of a chain that a zero claim is far behind,
// and loaded.
func f6Rig(t *testing.T, mode Mode) *rig {
	t.Helper()
	r := newRig(t, mode, 6)
	r.network(producers...)
	r.load("gamma", 300*time.Millisecond, time.Hour)
	if mode == Legacy {
		r.w.Run(40 * time.Second) // until there is a root to speak of
	}
	r.w.Run(13 * time.Second)
	return r
}

// TestF6Claims: what a peer without a block log must say to a listening node.
func TestF6Claims(t *testing.T) {
	for _, tt := range []struct {
		name    string
		after   func(chain *Chain, c *scriptConn) // what follows the zero claim
		flowing bool
	}{
		{"zero and nothing else", func(*Chain, *scriptConn) {}, false},
		{"zero then request none", func(_ *Chain, c *scriptConn) { c.say(p2pwire.Request{}) }, true},
		{"mirror", func(chain *Chain, c *scriptConn) { c.mirror(chain, 9) }, true},
		{"root zero, head mirrored", func(chain *Chain, c *scriptConn) {
			h, _ := c.handshake()
			c.claim(chain, 9, Ref{}, Ref{Num: h.HeadNum, ID: h.HeadID})
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := f6Rig(t, Savanna)
			tap := r.script("tap")
			tap.dials = []string{"beta:9876"}
			r.w.Add(tap.addr, tap)
			r.w.Run(time.Second)
			c := tap.all[0]
			if len(c.got) != 0 {
				t.Fatalf("a listening node spoke first: %s", c.got[0].Type())
			}
			c.claim(r.chain, 9, Ref{}, Ref{})
			r.w.Run(5 * time.Millisecond)
			notices := c.ofType(p2pwire.TypeNotice, 0)
			if len(c.got) < 2 || len(notices) != 1 || c.got[1].Type() != p2pwire.TypeHandshake {
				t.Fatalf("%d messages after the handshake", len(c.got))
			}
			if m, _ := p2pwire.DecodeNotice(notices[0].Body()); m.Blocks.Mode != p2pwire.ListLastIrrCatchUp ||
				m.Trx.Mode != p2pwire.ListLastIrrCatchUp || len(m.Blocks.IDs) != 2 || m.Blocks.IDs[1].Num() != 1 {
				t.Errorf("notice %+v", m)
			}
			tt.after(r.chain, c)
			c.keepAlive()
			from := len(c.got)
			r.w.Run(8 * time.Second)
			blocks, trx := len(c.ofType(p2pwire.TypeSignedBlock, from)), len(c.ofType(p2pwire.TypePackedTransaction, from))
			if tt.flowing && (blocks < 14 || trx < 20) || !tt.flowing && blocks+trx != 0 {
				t.Errorf("%d blocks and %d transactions in 8 s", blocks, trx)
			}
			if q := len(c.ofType(p2pwire.TypeRequest, from)) + len(c.ofType(p2pwire.TypeSyncRequest, from)) + len(c.ofType(p2pwire.TypeNotice, from)); q != 0 {
				t.Errorf("%d questions", q)
			}
		})
	}
	t.Run("V dials and one mirrored answer suffices", func(t *testing.T) {
		r := f6Rig(t, Savanna)
		tap := r.script("tap")
		answered := false
		tap.onFrame = func(c *scriptConn, f p2pwire.Frame) {
			if f.Type() == p2pwire.TypeHandshake && !answered {
				answered = true
				c.mirror(r.chain, 9)
				c.keepAlive()
			}
		}
		r.w.Add(tap.addr, tap)
		r.start(Config{Name: "V", Peers: []string{"beta", "tap"}})
		r.w.Run(12 * time.Second)
		c := tap.all[0]
		// V was at genesis when it dialled: it is our answer that matters.
		if n := len(c.ofType(p2pwire.TypeSignedBlock, 0)); n < 14 {
			t.Errorf("%d blocks", n)
		}
	})
	t.Run("blocks are taken whatever is claimed", func(t *testing.T) {
		r := f6Rig(t, Savanna)
		state := stateOf(r, "obs")
		relay := miniRelay(r, "beta:9876", claimZero)
		relay.ring = true
		v := r.start(Config{Name: "V", Peers: []string{"relay"}, State: state})
		r.w.Run(5 * time.Second)
		if got, want := v.Head().Num, r.nodes["beta"].Head().Num; got+1 < want {
			t.Errorf("head %d of %d", got, want)
		}
	})
}

// TestF6KeepAlive: answering pings is not enough for an inbound peer.
func TestF6KeepAlive(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(c *scriptConn)
		lost  bool
	}{
		{"answering pings only", func(c *scriptConn) {
			c.s.onFrame = func(c *scriptConn, f p2pwire.Frame) {
				if f.Type() == p2pwire.TypeTime {
					c.pong(f)
				}
			}
		}, true},
		{"own ping every 4 s", func(c *scriptConn) { c.keepAlive() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := f6Rig(t, Savanna)
			r.w.SetLatency("tap:9876", "beta:9876", 10*time.Microsecond)
			tap := r.script("tap")
			tap.dials = []string{"beta:9876"}
			r.w.Add(tap.addr, tap)
			r.w.Run(time.Second)
			c := tap.all[0]
			head := r.nodes["beta"].Head()
			tt.setup(c)
			c.claim(r.chain, 9, head, head)
			r.w.Run(100 * time.Second)
			if c.open == tt.lost {
				t.Errorf("open after 100 s: %t (closed at %v)", c.open, c.closedAt-c.openedAt)
			}
		})
	}
}

// TestF6Votes: a node without producers relays votes only with vote-threads.
func TestF6Votes(t *testing.T) {
	for _, threads := range []int{0, 2} {
		r := f6Rig(t, Savanna)
		r.start(Config{Name: "obs", Peers: []string{"beta", "gamma"}, VoteThreads: threads})
		r.w.Run(2 * time.Second)
		tap := r.script("tap")
		tap.dials = []string{"obs:9876"}
		r.w.Add(tap.addr, tap)
		r.w.Run(time.Second)
		c := tap.all[0]
		c.claim(r.chain, 9, r.nodes["obs"].Root(), r.nodes["obs"].ForkHead())
		r.w.Run(5 * time.Second)
		if votes := len(c.ofType(p2pwire.TypeVote, 0)); (votes > 0) != (threads > 0) {
			t.Errorf("vote-threads %d: %d votes", threads, votes)
		}
	}
}

// stateOf runs an extra node for a moment and returns what it stored.
func stateOf(r *rig, name string) *State {
	r.start(Config{Name: name, Peers: []string{"beta"}})
	r.w.Run(3 * time.Second)
	return r.kill(name)
}

type claimKind int

const (
	claimMirror claimKind = iota
	claimNetwork
	claimZero
)

// relayStub is the peer of the facts' experiments: it follows an upstream node
// and passes live blocks on to V; with a ring it replays what V lacks.
type relayStub struct {
	*script
	ring     bool
	upstream *scriptConn
	blocks   []p2pwire.Frame
}

func miniRelay(r *rig, upstream string, claim claimKind) *relayStub {
	m := &relayStub{script: r.script("relay")}
	m.dials = []string{upstream}
	beta := r.nodes["beta"]
	m.onConn = func(c *scriptConn) {
		if c.dialled {
			m.upstream = c
			c.claim(r.chain, 9, beta.Root(), beta.ForkHead())
		}
		c.keepAlive()
	}
	m.onFrame = func(c *scriptConn, f p2pwire.Frame) {
		switch {
		case f.Type() == p2pwire.TypeTime:
			c.pong(f)
		case c == m.upstream && f.Type() == p2pwire.TypeSignedBlock:
			m.blocks = append(m.blocks, f)
			for _, v := range m.all {
				if v.open && !v.dialled {
					v.send(f)
				}
			}
		case c != m.upstream && f.Type() == p2pwire.TypeHandshake:
			switch claim {
			case claimMirror:
				c.mirror(r.chain, 9)
			case claimNetwork:
				c.claim(r.chain, 9, beta.Root(), beta.ForkHead())
			case claimZero:
				c.claim(r.chain, 9, Ref{}, Ref{})
			}
			if h, ok := c.handshake(); ok && m.ring {
				for num := h.HeadNum + 1; num <= beta.Head().Num; num++ {
					c.send(beta.frameForNum(num))
				}
			}
		}
	}
	r.w.Add(m.addr, m)
	r.w.Run(time.Second)
	return m
}

// TestF6Questions: what a node asks of a peer that forwards live blocks and
// answers nothing.
func TestF6Questions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		behind  int // slots; 0 is genesis
		claim   claimKind
		request bool // request catch_up
	}{
		{"5 behind, mirror", 5, claimMirror, false},
		{"5 behind, zero", 5, claimZero, false},
		{"5 behind, network's", 5, claimNetwork, true},
		{"190 behind, mirror", 190, claimMirror, false},
		{"190 behind, network's", 190, claimNetwork, false},
		{"genesis, mirror", 0, claimMirror, false},
		{"genesis, network's", 0, claimNetwork, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := f6Rig(t, Legacy)
			var state *State
			if tt.behind > 0 {
				state = stateOf(r, "obs")
				r.w.Run(time.Duration(tt.behind)*p2pwire.SlotDuration - time.Second)
			}
			relay := miniRelay(r, "beta:9876", tt.claim)
			v := r.start(Config{Name: "V", Peers: []string{"relay"}, State: state})
			began, head := r.w.now, v.Head()
			r.w.Run(14 * time.Second)
			c := relay.all[1]
			if got := len(c.ofType(p2pwire.TypeRequest, 0)) > 0; got != tt.request {
				t.Errorf("requested: %t", got)
			}
			for _, f := range c.ofType(p2pwire.TypeRequest, 0) {
				if m, _ := p2pwire.DecodeRequest(f.Body()); m.Blocks.Mode == p2pwire.ListCatchUp && (len(m.Blocks.IDs) != 1 || m.Blocks.IDs[0] != head.ID) {
					t.Errorf("request %+v", m)
				}
			}
			if n := len(c.ofType(p2pwire.TypeSyncRequest, 0)); n != 0 {
				t.Errorf("%d sync_requests", n)
			}
			if v.Head() != head {
				t.Errorf("head moved to %d", v.Head().Num)
			}
			closed := r.events("V", EventClosed, began)
			if len(closed) == 0 || closed[0].Reason != "max violations reached" {
				t.Fatalf("closed: %v", closed)
			}
			unlinkable := 0
			for _, e := range r.events("V", EventUnlinkable, began) {
				if e.at.Mono <= closed[0].at.Mono {
					unlinkable++
				}
			}
			if unlinkable != 14 {
				t.Errorf("closed after %d unlinkable blocks", unlinkable)
			}
			if took := closed[0].at.Mono - began; took < 6*time.Second || took > 8*time.Second {
				t.Errorf("closed after %v", took)
			}
			if len(relay.all) < 3 {
				t.Fatal("no redial")
			}
			if redial := relay.all[2].openedAt - closed[0].at.Mono; redial < 100*time.Millisecond || redial > 110*time.Millisecond {
				t.Errorf("redial after %v", redial)
			}
			if hs := len(c.ofType(p2pwire.TypeHandshake, 0)); hs < 14 {
				t.Errorf("%d handshakes for 14 unlinkable blocks", hs)
			}
		})
	}
	t.Run("sync_request only after a notice", func(t *testing.T) {
		r := f6Rig(t, Legacy)
		relay := miniRelay(r, "beta:9876", claimNetwork)
		v := r.start(Config{Name: "V", Peers: []string{"relay"}})
		r.w.Run(time.Second)
		c, root := relay.all[1], r.nodes["beta"].Root()
		c.say(p2pwire.Notice{
			Trx:    p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: root.Num},
			Blocks: p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: root.Num + 20, IDs: []p2pwire.ID{r.nodes["beta"].ForkHead().ID, {3: 1}}},
		})
		r.w.Run(10 * time.Millisecond)
		requests := c.ofType(p2pwire.TypeSyncRequest, 0)
		if len(requests) != 1 {
			t.Fatalf("%d sync_requests", len(requests))
		}
		if m, _ := p2pwire.DecodeSyncRequest(requests[0].Body()); m.Start != v.Root().Num+1 || m.End != root.Num {
			t.Errorf("%+v", m)
		}
		if v.sync.state != libCatchup {
			t.Error("not in lib catch-up")
		}
	})
	t.Run("a ring is enough for small gaps", func(t *testing.T) {
		r := f6Rig(t, Legacy)
		state := stateOf(r, "obs")
		r.w.Run(5 * time.Second)
		relay := miniRelay(r, "beta:9876", claimMirror)
		relay.ring = true
		v := r.start(Config{Name: "V", Peers: []string{"relay"}, State: state})
		r.w.Run(time.Second)
		if v.Head().Num+1 < r.nodes["beta"].Head().Num || len(r.events("V", EventClosed, 0)) != 0 {
			t.Errorf("head %d of %d", v.Head().Num, r.nodes["beta"].Head().Num)
		}
	})
}
