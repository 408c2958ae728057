package nodeos

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// gate is a TCP hop in front of an address that can be shut: then its connections break and new ones
// are refused, as when a link is down.
type gate struct {
	address, target string // host:port

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	group    sync.WaitGroup
}

func newGate(host string, free *ports, target string) (*gate, error) {
	port, err := free.take()
	if err != nil {
		return nil, err
	}
	return &gate{address: fmt.Sprintf("%s:%d", host, port), target: target, conns: map[net.Conn]bool{}}, nil
}

// open lets connections through until shut.
func (g *gate) open(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.address)
	if err != nil {
		return fmt.Errorf("open the gate to %s: %w", g.target, err)
	}
	g.mu.Lock()
	g.listener = l
	g.mu.Unlock()
	g.group.Go(func() { g.serve(l) })
	return nil
}

func (g *gate) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // shut
		}
		g.group.Go(func() { g.carry(l, c) })
	}
}

// carry couples one connection with one to the target, until either ends.
func (g *gate) carry(l net.Listener, near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !g.keep(l, near, far) {
		return
	}
	defer g.drop(near, far)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		g.group.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // it ends with either connection
			done <- struct{}{}
		})
	}
	<-done
}

// keep remembers connections for shut; false if the gate was shut meanwhile.
func (g *gate) keep(l net.Listener, conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != l {
		return false
	}
	for _, c := range conns {
		g.conns[c] = true
	}
	return true
}

func (g *gate) drop(conns ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range conns {
		delete(g.conns, c)
	}
}

// shut breaks all connections and returns when nothing of them is left. It may be called at any time.
func (g *gate) shut() {
	g.mu.Lock()
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
	for c := range g.conns {
		_ = c.(*net.TCPConn).SetLinger(0) // a broken link says no goodbye
		_ = c.Close()
	}
	g.mu.Unlock()
	g.group.Wait()
}
