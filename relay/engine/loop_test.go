package engine

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"bprelay/relay/core"
)

// Listeners of both sides and dialled connections of both sides: all on one loop, one goroutine.
func TestOneLoop(t *testing.T) {
	cfg := loopback()
	node, peer := serve(t), serve(t)
	cfg.Nodes = []Target{{Name: "node1", Dial: node.address(), Priority: 3}, {Name: "node2"}}
	cfg.Peers = []Target{{Name: "peer1", Dial: peer.address()}}
	e, h := build(t, cfg, nil)
	start(t, e)
	conns := []net.Conn{
		node.next(t), peer.next(t),
		dialTo(t, e, core.Internal), dialTo(t, e, core.Internal),
		dialTo(t, e, core.Network), dialTo(t, e, core.Network),
	}
	soon(t, "six sessions", func() bool { return look(t, e, func() int { return len(h.sessions) }) == len(conns) })
	for i, c := range conns {
		if _, err := c.Write([]byte{byte('a' + i)}); err != nil {
			t.Fatal(err)
		}
		for j, d := range conns {
			if j == i {
				continue
			}
			if got := readFull(t, d, 1); got[0] != byte('a'+i) {
				t.Fatalf("connection %d got %q of connection %d", j, got, i)
			}
		}
	}
	on(t, e, func() {
		if h.strangers > 0 || h.goroutine != goroutineID() {
			t.Errorf("%d calls from another goroutine than the loop's", h.strangers)
		}
		for _, k := range e.loop.links {
			if k.conn.EventLoop() != e.gloop {
				t.Errorf("%s is on another loop", k.info.Remote)
			}
		}
		dialled := map[string]core.SessionInfo{}
		for _, i := range h.opened {
			if i.Dialled {
				dialled[i.Name] = i
			}
		}
		if i := dialled["node1"]; i.Side != core.Internal || i.Priority != 3 || i.Remote != node.address() {
			t.Errorf("node1 opened as %+v", i)
		}
		if i := dialled["peer1"]; i.Side != core.Network || i.Remote != peer.address() {
			t.Errorf("peer1 opened as %+v", i)
		}
	})
}

// Bytes arrive unchanged and in order, in pieces and wholes of every size, also frames far larger
// than what gnet is given at once.
func TestWritesWhole(t *testing.T) {
	e, h := build(t, loopback(), nil)
	start(t, e)
	to := dialTo(t, e, core.Network)
	soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
	rng := rand.New(rand.NewPCG(1, 2))
	var want []byte
	on(t, e, func() {
		s := h.order[0]
		for _, n := range []int{1, 100, lowWater, highWater - 1, highWater, highWater + 1, 8 << 20, 5, 3 << 20} {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			want = append(want, b...)
			h.send(s, b)
		}
		for range 3000 {
			b := make([]byte, 1+rng.IntN(300))
			b[0] = byte(len(b))
			want = append(want, b...)
			h.send(s, b)
		}
		e.loop.begin()
		e.loop.pump()
	})
	if got := readFull(t, to, len(want)); !bytes.Equal(got, want) {
		t.Fatal("bytes differ")
	}
	soon(t, "everything is done", func() bool { return look(t, e, func() int { return h.taken }) == 0 })
}

// A peer that does not read: what waits inside gnet stays under the mark, the rest stays in the
// core, and everything comes once it reads.
func TestOutboundBounded(t *testing.T) {
	e, h := build(t, loopback(), nil)
	start(t, e)
	to := dialTo(t, e, core.Network)
	soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
	const frame, frames = 100 << 10, 400
	on(t, e, func() {
		for i := range frames {
			h.send(h.order[0], bytes.Repeat([]byte{byte(i)}, frame))
		}
		e.loop.begin()
		e.loop.pump()
	})
	passes := look(t, e, func() int { return h.calls })
	soon(t, "the tick to come up again and again", func() bool {
		return look(t, e, func() int {
			for _, k := range e.loop.links {
				if n := k.conn.OutboundBuffered(); n > highWater {
					t.Fatalf("%d bytes inside gnet", n)
				}
			}
			return h.calls
		}) > passes+100
	})
	if n := look(t, e, func() int { return len(h.order[0].queue) }); n == 0 {
		t.Fatal("nothing is left in the core: the test proves nothing")
	}
	for i := range frames {
		b := readFull(t, to, frame)
		if b[0] != byte(i) || b[frame-1] != byte(i) {
			t.Fatalf("frame %d is not itself", i)
		}
	}
	// With nothing queued, the alarm is the core's timer and no tick.
	soon(t, "the tick to end", func() bool {
		return look(t, e, func() bool { return e.loop.alarm.at >= h.now.Mono+h.every/2 })
	})
}

