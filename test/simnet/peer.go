package simnet

import (
	"encoding/binary"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// peer is nodeos' connection object. A dialled one lives as long as its address
// is configured and keeps its serial and no_retry over reconnects; an accepted
// one lives as long as its socket.
type peer struct {
	serial  uint32 // connection_id
	dialled bool
	addr    string // p2p-peer-address of a dialled one
	host    string // the other side's IP
	conn    ConnID
	open    bool // socket_open
	dialing bool
	rx      []byte

	connected bool // a handshake or notice came in
	kind      p2pwire.AddressKind
	ownKind   bool // the kind was configured with the address
	pv        uint16

	lastRecv     p2pwire.Handshake
	lastSent     p2pwire.Handshake
	sentCount    int16
	noRetry      p2pwire.GoAwayReason
	lastClose    time.Duration // Mono, with everClosed
	everClosed   bool
	quickCloses  int  // consecutive_immediate_connection_close
	syncingFrom  bool // peer_syncing_from_us
	monitor      blockMonitor
	peerRoot     uint32
	peerHead     uint32
	peerStart    uint32     // earliest block it has
	claimHead    p2pwire.ID // conn_fork_db_head
	claimHeadNum uint32

	latestMsg   time.Duration // Mono; 0 is none yet
	latestBlock time.Duration
	receivedAt  int64 // wall time of the last block message; last_received_block_time

	org, xmt int64
	ping     int64 // ns; 0 is unknown

	nacks       int // consecutive_blocks_nacks
	lastNack    p2pwire.ID
	nackRequest p2pwire.ID
	queuedVotes int

	syncDeadline  time.Duration // Mono; 0 is off
	syncLastBlock uint32        // sync_last_requested_block
	syncOrdinal   uint32
}

// current is connection::current: worth sending live messages to.
func (c *peer) current() bool { return c.open && c.connected && !c.syncingFrom }

// sendsBlocks is is_blocks_connection.
func (c *peer) sendsBlocks() bool { return c.kind != p2pwire.KindTransactions }

// blockMonitor is block_status_monitor: it groups rejected blocks into windows
// of 2 ms and counts the windows since the last accepted block.
type blockMonitor struct {
	rejecting bool
	start     int64
	windows   int
}

const (
	rejectWindow       = int64(2 * time.Millisecond)
	maxRejectedWindows = 13
)

func (m *blockMonitor) rejected(now Instant) {
	if !m.rejecting {
		*m = blockMonitor{rejecting: true, start: now.Wall}
		return
	}
	if now.Wall-m.start >= rejectWindow {
		m.windows++
		m.start = now.Wall
	}
}

func (m *blockMonitor) violated() bool { return m.windows >= maxRejectedWindows }

// Dialled implements [Endpoint].
func (n *Node) Dialled(now Instant, conn ConnID, addr string) {
	n.now = now
	for _, c := range n.peers {
		if c.dialled && c.dialing && dialAddress(c.addr) == addr {
			n.opened(c, conn)
			n.sendHandshake(c)
			n.sendTime(now, c, nil)
			n.settle(now)
			return
		}
	}
	n.host.CloseConn(conn) // the address was given up meanwhile
}

// DialFailed implements [Endpoint].
func (n *Node) DialFailed(now Instant, addr string) {
	n.now = now
	for _, c := range n.peers {
		if c.dialled && c.dialing && dialAddress(c.addr) == addr {
			c.dialing = false
			n.close(now, c, false, "connect failed")
			break
		}
	}
	n.settle(now)
}

// Accepted implements [Endpoint]. Over p2p-max-nodes-per-host or max-clients
// the socket is closed silently.
func (n *Node) Accepted(now Instant, conn ConnID, remote string) {
	n.now = now
	host, visitors, same := hostOf(remote), 0, 0
	for _, c := range n.peers {
		if c.open && !c.dialled {
			visitors++
			if c.host == host {
				same++
			}
		}
	}
	if limit := n.cfg.MaxNodesPerHost; limit > 0 && same >= limit {
		n.host.CloseConn(conn)
		return
	}
	if limit := n.cfg.MaxClients; limit > 0 && visitors >= limit {
		n.host.CloseConn(conn)
		return
	}
	n.serial++
	c := &peer{serial: n.serial, host: host}
	n.peers = append(n.peers, c)
	n.opened(c, conn)
}

func (n *Node) opened(c *peer, conn ConnID) {
	c.conn, c.open, c.dialing, c.rx = conn, true, false, nil
	n.byConn[conn] = c
}

// Disconnected implements [Endpoint].
func (n *Node) Disconnected(now Instant, conn ConnID) {
	n.now = now
	c := n.byConn[conn]
	if c == nil {
		return
	}
	c.open = false // the socket is gone already
	delete(n.byConn, conn)
	n.closed(now, c, false, "closed by peer")
	n.settle(now)
}

// Data implements [Endpoint].
func (n *Node) Data(now Instant, conn ConnID, chunk []byte) {
	n.now = now
	c := n.byConn[conn]
	if c == nil {
		return
	}
	c.rx = append(c.rx, chunk...)
	for c.open && c.conn == conn {
		frame := n.nextFrame(now, c)
		if frame == nil {
			break
		}
		n.message(now, c, frame)
		n.settle(now)
	}
	n.settle(now)
}

// nextFrame cuts the next whole frame off; a length nodeos does not expect
// closes the connection.
func (n *Node) nextFrame(now Instant, c *peer) []byte {
	if len(c.rx) < p2pwire.PrefixLen {
		return nil
	}
	length := binary.LittleEndian.Uint32(c.rx)
	if length == 0 || length > p2pwire.MaxPayload {
		n.exception(now, c, "incoming message length unexpected")
		return nil
	}
	total := p2pwire.PrefixLen + int(length)
	if len(c.rx) < total {
		return nil
	}
	frame := slices.Clone(c.rx[:total])
	if c.rx = c.rx[total:]; len(c.rx) == 0 {
		c.rx = nil
	}
	return frame
}

// send queues a message.
func (n *Node) send(c *peer, m p2pwire.Message) { n.sendFrame(c, p2pwire.AppendFrame(nil, m)) }

func (n *Node) sendFrame(c *peer, frame []byte) {
	if c.open {
		n.host.Send(c.conn, frame)
	}
}

// exception closes a connection for something malformed or invalid: without
// go_away and without a quick redial.
func (n *Node) exception(now Instant, c *peer, reason string) { n.close(now, c, false, reason) }

// goAway sends a go_away and closes.
func (n *Node) goAway(now Instant, c *peer, reason p2pwire.GoAwayReason, id p2pwire.ID) {
	n.send(c, p2pwire.GoAway{Reason: reason, NodeID: id})
	n.emit(now, Event{Kind: EventGoAwaySent, Conn: c.conn, Reason: reason.String()})
	n.close(now, c, false, "sent go_away "+reason.String())
}

// close ends a connection; reconnect asks for a redial after 100 ms.
func (n *Node) close(now Instant, c *peer, reconnect bool, reason string) {
	if c.open {
		c.open = false
		delete(n.byConn, c.conn)
		n.host.CloseConn(c.conn)
	}
	n.closed(now, c, reconnect, reason)
}

// closed is connection::_close.
func (n *Node) closed(now Instant, c *peer, reconnect bool, reason string) {
	n.emit(now, Event{Kind: EventClosed, Conn: c.conn, Reason: reason})
	c.rx, c.connected, c.syncingFrom = nil, false, false
	c.monitor = blockMonitor{}
	c.quickCloses++
	c.lastRecv, c.lastSent, c.sentCount = p2pwire.Handshake{}, p2pwire.Handshake{}, 0
	c.lastClose, c.everClosed = now.Mono, true
	c.nackRequest = p2pwire.ID{}
	c.peerRoot, c.ping = 0, 0
	c.syncDeadline = 0
	n.syncResetRoot(now, c, true)
	c.syncLastBlock = 0
	c.org = 0
	c.latestMsg, c.latestBlock = 0, 0
	c.nacks, c.lastNack = 0, p2pwire.ID{}
	if c.receivedAt != 0 && c.receivedAt >= n.lastReceived-int64(3*time.Second) {
		for _, p := range n.peers {
			if p.current() && p.sendsBlocks() {
				n.sendNack(p, p2pwire.ID{})
			}
		}
	}
	if !c.dialled {
		n.forget(c)
	} else if reconnect {
		n.monitorAt = now.Mono + 100*time.Millisecond
	}
}
