package core

import (
	"encoding/binary"
	"time"

	"bprelay/p2pwire"
)

// keepalive sends our own time message: answering the peer's alone lets its heartbeat time out.
func (c *Core) keepalive(s *session) {
	if s == nil || s.closing {
		return
	}
	if c.since(s.lastRecv) >= c.cfg.IdleTimeout {
		c.end(s, ReasonIdle)
		return
	}
	if s.ready || s.info.Dialled {
		c.ping(s)
	}
	c.timers.add(c.now.Mono+c.cfg.Keepalive, timer{kind: timerKeepalive, session: s.id})
}

func (c *Core) ping(s *session) {
	if s.pingXmt == 0 {
		s.owes = c.now.Mono
	}
	s.pingXmt, s.pingAt = s.stamp(c.now.Wall), c.now.Mono
	c.sendTime(s, p2pwire.Time{Xmt: s.pingXmt})
}

// stamp is the transmit time of a time message: nodeos drops one with that of the message before.
func (s *session) stamp(wall int64) int64 {
	s.xmt = max(wall, s.xmt+1)
	if s.xmt-wall > int64(time.Second) {
		s.xmt = wall // the clock was set back
	}
	return s.xmt
}

func (c *Core) timeMessage(s *session, m p2pwire.Time) {
	switch {
	case m.Xmt == 0:
	case m.Org == 0:
		c.sendTime(s, p2pwire.Time{Org: m.Xmt, Rec: c.now.Wall, Xmt: s.stamp(c.now.Wall)})
	case m.Org == s.pingXmt:
		s.pingXmt = 0
		s.heard, s.answers = s.pingAt, true
		c.readClock(s, m)
		c.answered(s, s.pingAt)
		if c.triesUnheard(s) {
			c.ping(s)
		}
	}
}

// appendTime is AppendFrame for a time message without going through an interface.
func appendTime(dst []byte, m p2pwire.Time) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, 33)
	dst = append(dst, byte(p2pwire.TypeTime))
	return m.AppendBody(dst)
}
