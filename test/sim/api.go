package sim

import (
	"errors"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

const (
	// apiLatency is what a call of a node's producer API takes each way, apiTimeout the most it may take.
	apiLatency = 500 * time.Microsecond
	apiTimeout = 500 * time.Millisecond
)

var (
	errUnreachable = errors.New("connection refused")
	errTimeout     = errors.New("context deadline exceeded")
)

// producerAPI makes one relay's calls of the nodes' producer APIs, as the engine does: one at a time for each
// node, and of those that wait meanwhile the newest. A call that took too long may be carried out all the same.
type producerAPI struct {
	w     *simnet.World
	addr  string // the relay's
	relay *Relay
	alive func() bool                    // false when that relay is gone
	node  func(addr string) *simnet.Node // nil while it is down
	calls map[string]*apiCalls
}

type apiCalls struct {
	busy    bool
	waiting *core.ControlRequest
}

// ask takes a request of the relay's.
func (a *producerAPI) ask(r core.ControlRequest) {
	c := a.calls[r.Node]
	switch {
	case c == nil:
		c = &apiCalls{}
		a.calls[r.Node] = c
	case c.waiting != nil:
		old := *c.waiting
		a.w.At(a.w.Now().Mono, func() { a.done(old, core.ErrSuperseded) })
	}
	c.waiting = &r
	a.next(c)
}

// next makes the call that waits.
func (a *producerAPI) next(c *apiCalls) {
	if c.busy || c.waiting == nil {
		return
	}
	r := *c.waiting
	c.busy, c.waiting = true, nil
	answered := false
	answer := func(err error) {
		if answered {
			return
		}
		answered = true
		a.done(r, err)
		c.busy = false
		a.next(c)
	}
	begin := a.w.Now().Mono
	a.w.At(begin+apiTimeout, func() { answer(errTimeout) })
	a.w.At(begin+apiLatency, func() {
		n := a.node(r.Node)
		switch {
		case n == nil:
			a.w.At(begin+2*apiLatency, func() { answer(errUnreachable) })
			return
		case a.w.IsCut(a.addr, r.Node) || a.w.IsCut(r.Node, a.addr):
			return
		}
		a.w.Call(r.Node, func(now simnet.Instant) {
			switch {
			case r.Ask:
				r.Pause = n.Paused(now)
			case r.Pause:
				n.Pause()
			default:
				n.Resume(now)
			}
			a.w.At(a.w.Now().Mono+apiLatency, func() { answer(nil) })
		})
	})
}

// done tells the relay, if it is still there.
func (a *producerAPI) done(r core.ControlRequest, err error) {
	if a.alive() {
		a.w.Call(a.addr, func(now simnet.Instant) {
			if a.alive() {
				a.relay.ControlDone(now, r, err)
			}
		})
	}
}
