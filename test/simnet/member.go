package simnet

import (
	"fmt"
	"slices"
	"time"
)

// member is an endpoint's place in the world; it is its Host.
type member struct {
	w       *World
	addr    string
	ep      Endpoint
	alive   bool
	boot    int // counts starts: events of an earlier process are void
	paused  bool
	held    []func() // events of a paused member
	offset  time.Duration
	conns   map[ConnID]*half
	timerAt time.Duration
}

// half is one side of a connection.
type half struct {
	id     ConnID
	owner  *member
	peer   *half
	last   time.Duration // when the latest thing sent by owner arrives
	closed bool          // owner closed it, or was told that it is closed
	unread int           // bytes owner sent that the peer has not read
	flying int           // bytes owner sent that have not reached the peer's kernel
	dial   string        // what owner dialled and has not heard of yet
}

// link is the state of one direction between two endpoints.
type link struct {
	latency time.Duration
	cut     bool
	held    []sending
}

// sending is something that a half sent into a cut.
type sending struct {
	from *half
	run  func()
}

func (w *World) link(from, to string) *link {
	key := [2]string{from, to}
	l := w.links[key]
	if l == nil {
		l = &link{latency: w.cfg.Latency}
		w.links[key] = l
	}
	return l
}

func (m *member) instant() Instant {
	now := m.w.Now()
	now.Wall += int64(m.offset)
	return now
}

// deliver gives the endpoint an event, now or when it is no longer paused.
func (m *member) deliver(event func(now Instant)) {
	boot := m.boot
	run := func() {
		if m.alive && m.boot == boot {
			m.deliver(event)
		}
	}
	switch {
	case !m.alive:
	case m.paused:
		m.held = append(m.held, run)
	default:
		event(m.instant())
		m.retime()
	}
}

// retime schedules a Tick for the endpoint's next timer.
func (m *member) retime() {
	if !m.alive {
		return
	}
	next := m.ep.NextTimer()
	if next == Never || next >= m.timerAt && m.timerAt > m.w.now {
		return // a tick at or before that time is under way
	}
	m.timerAt = max(next, m.w.now)
	boot, at := m.boot, m.timerAt
	m.w.schedule(at, func() {
		if !m.alive || m.boot != boot || m.timerAt != at {
			return
		}
		m.timerAt = Never
		m.deliver(func(now Instant) { m.ep.Tick(now) })
	})
}

// sorted returns the open connections in order of their ids.
func (m *member) sorted() []*half {
	var out []*half
	for id := ConnID(1); id <= ConnID(m.w.conns); id++ {
		if h := m.conns[id]; h != nil {
			out = append(out, h)
		}
	}
	return out
}

// Send implements [Host].
func (m *member) Send(conn ConnID, frame []byte) {
	h := m.conns[conn]
	if h == nil {
		return
	}
	for len(frame) > 0 {
		piece := frame
		if m.w.cfg.Chop && len(frame) > 1 {
			piece = frame[:1+m.w.rng.IntN(len(frame))]
		}
		frame = frame[len(piece):]
		sent := m.w.now
		h.unread += len(piece)
		h.flying += len(piece)
		h.transmit(func(to *half) {
			h.flying -= len(piece)
			if to.closed {
				return
			}
			for _, tap := range m.w.taps {
				tap(m.w.Now(), Delivery{From: m.addr, To: to.owner.addr, Conn: to.id, Data: piece, Sent: sent})
			}
			to.owner.deliver(func(now Instant) {
				if !to.closed {
					h.unread -= len(piece)
					to.owner.ep.Data(now, to.id, piece)
				}
			})
		})
	}
}

// Unread returns how many bytes sent on a connection the other side has not read yet: on their way,
// or in the buffers of a reader that is slow.
func (m *member) Unread(conn ConnID) int {
	if h := m.conns[conn]; h != nil {
		return h.unread
	}
	return 0
}

// Unacknowledged returns how many bytes sent on a connection have not reached the other side's kernel.
func (m *member) Unacknowledged(conn ConnID) int {
	if h := m.conns[conn]; h != nil {
		return h.flying
	}
	return 0
}

// Abort ends a connection at once (RST): what waits in a cut never arrives.
func (m *member) Abort(conn ConnID) {
	h := m.conns[conn]
	if h == nil {
		return
	}
	l := m.w.link(m.addr, h.peer.owner.addr)
	l.held = slices.DeleteFunc(l.held, func(s sending) bool { return s.from == h })
	h.shut()
}

// CloseConn implements [Host].
func (m *member) CloseConn(conn ConnID) {
	if h := m.conns[conn]; h != nil {
		h.shut()
	}
}

// shut closes a half from its own side.
func (h *half) shut() {
	h.closed = true
	delete(h.owner.conns, h.id)
	h.transmit(func(to *half) { to.drop() })
}

// drop tells a half's owner that the connection is gone.
func (h *half) drop() {
	if h.closed {
		return
	}
	m := h.owner
	m.deliver(func(now Instant) {
		if h.closed {
			return
		}
		h.closed = true
		delete(m.conns, h.id)
		if h.dial != "" {
			m.ep.DialFailed(now, h.dial) // it never knew that it was connected
			return
		}
		m.ep.Disconnected(now, h.id)
	})
}

// transmit runs arrive at the other side, after the latency and in order.
func (h *half) transmit(arrive func(to *half)) {
	w, to := h.owner.w, h.peer
	l := w.link(h.owner.addr, to.owner.addr)
	run := func() { arrive(to) }
	if l.cut {
		l.held = append(l.held, sending{h, run})
		return
	}
	at := w.now + l.latency
	if w.cfg.Jitter > 0 {
		at += time.Duration(w.rng.Int64N(int64(w.cfg.Jitter)))
	}
	h.last = max(h.last, at)
	w.schedule(h.last, run)
}

// dialTimeout is how long a dial into a cut takes to fail.
const dialTimeout = 3 * time.Second

// Dial implements [Host].
func (m *member) Dial(addr string) {
	w, boot := m.w, m.boot
	l := w.link(m.addr, addr)
	fail := func(after time.Duration) {
		w.schedule(w.now+after, func() {
			if m.boot == boot {
				m.deliver(func(now Instant) { m.ep.DialFailed(now, addr) })
			}
		})
	}
	if l.cut || w.link(addr, m.addr).cut {
		fail(dialTimeout)
		return
	}
	w.schedule(w.now+l.latency, func() {
		to := w.members[addr]
		if to == nil || !to.alive {
			fail(w.link(addr, m.addr).latency)
			return
		}
		if !m.alive || m.boot != boot {
			return
		}
		w.conns++
		id := ConnID(w.conns)
		a := &half{id: id, owner: m, dial: addr}
		b := &half{id: id, owner: to, peer: a}
		a.peer = b
		m.conns[id], to.conns[id] = a, b
		remote := fmt.Sprintf("%s:%d", hostOf(m.addr), 30000+id)
		b.transmit(func(h *half) {
			h.owner.deliver(func(now Instant) {
				if !h.closed {
					h.dial = ""
					h.owner.ep.Dialled(now, id, addr)
				}
			})
		}) // on its way before anything the acceptor does
		to.deliver(func(now Instant) { to.ep.Accepted(now, id, remote) })
	})
}
