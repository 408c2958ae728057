package simnet

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// WorldConfig configures a [World].
type WorldConfig struct {
	Seed    uint64
	Start   int64         // wall clock at Mono 0, unix ns
	Latency time.Duration // one way, between any two endpoints; zero means 500 µs
	Jitter  time.Duration // up to this much more, at random; order on a connection is kept
	// Chop cuts what is sent into random pieces, so that no message boundary is
	// also a read boundary.
	Chop bool
}

// World connects endpoints under virtual time, in the goroutine that calls Run.
// The same seed and calls give the same run. Endpoints are named by the address
// they can be dialled at.
type World struct {
	cfg     WorldConfig
	now     time.Duration
	seq     uint64
	rng     *rand.Rand
	events  eventHeap
	members map[string]*member
	order   []*member
	conns   uint32
	links   map[[2]string]*link
	taps    []func(now Instant, d Delivery)
}

// NewWorld makes an empty world at Mono 0.
func NewWorld(cfg WorldConfig) *World {
	if cfg.Latency == 0 {
		cfg.Latency = 500 * time.Microsecond
	}
	return &World{
		cfg:     cfg,
		rng:     rand.New(rand.NewPCG(cfg.Seed, 0x5eed)),
		members: map[string]*member{},
		links:   map[[2]string]*link{},
	}
}

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
}

// link is the state of one direction between two endpoints.
type link struct {
	latency time.Duration
	cut     bool
	held    []func()
}

type worldEvent struct {
	at  time.Duration
	seq uint64
	run func()
}

type eventHeap []worldEvent

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(worldEvent)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = worldEvent{}
	*h = old[:len(old)-1]
	return e
}

func (w *World) schedule(at time.Duration, run func()) {
	w.seq++
	heap.Push(&w.events, worldEvent{at: max(at, w.now), seq: w.seq, run: run})
}

// Now returns the world's time.
func (w *World) Now() Instant { return Instant{Mono: w.now, Wall: w.cfg.Start + int64(w.now)} }

// Seed returns the seed, for messages.
func (w *World) Seed() uint64 { return w.cfg.Seed }

// Add puts an endpoint at addr and starts it now. Adding at the address of a
// killed endpoint is a restart.
func (w *World) Add(addr string, ep Endpoint) {
	m := w.members[addr]
	if m == nil {
		m = &member{w: w, addr: addr}
		w.members[addr] = m
		w.order = append(w.order, m)
	}
	if m.alive {
		panic(fmt.Sprintf("simnet: %s is running", addr))
	}
	m.ep, m.alive, m.paused, m.held = ep, true, false, nil
	m.conns = map[ConnID]*half{}
	m.boot++
	m.timerAt = Never
	m.deliver(func(now Instant) { ep.Start(now, m) })
}

// Kill ends an endpoint as kill -9 does: its peers see their connections
// closed, what it had sent still arrives.
func (w *World) Kill(addr string) {
	m := w.members[addr]
	m.alive, m.paused, m.held = false, false, nil
	for _, h := range m.sorted() {
		h.shut()
	}
	m.conns = nil
}

// Pause freezes an endpoint (SIGSTOP): its events wait for Resume.
func (w *World) Pause(addr string) { w.members[addr].paused = true }

// Resume lets a paused endpoint have its events, in order.
func (w *World) Resume(addr string) {
	m := w.members[addr]
	m.paused = false
	held := m.held
	m.held = nil
	for _, run := range held {
		w.schedule(w.now, run)
	}
}

// SetClock makes an endpoint's wall clock differ from the world's by offset.
func (w *World) SetClock(addr string, offset time.Duration) {
	w.members[addr].offset = offset
	w.members[addr].timerAt = Never
	w.members[addr].retime()
}

// SetLatency sets the one-way latency between two endpoints, both ways.
func (w *World) SetLatency(a, b string, latency time.Duration) {
	w.link(a, b).latency = latency
	w.link(b, a).latency = latency
}

// Cut stops traffic from one endpoint to another, one way; what is sent waits
// for Heal, as TCP would retransmit it. New connections fail after 3 s.
func (w *World) Cut(from, to string) { w.link(from, to).cut = true }

// Heal ends a Cut.
func (w *World) Heal(from, to string) {
	l := w.link(from, to)
	l.cut = false
	held := l.held
	l.held = nil
	for _, run := range held {
		w.schedule(w.now+l.latency, run)
	}
}

// Reset breaks every connection between two endpoints: both are told at once.
func (w *World) Reset(a, b string) {
	for _, h := range w.members[a].sorted() {
		if h.peer.owner.addr == b {
			p := h.peer
			h.drop()
			p.drop()
		}
	}
}

// Delivery is a piece of data as it reaches the other side of a connection.
type Delivery struct {
	From, To string // addresses of the endpoints
	Conn     ConnID // the same on both sides, and never reused in a world
	Data     []byte
}

// Tap calls f with everything that is delivered, at the time of delivery.
func (w *World) Tap(f func(now Instant, d Delivery)) { w.taps = append(w.taps, f) }

// At runs f at a Mono time.
func (w *World) At(at time.Duration, f func()) { w.schedule(at, f) }

// AtWall runs f at a wall time, unix ns.
func (w *World) AtWall(wall int64, f func()) { w.schedule(time.Duration(wall-w.cfg.Start), f) }

// Call runs f as an event of the endpoint at addr: what an API call is.
func (w *World) Call(addr string, f func(now Instant)) {
	m := w.members[addr]
	w.schedule(w.now, func() { m.deliver(f) })
}

// Run advances the world by d.
func (w *World) Run(d time.Duration) { w.RunUntil(w.now+d, nil) }

// RunToWall advances the world to a wall time, unix ns.
func (w *World) RunToWall(wall int64) { w.RunUntil(time.Duration(wall-w.cfg.Start), nil) }

// RunUntil advances the world until done is true after some event, or to the
// Mono time end. It reports whether done was.
func (w *World) RunUntil(end time.Duration, done func() bool) bool {
	for len(w.events) > 0 && w.events[0].at <= end {
		e := heap.Pop(&w.events).(worldEvent)
		w.now = e.at
		e.run()
		if done != nil && done() {
			return true
		}
	}
	w.now = max(w.now, end)
	return false
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
		h.transmit(func(to *half) {
			for _, tap := range m.w.taps {
				tap(m.w.Now(), Delivery{From: m.addr, To: to.owner.addr, Conn: to.id, Data: piece})
			}
			to.owner.deliver(func(now Instant) {
				if !to.closed {
					to.owner.ep.Data(now, to.id, piece)
				}
			})
		})
	}
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
		m.ep.Disconnected(now, h.id)
	})
}

// transmit runs arrive at the other side, after the latency and in order.
func (h *half) transmit(arrive func(to *half)) {
	w, to := h.owner.w, h.peer
	l := w.link(h.owner.addr, to.owner.addr)
	run := func() { arrive(to) }
	if l.cut {
		l.held = append(l.held, run)
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
		a := &half{id: id, owner: m}
		b := &half{id: id, owner: to, peer: a}
		a.peer = b
		m.conns[id], to.conns[id] = a, b
		remote := fmt.Sprintf("%s:%d", hostOf(m.addr), 30000+id)
		to.deliver(func(now Instant) { to.ep.Accepted(now, id, remote) })
		b.transmit(func(h *half) {
			h.owner.deliver(func(now Instant) {
				if !h.closed {
					h.owner.ep.Dialled(now, id, addr)
				}
			})
		})
	})
}
