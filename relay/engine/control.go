package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
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
}

// controlled is one node's producer API.
type controlled struct {
	name, base string
	// wish is the newest request not begun yet. Only the loop puts one in.
	wish chan core.ControlRequest
	// paused is what the last call left behind. Only the loop looks.
	paused pausedState
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
	n.paused = n.paused.after(r.Pause, err)
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
			err := e.callNode(n, r)
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

// sayLeftPaused tells of nodes that nobody resumes when the relay is gone. It does not resume them
// itself: whoever looks after the end, the relay's next start or a person, finds one node that
// produces and not several, and the nodes have no other way out than a relay anyway.
func (e *Engine) sayLeftPaused() {
	if e.loop == nil || e.loop.controls == nil {
		return
	}
	paused, maybe := e.loop.controls.leftPaused()
	if len(paused)+len(maybe) == 0 {
		return
	}
	e.log.Error("nodes are left paused: they produce nothing until a relay or a person resumes them",
		"paused", paused, "maybe_paused", maybe, "resume_by", "POST /v1/producer/resume")
}

func callName(r core.ControlRequest) string {
	if r.Pause {
		return "pause"
	}
	return "resume"
}

func (e *Engine) callNode(n *controlled, r core.ControlRequest) error {
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.APITimeout)
	defer cancel()
	if err := call(ctx, e.loop.controls.client, n.base+"/v1/producer/"+callName(r)); err != nil {
		return fmt.Errorf("%s %s: %w", callName(r), n.name, err)
	}
	return nil
}
