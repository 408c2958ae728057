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
	m := w.members[addr]
	m.offset = offset
	// Timers set on the wall clock move with it: the endpoint looks again.
	m.deliver(func(now Instant) { m.ep.Tick(now) })
}

// SetLatency sets the one-way latency between two endpoints, both ways.
func (w *World) SetLatency(a, b string, latency time.Duration) {
	w.SetLatencyTo(a, b, latency)
	w.SetLatencyTo(b, a, latency)
}

// SetLatencyTo sets the latency of one direction, for what is sent from now on. What was sent before
// keeps its time: so a kernel's late delivery of what a dead process had sent is made.
func (w *World) SetLatencyTo(from, to string, latency time.Duration) {
	w.link(from, to).latency = latency
}

// Latency returns the latency of one direction.
func (w *World) Latency(from, to string) time.Duration { return w.link(from, to).latency }

// Cut stops traffic from one endpoint to another, one way; what is sent waits
// for Heal, as TCP would retransmit it. New connections fail after 3 s.
func (w *World) Cut(from, to string) { w.link(from, to).cut = true }

// IsCut tells whether traffic from one endpoint to another is stopped.
func (w *World) IsCut(from, to string) bool { return w.link(from, to).cut }

// Heal ends a Cut.
func (w *World) Heal(from, to string) {
	l := w.link(from, to)
	l.cut = false
	held := l.held
	l.held = nil
	for _, s := range held {
		s.from.last = max(s.from.last, w.now+l.latency) // in order, behind what was on its way before the cut
		w.schedule(s.from.last, s.run)
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
	Sent     time.Duration // Mono at which it left
}

// Tap calls f with everything that reaches the other side's kernel, at that time; what arrives at a
// connection that is gone does not.
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
