// Package sim runs whole worlds under virtual time: a simulated network, our simulated nodes and
// relay cores between them, from one seed. What the network side received is judged by test/checker.
package sim

import (
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/test/simnet"
)

// RelayConfig is one simulated relay.
type RelayConfig struct {
	Core core.Config
	// Nodes and Peers are the addresses it dials: our nodes and the network's.
	Nodes, Peers []string
	// Disk, optionally, is its state directory: it journals.
	Disk *StateDir
	// SendBuffer is how many bytes a connection takes that its peer has not read; 0 means any number.
	SendBuffer int
	// Read, if not nil, is told of bytes as the core gets them. remote is the address that was dialled,
	// or where an accepted connection comes from.
	Read func(now core.Instant, remote string, conn simnet.ConnID, chunk []byte)
	// Control, if not nil, carries out calls of the nodes' producer APIs; the answer comes through
	// ControlDone, as an event of the relay's.
	Control func(r core.ControlRequest)
	// Pair makes it one half of a pair; nil: it is alone.
	Pair *PairEnd
}

// Relay puts a relay core into a simnet.World: what the engine is in production.
type Relay struct {
	cfg     RelayConfig
	host    simnet.Host
	c       *core.Core
	conns   map[simnet.ConnID]core.SessionID
	ids     map[core.SessionID]simnet.ConnID
	addrs   map[simnet.ConnID]string
	redial  []redial
	fails   map[string]int           // attempts that failed, and sessions that did not last, in a row
	up      map[string]time.Duration // since when the last session is there
	remotes map[simnet.ConnID]string
	full    bool // something waits for room in a connection
	scratch p2pwire.Scratch
	now     core.Instant
	pair    *pairLink
	joint   *engine.Joint // of pair and disk
}

// flushEvery is how soon a full connection is looked at again.
const flushEvery = 5 * time.Millisecond

type redial struct {
	at   time.Duration
	addr string
}

// NewRelay makes a relay that starts when it is added to a world.
func NewRelay(cfg RelayConfig) *Relay { return &Relay{cfg: cfg} }

// Core gives access to the relay's state, between events.
func (r *Relay) Core() *core.Core { return r.c }

// Start implements simnet.Endpoint.
func (r *Relay) Start(now simnet.Instant, host simnet.Host) {
	r.host, r.now = host, core.Instant(now)
	cfg := r.cfg.Core
	if d := r.cfg.Disk; d != nil {
		cfg.Claimer, cfg.VoteMarker = d, d
		cfg.Restored = d.start(r.now, &cfg, 7*time.Second)
	}
	r.joint = nil
	if r.startPair(); r.pair != nil {
		cfg.Cluster, cfg.Claimer = r.pair.duo, r.pair.duo
		if d := r.cfg.Disk; d != nil {
			r.joint = engine.NewJoint(d, r.pair.duo)
			cfg.Claimer = r.joint
		}
		r.pair.duo.Restored(&cfg.Restored)
	}
	c, err := core.New(cfg, r.now)
	if err != nil {
		panic(err)
	}
	r.c = c
	r.conns = map[simnet.ConnID]core.SessionID{}
	r.ids = map[core.SessionID]simnet.ConnID{}
	r.addrs = map[simnet.ConnID]string{}
	r.fails = map[string]int{}
	r.up = map[string]time.Duration{}
	r.remotes = map[simnet.ConnID]string{}
	r.joinPair()
	for _, a := range slices.Concat(r.cfg.Nodes, r.cfg.Peers) {
		host.Dial(a)
	}
}

// begin starts an event.
func (r *Relay) begin(now simnet.Instant) {
	r.now = core.Instant(now)
	if r.pair != nil {
		r.pair.begin()
	}
}

// journalled takes the disk's answer to a claim.
func (r *Relay) journalled(cl core.Claim, v core.Verdict) {
	last := true
	if r.joint != nil {
		v, last = r.joint.Journalled(r.now, cl, v)
	}
	if last {
		r.c.ClaimDecided(r.now, cl, v)
	}
}

func (r *Relay) side(addr string) core.Side {
	if slices.Contains(r.cfg.Nodes, addr) {
		return core.Internal
	}
	return core.Network
}

// Dialled implements simnet.Endpoint.
func (r *Relay) Dialled(now simnet.Instant, conn simnet.ConnID, addr string) {
	r.begin(now)
	if r.isPair(addr) {
		r.pair.up(conn)
		r.pump()
		return
	}
	r.up[addr] = r.now.Mono
	r.addrs[conn] = addr
	r.open(conn, core.SessionInfo{Side: r.side(addr), Dialled: true, Name: addr, Remote: addr})
}

// Accepted implements simnet.Endpoint: whoever dials is the network.
func (r *Relay) Accepted(now simnet.Instant, conn simnet.ConnID, remote string) {
	r.begin(now)
	if r.isPair(remote) {
		r.pair.up(conn)
		r.pump()
		return
	}
	r.open(conn, core.SessionInfo{Side: core.Network, Remote: remote})
}

func (r *Relay) open(conn simnet.ConnID, info core.SessionInfo) {
	id, err := r.c.Open(r.now, info)
	if err != nil {
		r.host.CloseConn(conn)
		r.lost(conn, time.Second)
		return
	}
	r.conns[conn], r.ids[id] = id, conn
	r.remotes[conn] = info.Remote
	r.pump()
}

