package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	s, err := Listen("127.0.0.1:0", Config{Source: &fakeSource{status: readyStatus()}})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + s.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	// A connection that says nothing must not hold up the end beyond the caller's patience.
	silent, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func TestListenError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(l.Addr().String(), Config{Source: &fakeSource{}}); err == nil {
		t.Error("a taken port was no error")
	}
}

// pipes is a listener that accepts in-memory connections.
type pipes struct{ accepted int }

func (p *pipes) Accept() (net.Conn, error) {
	p.accepted++
	c, _ := net.Pipe()
	return c, nil
}
func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return nil }

func TestBoundedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &pipes{}
		b := newBounded(inner, 2)
		var conns []net.Conn
		for range 2 {
			c, err := b.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		errs := make(chan error, 1)
		accept := func() { _, err := b.Accept(); errs <- err }
		go accept()
		synctest.Wait()
		if inner.accepted != 2 {
			t.Fatalf("%d accepted, want 2", inner.accepted)
		}
		conns[0].Close()
		conns[0].Close() // closing twice frees one place only
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
		go accept()
		synctest.Wait()
		b.Close()
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after close: %v", err)
		}
		if inner.accepted != 3 {
			t.Errorf("%d accepted, want 3", inner.accepted)
		}
	})
}
