package pair

import (
	"time"

	"bprelay/p2pwire"
)

// Recv brings a message of the other relay, decoded and from an authenticated link. The machine keeps
// its slices.
func (m *Machine) Recv(now time.Duration, x *Message) {
	m.enter(now)
	if m.stopped || !m.link || x.Member != m.cfg.Peer || m.peer.known && x.Incarnation < m.peer.incarnation {
		return
	}
	m.hear(x)
	m.ranks(x)
	if len(x.Bytes) > 0 {
		m.hold(x.ID, x.Bytes)
	}
	for _, t := range x.Claims {
		m.merge(x, t)
	}
	m.decideWant()
	switch x.Kind {
	case KindClaim:
		if e := m.find(x.ID, x.Slot); e == nil || e.final || e.ID != x.ID {
			m.send(KindAck, nil)
		}
	case KindNeed:
		m.lacks = true
		if b := m.bytes(x.ID); b != nil {
			m.send(KindBytes, func(y *Message) { y.ID, y.Bytes = x.ID, b })
		} else {
			m.emit(Effect{Kind: EffectNeed, ID: x.ID})
		}
	case KindBid:
		m.bidden(x)
	case KindGrant:
		m.granted(x)
	case KindRefuse:
		m.bid.answered = true
	}
	if m.role == Standby && x.Role == Standby && x.Kind != KindBid && x.Kind != KindGrant {
		m.elect()
	}
	m.states(x)
	m.decide()
}

// hear notes what the other side is.
func (m *Machine) hear(x *Message) {
	p := &m.peer
	if !p.known || x.Incarnation > p.incarnation {
		*p = peerView{}
	}
	m.met = true
	p.known, p.incarnation = true, x.Incarnation
	p.heard, p.at = max(p.heard, x.Sent), max(m.now, 1)
	p.role, p.epoch, p.unsure, p.fresh, p.health = x.Role, x.Epoch, x.Unsure, x.Fresh, x.Health
	p.gain, p.lose = x.EchoWait, x.EchoWait-x.Guard
	t := &m.cfg.Timing
	if x.EchoWait != t.EchoWait || x.Guard != t.Guard {
		m.alarm(ReasonSettings, Claim{}, "")
	}
	if x.Role == Standby {
		m.calm(ReasonPeerLost)
	} else {
		m.calm(ReasonPeerUnseen)
	}
	if m.bid.on && x.Role == Active && !x.Unsure && x.Heard >= m.bid.at {
		m.bid.answered = true
	}
}

// ranks decides by (epoch, member) who is active.
func (m *Machine) ranks(x *Message) {
	switch {
	case x.Kind == KindGrant:
	case x.Role == Active && m.role == Active:
		switch {
		case x.Epoch < m.epoch || x.Epoch == m.epoch && x.Member < m.cfg.Member:
			m.sent = -1 // it steps down when it hears
		case !m.rules.keepRole:
			m.stepDown(ReasonOutranked, x.Epoch)
			m.follow(x)
		}
	case x.Role == Active:
		if x.Epoch < m.epoch {
			m.sent = -1 // it raises its epoch
			return
		}
		if m.owner != peer || m.epoch != x.Epoch {
			m.epoch, m.owner = x.Epoch, peer
		}
		m.follow(x)
		m.fresh = false
		if x.Unsure {
			m.sent = -1
		}
	case m.role == Standby:
		if m.fresh && !x.Fresh {
			m.follow(x)
		}
	case x.Epoch > m.epoch:
		if m.unsure {
			m.stepDown(ReasonOutranked, x.Epoch)
			return
		}
		m.epoch = x.Epoch + 1
		m.tellRole(ReasonRaised)
		m.sent = -1
	case m.unsure:
		if x.Epoch == m.epoch && x.Owner == peer && x.Heard >= m.wake && !m.draining {
			m.unsure = false
			m.tellRole(ReasonConfirmed)
		}
	}
}

// follow takes over the active's word on who has the right to write alone, unless it is older than what
// is known here.
func (m *Machine) follow(x *Message) {
	w := &m.windows
	owner := x.AnchorOwner.other()
	if owner == nobody || x.Anchor < w.anchor && w.owner != nobody {
		return
	}
	if x.Anchor < w.anchor {
		// The other side has yet to see a block that this one has seen.
		w.agreed(m.now, owner, w.anchor)
		return
	}
	w.set(x.Anchor, owner)
	if m.fresh {
		w.before(x.Missed, m.now)
	}
}

