package nodeos

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// gate is a TCP hop in front of an address that can be shut: then its connections break and new ones
// are refused, as when a host says that the link is down. It can be silenced as well, as when nobody
// says so.
type gate struct {
	address, target string // host:port

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	silent   chan struct{} // closed when bytes flow again; nil: they do
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
			g.copy(way[0], way[1])
			done <- struct{}{}
		})
	}
	<-done
}

// copy carries bytes one way until either connection ends.
func (g *gate) copy(to, from net.Conn) {
	chunk := make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		g.mu.Lock()
		silent := g.silent
		g.mu.Unlock()
		if silent != nil {
			<-silent
		}
		if n > 0 {
			if _, err := to.Write(chunk[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// refuse takes no new connections, until open; those there are stay. A gate before a process that is
// about to be killed answers like this, as the process' host would.
func (g *gate) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
}

// silence carries nothing any more, not even the end of a connection, until speak: what comes is kept,
// as the sender's host would keep it.
func (g *gate) silence() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silent == nil {
		g.silent = make(chan struct{})
	}
}

// speak ends a silence, if there is one.
func (g *gate) speak() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silent != nil {
		close(g.silent)
		g.silent = nil
	}
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
	g.refuse()
	g.speak()
	g.mu.Lock()
	for c := range g.conns {
		_ = c.(*net.TCPConn).SetLinger(0) // a broken link says no goodbye
		_ = c.Close()
	}
	g.mu.Unlock()
	g.group.Wait()
}
