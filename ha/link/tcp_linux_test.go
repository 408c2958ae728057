package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bprelay/ha/creds"
)

// overTCP makes a link over loopback. wrap may stand in front of the dialled connection.
func overTCP(t testing.TB, ids map[string]*creds.Identity, ha, hb Handler, wrap func(net.Conn) net.Conn) (a, b *Link) {
	t.Helper()
	up := make(chan struct{}, 2)
	tell := func(h Handler) Handler {
		return Handler{
			Up: func(uint64) { up <- struct{}{} },
			Down: func(r Reason) {
				if h.Down != nil {
					h.Down(r)
				}
			},
			Message: h.Message,
		}
	}
	acceptor, err := Listen(ListenConfig{Address: "127.0.0.1:0", Identity: ids["b"], Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	timing := Timing{Heartbeat: 100 * time.Millisecond, Timeout: 2 * time.Second, Handshake: 5 * time.Second}
	if b, err = Open(Config{Identity: ids["b"], Peer: "a", Acceptor: acceptor, Timing: timing, Logger: quiet}, tell(hb)); err != nil {
		t.Fatal(err)
	}
	c := Config{Identity: ids["a"], Peer: "b", Dial: acceptor.Addr().String(), Timing: timing, Logger: quiet}
	if wrap != nil {
		c.Dialer = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			return wrap(conn), nil
		}
	}
	if a, err = Open(c, tell(ha)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		a.Close(ctx)
		b.Close(ctx)
		acceptor.Close()
	})
	<-up
	<-up
	return a, b
}

func ignore([]byte) {}

// TestReset: when one side gives a connection up, the other one knows at once, not after the timeout of 2 s.
func TestReset(t *testing.T) {
	ids := cluster(t, "a", "b")
	down := make(chan Reason, 10)
	a, _ := overTCP(t, ids, Handler{Message: ignore}, Handler{Message: ignore, Down: func(r Reason) { down <- r }}, nil)
	a.mu.Lock()
	s := a.up
	a.mu.Unlock()
	s.end(Overflow, nil)
	// The next connection may be faster than the reset is read: a says with it that it lost this one.
	if r := <-down; r != Broken && r != Replaced {
		t.Errorf("down %s", r)
	}
}

func TestAbortIsAReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	(&wire{Conn: c}).abort()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other side sees %v", err)
	}
}

func TestSocketOptions(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := tune(c, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for _, o := range []struct{ name, want int }{{unix.TCP_NODELAY, 1}, {unix.TCP_USER_TIMEOUT, 300}} {
			if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, o.name); v != o.want || err != nil {
				t.Errorf("option %d is %d, %v", o.name, v, err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// counting counts the writes that carry something.
type counting struct {
	net.Conn
	writes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// One write per flush: what is queued together goes out together.
func TestOneWritePerFlush(t *testing.T) {
	ids := cluster(t, "a", "b")
	var writes atomic.Int64
	got := make(chan []byte, 1000)
	a, _ := overTCP(t, ids, Handler{Message: ignore}, Handler{Message: func(b []byte) { got <- b }}, func(c net.Conn) net.Conn {
		return counting{c, &writes}
	})
	a.mu.Lock()
	s := a.up
	a.mu.Unlock()
	s.mu.Lock()
	before := writes.Load()
	for i := range 100 { // 30 kB: two TLS records
		s.queue = appendFrame(s.queue, kindMessage, bytes.Repeat([]byte{byte(i)}, 300))
	}
	s.mu.Unlock()
	s.stir()
	for i := range 100 {
		if m := <-got; len(m) != 300 || m[0] != byte(i) {
			t.Fatalf("message %d: %d bytes of %d", i, len(m), m[0])
		}
	}
	if n := writes.Load() - before; n > 2 { // a heartbeat may come between
		t.Errorf("%d writes", n)
	}
}

// A large message takes longer than a heartbeat, and is no silence.
func TestLargeMessage(t *testing.T) {
	ids := cluster(t, "a", "b")
	got := make(chan []byte, 1)
	a, _ := overTCP(t, ids, Handler{Message: ignore}, Handler{Message: func(b []byte) { got <- b }}, nil)
	big := bytes.Repeat([]byte("block"), DefaultMaxMessage/5)
	if err := a.Send(big); err != nil {
		t.Fatal(err)
	}
	if m := <-got; !bytes.Equal(m, big) {
		t.Errorf("%d bytes", len(m))
	}
}

// BenchmarkRoundTrip is a claim of 300 bytes there, and an acknowledgement of 40 bytes back.
func BenchmarkRoundTrip(b *testing.B) {
	ids := cluster(b, "a", "b")
	back := make(chan struct{}, 1)
	var far *Link
	ready := make(chan struct{})
	ack := make([]byte, 40)
	near, far := overTCP(b, ids, Handler{Message: func([]byte) { back <- struct{}{} }}, Handler{Message: func([]byte) {
		<-ready
		_ = far.Send(ack)
	}}, nil)
	close(ready)
	claim := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		if err := near.Send(claim); err != nil {
			b.Fatal(err)
		}
		<-back
	}
}

// BenchmarkSend is what a caller pays for a message of 300 bytes.
func BenchmarkSend(b *testing.B) {
	ids := cluster(b, "a", "b")
	near, _ := overTCP(b, ids, Handler{Message: ignore}, Handler{Message: ignore}, nil)
	claim := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		for near.Send(claim) != nil { // faster than the loopback: wait until it is up again
			time.Sleep(time.Millisecond) // real time: a benchmark
		}
	}
}

func FuzzFrame(f *testing.F) {
	h := hello{instance: 1, lost: 2, heartbeat: time.Second}
	f.Add(h.append(nil))
	f.Add(appendUint64(nil, kindPing, 7))
	f.Add(appendFrame(nil, kindMessage, []byte("x")))
	f.Add(appendFrame(nil, kindBye, nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, kindMessage})
	f.Add([]byte{0, 0, 0, 0, kindBye})
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 1000
		r := bytes.NewReader(data)
		kind, payload, err := readFrame(r, most)
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(payload) > most || kind != kindMessage && len(payload) > maxControl {
			t.Fatalf("%d bytes of kind %d", len(payload), kind)
		}
		if again := appendFrame(nil, kind, payload); !bytes.Equal(again, data[:len(data)-r.Len()]) {
			t.Fatalf("read %x, wrote %x", data, again)
		}
		if kind != kindHello {
			return
		}
		if h, err := parseHello(payload); err == nil {
			if again := h.append(nil); !bytes.Equal(again[headerSize:], payload) {
				t.Fatalf("hello %x, again %x", payload, again)
			}
		}
	})
}

func TestFrameBounds(t *testing.T) {
	frame := func(size uint32, kind byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), kind)
	}
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"part of a header", []byte{0, 0, 0}, io.ErrUnexpectedEOF},
		{"no kind", frame(0, kindBye), errMalformed},
		{"kind 0", frame(1, 0), errMalformed},
		{"kind 7", frame(1, 7), errMalformed},
		{"a large ping", frame(maxControl+2, kindPing), errMalformed},
		{"a large message", frame(1002, kindMessage), errMalformed},
		{"the largest message, and none of it", frame(1001, kindMessage), io.ErrUnexpectedEOF},
		{"4 GiB", frame(0xffffffff, kindMessage), errMalformed},
	} {
		if _, _, err := readFrame(bytes.NewReader(c.data), 1000); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
