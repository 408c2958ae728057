// Package link keeps one authenticated connection between two members of a cluster.
//
//	acceptor, err := link.Listen(link.ListenConfig{Address: "10.0.0.1:9870", Identity: me})
//	l, err := link.Open(link.Config{Identity: me, Peer: "b", Dial: "10.0.0.2:9870", Acceptor: acceptor, Timing: link.LAN}, handler)
//	err = l.Send(message)   // never blocks; SendOn: only on a certain connection
//	l.Close(ctx)
//
// A message is a string of bytes that the package does not look at. Messages arrive whole, once and in
// order while the link is up; what was on the way when it went down is lost or not, and is not
// delivered later: a failed connection is closed with RST, so that the system throws away what it still
// had to send; what a stopped process finds when it wakes up is not read if there is a reset behind it,
// and in no case if it was stopped for Timeout. So a message arrives within Timeout, or never.
//
// # Who is at the other end
//
// TLS 1.3, both sides with a certificate (package creds). A connection counts for a link only if the
// other end is the configured peer.
//
// # One connection
//
// Both members dial and accept, so that either way through a firewall will do. Of the connections that
// come about, the member whose name sorts first chooses one and says so; the other one uses what was
// chosen. While that one is alive all others are closed, unless the peer says that it lost it, or was
// restarted: then the new one takes its place at once. So both sides always agree, and there is
// never more than one.
//
// # Silence
//
// Each side sends a ping every Heartbeat. A side to which nothing came for Timeout, not even a part
// of a message, calls the link down; so it does when the system could not bring a byte to the other
// side within that time (TCP_USER_TIMEOUT on Linux, and a deadline on each write). The time from a
// failure to Down is thus between Timeout - Heartbeat and Timeout. A connection that the other side's
// system ends (the process died) is down at once.
//
// # Frames
//
//	uint32   length of the rest, big endian, 1 to the largest message + 1
//	uint8    kind: 1 hello, 2 chosen, 3 ping, 4 pong, 5 message, 6 bye
//	bytes    hello: version, instance, connection lost before, heartbeat; chosen: the connection's
//	         number; ping and pong: a time of the sender's; message: the message; bye: nothing
//
// A frame that is not exactly so ends the connection.
package link
