package pair

import (
	"time"

	"bprelay/p2pwire"
)

// Claim asks for a slot on behalf of a block that the core would let out; data is its bytes (kept
// until later claims displace it), nil only if Foreign. Asked at a standby it stays Pending until the
// role or the slot is decided. There is one claim at a time: a new one displaces an undecided one.
// Approved is returned only for what may be written to everybody; otherwise a Decided effect follows
// Pending, maybe at once.
func (m *Machine) Claim(now time.Duration, cl Claim, data []byte) Verdict {
	m.enter(now)
	if cl.Foreign {
		m.public(cl, peer)
		m.decide()
		return Approved
	}
	m.noteHeld(cl.ID)
	if data != nil {
		m.keep(cl.ID, data)
	}
	e := m.book.at(cl.Producer, cl.Slot)
	switch {
	case m.stopped:
		return Failed
	case e == nil && cl.Slot <= m.book.floor:
		return Denied
	case e != nil && e.final && e.ID == cl.ID && e.free:
		e.held = true
		return Approved
	case e != nil && e.ID != cl.ID && (e.final || e.mine || e.earlier):
		m.decide()
		return Denied
	}
	m.want = want{on: true, claim: cl, first: -1}
	m.decide()
	return Pending
}

// Withdraw takes back a claim that the core no longer makes. It is a hint: a claim that the other
// relay was told of binds all the same.
func (m *Machine) Withdraw(now time.Duration, cl Claim) {
	m.enter(now)
	if m.want.on && m.want.claim == cl {
		m.answer(Failed, ReasonWithdrawn)
	}
	m.decide()
}

// Hold tells that this relay holds a block of an own producer.
func (m *Machine) Hold(now time.Duration, id p2pwire.ID) {
	m.enter(now)
	m.hold(id, nil)
	m.decide()
}

// Give brings what EffectNeed asked for.
func (m *Machine) Give(now time.Duration, id p2pwire.ID, data []byte) {
	m.enter(now)
	m.send(KindBytes, func(x *Message) { x.ID, x.Bytes = id, data })
	m.decide()
}

// Echo tells that the network showed a verified block of an own producer: a network session sent it,
// a vote for it, named it or what builds on it as its head, or (for a block that this relay wrote)
// answered a time message that was written to it after the block.
func (m *Machine) Echo(now time.Duration, producer p2pwire.Name, slot p2pwire.Slot, id p2pwire.ID) {
	m.enter(now)
	m.public(Claim{Producer: producer, Slot: slot, ID: id}, nobody)
	m.decide()
}

func (m *Machine) keep(id p2pwire.ID, data []byte) {
	for i := range m.blocks {
		if m.blocks[i].id == id {
			return
		}
	}
	if len(m.blocks) >= keptBlocks {
		m.blocks = append(m.blocks[:0], m.blocks[1:]...)
	}
	m.blocks = append(m.blocks, heldBlock{id, data})
}

// hold notes that a block is here; what the other side claimed for it can be acknowledged now.
func (m *Machine) hold(id p2pwire.ID, data []byte) {
	m.noteHeld(id)
	for i := range m.book.list {
		e := &m.book.list[i]
		if e.ID != id || e.held {
			continue
		}
		e.held = true
		switch {
		case e.relied && (!e.final || e.earlier) && m.role == Standby:
			m.adopt(e, data)
			m.send(KindAck, nil)
		case e.final && !e.earlier:
			m.emit(Effect{Kind: EffectAdopt, Claim: e.Claim, Held: true, Bytes: data, Reason: ReasonKnown})
		}
	}
}

// adopt makes a claim of the other side ours: no other id for the slot leaves here from now on.
func (m *Machine) adopt(e *entry, data []byte) {
	e.final, e.relied, e.free, e.mine, e.earlier = true, false, true, false, false
	m.emit(Effect{Kind: EffectAdopt, Claim: e.Claim, Held: e.held, Bytes: data, Reason: ReasonAcknowledged})
}

// public enters what the network showed, and judges by it who publishes. by is the publisher if known.
func (m *Machine) public(cl Claim, by party) {
	m.shownAt = m.now
	e := m.book.at(cl.Producer, cl.Slot)
	known := e != nil && e.ID == cl.ID
	switch {
	case known && e.final && e.mine:
		by = me
	case known && e.final && !e.earlier:
		by = peer
	case known && e.mine:
		// It was proposed and is out: the other side let it out, as the standby that it was or as the
		// active that it became.
		by = nobody
		if m.windows.owner == me && m.windows.passed(m.now, m.lose()) == 0 {
			by = me
		}
	case by == nobody && !m.fresh:
		by = peer
	}
	switch {
	case e == nil:
		e = m.book.put(entry{Claim: cl, held: m.holds(cl.ID)})
	case known:
	case e.final:
		m.conflict(e, cl)
		return
	default:
		*e = entry{Claim: cl, held: m.holds(cl.ID)}
	}
	if e != nil {
		if e.final && !e.free {
			m.emit(Effect{Kind: EffectFree, Claim: e.Claim, Reason: ReasonPublic})
		}
		e.final, e.free, e.shown, e.relied, e.earlier = true, true, true, false, false
	}
	if by == peer && m.role == Active && m.contact() {
		by = me // the standby says that it did not take over: someone else has our key
	}
	m.windows.witness(cl.Slot, by)
	if by == peer && m.role == Active {
		m.stepDown(ReasonOtherPublished, m.epoch)
	}
	if m.role == Standby && !m.link {
		m.alarm(ReasonPeerUnseen, cl, "")
	}
}

