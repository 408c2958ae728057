// Package duo makes a relay one half of a pair: it stands between the pair's protocol ([pair.Machine]), the
// relay's event loop ([engine.Cluster]) and the link to the other relay.
//
// It has no goroutine, clock or socket of its own. What the link tells comes in from any goroutine through
// Up, Down and Message, waits in an inbox, and is read on the loop, in Pump; there, too, everything that the
// machine decides is carried out, in its order.
package duo

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"bprelay/ha/pair"
	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
)

// Config is what a Member needs.
type Config struct {
	Pair pair.Config
	// HeardWithin is how recently a network session must have had bytes to count as seeing the network, and
	// to get what leaves by this relay's word alone; 0 takes 1 s.
	HeardWithin time.Duration
	// Logger takes what only a developer wants to know; nil takes slog.Default. What an operator should know
	// is told through the core.
	Logger *slog.Logger
}

// Member is one relay's half of the pair. Its engine.Cluster methods are the loop's; the others may be
// called from any goroutine.
type Member struct {
	cfg  Config
	m    *pair.Machine
	host engine.ClusterHost
	log  *slog.Logger

	effects    []pair.Effect
	health     time.Duration // when the machine was told last what this relay sees
	connection uint64        // of the link
	drain      int           // passes of the loop until what came during a pause was read; 0: none is awaited
	over       []chan<- error

	mu    sync.Mutex
	inbox []func(now core.Instant)
	wake  func()
	send  func(connection uint64, b []byte) error
}

var _ engine.Cluster = (*Member)(nil)

const (
	// healthEvery is how often the machine is told what this relay sees.
	healthEvery = 50 * time.Millisecond
	// drainPasses is how often the loop must come by until all that waited in its sockets was read: a poll
	// that began before the pause, one that found everything, and one behind it.
	drainPasses = 3
	// soon is how near a run counts as under way.
	soon = time.Second
)

