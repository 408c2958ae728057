package simnet

import (
	"slices"

	"bprelay/p2pwire"
)

// Connect is /v1/net/connect: a new connection object with a clean slate.
func (n *Node) Connect(addr string) {
	n.serial++
	c := &peer{serial: n.serial, dialled: true, addr: addr, host: hostOf(addr)}
	if c.kind = p2pwire.ParseAddressKind(addr); c.kind != p2pwire.KindBoth {
		c.ownKind = true
	}
	n.peers = append(n.peers, c)
	n.resolveAndConnect(n.now, c)
}

// Disconnect is /v1/net/disconnect: close and forget.
func (n *Node) Disconnect(now Instant, addr string) {
	n.now = now
	for _, c := range n.snapshotPeers() {
		if c.dialled && c.addr == addr {
			n.close(now, c, false, "net api")
			n.forget(c)
		}
	}
	n.settle(now)
}

func (n *Node) forget(c *peer) {
	n.peers = slices.DeleteFunc(n.peers, func(p *peer) bool { return p == c })
}

func hostOf(addr string) string {
	for i := range len(addr) {
		if addr[i] == ':' {
			return addr[:i]
		}
	}
	return addr
}

// dialAddress is "host:port" of a p2p-peer-address.
func dialAddress(addr string) string {
	colons := 0
	for i := range len(addr) {
		if addr[i] == ':' {
			if colons++; colons == 2 {
				return addr[:i]
			}
		}
	}
	return addr
}

// connectionMonitor redials what is down and forgets what was given up.
func (n *Node) connectionMonitor(now Instant) {
	n.monitorAt = now.Mono + n.cfg.ConnectionCleanupPeriod
	for _, c := range n.snapshotPeers() {
		if c.dialled && !c.open && !c.dialing && !n.resolveAndConnect(now, c) {
			n.forget(c)
		}
	}
}

// resolveAndConnect reports false when the address is not to be dialled again.
func (n *Node) resolveAndConnect(now Instant, c *peer) bool {
	switch c.noRetry {
	case p2pwire.GoAwayNoReason, p2pwire.GoAwayWrongVersion, p2pwire.GoAwayBenignOther, p2pwire.GoAwayDuplicate:
	default:
		n.emit(now, Event{Kind: EventRedialSkip, Reason: c.noRetry.String()})
		return false
	}
	const maxQuickCloses = 9
	if (c.quickCloses > maxQuickCloses || c.noRetry == p2pwire.GoAwayBenignOther) &&
		(!c.everClosed || c.lastClose > now.Mono-n.cfg.ConnectionCleanupPeriod) {
		return true
	}
	c.dialing = true
	n.host.Dial(dialAddress(c.addr))
	return true
}
