package simnet

import (
	"math"
	"slices"
	"time"

	"bprelay/p2pwire"
)

type syncStage uint8

const (
	inSync syncStage = iota
	libCatchup
	headCatchup
)

// syncState is sync_manager: one for all connections.
type syncState struct {
	state                syncStage
	knownRoot            uint32 // sync_known_fork_db_root_num
	lastRequested        uint32
	nextExpected         uint32
	source               *peer
	active               time.Duration // Mono of the last sync progress
	ordinal              uint32
	handshakesWhenSynced bool
}

const (
	// responseTime is how long a sync source may stay silent.
	responseTime  = 5 * time.Second
	syncPeerLimit = 3
)

// latencyBlocks is calc_block_latency: the peer's round trip in blocks.
func (c *peer) latencyBlocks() uint32 {
	return uint32(math.Round(float64(c.ping) / float64(slotNs)))
}

// minDistance is the extra tolerance before a peer counts as far behind.
func (n *Node) minDistance() uint32 { return uint32(n.cfg.KeepAlive/p2pwire.SlotDuration) / 2 }

// syncHandshake is sync_manager::recv_handshake: the decision, on every
// handshake, of who has to catch up with whom.
func (n *Node) syncHandshake(now Instant, c *peer, h p2pwire.Handshake) {
	if !c.sendsBlocks() {
		return
	}
	n.syncResetRoot(now, c, false)
	best, root, latency := n.db.best, n.db.root, c.latencyBlocks()
	switch {
	case best.id == h.HeadID: // 0: all caught up
		c.syncingFrom = false
	case best.num < h.RootNum: // 1: let the peer tell us, with a notice
		c.syncingFrom = false
		if c.sentCount > 0 {
			n.sendHandshake(c)
		}
	case root.num > h.HeadNum+latency+n.minDistance(): // 2: the peer is far behind
		if h.Generation > 1 || c.pv > p2pwire.PVBase {
			n.send(c, p2pwire.Notice{
				Trx:    p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: root.num},
				Blocks: n.headNotice(c, p2pwire.ListLastIrrCatchUp),
			})
			c.syncingFrom = true
		}
	case best.num+latency < h.HeadNum: // 3: we are behind
		c.syncingFrom = false
		n.verifyCatchup(now, c, h.HeadNum, h.HeadID)
	case best.num >= h.HeadNum+latency: // 4: the peer is a little behind, or on a fork
		if h.Generation > 1 || c.pv > p2pwire.PVBase {
			n.send(c, p2pwire.Notice{Blocks: n.headNotice(c, p2pwire.ListCatchUp)})
		}
		c.syncingFrom = false
		if fork, _ := n.onFork(h.HeadID); fork {
			n.send(c, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp}})
		}
	default: // 5: within latency
		c.syncingFrom = false
	}
}

// headNotice is the block half of a catch-up notice: our head and, to peers
// that take it, the earliest block we have, as a number in an id.
func (n *Node) headNotice(c *peer, mode p2pwire.ListMode) p2pwire.IDList {
	l := p2pwire.IDList{Mode: mode, Pending: n.db.best.num, IDs: []p2pwire.ID{n.db.best.id}}
	if c.pv >= p2pwire.PVBlockRange {
		e := n.cfg.EarliestBlock
		l.IDs = append(l.IDs, p2pwire.ID{byte(e >> 24), byte(e >> 16), byte(e >> 8), byte(e)})
	}
	return l
}

// verifyCatchup asks a peer for what is behind our head, unless another
// connection has promised as much.
func (n *Node) verifyCatchup(_ Instant, c *peer, num uint32, id p2pwire.ID) {
	for _, p := range n.peers {
		if p.sendsBlocks() && (p.claimHeadNum > num || p.claimHead == id) {
			c.claimHead, c.claimHeadNum = p2pwire.ID{}, 0
			n.send(c, p2pwire.Request{}) // none, none: "not syncing from you"
			return
		}
	}
	if n.sync.state == libCatchup || num < n.db.root.num {
		n.sendHandshake(c)
		return
	}
	n.sync.state = headCatchup
	c.claimHead, c.claimHeadNum = id, num
	n.send(c, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{n.db.best.id}}})
}

// syncNotice is sync_manager::sync_recv_notice.
func (n *Node) syncNotice(now Instant, c *peer, m p2pwire.Notice) {
	if m.Blocks.Mode == p2pwire.ListLastIrrCatchUp {
		c.peerRoot = m.Trx.Pending
		c.lastRecv.RootNum = m.Trx.Pending
		n.syncResetRoot(now, c, false)
		n.startSync(now, c, m.Trx.Pending)
		return
	}
	if len(m.Blocks.IDs) == 0 {
		return
	}
	if n.haveBlock(m.Blocks.IDs[0]) {
		n.sendHandshake(c)
		return
	}
	n.verifyCatchup(now, c, m.Blocks.Pending, m.Blocks.IDs[0])
}

// syncResetRoot is sync_reset_fork_db_root_num.
func (n *Node) syncResetRoot(now Instant, c *peer, closing bool) {
	s := &n.sync
	if s.state == inSync {
		s.source = nil
	}
	if !closing {
		s.knownRoot = max(s.knownRoot, c.peerRoot)
		return
	}
	s.knownRoot = 0
	for _, p := range n.peers {
		if p.sendsBlocks() && p.current() {
			s.knownRoot = max(s.knownRoot, p.lastRecv.RootNum)
		}
	}
	if c == s.source {
		s.lastRequested = 0
		s.nextExpected = max(n.db.root.num+1, s.nextExpected)
		s.source = nil
		n.requestNextChunk(now, nil)
	}
}

