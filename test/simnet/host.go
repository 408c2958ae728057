package simnet

import "time"

// Instant is a moment in the two clocks an endpoint needs: Mono for intervals,
// Wall (unix nanoseconds) for block time. They need not run together: a world
// may set an endpoint's wall clock off.
type Instant struct {
	Mono time.Duration
	Wall int64
}

// Never is the answer of NextTimer when no timer is set.
const Never = time.Duration(1<<63 - 1)

// ConnID names one connection of one endpoint; hosts never reuse one.
type ConnID uint32

// Host carries out what an endpoint decides. Its methods never call back into
// the endpoint.
type Host interface {
	// Send queues a whole frame (or any bytes). The endpoint does not change
	// them afterwards.
	Send(conn ConnID, frame []byte)
	// CloseConn ends a connection after what was queued is out. The endpoint
	// hears nothing more of it, not even Disconnected.
	CloseConn(conn ConnID)
	// Dial starts a connection attempt: Dialled or DialFailed answers it.
	Dial(addr string)
}

// Endpoint is anything that can be plugged into a [World]: a simulated node, or
// an adapter around another sans-I/O machine such as a relay core. Every method
// but NextTimer is an event at now; events come one at a time.
type Endpoint interface {
	// Start is the first event. The host stays the same from then on.
	Start(now Instant, host Host)
	// Dialled reports that a Dial to addr succeeded.
	Dialled(now Instant, conn ConnID, addr string)
	// Accepted reports an inbound connection; remote is the peer's "host:port".
	Accepted(now Instant, conn ConnID, remote string)
	// Data hands over received bytes, cut anywhere. They are not to be changed,
	// nor kept: a host may reuse the memory.
	Data(now Instant, conn ConnID, chunk []byte)
	// Disconnected reports that the peer, or the network, ended a connection.
	Disconnected(now Instant, conn ConnID)
	// DialFailed reports that a Dial to addr did not succeed.
	DialFailed(now Instant, addr string)
	// Tick runs what is due.
	Tick(now Instant)
	// NextTimer is the Mono time at which Tick is wanted next, or [Never].
	NextTimer() time.Duration
}
