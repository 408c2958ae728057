package pair

import (
	"time"

	"bprelay/p2pwire"
)

// probe asks the network whether it is still there.
type probe struct {
	last   uint64        // number of the last question
	base   uint64        // the first one whose answer counts
	first  time.Duration // when the last question was sent first
	at     time.Duration // when it was sent last
	ok     bool
	anchor p2pwire.Slot // what it is about: these many slots missed after that one
	missed int
}

func (p *probe) forget() { p.base, p.ok, p.missed = p.last+1, false, 0 }

// bid is the last one made on this link.
type bid struct {
	on       bool
	slot     p2pwire.Slot
	at       time.Duration
	turn     bool // said to be this relay's
	answered bool // the active said no: it is alive
}

type handover struct {
	asked, force bool
	by           time.Duration
}

// Answered tells that a network peer answered EffectProbe n, after all it had sent before was passed on.
func (m *Machine) Answered(now time.Duration, n uint64) {
	m.enter(now)
	if n >= m.probe.base && n <= m.probe.last {
		m.probe.ok = true
		m.calm(ReasonNoProof)
		if m.settleAsked {
			m.settle, m.settleAsked = min(m.settle, m.now), false
		}
	}
	m.decide()
}

// watch takes over when slots pass unseen.
func (m *Machine) watch() {
	w := &m.windows
	k := w.passed(m.now, m.gain())
	if k == 0 {
		m.quiet()
		return
	}
	slot := w.newest(m.now, m.gain())
	sure := m.role == Active && !m.unsure
	if !sure && m.link && m.bid.slot != slot {
		m.makeBid(slot)
	}
	if m.right() {
		return
	}
	mine := w.turn(k) == me || w.owner == nobody && k >= doubtful && (k%2 == 1) == m.cfg.Priority
	why := ReasonMissed
	switch {
	case sure || m.unsure:
		why = ReasonMissedAgain
	case !m.link:
		why = ReasonMissedAlone
	}
	if !m.met {
		mine = m.rules.startAlone || m.cfg.Priority && m.now-m.started >= m.cfg.Timing.StartWait && k >= unmet && mine
		why = ReasonNoContact
	}
	if !mine || w.passed(m.now, m.lose()) > k {
		return
	}
	t := &m.cfg.Timing
	proven := m.proven(k) // the network is asked while the other relay is
	switch {
	case !m.link:
	case sure && m.peer.at > 0 && m.now-m.peer.at <= t.BidWait: // the standby answers: it acknowledges
		return
	case !sure && (m.bid.answered || m.now-m.bid.at < t.BidWait):
		return
	}
	if m.rules.onlyCandidate && !m.want.on {
		return
	}
	if proven {
		m.takeOver(slot, why)
	}
}

// quiet makes the priority member active that has never seen the other one nor a block of ours, for so long that one
// of our rounds must have passed.
func (m *Machine) quiet() {
	if m.met || m.link || !m.cfg.Priority || m.role == Active || len(m.windows.dues) > 0 ||
		m.now-max(m.started, m.shownAt) < m.cfg.Timing.QuietWait {
		return
	}
	if m.proven(0) {
		m.takeOver(m.windows.anchor, ReasonNoContact)
	}
}

// proven tells whether the network answers now that k slots passed; all it sent before has been read.
func (m *Machine) proven(k int) bool {
	p := &m.probe
	if p.anchor != m.windows.anchor || p.missed != k {
		p.forget()
		p.anchor, p.missed = m.windows.anchor, k
	}
	if p.ok || m.rules.noProof {
		return true
	}
	switch {
	case p.last < p.base:
		p.last, p.first = p.last+1, m.now
	case m.now-p.at < m.cfg.Timing.ProbeEvery:
		return false
	}
	if m.now-p.first >= m.cfg.Timing.BidWait {
		m.alarm(ReasonNoProof, Claim{}, "")
	}
	// Asked again it is the same question, for sessions that came meanwhile: an answer may be longer under
	// way than ProbeEvery.
	p.at = m.now
	m.emit(Effect{Kind: EffectProbe, Probe: p.last})
	return false
}

