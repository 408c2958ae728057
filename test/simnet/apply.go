package simnet

import (
	"time"

	"bprelay/p2pwire"
)

// commit makes b, whose parent is the head, the head.
func (n *Node) commit(now Instant, b *block) {
	b.validated = true
	n.head = b
	n.pool.applied(b)
	n.acceptedHeader(now, b)
	n.post(func(now Instant) { n.syncAppliedBlock(now, b) })
	n.sendHandshakesIfSynced(now, b)
}

// acceptedHeader is the accepted_block_header signal: watermarks (legacy) and
// the vote tracker (Savanna).
func (n *Node) acceptedHeader(now Instant, b *block) {
	if n.chain.cfg.Mode == Savanna {
		n.tracker.block(now.Wall, b.slot.Time())
		return
	}
	if !n.producers[b.producer] {
		return
	}
	w := n.watermarks[b.producer]
	n.watermarks[b.producer] = watermark{num: max(w.num, b.num), slot: max(w.slot, b.slot)}
}

// applyBlocks makes the fork database's best branch the applied one and reports
// whether the head moved. Execution itself takes no time here.
func (n *Node) applyBlocks(now Instant) bool {
	target := n.db.best
	if target == n.head {
		return false
	}
	var branch []*block
	b := target
	for ; !n.head.extends(b.id); b = b.parent {
		branch = append(branch, b)
	}
	if undone := int(n.head.num - b.num); undone > 0 {
		n.emit(now, Event{Kind: EventSwitched, ID: target.id, Previous: n.head.id, Slot: target.slot, Count: undone})
		for ; n.head != b; n.head = n.head.parent {
			n.pool.undone(n.head)
		}
	}
	for i := len(branch) - 1; i >= 0; i-- {
		n.commit(now, branch[i])
		n.considerVoting(now, branch[i])
	}
	n.logIrreversible(now)
	if (n.head.slot + 1).Time() >= now.Wall {
		n.prod.enabled = true
	}
	return true
}

// logIrreversible moves the root to the applied head's last irreversible block.
func (n *Node) logIrreversible(now Instant) {
	for _, b := range n.db.advance(n.head, n.head.lib) {
		n.log = append(n.log, logged{id: b.id, frame: b.frame})
		n.emit(now, Event{Kind: EventIrreversible, ID: b.id, Slot: b.slot})
	}
}

// incomingBlock is producer_plugin_impl::on_incoming_block: a node in producing
// mode applies nobody's blocks.
func (n *Node) incomingBlock(now Instant) {
	if n.prod.producing || n.head == n.db.best {
		return
	}
	n.applyBlocks(now)
	n.scheduleProductionLoop(now)
}

// sendHandshakesIfSynced is on_accepted_block's part that announces the end of
// a catch-up.
func (n *Node) sendHandshakesIfSynced(now Instant, b *block) {
	if n.sync.handshakesWhenSynced && time.Duration(now.Wall-b.slot.Time()) < p2pwire.SlotDuration {
		n.sync.handshakesWhenSynced = false
		n.sendHandshakes(now)
	}
}
