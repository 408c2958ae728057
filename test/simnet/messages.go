package simnet

import (
	"time"

	"bprelay/p2pwire"
)

// message is connection::process_next_message for one whole frame.
func (n *Node) message(now Instant, c *peer, frame []byte) {
	c.latestMsg = max(now.Mono, 1)
	c.quickCloses = 0
	body := frame[p2pwire.PrefixLen+1:]
	switch p2pwire.Type(frame[p2pwire.PrefixLen]) {
	case p2pwire.TypeSignedBlock:
		c.latestBlock = c.latestMsg
		n.receiveBlock(now, c, frame)
	case p2pwire.TypePackedTransaction:
		n.receiveTrx(now, c, frame)
	case p2pwire.TypeVote:
		n.receiveVote(now, c, frame)
	case p2pwire.TypeHandshake:
		handle(n, now, c, body, p2pwire.DecodeHandshake, n.receiveHandshake)
	case p2pwire.TypeChainSize:
		handle(n, now, c, body, p2pwire.DecodeChainSize, func(Instant, *peer, p2pwire.ChainSize) {})
	case p2pwire.TypeGoAway:
		handle(n, now, c, body, p2pwire.DecodeGoAway, n.receiveGoAway)
	case p2pwire.TypeTime:
		handle(n, now, c, body, p2pwire.DecodeTime, n.receiveTime)
	case p2pwire.TypeNotice:
		handle(n, now, c, body, p2pwire.DecodeNotice, n.receiveNotice)
	case p2pwire.TypeRequest:
		handle(n, now, c, body, p2pwire.DecodeRequest, n.receiveRequest)
	case p2pwire.TypeSyncRequest:
		handle(n, now, c, body, p2pwire.DecodeSyncRequest, n.receiveSyncRequest)
	case p2pwire.TypeBlockNack:
		handle(n, now, c, body, p2pwire.DecodeBlockNack, n.receiveNack)
	case p2pwire.TypeBlockNotice:
		handle(n, now, c, body, p2pwire.DecodeBlockNotice, n.receiveBlockNotice)
	case p2pwire.TypeGossipBPPeers:
		if n.cfg.ProtocolVersion < p2pwire.PVGossipBPPeers {
			n.exception(now, c, "Invalid net_message index")
		}
		// Without p2p-bp-gossip-endpoint, which is not simulated, it is ignored.
	default: // 13 is unknown to spring 1.2, too
		n.exception(now, c, "Invalid net_message index")
	}
}

// handle unpacks a body; nodeos closes on what does not unpack. (nodeos does
// not confine the unpacker to the frame: what is left over is read as the next
// length, with the same result.)
func handle[M any](n *Node, now Instant, c *peer, body []byte, decode func([]byte) (M, error), receive func(Instant, *peer, M)) {
	m, err := decode(body)
	if err != nil {
		n.exception(now, c, "Exception in handling message: "+err.Error())
		return
	}
	receive(now, c, m)
}

// sendHandshake posts a handshake: it is composed after the message being
// handled, and left out when one was sent within 50 ms from the same head.
func (n *Node) sendHandshake(c *peer) {
	conn := c.conn
	n.post(func(now Instant) {
		if !c.open || c.conn != conn {
			return
		}
		best := n.db.best
		if c.lastSent.HeadID == best.id && c.lastSent.Time+int64(50*time.Millisecond) > now.Wall {
			return
		}
		kind := p2pwire.KindBoth
		if !c.dialled {
			if kind = c.kind; n.cfg.RefuseTransactions && kind == p2pwire.KindBoth {
				kind = p2pwire.KindBlocks
			}
		}
		c.sentCount++
		c.lastSent = p2pwire.Handshake{
			NetworkVersion: p2pwire.NetworkVersion(n.cfg.ProtocolVersion),
			ChainID:        n.chain.id,
			NodeID:         n.id,
			Time:           now.Wall,
			P2PAddress:     p2pwire.FormatAddress(n.cfg.Address, kind, n.id),
			RootNum:        n.db.root.num,
			RootID:         n.db.root.id,
			HeadNum:        best.num,
			HeadID:         best.id,
			OS:             "linux",
			Agent:          n.cfg.Name,
			Generation:     c.sentCount,
		}
		n.send(c, c.lastSent)
	})
}

// sendHandshakes is sync_manager::send_handshakes: to all connected peers.
func (n *Node) sendHandshakes(Instant) {
	for _, c := range n.peers {
		if c.open && c.connected {
			n.sendHandshake(c)
		}
	}
}

