package core

import (
	"net"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// session is one p2p connection.
type session struct {
	id   SessionID
	info SessionInfo
	key  string // what is banned, see banKey

	ready       bool // its handshake was accepted
	closing     bool // a close was requested; nothing more is read or queued
	why         Reason
	headSeen    int           // handshakes taken
	said        time.Duration // when the last one came
	stubs       int           // entries its handshakes made in the block table
	ourID       p2pwire.ID
	peerID      p2pwire.ID
	pv          uint16
	kind        p2pwire.AddressKind
	agent       string
	address     string // p2p_address of its handshake
	ourGen      int16
	peerGen     int16
	rootNum     uint32
	rootID      p2pwire.ID
	headNum     uint32
	headID      p2pwire.ID
	lane        int
	node        *node          // internal: what the takeover knows of it
	held        bool           // on the leash: gets no foreign votes
	proven      bool           // a block of this source survived
	pairs       map[uint64]int // network: votes survived, by finalizer key
	asked       time.Duration  // network: when it was last asked for blocks
	hole        hole           // network: what it was asked for below an orphan
	suspectedBy string         // network: the last node lost that way
	suspicions  int            // network: nodes lost while only its message was on trial
	suspected   time.Duration  // network: when last
	refutedAt   time.Duration  // network: when last
	refuted     int            // network: blocks our nodes rejected

	opened   time.Duration
	lastRecv time.Duration
	resent   p2pwire.ID    // network: the head it named when own blocks were last resent
	lastAsk  time.Duration // node: last request for missing blocks
	lastPush time.Duration // last catch-up push triggered by a handshake
	pingXmt  int64         // our outstanding time message
	pingAt   time.Duration // when it was made
	owes     time.Duration // while one is outstanding: since when none was answered
	xmt      int64         // transmit time of our last one
	heard    time.Duration // when the last one that was answered was made
	took     p2pwire.ID    // network, in a cluster: the own block it was given last, with a time message behind it
	tookAt   time.Duration // when
	gaveAt   time.Duration // network: when own blocks were last written to it, and
	gaveFrom uint32        // the number of the first of them
	answers  bool          // it answers time messages, as every nodeos does
	rtt      time.Duration
	offset   time.Duration // peer's clock minus ours
	clock    clockSample

	sync     *catchUp      // it is being brought up to the public chain
	serving  SessionID     // network: the node whose catch-up it answers
	servedBy string        // node: who answered its catch-up last, by banKey
	served   time.Duration // node: when it was last given a block of that answer

	job     *Job // a large frame being checked off the loop
	backlog *buf // bytes that came meanwhile
	rx      *buf // partial frame
	rxTotal int  // its full length, 0 while the prefix is incomplete

	out        [numQueues]queue
	taken      []*buf
	inWritable bool
	stats      SessionStats
}

const maxLanes = 256

func hostOf(remote string) string {
	h, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return h
}

// Open takes a new connection. An error means that the driver should close it at once.
func (c *Core) Open(now Instant, info SessionInfo) (SessionID, error) {
	c.enter(now)
	switch {
	case c.stop:
		return 0, ErrStopping
	case c.young >= c.cfg.MaxYoung && !(info.Dialled || info.Side == Internal),
		info.Side == Network && !info.Dialled && c.inbound >= c.cfg.MaxClients+c.cfg.MaxYoung:
		c.stats.Refused++
		return 0, ErrTooManySessions
	}
	if info.Side == Network {
		if until, ok := c.bans[banKey(info)]; ok {
			if now.Mono < until {
				c.stats.Refused++
				return 0, ErrBanned
			}
			delete(c.bans, banKey(info))
		}
	}
	c.lastID++
	s := &session{
		id: c.lastID, info: info, key: banKey(info), lane: -1,
		opened: now.Mono, lastRecv: now.Mono, lastPush: -time.Hour, lastAsk: -time.Hour, asked: -time.Hour,
	}
	c.random(s.ourID[:])
	c.sessions[s.id] = s
	c.young++
	if info.Side == Network && !info.Dialled {
		c.inbound++
	}
	c.timers.add(now.Mono+c.cfg.HandshakeTimeout, timer{kind: timerHandshake, session: s.id})
	c.timers.add(now.Mono+c.cfg.Keepalive, timer{kind: timerKeepalive, session: s.id})
	if info.Dialled {
		c.greet(s)
	}
	return s.id, nil
}

// banKey names what is shut out: a dialled peer by its name, anyone else by address.
func banKey(info SessionInfo) string {
	if info.Dialled && info.Name != "" {
		return "name:" + info.Name
	}
	return hostOf(info.Remote)
}

func (c *Core) random(p []byte) {
	for i := range p {
		if i%8 == 0 {
			v := c.rng.Uint64()
			for j := i; j < min(i+8, len(p)); j++ {
				p[j] = byte(v >> (8 * (j - i)))
			}
		}
	}
}

// admit makes a session ready after its handshake: it gets a lane and takes part in fan-out.
func (c *Core) admit(s *session) bool {
	lane := -1
	for i, t := range c.byLane {
		if t == nil {
			lane = i
			break
		}
	}
	if lane < 0 {
		return false
	}
	s.lane = lane
	c.byLane[lane] = s
	c.blocks.clearLane(lane)
	c.reign.reserve.clearLane(lane)
	s.ready = true
	c.young--
	if s.info.Side == Internal {
		c.internal = append(c.internal, s)
		c.nodeUp(s)
		c.linkNoted(s.Name(), true, ReasonNone)
	} else {
		c.network = append(c.network, s)
		s.pairs = make(map[uint64]int)
	}
	c.note(Event{Kind: EventSessionUp, Session: s.id, Side: s.info.Side, Node: s.Name(), Remote: s.info.Remote, Detail: s.agent})
	return true
}

// Name is the configured name, or what the peer calls itself, or its address.
func (s *session) Name() string {
	if s.info.Name != "" {
		return s.info.Name
	}
	return s.info.Remote
}

// end asks the driver to close the session; from here on it neither gets nor gives anything.
func (c *Core) end(s *session, why Reason) { c.endAfter(s, why, 0) }

func (c *Core) endAfter(s *session, why Reason, retry time.Duration) {
	if s.closing {
		return
	}
	s.closing, s.why = true, why
	c.stats.Closed[why]++
	c.closing = append(c.closing, CloseRequest{ID: s.id, Reason: why, RetryAfter: retry})
	c.letGo(s)
	c.ended = append(c.ended, s)
}

// letGo frees the memory a session holds. What others know of it is taken back later, in forget,
// since end may be called in the middle of a fan-out.
func (c *Core) letGo(s *session) {
	c.dropPartial(s)
	for q := range s.out {
		c.drain(s, &s.out[q])
	}
	c.stopSync(s)
}

// forget takes the session out of everything but the id map.
func (c *Core) forget(s *session, why Reason) {
	wasReady := s.ready
	if s.ready {
		s.ready = false
		c.byLane[s.lane] = nil
		if s.info.Side == Internal {
			c.internal = slices.DeleteFunc(c.internal, func(t *session) bool { return t == s })
		} else {
			c.network = slices.DeleteFunc(c.network, func(t *session) bool { return t == s })
		}
	} else {
		c.young--
	}
	if s.info.Side == Network && !s.info.Dialled {
		c.inbound--
	}
	c.dropServer(s)
	if wasReady && s.info.Side == Network {
		c.dropOrphans(s)
	}
	if wasReady {
		c.note(Event{Kind: EventSessionDown, Session: s.id, Side: s.info.Side, Node: s.Name(), Remote: s.info.Remote, Reason: why})
		if s.info.Side == Internal {
			c.lineage.recheck = true // a candidate may have waited for it
			c.linkNoted(s.Name(), false, why)
			c.nodeDown(s) // first: what it had on trial is given to another
			c.nodeGone(s, why)
			c.votes.emitterGone(s.id)
			c.lineage.recheck = c.lineage.recheck || len(c.held) > 0 // nobody waits for it any more
		}
	}
}

// Closed tells that the connection is gone, by its own doing or because the core asked.
func (c *Core) Closed(now Instant, id SessionID, err error) {
	c.enter(now)
	s := c.sessions[id]
	if s == nil {
		return
	}
	if !s.closing {
		s.closing = true
		c.stats.Closed[ReasonPeerClosed]++
		c.letGo(s)
		c.forget(s, ReasonPeerClosed)
	}
	c.settle()
	c.releaseTaken(s)
	delete(c.sessions, id)
}

// DialFailed tells that the driver could not reach a configured peer.
func (c *Core) DialFailed(now Instant, side Side, name string, _ error) {
	c.enter(now)
	c.stats.DialsFailed[side]++
	if side == Internal {
		c.linkNoted(name, false, ReasonNone)
		c.nodeLost(name)
		c.nodeUnreachable(name)
		c.settle()
	}
}
