package pair

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// windows tells which of the two relays may let out what the other one has not acknowledged, without
// asking: both compute it from what the chain shows.
//
// The right belongs to whoever published the newest own block that the network showed (or that both
// hold): the owner, at the slot anchor. Every own slot since that was due and passed without being
// shown hands the right to the other one, and so on in turn. The right ends Guard before its slot
// counts as missed, and begins when it does.
type windows struct {
	owner  party // nobody: in doubt
	anchor p2pwire.Slot
	floor  p2pwire.Slot // the last change by consent: who let out blocks up to here no longer matters
	dues   []due        // own slots after anchor that were due, rising
}

type due struct {
	slot p2pwire.Slot
	at   time.Duration
}

const (
	// maxDues bounds the missed slots remembered; beyond, two at a time are forgotten, which leaves the
	// turns as they are.
	maxDues = 64
	// doubtful is how many slots must pass without any block before one in doubt takes over, the
	// priority member after an odd number, the other one after an even number: it may be that both are.
	// By then each of the two readings gave the other one a turn. A priority member that never saw the
	// other one has to wait for unmet slots: a turn of the other one.
	doubtful, unmet = 3, 2
)

// passed is how many slots after the anchor are due for longer than wait.
func (w *windows) passed(now, wait time.Duration) (k int) {
	for _, d := range w.dues {
		if d.at+wait <= now {
			k++
		}
	}
	return k
}

// turn is whose right it is after k missed slots.
func (w *windows) turn(k int) party {
	if k%2 == 0 {
		return w.owner
	}
	return w.owner.other()
}

// due adds a slot that is due.
func (w *windows) due(slot p2pwire.Slot, at time.Duration) {
	if slot <= w.anchor || len(w.dues) > 0 && slot <= w.dues[len(w.dues)-1].slot {
		return
	}
	if len(w.dues) >= maxDues {
		w.dues = append(w.dues[:0], w.dues[2:]...)
	}
	w.dues = append(w.dues, due{slot, at})
}

// maxMissed is how many of them every message names.
const maxMissed = 16

// slots names those that were due since the anchor, the newest; an even number is left out.
func (w *windows) slots() (list []p2pwire.Slot) {
	from := 0
	for len(w.dues)-from > maxMissed {
		from += 2
	}
	for _, d := range w.dues[from:] {
		list = append(list, d.slot)
	}
	return list
}

// before adds slots that were due before this relay started: they count as due now.
func (w *windows) before(list []p2pwire.Slot, now time.Duration) {
	n := 0
	for n < len(list) && (len(w.dues) == 0 || list[n] < w.dues[0].slot) {
		n++
	}
	for i := n - 1; i >= 0; i-- {
		if list[i] > w.anchor {
			w.dues = slices.Insert(w.dues, 0, due{list[i], now})
		}
	}
}

// witness: the block of a slot is out, let out first by a relay (nobody: it cannot be told).
func (w *windows) witness(slot p2pwire.Slot, by party) {
	switch {
	case slot <= w.anchor:
	case slot <= w.floor:
		w.set(slot, w.owner)
	default:
		w.set(slot, by)
	}
}

func (w *windows) set(slot p2pwire.Slot, owner party) {
	w.anchor, w.owner = slot, owner
	n := 0
	for n < len(w.dues) && w.dues[n].slot <= slot {
		n++
	}
	w.dues = append(w.dues[:0], w.dues[n:]...)
}

// agreed: both sides know, or are about to know, that owner has the right. claimed is the last slot
// that was claimed before.
func (w *windows) agreed(now time.Duration, owner party, claimed p2pwire.Slot) {
	w.owner = owner
	w.floor = max(w.floor, w.newest(now, 0), claimed)
}

// newest is the last slot due for longer than wait, the anchor if there is none.
func (w *windows) newest(now, wait time.Duration) p2pwire.Slot {
	slot := w.anchor
	for _, d := range w.dues {
		if d.at+wait <= now {
			slot = d.slot
		}
	}
	return slot
}

// until is when the right ends at the latest, given that it ends wait after a slot is due: at once for
// slots that are due, and for later ones not before wait has passed.
func (w *windows) until(now, wait time.Duration) time.Duration {
	end := now + wait
	for _, d := range w.dues {
		if d.at+wait > now {
			end = min(end, d.at+wait)
		}
	}
	return end
}

// gain is how long after it was due a slot counts as missed, lose how long after it the right to write
// alone ends. If the two relays run with different times, both take the safer ones.
func (m *Machine) gain() time.Duration { return max(m.cfg.Timing.EchoWait, m.peer.gain) }

func (m *Machine) lose() time.Duration {
	t := &m.cfg.Timing
	wait := t.EchoWait - t.Guard
	if m.peer.lose > 0 {
		wait = min(wait, m.peer.lose)
	}
	return wait
}

// right tells whether this relay may let out unacknowledged claims now.
func (m *Machine) right() bool {
	if m.role != Active || m.unsure || m.draining {
		return false
	}
	return m.rules.noWindow || m.windows.owner == me && m.windows.passed(m.now, m.lose()) == 0
}

// Due tells that a slot of an own producer is due at the time at, which is now or just passed. The core
// calls it once for every own slot, in order; a slot that stays unseen for EchoWait counts as missed.
func (m *Machine) Due(now time.Duration, producer p2pwire.Name, slot p2pwire.Slot, at time.Duration) {
	m.enter(now)
	if e := m.book.at(producer, slot); e != nil && e.shown {
		by := peer
		if e.mine {
			by = me
		}
		m.windows.witness(slot, by)
	}
	m.windows.due(slot, at)
	m.decide()
}
