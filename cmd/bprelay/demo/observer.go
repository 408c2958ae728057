package demo

import (
	"fmt"

	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// relayName begins the names of the streams that come from a relay.
const relayName = "relay"

// observer is a nodeos without producers whose received bytes go to the checker before anything else
// looks at them. Only the runner's goroutine uses it, until that has ended.
type observer struct {
	*simnet.Node
	check   *checker.Checker
	peers   map[string]string // address -> name
	streams map[simnet.ConnID]string
}

// Dialled names the stream: a new connection is a new one.
func (o *observer) Dialled(now simnet.Instant, conn simnet.ConnID, addr string) {
	o.streams[conn] = fmt.Sprintf("%s/%d", o.peers[addr], conn)
	o.Node.Dialled(now, conn, addr)
}

// Data has the checker see the bytes first.
func (o *observer) Data(now simnet.Instant, conn simnet.ConnID, chunk []byte) {
	o.check.Feed(now.Wall, o.streams[conn], chunk)
	o.Node.Data(now, conn, chunk)
}
