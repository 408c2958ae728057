package simnet

import (
	"fmt"

	"bprelay/p2pwire"
)

// EventKind says what a node decided.
type EventKind uint8

// The kinds; the comment names the fields that are set.
const (
	EventProduced     EventKind = iota // ID, Slot, Previous, Count (transactions), LIB
	EventVoted                         // ID, Slot, Strong
	EventSwitched                      // ID (new head), Previous (old head), Count (blocks undone)
	EventUnlinkable                    // Conn, ID
	EventClosed                        // Conn, Reason
	EventGoAwaySent                    // Conn, Reason
	EventGoAway                        // Conn, Reason: received
	EventRedialSkip                    // Reason: an address was given up for good
	EventNotProducing                  // Slot, Reason: an own slot was not produced
	EventIrreversible                  // ID
	EventTrx                           // ID: a transaction was executed for the first time
	EventBadTrx                        // ID, Reason
)

var eventNames = [...]string{
	"produced", "voted", "switched", "unlinkable", "closed", "go_away_sent", "go_away",
	"redial_skip", "not_producing", "irreversible", "trx", "bad_trx",
}

func (k EventKind) String() string { return eventNames[k] }

// Event is one decision of a node, for tests and live views.
type Event struct {
	Kind     EventKind
	Conn     ConnID
	ID       p2pwire.ID
	Previous p2pwire.ID
	Slot     p2pwire.Slot
	Count    int
	LIB      uint32 // number of what is irreversible at the block
	Strong   bool
	Reason   string
}

func (e Event) String() string {
	return fmt.Sprintf("%s conn=%d id=%s slot=%d count=%d strong=%t %s", e.Kind, e.Conn, e.ID.Short(), e.Slot, e.Count, e.Strong, e.Reason)
}

func (n *Node) emit(now Instant, e Event) {
	if n.cfg.Trace != nil {
		n.cfg.Trace(now, e)
	}
}
