package link

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// network is a network in memory whose ways can be cut: bytes into a cut stay in the sender's system,
// and nobody is told. What has failed once stays so for a connection only as long as the cut lasts,
// like TCP that sends again.
type network struct {
	mu        sync.Mutex
	cond      *sync.Cond
	rand      *rand.Rand
	listeners map[string]*listener
	pipes     []*pipe
	cuts      map[[2]string]bool
	delay     time.Duration
	swallow   bool // something between drops resets
}

func newNetwork(seed uint64) *network {
	n := &network{rand: rand.New(rand.NewPCG(seed, 7)), listeners: map[string]*listener{}, cuts: map[[2]string]bool{}}
	n.cond = sync.NewCond(&n.mu)
	return n
}

// sendBuffer is what a system takes of a connection's bytes before writes wait.
const sendBuffer = 64 << 10

// latency is that of a network that is well.
const latency = time.Millisecond

// pipe is one direction of a connection.
type pipe struct {
	n        *network
	from, to string
	frozen   bool // the machine at one end is gone
	queue    []chunk
	size     int
	closed   bool // by the writer, in order
	dead     bool // reset
	gone     bool // the reader closed its end
}

type chunk struct {
	at   time.Time
	data []byte
}

type listener struct {
	n      *network
	name   string
	queue  []*conn
	closed bool
}

// conn is one end of a connection.
type conn struct {
	n            *network
	in, out      *pipe
	local        string
	readBy       time.Time
	writeBy      time.Time
	rTime, wTime *time.Timer
	closed       bool
}

func (n *network) listen(name string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{n: n, name: name}
	n.listeners[name] = l
	return l
}

func (n *network) dial(ctx context.Context, from, to string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { n.cond.Broadcast() })
	defer stop()
	select {
	case <-time.After(2 * latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.cuts[[2]string{from, to}] || n.cuts[[2]string{to, from}] {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n.cond.Wait()
	}
	l := n.listeners[to]
	if l == nil || l.closed {
		return nil, syscall.ECONNREFUSED
	}
	there, back := &pipe{n: n, from: from, to: to}, &pipe{n: n, from: to, to: from}
	n.pipes = append(n.pipes, there, back)
	l.queue = append(l.queue, &conn{n: n, in: there, out: back, local: to})
	n.cond.Broadcast()
	return &conn{n: n, in: back, out: there, local: from}, nil
}

func (n *network) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.cond.Broadcast()
}

// cut stops what goes from one to the other.
func (n *network) cut(from, to string) {
	n.change(func() { n.cuts[[2]string{from, to}] = true })
}

// heal ends all cuts.
func (n *network) heal() { n.change(func() { clear(n.cuts) }) }

func (n *network) slow(d time.Duration) { n.change(func() { n.delay = d }) }

// reset breaks all connections.
func (n *network) reset() {
	n.change(func() {
		for _, p := range n.pipes {
			if !p.frozen {
				p.dead = true
			}
		}
	})
}

// freeze cuts off for good what a machine has now: its listener is for the next one.
func (n *network) freeze(name string) {
	n.change(func() {
		for _, p := range n.pipes {
			if p.from == name || p.to == name {
				p.frozen = true
			}
		}
		if l := n.listeners[name]; l != nil {
			l.closed = true
		}
	})
}

// live counts connections that are good at both ends.
func (n *network) live() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for i := 0; i < len(n.pipes); i += 2 {
		a, b := n.pipes[i], n.pipes[i+1]
		if a.good() && b.good() {
			count++
		}
	}
	return count
}

func (p *pipe) good() bool { return !p.closed && !p.dead && !p.gone && !p.frozen }

func (p *pipe) cutNow() bool { return p.frozen || p.n.cuts[[2]string{p.from, p.to}] }

func (l *listener) Accept() (net.Conn, error) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for len(l.queue) == 0 {
		if l.closed {
			return nil, net.ErrClosed
		}
		l.n.cond.Wait()
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

func (l *listener) Close() error {
	l.n.change(func() { l.closed = true })
	return nil
}

func (l *listener) Addr() net.Addr { return address(l.name) }

type address string

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }

func (c *conn) LocalAddr() net.Addr  { return address(c.local) }
func (c *conn) RemoteAddr() net.Addr { return address(c.in.from) }

func (c *conn) Read(b []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	p := c.in
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case !c.readBy.IsZero() && !time.Now().Before(c.readBy):
			return 0, os.ErrDeadlineExceeded
		case p.dead:
			return 0, syscall.ECONNRESET
		case p.cutNow():
		case len(p.queue) > 0 && !time.Now().Before(p.queue[0].at):
			n := copy(b, p.queue[0].data)
			p.size -= n
			if p.queue[0].data = p.queue[0].data[n:]; len(p.queue[0].data) == 0 {
				p.queue = p.queue[1:]
			}
			c.n.cond.Broadcast()
			return n, nil
		case len(p.queue) == 0 && p.closed:
			return 0, io.EOF
		}
		c.n.cond.Wait()
	}
}

func (c *conn) Write(b []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	p := c.out
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case p.dead || p.gone && !p.cutNow() && !c.n.swallow:
			p.dead = true
			return 0, syscall.ECONNRESET
		case !c.writeBy.IsZero() && !time.Now().Before(c.writeBy):
			return 0, os.ErrDeadlineExceeded
		case p.size < sendBuffer:
			at := time.Now().Add(latency)
			if c.n.delay > 0 {
				at = at.Add(time.Duration(c.n.rand.Int64N(int64(c.n.delay))))
			}
			if last := len(p.queue) - 1; last >= 0 && p.queue[last].at.After(at) {
				at = p.queue[last].at
			}
			p.queue = append(p.queue, chunk{at, append([]byte(nil), b...)})
			p.size += len(b)
			time.AfterFunc(time.Until(at), c.n.cond.Broadcast)
			return len(b), nil
		}
		c.n.cond.Wait()
	}
}

// Close is a reset: that is what the package asks for, and what this one does is not a *net.TCPConn.
func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return errors.New("closed twice")
	}
	c.closed = true
	c.in.gone = true
	c.out.queue, c.out.size = nil, 0
	p := c.out
	time.AfterFunc(latency, func() {
		p.n.mu.Lock()
		defer p.n.mu.Unlock()
		if !p.cutNow() && !p.n.swallow { // else the other side never hears of it
			p.dead = true
		}
		p.closed = !p.n.swallow
		p.n.cond.Broadcast()
	})
	c.n.cond.Broadcast()
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.readBy = t
	c.rTime = c.arm(c.rTime, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.writeBy = t
	c.wTime = c.arm(c.wTime, t)
	return nil
}

func (c *conn) arm(old *time.Timer, t time.Time) *time.Timer {
	if old != nil {
		old.Stop()
	}
	c.n.cond.Broadcast()
	if t.IsZero() {
		return nil
	}
	return time.AfterFunc(time.Until(t), c.n.cond.Broadcast)
}
