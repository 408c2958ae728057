package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// machine is what the loop needs of the core; tests put something simpler in its place.
type machine interface {
	Open(now core.Instant, info core.SessionInfo) (core.SessionID, error)
	Data(now core.Instant, id core.SessionID, chunk []byte)
	Closed(now core.Instant, id core.SessionID, err error)
	DialFailed(now core.Instant, side core.Side, name string, err error)
	Tick(now core.Instant)
	NextTimer() time.Duration
	Shutdown(now core.Instant)
	Writable(dst []core.SessionID) []core.SessionID
	Take(now core.Instant, id core.SessionID, max int, iov [][]byte) [][]byte
	Done(id core.SessionID)
	CloseRequests(dst []core.CloseRequest) []core.CloseRequest
	Jobs(dst []*core.Job) []*core.Job
	JobDone(now core.Instant, j *core.Job)
	VotesMarked(now core.Instant, m core.VoteMark, ok bool)
	ControlRequests(dst []core.ControlRequest) []core.ControlRequest
	ControlDone(now core.Instant, r core.ControlRequest, err error)
	Drain(now core.Instant, node string, force bool) error
	Undrain(now core.Instant, node string) error
	SetLead(now core.Instant, node string, force bool) error
	Snapshot(now core.Instant) core.Status
	Slots(now core.Instant, q core.SlotQuery) core.SlotReport
	ClusterHost
}

var _ machine = (*core.Core)(nil)

// What cannot happen, and ends the process if it does.
var (
	// errStrayLoop would mean that the core is used from two goroutines.
	errStrayLoop = errors.New("connection on a second event loop")
	// errLoopEnded means that gnet's poller gave up, upon which it closes all connections in silence.
	errLoopEnded = errors.New("the event loop has ended by itself")
)

// loop is everything that belongs to the event loop: gnet calls its On methods, the rest of the
// package reaches it through Engine.post. Nothing here is locked.
type loop struct {
	gnet.BuiltinEventEngine
	log   *slog.Logger
	clock clock
	m     machine
	alarm *alarm

	self  gnet.EventLoop // known with the first connection, the anchor
	links map[core.SessionID]*link
	now   core.Instant // of the present event

	busy     bool // in pump: ends and answers that come of it wait for its next round
	backlog  []*link
	tick     time.Duration
	ids      []core.SessionID
	requests []core.CloseRequest
	iov      [][]byte
	joined   []byte
	jobs     []*core.Job
	work     chan *core.Job // to the worker
	controls *controls

	cluster   Cluster // nil without one
	host      ClusterHost
	joint     *Joint // nil unless a cluster decides
	clusterAt time.Duration

	behind time.Duration // since when timers are late (Instant.Mono); 0: they are not
	unread []unix.PollFd

	wanted  []core.ControlRequest
	scratch p2pwire.Scratch

	flushing bool
	flushed  chan struct{} // closed when nothing is left to be written after flush
	stopped  bool

	ending atomic.Bool // gnet is told to stop; set from outside
}

func newLoop(log *slog.Logger, clk clock, m machine, c *controls) *loop {
	return &loop{
		log: log, clock: clk, m: m, controls: c,
		links:   make(map[core.SessionID]*link),
		tick:    minTick,
		flushed: make(chan struct{}),
		work:    make(chan *core.Job, maxJobs),
	}
}

// anchor is the context of the connection that only exists to get hold of gnet's loop, and to see it
// end.
type anchor struct{ taken chan gnet.EventLoop }

// OnOpen is called by gnet when a connection has been handed over.
func (lp *loop) OnOpen(c gnet.Conn) (out []byte, action gnet.Action) {
	defer failStop(lp.log)
	k, ok := c.Context().(*link)
	if !ok {
		lp.self = c.EventLoop()
		c.Context().(*anchor).taken <- lp.self
		return nil, gnet.None
	}
	if c.EventLoop() != lp.self {
		panic(errStrayLoop)
	}
	k.conn = c
	k.opened.Store(true)
	if lp.stopped {
		k.refused = core.ErrStopping
		return nil, gnet.Close
	}
	lp.begin()
	id, err := lp.m.Open(lp.now, k.info)
	if err != nil {
		k.refused = err
		lp.log.Debug("connection refused", "side", k.info.Side, "remote", k.info.Remote, "error", err)
		return nil, gnet.Close
	}
	k.id = id
	lp.links[id] = k
	lp.pump()
	return nil, gnet.None
}

// OnTraffic is called by gnet when a connection delivered bytes.
func (lp *loop) OnTraffic(c gnet.Conn) gnet.Action {
	defer failStop(lp.log)
	chunk, _ := c.Next(-1)
	k, ok := c.Context().(*link)
	if !ok || k.gone || lp.stopped {
		return gnet.None
	}
	lp.begin()
	lp.m.Data(lp.now, k.id, chunk)
	lp.pump()
	return gnet.None
}