// One frame with nothing behind it, far larger than the peer's patience: its pieces follow by the
// tick alone.
func TestLastFrame(t *testing.T) {
	e, h := build(t, loopback(), nil)
	start(t, e)
	to := dialTo(t, e, core.Network)
	soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	passes := look(t, e, func() int {
		h.send(h.order[0], want)
		e.loop.begin()
		e.loop.pump()
		return h.calls
	})
	soon(t, "the tick to come up again and again", func() bool {
		return look(t, e, func() int { return h.calls }) > passes+50
	})
	if got := readFull(t, to, len(want)); !bytes.Equal(got, want) {
		t.Fatal("bytes differ")
	}
	soon(t, "everything is done", func() bool { return look(t, e, func() int { return h.taken }) == 0 })
}

// The core's timer wakes the loop without any traffic.
func TestTimer(t *testing.T) {
	e, h := build(t, loopback(), func(h *hub) { h.every = time.Millisecond })
	start(t, e)
	soon(t, "some ticks", func() bool { return look(t, e, func() int { return h.ticks }) >= 5 })
}

// The core's wish to end a session is carried out, and the core hears of it once, even if it sends
// and ends more because of it.
func TestCloseRequest(t *testing.T) {
	e, h := build(t, loopback(), func(h *hub) {
		h.ending = func(h *hub, s *hubSession) {
			for _, o := range h.order {
				h.send(o, []byte("bye"))
			}
		}
	})
	start(t, e)
	a, b := dialTo(t, e, core.Network), dialTo(t, e, core.Internal)
	soon(t, "two sessions", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 2 })
	on(t, e, func() {
		for _, s := range h.order {
			if s.info.Side == core.Network {
				h.closing = append(h.closing, core.CloseRequest{ID: s.id}, core.CloseRequest{ID: s.id})
			}
		}
		e.loop.begin()
		e.loop.pump()
		if h.closed != 1 || len(e.loop.links) != 1 {
			t.Errorf("%d sessions closed, %d links left", h.closed, len(e.loop.links))
		}
	})
	ends(t, a)
	if got := readFull(t, b, 3); string(got) != "bye" {
		t.Fatalf("got %q", got)
	}
}

// A write to a connection that was reset ends it in the middle of a pass.
func TestWriteFails(t *testing.T) {
	e, h := build(t, loopback(), nil)
	start(t, e)
	a, b := dialTo(t, e, core.Network), dialTo(t, e, core.Internal)
	soon(t, "two sessions", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 2 })
	on(t, e, func() {
		_ = a.SetLinger(0)
		_ = a.Close() // a reset, that the loop has no occasion to read before it writes
		for range 3 {
			for _, s := range h.order {
				h.send(s, []byte("data"))
			}
			e.loop.begin()
			e.loop.pump()
		}
	})
	readFull(t, b, 12)
	soon(t, "the end of one session", func() bool { return look(t, e, func() int { return h.closed }) == 1 })
	if n := look(t, e, func() int { return len(e.loop.links) }); n != 1 {
		t.Fatalf("%d links", n)
	}
}

// What the core refuses is closed, and nothing is left of it.
func TestOpenRefused(t *testing.T) {
	e, h := build(t, loopback(), func(h *hub) { h.refuse = errors.New("no") })
	start(t, e)
	for range 20 {
		ends(t, dialTo(t, e, core.Network))
	}
	on(t, e, func() {
		if len(h.opened) != 20 || h.closed != 0 || len(e.loop.links) != 0 {
			t.Errorf("%d opened, %d closed, %d links", len(h.opened), h.closed, len(e.loop.links))
		}
	})
}
