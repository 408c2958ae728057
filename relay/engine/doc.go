// Package engine runs the relay's core on real connections: it owns the sockets, the clock and the
// timers, feeds the core with what happens and carries out what the core decides.
//
//	e, err := engine.New(engine.Config{Core: cfg, Nodes: nodes, Peers: peers, ListenNetwork: ":9876"})
//	err = e.Start(ctx)  // listening; dials go on in the background
//	st, err := e.Status(ctx)
//	err = e.Close(ctx)  // flushed; no goroutine, socket or timer is left
//
// # One loop
//
// All connections, accepted or dialled, of both sides, live on one gnet event loop, and the core is
// touched by that loop alone: it needs no lock, and a frame goes from the socket it came from to all
// sessions that should get it within one pass. The loop checks for every connection that it is its
// own. Whatever may take long happens beside it and comes back as an event: accepting, resolving
// names, dialling, and the core's jobs on large frames.
//
// Listeners accept in a goroutine each, not inside gnet: gnet v2.10 ends a whole event loop when
// accept(2) fails, and accept fails when the process or the host is out of file descriptors, which a
// stranger can bring about. Here an accept that fails is tried again a little later. The goroutine
// hands a connection over and waits until the loop has taken it, so that however many connect at
// once, the loop gets one of them per listener and pass, and the rest wait in the kernel.
//
// The nodes' producer APIs are called beside the loop as well, by one goroutine for each node: one call
// at a time, of what waits meanwhile only the newest, over connections that stay open. Every
// core.ControlRequest is answered once, within APITimeout of its turn; a superseded one at once. At its
// end the relay logs which nodes it leaves paused, or resumes them if no other node is known to produce.
//
// A pass is: one event (bytes, an end, a timer), then the core's wishes and close requests, then one write
// (vectored, or of frames copied together where they are many and small) per session that has
// something queued.
//
// # Writes
//
// gnet tells nobody when a socket becomes writable, and copies what the socket does not take into a
// list without bound. So the bytes stay in the core's bounded queues, where order of precedence
// still counts and drop rules hold, and a session is only written to while little of it (lowWater)
// waits inside gnet; never more than highWater does, a frame larger than that is handed over in
// pieces. What is left goes out on a short tick, 1 ms and slower while nothing moves, that runs only
// while something is queued. On Linux the kernel's own backlog is kept short as well
// (TCP_NOTSENT_LOWAT): a block overtakes transactions up to there. One pass gives
// a session a few times passBudget at most, so that one being caught up does not hold up the others.
//
// # Time
//
// Both clocks are read once per event, and again for each core.Take, where the relay's own latency is
// measured. One timer stands for all of the core's timers and the tick; when it fires, the loop is
// woken. A loop that stood still reads every socket before it runs timers that are late: what a timer would
// miss may have come meanwhile.
//
// # Failure
//
// A panic on the loop ends the process, with a log line: a relay that has lost track of what it let
// out must not go on. A dead link is noticed by keepalive and, while bytes are outstanding, after
// userTimeout.
package engine
