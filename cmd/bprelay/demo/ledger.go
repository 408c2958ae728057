package demo

import (
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// row is what is known of one slot.
type row struct {
	slot      p2pwire.Slot
	producer  p2pwire.Name
	own       bool
	ids       []p2pwire.ID // distinct ones that the observer got, in order
	seenAt    int64        // the first of them, wall
	claimed   p2pwire.ID
	winner    string        // the node whose copy the relay let out
	added     time.Duration // by the relay; 0: not known
	made      []candidate
	announced bool
}

// candidate is a block that a node of ours made, and what the relay said to it.
type candidate struct {
	node   string
	id     p2pwire.ID
	reason core.Reason // ReasonNone: nothing yet
	made   bool        // by this node; else it passed it on
}

// ledger keeps the rows of the recent past, for the view.
type ledger struct {
	plan   plan
	rows   map[p2pwire.Slot]*row
	won    map[string]int // own blocks that went out, by node
	public int            // own slots the observer got a block for, since plan.first
	double int
	best   *row // newest slot the observer got a block for
	next   p2pwire.Slot
}

func newLedger(p plan) *ledger {
	return &ledger{plan: p, rows: map[p2pwire.Slot]*row{}, won: map[string]int{}, next: p.start + 1}
}

// at is the row of a slot.
func (l *ledger) at(slot p2pwire.Slot) *row {
	r := l.rows[slot]
	if r == nil {
		producer := l.plan.producerAt(slot)
		r = &row{slot: slot, producer: name(producer), own: producer == ours}
		l.rows[slot] = r
	}
	return r
}

func (p *plan) producerAt(slot p2pwire.Slot) string {
	return p.schedule[int(slot.Round())%len(p.schedule)]
}

func (l *ledger) apply(n news) *row {
	r := l.at(n.slot)
	switch {
	case n.kind == produced:
		r.candidate(n.node, n.id).made = true
	case n.kind == seen:
		l.saw(r, n)
	case n.event == core.EventClaimed && r.claimed == n.id:
		// The other relay let it out, too.
	case n.event == core.EventClaimed:
		r.claimed, r.winner = n.id, n.node
		if r.winner == "" && len(r.made) > 0 {
			// It was held first, and the relay does not say by whom.
			r.winner = r.made[max(0, slices.IndexFunc(r.made, func(c candidate) bool { return c.id == n.id }))].node
		}
		r.judge(r.winner, n.id, core.ReasonClaimed)
		l.won[r.winner]++
	case n.event == core.EventWithheld:
		r.judge(n.node, n.id, n.reason)
	}
	return r
}

func (l *ledger) saw(r *row, n news) {
	if slices.Contains(r.ids, n.id) {
		return
	}
	if r.ids = append(r.ids, n.id); len(r.ids) == 1 {
		r.seenAt = n.wall
	}
	if l.best == nil || r.slot > l.best.slot {
		l.best = r
	}
	if r.own && r.slot >= l.plan.first {
		switch len(r.ids) {
		case 1:
			l.public++
		case 2:
			l.double++
		}
	}
}

// candidate is the entry of a node's block, made if there is none: news of one block come from
// several goroutines, in any order.
func (r *row) candidate(node string, id p2pwire.ID) *candidate {
	for i := range r.made {
		if c := &r.made[i]; c.node == node && c.id == id {
			return c
		}
	}
	r.made = append(r.made, candidate{node: node, id: id})
	return &r.made[len(r.made)-1]
}

// judge notes the relay's decision; without a node it is about everyone's block of that id.
func (r *row) judge(node string, id p2pwire.ID, why core.Reason) {
	if node != "" {
		r.candidate(node, id).reason = why
		return
	}
	for i := range r.made {
		if r.made[i].id == id {
			r.made[i].reason = why
		}
	}
}

// due returns the rows that are complete as far as anyone can expect, oldest first, each once.
func (l *ledger) due(now int64) (rows []*row) {
	// A block is there before its timestamp, its siblings some ms later.
	const settled = int64(200 * time.Millisecond)
	last := p2pwire.SlotAt(now - settled)
	for ; l.next <= last; l.next++ {
		r := l.at(l.next)
		r.announced = true
		if r.own && r.slot < l.plan.first {
			continue // of a round that was nearly over when the network began
		}
		rows = append(rows, r)
	}
	return rows
}

// forget drops the rows of a past that nobody asks for any more.
func (l *ledger) forget(now int64) {
	for slot, r := range l.rows {
		if slot+2*l.plan.cycle < p2pwire.SlotAt(now) && r != l.best {
			delete(l.rows, slot)
		}
	}
}