// conflict: two ids for one slot, and both may be on the network.
func (m *Machine) conflict(e *entry, cl Claim) {
	if e.alarm {
		return
	}
	e.alarm = true
	m.emit(Effect{Kind: EffectAlarm, Reason: ReasonDoubleClaim, Claim: cl, Detail: "claimed here: " + e.ID.String()})
}

// answer ends the wait for a claim.
func (m *Machine) answer(v Verdict, why Reason) {
	w := &m.want
	w.on = false
	m.emit(Effect{Kind: EffectDecided, Claim: w.claim, Verdict: v, Reason: why})
}

// decideWant answers the claim that the core waits for, if that can be done.
func (m *Machine) decideWant() {
	w := &m.want
	if !w.on {
		return
	}
	e := m.book.at(w.claim.Producer, w.claim.Slot)
	switch {
	case e == nil && w.claim.Slot <= m.book.floor:
		m.answer(Denied, ReasonTooOld)
		return
	case e != nil && (e.final || e.earlier) && e.ID != w.claim.ID:
		m.answer(Denied, ReasonTaken)
		return
	case e != nil && e.final && e.free:
		why := ReasonAcknowledged
		if e.shown {
			why = ReasonPublic
		}
		m.answer(Approved, why)
		return
	case m.role != Active:
		w.why = ReasonStandby
		return
	}
	if e == nil {
		e = m.book.put(entry{Claim: w.claim, held: true, mine: true})
	} else if e.earlier {
		e.held, e.mine, e.relied = true, true, false
	} else if !e.final && !(e.mine && e.ID == w.claim.ID) {
		*e = entry{Claim: w.claim, held: true, mine: true} // a note: its block never came
	}
	t := &m.cfg.Timing
	if m.link && !w.sent {
		w.sent = true
		if w.first < 0 {
			w.first = m.now
		}
		m.propose()
	}
	switch {
	case m.unsure:
		w.why = ReasonUnsure
	case m.link && w.first >= 0 && m.now < min(w.first+t.ClaimWait, m.silentAt()) && !m.rules.noAck:
		w.why = ReasonAwaitAck
	case m.now < m.settle:
		w.why = ReasonSettling
	case !m.right():
		w.why = ReasonWindow
	case m.healthKnown && m.health.Network == 0 && !m.rules.deadSockets:
		w.why = ReasonNoNetwork
	default:
		m.alone(e)
	}
}

// silentAt is when the other relay is not waited for any more, unless it says something before: the last it
// said is so long ago that an answer is not to be expected.
func (m *Machine) silentAt() time.Duration {
	if m.peer.at == 0 {
		return never // the link has only just come up
	}
	return m.peer.at + max(3*m.cfg.Timing.Heartbeat, m.cfg.Timing.ClaimWait)
}

const never = time.Duration(1<<63 - 1)

// alone lets a claim out that nobody acknowledged.
func (m *Machine) alone(e *entry) {
	e.final, e.earlier = true, false
	if m.want.on && m.want.claim == e.Claim {
		m.want.on = false
	}
	if m.link {
		m.alarm(ReasonPeerSlow, e.Claim, "")
	}
	e.until = m.windows.until(m.now, m.lose())
	m.emit(Effect{
		Kind: EffectDecided, Claim: e.Claim, Verdict: Approved, Alone: !m.rules.deadSockets, Reason: ReasonAlone,
		Until: e.until,
	})
	m.sent = -1
}

// renew lets out again what was let out alone before and is not known to have arrived, now that (or as
// long as) this relay has the right to.
func (m *Machine) renew() {
	if !m.right() || m.now < m.settle || m.healthKnown && m.health.Network == 0 {
		return
	}
	for i := range m.book.list {
		if e := &m.book.list[i]; e.final && e.mine && !e.free && !e.earlier && e.until <= m.now {
			m.alone(e)
		}
	}
}

// propose tells the other relay what is to be claimed.
func (m *Machine) propose() {
	m.send(KindClaim, func(x *Message) {
		x.ID = m.want.claim.ID
		x.Slot = m.want.claim.Slot
		if m.lacks || m.peer.health.Nodes < m.health.Nodes {
			x.Bytes = m.bytes(x.ID)
		}
	})
}

func (m *Machine) bytes(id p2pwire.ID) []byte {
	for i := range m.blocks {
		if m.blocks[i].id == id {
			return m.blocks[i].bytes
		}
	}
	return nil
}
