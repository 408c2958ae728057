package engine

import (
	"time"

	"bprelay/relay/core"
)

// clock is where the time comes from; tests have their own.
type clock interface {
	Now() core.Instant
}

// systemClock reads both clocks in one call. Mono counts from base and is not moved by clock steps. offset is
// added to Wall.
type systemClock struct {
	base   time.Time
	offset time.Duration
}

func (c systemClock) Now() core.Instant {
	t := time.Now()
	return core.Instant{Mono: t.Sub(c.base), Wall: t.UnixNano() + int64(c.offset)}
}
