package engine

import (
	"time"

	"github.com/cenkalti/backoff/v5"

	"bprelay/relay/core"
)

// redial decides how long a peer is left alone before it is dialled again.
type redial struct {
	pauses *backoff.ExponentialBackOff
	// steady is how long a session must have lived to make earlier trouble forgotten.
	steady time.Duration
	// eager peers are dialled at once after a session has ended, but only once in a row: one that
	// takes connections and drops them must not be dialled in a circle.
	eager bool
	spent bool
}

func newRedial(side core.Side, cfg *Config) *redial {
	p := backoff.NewExponentialBackOff()
	p.Multiplier = 2
	r := &redial{pauses: p, eager: side == core.Internal}
	if r.eager {
		p.InitialInterval, p.MaxInterval, p.RandomizationFactor = cfg.RedialNodeMin, cfg.RedialNodeMax, cfg.RedialNodeJitter
	} else {
		p.InitialInterval, p.MaxInterval, p.RandomizationFactor = cfg.RedialNetworkMin, cfg.RedialNetworkMax, cfg.RedialNetworkJitter
	}
	r.steady = p.MaxInterval
	return r
}

// failed is the pause after an attempt that did not connect.
func (r *redial) failed() time.Duration {
	r.spent = true
	return min(r.pauses.NextBackOff(), r.pauses.MaxInterval)
}

// ended is the pause after a session that lived for a while. retryAfter is what the core wished
// when it ended the session itself, 0 if it had no wish.
func (r *redial) ended(lived, retryAfter time.Duration) time.Duration {
	if lived >= r.steady {
		r.pauses.Reset()
		r.spent = false
	}
	if retryAfter > 0 {
		return retryAfter
	}
	if r.eager && !r.spent {
		r.spent = true
		return 0
	}
	return r.failed()
}