// takeOver begins a reign without the other side's consent.
func (m *Machine) takeOver(slot p2pwire.Slot, why Reason) {
	m.windows.set(slot, me)
	m.reign(max(m.epoch, m.peer.epoch)+1, why)
	m.want.first = m.now - m.cfg.Timing.ClaimWait // whoever did not answer is not waited for
	m.probe.forget()
}

// reign makes this relay active.
func (m *Machine) reign(epoch uint64, why Reason) {
	m.epoch, m.owner, m.role, m.fresh = epoch, me, Active, false
	m.unsure = m.draining // what made it active may be old
	m.bid = bid{}
	m.calm(ReasonPeerUnseen)
	m.book.drop(func(e *entry) bool { return e.relied && !e.final && !e.earlier }) // their blocks never came
	m.want.sent = false
	m.tellRole(why)
	m.sent = -1
}

// stepDown ends a reign. What the core waits for stays undecided until the slot is.
func (m *Machine) stepDown(why Reason, epoch uint64) {
	m.role, m.unsure, m.epoch, m.owner = Standby, false, epoch, peer
	m.bid = bid{}
	m.tellRole(why)
}

// makeBid asks for the active's role; slot is the one that passed unseen, 0 if both are standby.
func (m *Machine) makeBid(slot p2pwire.Slot) {
	turn := m.windows.turn(m.windows.passed(m.now, m.gain())) == me
	m.bid = bid{on: true, slot: slot, at: m.now, turn: turn}
	m.send(KindBid, func(x *Message) { x.Slot, x.Candidate, x.Turn = slot, m.want.on, turn })
}

// bidden answers a bid.
func (m *Machine) bidden(x *Message) {
	sure := m.role == Active && !m.unsure
	switch {
	case m.draining:
		m.send(KindRefuse, nil) // who was paused does not know what it may give
	case sure && !m.grants(x):
		m.send(KindRefuse, nil)
	case !sure && m.bid.on && !m.bid.answered && m.now-m.bid.at < m.cfg.Timing.BidWait && m.first(x):
		// Both bid: this one waits for the other's grant.
	default:
		m.grant(x.Epoch, ReasonGranted, sure)
	}
}

// first tells whether this relay's bid goes before the other's: the one whose turn it is, else the higher
// (epoch, member). Both compare what the two bids say, so exactly one of them grants.
func (m *Machine) first(x *Message) bool {
	if m.bid.turn != x.Turn {
		return m.bid.turn
	}
	return m.cfg.Member > x.Member
}

// grants tells whether an active gives its role to a standby that saw a slot pass. A node that is late
// is no reason: the standby must hold a block that is lacking here, or see nodes or a network that this
// relay does not see.
func (m *Machine) grants(x *Message) bool {
	if x.Slot == 0 {
		return false
	}
	if m.want.on {
		return false
	}
	for i := range m.book.list {
		if e := &m.book.list[i]; e.Slot >= x.Slot && e.mine {
			return false
		}
	}
	return x.Candidate || m.better(x.Health) != ReasonNone
}

// better tells in what the other side's sight is better than ours, none if it is worse in anything.
func (m *Machine) better(h Health) Reason {
	if !m.healthKnown || h.Nodes == 0 && m.health.Nodes > 0 || h.Network == 0 && m.health.Network > 0 {
		return ReasonNone
	}
	switch {
	case h.Nodes > 0 && m.health.Nodes == 0:
		return ReasonNodesLost
	case h.Network > 0 && m.health.Network == 0:
		return ReasonIsolated
	}
	return ReasonNone
}

