package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"bprelay/relay/core"
)

// errNotTaken means that the poller refused a connection, as it does when memory is out.
var errNotTaken = errors.New("the event loop did not take the connection")

// admission tells who may connect to a listener, and as whom.
type admission interface {
	// admit returns the peer's name and priority, if it can be told, and whether it may connect.
	admit(ctx context.Context, from netip.Addr) (who Target, ok bool)
}

// anyone lets everyone connect: the core bounds their number.
type anyone struct{}

func (anyone) admit(context.Context, netip.Addr) (Target, bool) { return Target{}, true }

const (
	minAcceptPause, maxAcceptPause = 5 * time.Millisecond, time.Second
	// refusalLog is the least time between two log lines about refused hosts.
	refusalLog = time.Second
)

// accept takes connections for one side until the listener is closed. Whatever else makes accept
// fail, above all a lack of file descriptors, may pass.
func (e *Engine) accept(side core.Side, l *net.TCPListener, hosts admission) {
	pause := minAcceptPause
	var lastRefusal time.Time
	refused := 0
	for e.ctx.Err() == nil {
		c, err := l.AcceptTCP()
		if err == nil {
			from, _ := netip.AddrFromSlice(c.RemoteAddr().(*net.TCPAddr).IP)
			who, ok := hosts.admit(e.ctx, from.Unmap())
			if !ok {
				refused++
				if t := time.Now(); t.Sub(lastRefusal) >= refusalLog {
					e.log.Warn("connection refused: host is not configured", "side", side, "remote", c.RemoteAddr(), "refused", refused)
					lastRefusal, refused = t, 0
				}
				_ = c.Close()
				continue
			}
			err = e.enroll(c, newLink(core.SessionInfo{
				Side: side, Name: who.Name, Remote: c.RemoteAddr().String(), Priority: who.Priority,
			}))
		}
		switch {
		case err == nil:
			pause = minAcceptPause
			continue
		case errors.Is(err, net.ErrClosed):
			if e.ctx.Err() != nil {
				return
			}
		}
		e.log.Warn("accept connection", "side", side, "error", err, "retry_after", pause)
		if !e.pause(pause) {
			return
		}
		pause = min(2*pause, maxAcceptPause)
	}
}
