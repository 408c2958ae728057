package probe

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bprelay/p2pwire"
)

var chainA, chainB = p2pwire.ID{1, 0xaa}, p2pwire.ID{2, 0xbb}

func healthyPeer() *fakePeer {
	return &fakePeer{chain: chainA, pv: p2pwire.PVGossipBPPeers}
}

// probe runs a probe against the peer in virtual time.
func probe(t *testing.T, p *fakePeer, o Options) *Report {
	t.Helper()
	o.Address, o.Dial = "peer:9876", p.dial(t)
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHealthy(t *testing.T) {
	for _, c := range []struct {
		name  string
		chain p2pwire.ID
		// generations and heads of the handshakes the peer gets
		gens  []int16
		heads []uint32
	}{
		{"chain given", chainA, []int16{1, 2}, []uint32{0, 1000}},
		{"chain learned", p2pwire.ID{}, []int16{1}, []uint32{1000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := healthyPeer()
				p.offset, p.delay = 40*time.Millisecond, 6*time.Millisecond
				r := probe(t, p, Options{ChainID: c.chain, ListenFor: 4750 * time.Millisecond}) // ends between two blocks
				if !r.Healthy || len(r.Findings) != 0 {
					t.Errorf("findings: %v", r.Findings)
				}
				if r.Peer.ChainID != chainA || r.Peer.ProtocolVersion != 11 || r.Peer.Release != "Spring 1.2" ||
					r.Peer.HeadNum != 1000 || r.Peer.RootNum != 998 || r.Peer.Agent != "fake" || r.Peer.Kind != "both" {
					t.Errorf("peer %+v", r.Peer)
				}
				// The answer took 6 ms one way and none back: as NTP must, the probe halves it.
				if r.Clock == nil || r.Clock.RoundTripMs != 6 || r.Clock.OffsetMs != 43 || r.Clock.Pings < 5 {
					t.Errorf("clock %+v", r.Clock)
				}
				if r.Blocks == nil || r.Blocks.Count < 9 || r.Blocks.First != 1001 || int(r.Blocks.Last) != 1000+r.Blocks.Count || !r.Blocks.Savanna {
					t.Errorf("blocks %+v", r.Blocks)
				}
				if r.Votes != r.Blocks.Count || r.Transactions != r.Blocks.Count || r.ListenedMs != 4750 {
					t.Errorf("%d votes, %d transactions in %v ms", r.Votes, r.Transactions, r.ListenedMs)
				}
				var gens []int16
				var heads []uint32
				for _, h := range p.seen {
					gens, heads = append(gens, h.Generation), append(heads, h.HeadNum)
				}
				if !slices.Equal(gens, c.gens) || !slices.Equal(heads, c.heads) {
					t.Errorf("peer got generations %v and heads %v, want %v and %v", gens, heads, c.gens, c.heads)
				}
			})
		})
	}
}

