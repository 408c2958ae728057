package pair

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// Machine is one half of a pair. Every input takes the present time of a monotonic clock that runs on
// while the process is paused; after each of them (and at least every GapLimit/2, by Tick) the driver
// carries out what Effects returns, in order. Not safe for concurrent use.
type Machine struct {
	cfg   Config
	rules rules
	out   []Effect

	now, started time.Duration
	stopped      bool

	role   Role
	epoch  uint64
	owner  party // whose reign the epoch is
	fresh  bool  // not yet in a pair with an active
	met    bool  // there was contact in this life
	unsure bool  // active before a pause, not confirmed since
	told   Role  // the role that the core was told last

	wake     time.Duration // end of the last pause
	draining bool
	settle   time.Duration // nothing leaves alone before
	// settleAsked: nor before the network answers the probe under way, if that comes first.
	settleAsked bool

	link bool
	sent time.Duration // when the last message went out; -1: at once
	peer peerView

	book   book
	has    []p2pwire.ID // blocks that this relay holds, oldest first
	blocks []heldBlock  // bytes of the last own claims
	lacks  bool         // the other side lacked bytes last time
	want   want

	windows   windows
	probe     probe
	bid       bid
	grantedAt time.Duration
	shownAt   time.Duration // when the network last showed a block of ours

	health      Health
	healthKnown bool
	since       time.Duration // the other side has been well since
	handover    handover
	state       clusterState
	alarmed     [numReasons]bool
	hint        Hint
}

// peerView is what the other relay said last.
type peerView struct {
	incarnation uint64
	heard       time.Duration // its newest Sent on this link
	at          time.Duration // when that was read
	role        Role
	epoch       uint64
	unsure      bool
	fresh       bool
	health      Health
	gain, lose  time.Duration // its EchoWait; its EchoWait less its Guard
	known       bool
}

// want is the claim that the core waits for.
type want struct {
	on    bool
	claim Claim
	sent  bool          // proposed on this link
	first time.Duration // when it was proposed first; -1: not yet
	why   Reason
}

type heldBlock struct {
	id    p2pwire.ID
	bytes []byte
}

// clusterState is opaque; the newest (epoch, version) counts.
type clusterState struct {
	epoch, version         uint64
	data                   []byte
	sentEpoch, sentVersion uint64 // what was sent on this link
	sent                   bool
}

// Hint is what the membership says of the other relay. It decides nothing.
type Hint uint8

// The hints.
const (
	HintUnknown Hint = iota
	HintAlive
	HintSuspect
	HintDead
)

// keptBlocks is for how many own claims the bytes are kept for the other relay.
const keptBlocks = 4

// New makes a Machine that is standby, without a link.
func New(cfg Config, now time.Duration) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg, now: now, started: now, role: Standby, told: Standby, fresh: true, sent: -1}
	m.want.first, m.probe.base = -1, 1
	m.windows.owner = peer
	if cfg.Priority {
		m.windows.owner = me // what both know before they know more
	}
	for _, c := range cfg.Claims {
		m.Known(c, true)
	}
	return m, nil
}

// Known tells of a claim of an earlier life; it comes before any other input, in rising order of slot. The
// block may be on the network. agreed: the other side agreed to it, or this one did to the other's. One that
// is not was let out alone, if at all: it gives way to what the other side has let out meanwhile, and to
// nothing less. Neither leaves here again before the other side, or the network, confirms it, or this relay
// claims it anew.
func (m *Machine) Known(cl Claim, agreed bool) {
	m.book.put(entry{Claim: cl, final: agreed, earlier: true})
}

// Effects appends what is to be done to dst, in order, and forgets it.
func (m *Machine) Effects(dst []Effect) []Effect {
	dst = append(dst, m.out...)
	clear(m.out)
	m.out = m.out[:0]
	return dst
}

