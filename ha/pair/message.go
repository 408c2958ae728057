package pair

import (
	"time"

	"bprelay/p2pwire"
)

// Role is what a relay is in its pair.
type Role uint8

const (
	// Standby holds the same blocks, and lets out what the active claimed.
	Standby Role = iota + 1
	// Active claims.
	Active
)

var roleNames = []string{"", "standby", "active"}

// String is the role's name in logs and metrics.
func (r Role) String() string { return name(roleNames, int(r)) }

// Kind says why a message was sent. All carry what keeps the two relays equal.
type Kind uint8

const (
	// KindHello is the first on every link.
	KindHello Kind = iota + 1
	// KindBeat is a sign of life, and the answer to everything that needs no other.
	KindBeat
	// KindClaim proposes a claim, the last in Claims; Bytes may bring its block.
	KindClaim
	// KindAck answers a claim: Claims has it as decided and held.
	KindAck
	// KindNeed asks for the bytes of ID.
	KindNeed
	// KindBytes brings the Bytes of ID.
	KindBytes
	// KindState brings State.
	KindState
	// KindBid asks for the active's role, with Epoch being the sender's epoch still. Slot passed unseen
	// (0: both are standby). Candidate: the sender holds a block that it would claim.
	KindBid
	// KindGrant gives it: Epoch is the receiver's new reign.
	KindGrant
	// KindRefuse denies it: the sender is alive.
	KindRefuse
)

const lastKind = KindRefuse

var kindNames = []string{"", "hello", "beat", "claim", "ack", "need", "bytes", "state", "bid", "grant", "refuse"}

// String is the kind's name in logs.
func (k Kind) String() string { return name(kindNames, int(k)) }

// party is one of the two relays, as seen by the one that holds the value.
type party uint8

const (
	nobody party = iota
	me
	peer
)

func (p party) other() party {
	switch p {
	case me:
		return peer
	case peer:
		return me
	}
	return nobody
}

// Health is what a relay says of its own sight.
type Health struct {
	// Nodes is how many of our producing nodes are connected, Network how many network sessions had
	// inbound bytes recently.
	Nodes, Network uint16
	// InRun: a slot of ours is due now or within a second.
	InRun bool
}

// Told is one claim in a message.
type Told struct {
	Claim
	// Final: it may be on the network. Else it is proposed.
	Final bool
	// Held: the sender holds the block's bytes.
	Held bool
	// Free: see EffectFree.
	Free bool
	// Mine: the sender let it out, or proposes it, as the active; else the receiver did.
	Mine bool
}

// Message is what one relay tells the other. Everything but Kind and the last group is in each of
// them, so that a message that got lost with its link is made good by the next one.
type Message struct {
	Kind        Kind
	Member      string        // the sender
	Incarnation uint64        // of its process, rising
	Sent        time.Duration // the sender's clock
	Heard       time.Duration // the newest Sent that the sender has read on this link, 0 if none
	Epoch       uint64
	Role        Role
	Unsure      bool // active before a pause
	Fresh       bool // it has not been in a pair with an active since its start
	Owner       party
	AnchorOwner party // of the right to write alone; see the package's text
	Anchor      p2pwire.Slot
	Missed      []p2pwire.Slot // own slots after it that were due, rising; not all if they are many
	Health      Health
	EchoWait    time.Duration
	Guard       time.Duration
	StateEpoch  uint64
	StateAt     uint64
	Claims      []Told // in rising order of slot

	Slot      p2pwire.Slot
	Candidate bool // in a grant: the sender was active, and sure
	Turn      bool // in a bid: the sender has the right to write alone
	ID        p2pwire.ID
	Bytes     []byte
	State     []byte
}
