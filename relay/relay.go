package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"bprelay/relay/admin"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/relay/hooks"
)

// Options say what a relay is made of.
type Options struct {
	// Engine configures the loop, and in it the core. The relay sets Core.Observer, and Logger where
	// it is nil.
	Engine engine.Config
	// AdminListen is the host:port of the admin server; empty: none.
	AdminListen string
	// AgentListen is the host:port that answers HAProxy's agent-check; empty: none.
	AgentListen string
	// Hooks are the operator's commands. The relay sets their Logger where it is nil.
	Hooks hooks.Config
	// Cluster is the relay's part in a pair; nil: it is alone. The relay starts and ends it.
	Cluster Cluster
	// Version is shown by the admin server.
	Version string
	// Logger takes everything that is logged; nil takes slog.Default.
	Logger *slog.Logger
	// Observer, optionally, is told of the core's decisions besides the log. It is called on the
	// loop: it must not block.
	Observer core.Observer
}

// Cluster is a relay's part among others.
type Cluster interface {
	// Engine is what the engine asks.
	Engine() engine.Cluster
	// Start begins to take part; status tells what the relay knows of itself.
	Start(status func(context.Context) (core.Status, error)) error
	// Handover makes another relay active, a certain one if to is not empty, outside our run or at once.
	Handover(ctx context.Context, to string, now bool) error
	// Vote gives a configured member a vote in a quorum, or ends it.
	Vote(ctx context.Context, name string, votes bool) error
	// View is what is known of all members; it becomes JSON. Facts are for metrics.
	View() any
	Facts() core.ClusterFacts
	// Close hands over and ends.
	Close(ctx context.Context) error
}

// Relay is one relay process' worth of work.
type Relay struct {
	options Options
	log     *slog.Logger
	engine  *engine.Engine
	events  *eventLog
	hooks   *hooks.Hooks
	admin   *admin.Server
	agent   *admin.Agent
}

// New checks the options. Nothing runs and nothing listens yet.
func New(o Options) (*Relay, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Engine.Logger == nil {
		o.Engine.Logger = o.Logger
	}
	if o.Hooks.Logger == nil {
		o.Hooks.Logger = o.Logger
	}
	r := &Relay{log: o.Logger, events: newEventLog(o.Logger), hooks: hooks.New(o.Hooks)}
	told := observers{r.events, r.hooks}
	if o.Observer != nil {
		told = append(told, o.Observer)
	}
	o.Engine.Core.Observer = told
	if o.Cluster != nil {
		o.Engine.Cluster = o.Cluster.Engine()
	}
	r.options = o
	e, err := engine.New(o.Engine)
	if err != nil {
		return nil, err
	}
	r.engine = e
	return r, nil
}

// Start returns when the relay listens, or with the error why it cannot; then nothing is left
// running. ctx bounds the start only.
func (r *Relay) Start(ctx context.Context) error {
	r.events.start()
	r.hooks.Start()
	if err := r.engine.Start(ctx); err != nil {
		err = errors.Join(err, r.hooks.Close(ctx))
		r.events.close()
		return err
	}
	cfg := admin.Config{Source: r.engine, Commands: r.engine, Version: r.options.Version, LogDrops: r.events.drops, Logger: r.log}
	if cl := r.options.Cluster; cl != nil {
		if err := cl.Start(r.engine.Status); err != nil {
			return errors.Join(err, r.closeEngine(ctx))
		}
		cfg.Cluster = cl
	}
	if r.options.AdminListen != "" {
		srv, err := admin.Listen(r.options.AdminListen, cfg)
		if err != nil {
			return errors.Join(err, r.Close(ctx))
		}
		r.admin = srv
	}
	if r.options.AgentListen != "" {
		agent, err := admin.ListenAgent(r.options.AgentListen, r.engine, r.log)
		if err != nil {
			return errors.Join(err, r.Close(ctx))
		}
		r.agent = agent
	}
	r.log.Info("relay started", r.addresses()...)
	return nil
}

func (r *Relay) addresses() (args []any) {
	for _, side := range []core.Side{core.Internal, core.Network} {
		if a := r.Addr(side); a != nil {
			args = append(args, "listen_"+side.String(), a.String())
		}
	}
	if a := r.AdminAddr(); a != nil {
		args = append(args, "admin", a.String())
	}
	if r.agent != nil {
		args = append(args, "agent_check", r.agent.Addr().String())
	}
	return args
}

// Addr is the address the side listens on, nil if it does not.
func (r *Relay) Addr(side core.Side) net.Addr { return r.engine.Addr(side) }

// AdminAddr is the address of the admin server, nil if there is none.
func (r *Relay) AdminAddr() net.Addr {
	if r.admin == nil {
		return nil
	}
	return r.admin.Addr()
}

// Status is a copy of the relay's state, made on its loop.
func (r *Relay) Status(ctx context.Context) (core.Status, error) { return r.engine.Status(ctx) }

// Slots answers a query for slot records, on the relay's loop.
func (r *Relay) Slots(ctx context.Context, q core.SlotQuery) (core.SlotReport, error) {
	return r.engine.Slots(ctx, q)
}

// Drain keeps a node from leading and lets another one lead, outside our runs, so that it can be
// stopped at no cost; force does it now. A refusal matches core.ErrNoSuchNode, core.ErrUnsafe or
// core.ErrNotPossible.
func (r *Relay) Drain(ctx context.Context, node string, force bool) error {
	return r.engine.Drain(ctx, node, force)
}

// Undrain ends a drain.
func (r *Relay) Undrain(ctx context.Context, node string) error { return r.engine.Undrain(ctx, node) }

// SetLead makes a node lead, outside our runs; force does it now. It is refused as Drain is.
func (r *Relay) SetLead(ctx context.Context, node string, force bool) error {
	return r.engine.SetLead(ctx, node, force)
}

// Handover makes another relay of the cluster active, a certain one if to is not empty, outside our run or, with
// now, at once. A refusal matches core.ErrNotPossible.
func (r *Relay) Handover(ctx context.Context, to string, now bool) error {
	if r.options.Cluster == nil {
		return fmt.Errorf("%w: this relay is in no cluster", core.ErrNotPossible)
	}
	return r.options.Cluster.Handover(ctx, to, now)
}

// Close ends the admin server, hands over if there is a cluster, then ends the engine, which flushes what is queued, then the hooks and the
// log. ctx bounds the waiting, not the end: afterwards nothing is left running. Nodes that were
// paused by their producer API stay paused; the log says which.
func (r *Relay) Close(ctx context.Context) error {
	var errs []error
	if r.agent != nil {
		r.agent.Drain()
		defer r.agent.Close()
	}
	if r.admin != nil {
		errs = append(errs, r.admin.Close(ctx))
	}
	if r.options.Cluster != nil {
		errs = append(errs, r.options.Cluster.Close(ctx))
	}
	return errors.Join(append(errs, r.closeEngine(ctx))...)
}

func (r *Relay) closeEngine(ctx context.Context) (err error) {
	if err = r.engine.Close(ctx); err != nil {
		err = fmt.Errorf("end the engine: %w", err)
	}
	err = errors.Join(err, r.hooks.Close(ctx))
	r.events.close()
	r.log.Info("relay stopped")
	return err
}

// observers tells several.
type observers []core.Observer

// Event implements core.Observer.
func (o observers) Event(now core.Instant, e *core.Event) {
	for _, each := range o {
		each.Event(now, e)
	}
}
