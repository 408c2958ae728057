package engine

import (
	"context"

	"bprelay/relay/core"
)

// The operator's commands. Each is carried out on the loop; the error is the core's, and matches one
// of core.ErrNoSuchNode, core.ErrUnsafe and core.ErrNotPossible, or says that the loop did not answer
// before ctx was done: then the command may still take effect.

// Drain keeps a node from leading, see core.Core.Drain.
func (e *Engine) Drain(ctx context.Context, node string, force bool) error {
	return e.command(ctx, func(now core.Instant) error { return e.loop.m.Drain(now, node, force) })
}

// Undrain ends a drain.
func (e *Engine) Undrain(ctx context.Context, node string) error {
	return e.command(ctx, func(now core.Instant) error { return e.loop.m.Undrain(now, node) })
}

// SetLead makes a node lead, see core.Core.SetLead.
func (e *Engine) SetLead(ctx context.Context, node string, force bool) error {
	return e.command(ctx, func(now core.Instant) error { return e.loop.m.SetLead(now, node, force) })
}

func (e *Engine) command(ctx context.Context, do func(now core.Instant) error) error {
	refused, err := onLoop(ctx, e, func() error {
		if e.loop.stopped {
			return ErrClosed
		}
		e.loop.begin()
		err := do(e.loop.now)
		e.loop.pump()
		return err
	})
	if err != nil {
		return err
	}
	return refused
}
