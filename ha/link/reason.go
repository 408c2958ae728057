package link

import "errors"

// Reason is why a link went down.
type Reason string

// The reasons.
const (
	// Silent: nothing came for the timeout, or this process itself was stopped for that long.
	Silent Reason = "silent"
	// Stuck: nothing could be sent for the timeout.
	Stuck Reason = "stuck"
	// Broken: the other side's system, or something between, ended the connection.
	Broken Reason = "broken"
	// Left: the other side closed its link in good order.
	Left Reason = "left"
	// Replaced: the other side lost this connection, or was restarted, and has a new one.
	Replaced Reason = "replaced"
	// Overflow: more was sent than the queue holds.
	Overflow Reason = "overflow"
	// Malformed: the other side sent what is no frame.
	Malformed Reason = "malformed"
	// Closed: this side closed the link.
	Closed Reason = "closed"
)

var (
	// ErrDown is Send's answer while there is no connection.
	ErrDown = errors.New("link is down")
	// ErrOverflow is Send's answer when the queue is full; the link goes down with it.
	ErrOverflow = errors.New("link's queue is full")
	// ErrTooLarge is Send's answer for a message that no link carries.
	ErrTooLarge = errors.New("message is too large for the link")
)

// Internal causes, each of which stands for a reason.
var (
	errSilent    = errors.New("nothing came in time")
	errMalformed = errors.New("malformed frame")
	errLeft      = errors.New("the peer closed its link")
)
