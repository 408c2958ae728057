package core

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"bprelay/p2pwire"
)

// Offset is a moment, ns from a slot's timestamp; the zero value is none.
type Offset struct {
	Ns    int64
	Known bool
}

// IsZero tells that there is none.
func (o Offset) IsZero() bool { return !o.Known }

// MarshalJSON writes the number, or null.
func (o Offset) MarshalJSON() ([]byte, error) {
	if !o.Known {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, o.Ns, 10), nil
}

// UnmarshalJSON reads a number or null.
func (o *Offset) UnmarshalJSON(text []byte) (err error) {
	*o = Offset{}
	if string(text) != "null" {
		o.Ns, err = strconv.ParseInt(string(text), 10, 64)
		o.Known = err == nil
	}
	return err
}

// SlotRecord tells what happened with one own slot. All offsets are ns from the slot's timestamp on
// the relay's clock, negative before it.
type SlotRecord struct {
	Producer p2pwire.Name `json:"producer"`
	Slot     p2pwire.Slot `json:"slot"`
	Time     time.Time    `json:"time"` // its timestamp
	Round    uint32       `json:"round"`
	Index    int          `json:"index"`  // 0-11
	DueNs    int64        `json:"due_ns"` // when its block should leave the node

	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason"`
	// Closed: the round is over, the outcome is final. Expected: nothing came for the slot; that it was
	// ours is taken from the rounds before.
	Closed   bool `json:"closed"`
	Expected bool `json:"expected"`

	// Num, ID and Node are of the block that went out; or of the one the network has (Elsewhere), then
	// Node is empty and LeftNs is when it came from there.
	Num  uint32     `json:"num,omitempty"`
	ID   p2pwire.ID `json:"id,omitzero"`
	Node string     `json:"node,omitempty"`
	// LeftNs is when the first network session's socket took the block, AddedNs how long the relay had
	// it until then, Sessions for how many network sessions it was queued as it came.
	LeftNs   Offset `json:"left_ns,omitzero"`
	AddedNs  Offset `json:"added_ns,omitzero"`
	Sessions int    `json:"sessions"`
	// Echo says how the network first showed that it has the block, EchoNs when.
	Echo   Echo   `json:"echo"`
	EchoNs Offset `json:"echo_ns,omitzero"`
	// KeptInside counts the nodes with a block for the slot that stayed inside.
	KeptInside int `json:"kept_inside"`
	// Alarm is the last alarm over a block for the slot, "none" without.
	Alarm Reason `json:"alarm"`
	// Lead is the node whose block went out last before this slot, in the same round.
	Lead string `json:"lead,omitempty"`
	// Takeover is the way in force, and LeadChange the last change of the lead between the moment the
	// block before this one was due and the timestamp of this one; nil if there was none.
	Takeover   Takeover    `json:"takeover"`
	LeadChange *LeadChange `json:"lead_change,omitempty"`

	Nodes []NodeRecord `json:"nodes"`
	// NodesOmitted counts parts of nodes there was no room for.
	NodesOmitted int `json:"nodes_omitted,omitempty"`
}

// LeadChange is a change of the lead.
type LeadChange struct {
	Node     string `json:"node"`
	Previous string `json:"previous,omitempty"`
	Reason   Reason `json:"reason"`
	AtNs     int64  `json:"at_ns"` // from the slot's timestamp
}

// NodeRecord is one node's part in a slot.
type NodeRecord struct {
	Node       string   `json:"node"`
	Decision   Decision `json:"decision"`
	Reason     Reason   `json:"reason"`
	Candidates int      `json:"candidates"` // different blocks it sent for the slot
	// Num and ID are of the block that was decided on, FirstID of its first one, ArrivedNs when that
	// came, DecidedNs when it was decided.
	Num       uint32     `json:"num,omitempty"`
	ID        p2pwire.ID `json:"id,omitzero"`
	FirstID   p2pwire.ID `json:"first_id,omitzero"`
	ArrivedNs Offset     `json:"arrived_ns,omitzero"`
	DecidedNs Offset     `json:"decided_ns,omitzero"`
	// BranchSince is the slot since which the node has been on a branch the network never saw, 0 if it
	// is not.
	BranchSince p2pwire.Slot `json:"branch_since_slot,omitempty"`
	// Connected: it had a session when its block was due. DownNs is when the session ended (before the
	// block was due if it was not connected then), DownReason why ("none": it could not be dialled),
	// UpNs when the node was back, or first there.
	Connected  bool   `json:"connected"`
	DownNs     Offset `json:"down_ns,omitzero"`
	DownReason Reason `json:"down_reason"`
	UpNs       Offset `json:"up_ns,omitzero"`
}

// SlotQuery asks for slot records: those of one slot, or of the blocks with a number, or else the
// Last ones (all that are kept, if zero).
type SlotQuery struct {
	Slot p2pwire.Slot
	Num  uint32
	Last int
}

// SlotReport answers a SlotQuery.
type SlotReport struct {
	// StartedAt is the relay's start, Now the present slot; Oldest and Newest are the first and last
	// slot there is a record of, 0 without any.
	StartedAt time.Time    `json:"started_at"`
	Now       p2pwire.Slot `json:"now_slot"`
	Oldest    p2pwire.Slot `json:"oldest_slot"`
	Newest    p2pwire.Slot `json:"newest_slot"`
	Kept      int          `json:"kept"`
	// PeriodRounds is every how many rounds the same producer comes again, 0 while it is not known.
	PeriodRounds uint32 `json:"period_rounds"`
	// Public is the public block with the slot or number asked for, where that is not one of ours.
	Public *BlockRef `json:"public,omitempty"`
	// Slots are the records, oldest first.
	Slots []SlotRecord `json:"slots"`
}

