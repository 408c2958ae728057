package quorum

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Identity is a member's credentials, as ha/creds has them: mutual TLS 1.3, where the peer's name is what
// its certificate says.
type Identity interface {
	// Client is the configuration for dialling a member: nobody else may answer.
	Client(peer string) *tls.Config
	// Server is the configuration for members that dial.
	Server() *tls.Config
	// Peer is the member at the other end, after the handshake.
	Peer(cs tls.ConnectionState) (string, error)
}

// A connection is for raft or for questions: its first byte says. For raft there follows the address it is
// meant for, a byte for its length first. Without TLS the name of who connects comes before all that, in
// the same way.
const (
	streamRaft     = 'r'
	streamQuestion = 'q'

	// maxQuestion (bytes) bounds a question or an answer: an entry with a block.
	maxQuestion = maxBlock + 1024
	// maxIdle is how many idle connections for questions are kept, per member.
	maxIdle = 4
)

var errTooLong = errors.New("a message is too long")

// streams is the network between members: connections of raft and of questions on one listener.
type streams struct {
	name     string
	address  func(name string) (string, bool)
	listener net.Listener
	identity Identity
	timing   Timing
	log      *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	handle func(ctx context.Context, from string, question []byte) []byte
	layer  *layer // of the present instance of raft
	idle   map[string][]net.Conn
	open   map[net.Conn]struct{} // accepted ones
	ended  bool
}

func newStreams(name string, address func(string) (string, bool), l net.Listener, id Identity, t Timing, log *slog.Logger) *streams {
	s := &streams{
		name: name, address: address, listener: l, identity: id, timing: t, log: log,
		idle: map[string][]net.Conn{}, open: map[net.Conn]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// serve implements network.
func (s *streams) serve(handle func(ctx context.Context, from string, question []byte) []byte) {
	s.mu.Lock()
	s.handle = handle
	s.mu.Unlock()
	s.tasks.Go(s.accept)
}

// close implements network.
func (s *streams) close() error {
	s.cancel()
	err := s.listener.Close()
	s.mu.Lock()
	s.ended = true
	for _, list := range s.idle {
		for _, c := range list {
			_ = c.Close()
		}
	}
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.tasks.Wait()
	return err
}

func (s *streams) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil {
				return
			}
			s.log.Warn("a member's connection was not accepted", "error", err)
			select {
			case <-time.After(s.timing.step()): // no descriptors left, most likely
			case <-s.ctx.Done():
				return
			}
			continue
		}
		s.mu.Lock()
		s.open[c] = struct{}{}
		ended := s.ended
		s.mu.Unlock()
		if ended {
			_ = c.Close()
			return
		}
		s.tasks.Go(func() {
			err := s.welcome(c)
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
			if err != nil && s.ctx.Err() == nil {
				s.log.Debug("a member's connection ended", "from", c.RemoteAddr().String(), "error", err)
			}
		})
	}
}

// welcome finds out who connected and what for.
func (s *streams) welcome(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(s.patience())) // an error shows in the next read
	from, c2, err := s.authenticate(c)
	if err != nil {
		_ = c.Close()
		return fmt.Errorf("find out who connects: %w", err)
	}
	c = c2
	var what [1]byte
	if _, err := io.ReadFull(c, what[:]); err != nil {
		_ = c.Close()
		return fmt.Errorf("find out what %s connects for: %w", from, err)
	}
	_ = c.SetDeadline(time.Time{})
	switch what[0] {
	case streamRaft:
		_ = c.SetDeadline(time.Now().Add(s.patience()))
		to, err := readName(c)
		_ = c.SetDeadline(time.Time{})
		s.mu.Lock()
		l := s.layer
		s.mu.Unlock()
		if err == nil && l != nil && to != string(l.self) {
			err = fmt.Errorf("%s means %s", from, to)
		}
		if err != nil || l == nil || !l.give(c) {
			return errors.Join(err, c.Close())
		}
		return nil
	case streamQuestion:
		defer c.Close()
		return s.questions(c, from)
	}
	_ = c.Close()
	return fmt.Errorf("%s connects for %q", from, what[0])
}

// patience is how long an exchange with a member may take.
func (s *streams) patience() time.Duration { return s.timing.Election }

func (s *streams) authenticate(c net.Conn) (string, net.Conn, error) {
	if s.identity == nil {
		name, err := readName(c)
		return name, c, err
	}
	t := tls.Server(c, s.identity.Server())
	ctx, cancel := context.WithTimeout(s.ctx, s.patience())
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return "", nil, err
	}
	name, err := s.identity.Peer(t.ConnectionState())
	return name, t, err
}

