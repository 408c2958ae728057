package simnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// TCPConfig configures a [TCP] runner.
type TCPConfig struct {
	// Listen is the address to listen on, "127.0.0.1:0" for any port; empty
	// means that the endpoint only dials.
	Listen string
	// Epoch is the moment at which Mono is 0. Runners of one network may share
	// it; zero means the moment of the start.
	Epoch time.Time
	// WallOffset is added to the wall clock: a chain need not live in real time.
	WallOffset time.Duration
}

// TCP runs one endpoint on real sockets and the real clock. One goroutine has
// the endpoint; a reader and a writer per connection feed it and carry out its
// effects. After Close or Kill none of them is left.
type TCP struct {
	cfg      TCPConfig
	ep       Endpoint
	listener net.Listener
	inbox    chan func(now Instant)
	ctx      context.Context // ends with the runner
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex // guards what follows
	conns   map[ConnID]*tcpConn
	sockets map[net.Conn]bool // all that are open, also those the endpoint has closed
	last    ConnID
	gone    bool
}

// tcpConn is a socket with an unbounded send queue: nodeos' own limit of 80 MiB
// is far above what a simulated network sends.
type tcpConn struct {
	id   ConnID
	conn net.Conn

	mu     sync.Mutex
	wake   chan struct{} // one token: the queue changed
	queue  [][]byte
	finish bool // close when the queue is out
}

const (
	tcpDialTimeout = 5 * time.Second
	tcpFlushTime   = time.Second // for what is queued when the endpoint closes a connection
)

// ListenTCP opens the listener, so that the address is known before anything
// runs. Start begins.
func ListenTCP(cfg TCPConfig) (*TCP, error) {
	t := &TCP{
		cfg:     cfg,
		inbox:   make(chan func(now Instant), 1024),
		conns:   map[ConnID]*tcpConn{},
		sockets: map[net.Conn]bool{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if cfg.Listen == "" {
		return t, nil
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for simulated node: %w", err)
	}
	t.listener = l
	return t, nil
}

// RunTCP is [ListenTCP] and Start in one.
func RunTCP(cfg TCPConfig, ep Endpoint) (*TCP, error) {
	t, err := ListenTCP(cfg)
	if err != nil {
		return nil, err
	}
	t.Start(ep)
	return t, nil
}

// Addr returns the address listened on, "" when not listening.
func (t *TCP) Addr() string {
	if t.listener == nil {
		return ""
	}
	return t.listener.Addr().String()
}

// Start runs the endpoint. It is called once.
func (t *TCP) Start(ep Endpoint) {
	t.ep = ep
	if t.cfg.Epoch.IsZero() {
		t.cfg.Epoch = time.Now()
	}
	t.wg.Go(t.loop)
	if t.listener != nil {
		t.wg.Go(t.acceptLoop)
	}
}

// Now returns the endpoint's present time.
func (t *TCP) Now() Instant {
	now := time.Now()
	return Instant{Mono: now.Sub(t.cfg.Epoch), Wall: now.UnixNano() + int64(t.cfg.WallOffset)}
}

// Do runs f in the endpoint's goroutine and waits for it: the way to read a
// node or call its APIs. It returns false when the runner has ended.
func (t *TCP) Do(f func(now Instant)) bool {
	done := make(chan struct{})
	if !t.put(func(now Instant) { f(now); close(done) }) {
		return false
	}
	select {
	case <-done:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// Close ends the runner as kill -9 ends a process: what the endpoint has handed
// to the kernel still goes out, nothing else does. It returns when all of the
// runner's goroutines have ended, and may be called again.
func (t *TCP) Close() {
	t.cancel()
	if t.listener != nil {
		t.listener.Close()
	}
	t.mu.Lock()
	t.gone = true
	for conn := range t.sockets {
		conn.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

func (t *TCP) put(event func(now Instant)) bool {
	select {
	case t.inbox <- event:
		return true
	case <-t.ctx.Done():
		return false
	}
}

func (t *TCP) loop() {
	t.ep.Start(t.Now(), t)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := t.Now()
		next := t.ep.NextTimer()
		if next <= now.Mono {
			t.ep.Tick(now)
			continue
		}
		timer.Reset(min(next-now.Mono, time.Hour))
		select {
		case event := <-t.inbox:
			event(t.Now())
		case <-timer.C:
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *TCP) acceptLoop() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		c := t.add(conn)
		if c == nil {
			return
		}
		remote := conn.RemoteAddr().String()
		t.put(func(now Instant) { t.ep.Accepted(now, c.id, remote) })
		t.serve(c)
	}
}

// add registers a connection; nil when the runner has ended.
func (t *TCP) add(conn net.Conn) *tcpConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		conn.Close()
		return nil
	}
	t.last++
	c := &tcpConn{id: t.last, conn: conn, wake: make(chan struct{}, 1)}
	t.conns[c.id] = c
	t.sockets[conn] = true
	return c
}

func (t *TCP) serve(c *tcpConn) {
	t.wg.Go(func() { t.readLoop(c) })
	t.wg.Go(func() { t.writeLoop(c) })
}

func (t *TCP) readLoop(c *tcpConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.conn.Read(buf)
		if n > 0 {
			chunk := bytes.Clone(buf[:n])
			t.put(func(now Instant) {
				if t.lookup(c.id) != nil {
					t.ep.Data(now, c.id, chunk)
				}
			})
		}
		if err != nil {
			t.put(func(now Instant) {
				if t.remove(c.id) != nil {
					c.signal(func() { c.finish, c.queue = true, nil })
					t.ep.Disconnected(now, c.id)
				}
			})
			return
		}
	}
}

func (t *TCP) writeLoop(c *tcpConn) {
	defer func() {
		c.conn.Close()
		t.mu.Lock()
		delete(t.sockets, c.conn)
		t.mu.Unlock()
	}()
	for {
		select {
		case <-c.wake:
		case <-t.ctx.Done():
			return
		}
		c.mu.Lock()
		buffers, finish := net.Buffers(c.queue), c.finish
		c.queue = nil
		c.mu.Unlock()
		if _, err := buffers.WriteTo(c.conn); err != nil || finish {
			return
		}
	}
}

// signal changes the queue and wakes the writer.
func (c *tcpConn) signal(change func()) {
	c.mu.Lock()
	change()
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (t *TCP) lookup(id ConnID) *tcpConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conns[id]
}

func (t *TCP) remove(id ConnID) *tcpConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.conns[id]
	delete(t.conns, id)
	return c
}

// Send implements [Host].
func (t *TCP) Send(conn ConnID, frame []byte) {
	if c := t.lookup(conn); c != nil {
		c.signal(func() { c.queue = append(c.queue, frame) })
	}
}

// CloseConn implements [Host].
func (t *TCP) CloseConn(conn ConnID) {
	if c := t.remove(conn); c != nil {
		_ = c.conn.SetWriteDeadline(time.Now().Add(tcpFlushTime)) // a closed connection needs none
		c.signal(func() { c.finish = true })
	}
}

// Dial implements [Host].
func (t *TCP) Dial(addr string) {
	t.wg.Go(func() { t.dial(addr) })
}

func (t *TCP) dial(addr string) {
	dialer := net.Dialer{Timeout: tcpDialTimeout}
	conn, err := dialer.DialContext(t.ctx, "tcp", addr)
	if err != nil {
		t.put(func(now Instant) { t.ep.DialFailed(now, addr) })
		return
	}
	if c := t.add(conn); c != nil {
		t.put(func(now Instant) { t.ep.Dialled(now, c.id, addr) })
		t.serve(c)
	}
}
