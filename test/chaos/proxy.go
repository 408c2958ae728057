//go:build linux

package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy passes TCP connections on, and can delay, or stop, what passes in each direction.
type proxy struct {
	to       string
	listener net.Listener
	// Delay of the direction from and to whoever dials (ns); stopped: nothing passes.
	out, back way

	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// way is one direction.
type way struct {
	delay   atomic.Int64
	stopped atomic.Bool
}

// newProxy listens at an address for connections to another.
func newProxy(listen, to string) (*proxy, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	p := &proxy{to: to, listener: l, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // it was closed
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *proxy) serve(c net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	d, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.to)
	if err != nil {
		c.Close()
		return
	}
	p.mu.Lock()
	if p.conns == nil {
		p.mu.Unlock()
		c.Close()
		d.Close()
		return
	}
	p.conns[c], p.conns[d] = true, true
	p.mu.Unlock()
	p.wg.Go(func() { p.out.carry(c, d) })
	p.wg.Go(func() { p.back.carry(d, c) })
}

// parcel is what was read at a time.
type parcel struct {
	due   time.Time
	bytes []byte
}

// carry reads on while what was read waits: a delay is no limit to the rate. The end of one side comes to the
// other behind what it sent.
func (w *way) carry(from, to net.Conn) {
	queue := make(chan parcel, 4096)
	go func() {
		defer close(queue)
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				queue <- parcel{time.Now().Add(time.Duration(w.delay.Load())), append([]byte(nil), buf[:n]...)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range queue {
		time.Sleep(time.Until(p.due))
		for w.stopped.Load() {
			time.Sleep(time.Millisecond)
		}
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range queue { // whoever reads must not wait for ever
	}
}

// set delays both directions.
func (p *proxy) set(delay time.Duration) {
	p.out.delay.Store(int64(delay))
	p.back.delay.Store(int64(delay))
}

// close ends it and all connections.
func (p *proxy) close() {
	p.listener.Close()
	p.out.stopped.Store(false)
	p.back.stopped.Store(false)
	p.mu.Lock()
	for c := range p.conns {
		c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.wg.Wait()
}