// dial connects to a member, who has to be that one.
func (s *streams) dial(ctx context.Context, name string, what ...byte) (net.Conn, error) {
	address, ok := s.address(name)
	if !ok {
		return nil, fmt.Errorf("%s is no configured member", name)
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", name, err)
	}
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(s.patience())
	}
	_ = c.SetDeadline(until) // an error shows in the next write
	hello := what
	if s.identity != nil {
		t := tls.Client(c, s.identity.Client(name))
		if err := t.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("authenticate %s: %w", name, err)
		}
		c = t
	} else {
		hello = append(appendName(nil, s.name), what...)
	}
	if _, err := c.Write(hello); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("write to %s: %w", name, err)
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// questions answers on a connection until it ends.
func (s *streams) questions(c net.Conn, from string) error {
	s.mu.Lock()
	handle := s.handle
	s.mu.Unlock()
	for {
		q, err := readMessage(c)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read a question of %s: %w", from, err)
		}
		_ = c.SetWriteDeadline(time.Now().Add(maxPatience))
		a := handle(s.ctx, from, q)
		if a == nil {
			return fmt.Errorf("a question of %s is none", from)
		}
		if err := writeMessage(c, a); err != nil {
			return fmt.Errorf("answer %s: %w", from, err)
		}
	}
}

// call implements network.
func (s *streams) call(ctx context.Context, to string, question []byte) ([]byte, error) {
	for {
		c, idle, err := s.take(ctx, to)
		if err != nil {
			return nil, err
		}
		a, err := s.exchange(ctx, c, question)
		if err == nil {
			s.put(to, c)
			return a, nil
		}
		_ = c.Close()
		if !idle || ctx.Err() != nil { // an idle one may have been closed by the other side
			return nil, fmt.Errorf("ask %s: %w", to, err)
		}
	}
}

func (s *streams) exchange(ctx context.Context, c net.Conn, question []byte) ([]byte, error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(s.patience())
	}
	if err := c.SetDeadline(until); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := writeMessage(c, question); err != nil {
		return nil, err
	}
	return readMessage(c)
}

// take is an idle connection or a new one.
func (s *streams) take(ctx context.Context, to string) (c net.Conn, idle bool, err error) {
	s.mu.Lock()
	if list := s.idle[to]; len(list) > 0 {
		c = list[len(list)-1]
		s.idle[to] = list[:len(list)-1]
	}
	s.mu.Unlock()
	if c != nil {
		return c, true, nil
	}
	c, err = s.dial(ctx, to, streamQuestion)
	return c, false, err
}

func (s *streams) put(to string, c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.idle[to]) >= maxIdle || c.SetDeadline(time.Time{}) != nil {
		_ = c.Close()
		return
	}
	s.idle[to] = append(s.idle[to], c)
}

func appendName(b []byte, name string) []byte { return append(append(b, byte(len(name))), name...) }

func readName(r io.Reader) (string, error) {
	var n [1]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", err
	}
	name := make([]byte, n[0])
	_, err := io.ReadFull(r, name)
	return string(name), err
}

// A message is its length (u32, little endian) and as many bytes.
func writeMessage(w io.Writer, b []byte) error {
	if len(b) > maxQuestion {
		return errTooLong
	}
	_, err := w.Write(append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...))
	return err
}

func readMessage(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxQuestion {
		return nil, errTooLong
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("a message of %d bytes: %w", n, err)
	}
	return b, nil
}

// carrier implements network.
func (s *streams) carrier(self raft.ServerAddress, log hclog.Logger) (carrier, func(), error) {
	l := &layer{s: s, self: self, conns: make(chan net.Conn), done: make(chan struct{}), given: map[net.Conn]struct{}{}}
	s.mu.Lock()
	s.layer = l
	s.mu.Unlock()
	t := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: l, MaxPool: 3, Timeout: s.patience(), Logger: log.Named("transport"), MsgpackUseNewTimeFormat: true,
	})
	return t, func() {
		t.CloseStreams()
		_ = t.Close() // it has no errors
		l.hangUp()
	}, nil
}

// layer is what an instance of raft sees of the network (raft.StreamLayer). Addresses are what addressOf says.
type layer struct {
	s     *streams
	self  raft.ServerAddress
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	given map[net.Conn]struct{}
}

// givenConn is a connection that raft was given.
type givenConn struct {
	net.Conn
	l *layer
}

// Close implements net.Conn.
func (c givenConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.given, c.Conn)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

// hangUp ends the connections that raft was given: it reads from them until they end.
func (l *layer) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.given {
		_ = c.Close()
	}
}

type nameAddr string

func (nameAddr) Network() string  { return "member" }
func (a nameAddr) String() string { return string(a) }

// give hands raft a connection, unless it is no more.
func (l *layer) give(c net.Conn) bool {
	l.mu.Lock()
	l.given[c] = struct{}{}
	l.mu.Unlock()
	select {
	case l.conns <- givenConn{c, l}:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements net.Listener.
func (l *layer) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *layer) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *layer) Addr() net.Addr { return nameAddr(l.self) }

// Dial implements raft.StreamLayer.
func (l *layer) Dial(to raft.ServerAddress, patience time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.s.ctx, patience)
	defer cancel()
	return l.s.dial(ctx, nameOf(raft.ServerID(to)), appendName([]byte{streamRaft}, string(to))...)
}