// Role is the role that the core was told last, and the epoch.
func (m *Machine) Role() (Role, uint64) { return m.told, m.epoch }

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// alarm tells a human once, until the condition is cleared.
func (m *Machine) alarm(r Reason, cl Claim, detail string) {
	if !m.alarmed[r] {
		m.alarmed[r] = true
		m.emit(Effect{Kind: EffectAlarm, Reason: r, Claim: cl, Detail: detail})
	}
}

func (m *Machine) calm(r Reason) { m.alarmed[r] = false }

// enter begins an input: it sets the time, and notices a pause.
func (m *Machine) enter(now time.Duration) {
	d := now - m.now
	m.now = max(m.now, now)
	if d > m.cfg.Timing.GapLimit {
		m.paused()
	}
}

// Tick lets time pass.
func (m *Machine) Tick(now time.Duration) {
	m.enter(now)
	m.decide()
}

// Gap tells of a pause of the loop for d that ended now.
func (m *Machine) Gap(now, d time.Duration) {
	seen := now - m.now
	m.enter(now)
	if d > m.cfg.Timing.GapLimit && seen <= m.cfg.Timing.GapLimit {
		m.paused()
	}
	m.decide()
}

// paused: the other relay may have taken over meanwhile, and what it said waits to be read.
func (m *Machine) paused() {
	m.wake = m.now
	m.bid, m.settleAsked = bid{}, false
	m.probe.forget()
	if m.rules.pauseIgnored {
		return
	}
	m.draining = true
	m.emit(Effect{Kind: EffectDrain, Reason: ReasonGap})
	if m.role == Active && !m.unsure {
		m.unsure = true
		m.tellRole(ReasonGap)
		m.sent = -1
	}
}

// Drained tells that EffectDrain was carried out.
func (m *Machine) Drained(now time.Duration) {
	m.enter(now)
	m.draining = false
	m.decide()
}

// LinkUp tells that there is an authenticated link to the other relay. Messages on it arrive whole, in
// order and once, or the link ends.
func (m *Machine) LinkUp(now time.Duration) {
	m.enter(now)
	m.link, m.peer.heard, m.peer.at = true, 0, 0
	m.want.sent, m.bid, m.state.sent = false, bid{}, false
	for i := range m.book.list {
		m.book.list[i].asked = false
	}
	m.send(KindHello, nil)
	m.decide()
}

// LinkDown tells that the link ended; why is for the alarm.
func (m *Machine) LinkDown(now time.Duration, why string) {
	m.enter(now)
	m.link, m.peer.heard, m.peer.at = false, 0, 0
	m.want.sent, m.bid = false, bid{}
	m.probe.forget()
	if m.role == Active {
		m.alarm(ReasonPeerLost, Claim{}, why)
	}
	m.decide()
}

// Health tells what this relay sees.
func (m *Machine) Health(now time.Duration, h Health) {
	m.enter(now)
	if h != m.health {
		m.sent = -1
	}
	m.health, m.healthKnown = h, true
	m.decide()
}

// PeerHint tells what the membership thinks of the other relay: it is shown, and decides nothing.
func (m *Machine) PeerHint(now time.Duration, h Hint) {
	m.enter(now)
	m.hint = h
	m.decide()
}

// SetState gives the cluster state as the active has it; the standby gets it as EffectState.
func (m *Machine) SetState(now time.Duration, data []byte) {
	m.enter(now)
	if m.role == Active {
		if m.state.epoch < m.epoch {
			m.state.epoch, m.state.version = m.epoch, 0
		}
		m.state.version++
		m.state.data = data
		m.state.sent = false
	}
	m.decide()
}

// Stop ends the machine; an active with a standby hands over first. Nothing is decided afterwards.
func (m *Machine) Stop(now time.Duration) {
	m.enter(now)
	if m.stopped {
		return
	}
	if m.want.on {
		m.answer(Failed, ReasonStopped)
	}
	if m.role == Active && !m.unsure && m.contact() {
		m.grant(m.epoch, ReasonHandover, true)
	}
	m.stopped = true
}

