package engine

import (
	"net"
	"testing"
	"time"

	"bprelay/relay/core"
)

// stalled is an engine whose loop stands still until bytes of several peers are in its sockets and a timer is
// late; then f runs on the loop.
func stalled(t *testing.T, f func(e *Engine, h *hub)) *hub {
	e, h := build(t, loopback(), nil)
	start(t, e)
	peers := []*net.TCPConn{dialTo(t, e, core.Internal), dialTo(t, e, core.Internal), dialTo(t, e, core.Network)}
	soon(t, "the sessions", func() bool { return look(t, e, func() int { return len(h.sessions) }) == len(peers) })
	on(t, e, func() {
		for _, p := range peers {
			if _, err := p.Write([]byte("a block")); err != nil {
				t.Error(err)
			}
		}
		soon(t, "the bytes to arrive", func() bool {
			e.loop.anyUnread()
			for _, p := range e.loop.unread {
				if p.Revents == 0 {
					return false
				}
			}
			return len(e.loop.unread) == len(peers)
		})
		e.loop.begin()
		h.at = e.loop.now.Mono - time.Second
		f(e, h)
	})
	soon(t, "the timer", func() bool { return look(t, e, func() int { return h.ticks }) > 0 })
	return h
}

// After a stall every socket is read before a timer runs.
func TestStalledLoopReadsFirst(t *testing.T) {
	h := stalled(t, func(e *Engine, h *hub) {
		if e.loop.pump(); h.ticks > 0 {
			t.Error("a timer ran while three sockets were unread")
		}
	})
	if h.readFirst != 3 {
		t.Errorf("%d of 3 sockets were read before the timer ran", h.readFirst)
	}
}

// Whoever sends without end stops no timer.
func TestStalledLoopReadsForAWhileOnly(t *testing.T) {
	stalled(t, func(e *Engine, h *hub) {
		e.loop.behind = e.loop.now.Mono - readFor
		if e.loop.pump(); h.ticks != 1 {
			t.Errorf("%d ticks with sockets unread for %v", h.ticks, readFor)
		}
		h.at = e.loop.now.Mono - time.Second
		if e.loop.pump(); h.ticks != 2 {
			t.Errorf("%d ticks: timers that stay late are waited for again", h.ticks)
		}
	})
}
