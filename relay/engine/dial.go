package engine

import (
	"fmt"
	"log/slog"
	"net"
	"time"

	"bprelay/relay/core"
)

// keepDialled keeps one peer connected until Close begins.
func (e *Engine) keepDialled(side core.Side, t Target) {
	pauses := newRedial(side, &e.cfg)
	log := e.log.With("side", side, "name", t.Name, "address", t.Dial)
	// The first failure in a row is a warning, the same again is not news.
	level := slog.LevelWarn
	for {
		k := newLink(core.SessionInfo{Side: side, Dialled: true, Name: t.Name, Priority: t.Priority})
		wait, err := e.dialOnce(t.Dial, k, pauses)
		if e.ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Log(e.ctx, level, "dial peer", "error", err, "retry_after", wait)
			level = slog.LevelDebug
		} else {
			level = slog.LevelWarn
		}
		if !e.pause(wait) {
			return
		}
	}
}

// dialOnce connects and stays until the session has ended. It returns the pause before the next
// attempt, and the error if there was no session.
func (e *Engine) dialOnce(address string, k *link, pauses *redial) (time.Duration, error) {
	c, err := e.dial(e.ctx, "tcp", address)
	if err == nil {
		k.info.Remote = c.RemoteAddr().String()
		err = e.enroll(c.(*net.TCPConn), k)
	}
	if err != nil {
		if e.ctx.Err() == nil {
			e.post(func() { e.loop.dialFailed(k.info, err) })
		}
		return pauses.failed(), err
	}
	began := time.Now()
	select {
	case <-k.ended:
	case <-e.ctx.Done():
		return 0, nil
	}
	if k.refused != nil {
		return pauses.failed(), fmt.Errorf("open session: %w", k.refused)
	}
	return pauses.ended(time.Since(began), k.retryAfter), nil
}