// OnClose is called by gnet when a connection is gone: the other end left, we closed it, or a write
// failed, which may be in the middle of pump.
func (lp *loop) OnClose(c gnet.Conn, err error) gnet.Action {
	defer failStop(lp.log)
	k, ok := c.Context().(*link)
	if !ok {
		if !lp.ending.Load() {
			panic(fmt.Errorf("%w: %w", errLoopEnded, err))
		}
		return gnet.None
	}
	k.gone = true
	k.rest = nil
	if k.id != 0 {
		delete(lp.links, k.id)
		if !lp.busy {
			lp.begin()
		}
		lp.m.Closed(lp.now, k.id, err)
	}
	close(k.ended)
	if k.id != 0 && !lp.busy && !lp.stopped {
		lp.pump()
	}
	return gnet.None
}

// woken is what the alarm brings about.
func (lp *loop) woken() {
	lp.begin()
	lp.alarm.fired()
	lp.pump()
}

// dialFailed tells the core that a peer could not be reached.
func (lp *loop) dialFailed(info core.SessionInfo, err error) {
	lp.begin()
	lp.m.DialFailed(lp.now, info.Side, info.Name, err)
	lp.pump()
}

// flush stops the core's intake; flushed is closed as soon as everything was written.
func (lp *loop) flush() {
	lp.begin()
	lp.m.Shutdown(lp.now)
	lp.flushing = true
	lp.pump()
}

// halt is the last thing before gnet closes all connections: nothing is read or written any more.
func (lp *loop) halt() {
	lp.stopped = true
	lp.controls.here = map[string]bool{}
	for _, k := range lp.links {
		if k.info.Side == core.Internal {
			lp.controls.here[k.info.Name] = true
		}
	}
}

// begin starts an event.
func (lp *loop) begin() {
	lp.now = lp.clock.Now()
	lp.watchGap()
}

// pump runs the core's due timers and carries out what it wants, until it wants nothing more that
// can be done in this pass.
func (lp *loop) pump() {
	lp.busy = true
	if at := lp.m.NextTimer(); at <= lp.now.Mono && !lp.readsFirst(at) {
		lp.m.Tick(lp.now)
	}
	lp.askCluster()
	var progress, left, again bool
	for range maxRounds {
		lp.handOut()
		lp.askControls()
		closed := lp.closeRequested()
		var wrote bool
		wrote, left, again = lp.writeAll()
		progress = progress || wrote
		if !closed && !wrote {
			break
		}
	}
	lp.busy = false
	lp.rearm(progress, left, again)
}

// maxRounds bounds a pass: what the core says because of a write or an end comes in the next round,
// and if it never stops talking, with the next tick.
const maxRounds = 4

// closeRequested ends the connections the core wants ended, and tells if there were any.
func (lp *loop) closeRequested() bool {
	lp.requests = lp.m.CloseRequests(lp.requests[:0])
	for _, r := range lp.requests {
		k := lp.links[r.ID]
		if k == nil {
			continue
		}
		k.retryAfter = r.RetryAfter
		if len(k.rest) > 0 || k.conn.OutboundBuffered() > 0 {
			// It ends in the middle of a frame anyway: with a reset the kernel forgets the bytes
			// now, instead of keeping them for a peer that does not read.
			_ = k.conn.SetLinger(0)
		}
		if err := lp.self.Close(k.conn); err != nil {
			lp.log.Warn("close connection", "remote", k.info.Remote, "error", err)
		}
	}
	return len(lp.requests) > 0
}

// rearm sets the alarm for what comes first: a timer of the core, or the next tick.
func (lp *loop) rearm(progress, left, again bool) {
	at := lp.m.NextTimer()
	if lp.cluster != nil {
		at = min(at, lp.clusterAt)
	}
	switch {
	case again:
		lp.tick = minTick
		at = lp.now.Mono
	case left:
		// Nothing moves: the other ends are slow, so there is no use in asking every millisecond.
		if lp.tick = min(2*lp.tick, maxTick); progress {
			lp.tick = minTick
		}
		at = min(at, lp.now.Mono+lp.tick)
	}
	if lp.flushing {
		if !left && lp.drained() {
			lp.flushing = false
			close(lp.flushed)
		} else {
			at = min(at, lp.now.Mono+minTick)
		}
	}
	lp.alarm.set(lp.now.Mono, at)
}

// drained tells whether every byte written was acknowledged by the other end.
func (lp *loop) drained() bool {
	for _, k := range lp.links {
		if k.conn.OutboundBuffered() > 0 || unacknowledged(k.conn.Fd()) > 0 {
			return false
		}
	}
	return true
}
