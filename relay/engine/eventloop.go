package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// readBuffer (bytes) is what one read takes at most: most blocks come in one piece then, and are
// looked at in place.
const readBuffer = 256 << 10

// startLoop starts gnet with one event loop and gets hold of it. A gnet client is a loop without
// listeners of its own, which can be started even if nothing is listened on.
func (e *Engine) startLoop() error {
	client, err := gnet.NewClient(e.loop,
		gnet.WithNumEventLoop(1),
		gnet.WithReadBufferCap(readBuffer),
		gnet.WithWriteBufferCap(highWater),
		gnet.WithLogger(gnetLog{e.log}),
		// Go's net package has switched the delay off already; gnet leaks the descriptor when it
		// tries to and fails.
		gnet.WithTCPNoDelay(gnet.TCPDelay),
	)
	if err != nil {
		return fmt.Errorf("prepare event loop: %w", err)
	}
	if err := client.Start(); err != nil {
		return fmt.Errorf("start event loop: %w", err)
	}
	e.client = client
	near, far, err := socketPair()
	if err != nil {
		return fmt.Errorf("make anchor: %w", err)
	}
	e.anchorEnd = func() { _ = far.Close() }
	a := &anchor{taken: make(chan gnet.EventLoop, 1)}
	if _, err := client.EnrollContext(near, a); err != nil {
		return fmt.Errorf("enroll anchor: %w", err)
	}
	select {
	case e.gloop = <-a.taken:
	default:
		return fmt.Errorf("enroll anchor: %w", errNotTaken)
	}
	wake := gnet.RunnableFunc(func(context.Context) error {
		defer failStop(e.log)
		e.loop.woken()
		return nil
	})
	e.loop.alarm = newAlarm(func() { _ = e.gloop.Execute(e.ctx, wake) })
	e.postMu.Lock()
	e.up = true
	e.postMu.Unlock()
	e.post(func() { e.loop.begin(); e.loop.pump() })
	return nil
}

// socketPair makes two connected sockets. gnet tells which loop it has only through a connection on
// it, so one of them, the anchor, is handed over first.
func socketPair() (near, far net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "anchor")
		c, cerr := net.FileConn(f) // with a descriptor of its own
		_ = f.Close()
		if cerr != nil {
			err = cerr
			continue
		}
		ends[i] = c
	}
	if err != nil {
		for _, c := range ends {
			if c != nil {
				_ = c.Close()
			}
		}
		return nil, nil, err
	}
	return ends[0], ends[1], nil
}

// post runs f on the loop, soon; false means that the loop is not there (any more). A task posted
// just before the end may never run.
func (e *Engine) post(f func()) bool {
	e.postMu.RLock()
	defer e.postMu.RUnlock()
	if !e.up {
		return false
	}
	return e.gloop.Execute(e.ctx, gnet.RunnableFunc(func(context.Context) error {
		defer failStop(e.log)
		f()
		return nil
	})) == nil
}

// stopLoop ends the loop and all its connections. Whatever could still wake it must be gone before,
// because gnet would write to a descriptor that may be somebody else's by then.
func (e *Engine) stopLoop() {
	if e.client == nil {
		return
	}
	e.post(e.loop.halt)
	e.loop.ending.Store(true)
	e.postMu.Lock()
	e.up = false
	e.postMu.Unlock()
	if e.loop.alarm != nil {
		e.loop.alarm.close()
	}
	if err := e.client.Stop(); err != nil {
		e.log.Warn("stop event loop", "error", err)
	}
	if e.anchorEnd != nil {
		e.anchorEnd()
	}
	e.client = nil
}

// enroll hands a connection over to the loop and returns when the loop has taken it. The connection
// is the loop's, or closed, in any case.
func (e *Engine) enroll(c *net.TCPConn, k *link) error {
	if err := tune(c); err != nil {
		_ = c.Close()
		return fmt.Errorf("set socket options: %w", err)
	}
	for _, a := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
		if t, ok := a.(*net.TCPAddr); ok {
			// gnet puts the zone's memory, which is not its own, into a pool of buffers.
			t.Zone = ""
		}
	}
	if _, err := e.client.EnrollContext(c, k); err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	if !k.opened.Load() {
		return fmt.Errorf("enroll: %w", errNotTaken)
	}
	return nil
}

// pause waits, or until Close begins; it tells whether the time has passed.
func (e *Engine) pause(d time.Duration) bool {
	if d <= 0 {
		return e.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}