// decide does what is due.
func (m *Machine) decide() {
	if m.stopped {
		return
	}
	if !m.draining {
		m.decideWant()
		m.watch()
		m.handOver()
		m.decideWant()
		m.renew()
	}
	if m.link && !m.state.sent && m.role == Active && m.state.data != nil {
		m.sendState()
	}
	if m.link && (m.sent < 0 || m.now-m.sent >= m.cfg.Timing.Heartbeat) {
		m.send(KindBeat, nil)
	}
}

// Wake is the next moment at which time alone decides something about a slot: Tick should be called then.
// It is below now+Heartbeat, and after now.
func (m *Machine) Wake() time.Duration {
	t := &m.cfg.Timing
	next := m.now + t.Heartbeat
	at := func(x time.Duration) {
		if x > m.now && x < next {
			next = x
		}
	}
	for _, d := range m.windows.dues {
		at(d.at + m.lose())
		at(d.at + m.gain())
	}
	if m.want.on && m.want.first >= 0 {
		at(m.want.first + t.ClaimWait)
		at(m.silentAt())
	}
	if p := &m.probe; p.last >= p.base && !p.ok {
		at(p.at + t.ProbeEvery)
	}
	at(m.sent + t.Heartbeat)
	at(m.bid.at + t.BidWait)
	at(m.settle)
	return next
}

// contact tells that the other relay is standby and was heard just now.
func (m *Machine) contact() bool {
	t := &m.cfg.Timing
	return m.link && m.peer.at > 0 && m.peer.role == Standby && m.now-m.peer.at <= max(3*t.Heartbeat, t.BidWait)
}

func (m *Machine) tellRole(why Reason) {
	r := m.role
	if m.unsure {
		r = Standby
	}
	m.told = r
	m.emit(Effect{Kind: EffectRole, Role: r, Epoch: m.epoch, Reason: why})
}

// send sends a message; f sets what its kind needs.
func (m *Machine) send(k Kind, f func(*Message)) {
	if !m.link {
		return
	}
	msg := &Message{
		Kind: k, Member: m.cfg.Member, Incarnation: m.cfg.Incarnation, Sent: m.now, Heard: m.peer.heard,
		Epoch: m.epoch, Role: m.role, Unsure: m.unsure, Fresh: m.fresh, Owner: m.owner,
		Health:   m.health,
		EchoWait: m.cfg.Timing.EchoWait, Guard: m.cfg.Timing.Guard,
		StateEpoch: m.state.epoch, StateAt: m.state.version,
	}
	msg.AnchorOwner, msg.Anchor = m.windows.owner, m.windows.anchor
	msg.Missed = m.windows.slots()
	msg.Claims = m.recent()
	if f != nil {
		f(msg)
	}
	m.sent = m.now
	m.emit(Effect{Kind: EffectSend, Message: msg})
}

func (m *Machine) sendState() {
	m.state.sent, m.state.sentEpoch, m.state.sentVersion = true, m.state.epoch, m.state.version
	m.send(KindState, func(x *Message) { x.State = m.state.data })
}

// recent is what is told of claims: what is decided, and what this relay proposes.
func (m *Machine) recent() []Told {
	list := m.book.list[max(0, len(m.book.list)-maxTold):]
	told := make([]Told, 0, len(list))
	for i := range list {
		e := &list[i]
		switch {
		case e.final, e.mine && m.role == Active && m.want.on && m.want.claim == e.Claim:
			told = append(told, Told{Claim: e.Claim, Final: e.final, Held: e.held, Free: e.free, Mine: e.mine})
		}
	}
	return told
}

// holds tells whether this relay has a block.
func (m *Machine) holds(id p2pwire.ID) bool { return slices.Contains(m.has, id) }

func (m *Machine) noteHeld(id p2pwire.ID) {
	if m.holds(id) {
		return
	}
	if len(m.has) >= maxHeld {
		m.has = append(m.has[:0], m.has[1:]...)
	}
	m.has = append(m.has, id)
}
