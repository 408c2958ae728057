package link

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// session is one connection to the peer: first a candidate, then, if it is chosen, the link.
type session struct {
	l      *Link
	wire   *wire
	conn   *tls.Conn
	in     *bufio.Reader
	dialed bool
	peer   hello
	id     number // once it is chosen

	wake chan struct{} // there is something to send
	gone chan struct{} // closed by end

	mu      sync.Mutex
	queue   []byte // frames to send
	ended   bool
	reason  Reason
	cause   error
	leaving bool // a bye is in the queue: nothing comes behind it

	rtt atomic.Int64 // ns, smoothed
}

func newSession(l *Link, w *wire, c *tls.Conn, dialed bool) *session {
	return &session{
		l: l, wire: w, conn: c, dialed: dialed, in: bufio.NewReaderSize(c, 32<<10),
		wake: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// greet exchanges hellos. The connection's deadline bounds it.
func (s *session) greet() error {
	ours := hello{instance: s.l.instance, lost: s.l.lost(), heartbeat: s.l.cfg.Timing.Heartbeat}
	if _, err := s.conn.Write(ours.append(nil)); err != nil {
		return err
	}
	kind, payload, err := readFrame(s.in, maxControl)
	if err != nil {
		return err
	}
	if kind != kindHello {
		return fmt.Errorf("%w: kind %d before hello", errMalformed, kind)
	}
	if s.peer, err = parseHello(payload); err != nil {
		return err
	}
	if s.peer.heartbeat*2 > s.l.cfg.Timing.Timeout {
		return fmt.Errorf("its heartbeat (%v) is too slow for our timeout (%v): give both members the same preset", s.peer.heartbeat, s.l.cfg.Timing.Timeout)
	}
	return nil
}

// choose tells the other side that this is the link.
func (s *session) choose(id number) error {
	s.id = id
	_, err := s.conn.Write(appendUint64(nil, kindChosen, uint64(id)))
	return err
}

// awaitChoice waits until the other side chooses this connection.
func (s *session) awaitChoice() error {
	kind, payload, err := readFrame(s.in, maxControl)
	if err != nil {
		return err
	}
	if kind != kindChosen || len(payload) != chosenSize {
		return fmt.Errorf("%w: kind %d, not the choice", errMalformed, kind)
	}
	if s.id = number(binary.BigEndian.Uint64(payload)); s.id == 0 {
		return fmt.Errorf("%w: no number", errMalformed)
	}
	return nil
}

// send queues a message.
func (s *session) send(b []byte) error {
	s.mu.Lock()
	if s.ended || s.leaving {
		s.mu.Unlock()
		return ErrDown
	}
	if len(s.queue)+headerSize+len(b) > s.l.cfg.QueueBytes {
		s.mu.Unlock()
		s.end(Overflow, ErrOverflow)
		return ErrOverflow
	}
	s.queue = appendFrame(s.queue, kindMessage, b)
	s.mu.Unlock()
	s.stir()
	return nil
}

// control queues a frame of our own.
func (s *session) control(kind byte, v uint64) {
	s.mu.Lock()
	full := len(s.queue) > s.l.cfg.QueueBytes
	if !full && !s.leaving {
		s.queue = appendUint64(s.queue, kind, v)
	}
	s.mu.Unlock()
	if full {
		s.end(Overflow, ErrOverflow)
		return
	}
	s.stir()
}

func (s *session) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// leave sends what is queued and a bye; the other side then closes the connection.
func (s *session) leave() {
	s.mu.Lock()
	if !s.leaving && !s.ended {
		s.leaving = true
		s.queue = appendFrame(s.queue, kindBye, nil)
	}
	s.mu.Unlock()
	s.stir()
}

// end closes the connection; the first reason counts.
func (s *session) end(r Reason, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.reason, s.cause = true, r, cause
	s.queue = nil
	close(s.gone)
	s.wire.abort()
}

// read is the goroutine that hands on what comes.
func (s *session) read(h Handler) {
	for {
		kind, payload, err := readFrame(s.in, s.l.cfg.MaxMessage)
		if err == nil {
			err = s.take(h, kind, payload)
		}
		if err == nil {
			continue
		}
		s.mu.Lock()
		leaving := s.leaving
		s.mu.Unlock()
		if leaving {
			s.end(Closed, nil)
		} else {
			s.end(readReason(err), err)
		}
		return
	}
}

func (s *session) take(h Handler, kind byte, payload []byte) error {
	switch {
	case kind == kindMessage:
		select {
		case <-s.gone: // nothing comes after the end
			return net.ErrClosed
		default:
		}
		s.l.received.Add(1)
		h.Message(payload)
	case kind == kindPing && len(payload) == timeSize:
		s.control(kindPong, binary.BigEndian.Uint64(payload))
	case kind == kindPong && len(payload) == timeSize:
		s.measured(time.Since(s.l.start) - time.Duration(binary.BigEndian.Uint64(payload)))
	case kind == kindBye && len(payload) == 0:
		return errLeft
	default:
		return fmt.Errorf("%w: kind %d of %d bytes", errMalformed, kind, len(payload))
	}
	return nil
}

// measured smooths round trips, the newest counting 1/4.
func (s *session) measured(rtt time.Duration) {
	if old := s.rtt.Load(); old != 0 {
		rtt = (3*time.Duration(old) + rtt) / 4
	}
	s.rtt.Store(int64(max(rtt, 1)))
}

// write is the goroutine that sends: all that is queued in one write.
func (s *session) write() {
	beat := time.NewTicker(s.l.cfg.Timing.Heartbeat)
	defer beat.Stop()
	var batch []byte
	for {
		select {
		case <-s.gone:
			return
		case <-beat.C:
			s.control(kindPing, uint64(time.Since(s.l.start)))
		case <-s.wake:
		}
		s.mu.Lock()
		batch, s.queue = s.queue, batch[:0]
		leaving := s.leaving
		s.mu.Unlock()
		if len(batch) > 0 {
			_, err := s.conn.Write(batch)
			if err == nil {
				err = s.wire.flush()
			}
			if err != nil {
				s.end(writeReason(err), err)
				return
			}
		}
		if leaving {
			// Closing now could destroy what is on the way: the other side does so when it has the bye.
			select {
			case <-s.gone:
			case <-time.After(s.l.cfg.Timing.Timeout):
				s.end(Closed, nil)
			}
			return
		}
		if cap(batch) > largeBatch {
			batch = nil
		}
	}
}

// largeBatch is what is not kept for the next one.
const largeBatch = 1 << 20

func readReason(err error) Reason {
	record := tls.RecordHeaderError{}
	var alert tls.AlertError
	switch {
	case errors.Is(err, errSilent):
		return Silent
	case errors.Is(err, errLeft):
		return Left
	case errors.Is(err, errMalformed), errors.As(err, &record), errors.As(err, &alert):
		return Malformed
	}
	return Broken
}

func writeReason(err error) Reason {
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return Stuck
	}
	return Broken
}
