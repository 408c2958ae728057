package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"bprelay/relay/core"
)

// errNoAPI answers one for a node whose API is not configured.
var errNoAPI = errors.New("no producer API is configured")

// controls carries out what the core wants of the nodes' producer APIs: one worker a node, so that
// a node that does not answer holds up no other, and calls to one node never overtake each other.
type controls struct {
	client *http.Client
	nodes  map[string]*controlled
	here   map[string]bool // connected when the loop ended
}

// controlled is one node's producer API.
type controlled struct {
	name, base string
	// wish is the newest request not begun yet. Only the loop puts one in.
	wish chan core.ControlRequest
	// paused is what the last call left behind. Only the loop looks.
	paused pausedState
	// resumed: the last call that had an answer resumed it.
	resumed bool
}

// pausedState is what is known of a node's production by our own calls.
type pausedState uint8

const (
	notPaused   pausedState = iota // never touched, or resumed
	maybePaused                    // a call to pause or resume a paused one had no good answer
	isPaused
)

// after is the state after a call.
func (s pausedState) after(pause bool, err error) pausedState {
	switch {
	case err == nil && pause:
		return isPaused
	case err == nil:
		return notPaused
	case pause || s != notPaused:
		return maybePaused
	}
	return s
}

// newControls prepares the calls. Connections are kept open between them: the call stands between a
// lead's death and the next block.
func newControls(cfg *Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) *controls {
	c := &controls{
		client: &http.Client{
			Transport: &http.Transport{
				// No proxy: the node is on our side.
				DialContext:           dial,
				MaxIdleConnsPerHost:   1,
				TLSHandshakeTimeout:   cfg.APITimeout,
				ResponseHeaderTimeout: cfg.APITimeout,
				DisableCompression:    true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		nodes: map[string]*controlled{},
	}
	for _, t := range cfg.Nodes {
		if t.API != "" {
			c.nodes[t.Name] = &controlled{name: t.Name, base: t.API, wish: make(chan core.ControlRequest, 1)}
		}
	}
	return c
}

// ask hands a request to the node's worker, at once. If another one still waits there, it is given
// back: the newest wins.
func (n *controlled) ask(r core.ControlRequest) (old core.ControlRequest, superseded bool) {
	for {
		select {
		case n.wish <- r:
			return old, superseded
		default:
		}
		select {
		case old = <-n.wish:
			superseded = true
		default: // the worker was faster
		}
	}
}

// askControls hands out what the core wants called.
func (lp *loop) askControls() {
	lp.wanted = lp.m.ControlRequests(lp.wanted[:0])
	for _, r := range lp.wanted {
		n := lp.controls.nodes[r.Node]
		if n == nil {
			lp.m.ControlDone(lp.now, r, errNoAPI)
			continue
		}
		if old, superseded := n.ask(r); superseded {
			lp.m.ControlDone(lp.now, old, core.ErrSuperseded)
		}
	}
}

// controlDone brings the answer to a call.
func (lp *loop) controlDone(n *controlled, r core.ControlRequest, err error) {
	if !r.Ask {
		n.paused = n.paused.after(r.Pause, err)
		n.resumed = !r.Pause && (err == nil || n.resumed)
	}
	if lp.stopped {
		return
	}
	lp.begin()
	lp.m.ControlDone(lp.now, r, err)
	lp.pump()
}

// control makes one node's calls, one after the other, until Close begins.
func (e *Engine) control(n *controlled) {
	log := e.log.With("node", n.name, "api", n.base)
	failing := false
	for {
		select {
		case <-e.ctx.Done():
			return
		case r := <-n.wish:
			began := time.Now()
			r, err := e.callNode(e.ctx, e.loop.controls.client, n, r)
			if !e.post(func() { e.loop.controlDone(n, r, err) }) || e.ctx.Err() != nil {
				return
			}
			switch {
			case err == nil:
				log.Info("node called", "call", callName(r), "took", time.Since(began).Round(10*time.Microsecond))
			case failing: // the same again is not news
				log.Debug("call of the node failed", "call", callName(r), "error", err)
			default:
				log.Warn("call of the node failed", "call", callName(r), "error", err)
			}
			failing = err != nil
		}
	}
}

// running are the nodes that our calls resumed and that were connected to the end.
func (c *controls) running() (names []string) {
	for _, n := range c.nodes {
		if n.resumed && c.here[n.name] {
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names
}

// leftPaused are the nodes that our calls paused, or may have paused, and did not resume.
func (c *controls) leftPaused() (paused, maybe []string) {
	for _, n := range c.nodes {
		switch n.paused {
		case isPaused:
			paused = append(paused, n.name)
		case maybePaused:
			maybe = append(maybe, n.name)
		}
	}
	slices.Sort(paused)
	slices.Sort(maybe)
	return paused, maybe
}

// leavePaused looks after the nodes that our calls paused, when nothing calls any more. Where a node still runs, the
// others stay as they are: whoever looks after the end, the relay's next start or a person, finds one node that
// produces and not several. Where none is known to, all of them are resumed. In a cluster another relay sees to it.
func (e *Engine) leavePaused(ctx context.Context) {
	if e.loop == nil || e.loop.controls == nil {
		return
	}
	paused, maybe := e.loop.controls.leftPaused()
	if len(paused)+len(maybe) == 0 {
		return
	}
	if e.cfg.Cluster != nil {
		e.log.Info("nodes are left paused: the cluster's active relay has them in hand", "paused", paused, "maybe_paused", maybe)
		return
	}
	running := e.loop.controls.running()
	if len(running) == 0 {
		e.resumeAll(ctx)
		return
	}
	e.log.Error("nodes are left paused, and this relay was the only one in front of them: they produce nothing until a relay or a "+
		"person resumes them", "running", running, "paused", paused, "maybe_paused", maybe, "resume_by", "POST /v1/producer/resume")
}

// resumeAll resumes the nodes that are, or may be, paused, all at once. It takes as long as one call at most.
func (e *Engine) resumeAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.APITimeout)
	defer cancel()
	last := newControls(&e.cfg, func(_ context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address) // not e.dialAPI: that has ended
	})
	defer last.client.CloseIdleConnections()
	var wg sync.WaitGroup
	for _, n := range e.loop.controls.nodes {
		if n.paused == notPaused {
			continue
		}
		wg.Go(func() {
			if _, err := e.callNode(ctx, last.client, n, core.ControlRequest{Node: n.name}); err != nil {
				e.log.Error("a node may be left paused: it produces nothing until a relay or a person resumes it", "node", n.name, "error", err)
				return
			}
			e.log.Warn("node resumed at the end: no other one was known to produce", "node", n.name)
		})
	}
	wg.Wait()
}

func callName(r core.ControlRequest) string {
	switch {
	case r.Ask:
		return "paused"
	case r.Pause:
		return "pause"
	}
	return "resume"
}

// callNode carries a request out; of a question Pause is the answer.
func (e *Engine) callNode(ctx context.Context, client *http.Client, n *controlled, r core.ControlRequest) (core.ControlRequest, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.APITimeout)
	defer cancel()
	read := confirmed
	if r.Ask {
		read = told(&r.Pause)
	}
	if err := call(ctx, client, n.base+"/v1/producer/"+callName(r), read); err != nil {
		return r, fmt.Errorf("%s %s: %w", callName(r), n.name, err)
	}
	return r, nil
}
