package engine

import (
	"time"

	"bprelay/relay/core"
)

// clock is where the time comes from; tests have their own.
type clock interface {
	Now() core.Instant
}

// systemClock reads both clocks in one call. Mono counts from base and is not moved by clock steps.
type systemClock struct{ base time.Time }

func (c systemClock) Now() core.Instant {
	t := time.Now()
	return core.Instant{Mono: t.Sub(c.base), Wall: t.UnixNano()}
}
