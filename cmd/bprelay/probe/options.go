package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"bprelay/p2pwire"
)

// Options say what is probed and for how long.
type Options struct {
	// Address is the peer's host:port.
	Address string
	// ChainID is the chain it should be on; zero: learn it.
	ChainID p2pwire.ID
	// Timeout bounds connecting and the handshakes; if zero, 15 s: a nodeos greets first only with
	// its 10 s tick.
	Timeout time.Duration
	// ListenFor is how long messages are counted after the handshakes; 0: not at all.
	ListenFor time.Duration
	// Agent is the agent-name announced; if empty, "bprelay-probe".
	Agent string
	// Dial connects; if nil, TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

const defaultTimeout = 15 * time.Second

// ErrOptions is matched by the error for options that cannot work.
var ErrOptions = errors.New("bad probe options")

func (o Options) withDefaults() (Options, error) {
	host, _, err := net.SplitHostPort(o.Address)
	switch {
	case err != nil:
		return o, fmt.Errorf("%w: address %q: give host:port", ErrOptions, o.Address)
	case host == "":
		return o, fmt.Errorf("%w: address %q has no host", ErrOptions, o.Address)
	case o.Timeout < 0 || o.ListenFor < 0:
		return o, fmt.Errorf("%w: negative duration", ErrOptions)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Agent == "" {
		o.Agent = "bprelay-probe"
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	return o, nil
}

// nodeID is random, and high: nodeos takes a session for a duplicate only if the peer's node_id is
// not above its own.
func nodeID() (id p2pwire.ID) {
	_, _ = rand.Read(id[:]) // never fails
	id[0] = 0xff
	return id
}
