package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"bprelay/ha/creds"
)

// Handler is told what happens. Its functions are called one after the other from goroutines of the
// link's, in this order: Up, any number of Message, Down, and so on. They must not block: while one
// runs nothing is read, and after Timeout of that the link is down.
type Handler struct {
	// Up: there is a connection, and Send sends. Connections of a link are counted from 1.
	Up func(connection uint64)
	// Down: there is none any more. No message of it comes later.
	Down func(Reason)
	// Message: a message came. The slice is the handler's.
	Message func([]byte)
}

// Config is what a link needs.
type Config struct {
	Identity *creds.Identity
	// Peer is the member at the other end.
	Peer string
	// Dial is its host:port; empty if only it dials.
	Dial string
	// Acceptor takes its connections; nil if only we dial.
	Acceptor *Acceptor
	Timing   Timing
	// MaxMessage is the largest message, in bytes, both ways; 0 takes DefaultMaxMessage.
	MaxMessage int
	// QueueBytes bounds what waits to be sent; 0 takes four of the largest messages.
	QueueBytes int
	// RedialMin and RedialMax bound the wait between dials; 0 takes 50 ms and 1 s.
	RedialMin, RedialMax time.Duration
	// Dialer makes connections; nil takes net.Dialer's.
	Dialer func(ctx context.Context, address string) (net.Conn, error)
	// Logger takes what an operator should know; nil takes slog.Default.
	Logger *slog.Logger
}

// DefaultMaxMessage (bytes) has room for the largest block nodeos accepts, and some more.
const DefaultMaxMessage = 9 << 20

// Link is the connection to one member. Its methods may be called from any goroutine.
type Link struct {
	cfg      Config
	handler  Handler
	log      *slog.Logger
	first    bool // we choose among connections
	instance number
	start    time.Time

	chosen  chan *session // second: what the other side chose; first: what may be chosen
	closing chan struct{}
	once    sync.Once
	stopped chan struct{}
	wg      sync.WaitGroup

	mu      sync.Mutex
	ended   bool
	waiting map[*session]bool // candidates
	up      *session
	since   time.Time
	ups     uint64
	last    Reason
	lastID  number // of the connection that was up last

	sent, received atomic.Uint64
}

// Open begins to connect, and goes on with it until Close.
func Open(c Config, h Handler) (*Link, error) {
	if c.MaxMessage == 0 {
		c.MaxMessage = DefaultMaxMessage
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 4 * c.MaxMessage
	}
	if c.RedialMin == 0 {
		c.RedialMin = 50 * time.Millisecond
	}
	if c.RedialMax == 0 {
		c.RedialMax = time.Second
	}
	if c.Dialer == nil {
		c.Dialer = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	switch {
	case c.Identity == nil || c.Peer == "" || c.Peer == c.Identity.Name():
		return nil, fmt.Errorf("a link needs credentials, and a peer other than ourselves: %q", c.Peer)
	case c.Dial == "" && c.Acceptor == nil:
		return nil, fmt.Errorf("link to %s: neither do we dial nor can it", c.Peer)
	}
	if err := c.Timing.check(); err != nil {
		return nil, fmt.Errorf("link to %s: %w", c.Peer, err)
	}
	l := &Link{
		cfg: c, handler: h, log: c.Logger.With("peer", c.Peer), first: c.Identity.Name() < c.Peer,
		instance: random(), start: time.Now(), chosen: make(chan *session), closing: make(chan struct{}),
		stopped: make(chan struct{}), waiting: map[*session]bool{}, since: time.Now(),
	}
	if c.Acceptor != nil {
		if err := c.Acceptor.register(l); err != nil {
			return nil, err
		}
	}
	idle := make(chan struct{}, 1)
	l.wg.Add(1)
	if c.Dial != "" {
		l.wg.Add(1)
		go l.redial(idle)
	}
	go l.run(idle)
	return l, nil
}

func random() number {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails, by its documentation
		if n := number(binary.BigEndian.Uint64(b[:])); n != 0 {
			return n
		}
	}
}

// Send queues a message for the connection that is up: ErrDown if there is none, ErrOverflow if the
// queue is full, upon which the link goes down. It never blocks, and takes a copy.
func (l *Link) Send(b []byte) error { return l.send(b, 0) }

// send sends on the connection of that number; 0 is any.
func (l *Link) send(b []byte, connection uint64) error {
	if len(b) > l.cfg.MaxMessage {
		return ErrTooLarge
	}
	l.mu.Lock()
	s, current := l.up, l.ups
	l.mu.Unlock()
	if s == nil || connection != 0 && connection != current {
		return ErrDown
	}
	err := s.send(b)
	if err == nil {
		l.sent.Add(1)
	}
	return err
}

// SendOn is Send for one connection: ErrDown if that is not the one that is up. Who handles Up and Down
// later than they come keeps messages for an old connection off a new one by it.
func (l *Link) SendOn(connection uint64, b []byte) error {
	return l.send(b, connection)
}

// Close ends the link: what is queued is sent, and the other side is told, as long as ctx allows. After
// it, no function of the handler is called.
func (l *Link) Close(ctx context.Context) {
	l.once.Do(func() {
		if l.cfg.Acceptor != nil {
			l.cfg.Acceptor.remove(l)
		}
		close(l.closing)
	})
	select {
	case <-l.stopped:
		return
	case <-ctx.Done():
	}
	l.mu.Lock()
	s := l.up
	l.mu.Unlock()
	if s != nil {
		s.end(Closed, ctx.Err())
	}
	<-l.stopped
}

