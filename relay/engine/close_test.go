package engine

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bprelay/relay/core"
)

// What is queued at Close reaches a peer that reads, however much it is.
func TestCloseFlushes(t *testing.T) {
	e, h := build(t, loopback(), nil)
	start(t, e)
	c := dialTo(t, e, core.Network)
	soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
	const frame, frames = 1 << 20, 48
	on(t, e, func() {
		for range frames {
			h.send(h.order[0], make([]byte, frame))
		}
	})
	closed := make(chan error, 1)
	e.cfg.FlushTimeout = patience
	go func() { closed <- e.Close(within(t)) }()
	if n := ends(t, c); n != frame*frames {
		t.Errorf("%d bytes came, %d were queued", n, frame*frames)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// A peer that does not read holds Close up for FlushTimeout, or until the caller's context ends.
func TestCloseGivesUp(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	const inKernel, inCore = 200 << 10, 64 << 20
	for name, tt := range map[string]struct {
		queued int
		flush  time.Duration
		ctx    context.Context
		want   error
	}{
		"flush timeout":      {inCore, 50 * time.Millisecond, within(t), ErrNotFlushed},
		"written, not taken": {inKernel, 50 * time.Millisecond, within(t), ErrNotFlushed},
		"context":            {inCore, time.Hour, canceled, context.Canceled},
		"no flush":           {inCore, -1, within(t), nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := loopback()
			cfg.FlushTimeout = tt.flush
			e, h := build(t, cfg, nil)
			start(t, e)
			c := dialTo(t, e, core.Network)
			soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
			on(t, e, func() {
				h.send(h.order[0], make([]byte, tt.queued))
			})
			if err := e.Close(tt.ctx); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			ends(t, c)
		})
	}
}

// After Close there are no more descriptors than before Start, whatever was going on.
func TestCloseLeavesNothing(t *testing.T) {
	warm := serve(t) // Go's own poller has its descriptors before the count
	before := descriptors(t)
	for round := range 5 {
		cfg := loopback()
		cfg.Nodes = []Target{{Name: "node1", Dial: warm.address()}, {Name: "node2", Dial: "127.0.0.1:1"}}
		cfg.FlushTimeout = 50 * time.Millisecond // the peers do not read
		e, h := build(t, cfg, nil)
		if err := e.Start(within(t)); err != nil {
			t.Fatal(err)
		}
		conns := []net.Conn{warm.next(t), dialTo(t, e, core.Network), dialTo(t, e, core.Network)}
		soon(t, "sessions", func() bool { return look(t, e, func() int { return len(h.sessions) }) == len(conns) })
		_, _ = conns[1].Write(bytes.Repeat([]byte{1}, 1<<20))
		if err := e.Close(within(t)); err != nil && !errors.Is(err, ErrNotFlushed) {
			t.Fatal(err)
		}
		for _, c := range conns {
			_ = c.Close()
		}
		soon(t, "all descriptors to be closed", func() bool { return descriptors(t) <= before })
		if h.closed != len(conns) || len(e.loop.links) != 0 {
			t.Fatalf("round %d: the core heard of %d ends, %d links left", round, h.closed, len(e.loop.links))
		}
		if _, err := e.Status(within(t)); !errors.Is(err, ErrClosed) {
			t.Fatalf("status after close: %v", err)
		}
		if err := e.Start(within(t)); !errors.Is(err, ErrClosed) {
			t.Fatalf("start after close: %v", err)
		}
	}
}

func TestCloseBeforeStart(t *testing.T) {
	e, _ := build(t, loopback(), nil)
	for range 2 {
		if err := e.Close(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// A Start that fails leaves nothing behind, and Close works all the same.
func TestCloseAfterFailedStart(t *testing.T) {
	taken := serve(t)
	before := descriptors(t)
	for name, spoil := range map[string]func(e *Engine){
		"port taken": func(e *Engine) { e.cfg.ListenNetwork = taken.address() },
		"core": func(e *Engine) {
			e.machine = func(core.Config, core.Instant) (machine, error) { return nil, errors.New("no") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := build(t, loopback(), nil)
			spoil(e)
			if err := e.Start(within(t)); err == nil {
				t.Fatal("started")
			}
			if err := e.Start(within(t)); !errors.Is(err, ErrStarted) {
				t.Errorf("second start: %v", err)
			}
			for range 2 {
				if err := e.Close(within(t)); err != nil {
					t.Error(err)
				}
			}
			soon(t, "all descriptors to be closed", func() bool { return descriptors(t) <= before })
		})
	}
}

func TestCloseConcurrently(t *testing.T) {
	e, h := build(t, loopback(), nil)
	start(t, e)
	c := dialTo(t, e, core.Network)
	soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := e.Close(within(t)); err != nil {
				t.Error(err)
			}
			// Each of them returns only when all is over.
			if len(e.loop.links) != 0 || h.closed != 1 {
				t.Errorf("returned with %d links", len(e.loop.links))
			}
		})
		wg.Go(func() { _, _ = e.Status(within(t)) })
	}
	wg.Wait()
	ends(t, c)
}

// Close during Start ends both.
func TestCloseDuringStart(t *testing.T) {
	for range 20 {
		e, _ := build(t, loopback(), nil)
		var wg sync.WaitGroup
		wg.Go(func() { _ = e.Start(within(t)) })
		wg.Go(func() { _ = e.Close(within(t)) })
		wg.Wait()
	}
}

// Dials that hang in the kernel, or wherever else, do not hold Close up.
func TestCloseWhileDialling(t *testing.T) {
	full := fullListener(t)
	cfg := loopback()
	cfg.DialTimeout = time.Hour
	cfg.Nodes = []Target{{Name: "full", Dial: full}}
	cfg.Peers = []Target{{Name: "hangs", Dial: "hangs:1"}}
	e, h := build(t, cfg, nil)
	dialling := make(chan string, 8)
	real := e.dial
	e.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialling <- address
		if address == "hangs:1" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return real(ctx, network, address)
	}
	start(t, e)
	<-dialling
	<-dialling
	if err := e.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if len(h.failed) != 0 {
		t.Errorf("dials called off count as failed: %q", h.failed)
	}
}

// fullListener is an address where connecting hangs: its backlog is used up.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "full")
	t.Cleanup(func() { _ = f.Close() })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	a := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*unix.SockaddrInet4).Port}).String()
	for {
		c, err := net.DialTimeout("tcp", a, 100*time.Millisecond)
		if err != nil {
			return a // this one hung
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}