// New makes a member. now (Instant.Mono) is on the clock of the engine that it is given to.
func New(cfg Config, now time.Duration) (*Member, error) {
	m, err := pair.New(cfg.Pair, now)
	if err != nil {
		return nil, fmt.Errorf("pair: %w", err)
	}
	if cfg.HeardWithin == 0 {
		cfg.HeardWithin = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Member{cfg: cfg, m: m, log: cfg.Logger, wake: func() {}, send: func(uint64, []byte) error { return errNoLink }}, nil
}

var errNoLink = errors.New("no link")

// Use gives it the way to send on a connection of the link. It must not block. An error means that the
// connection is not there any more, or ends: the link tells.
func (d *Member) Use(send func(connection uint64, b []byte) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.send = send
}

// post has f run on the loop.
func (d *Member) post(f func(now core.Instant)) {
	d.mu.Lock()
	d.inbox = append(d.inbox, f)
	wake := d.wake
	d.mu.Unlock()
	wake()
}

// Up tells that there is a link to the other relay, by the number that Use's send takes.
func (d *Member) Up(connection uint64) {
	d.post(func(now core.Instant) {
		d.connection = connection
		d.host.ClusterLink(now, true)
		d.m.LinkUp(now.Mono)
	})
}

// Down tells that it ended.
func (d *Member) Down(why string) {
	d.post(func(now core.Instant) {
		d.host.ClusterLink(now, false)
		d.m.LinkDown(now.Mono, why)
	})
}

// Message brings what came over it. One that cannot be read is as good as lost: an error says what is
// wrong with it, and the link should end.
func (d *Member) Message(b []byte) error {
	x, err := pair.DecodeMessage(b)
	if err != nil {
		return err
	}
	d.post(func(now core.Instant) { d.m.Recv(now.Mono, x) })
	return nil
}

// Hint tells what the membership thinks of the other relay.
func (d *Member) Hint(h pair.Hint) { d.post(func(now core.Instant) { d.m.PeerHint(now.Mono, h) }) }

// Handover asks for the other relay to become active: outside our run, or at once if force. The channel,
// which must have room for one, gets nil when it is, or a core.ErrNotPossible that says why not.
func (d *Member) Handover(force bool, done chan<- error) {
	d.post(func(now core.Instant) {
		d.over = append(d.over, done)
		d.m.Handover(now.Mono, force)
	})
}

// Stop ends the member: an active hands over first. Nothing is decided afterwards.
func (d *Member) Stop(done chan<- struct{}) {
	d.post(func(now core.Instant) {
		d.m.Stop(now.Mono)
		d.carryOut(now)
		close(done)
	})
}

// Durable implements engine.Cluster: the other relay has a claim in memory.
func (*Member) Durable() bool { return false }

// Restored implements engine.Cluster.
func (d *Member) Restored(r *core.Restored) {
	agreed := make(map[core.Claim]bool, len(r.Agreed))
	for _, cl := range r.Agreed {
		agreed[cl] = true
	}
	for _, cl := range r.Claims {
		if !cl.Foreign {
			d.m.Known(pair.Claim(cl), agreed[cl])
		}
	}
}

// Attach implements engine.Cluster.
func (d *Member) Attach(h engine.ClusterHost, wake func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.host, d.wake = h, wake
}

// Gap implements engine.Cluster.
func (d *Member) Gap(now core.Instant, for_ time.Duration) { d.m.Gap(now.Mono, for_) }

// Claim implements core.Claimer.
func (d *Member) Claim(now core.Instant, cl core.Claim) core.Verdict {
	var data []byte
	if !cl.Foreign {
		data = append([]byte(nil), d.host.BlockBytes(cl.ID)...)
	}
	switch d.m.Claim(now.Mono, pair.Claim(cl), data) {
	case pair.Approved:
		return core.Approved
	case pair.Denied:
		return core.Denied
	case pair.Failed:
		return core.Failed
	}
	return core.Pending
}

// Candidate implements core.Cluster: at a standby, a claim waits for its turn.
func (d *Member) Candidate(now core.Instant, cl core.Claim) { d.Claim(now, cl) }

// Holds implements core.Cluster.
func (d *Member) Holds(now core.Instant, cl core.Claim) { d.m.Hold(now.Mono, cl.ID) }

// Echo implements core.Cluster.
func (d *Member) Echo(now core.Instant, cl core.Claim) {
	d.m.Echo(now.Mono, cl.Producer, cl.Slot, cl.ID)
}

// Due implements core.Cluster.
func (d *Member) Due(now core.Instant, producer p2pwire.Name, slot p2pwire.Slot) {
	d.m.Due(now.Mono, producer, slot, now.Mono)
}

// Missed implements core.Cluster: the machine counts by itself.
func (d *Member) Missed(core.Instant, p2pwire.Name, p2pwire.Slot) {}

// Answered implements core.Cluster.
func (d *Member) Answered(now core.Instant, probe uint64) { d.m.Answered(now.Mono, probe) }

// LeadChanged implements core.Cluster.
func (d *Member) LeadChanged(now core.Instant, state []byte) { d.m.SetState(now.Mono, state) }

// Pump implements engine.Cluster.
func (d *Member) Pump(now core.Instant, _ engine.ClusterHost) time.Duration {
	// What is posted meanwhile waits for the next pass: the end of a pause is told in passes.
	d.mu.Lock()
	inbox := d.inbox
	d.inbox = nil
	d.mu.Unlock()
	for _, f := range inbox {
		f(now)
		d.carryOut(now)
	}
	if now.Mono-d.health >= healthEvery {
		d.health = now.Mono
		network, nodes, in, until := d.host.Health(now, d.cfg.HeardWithin)
		d.m.Health(now.Mono, pair.Health{Nodes: uint16(nodes), Network: uint16(network), InRun: in || until < soon})
	}
	d.m.Tick(now.Mono)
	d.carryOut(now)
	return min(d.m.Wake(), now.Mono+min(d.cfg.Pair.Timing.ClaimWait/4, healthEvery))
}

// carryOut does what the machine decided, until it wants nothing more.
func (d *Member) carryOut(now core.Instant) {
	for {
		d.effects = d.m.Effects(d.effects[:0])
		if len(d.effects) == 0 {
			return
		}
		effects := d.effects
		d.effects = nil // what is done here may lead back here
		for i := range effects {
			d.carry(now, &effects[i])
		}
		clear(effects)
		d.effects = effects
	}
}

func (d *Member) carry(now core.Instant, e *pair.Effect) {
	switch e.Kind {
	case pair.EffectSend:
		d.transmit(e.Message)
	case pair.EffectDecided:
		v := core.Failed
		switch e.Verdict {
		case pair.Approved:
			v = core.Approved
			if e.Alone {
				d.host.Alone(now, core.Claim(e.Claim), e.Until, d.cfg.HeardWithin)
			}
		case pair.Denied:
			v = core.Denied
		}
		d.host.ClaimDecided(now, core.Claim(e.Claim), v)
	case pair.EffectFree:
		d.host.Free(now, core.Claim(e.Claim))
	case pair.EffectAdopt:
		d.adopt(now, e)
	case pair.EffectRole:
		role := core.ClusterStandby
		if e.Role == pair.Active {
			role = core.ClusterActive
		}
		d.host.SetClusterRole(now, role, e.Epoch, roleReasons[e.Reason])
	case pair.EffectDrain:
		d.drain = drainPasses
		d.drained(now)
	case pair.EffectProbe:
		d.host.Probe(now, e.Probe)
	case pair.EffectNeed:
		if b := d.host.BlockBytes(e.ID); b != nil {
			d.m.Give(now.Mono, e.ID, append([]byte(nil), b...))
		}
	case pair.EffectState:
		if err := d.host.ApplyLead(now, e.State); err != nil {
			d.log.Error("state of the other relay", "error", err)
		}
	case pair.EffectAlarm:
		if why, known := alarmReasons[e.Reason]; known {
			d.host.ClusterAlarm(now, why, core.Claim(e.Claim), e.Detail)
		}
	case pair.EffectHandedOver:
		d.handedOver(e)
	}
}

// transmit sends a message on the link it was made for.
func (d *Member) transmit(x *pair.Message) {
	b, err := x.Append(nil)
	if err != nil {
		d.log.Error("message to the other relay", "kind", x.Kind, "error", err)
		return
	}
	d.mu.Lock()
	send := d.send
	d.mu.Unlock()
	if err := send(d.connection, b); err != nil {
		d.log.Debug("message to the other relay", "kind", x.Kind, "error", err)
	}
}

// adopt gives the core a claim of the other relay's, with its bytes if they came along.
func (d *Member) adopt(now core.Instant, e *pair.Effect) {
	cl := core.Claim(e.Claim)
	cl.Foreign = false
	held, err := d.host.Adopt(now, cl)
	if err == nil && !held && len(e.Bytes) > 0 {
		err = d.host.AdoptBlock(now, cl, e.Bytes)
	}
	if err != nil {
		d.log.Error("claim of the other relay", "error", err)
	}
}

// drained tells the machine when the loop has come by often enough.
func (d *Member) drained(now core.Instant) {
	if d.drain == 0 {
		return
	}
	if d.drain--; d.drain == 0 {
		d.m.Drained(now.Mono)
		return
	}
	d.post(d.drained)
}

func (d *Member) handedOver(e *pair.Effect) {
	var err error
	if e.Verdict != pair.Approved {
		err = fmt.Errorf("%w: %s", core.ErrNotPossible, e.Detail)
	}
	for _, done := range d.over {
		done <- err
	}
	d.over = nil
}

// Role is what this relay is, and its epoch, as of the last pass of the loop; on the loop only.
func (d *Member) Role() (pair.Role, uint64) { return d.m.Role() }
