package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// propose has an entry committed, and returns what it came to. It asks again until ctx is over: the first
// claim decides, so that a claim may be proposed as often as one likes. Only an error that no further
// asking mends comes earlier.
func (n *Node) propose(ctx context.Context, e []byte) (Decision, error) {
	pause := n.o.Timing.Heartbeat / 32
	var last error
	for {
		d, err := n.proposeOnce(ctx, e)
		if err == nil || !errors.Is(err, errAgain) {
			return d, err
		}
		if last = err; ctx.Err() != nil {
			return d, last
		}
		select {
		case <-ctx.Done():
			return d, last
		case <-time.After(pause):
		}
	}
}

func (n *Node) proposeOnce(ctx context.Context, e []byte) (d Decision, err error) {
	in := n.instance()
	if in == nil {
		return d, fmt.Errorf("%w: %w", errAgain, errAside)
	}
	if in.leads() {
		return n.apply(ctx, in, e)
	}
	_, leader := in.raft.LeaderWithID()
	if leader == "" || in.gate.shut.Load() {
		return d, fmt.Errorf("%w: nobody leads", errAgain)
	}
	// Whoever leads decides: a witness has nothing of its own to propose, and a relay that was active until
	// a moment ago may be right about its block.
	b, err := n.net.call(ctx, nameOf(leader), append([]byte{askPropose}, e...))
	if err != nil {
		return d, fmt.Errorf("%w: %w", errAgain, err)
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return d, fmt.Errorf("%w: answer of %s: %w", errAgain, leader, err)
	}
	return a.Decision, a.err()
}

// apply has raft commit an entry.
func (n *Node) apply(ctx context.Context, in *instance, e []byte) (d Decision, err error) {
	patience := n.o.Timing.claimWait()
	if until, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(until))
	}
	if patience <= 0 {
		return d, fmt.Errorf("%w: %w", errAgain, context.DeadlineExceeded)
	}
	f := in.raft.Apply(e, patience)
	if err := in.wait(ctx, f, patience); err != nil {
		// What was not answered may be committed all the same: then everybody hears of it.
		return d, fmt.Errorf("%w: %w", errAgain, err)
	}
	switch r := f.Response().(type) {
	case Decision:
		return r, nil
	case error:
		return d, r
	}
	return d, nil
}

// answer answers another member.
func (n *Node) answer(ctx context.Context, from string, q []byte) []byte {
	if len(q) == 0 {
		return nil
	}
	body := q[1:]
	switch q[0] {
	case askHello:
		return n.hear(from, body)
	case askPropose:
		return answerOf(n.proposal(ctx, body))
	case askHealth:
		var h Health
		if json.Unmarshal(body, &h) != nil {
			return nil
		}
		n.mu.Lock()
		n.reports[from] = report{h, time.Now()}
		n.mu.Unlock()
		return []byte{}
	case askHolds:
		if len(body) == 32 {
			n.relay.held(from, [32]byte(body))
		}
		return []byte{}
	case askBlock:
		if len(body) != 32 {
			return nil
		}
		return append([]byte{}, n.relay.frame(ctx, [32]byte(body))...)
	case askChange:
		var c change
		if err := json.Unmarshal(body, &c); err != nil {
			return answerOf(Decision{}, fmt.Errorf("read a change: %w", err))
		}
		ctx, cancel := context.WithTimeout(ctx, min(c.Patience, maxPatience))
		defer cancel()
		return answerOf(Decision{}, n.carryOut(ctx, &c))
	}
	return nil
}

// proposal commits another member's entry if this member leads. It is not passed on further: who asks
// knows better by then.
func (n *Node) proposal(ctx context.Context, b []byte) (Decision, error) {
	e, err := decodeEntry(b)
	if err != nil {
		return Decision{}, fmt.Errorf("a proposal: %w", err) // it never gets into the log
	}
	if e.kind == kindReign {
		return Decision{}, errors.New("a proposal: a reign is the leader's to give")
	}
	in := n.instance()
	if in == nil || in.raft.State() != raft.Leader || in.gate.shut.Load() {
		return Decision{}, fmt.Errorf("%w: %s does not lead", errAgain, n.o.Name)
	}
	return n.apply(ctx, in, b)
}