// receiveHandshake is handle_message(handshake_message).
func (n *Node) receiveHandshake(now Instant, c *peer, h p2pwire.Handshake) {
	if h.Validate() != nil {
		c.noRetry = p2pwire.GoAwayFatalOther
		n.goAway(now, c, p2pwire.GoAwayFatalOther, p2pwire.ID{})
		return
	}
	c.peerRoot, c.peerHead = h.RootNum, h.HeadNum
	c.lastRecv = h
	c.connected = true
	if h.Generation == 1 && !n.firstHandshake(now, c, h) {
		return
	}
	n.syncHandshake(now, c, h)
}

// firstHandshake does the checks of generation 1; false means the connection is
// refused.
func (n *Node) firstHandshake(now Instant, c *peer, h p2pwire.Handshake) bool {
	refuse := func(reason p2pwire.GoAwayReason, id p2pwire.ID) bool {
		c.noRetry = reason
		n.goAway(now, c, reason, id)
		return false
	}
	if h.NodeID == n.id {
		return refuse(p2pwire.GoAwaySelf, p2pwire.ID{})
	}
	if !c.dialled || !c.ownKind {
		c.kind = h.PeerKind()
	}
	for _, other := range n.peers {
		// Only the higher node id calls a second connection a duplicate, so that
		// never both are closed.
		if other != c && other.connected && other.lastRecv.NodeID == h.NodeID && !less(n.id, h.NodeID) {
			return refuse(p2pwire.GoAwayDuplicate, p2pwire.ID{})
		}
	}
	if h.ChainID != n.chain.id {
		return refuse(p2pwire.GoAwayWrongChain, p2pwire.ID{})
	}
	c.pv = h.PV()
	if h.RootNum > 0 && h.RootNum <= n.db.root.num {
		if id, known := n.idForNum(n.db.best, h.RootNum); known && id != h.RootID {
			return refuse(p2pwire.GoAwayForked, p2pwire.ID{})
		}
	}
	if c.sentCount == 0 {
		n.sendHandshake(c)
	}
	return true
}

func less(a, b p2pwire.ID) bool { return string(a[:]) < string(b[:]) }

// receiveGoAway is handle_message(go_away_message).
func (n *Node) receiveGoAway(now Instant, c *peer, m p2pwire.GoAway) {
	n.emit(now, Event{Kind: EventGoAway, Conn: c.conn, Reason: m.Reason.String()})
	first := c.noRetry == p2pwire.GoAwayNoReason
	c.noRetry = m.Reason
	retry := false
	switch m.Reason {
	case p2pwire.GoAwayWrongVersion:
		if retry = first; !first {
			c.noRetry = p2pwire.GoAwayFatalOther
		}
	case p2pwire.GoAwayBenignOther:
		retry = first
	}
	n.close(now, c, retry, "received go_away "+m.Reason.String())
}

// receiveNotice is handle_message(notice_message).
func (n *Node) receiveNotice(now Instant, c *peer, m p2pwire.Notice) {
	c.connected = true
	if len(m.Blocks.IDs) > 2 {
		n.exception(now, c, "Invalid notice_message")
		return
	}
	if m.Blocks.Mode != p2pwire.ListCatchUp && m.Blocks.Mode != p2pwire.ListLastIrrCatchUp {
		return
	}
	if len(m.Blocks.IDs) > 1 {
		c.peerStart = m.Blocks.IDs[1].Num()
	}
	if len(m.Blocks.IDs) > 0 {
		c.peerHead = m.Blocks.IDs[0].Num()
	}
	n.syncNotice(now, c, m)
}

// receiveRequest is handle_message(request_message).
func (n *Node) receiveRequest(now Instant, c *peer, m p2pwire.Request) {
	if len(m.Blocks.IDs) > 2 {
		n.exception(now, c, "Invalid request_message")
		return
	}
	switch m.Blocks.Mode {
	case p2pwire.ListCatchUp:
		if !c.sendsBlocks() {
			return
		}
		var id p2pwire.ID
		if len(m.Blocks.IDs) > 0 {
			id = m.Blocks.IDs[len(m.Blocks.IDs)-1]
		}
		n.sendBranch(now, c, id)
		return
	case p2pwire.ListNormal:
		if c.pv < p2pwire.PVBlockNack || len(m.Blocks.IDs) != 2 || len(m.Trx.IDs) != 0 {
			n.exception(now, c, "Invalid request_message, req_blocks.mode = normal")
			return
		}
		if c.sendsBlocks() {
			n.sendNackRequest(c, m.Blocks.IDs[0], m.Blocks.IDs[1])
		}
		return
	}
	switch m.Trx.Mode {
	case p2pwire.ListNone:
		if m.Blocks.Mode == p2pwire.ListNone {
			c.syncingFrom = false
		}
		if len(m.Trx.IDs) != 0 {
			n.exception(now, c, "Invalid request_message, req_trx.mode=none")
		}
	case p2pwire.ListNormal:
		n.exception(now, c, "Invalid request_message, req_trx.mode=normal")
	}
}
