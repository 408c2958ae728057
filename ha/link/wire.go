package link

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// coalesce is how many encrypted bytes are collected for one write.
const coalesce = 64 << 10

// wire is the connection below TLS. It watches the time of every read and write, and once the
// handshake is over makes one write of all the records of a flush.
type wire struct {
	net.Conn
	timeout time.Duration

	// lastRead belongs to the goroutine that reads.
	lastRead time.Time
	watching bool

	mu      sync.Mutex
	collect bool
	pending []byte
}

// watch begins to bound each read and write by the timeout, and to collect writes. Before, the
// connection's own deadline holds.
func (w *wire) watch(now time.Time) error {
	w.lastRead, w.watching = now, true
	w.mu.Lock()
	defer w.mu.Unlock()
	w.collect = true
	return w.SetDeadline(time.Time{})
}

// Read fails with errSilent if nothing came in time. Bytes that came, but are found too late because
// this process did not run, are as good as silence: whoever sent them has given us up. Where it ran late,
// but not for so long, bytes in front of a reset count for nothing either, though the system has them.
func (w *wire) Read(p []byte) (int, error) {
	if !w.watching {
		return w.Conn.Read(p)
	}
	if err := w.SetReadDeadline(w.lastRead.Add(w.timeout)); err != nil {
		return 0, err
	}
	n, err := w.Conn.Read(p)
	now := time.Now()
	if now.Sub(w.lastRead) > w.timeout {
		return 0, errSilent
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return 0, errSilent
	}
	if now.Sub(w.lastRead) > w.timeout/2 && isReset(w.Conn) {
		return 0, syscall.ECONNRESET
	}
	if n > 0 {
		w.lastRead = now
	}
	return n, err
}

// Write collects, once the handshake is over: flush sends.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.collect {
		return w.Conn.Write(p)
	}
	w.pending = append(w.pending, p...)
	if len(w.pending) < coalesce {
		return len(p), nil
	}
	return len(p), w.send()
}

func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.send()
}

func (w *wire) send() error {
	if len(w.pending) == 0 {
		return nil
	}
	if err := w.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return err
	}
	_, err := w.Conn.Write(w.pending)
	w.pending = w.pending[:0]
	return err
}

// abort closes the connection so that nothing more of it is delivered: what the system still has to
// send is thrown away, and the other side gets a reset.
func (w *wire) abort() {
	if tcp, ok := w.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // if that fails, closing is all there is
	}
	_ = w.Close()
}
