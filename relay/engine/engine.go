package engine

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"bprelay/relay/core"
)

// Errors a caller may want to tell apart.
var (
	// ErrClosed is returned by calls to an engine that is not running (any more).
	ErrClosed = errors.New("engine is closed")
	// ErrStarted is returned by a second Start.
	ErrStarted = errors.New("engine was started before")
	// ErrNotFlushed is returned by Close when queued bytes were given up; all is closed nevertheless.
	ErrNotFlushed = errors.New("not everything queued was acknowledged in time")
)

// Engine runs one core on real connections. Its methods may be called from any goroutine.
type Engine struct {
	cfg Config
	log *slog.Logger

	// Seams for tests; set before Start.
	clock   clock
	machine func(core.Config, core.Instant) (machine, error)
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	dialAPI func(ctx context.Context, network, address string) (net.Conn, error)

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	closed chan struct{} // closed when Close is through

	life    sync.Mutex // held by Start, and by the Close that does the work
	started bool
	closing bool

	loop      *loop
	client    *gnet.Client
	gloop     gnet.EventLoop
	anchorEnd func() // closes the far end of the anchor
	listeners [core.Network + 1]net.Listener
	workers   sync.WaitGroup // accepting and dialling goroutines

	postMu sync.RWMutex
	up     bool // gloop takes tasks
}

// New checks the configuration. Nothing runs before Start.
func New(cfg Config) (*Engine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.Core.Seed == ([32]byte{}) {
		_, _ = crand.Read(cfg.Core.Seed[:]) // never fails, by its documentation
	}
	// Names are resolved by Go's own resolver: a look-up of the C library cannot be called off, and
	// would outlive Close.
	resolver := &net.Resolver{PreferGo: true}
	dialer := &net.Dialer{Timeout: cfg.DialTimeout, KeepAliveConfig: keepAlive, Resolver: resolver}
	e := &Engine{
		cfg: cfg, log: cfg.Logger, clock: systemClock{base: time.Now(), offset: cfg.ClockOffset},
		machine: func(c core.Config, now core.Instant) (machine, error) { return core.New(c, now) },
		dial:    dialer.DialContext,
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return resolver.LookupNetIP(ctx, "ip", host)
		},
		closed: make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	// HTTP goes on dialling when its caller has given up; Close ends that.
	e.dialAPI = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, cfg.APITimeout)
		defer cancel()
		defer context.AfterFunc(e.ctx, cancel)()
		return dialer.DialContext(ctx, network, address)
	}
	return e, nil
}

// keepAlive finds a dead peer that we have nothing to send to.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// Start opens the listeners and the loop, and begins to dial. It returns when both listeners take
// connections; ctx bounds only that. After an error nothing is left running, and the engine cannot be
// started again.
func (e *Engine) Start(ctx context.Context) (err error) {
	e.life.Lock()
	defer e.life.Unlock()
	switch {
	case e.closing:
		return ErrClosed
	case e.started:
		return ErrStarted
	}
	e.started = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	if e.cfg.Journal != nil {
		d := durable{e, e.cfg.Journal}
		e.cfg.Core.Claimer, e.cfg.Core.VoteMarker = d, d
	}
	if e.cfg.Cluster != nil {
		e.joinCluster()
	}
	m, err := e.machine(e.cfg.Core, e.clock.Now())
	if err != nil {
		return fmt.Errorf("configure core: %w", err)
	}
	e.loop = newLoop(e.log, e.clock, m, newControls(&e.cfg, e.dialAPI))
	if e.cfg.Cluster != nil {
		e.attachCluster(m)
	}
	defer func() {
		if err != nil {
			e.cancel()
			e.tearDown()
		}
	}()
	if err = e.listen(ctx, core.Internal, e.cfg.ListenInternal); err != nil {
		return err
	}
	if err = e.listen(ctx, core.Network, e.cfg.ListenNetwork); err != nil {
		return err
	}
	if err = e.startLoop(); err != nil {
		return err
	}
	e.startWorkers()
	return nil
}

