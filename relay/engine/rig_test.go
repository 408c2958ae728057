package engine

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// patience is how long a test waits for something that is bound to happen.
const patience = 30 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// soon polls until ok, and fails the test when that takes too long.
func soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-end.C:
			t.Fatalf("waited in vain for: %s", what)
		case <-again.C:
		}
	}
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// loopback is a configuration that listens on both sides, on free ports.
func loopback() Config {
	return Config{
		Core:           core.Config{Producers: []core.Producer{{Name: mustName("ours")}}, ChainID: p2pwire.ID{1}},
		ListenInternal: "127.0.0.1:0", ListenNetwork: "127.0.0.1:0",
		Logger: quiet,
	}
}

func mustName(s string) p2pwire.Name {
	n, err := p2pwire.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

// build makes an engine whose core is a hub, not started yet.
func build(t testing.TB, cfg Config, prepare func(*hub)) (*Engine, *hub) {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := newHub(core.Instant{})
	if prepare != nil {
		prepare(h)
	}
	e.machine = func(_ core.Config, now core.Instant) (machine, error) {
		h.now = now
		return h, nil
	}
	return e, h
}

// start starts an engine and closes it with the test.
func start(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(within(t)) })
}

// on runs f on the loop and waits for it.
func on(t testing.TB, e *Engine, f func()) {
	t.Helper()
	done := make(chan struct{})
	if !e.post(func() { f(); close(done) }) {
		t.Fatal("the loop is gone")
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the loop does not answer")
	}
}

// look reads a value on the loop.
func look[T any](t testing.TB, e *Engine, f func() T) (v T) {
	t.Helper()
	on(t, e, func() { v = f() })
	return v
}

func dialTo(t testing.TB, e *Engine, side core.Side) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", e.Addr(side).String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// server is a peer that is dialled.
type server struct {
	*net.TCPListener
}

func serve(t testing.TB) server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return server{l.(*net.TCPListener)}
}

func (s server) address() string { return s.Addr().String() }

func (s server) next(t testing.TB) *net.TCPConn {
	t.Helper()
	_ = s.SetDeadline(time.Now().Add(patience))
	c, err := s.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func readFull(t testing.TB, c net.Conn, n int) []byte {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, n)
	if got, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("after %d of %d bytes: %v", got, n, err)
	}
	return b
}

// ends reads until the connection ends, and returns how many bytes came.
func ends(t testing.TB, c net.Conn) int64 {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := io.Copy(io.Discard, c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatal("the connection stays open")
	}
	return n
}

// descriptors counts the open ones of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	l, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(l)
}
