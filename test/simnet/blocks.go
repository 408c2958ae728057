package simnet

import (
	"errors"

	"bprelay/p2pwire"
)

// haveBlock is dispatch_manager::have_block: some connection is known to have
// it, which means that its header was validated here.
func (n *Node) haveBlock(id p2pwire.ID) bool { return len(n.peerBlocks[id]) > 0 }

// addPeerBlock notes that a connection has a block; false if it was noted.
func (n *Node) addPeerBlock(id p2pwire.ID, c *peer) bool {
	known := n.peerBlocks[id]
	if known == nil {
		known = map[uint32]bool{}
		n.peerBlocks[id] = known
	}
	if known[c.serial] {
		return false
	}
	known[c.serial] = true
	return true
}

// receiveBlock is process_next_block_message and what it dispatches to.
func (n *Node) receiveBlock(now Instant, c *peer, frame []byte) {
	view, err := p2pwire.ParseBlock(frame[p2pwire.PrefixLen+1:])
	if err != nil {
		n.exception(now, c, "Exception in handling message: "+err.Error())
		return
	}
	c.receivedAt, n.lastReceived = now.Wall, now.Wall
	if n.haveBlock(view.ID) {
		n.addPeerBlock(view.ID, c)
		n.sendNack(c, view.ID)
		n.syncReceivedBlock(now, c, view.ID, view.Slot)
		return
	}
	old := view.Num <= n.db.root.num
	if n.sync.state != libCatchup {
		if old {
			n.sendNack(c, view.ID)
			c.syncDeadline = 0
			return
		}
	} else {
		n.syncReceivedBlock(now, c, view.ID, view.Slot)
		if old {
			return
		}
	}
	b, added, err := n.accept(now, view, frame)
	switch {
	case errors.Is(err, errUnlinkable):
		n.emit(now, Event{Kind: EventUnlinkable, Conn: c.conn, ID: view.ID, Slot: view.Slot})
		n.rejectedBlock(now, c, view.Num, false, "")
		return
	case err != nil:
		n.rejectedBlock(now, c, view.Num, true, err.Error())
		return
	}
	n.addPeerBlock(b.id, c)
	n.broadcastBlock(now, b)
	c.monitor = blockMonitor{}
	if !added {
		return
	}
	n.notifyNewBlock(now, b)
	if n.db.best == b {
		n.post(n.incomingBlock)
	}
}

// rejectedBlock is sync_manager::rejected_block.
func (n *Node) rejectedBlock(now Instant, c *peer, num uint32, atOnce bool, reason string) {
	c.monitor.rejected(now)
	if s := &n.sync; s.lastRequested != 0 && num <= s.nextExpected-1 {
		s.lastRequested = 0
		s.nextExpected = n.db.root.num + 1
	}
	switch {
	case atOnce:
		n.close(now, c, false, "bad block exception: "+reason)
	case c.monitor.violated():
		n.close(now, c, true, "max violations reached")
	default:
		n.sendHandshake(c)
	}
}

// broadcastBlock is dispatch_manager::bcast_block: to every current block peer
// not known to have it, in full or, after enough nacks, as a notice.
func (n *Node) broadcastBlock(now Instant, b *block) {
	if n.sync.state == libCatchup {
		return
	}
	for _, c := range n.peers {
		if !c.sendsBlocks() || !c.current() || !n.addPeerBlock(b.id, c) {
			continue
		}
		c.latestBlock = max(now.Mono, 1)
		if n.mayNack(c) && c.nacks > nackThreshold && !n.producers[b.producer] {
			n.send(c, p2pwire.BlockNotice{Previous: b.previous(), ID: b.id})
			continue
		}
		if c.peerRoot < b.num {
			n.sendFrame(c, b.frame)
		}
	}
}

// previous returns the id of b's parent, which the header keeps even when the
// parent is no longer held.
func (b *block) previous() p2pwire.ID {
	const offset = p2pwire.PrefixLen + 1 + 14
	return p2pwire.ID(b.frame[offset : offset+32])
}

// nackThreshold is consecutive_block_nacks_threshold: four nacks in a row, the
// first of which only sets the base.
const nackThreshold = 2

// mayNack reports whether nacks and notices are in use towards c.
func (n *Node) mayNack(c *peer) bool {
	return c.pv >= p2pwire.PVBlockNack && !n.cfg.DisableBlockNack
}

func (n *Node) sendNack(c *peer, id p2pwire.ID) {
	if n.mayNack(c) && n.sync.state != libCatchup {
		n.send(c, p2pwire.BlockNack{ID: id})
	}
}

// receiveNack is handle_message(block_nack_message).
func (n *Node) receiveNack(now Instant, c *peer, m p2pwire.BlockNack) {
	num := m.ID.Num()
	if num == 0 {
		c.nacks, c.lastNack = 0, m.ID
		return
	}
	c.latestBlock = max(now.Mono, 1)
	old := num <= n.db.root.num
	if old || n.haveBlock(m.ID) {
		if num-1 == c.lastNack.Num() {
			c.nacks++
		} else {
			c.nacks = 0
		}
		if !old {
			n.addPeerBlock(m.ID, c)
		}
	}
	c.lastNack = m.ID
}

// receiveBlockNotice is handle_message(block_notice_message).
func (n *Node) receiveBlockNotice(now Instant, c *peer, m p2pwire.BlockNotice) {
	if m.ID.Num()-1 != m.Previous.Num() {
		n.exception(now, c, "Invalid block_notice_message")
		return
	}
	if m.ID.Num() <= n.db.root.num {
		return
	}
	c.latestBlock = max(now.Mono, 1)
	switch {
	case n.haveBlock(m.ID):
		n.addPeerBlock(m.ID, c)
		return
	case n.haveBlock(m.Previous):
		return // the block itself will come from another peer
	}
	for _, p := range n.peers {
		if p.sendsBlocks() && p.nackRequest == m.Previous {
			return
		}
	}
	n.sendNack(c, p2pwire.ID{})
	c.nackRequest = m.Previous
	n.send(c, p2pwire.Request{Blocks: p2pwire.IDList{
		Mode: p2pwire.ListNormal, IDs: []p2pwire.ID{m.Previous, n.head.id},
	}})
}
