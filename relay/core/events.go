package core

import "bprelay/p2pwire"

// EventKind says what happened.
type EventKind uint8

// Kinds of events.
const (
	// EventSessionUp and EventSessionDown: a session passed its handshake, or ended.
	EventSessionUp EventKind = iota + 1
	EventSessionDown
	// EventClaimed: an own block got its slot and was queued for the network.
	EventClaimed
	// EventWithheld: an own block stays inside; Reason says why.
	EventWithheld
	// EventHeld: an own block waits; Reason says for what.
	EventHeld
	// EventPublic: a verified block became the public head.
	EventPublic
	// EventBlamed: a network peer's message made a node close its link.
	EventBlamed
	// EventAlarm: a human should look; Reason says at what.
	EventAlarm
	// EventLead: with a lead, another node leads now: Node, Detail being the one before; in race, another
	// node's blocks go out.
	EventLead
	// EventTakeover: the way of taking over that is in force changed: Detail names it and says why.
	EventTakeover
	// EventRound: a round of ours is over and judged; Round has its slots. It comes once a round.
	EventRound
	// EventRole: the relay became active or standby in its cluster, or has a new epoch: Role and Epoch.
	EventRole
	numEvents
)

var eventNames = [numEvents]string{
	EventSessionUp: "session_up", EventSessionDown: "session_down", EventClaimed: "claimed",
	EventWithheld: "withheld", EventHeld: "held", EventPublic: "public_head",
	EventBlamed: "blamed", EventAlarm: "alarm", EventLead: "lead", EventTakeover: "takeover", EventRound: "round", EventRole: "role",
}

// String is the kind as it stands in logs.
func (k EventKind) String() string {
	if k < numEvents {
		return eventNames[k]
	}
	return "unknown"
}

// Event is one decision worth telling. Fields that do not apply are zero.
type Event struct {
	Kind     EventKind
	Reason   Reason
	Session  SessionID
	Side     Side
	Node     string // session name
	Remote   string
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	Num      uint32
	ID       p2pwire.ID
	Detail   string
	Lacked   string       // of EventLead: what kept the previous lead from leading on, in words
	Round    []SlotRecord // of a round; the observer may keep it
	Role     ClusterRole  // of EventRole
	Epoch    uint64
}

// Observer is told of decisions on the loop: it must not block, nor keep e.
type Observer interface {
	Event(now Instant, e *Event)
}

type nopObserver struct{}

func (nopObserver) Event(Instant, *Event) {}

// note tells the observer; the event is reused, so nothing is allocated.
func (c *Core) note(e Event) {
	c.event = e
	c.obs.Event(c.now, &c.event)
}

func (c *Core) noteBlock(kind EventKind, why Reason, s *session, b *block) {
	c.event = Event{Kind: kind, Reason: why, Producer: b.producer, Slot: b.slot, Num: b.num, ID: b.id}
	if s != nil {
		c.event.Session, c.event.Side, c.event.Node, c.event.Remote = s.id, s.info.Side, s.Name(), s.info.Remote
	} else if b.own {
		c.event.Side, c.event.Node = Internal, b.node // it waited: its node's session may be gone
	}
	c.obs.Event(c.now, &c.event)
}
