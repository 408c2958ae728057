package core

import (
	"bprelay/p2pwire"
)

// transaction carries a packed_transaction: from the network to all nodes, from a node to the
// network and the other nodes, each distinct payload once.
func (c *Core) transaction(s *session, f p2pwire.Frame, owned *buf) {
	if d := c.cfg.Transactions; d == Off || (d == In && s.info.Side == Internal) || (d == Out && s.info.Side == Network) {
		c.drop(s, ReasonDirection)
		return
	}
	digest := c.digestOf(f)
	if c.window.Contains(c.now.Mono, digest) {
		c.drop(s, ReasonDuplicate)
		return
	}
	// nodeos closes the link over one that does not unpack, so it must not get that far.
	if c.checkTransaction(f) != nil {
		c.end(s, ReasonMalformed)
		return
	}
	c.window.Seen(c.now.Mono, digest)
	b := c.keep(f, owned)
	for i := 0; i < len(c.internal); i++ {
		if t := c.internal[i]; t != s && t.sync == nil && t.kind != p2pwire.KindBlocks {
			c.send(t, queueTrx, b)
		}
	}
	if s.info.Side == Internal {
		for i := 0; i < len(c.network); i++ {
			if t := c.network[i]; t.kind != p2pwire.KindBlocks {
				c.send(t, queueTrx, b)
			}
		}
	}
	c.pool.release(b)
}
