package engine

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// forwarder is something that forwards what one connection sends to several others.
type forwarder struct {
	source net.Conn
	sinks  []*bufio.Reader
	frame  []byte // the next one; its data begins with a number
	number []byte // that number, within frame
	n      uint32
	batch  []byte
}

const sinks = 3

var kinds = []string{"bare-goroutine", "bare-thread", "hub", "core"}

func newForwarder(tb testing.TB, kind string, size int) *forwarder {
	tb.Helper()
	f := &forwarder{}
	data := make([]byte, size)
	data[5], data[6], data[7] = 0xab, 0xcd, 0xef
	f.frame = trxFrame(nil, 0, 0, data)
	at := slices.Index(f.frame, 0xab) - 5
	f.number = f.frame[at : at+4]
	var conns []net.Conn
	switch kind {
	case "bare-goroutine", "bare-thread":
		f.source, conns = bareForwarder(tb, kind == "bare-thread")
	case "hub":
		e, h := build(tb, loopback(), nil)
		start(tb, e)
		for range sinks {
			conns = append(conns, dialTo(tb, e, core.Internal))
		}
		f.source = dialTo(tb, e, core.Network)
		soon(tb, "sessions", func() bool { return look(tb, e, func() int { return len(h.sessions) }) == sinks+1 })
	case "core":
		cfg := loopback()
		cfg.Core.Keepalive = time.Hour
		e, err := New(cfg)
		if err != nil {
			tb.Fatal(err)
		}
		start(tb, e)
		for range sinks {
			conns = append(conns, join(tb, e, core.Internal))
		}
		f.source = join(tb, e, core.Network)
	}
	for _, c := range conns {
		f.sinks = append(f.sinks, bufio.NewReaderSize(c, 1<<20))
	}
	return f
}

// bareForwarder is the floor: it reads and writes, and looks at nothing. With a thread of its own it
// blocks in the read call, and is woken by the kernel as an event loop is; without, it is a goroutine
// that the benchmark's own thread takes up, which is faster than any other process can be.
func bareForwarder(tb testing.TB, thread bool) (source net.Conn, conns []net.Conn) {
	l := serve(tb)
	pair := func() (near, far *net.TCPConn) {
		c, err := net.Dial("tcp", l.address())
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.Close() })
		return c.(*net.TCPConn), l.next(tb)
	}
	end := func(c *net.TCPConn) io.ReadWriteCloser {
		if !thread {
			return c
		}
		f, err := c.File()
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = f.Close() })
		if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
			tb.Fatal(err)
		}
		return blocking(f.Fd())
	}
	source, far := pair()
	in := end(far)
	var out []io.Writer
	for range sinks {
		c, far := pair()
		conns, out = append(conns, c), append(out, end(far))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if thread {
			runtime.LockOSThread()
		}
		buf := make([]byte, readBuffer)
		for {
			n, err := in.Read(buf)
			if err != nil {
				return
			}
			for _, o := range out {
				if _, err := o.Write(buf[:n]); err != nil {
					return
				}
			}
		}
	}()
	tb.Cleanup(func() { _ = source.Close(); <-done })
	return source, conns
}

// blocking is a descriptor whose calls block the thread.
type blocking int

func (b blocking) Read(p []byte) (int, error) {
	n, err := unix.Read(int(b), p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (b blocking) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var w int
		w, err = unix.Write(int(b), p[n:])
		n += max(w, 0)
	}
	return n, err
}

func (b blocking) Close() error { return nil }

// pass sends n frames and waits until every sink has them all.
func (f *forwarder) pass(n int) error {
	f.batch = f.batch[:0]
	for range n {
		f.n++
		binary.LittleEndian.PutUint32(f.number, f.n)
		f.batch = append(f.batch, f.frame...)
	}
	if _, err := f.source.Write(f.batch); err != nil {
		return err
	}
	for _, r := range f.sinks {
		for got := 0; got < n; {
			head, err := r.Peek(p2pwire.PrefixLen + 1)
			if err != nil {
				return err
			}
			if p2pwire.Type(head[p2pwire.PrefixLen]) == p2pwire.TypePackedTransaction {
				got++
			}
			if _, err := r.Discard(p2pwire.PrefixLen + int(binary.LittleEndian.Uint32(head))); err != nil {
				return err
			}
		}
	}
	return nil
}

// In steady state nothing is allocated for a frame, by the engine alone and with the real core, be it
// one frame in a pass or many.
func TestForwardingDoesNotAllocate(t *testing.T) {
	for _, kind := range []string{"hub", "core"} {
		for _, batch := range []int{1, 4, 100} {
			t.Run(fmt.Sprintf("%s/batch=%d", kind, batch), func(t *testing.T) {
				f := newForwarder(t, kind, 300)
				passes := func(n int) {
					for range n {
						if err := f.pass(batch); err != nil {
							t.Fatal(err)
						}
					}
				}
				passes(3000) // the hub's first calls are looked at closely, and pools fill
				var before, after runtime.MemStats
				const measured = 2000
				runtime.ReadMemStats(&before)
				passes(measured)
				runtime.ReadMemStats(&after)
				perPass := float64(after.Mallocs-before.Mallocs) / measured
				if perPass > 0.1 { // a timer that fires now and then, the runtime's own
					t.Errorf("%.2f allocations a pass", perPass)
				}
				t.Logf("%.3f allocations a pass", perPass)
			})
		}
	}
}

// BenchmarkEngineForward compares, over loopback TCP, bare forwarding loops with the engine around a
// core without rules (hub) and around the real one. One frame goes to three connections.
func BenchmarkEngineForward(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		for _, kind := range kinds {
			b.Run(fmt.Sprintf("latency/size=%dKiB/%s", size>>10, kind), func(b *testing.B) {
				f := newForwarder(b, kind, size)
				samples := make([]time.Duration, 0, 1<<20)
				b.ReportAllocs()
				for b.Loop() {
					began := time.Now()
					if err := f.pass(1); err != nil {
						b.Fatal(err)
					}
					if len(samples) < cap(samples) {
						samples = append(samples, time.Since(began))
					}
				}
				slices.Sort(samples)
				b.ReportMetric(float64(samples[len(samples)/2].Nanoseconds())/1e3, "p50-us")
				b.ReportMetric(float64(samples[len(samples)*99/100].Nanoseconds())/1e3, "p99-us")
			})
		}
	}
	const size, batch = 1 << 10, 200
	for _, kind := range kinds {
		b.Run(fmt.Sprintf("rate/size=%dKiB/%s", size>>10, kind), func(b *testing.B) {
			f := newForwarder(b, kind, size)
			b.ReportAllocs()
			frames := 0
			for b.Loop() {
				if err := f.pass(batch); err != nil {
					b.Fatal(err)
				}
				frames += batch
			}
			b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
