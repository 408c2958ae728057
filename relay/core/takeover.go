package core

import (
	"errors"
	"fmt"
	"time"
)

// Takeover is the way one node's production is taken over by another.
type Takeover uint8

// The ways.
const (
	// TakeoverRace lets all nodes produce; one lineage a run goes out.
	TakeoverRace Takeover = iota
	// TakeoverLeash lets one node lead. The others get no votes of foreign finalizers, upon which
	// nodeos pauses production by itself (production-pause-vote-timeout-ms); giving them some makes
	// one of them produce the very next slot. Savanna only.
	TakeoverLeash
	// TakeoverAPI lets one node lead and pauses the others by nodeos' producer API.
	TakeoverAPI
	// TakeoverAuto takes the best of these that the chain and the nodes allow, and says why.
	TakeoverAuto
	numTakeovers
)

var takeoverNames = [numTakeovers]string{"race", "leash", "api", "auto"}

// String is the way's name in configuration, logs and metrics.
func (t Takeover) String() string { return nameOf(takeoverNames[:], uint8(t)) }

// MarshalText makes it readable in JSON.
func (t Takeover) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a way by its name.
func (t *Takeover) UnmarshalText(text []byte) error {
	i, err := indexOf(takeoverNames[:], text)
	*t = Takeover(i)
	return err
}

// Role is what an internal node is there for.
type Role uint8

// The roles.
const (
	// RoleBoth has the producer's key and may have a finalizer's: it may lead.
	RoleBoth Role = iota
	// RoleProducer has the producer's key only: it may lead.
	RoleProducer
	// RoleFinalizer votes and never produces: it is never held, and gets everything at once.
	RoleFinalizer
	// RoleVerifier has no keys; with vote-threads over 0 it sees suspicious messages first.
	RoleVerifier
	numRoles
)

var roleNames = [numRoles]string{"both", "producer", "finalizer", "verifier"}

// String is the role's name in configuration and JSON.
func (r Role) String() string { return nameOf(roleNames[:], uint8(r)) }

// MarshalText makes it readable in JSON.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role by its name.
func (r *Role) UnmarshalText(text []byte) error {
	i, err := indexOf(roleNames[:], text)
	*r = Role(i)
	return err
}

// produces tells whether a node of that role may lead.
func (r Role) produces() bool { return r == RoleBoth || r == RoleProducer }

// NodeConfig is what the core must know of a configured node before it is connected.
type NodeConfig struct {
	// Name is the node's, as in SessionInfo.
	Name string
	Role Role
	// Priority orders the nodes that may lead; the larger is preferred.
	Priority int
	// API is true if the node's producer API can be asked, see ControlRequest.
	API bool
}

// TakeoverConfig says how nodes take over from each other. Zero fields take the defaults named.
type TakeoverConfig struct {
	Mode Takeover
	// Grace is how long after it was due a block is waited for before another node is released (60 ms).
	// Where that would miss the slot, less is waited, but never less than what a node's blocks are
	// known to vary by.
	Grace time.Duration
	// VoteTimeout is the nodes' production-pause-vote-timeout-ms (6 s).
	VoteTimeout time.Duration
	// ReleasePause lies between the votes that free a node and the block upon which it looks (10 ms).
	ReleasePause time.Duration
	// Failback makes the node of the highest priority lead again, outside our runs, when it is back.
	Failback bool
}

func (t *TakeoverConfig) setDefaults() {
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	dur(&t.Grace, 60*time.Millisecond)
	dur(&t.VoteTimeout, 6*time.Second)
	dur(&t.ReleasePause, 10*time.Millisecond)
}

// ControlRequest asks the driver for a call of a node's producer API: POST /v1/producer/pause, resume,
// or paused if Ask is set. The driver answers with ControlDone, in any order, and within a bounded time.
type ControlRequest struct {
	Node  string
	Pause bool
	// Ask wants to know whether the node is paused: in ControlDone, Pause is the answer. nodeos says so as well of
	// a node that pauses for want of votes.
	Ask bool
}

// Why a command is refused; the error that a command returns wraps one of them.
var (
	// ErrNoSuchNode: no node of that name is configured or connected.
	ErrNoSuchNode = errors.New("no such node")
	// ErrUnsafe: it would cost blocks or votes; it can be forced.
	ErrUnsafe = errors.New("not safe now")
	// ErrNotPossible: not even force makes sense of it.
	ErrNotPossible = errors.New("not possible")
)

// ErrSuperseded answers a ControlRequest that was not carried out, because a newer one for the node was
// wanted meanwhile; that one is answered, too.
var ErrSuperseded = errors.New("a newer wish took its place")

func refused(why error, format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{why}, args...)...)
}

// NodeState is how a node stands in the takeover.
type NodeState string

// The states.
const (
	// NodeAbsent: it is not connected.
	NodeAbsent NodeState = "absent"
	// NodeFree: it produces like every other (race), or never does (finalizer, verifier).
	NodeFree NodeState = "free"
	// NodeLead: it leads.
	NodeLead NodeState = "lead"
	// NodeArming: it is held, and may produce until ArmedInNs is over.
	NodeArming NodeState = "arming"
	// NodeArmed: it is held, quiet, and can be released.
	NodeArmed NodeState = "armed"
	// NodeNotReady: it is held and could not take over: Why says what it lacks.
	NodeNotReady NodeState = "not_ready"
	// NodeUnholdable: it goes on producing without votes.
	NodeUnholdable NodeState = "cannot_be_held"
)

// NodeStatus describes one node of ours, connected or not.
type NodeStatus struct {
	Node  string    `json:"node"`
	Role  Role      `json:"role"`
	State NodeState `json:"state"`
	// Why explains the state in words where it can be told; else it is empty.
	Why string `json:"why,omitempty"`
	// Drained is true while it may not lead because of a drain command.
	Drained bool `json:"drained"`
	// ArmedInNs is how long it may still produce, of an arming node.
	ArmedInNs int64 `json:"armed_in_ns,omitempty"`
	// ReserveVotes is how many votes are kept that would free it, HeldBack the number of the block it
	// is kept behind, 0 if none.
	ReserveVotes int    `json:"reserve_votes"`
	HeldBack     uint32 `json:"held_back_num,omitempty"`
}

// TakeoverStatus is how the takeover stands.
type TakeoverStatus struct {
	// Configured is the configured way, Mode the one in force, and Why explains the choice.
	Configured Takeover `json:"configured"`
	Mode       Takeover `json:"mode"`
	Why        string   `json:"why"`
	// Lead is the node that leads; empty in race, or while none does.
	Lead string `json:"lead"`
	// NextRunInNs is when our next run begins as far as the schedule is known, else 0.
	NextRunInNs int64 `json:"next_run_in_ns,omitempty"`
	// Releases counts nodes that were released because the lead failed, LeadChanges all changes from one lead
	// to another.
	Releases    uint64       `json:"releases"`
	LeadChanges uint64       `json:"lead_changes"`
	Nodes       []NodeStatus `json:"nodes"`
}
