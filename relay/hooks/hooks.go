package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"bprelay/relay/core"
)

const (
	// backlog is how many events may wait for a hook that still runs.
	backlog = 8
	// killAfter is how long a command may go on after SIGTERM, and how long the end of a killed one
	// is waited for.
	killAfter = 2 * time.Second
)

// Config says which commands are run. Empty ones are not.
type Config struct {
	// OnLeadChange is run when another node leads.
	OnLeadChange []string
	// OnFinalizerSilent is run when our own producer's finalizer is no longer heard.
	OnFinalizerSilent []string
	// OnRoleChange is run when this relay became active or standby in its cluster.
	OnRoleChange []string
	// Timeout bounds one run (30 s).
	Timeout time.Duration
	// Logger takes what became of the runs; nil takes slog.Default.
	Logger *slog.Logger
}

// Hooks runs commands. It is a core.Observer.
type Hooks struct {
	byEvent map[string]*hook
	running sync.WaitGroup
	started atomic.Bool
	ending  sync.Once
	stop    chan struct{} // closed when Close begins
	killing sync.Once
	abort   chan struct{} // closed when Close has lost patience
}

// New takes the commands; nothing runs before Start.
func New(cfg Config) *Hooks {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	h := &Hooks{byEvent: map[string]*hook{}, stop: make(chan struct{}), abort: make(chan struct{})}
	for name, command := range map[string][]string{LeadChange: cfg.OnLeadChange, FinalizerSilent: cfg.OnFinalizerSilent, RoleChange: cfg.OnRoleChange} {
		if len(command) > 0 {
			h.byEvent[name] = &hook{
				command: command, timeout: cfg.Timeout, killAfter: killAfter, queue: make(chan event, backlog), abort: h.abort,
				log: cfg.Logger.With("hook", "on_"+name, "program", command[0]),
			}
		}
	}
	return h
}

// Start begins to run what Event brings. It is called once.
func (h *Hooks) Start() {
	h.started.Store(true)
	for _, k := range h.byEvent {
		h.running.Go(func() { k.work(h.stop) })
	}
}

// Event implements core.Observer: it never waits.
func (h *Hooks) Event(now core.Instant, e *core.Event) {
	if e.Kind != core.EventLead && e.Kind != core.EventAlarm && e.Kind != core.EventRole {
		return
	}
	if what, ok := eventOf(now, e); ok {
		if k := h.byEvent[what.name]; k != nil {
			k.add(what)
		}
	}
}

// Close takes no more events, forgets those that wait, and lets a running command end until ctx is
// done; then it is killed. Afterwards nothing runs, and the error says if something was killed.
func (h *Hooks) Close(ctx context.Context) error {
	if !h.started.Load() {
		return nil
	}
	h.ending.Do(func() { close(h.stop) })
	done := make(chan struct{})
	go func() {
		h.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	h.killing.Do(func() { close(h.abort) })
	<-done
	return fmt.Errorf("end hooks: %w", ctx.Err())
}

// hook is one command and what waits for it.
type hook struct {
	command   []string
	timeout   time.Duration
	killAfter time.Duration
	queue     chan event
	abort     <-chan struct{}
	log       *slog.Logger
	dropped   atomic.Uint64 // to be logged by work: add is called on the loop
}

// add queues an event; the oldest gives way. Only the loop calls it.
func (k *hook) add(e event) {
	for {
		select {
		case k.queue <- e:
			return
		default:
		}
		select {
		case <-k.queue:
			k.dropped.Add(1)
		default:
		}
	}
}

func (k *hook) work(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			k.forget()
			return
		default:
		}
		select {
		case <-stop:
		case e := <-k.queue:
			k.run(&e)
			if n := k.dropped.Swap(0); n > 0 {
				k.log.Warn("hook not run for what happened meanwhile: it takes too long", "events", n)
			}
		}
	}
}

// forget says what is not run any more.
func (k *hook) forget() {
	for {
		select {
		case e := <-k.queue:
			k.log.Warn("hook not run: the relay ends", "node", e.node, "reason", e.reason.String())
		default:
			return
		}
	}
}