// Slots answers a query. It copies what is asked for and no more; not for the hot path.
func (c *Core) Slots(now Instant, q SlotQuery) SlotReport {
	c.now = now
	b := &c.slots
	rep := SlotReport{
		StartedAt: wallTime(c.started.Wall), Now: p2pwire.SlotAt(now.Wall), Kept: len(b.ring),
		PeriodRounds: b.rounds.period, Slots: []SlotRecord{},
	}
	if len(b.index) > 0 {
		rep.Oldest, rep.Newest = slices.Min(b.index), b.newest
	}
	var found []*slotRecord
	switch {
	case q.Slot != 0:
		if r := c.recordOf(q.Slot); r != nil {
			found = append(found, r)
		}
	case q.Num != 0:
		for i := range b.ring {
			if b.ring[i].hasNum(q.Num) {
				found = append(found, &b.ring[i])
			}
		}
	default:
		for i := range b.ring {
			found = append(found, &b.ring[i])
		}
	}
	slices.SortFunc(found, func(x, y *slotRecord) int { return cmp.Compare(x.slot, y.slot) })
	if q.Last > 0 && len(found) > q.Last {
		found = found[len(found)-q.Last:]
	}
	var nodes []NodeRecord
	for _, r := range found {
		rep.Slots = append(rep.Slots, c.look(r, &nodes))
	}
	if len(found) == 0 && (q.Slot != 0 || q.Num != 0) {
		rep.Public = ref(c.publicBlock(q))
	}
	return rep
}

// recordOf is the record of a slot; of one that is under way and nothing came for, an empty one.
func (c *Core) recordOf(slot p2pwire.Slot) *slotRecord {
	if r := c.slots.find(slot); r != nil {
		return r
	}
	r := c.slots.rounds.known(slot.Round())
	if r == nil || r.closed || !r.own && !r.expected || slot.Time() < c.started.Wall {
		return nil
	}
	return &slotRecord{producer: r.producer, slot: slot, due: c.slotDue(slot), expected: true}
}

func (r *slotRecord) hasNum(num uint32) bool {
	if r.id.Num() == num || r.outside && r.outsideID.Num() == num {
		return true
	}
	for i := range r.n {
		if n := &r.nodes[i]; n.candidates > 0 && (n.id.Num() == num || n.first.Num() == num) {
			return true
		}
	}
	return false
}

// publicBlock is the block of the public chain with a slot or number.
func (c *Core) publicBlock(q SlotQuery) *block {
	for b := c.head; b != nil && !b.stub(); b = c.blocks.get(b.prev) {
		if q.Slot != 0 && b.slot == q.Slot || q.Num != 0 && b.num == q.Num {
			return b
		}
	}
	return nil
}

// look is the view of a record as things stand now.
func (c *Core) look(r *slotRecord, nodes *[]NodeRecord) SlotRecord {
	x := *r
	switch {
	case !x.closed:
		c.addLinks(&x)
		c.addChange(&x)
		x.outcome, x.why = c.outcome(&x, false)
	case x.outcome == OutcomeLost && !x.id.IsZero() && (x.gone || x.echo != EchoNone):
		// A peer came back and got it after all, or it came when its round had been told of, in a run that goes on.
		x.outcome, x.why = OutcomeLate, ReasonClaimed
	case x.outcome == OutcomeLost && x.id.IsZero() && x.outside:
		x.outcome, x.why = c.outcome(&x, true) // proven only now: in legacy mode a node must take it first
	}
	return x.view(nodes)
}

// view copies a record; the nodes go into memory shared by several.
func (r *slotRecord) view(nodes *[]NodeRecord) SlotRecord {
	v := SlotRecord{
		Producer: r.producer, Slot: r.slot, Time: wallTime(r.slot.Time()), Round: r.slot.Round(), Index: r.slot.Index(),
		DueNs: r.due, Outcome: r.outcome, Reason: r.why, Closed: r.closed, Expected: r.expected,
		Sessions: r.sessions, Echo: r.echo, Alarm: r.alarm, Lead: r.lead, NodesOmitted: r.more, Takeover: r.takeover,
		LeftNs: Offset{r.left, r.gone}, AddedNs: Offset{r.added, r.gone}, EchoNs: Offset{r.echoAt, r.echo != EchoNone},
	}
	switch {
	case !r.id.IsZero():
		v.Num, v.ID = r.id.Num(), r.id
		if w := r.winner(); w != nil {
			v.Node = w.name
		}
	case r.outside:
		v.Num, v.ID, v.LeftNs = r.outsideID.Num(), r.outsideID, Offset{r.outsideAt, true}
	}
	if x := r.change; x.at != 0 {
		v.LeadChange = &LeadChange{Node: x.node, Previous: x.previous, Reason: x.why, AtNs: x.at - r.slot.Time()}
	}
	from := len(*nodes)
	for i := range r.n {
		n := &r.nodes[i]
		if n.decision == DecisionInside {
			v.KeptInside++
		}
		*nodes = append(*nodes, n.view())
	}
	v.Nodes = (*nodes)[from:len(*nodes):len(*nodes)]
	return v
}

func (n *slotNode) view() NodeRecord {
	came := n.candidates > 0
	return NodeRecord{
		Node: n.name, Decision: n.decision, Reason: n.why, Candidates: n.candidates, BranchSince: n.branch,
		Num: n.id.Num(), ID: n.id, FirstID: n.first, ArrivedNs: Offset{n.arrived, came}, DecidedNs: Offset{n.decided, came},
		Connected: n.link.up, DownNs: Offset{n.link.down, n.link.went}, DownReason: n.link.why, UpNs: Offset{n.link.upAt, n.link.came},
	}
}

func wallTime(ns int64) time.Time { return time.Unix(0, ns).UTC() }
