package sim

import (
	"encoding/binary"
	"strings"
	"time"

	"bprelay/ha/duo"
	"bprelay/ha/pair"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/test/simnet"
)

// PairEnd makes a simulated relay one half of a pair.
type PairEnd struct {
	Pair pair.Config
	// Addr is the address of the other relay; this one dials it if Dials, else it is dialled.
	Addr  string
	Dials bool
	// Silence is how long nothing may come over the link until it counts as down.
	Silence time.Duration
	// Changed, if not nil, is told of roles.
	Changed func(now core.Instant, role core.ClusterRole, epoch uint64, why core.Reason)
}

const (
	// linkRedial is how long after it went down the link is dialled again.
	linkRedial = 50 * time.Millisecond
	// gapFrom is from when on the relay's being late is told as a pause.
	gapFrom = 100 * time.Millisecond
)

// pairLink is a relay's end of the link to the other one: frames with a length of four bytes in front.
type pairLink struct {
	r      *Relay
	cfg    *PairEnd
	duo    *duo.Member
	conn   simnet.ConnID // 0: none
	in     []byte
	heard  time.Duration
	redial time.Duration // when it is to be dialled; 0: not
	woken  bool
	next   time.Duration // when Pump wants to be called
	wanted time.Duration // when the relay meant to go on
}

func (r *Relay) startPair() {
	p := r.cfg.Pair
	if p == nil {
		return
	}
	p.Pair.Incarnation = uint64(r.now.Wall)
	d, err := duo.New(duo.Config{Pair: p.Pair}, r.now.Mono)
	if err != nil {
		panic(err)
	}
	r.pair = &pairLink{r: r, cfg: p, duo: d, wanted: r.now.Mono}
	d.Use(r.pair.send)
}

// joinPair gives the core, which knows the member as its cluster, to the member.
func (r *Relay) joinPair() {
	l := r.pair
	if l == nil {
		return
	}
	var h engine.ClusterHost = toldHost{r.c, l.cfg}
	if r.joint != nil {
		h = r.joint.Host(h)
	}
	l.duo.Attach(h, func() { l.woken = true })
	if l.cfg.Dials {
		r.host.Dial(l.cfg.Addr)
	}
}

// toldHost tells of roles.
type toldHost struct {
	*core.Core
	cfg *PairEnd
}

func (h toldHost) SetClusterRole(now core.Instant, role core.ClusterRole, epoch uint64, why core.Reason) {
	if h.cfg.Changed != nil {
		h.cfg.Changed(now, role, epoch, why)
	}
	h.Core.SetClusterRole(now, role, epoch, why)
}

// isPair tells whether an address, or one a connection comes from, is the other relay's.
func (r *Relay) isPair(addr string) bool {
	if r.pair == nil {
		return false
	}
	host, _, _ := strings.Cut(addr, ":")
	other, _, _ := strings.Cut(r.pair.cfg.Addr, ":")
	return host == other
}

func (l *pairLink) send(_ uint64, b []byte) error {
	if l.conn != 0 {
		l.r.host.Send(l.conn, append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	}
	return nil
}

func (l *pairLink) up(conn simnet.ConnID) {
	if l.conn != 0 {
		l.down("another connection", true)
	}
	l.conn, l.in, l.heard, l.redial = conn, nil, l.r.now.Mono, 0
	l.duo.Up(uint64(conn))
}

func (l *pairLink) down(why string, abort bool) {
	if abort {
		l.r.abort(l.conn)
	}
	l.conn = 0
	l.again()
	l.duo.Down(why)
}

func (l *pairLink) again() {
	if l.cfg.Dials {
		l.redial = l.r.now.Mono + linkRedial
	}
}

func (l *pairLink) data(chunk []byte) {
	l.heard = l.r.now.Mono
	l.in = append(l.in, chunk...)
	for len(l.in) >= 4 {
		n := 4 + int(binary.BigEndian.Uint32(l.in))
		if len(l.in) < n {
			return
		}
		if err := l.duo.Message(l.in[4:n]); err != nil {
			panic(err) // the other one is ours
		}
		l.in = append([]byte(nil), l.in[n:]...)
	}
}

// tick does what is due on the link.
func (l *pairLink) tick() {
	if l.conn != 0 && l.r.now.Mono-l.heard >= l.cfg.Silence {
		l.down("silent", true)
	}
	if l.redial != 0 && l.r.now.Mono >= l.redial {
		l.redial = 0
		l.r.host.Dial(l.cfg.Addr)
	}
}

// pump lets the pair act. What wakes it meanwhile comes behind the events that wait already.
func (l *pairLink) pump() {
	l.woken = false
	l.next = l.duo.Pump(l.r.now, l.r.c)
	if l.woken {
		l.next = l.r.now.Mono
	}
	for _, id := range l.r.c.Overdue(nil) {
		conn := l.r.ids[id]
		if h, ok := l.r.host.(interface{ Unacknowledged(simnet.ConnID) int }); conn != 0 && ok && h.Unacknowledged(conn) > 0 {
			l.r.abort(conn)
			delete(l.r.ids, id)
			delete(l.r.conns, conn)
			l.r.c.Closed(l.r.now, id, nil)
			l.r.lost(conn, time.Second)
		}
	}
}

// timer is when the pair wants the relay to go on.
func (l *pairLink) timer() time.Duration {
	next := l.next
	if l.conn != 0 {
		next = min(next, l.heard+l.cfg.Silence)
	}
	if l.redial != 0 {
		next = min(next, l.redial)
	}
	return next
}

// begin notices at an event's begin that the relay stood still.
func (l *pairLink) begin() {
	if d := l.r.now.Mono - l.wanted; d >= gapFrom {
		l.duo.Gap(l.r.now, d)
	}
	l.wanted = l.r.now.Mono + time.Hour // told once
}

func (r *Relay) abort(conn simnet.ConnID) {
	if h, ok := r.host.(interface{ Abort(simnet.ConnID) }); ok {
		h.Abort(conn)
	}
}
