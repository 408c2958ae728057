package simnet

import "bprelay/p2pwire"

// onFork is block_on_fork: whether the best branch has another block of that
// number than id, and whether it has none at all.
func (n *Node) onFork(id p2pwire.ID) (fork, unknown bool) {
	mine, known := n.idForNum(n.db.best, id.Num())
	return mine != id, !known
}

// sendBranch answers request catch_up: the blocks behind id, up to the applied
// head. nodeos sends them one per completed write; here all at once.
func (n *Node) sendBranch(now Instant, c *peer, id p2pwire.ID) {
	if c.peerRoot == 0 {
		return
	}
	from := id.Num()
	if from != 0 {
		fork, unknown := n.onFork(id)
		switch {
		case unknown:
			c.noRetry = p2pwire.GoAwayBenignOther
			n.goAway(now, c, p2pwire.GoAwayBenignOther, p2pwire.ID{})
			return
		case fork:
			from = 0
		}
	}
	if from == 0 {
		from = c.peerRoot
	}
	n.sendRange(c, from+1, n.head.num)
}

// sendNackRequest answers request normal [requested, the peer's head]. The
// names in nodeos are swapped relative to their use; the effect is this.
func (n *Node) sendNackRequest(c *peer, requested, peerHead p2pwire.ID) {
	const maxRange = 100
	start := peerHead.Num()
	if fork, _ := n.onFork(requested); fork {
		start = n.db.root.num
	}
	if n.head.num >= start && n.head.num-start < maxRange {
		n.sendRange(c, start, n.head.num)
	}
}

// receiveSyncRequest is handle_message(sync_request_message).
func (n *Node) receiveSyncRequest(_ Instant, c *peer, m p2pwire.SyncRequest) {
	if m.End == 0 || !c.sendsBlocks() {
		return // what was asked for has left already: nothing to stop
	}
	n.sendRange(c, max(m.Start, 1), m.End)
}

// sendRange sends blocks of the best branch, up to the first one missing.
func (n *Node) sendRange(c *peer, from, to uint32) {
	for num := from; num <= to; num++ {
		frame := n.frameForNum(num)
		if frame == nil {
			return
		}
		n.sendFrame(c, frame)
	}
}
