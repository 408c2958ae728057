package admin

import (
	"fmt"

	"bprelay/relay/core"
)

// Notes say what an operator should know and what keeps the relay from nothing: it is ready all the
// same. Nil if there is nothing.
func Notes(st *core.Status) []string {
	t := &st.Takeover
	if t.Mode != core.TakeoverLeash && t.Mode != core.TakeoverAPI {
		return nil
	}
	for i := range t.Nodes {
		if n := &t.Nodes[i]; n.State == core.NodeArmed && !n.Drained {
			return nil
		}
	}
	return []string{fmt.Sprintf("no standby can take over: takeover is %s, and no held node could be released now", t.Mode)}
}

var nodeStates = []core.NodeState{
	core.NodeAbsent, core.NodeFree, core.NodeLead, core.NodeArming, core.NodeArmed, core.NodeNotReady, core.NodeUnholdable,
}

func (s samples) takeover(t *core.TakeoverStatus) {
	s.add(s.takeoverInfo, 1, t.Configured.String(), t.Mode.String())
	s.add(s.releases, float64(t.Releases))
	s.add(s.leadChanges, float64(t.LeadChanges))
	for i := range t.Nodes {
		n := &t.Nodes[i]
		for _, state := range nodeStates {
			s.flag(s.nodeState, n.State == state, n.Node, string(state))
		}
		s.add(s.reserveVotes, float64(n.ReserveVotes), n.Node)
	}
}
