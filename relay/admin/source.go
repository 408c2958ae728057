package admin

import (
	"context"
	"time"

	"bprelay/relay/core"
)

// Source is where the state comes from: the relay's engine.
type Source interface {
	// Status is a copy of the relay's state, made on its event loop. The error tells that the loop
	// did not answer before ctx was done, or is closed.
	Status(ctx context.Context) (core.Status, error)
	// Slots answers a query for slot records in the same way.
	Slots(ctx context.Context, q core.SlotQuery) (core.SlotReport, error)
}

const (
	// statusFor is how long one answer of the loop is used, so that many scrapers cost it no more
	// than one.
	statusFor = 200 * time.Millisecond
	// loopTimeout is how long the loop may take to answer before it counts as stuck.
	loopTimeout = 2 * time.Second
)

// shared hands one answer of a Source to everybody who asks within statusFor.
type shared struct {
	source Source

	turn chan struct{} // a lock one can stop waiting for; guards what follows
	last core.Status   // read only: callers share its slices
	at   time.Time     // zero: none yet
}

func newShared(s Source) *shared {
	sh := &shared{source: s, turn: make(chan struct{}, 1)}
	sh.turn <- struct{}{}
	return sh
}

func (s *shared) Status(ctx context.Context) (core.Status, error) {
	ctx, done, err := s.wait(ctx)
	if err != nil {
		return core.Status{}, err
	}
	defer done()
	if !s.at.IsZero() && time.Since(s.at) < statusFor {
		return s.last, nil
	}
	st, err := s.source.Status(ctx)
	if err != nil {
		return core.Status{}, err
	}
	s.last, s.at = st, time.Now()
	return st, nil
}

// forget makes the next Status a new one: something was changed.
func (s *shared) forget(ctx context.Context) {
	select {
	case <-s.turn:
		s.at = time.Time{}
		s.turn <- struct{}{}
	case <-ctx.Done(): // whoever holds up the loop gets a new one anyway
	}
}

// Slots asks the loop each time, one caller after the other.
func (s *shared) Slots(ctx context.Context, q core.SlotQuery) (core.SlotReport, error) {
	ctx, done, err := s.wait(ctx)
	if err != nil {
		return core.SlotReport{}, err
	}
	defer done()
	return s.source.Slots(ctx, q)
}

// wait takes the turn, and bounds the time for it and what follows; done gives the turn back.
func (s *shared) wait(ctx context.Context) (bounded context.Context, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, loopTimeout)
	select {
	case <-s.turn:
		return ctx, func() { s.turn <- struct{}{}; cancel() }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, ctx.Err()
	}
}