// Data implements simnet.Endpoint.
func (r *Relay) Data(now simnet.Instant, conn simnet.ConnID, chunk []byte) {
	r.begin(now)
	if r.pair != nil && conn == r.pair.conn {
		r.pair.data(chunk)
		r.pump()
	}
	if id, ok := r.conns[conn]; ok {
		if r.cfg.Read != nil {
			r.cfg.Read(r.now, r.remotes[conn], conn, chunk)
		}
		r.c.Data(r.now, id, chunk)
		r.pump()
	}
}

// Disconnected implements simnet.Endpoint.
func (r *Relay) Disconnected(now simnet.Instant, conn simnet.ConnID) {
	r.begin(now)
	if r.pair != nil && conn == r.pair.conn {
		r.pair.down("closed", false)
		r.pump()
		return
	}
	id, ok := r.conns[conn]
	if !ok {
		return
	}
	delete(r.conns, conn)
	delete(r.ids, id)
	r.c.Closed(r.now, id, nil)
	r.lost(conn, 0)
	r.pump()
}

// lost redials as the engine does: an own node at once, but only once in a row, a network peer after a
// second.
func (r *Relay) lost(conn simnet.ConnID, wait time.Duration) {
	addr, ok := r.addrs[conn]
	if !ok {
		return
	}
	delete(r.addrs, conn)
	if r.now.Mono-r.up[addr] >= 2*time.Second {
		r.fails[addr] = 0
	}
	switch {
	case r.side(addr) == core.Network:
		wait = max(wait, time.Second)
	case r.fails[addr] > 0 && wait == 0:
		wait = r.pause(addr)
	}
	r.fails[addr]++
	r.redial = append(r.redial, redial{r.now.Mono + wait, addr})
}

// pause is how long a peer is left alone that fails again and again.
func (r *Relay) pause(addr string) time.Duration {
	return min(50*time.Millisecond<<min(r.fails[addr], 6), 2*time.Second)
}

// DialFailed implements simnet.Endpoint.
func (r *Relay) DialFailed(now simnet.Instant, addr string) {
	r.begin(now)
	if r.isPair(addr) {
		r.pair.again()
		r.pump()
		return
	}
	r.redial = append(r.redial, redial{r.now.Mono + r.pause(addr), addr})
	r.fails[addr]++
	r.c.DialFailed(r.now, r.side(addr), addr, nil)
	r.pump()
}

// Tick implements simnet.Endpoint.
func (r *Relay) Tick(now simnet.Instant) {
	r.begin(now)
	r.redial = slices.DeleteFunc(r.redial, func(d redial) bool {
		if d.at > r.now.Mono {
			return false
		}
		r.host.Dial(d.addr)
		return true
	})
	if r.pair != nil {
		r.pair.tick()
	}
	r.c.Tick(r.now)
	if r.cfg.Disk != nil {
		r.cfg.Disk.due(r.now, r)
	}
	r.pump()
}

// NextTimer implements simnet.Endpoint.
func (r *Relay) NextTimer() time.Duration {
	next := r.c.NextTimer()
	if r.pair != nil {
		next = min(next, r.pair.timer())
		defer func() { r.pair.wanted = next }()
	}
	for _, d := range r.redial {
		next = min(next, d.at)
	}
	if r.cfg.Disk != nil {
		next = min(next, r.cfg.Disk.next())
	}
	if r.full {
		next = min(next, r.now.Mono+flushEvery)
	}
	return next
}

// room tells whether a connection takes more.
func (r *Relay) room(conn simnet.ConnID) bool {
	h, ok := r.host.(interface{ Unread(simnet.ConnID) int })
	return !ok || r.cfg.SendBuffer == 0 || h.Unread(conn) < r.cfg.SendBuffer
}

// most is how much is written at a time.
func (r *Relay) most() int {
	if r.cfg.SendBuffer > 0 {
		return r.cfg.SendBuffer
	}
	return 1 << 20
}

// pump carries out what the core wants until it wants nothing more.
func (r *Relay) pump() {
	r.full = false
	if r.pair != nil {
		r.pair.pump()
	}
	for moved := true; moved; {
		moved = false
		for _, j := range r.c.Jobs(nil) {
			moved = true
			j.Run(&r.scratch)
			r.c.JobDone(r.now, j)
		}
		for _, q := range r.c.ControlRequests(nil) {
			moved = true
			r.cfg.Control(q)
		}
		for _, id := range r.c.Writable(nil) {
			if !r.room(r.ids[id]) {
				r.full = true
				continue
			}
			for _, f := range r.c.Take(r.now, id, r.most(), nil) {
				moved = true
				r.host.Send(r.ids[id], slices.Clone(f))
			}
			r.c.Done(id)
		}
		for _, cr := range r.c.CloseRequests(nil) {
			moved = true
			conn := r.ids[cr.ID]
			delete(r.ids, cr.ID)
			delete(r.conns, conn)
			r.host.CloseConn(conn)
			r.c.Closed(r.now, cr.ID, nil)
			r.lost(conn, cr.RetryAfter)
		}
	}
}

// Drain is the operator's command.
func (r *Relay) Drain(now simnet.Instant, node string) error {
	r.begin(now)
	err := r.c.Drain(r.now, node, false)
	r.pump()
	return err
}

// ControlDone answers a call of a node's producer API.
func (r *Relay) ControlDone(now simnet.Instant, q core.ControlRequest, err error) {
	r.begin(now)
	r.c.ControlDone(r.now, q, err)
	r.pump()
}
