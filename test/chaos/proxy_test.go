//go:build linux

package main

import (
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestProxy passes bytes both ways, keeps them while a way is stopped, and passes on the end.
func TestProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := newProxy("127.0.0.1:0", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	near, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	p.set(time.Millisecond)
	say := func(from, to net.Conn, text string) {
		t.Helper()
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
			t.Fatalf("%q came as %q: %v", text, got, err)
		}
	}
	say(near, far, "out")
	say(far, near, "back")

	p.out.stopped.Store(true)
	if _, err := near.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	say(far, near, "the other way goes on")
	_ = far.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // it is open
	got := make([]byte, 4)
	if n, err := far.Read(got); !os.IsTimeout(err) {
		t.Fatalf("%d bytes came by a way that is stopped: %v", n, err)
	}
	_ = far.SetReadDeadline(time.Time{}) // the same
	p.out.stopped.Store(false)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "kept" {
		t.Fatalf("%q came: %v", got, err)
	}
	near.Close()
	if _, err := far.Read(got); err != io.EOF {
		t.Errorf("the end did not come: %v", err)
	}
}
