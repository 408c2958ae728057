package nodeos

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	echo, err := net.Listen("tcp", hostOthers+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	g, err := newGate(hostOthers, newPorts(), echo.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := g.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4)
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
			t.Fatalf("%q, %v", b, err)
		}
		g.silence()
		if _, err := c.Write([]byte("more")); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(b); err == nil {
			t.Errorf("a silent gate carried %q", b[:n])
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		g.speak()
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "more" {
			t.Fatalf("%q, %v", b, err)
		}
		g.refuse()
		if c, err := net.Dial("tcp", g.address); err == nil {
			_ = c.Close()
			t.Error("a gate that refuses takes connections")
		}
		if _, err := c.Write([]byte("last")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "last" {
			t.Fatalf("%q, %v", b, err)
		}
		g.shut()
		if _, err := c.Read(b); err == nil {
			t.Error("the connection is still there")
		}
		if c, err := net.Dial("tcp", g.address); err == nil {
			_ = c.Close()
			t.Error("a gate that is shut takes connections")
		}
		_ = c.Close()
	}
}