// startSync begins, or goes on with, fetching irreversible blocks.
func (n *Node) startSync(now Instant, c *peer, target uint32) {
	s := &n.sync
	s.knownRoot = max(s.knownRoot, target)
	required := s.lastRequested < s.knownRoot || s.nextExpected < s.lastRequested
	switch {
	case !required || target <= n.db.root.num:
		n.sendHandshake(c)
	case s.state != libCatchup || now.Mono-s.active >= responseTime:
		s.state = libCatchup
		s.lastRequested = 0
		s.nextExpected = n.db.root.num + 1
		n.requestNextChunk(now, c)
	case s.lastRequested > 0 && n.requestAhead(s.nextExpected-1):
		n.requestNextChunk(now, nil)
	}
}

// requestAhead is is_sync_request_ahead_allowed.
func (n *Node) requestAhead(num uint32) bool {
	s := &n.sync
	if num < s.lastRequested || s.lastRequested >= s.knownRoot {
		return false
	}
	return num <= n.head.num || num-n.head.num < n.cfg.SyncFetchSpan
}

// requestNextChunk sends a sync_request to c, or to the best source there is.
func (n *Node) requestNextChunk(now Instant, c *peer) {
	s := &n.sync
	if c == nil || !c.current() {
		c = n.nextSource()
	}
	if c != nil && s.lastRequested != s.knownRoot {
		start := s.nextExpected
		end := min(start+n.cfg.SyncFetchSpan-1, s.knownRoot)
		if end > 0 && end >= start {
			s.lastRequested, s.source, s.active = end, c, now.Mono
			c.syncLastBlock = end
			c.syncDeadline = now.Mono + responseTime
			n.send(c, p2pwire.SyncRequest{Start: start, End: end})
			return
		}
	}
	s.source = nil
	s.knownRoot = n.db.root.num
	s.lastRequested = 0
	s.nextExpected = max(s.knownRoot+1, s.nextExpected)
	s.state = inSync
	n.sendHandshakes(now)
}

// nextSource is find_next_sync_node: among the fastest eligible peers the one
// used longest ago.
func (n *Node) nextSource() *peer {
	s := &n.sync
	var found []*peer
	for _, p := range n.peers {
		end := min(s.nextExpected+n.cfg.SyncFetchSpan, s.knownRoot)
		if p.sendsBlocks() && p.current() && p.noRetry == p2pwire.GoAwayNoReason &&
			p.peerStart <= s.nextExpected && p.peerHead >= end {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortStableFunc(found, func(a, b *peer) int { return int(a.ping - b.ping) })
	found = found[:min(len(found), syncPeerLimit)]
	s.ordinal++
	oldest := slices.MinFunc(found, func(a, b *peer) int { return int(a.syncOrdinal) - int(b.syncOrdinal) })
	oldest.syncOrdinal = s.ordinal
	return oldest
}

// syncTimeout gives up a silent source.
func (n *Node) syncTimeout(now Instant, c *peer) {
	c.syncDeadline = 0
	if c == n.sync.source {
		c.syncLastBlock = 0
		n.send(c, p2pwire.SyncRequest{})
		n.sync.lastRequested = 0
		n.sync.nextExpected = max(n.sync.nextExpected, n.db.root.num+1)
		n.sync.source = nil
		n.requestNextChunk(now, nil)
	}
	n.close(now, c, true, "sync timed out")
}

// syncReceivedBlock is sync_recv_block with a connection: a block came in.
func (n *Node) syncReceivedBlock(now Instant, c *peer, id p2pwire.ID, slot p2pwire.Slot) {
	s := &n.sync
	num := id.Num()
	c.latestBlock, s.active = max(now.Mono, 1), now.Mono
	if now.Wall-slot.Time() < slotNs {
		c.syncingFrom = false
	}
	if s.state == headCatchup {
		n.syncHeadBlock(c, id)
		return
	}
	if s.state != libCatchup {
		return
	}
	if num >= c.syncLastBlock {
		s.source = nil
		c.syncDeadline = 0
	} else {
		c.syncDeadline = now.Mono + responseTime
	}
	if s.lastRequested == 0 {
		s.nextExpected = n.db.root.num + 1
	} else if num == s.nextExpected {
		s.nextExpected++
	}
	if num >= s.knownRoot {
		s.handshakesWhenSynced = true
	} else if n.requestAhead(num) {
		n.requestNextChunk(now, nil)
	}
}

// syncAppliedBlock is sync_recv_block without a connection: a block was applied.
func (n *Node) syncAppliedBlock(now Instant, b *block) {
	s := &n.sync
	s.active = now.Mono
	switch s.state {
	case headCatchup:
		n.syncHeadBlock(nil, b.id)
	case libCatchup:
		if b.num >= s.knownRoot {
			s.state = headCatchup
			n.sendHandshakes(now)
		} else if n.requestAhead(b.num) {
			n.requestNextChunk(now, nil)
		}
	default:
		n.sendHandshakesIfSynced(now, b)
	}
}

// syncHeadBlock decides whether a head catch-up is over.
func (n *Node) syncHeadBlock(c *peer, id p2pwire.ID) {
	s := &n.sync
	s.source = nil
	pending := false
	for _, p := range n.peers {
		if !p.sendsBlocks() || p.claimHead.IsZero() {
			continue
		}
		if p.claimHeadNum < id.Num() || p.claimHead == id {
			if c != nil {
				c.claimHead, c.claimHeadNum = p2pwire.ID{}, 0
			}
		} else {
			pending = true
		}
	}
	if !pending {
		s.state = inSync
		s.handshakesWhenSynced = true
	}
}
