package quorum

import (
	"time"

	"github.com/hashicorp/raft"
)

// Status is what to show of a member.
type Status struct {
	Member  string `json:"member"`
	Witness bool   `json:"witness,omitempty"`
	// Role and Epoch are the relay's.
	Role  string `json:"role"`
	Epoch uint64 `json:"epoch,omitempty"`
	// Aside is why this member takes no part, AsideSince since when: an alarm. Empty: it takes part.
	Aside      string    `json:"aside,omitempty"`
	AsideSince time.Time `json:"aside_since,omitzero"`
	// Term and Leader are raft's, as far as this member knows; Active is the relay that reigns.
	Term   uint64 `json:"term,omitempty"`
	Leader string `json:"leader,omitempty"`
	Active string `json:"active,omitempty"`
	// Reign is the epoch of that.
	Reign uint64 `json:"reign,omitempty"`
	// Voters are the members that vote, in raft's order; Founded: there is a cluster at all.
	Voters  []string `json:"voters,omitempty"`
	Founded bool     `json:"founded"`
	// Heard is when the leader was last heard of; zero on the leader.
	Heard time.Time `json:"heard,omitzero"`
	// Last, Committed and Applied are places in the log.
	Last      uint64 `json:"last"`
	Committed uint64 `json:"committed"`
	Applied   uint64 `json:"applied"`
	// Health is this relay's, as the others hear it; Disk counts for witnesses too.
	Health Health `json:"health"`
	// Relays are the others', with their age.
	Relays map[string]Heard `json:"relays,omitempty"`
}

// Heard is another relay's health, and how long ago it told.
type Heard struct {
	Health
	Ago time.Duration `json:"ago"`
}

// Status may be called from any goroutine; it does not wait for raft or the disk.
func (n *Node) Status() Status {
	n.mu.Lock()
	s := Status{
		Member: n.o.Name, Witness: n.me.Witness, Role: n.role.String(), Epoch: n.epoch, Aside: n.alarm, Health: n.health,
		Relays: map[string]Heard{},
	}
	if n.alarm != "" {
		s.AsideSince = n.since
	}
	for name, r := range n.reports {
		s.Relays[name] = Heard{r.Health, time.Since(r.at)}
	}
	in := n.in
	n.mu.Unlock()
	if in == nil {
		return s
	}
	_, leader := in.raft.LeaderWithID()
	r := in.machine.reign()
	s.Term, s.Leader, s.Active, s.Reign = in.raft.CurrentTerm(), nameOf(leader), r.Member, r.Epoch
	for _, m := range in.raft.GetConfiguration().Configuration().Servers {
		s.Founded = true
		if m.Suffrage == raft.Voter {
			s.Voters = append(s.Voters, nameOf(m.ID))
		}
	}
	if !in.leads() {
		s.Heard = in.raft.LastContact()
	}
	s.Last, s.Committed, s.Applied = in.raft.LastIndex(), in.raft.CommitIndex(), in.raft.AppliedIndex()
	return s
}
