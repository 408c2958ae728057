package simnet

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// script is an endpoint for tests: a hand-driven p2p peer, and with an upstream
// a frame proxy. It does nothing by itself but what its hooks do.
type script struct {
	w    *World
	addr string
	host Host

	upstream string // where to dial for every accepted connection
	dials    []string

	onConn  func(c *scriptConn)
	onFrame func(c *scriptConn, f p2pwire.Frame)

	conns  map[ConnID]*scriptConn
	all    []*scriptConn // in order of opening
	wanted []*scriptConn // accepted ones waiting for their upstream connection
}

type scriptConn struct {
	s        *script
	id       ConnID
	dialled  bool
	remote   string
	open     bool
	openedAt time.Duration
	closedAt time.Duration
	rx       []byte
	got      []p2pwire.Frame
	gotAt    []time.Duration
	pair     *scriptConn // proxy: the other leg
	held     []p2pwire.Frame
	gen      int16
}

func (r *rig) script(name string) *script {
	return &script{w: r.w, addr: name + ":9876", conns: map[ConnID]*scriptConn{}}
}

func (s *script) Start(_ Instant, host Host) {
	s.host = host
	for _, d := range s.dials {
		host.Dial(d)
	}
}

func (s *script) opened(id ConnID, remote string, dialled bool) *scriptConn {
	c := &scriptConn{s: s, id: id, remote: remote, dialled: dialled, open: true, openedAt: s.w.now}
	s.conns[id] = c
	s.all = append(s.all, c)
	return c
}

func (s *script) Accepted(_ Instant, id ConnID, remote string) {
	c := s.opened(id, remote, false)
	if s.upstream != "" {
		s.wanted = append(s.wanted, c)
		s.host.Dial(s.upstream)
		return
	}
	if s.onConn != nil {
		s.onConn(c)
	}
}

func (s *script) Dialled(_ Instant, id ConnID, addr string) {
	c := s.opened(id, addr, true)
	if s.upstream == addr && len(s.wanted) > 0 {
		c.pair = s.wanted[0]
		c.pair.pair = c
		s.wanted = s.wanted[1:]
		for _, f := range c.pair.held {
			s.onFrame(c.pair, f)
		}
		c.pair.held = nil
		return
	}
	if s.onConn != nil {
		s.onConn(c)
	}
}

func (s *script) Data(_ Instant, id ConnID, chunk []byte) {
	c := s.conns[id]
	c.rx = append(c.rx, chunk...)
	for {
		f, err := p2pwire.ParseFrame(c.rx)
		if err != nil {
			panic(err)
		}
		if f == nil {
			return
		}
		f = slices.Clone(f)
		c.rx = c.rx[len(f):]
		c.got = append(c.got, f)
		c.gotAt = append(c.gotAt, s.w.now)
		switch {
		case s.upstream != "" && c.pair == nil:
			c.held = append(c.held, f)
		case s.onFrame != nil:
			s.onFrame(c, f)
		}
	}
}

func (s *script) Disconnected(_ Instant, id ConnID) {
	c := s.conns[id]
	c.open, c.closedAt = false, s.w.now
	delete(s.conns, id)
	if p := c.pair; p != nil && p.open {
		p.close()
	}
}

func (s *script) DialFailed(Instant, string) {}
func (s *script) Tick(Instant)               {}
func (s *script) NextTimer() time.Duration   { return Never }

func (c *scriptConn) close() {
	c.open, c.closedAt = false, c.s.w.now
	delete(c.s.conns, c.id)
	c.s.host.CloseConn(c.id)
}

func (c *scriptConn) send(frames ...[]byte) {
	for _, f := range frames {
		c.s.host.Send(c.id, f)
	}
}

func (c *scriptConn) say(m p2pwire.Message) { c.send(p2pwire.AppendFrame(nil, m)) }

// ofType returns what came of one type, from index i of got on.
func (c *scriptConn) ofType(t p2pwire.Type, from int) (out []p2pwire.Frame) {
	for _, f := range c.got[min(from, len(c.got)):] {
		if f.Type() == t {
			out = append(out, f)
		}
	}
	return out
}

// handshake returns the last handshake that came.
func (c *scriptConn) handshake() (p2pwire.Handshake, bool) {
	hs := c.ofType(p2pwire.TypeHandshake, 0)
	if len(hs) == 0 {
		return p2pwire.Handshake{}, false
	}
	h, err := p2pwire.DecodeHandshake(hs[len(hs)-1].Body())
	return h, err == nil
}

// claim sends a handshake with the given root and head; PV 9, as a relay would.
func (c *scriptConn) claim(chain *Chain, pv uint16, root, head Ref) {
	c.gen++
	c.say(p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(pv), ChainID: chain.ID(), NodeID: seedID("script/"+c.s.addr, uint64(c.id)),
		Time: c.s.w.Now().Wall, P2PAddress: c.s.addr, OS: "linux", Agent: "script",
		RootNum: root.Num, RootID: root.ID, HeadNum: head.Num, HeadID: head.ID, Generation: c.gen,
	})
}

// mirror answers with the other side's own root and head.
func (c *scriptConn) mirror(chain *Chain, pv uint16) {
	h, _ := c.handshake()
	c.claim(chain, pv, Ref{Num: h.RootNum, ID: h.RootID}, Ref{Num: h.HeadNum, ID: h.HeadID})
}

// pong answers a ping.
func (c *scriptConn) pong(f p2pwire.Frame) {
	if m, err := p2pwire.DecodeTime(f.Body()); err == nil && m.Org == 0 {
		c.say(p2pwire.Time{Org: m.Xmt, Rec: c.s.w.Now().Wall, Xmt: c.s.w.Now().Wall})
	}
}

// every runs f each d while the connection is open.
func (c *scriptConn) every(d time.Duration, f func()) {
	c.s.w.At(c.s.w.now+d, func() {
		if c.open {
			f()
			c.every(d, f)
		}
	})
}

// keepAlive sends an own ping every 4 s.
func (c *scriptConn) keepAlive() {
	c.every(4*time.Second, func() { c.say(p2pwire.Time{Xmt: c.s.w.Now().Wall}) })
}