func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*fakePeer)
		o        Options
		severity Severity
		want     string // part of the one finding
	}{
		{"wrong chain", func(p *fakePeer) { p.chain = chainB }, Options{ChainID: chainA}, Problem, "(wrong_chain): it is on another chain"},
		{"wrong chain, named", func(p *fakePeer) { p.chain, p.greetAll = chainB, true }, Options{ChainID: chainA}, Problem, "wrong chain: the peer is on " + chainB.String()},
		{"no votes", func(p *fakePeer) { p.noVotes = true }, Options{ChainID: chainA, ListenFor: 4 * time.Second}, Problem, "vote-threads 0"},
		{"votes unknown", func(p *fakePeer) { p.noVotes, p.pv = true, 7 }, Options{ChainID: chainA, ListenFor: 4 * time.Second}, Problem, "protocol version 7"},
		{"no votes in legacy", func(p *fakePeer) { p.noVotes, p.legacy = true, true }, Options{ListenFor: 4 * time.Second}, "", ""},
		{"no transactions", func(p *fakePeer) { p.noTrx = true }, Options{ListenFor: 4 * time.Second}, Note, "no transactions"},
		{"no blocks", func(p *fakePeer) { p.noBlocks = true }, Options{ListenFor: 4 * time.Second}, Problem, "no block in 4s"},
		{"no blocks yet", func(p *fakePeer) { p.noBlocks = true }, Options{ListenFor: time.Second}, Note, "too short to judge"},
		{"old blocks", func(p *fakePeer) { p.behind = 8 * time.Second }, Options{ListenFor: 4 * time.Second}, Problem, "8 s old"},
		{"clock", func(p *fakePeer) { p.offset = -90 * time.Second }, Options{ListenFor: 4 * time.Second}, Problem, "clocks are 1m30s apart"},
		{"clock, slightly", func(p *fakePeer) { p.offset = 300 * time.Millisecond }, Options{}, Warning, "clocks are 300ms apart"},
		{"slow", func(p *fakePeer) { p.delay = 400 * time.Millisecond }, Options{ChainID: chainA, ListenFor: 4 * time.Second}, Warning, "round trip takes 400ms"},
		{"transactions only", func(p *fakePeer) { p.address = "peer:9876:trx - 1234567"; p.noBlocks = true }, Options{ListenFor: 4 * time.Second}, Problem, ":trx"},
		{"full", func(p *fakePeer) { p.closeAt = atConnect }, Options{ChainID: chainA}, Problem, "p2p-max-nodes-per-host"},
		{"closed at handshake", func(p *fakePeer) { p.closeAt = atHandshake }, Options{ChainID: chainA}, Problem, "closed without a word"},
		{"closed later", func(p *fakePeer) { p.closeAt = atMirror }, Options{ChainID: chainA, ListenFor: 4 * time.Second}, Problem, "ended the session after the handshake"},
		{"needs a key", func(p *fakePeer) { p.goAway = p2pwire.GoAwayAuthentication }, Options{ChainID: chainA}, Problem, "authentication): its allowed-connection"},
		{"HTTP", func(p *fakePeer) { p.noise = []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, Options{ChainID: chainA}, Problem, "not nodeos' p2p protocol"},
		{"mute", func(p *fakePeer) { p.silent = true }, Options{ChainID: chainA}, Problem, "no handshake came"},
		{"mute, chain unknown", func(p *fakePeer) { p.silent = true }, Options{}, Problem, "the peer is silent"},
		{"impatient", func(*fakePeer) {}, Options{Timeout: 8 * time.Second}, Problem, "longer --timeout"},
		{"never greets", func(p *fakePeer) { p.noGreet = true }, Options{}, Problem, "greets first only with its tick"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := healthyPeer()
				c.change(p)
				r := probe(t, p, c.o)
				if c.want == "" {
					if len(r.Findings) != 0 || !r.Healthy {
						t.Errorf("findings %v", r.Findings)
					}
					return
				}
				if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
					return f.Severity == c.severity && strings.Contains(f.Text, c.want)
				}) {
					t.Errorf("no %s with %q in %v", c.severity, c.want, r.Findings)
				}
				if r.Healthy != (c.severity != Problem) {
					t.Errorf("healthy = %v with %v", r.Healthy, r.Findings)
				}
			})
		})
	}
}

func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection refused"},
		{&net.DNSError{Err: "no such host", Name: "nowhere"}, "cannot be resolved"},
		{context.DeadlineExceeded, "no answer"},
		{errors.New("odd"), "cannot connect: odd"},
	} {
		r, err := Run(t.Context(), Options{Address: "nowhere:1", Dial: func(context.Context, string) (net.Conn, error) { return nil, c.err }})
		if err != nil {
			t.Fatal(err)
		}
		if r.Healthy || r.Connected || len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Text, c.want) {
			t.Errorf("%v: %+v", c.err, r)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{}, {Address: "host"}, {Address: ":9876"}, {Address: "h:1", Timeout: -1}, {Address: "h:1", ListenFor: -1}} {
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := healthyPeer()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := Run(ctx, Options{Address: "peer:9876", ChainID: chainA, ListenFor: time.Hour, Dial: p.dial(t)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := probe(t, healthyPeer(), Options{ChainID: chainA, ListenFor: 3 * time.Second})
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"protocol 11 (Spring 1.2)", chainA.String(), "(Savanna), 1001 to", "healthy", "(2 above root)"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("no %q in\n%s", want, &text)
			}
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(raw, &back); err != nil || back.Peer.ChainID != chainA || back.Findings == nil {
			t.Errorf("%v in %s", err, raw)
		}
	})
}