func (e *Engine) listen(ctx context.Context, side core.Side, address string) error {
	if address == "" {
		return nil
	}
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s side: %w", side, err)
	}
	e.listeners[side] = l
	return nil
}

func (e *Engine) startWorkers() {
	hosts := [core.Network + 1]admission{
		core.Internal: newHostTable(e.cfg.Nodes, e.lookup),
		core.Network:  anyone{},
	}
	for side, l := range e.listeners {
		if l != nil {
			e.workers.Go(func() { e.accept(core.Side(side), l.(*net.TCPListener), hosts[side]) })
		}
	}
	e.workers.Go(e.work)
	for _, n := range e.loop.controls.nodes {
		e.workers.Go(func() { e.control(n) })
	}
	for _, t := range e.cfg.Nodes {
		if t.Dial != "" {
			e.workers.Go(func() { e.keepDialled(core.Internal, t) })
		}
	}
	for _, t := range e.cfg.Peers {
		if t.Dial != "" {
			e.workers.Go(func() { e.keepDialled(core.Network, t) })
		}
	}
}

// Addr is the address a side's listener has, nil without one or before Start.
func (e *Engine) Addr(side core.Side) net.Addr {
	e.life.Lock()
	defer e.life.Unlock()
	if int(side) >= len(e.listeners) || e.listeners[side] == nil {
		return nil
	}
	return e.listeners[side].Addr()
}

// Status is a copy of the core's state, taken on the loop between two events.
func (e *Engine) Status(ctx context.Context) (core.Status, error) {
	st, err := onLoop(ctx, e, func() core.Status {
		st := e.loop.m.Snapshot(e.clock.Now())
		if j := e.loop.joint; j != nil && st.Cluster != nil {
			st.Cluster.Answers = j.answers
		}
		return st
	})
	if err == nil && e.cfg.Journal != nil {
		j := e.cfg.Journal.Status()
		st.Journal = &j
	}
	return st, err
}

// Slots answers a query for slot records, on the loop between two events.
func (e *Engine) Slots(ctx context.Context, q core.SlotQuery) (core.SlotReport, error) {
	return onLoop(ctx, e, func() core.SlotReport { return e.loop.m.Slots(e.clock.Now(), q) })
}

// onLoop lets the loop work something out.
func onLoop[T any](ctx context.Context, e *Engine, work func() T) (T, error) {
	got := make(chan T, 1)
	var none T
	if !e.post(func() { got <- work() }) {
		return none, ErrClosed
	}
	select {
	case v := <-got:
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-e.closed:
		return none, ErrClosed
	}
}

// Close stops taking connections and input, waits until what is queued has been written and
// acknowledged, at most FlushTimeout and until ctx ends, and closes everything. Afterwards no
// goroutine, socket or timer is left, whatever it returns. Every further call waits for the first
// one, until its own ctx ends.
func (e *Engine) Close(ctx context.Context) error {
	e.cancel() // also calls off a Start that is under way
	e.life.Lock()
	if e.closing {
		e.life.Unlock()
		select {
		case <-e.closed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	e.closing = true
	e.life.Unlock()
	defer close(e.closed)

	e.closeListeners()
	// The loop still runs, so that whoever waits for it to take a connection comes to an end.
	e.workers.Wait()
	err := e.flush(ctx)
	e.tearDown()
	e.leavePaused(ctx)
	return err
}

func (e *Engine) flush(ctx context.Context) error {
	if e.loop == nil || e.cfg.FlushTimeout < 0 || !e.post(e.loop.flush) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.cfg.FlushTimeout, ErrNotFlushed)
	defer cancel()
	select {
	case <-e.loop.flushed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush: %w", context.Cause(ctx))
	}
}

// closeListeners may be called more than once: a listener that is closed already says so, and no more.
func (e *Engine) closeListeners() {
	for _, l := range e.listeners {
		if l != nil {
			_ = l.Close()
		}
	}
}

// tearDown ends what is running, in whatever state Start left it.
func (e *Engine) tearDown() {
	e.closeListeners()
	e.workers.Wait()
	e.stopLoop()
	if e.loop != nil {
		e.loop.controls.client.CloseIdleConnections()
	}
}
