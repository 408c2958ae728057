package members

import "time"

// State is how a member stands, as far as gossip knows.
type State string

// The states.
const (
	// Unknown: not seen since this process began.
	Unknown State = "unknown"
	// Alive: it answers.
	Alive State = "alive"
	// Suspect: it did not answer lately.
	Suspect State = "suspect"
	// Dead: it did not answer, and did not object to being called dead.
	Dead State = "dead"
	// Left: it said that it ends.
	Left State = "left"
)

// Member is what is known of one.
type Member struct {
	Name string `json:"name"`
	// Address is its gossip address: as configured, or where it was seen.
	Address string `json:"address"`
	State   State  `json:"state"`
	// Since is when the state began.
	Since time.Time `json:"since"`
	Meta  Meta      `json:"-"`
	// RTT is the last round trip of a sign of life; 0 if there was none.
	RTT time.Duration `json:"rtt_ns,omitempty"`
	// heard is when it last answered.
	heard time.Time
}

// Event is a change of one member: of its state, or of its metadata.
type Event struct {
	Member Member
	// Was is the state before; the same as Member.State if only the metadata changed.
	Was State
}