// grant gives the active's role to the other side. sure: nothing but what this relay told may be out.
func (m *Machine) grant(epoch uint64, why Reason, sure bool) {
	w := &m.windows
	slot := w.newest(m.now, m.gain())
	switch {
	case m.rules.noGrantDoubt:
		w.set(slot, peer)
		w.agreed(m.now, peer, m.book.newest())
	case w.turn(w.passed(m.now, m.gain())) != peer:
		// Until the other side is heard as active: the grant may be lost. What was claimed before tells
		// nothing about that.
		w.agreed(m.now, nobody, m.book.newest())
	}
	wasActive := m.role == Active
	m.role, m.unsure, m.owner, m.epoch, m.fresh = Standby, false, peer, max(m.epoch, epoch)+1, false
	m.grantedAt = m.now
	m.bid = bid{slot: slot}
	m.send(KindGrant, func(x *Message) { x.Candidate = sure })
	if wasActive {
		m.tellRole(why)
	}
}

// granted: the other side gave its role.
func (m *Machine) granted(x *Message) {
	if m.role == Active || x.Epoch <= m.epoch {
		return
	}
	w := &m.windows
	k := w.passed(m.now, m.gain())
	asked := k > 0 && w.turn(k) == me && m.probe.anchor == w.anchor && m.probe.missed == k
	w.set(w.newest(m.now, m.gain()), me)
	w.agreed(m.now, me, m.book.newest())
	why := ReasonGranted
	if m.bid.on && m.bid.slot == 0 {
		why = ReasonElected // both were standby
	}
	m.reign(x.Epoch, why)
	if asked && m.probe.ok {
		m.want.first = m.now - m.cfg.Timing.ClaimWait // it is late as it is, and this relay's turn without any grant
	}
	if !x.Candidate && !(asked && m.probe.ok) {
		m.settle = m.now + m.cfg.Timing.EchoWait
		m.settleAsked = asked // a slot was missed already: the network's answer is enough
	}
}

// elect makes one of two standbys active.
func (m *Machine) elect() {
	first := m.cfg.Priority
	if m.fresh != m.peer.fresh {
		first = !m.fresh // it knows more
	}
	wait := m.cfg.Timing.BidWait
	if len(m.windows.dues) > 0 {
		return // a slot's block may be under way; if it is not seen, the slot decides
	}
	if !first || m.draining || m.now-m.grantedAt < wait || m.bid.on && m.now-m.bid.at < wait {
		return
	}
	m.makeBid(0)
}

// Handover asks an active to give its role to the standby: outside our run, or after HandoverWait, or at
// once if force. EffectHandedOver tells how it ended.
func (m *Machine) Handover(now time.Duration, force bool) {
	m.enter(now)
	m.handover = handover{asked: true, force: force, by: m.now + m.cfg.Timing.HandoverWait}
	m.decide()
}

// handOver gives the role away, as asked for or because the other side sees more.
func (m *Machine) handOver() {
	h := &m.handover
	sure := m.role == Active && !m.unsure
	if h.asked {
		refuse := ""
		switch {
		case m.role != Active:
			refuse = "this relay is standby"
		case !m.contact() && (h.force || m.now >= h.by):
			refuse = "there is no standby"
		case m.peer.health.Nodes == 0 && m.health.Nodes > 0 && !h.force:
			refuse = "the standby has no nodes"
		}
		if refuse != "" {
			h.asked = false
			m.emit(Effect{Kind: EffectHandedOver, Verdict: Failed, Reason: ReasonHandover, Detail: refuse})
		}
	}
	if !sure || !m.contact() {
		m.since = m.now
		return
	}
	well := m.peer.health.Network > 0 && m.peer.health.Nodes > 0
	if !well {
		m.since = m.now
	}
	if m.want.on {
		return // it is decided within claim_wait
	}
	switch why := m.better(m.peer.health); {
	case why != ReasonNone:
		m.grant(m.epoch, why, true)
	case h.asked && (h.force || !m.health.InRun || m.now >= h.by):
		h.asked = false
		m.grant(m.epoch, ReasonHandover, true)
		m.emit(Effect{Kind: EffectHandedOver, Verdict: Approved, Reason: ReasonHandover})
	case m.cfg.Failback && !m.cfg.Priority && !m.health.InRun && m.now-m.since >= m.cfg.Timing.FailbackAfter:
		m.grant(m.epoch, ReasonFailback, true)
	}
}
