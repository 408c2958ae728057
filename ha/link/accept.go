package link

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"bprelay/ha/creds"
)

const (
	// maxStrangers bounds connections at a time whose peer is not known yet; for a further one the oldest
	// goes, so that who only holds connections open keeps nobody out.
	maxStrangers = 32
	// strangerTimeout bounds how long that takes.
	strangerTimeout = 5 * time.Second
	// complainEvery is how often refused connections are logged.
	complainEvery = 10 * time.Second
)

// ListenConfig says where to accept members.
type ListenConfig struct {
	// Address is host:port. Port 0 lets the system choose.
	Address  string
	Identity *creds.Identity
	// Logger takes what an operator should know; nil takes slog.Default.
	Logger *slog.Logger
}

// Acceptor accepts connections for the links of one member.
type Acceptor struct {
	listener net.Listener
	identity *creds.Identity
	log      *slog.Logger
	wg       sync.WaitGroup

	mu       sync.Mutex
	links    map[string]*Link
	open     []net.Conn // of strangers, oldest first
	closed   bool
	refused  int // since complained
	complain time.Time
}

// Listen begins to accept. Connections of members without a link are closed.
func Listen(c ListenConfig) (*Acceptor, error) {
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for members: %w", err)
	}
	return serve(l, c), nil
}

func serve(l net.Listener, c ListenConfig) *Acceptor {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	a := &Acceptor{
		listener: l, identity: c.Identity, log: c.Logger, links: map[string]*Link{},
	}
	a.wg.Add(1)
	go a.accept()
	return a
}

// Addr is where it listens.
func (a *Acceptor) Addr() net.Addr { return a.listener.Addr() }

// Close stops accepting. Links that are up stay up.
func (a *Acceptor) Close() {
	a.mu.Lock()
	a.closed = true
	for _, c := range a.open {
		_ = c.Close()
	}
	a.mu.Unlock()
	_ = a.listener.Close()
	a.wg.Wait()
}

// register takes a link, one for each peer.
func (a *Acceptor) register(l *Link) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.links[l.cfg.Peer] != nil {
		return fmt.Errorf("there is a link to %s already", l.cfg.Peer)
	}
	a.links[l.cfg.Peer] = l
	return nil
}

func (a *Acceptor) remove(l *Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.links[l.cfg.Peer] == l {
		delete(a.links, l.cfg.Peer)
	}
}

// accept is the goroutine that takes connections.
func (a *Acceptor) accept() {
	defer a.wg.Done()
	for {
		c, err := a.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors, most likely: others may free some.
			a.refuse("accept a member", "", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		a.mu.Lock()
		if a.closed {
			a.mu.Unlock()
			_ = c.Close()
			return
		}
		if len(a.open) == maxStrangers {
			_ = a.open[0].Close()
			a.open = a.open[1:]
		}
		a.open = append(a.open, c)
		a.wg.Add(1)
		a.mu.Unlock()
		go a.welcome(c)
	}
}

// welcome finds out who it is, and hands the connection to the link.
func (a *Acceptor) welcome(c net.Conn) {
	w := &wire{Conn: c}
	conn := tls.Server(w, a.identity.Server())
	l, err := a.identify(c, conn)
	a.mu.Lock()
	if i := slices.Index(a.open, c); i >= 0 {
		a.open = slices.Delete(a.open, i, i+1)
	} else if err == nil {
		err = errCrowd
	}
	a.mu.Unlock()
	if err == nil {
		a.wg.Done() // from here on it is the link's
		w.timeout = l.cfg.Timing.Timeout
		if err = l.candidate(newSession(l, w, conn, false)); err != nil && !errors.Is(err, errTaken) {
			a.refuse("a member's connection came to nothing", c.RemoteAddr().String(), err)
		}
		return
	}
	defer a.wg.Done()
	a.refuse("a connection to the cluster's address was refused", c.RemoteAddr().String(), err)
	w.abort()
}

func (a *Acceptor) identify(c net.Conn, conn *tls.Conn) (*Link, error) {
	if err := c.SetDeadline(time.Now().Add(strangerTimeout)); err != nil {
		return nil, err
	}
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	name, err := a.identity.Peer(conn.ConnectionState())
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	l := a.links[name]
	a.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("there is no link to %s", name)
	}
	return l, tune(c, l.cfg.Timing.Timeout)
}

var errCrowd = errors.New("too many connections at a time")

// refuse logs, but not every time: anybody can connect.
func (a *Acceptor) refuse(what, from string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused++
	if now := time.Now(); !a.closed && now.Sub(a.complain) >= complainEvery {
		a.log.Warn(what, "from", from, "error", err, "times", a.refused)
		a.complain, a.refused = now, 0
	}
}
