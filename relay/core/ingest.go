package core

import (
	"errors"

	"bprelay/p2pwire"
)

// Data takes bytes a connection delivered, cut anywhere. They are not kept: a whole frame inside
// chunk is looked at in place, a partial one is collected in pooled memory that grows with what has
// really come, under a bound for the session and one for all.
func (c *Core) Data(now Instant, id SessionID, chunk []byte) {
	c.enter(now)
	s := c.sessions[id]
	if s == nil || s.closing || c.stop {
		return
	}
	s.lastRecv = now.Mono
	s.stats.BytesIn += uint64(len(chunk))
	c.take(s, chunk)
	c.settle()
}

// take cuts bytes into frames.
func (c *Core) take(s *session, chunk []byte) {
	for len(chunk) > 0 && !s.closing {
		if s.job != nil {
			c.postpone(s, chunk)
			return
		}
		if s.rx != nil {
			chunk = c.collect(s, chunk)
			continue
		}
		total, err := p2pwire.FrameLen(chunk)
		if err != nil {
			c.end(s, frameReason(err))
			break
		}
		if !c.fits(s, total) {
			c.end(s, ReasonBadLength)
			break
		}
		if total == 0 || total > len(chunk) {
			c.startPartial(s, chunk, total)
			break
		}
		c.frame(s, chunk[:total], nil)
		chunk = chunk[total:]
	}
}

// frameReason tells a length no frame can have from a frame of an impossible kind.
func frameReason(err error) Reason {
	var e *p2pwire.Error
	if errors.As(err, &e) && e.Type == p2pwire.NoType && errors.Is(err, p2pwire.ErrLength) {
		return ReasonBadLength
	}
	return ReasonMalformed
}

// fits tells whether a frame of this length may come in the session's present state.
func (c *Core) fits(s *session, total int) bool {
	return s.ready || total <= c.cfg.YoungFrameBytes
}

func (c *Core) startPartial(s *session, chunk []byte, total int) {
	if !c.reserve(s, capFor(len(chunk))) {
		return
	}
	s.rx = c.pool.get(len(chunk))
	s.rx.b = append(s.rx.b, chunk...)
	s.rxTotal = total
}

func capFor(n int) int { return 1 << class(n) }

// reserve takes n bytes from the budget of partial frames; over it, the network session with the
// largest partial frame is ended, which may be s itself.
func (c *Core) reserve(s *session, n int) bool {
	for c.rxBytes+n > c.cfg.ReassemblyBytes {
		worst, size := s, s.partial()
		for _, t := range c.sessions {
			if p := t.partial(); p > 0 && t.info.Side == Network && (p > size || (p == size && t.id > worst.id)) {
				worst, size = t, p
			}
		}
		c.end(worst, ReasonReassembly)
		if worst == s {
			return false
		}
	}
	c.rxBytes += n
	return true
}

// partial is the memory held for what a session has sent and nobody has handled.
func (s *session) partial() int {
	n := 0
	if s.rx != nil {
		n += cap(s.rx.b)
	}
	if s.backlog != nil {
		n += cap(s.backlog.b)
	}
	return n
}

// collect adds to the partial frame and hands it on when it is whole; it returns what is left.
func (c *Core) collect(s *session, chunk []byte) []byte {
	need := p2pwire.PrefixLen - len(s.rx.b)
	if s.rxTotal > 0 {
		need = s.rxTotal - len(s.rx.b)
	}
	n := min(need, len(chunk))
	if len(s.rx.b)+n > cap(s.rx.b) {
		size := capFor(len(s.rx.b) + n)
		if !c.reserve(s, size-cap(s.rx.b)) {
			return nil
		}
		bigger := c.pool.get(len(s.rx.b) + n)
		bigger.b = append(bigger.b, s.rx.b...)
		c.pool.release(s.rx)
		s.rx = bigger
	}
	s.rx.b = append(s.rx.b, chunk[:n]...)
	chunk = chunk[n:]
	if s.rxTotal == 0 && len(s.rx.b) >= p2pwire.PrefixLen {
		total, err := p2pwire.FrameLen(s.rx.b)
		if err != nil {
			c.end(s, frameReason(err))
			return nil
		}
		if !c.fits(s, total) {
			c.end(s, ReasonBadLength)
			return nil
		}
		s.rxTotal = total
	}
	if s.rxTotal > 0 && len(s.rx.b) == s.rxTotal {
		whole := s.rx
		c.rxBytes -= cap(whole.b)
		s.rx, s.rxTotal = nil, 0
		c.frame(s, whole.b, whole)
		c.pool.release(whole)
	}
	return chunk
}

