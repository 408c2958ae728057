package simnet

import (
	"time"

	"bprelay/p2pwire"
)

// checkHeartbeat runs on every keep-alive tick.
func (n *Node) checkHeartbeat(now Instant, c *peer) {
	limit := n.cfg.KeepAlive * 2
	if !c.dialled {
		limit = 10 * time.Second
	}
	if c.latestMsg > 0 {
		if now.Mono > c.latestMsg+limit {
			c.noRetry = p2pwire.GoAwayBenignOther
			n.close(now, c, c.dialled, "heartbeat timed out")
			return
		}
		if n.sync.state != libCatchup && (c.latestBlock == 0 || now.Mono > c.latestBlock+max(limit/2, time.Second)) {
			n.sendHandshake(c)
			return
		}
	}
	c.org = 0
	n.sendTime(now, c, nil)
}

// sendTime sends a ping, or the answer to one.
func (n *Node) sendTime(now Instant, c *peer, ping *p2pwire.Time) {
	if ping == nil {
		if c.org != 0 {
			return // one is outstanding
		}
		c.org = now.Wall
		n.send(c, p2pwire.Time{Xmt: now.Wall})
		return
	}
	n.send(c, p2pwire.Time{Org: ping.Xmt, Rec: now.Wall, Xmt: now.Wall})
}

// receiveTime is handle_message(time_message).
func (n *Node) receiveTime(now Instant, c *peer, m p2pwire.Time) {
	if m.Xmt == 0 {
		return
	}
	if m.Org != 0 {
		if m.Org != c.org {
			return
		}
		c.ping = max(now.Wall-m.Org, 1)
	}
	if m.Xmt == c.xmt {
		return
	}
	c.xmt = m.Xmt
	if m.Org == 0 {
		n.sendTime(now, c, &m)
		return
	}
	c.org = 0
	if c.lastRecv.Generation == 0 {
		n.sendHandshake(c)
	}
	if c.ping == 0 {
		n.sendTime(now, c, nil)
	}
}

// expireRecords forgets what is at or below root, and old transactions.
func (n *Node) expireRecords(now Instant) {
	for id := range n.peerBlocks {
		if id.Num() <= n.db.root.num {
			delete(n.peerBlocks, id)
		}
	}
	for id, k := range n.peerTrx {
		if k.expires <= now.Wall {
			delete(n.peerTrx, id)
		}
	}
	n.pool.expire(now.Wall)
	n.expireVotes(now)
}
