package core

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// greet opens a dialled session. With the chain known we speak first, as a dialler must, claiming
// nothing; the answer is then mirrored. Without it a completed ping makes nodeos speak first.
func (c *Core) greet(s *session) {
	if !c.chainID.IsZero() {
		c.sendHandshake(s, 0, p2pwire.ID{}, 0, p2pwire.ID{})
	}
	c.ping(s)
}

func (c *Core) sendHandshake(s *session, rootNum uint32, rootID p2pwire.ID, headNum uint32, headID p2pwire.ID) {
	s.ourGen++
	h := p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(c.cfg.PV),
		ChainID:        c.chainID, NodeID: s.ourID, Time: c.now.Wall,
		P2PAddress: c.cfg.P2PAddress + " - " + s.ourID.String()[:7],
		RootNum:    rootNum, RootID: rootID, HeadNum: headNum, HeadID: headID,
		OS: "linux", Agent: c.cfg.Agent, Generation: s.ourGen,
	}
	if c.cfg.PeerKey != nil {
		h.Sign(c.cfg.PeerKey)
	}
	c.sendControl(s, h)
}

// sendControl queues a message of our own making.
func (c *Core) sendControl(s *session, m p2pwire.Message) {
	b := c.pool.get(512)
	b.b = p2pwire.AppendFrame(b.b, m)
	c.send(s, queueGeneral, b)
	c.pool.release(b)
}

func (c *Core) sendTime(s *session, m p2pwire.Time) {
	b := c.pool.get(64)
	b.b = appendTime(b.b, m)
	c.send(s, queueGeneral, b)
	c.pool.release(b)
}

// handshake takes a peer's handshake: the first admits the session, every one tells its head.
func (c *Core) handshake(s *session, h *p2pwire.Handshake) {
	if h.Validate() != nil {
		c.end(s, ReasonBadHandshake)
		return
	}
	if !s.ready && !c.firstHandshake(s, h) {
		return
	}
	s.peerGen, s.said = h.Generation, c.now.Mono
	s.rootNum, s.rootID, s.headNum, s.headID = h.RootNum, h.RootID, h.HeadNum, h.HeadID
	if s.info.Side == Internal {
		c.nodeHandshake(s)
	} else {
		c.networkHandshake(s)
	}
}

// duplicateRetry is how long a dialled peer is left alone that is connected the other way round.
const duplicateRetry = 30 * time.Second

// firstHandshake checks what a connection's first handshake must show. Nothing is said on refusal:
// a go_away could make a nodeos give up its only peer for good.
func (c *Core) firstHandshake(s *session, h *p2pwire.Handshake) bool {
	for _, t := range c.sessions {
		if t.ourID == h.NodeID {
			c.end(s, ReasonSelf)
			return false
		}
	}
	if c.chainID.IsZero() && s.info.Side == Internal {
		c.chainID = h.ChainID
	}
	if c.chainID.IsZero() {
		// Only our own nodes teach the chain; a network peer dialled early is tried again later.
		c.end(s, ReasonWrongChain)
		return false
	}
	if h.ChainID != c.chainID {
		c.end(s, ReasonWrongChain)
		return false
	}
	if s.info.Side == Network {
		if len(c.cfg.AllowedPeerKeys) > 0 {
			key, err := h.VerifyAuth()
			if err != nil || !slices.Contains(c.cfg.AllowedPeerKeys, key) {
				c.end(s, ReasonAuthentication)
				return false
			}
		}
		if !s.info.Dialled && c.acceptedReady() >= c.cfg.MaxClients {
			c.end(s, ReasonTooManyClients)
			return false
		}
	}
	if other := c.sameNode(s, h.NodeID); other != nil && s.info.Dialled && !other.info.Dialled {
		// Node ids are no secret: one that we chose to dial goes before one that came by itself.
		c.end(other, ReasonDuplicateSession)
	} else if other != nil {
		c.endAfter(s, ReasonDuplicateSession, duplicateRetry)
		return false
	}
	s.peerID, s.agent, s.address = h.NodeID, h.Agent, h.P2PAddress
	s.pv = h.PV()
	s.kind = h.PeerKind()
	c.lineage.recheck = true // the start fence may have waited for it
	if !c.admit(s) {
		c.end(s, ReasonTooManyClients)
		return false
	}
	return true
}

func (c *Core) acceptedReady() int {
	n := 0
	for _, s := range c.network {
		if !s.info.Dialled {
			n++
		}
	}
	return n
}

// sameNode finds a ready session of the same side with the same nodeos process.
func (c *Core) sameNode(s *session, id p2pwire.ID) *session {
	list := c.network
	if s.info.Side == Internal {
		list = c.internal
	}
	for _, t := range list {
		if t != s && t.peerID == id {
			return t
		}
	}
	return nil
}

// mirror claims the peer's own root and head: it asks nothing then and sends everything live.
func (c *Core) mirror(s *session) {
	c.sendHandshake(s, s.rootNum, s.rootID, s.headNum, s.headID)
}

func (c *Core) goAway(s *session, m p2pwire.GoAway) {
	c.note(Event{Kind: EventAlarm, Reason: ReasonGoAway, Session: s.id, Side: s.info.Side, Node: s.Name(), Remote: s.info.Remote, Detail: m.Reason.String()})
	c.stats.Alarms[ReasonGoAway]++
	c.end(s, ReasonGoAway)
}
