package engine

import (
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"bprelay/relay/core"
)

// link is one connection, from the moment it is handed to the loop. Its fields belong to the loop,
// but for those that say otherwise.
type link struct {
	info core.SessionInfo

	conn gnet.Conn
	id   core.SessionID
	// rest is what the core let us take and the connection had no room for; the core keeps the
	// bytes valid until Done.
	rest [][]byte
	// inBacklog is true while the link is in the loop's list of links with a rest.
	inBacklog bool
	// gone is true once conn must not be touched any more.
	gone bool

	// opened is true if the loop took the connection; read by the goroutine that handed it over.
	opened atomic.Bool
	// ended is closed when the connection is gone. What follows is set before and read after it.
	ended      chan struct{}
	refused    error         // the core did not want the connection
	retryAfter time.Duration // how long the core wants a dialled peer left alone
}

func newLink(info core.SessionInfo) *link {
	return &link{info: info, ended: make(chan struct{})}
}