// Status is how a link stands.
type Status struct {
	Peer string `json:"peer"`
	Up   bool   `json:"up"`
	// Since is when it came up, or went down.
	Since time.Time `json:"since"`
	// RTT is the round trip to the other process, smoothed; 0 if it is not known.
	RTT time.Duration `json:"rtt_ns,omitempty"`
	// Ups counts connections since Open; Last is why the last one ended, if one did.
	Ups  uint64 `json:"ups"`
	Last Reason `json:"last_down,omitempty"`
	// Sent and Received count messages.
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
}

// Status returns how the link stands now.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Status{Peer: l.cfg.Peer, Up: l.up != nil, Since: l.since, Ups: l.ups, Last: l.last, Sent: l.sent.Load(), Received: l.received.Load()}
	if l.up != nil {
		st.RTT = time.Duration(l.up.rtt.Load())
	}
	return st
}

// run is the goroutine that has the one connection. idle is told when one is needed.
func (l *Link) run(idle chan<- struct{}) {
	defer func() {
		l.abandon()
		l.wg.Done()
		l.wg.Wait()
		close(l.stopped)
	}()
	for {
		select {
		case idle <- struct{}{}:
		default:
		}
		var s *session
		select {
		case s = <-l.chosen:
		case <-l.closing:
			return
		}
		for s != nil {
			s = l.use(s)
		}
	}
}

// use runs a connection until its end. It returns the one that took its place, if there is one.
func (l *Link) use(s *session) (next *session) {
	if l.first {
		if err := s.choose(random()); err != nil {
			l.drop(s, err)
			return nil
		}
	}
	if err := s.wire.watch(time.Now()); err != nil {
		l.drop(s, err)
		return nil
	}
	l.settle(s)
	number := l.setUp(s)
	l.log.Info("link is up", "dialled", s.dialed, "address", s.wire.RemoteAddr())
	l.handler.Up(number)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.write()
		}()
		s.read(l.handler)
		<-done
	}()
	closing := l.closing
	for {
		select {
		case <-ended:
			l.setDown(s)
			l.log.Info("link is down", "reason", s.reason, "error", s.cause)
			l.handler.Down(s.reason)
			return next
		case c := <-l.chosen:
			switch {
			case next != nil:
				l.drop(c, errTaken)
			case !l.first || c.peer.instance != s.peer.instance || c.peer.lost == s.id:
				// The one that chooses did so; or the other side has not got this connection any more.
				next = c
				s.end(Replaced, nil)
			default:
				l.drop(c, errTaken)
			}
		case <-closing:
			closing = nil
			s.leave()
		}
	}
}

var errTaken = errors.New("there is a connection already")

func (l *Link) setUp(s *session) (number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.since, l.lastID = s, time.Now(), s.id
	l.ups++
	return l.ups
}

// lost is the connection that was up last, if it is down now.
func (l *Link) lost() number {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up != nil {
		return 0
	}
	return l.lastID
}

func (l *Link) setDown(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.since, l.last = nil, time.Now(), s.reason
}

// candidate takes a connection to the right peer: it says hello, and waits to be chosen. It returns when
// it is decided: nil if it was chosen.
func (l *Link) candidate(s *session) error {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		s.wire.abort()
		return errTaken
	}
	l.waiting[s] = true
	l.wg.Add(1)
	l.mu.Unlock()
	defer l.wg.Done()
	err := s.wire.SetDeadline(time.Now().Add(l.cfg.Timing.Handshake))
	if err == nil {
		err = s.greet()
	}
	if err == nil && !l.first {
		err = s.awaitChoice()
	}
	if err != nil {
		l.drop(s, err)
		return err
	}
	select {
	case l.chosen <- s:
		return nil
	case <-l.closing:
		l.drop(s, errTaken)
		return errTaken
	}
}

// settle takes a session off the list of those that wait.
func (l *Link) settle(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, s)
}

// drop closes a candidate.
func (l *Link) drop(s *session, why error) {
	l.settle(s)
	s.wire.abort()
	l.log.Debug("connection is not used", "dialled", s.dialed, "error", why)
}

// abandon closes all candidates.
func (l *Link) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for s := range l.waiting {
		s.wire.abort()
	}
}

// redial is the goroutine that dials while there is no connection.
func (l *Link) redial(idle <-chan struct{}) {
	defer l.wg.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-l.closing
		cancel()
	}()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = l.cfg.RedialMin, l.cfg.RedialMax
	pauses.Multiplier, pauses.RandomizationFactor = 2, 0.5
	failures := 0
	for {
		select {
		case <-idle:
			pauses.Reset()
		case <-l.closing:
			return
		}
		for !l.isUp() {
			err := l.dial(ctx)
			if err == nil {
				failures = 0
				break
			}
			// The first ones may be connections that crossed, or a peer that is just starting.
			if failures++; failures == worthMentioning && ctx.Err() == nil {
				l.log.Warn("dial member", "address", l.cfg.Dial, "error", err, "times", failures)
			}
			select {
			case <-time.After(pauses.NextBackOff()):
			case <-l.closing:
				return
			}
		}
	}
}

// worthMentioning is how many dials in a row must fail before that is logged, once.
const worthMentioning = 3

func (l *Link) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up != nil
}

func (l *Link) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timing.Handshake)
	defer cancel()
	c, err := l.cfg.Dialer(ctx, l.cfg.Dial)
	if err != nil {
		return err
	}
	w := &wire{Conn: c, timeout: l.cfg.Timing.Timeout}
	if err := tune(c, l.cfg.Timing.Timeout); err != nil {
		w.abort()
		return err
	}
	conn := tls.Client(w, l.cfg.Identity.Client(l.cfg.Peer))
	if err := conn.HandshakeContext(ctx); err != nil {
		w.abort()
		return err
	}
	return l.candidate(newSession(l, w, conn, true))
}
