package engine

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"bprelay/relay/core"
)

// A peer whose session ends is dialled again; one that cannot be reached is told to the core.
func TestRedials(t *testing.T) {
	cfg := loopback()
	node, peer := serve(t), serve(t)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	cfg.Nodes = []Target{{Name: "node1", Dial: node.address()}, {Name: "gone", Dial: gone.Addr().String()}}
	cfg.Peers = []Target{{Name: "peer1", Dial: peer.address()}}
	cfg.RedialNodeMin, cfg.RedialNetworkMin = time.Millisecond, time.Millisecond
	e, h := build(t, cfg, nil)
	start(t, e)
	for range 3 {
		_ = node.next(t).Close()
		_ = peer.next(t).Close()
	}
	soon(t, "failed dials", func() bool {
		return look(t, e, func() int { return len(h.failed) }) >= 3
	})
	if f := look(t, e, func() []string { return slices.Clone(h.failed) }); slices.ContainsFunc(f, func(s string) bool { return s != "internal gone" }) {
		t.Errorf("failed: %q", f)
	}
}

// The core can have a peer left alone after it ended the session; another one, dialled again many
// times meanwhile, shows that time has passed.
func TestRetryAfter(t *testing.T) {
	cfg := loopback()
	left, other := serve(t), serve(t)
	cfg.Nodes = []Target{{Name: "left alone", Dial: left.address()}, {Name: "other", Dial: other.address()}}
	cfg.RedialNodeMin, cfg.RedialNodeMax = time.Millisecond, time.Millisecond
	e, h := build(t, cfg, func(h *hub) {
		h.onOpen = func(h *hub, s *hubSession) {
			if s.info.Name == "left alone" {
				h.closing = append(h.closing, core.CloseRequest{ID: s.id, RetryAfter: time.Hour})
			}
		}
	})
	start(t, e)
	ends(t, left.next(t))
	for range 20 {
		_ = other.next(t).Close()
	}
	dials := 0
	for _, i := range look(t, e, func() []core.SessionInfo { return slices.Clone(h.opened) }) {
		if i.Name == "left alone" {
			dials++
		}
	}
	if dials != 1 {
		t.Errorf("dialled %d times", dials)
	}
}

// A dialled peer the core refuses is treated like one that cannot be reached, but for the news.
func TestDialRefused(t *testing.T) {
	cfg := loopback()
	peer := serve(t)
	cfg.Peers = []Target{{Name: "peer1", Dial: peer.address()}}
	cfg.RedialNetworkMin = time.Millisecond
	e, h := build(t, cfg, func(h *hub) { h.refuse = errors.New("no") })
	start(t, e)
	for range 3 {
		ends(t, peer.next(t))
	}
	on(t, e, func() {
		if len(h.failed) > 0 || len(e.loop.links) > 0 {
			t.Errorf("failed %q, %d links", h.failed, len(e.loop.links))
		}
	})
}