func (c *Core) dropPartial(s *session) {
	if s.rx != nil {
		c.rxBytes -= cap(s.rx.b)
		c.pool.release(s.rx)
		s.rx, s.rxTotal = nil, 0
	}
	if s.backlog != nil {
		c.rxBytes -= cap(s.backlog.b)
		c.pool.release(s.backlog)
		s.backlog = nil
	}
}

// frame dispatches one whole frame. owned is its pooled memory when it was collected, else nil and
// raw dies with the pass.
func (c *Core) frame(s *session, raw []byte, owned *buf) {
	f, err := p2pwire.ParseFrame(raw)
	if err != nil || f == nil {
		c.end(s, ReasonMalformed)
		return
	}
	t := f.Type()
	c.stats.countIn(s.info.Side, t, len(raw))
	s.stats.FramesIn++
	if !s.ready && t != p2pwire.TypeHandshake && t != p2pwire.TypeTime && t != p2pwire.TypeGoAway {
		// nodeos may answer our first handshake with a notice before its own handshake.
		c.stats.Dropped[ReasonNoHandshake]++
		return
	}
	if len(raw) > offloadBytes && (t == p2pwire.TypeSignedBlock || t == p2pwire.TypePackedTransaction) {
		c.offload(s, f, owned)
		return
	}
	c.dispatch(s, f, owned)
}

func (c *Core) dispatch(s *session, f p2pwire.Frame, owned *buf) {
	t := f.Type()
	switch t {
	case p2pwire.TypeSignedBlock:
		if s.info.Side == Network {
			c.networkBlock(s, f, owned)
		} else {
			c.nodeBlock(s, f, owned)
		}
	case p2pwire.TypePackedTransaction:
		c.transaction(s, f, owned)
	case p2pwire.TypeVote:
		if s.info.Side == Network {
			c.networkVote(s, f, owned)
		} else {
			c.nodeVote(s, f, owned)
		}
	default:
		if err := c.control(s, t, f.Body()); err != nil {
			c.end(s, ReasonMalformed)
		}
	}
}

// keep returns a counted copy of the frame that outlives the pass (or the collected memory itself).
func (c *Core) keep(f p2pwire.Frame, owned *buf) *buf {
	if owned != nil {
		owned.at = int64(c.now.Mono)
		return owned.retain()
	}
	b := c.pool.get(len(f))
	b.b = append(b.b, f...)
	b.at = int64(c.now.Mono)
	return b
}

// control handles the rare messages; an error means that the body was malformed.
func (c *Core) control(s *session, t p2pwire.Type, body []byte) error {
	switch t {
	case p2pwire.TypeHandshake:
		h, err := p2pwire.DecodeHandshake(body)
		if err != nil {
			return err
		}
		c.handshake(s, &h)
	case p2pwire.TypeTime:
		m, err := p2pwire.DecodeTime(body)
		if err != nil {
			return err
		}
		c.timeMessage(s, m)
	case p2pwire.TypeGoAway:
		m, err := p2pwire.DecodeGoAway(body)
		if err != nil {
			return err
		}
		c.goAway(s, m)
	case p2pwire.TypeNotice:
		_, err := p2pwire.DecodeNotice(body)
		return err
	case p2pwire.TypeRequest:
		m, err := p2pwire.DecodeRequest(body)
		if err != nil {
			return err
		}
		c.request(s, &m)
	case p2pwire.TypeSyncRequest:
		m, err := p2pwire.DecodeSyncRequest(body)
		if err != nil {
			return err
		}
		c.syncRequest(s, m)
	case p2pwire.TypeGossipBPPeers:
		// Gossip would make other nodes dial ours past the relay.
		c.stats.Dropped[ReasonGossip]++
	case p2pwire.TypeBlockNack:
		_, err := p2pwire.DecodeBlockNack(body)
		return err
	case p2pwire.TypeBlockNotice:
		_, err := p2pwire.DecodeBlockNotice(body)
		return err
	case p2pwire.TypeTransactionNotice:
		_, err := p2pwire.DecodeTransactionNotice(body)
		return err
	case p2pwire.TypeChainSize:
		_, err := p2pwire.DecodeChainSize(body)
		return err
	}
	return nil
}
