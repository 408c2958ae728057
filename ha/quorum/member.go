package quorum

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// Member is one of the cluster, as all are configured.
type Member struct {
	// Name is what its certificate says, 1 to 32 bytes without '#'.
	Name string
	// Address is where it listens for the others, host:port.
	Address string
	// Witness: it has no relay, and is never active.
	Witness bool
}

func checkMembers(name string, members []Member) error {
	relays := 0
	for i, m := range members {
		switch {
		case m.Name == "" || len(m.Name) > maxName || strings.Contains(m.Name, "#"):
			return fmt.Errorf("%q is not a usable name: give 1 to %d bytes without '#'", m.Name, maxName)
		case slices.ContainsFunc(members[:i], func(o Member) bool { return o.Name == m.Name }):
			return fmt.Errorf("member %s is given twice", m.Name)
		}
		if _, _, err := net.SplitHostPort(m.Address); err != nil {
			return fmt.Errorf("address of member %s: %w", m.Name, err)
		}
		if !m.Witness {
			relays++
		}
	}
	switch {
	case len(members) < 3:
		return fmt.Errorf("a quorum has 3 members or more, not %d", len(members))
	case relays < 2:
		return fmt.Errorf("a quorum has at least 2 relays, not %d", relays)
	case !slices.ContainsFunc(members, func(m Member) bool { return m.Name == name }):
		return fmt.Errorf("%q is not among the members", name)
	}
	return nil
}

// serverID is what raft knows a member by: the name with what tells its directory from a lost one's.
func serverID(name, birth string) raft.ServerID { return raft.ServerID(name + "#" + birth) }

// addressOf is where raft reaches a server: only that directory's process takes what is meant for it. One
// that comes with an empty directory would otherwise vote, and count, in the place of the one it was.
func addressOf(id raft.ServerID) raft.ServerAddress { return raft.ServerAddress(id) }

// nameOf is the member of a server.
func nameOf(id raft.ServerID) string {
	name, _, _ := strings.Cut(string(id), "#")
	return name
}

// Health is what a relay tells the others about itself.
type Health struct {
	// Network is how many network sessions were heard of lately, Nodes how many of our producing nodes
	// are connected and keep up.
	Network int `json:"network"`
	Nodes   int `json:"nodes"`
	// InRun: one of our runs is under way; else it is UntilRun to the next.
	InRun    bool          `json:"in_run"`
	UntilRun time.Duration `json:"until_run"`
	// Missed is the newest of our slots that had no block in time, the MissedInRow-th of those without one
	// between them; Holds: a candidate for it is here.
	Missed      p2pwire.Slot `json:"missed,omitempty"`
	MissedBy    p2pwire.Name `json:"missed_by,omitempty"`
	MissedInRow int          `json:"missed_in_row,omitempty"`
	Holds       bool         `json:"holds,omitempty"`
	// Stuck: the relay's loop stands still.
	Stuck bool `json:"stuck,omitempty"`
	// Disk is what a write to the log takes these days.
	Disk time.Duration `json:"disk"`
}

// report is the health of another relay.
type report struct {
	Health
	at time.Time
}

// What members ask each other beside raft's own questions: a byte, and a body.
const (
	askHello   = 'h' // who are you? -> hello
	askPropose = 'p' // an entry -> answer
	askHealth  = 's' // Health -> nothing
	askHolds   = 'k' // the id of a block that is here -> nothing
	askBlock   = 'b' // an id -> the block's frame, or nothing
	askChange  = 'c' // change -> answer
)

// hello is who a member is.
type hello struct {
	Name  string `json:"name"`
	Birth string `json:"birth"`
	// Empty: it never heard of a cluster.
	Empty bool `json:"empty"`
}

// change is a wish that the leader carries out.
type change struct {
	Add    string `json:"add,omitempty"`
	Remove string `json:"remove,omitempty"`
	// Handover: leadership goes to To (empty: any relay), outside a run unless Now.
	Handover bool   `json:"handover,omitempty"`
	To       string `json:"to,omitempty"`
	Now      bool   `json:"now,omitempty"`
	// Patience is how long it may take.
	Patience time.Duration `json:"patience,omitempty"`
}

// answer is what became of a wish or a proposal.
type answer struct {
	Decision Decision `json:"decision"`
	Error    string   `json:"error,omitempty"`
	// Again: another member leads, or will soon.
	Again bool `json:"again,omitempty"`
}

// err is the answer's error: errAgain if it is worth asking again.
func (a *answer) err() error {
	switch {
	case a.Again:
		return fmt.Errorf("%w: %s", errAgain, a.Error)
	case a.Error != "":
		return errors.New(a.Error)
	}
	return nil
}

var errAgain = errors.New("not now")

func answerOf(d Decision, err error) []byte {
	a := answer{Decision: d}
	if err != nil {
		a.Error, a.Again = err.Error(), errors.Is(err, errAgain)
	}
	return encodeJSON(a)
}

func encodeJSON(v any) []byte {
	b, _ := json.Marshal(v) // numbers, names and times always encode
	return b
}