func (m *Machine) find(id p2pwire.ID, slot p2pwire.Slot) *entry {
	for i := range m.book.list {
		if e := &m.book.list[i]; e.Slot == slot && e.ID == id {
			return e
		}
	}
	return nil
}

// merge takes in one claim of the other side.
func (m *Machine) merge(x *Message, t Told) {
	e := m.book.at(t.Producer, t.Slot)
	if t.Final {
		m.mergeFinal(x, e, t)
		return
	}
	if x.Role != Active || m.role != Standby || x.Epoch < m.epoch || m.owner != peer || x.Kind == KindGrant {
		return
	}
	switch {
	case e == nil:
		e = m.book.put(entry{Claim: t.Claim, relied: true})
	case e.earlier && e.ID == t.ID:
		e.relied = true
	case e.earlier:
		// It may be out, and the other side has let out no other: it is told.
		e.final = true
		m.sent = -1
		return
	case e.final:
		return
	case e.relied && e.ID == t.ID: // its bytes may have been asked for on a link that is gone
	default: // never out, or the other side would know
		*e = entry{Claim: t.Claim, relied: true}
	}
	if e == nil {
		return
	}
	if m.holds(t.ID) || m.rules.ackBlind {
		e.held = true
		m.adopt(e, x.bytesOf(t.ID))
		m.sent = -1
		return
	}
	m.askBytes(e, t)
}

// bytesOf is the block of an id if the message brought it.
func (x *Message) bytesOf(id p2pwire.ID) []byte {
	if x.ID == id {
		return x.Bytes
	}
	return nil
}

// mergeFinal takes in what may be on the network.
func (m *Machine) mergeFinal(x *Message, e *entry, t Told) {
	switch {
	case e == nil:
		if e = m.book.put(entry{Claim: t.Claim, mine: !t.Mine}); e == nil {
			return
		}
	case e.ID == t.ID && e.final && !e.earlier:
		if !e.free {
			e.free = true
			m.emit(Effect{Kind: EffectFree, Claim: e.Claim, Reason: ReasonAcknowledged})
		}
		m.shared(e, t)
		return
	case e.ID == t.ID:
	case e.final:
		m.conflict(e, t.Claim)
		return
	default:
		*e = entry{Claim: t.Claim, mine: !t.Mine}
	}
	e.final, e.free, e.relied, e.earlier, e.held = true, true, false, false, e.held || m.holds(t.ID)
	m.shared(e, t)
	if m.want.on && m.want.claim == e.Claim {
		return // decided as a whole
	}
	m.emit(Effect{Kind: EffectAdopt, Claim: e.Claim, Held: e.held, Bytes: x.bytesOf(t.ID), Reason: ReasonKnown})
	if !e.held && t.Held {
		m.askBytes(e, t)
	}
}

// shared: both sides hold the claim. The standby cannot take over before the network has the block, which
// it wrote ahead of its probe; it learns from the active's next message, or from the network, that the
// slot is not missed.
func (m *Machine) shared(e *entry, t Told) {
	if m.role == Active && t.Held {
		m.windows.witness(e.Slot, me)
	}
}

func (m *Machine) askBytes(e *entry, t Told) {
	if t.Held && !e.asked {
		e.asked = true
		m.send(KindNeed, func(y *Message) { y.ID = e.ID })
	}
}

// states keeps the newest cluster state on both sides.
func (m *Machine) states(x *Message) {
	s := &m.state
	older := func(e, v uint64) bool { return e < s.epoch || e == s.epoch && v < s.version }
	switch {
	case x.Kind == KindState && !older(x.StateEpoch, x.StateAt) && (x.StateEpoch != s.epoch || x.StateAt != s.version):
		s.epoch, s.version, s.data = x.StateEpoch, x.StateAt, x.State
		m.emit(Effect{Kind: EffectState, State: x.State, Epoch: s.epoch})
	case older(x.StateEpoch, x.StateAt) && !(s.sent && s.sentEpoch == s.epoch && s.sentVersion == s.version):
		m.sendState()
	}
}
