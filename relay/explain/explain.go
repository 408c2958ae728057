// Package explain puts what the relay knows of a slot into words an operator understands.
//
//	fmt.Println(strings.Join(explain.Slot(&record), "\n"))
//
// One sentence says what became of the slot; then there is one for each node, and what to do if
// something went wrong. A sibling that stayed inside is never told as if two blocks had gone out.
package explain

import (
	"fmt"
	"strings"

	"bprelay/relay/core"
)

// Headline says in one line what became of a slot, and why.
func Headline(r *core.SlotRecord) string {
	return fmt.Sprintf("slot %d: %s", r.Slot, outcome(r))
}

// Slot tells the whole story: the headline, then indented lines.
func Slot(r *core.SlotRecord) []string {
	lines := []string{Headline(r), "  " + place(r)}
	if s := way(r); s != "" {
		lines = append(lines, "  "+s)
	}
	if x := r.LeadChange; x != nil {
		lines = append(lines, "  "+change(x))
	}
	for i := range r.Nodes {
		lines = append(lines, "  "+Node(r, &r.Nodes[i]))
	}
	if r.NodesOmitted > 0 {
		lines = append(lines, "  more nodes took part than are recorded")
	}
	if r.Alarm != core.ReasonNone {
		lines = append(lines, fmt.Sprintf("  alarm %s: %s", r.Alarm, r.Alarm.Help()))
	}
	if todo := toDo(r); todo != "" {
		lines = append(lines, "  what to do: "+todo)
	}
	return lines
}

// Good tells that the slot went as it should: nobody needs to read more than the headline.
func Good(r *core.SlotRecord) bool {
	return r.Alarm == core.ReasonNone && (r.Outcome == core.OutcomePublic || r.Outcome == core.OutcomePending)
}

// outcome is the sentence for what became of the slot.
func outcome(r *core.SlotRecord) string {
	switch r.Outcome {
	case core.OutcomePending:
		return "not decided yet: " + nodes(r)
	case core.OutcomePublic:
		return "public: " + left(r)
	case core.OutcomeLate:
		return "public, but late: " + left(r)
	case core.OutcomeOrphaned:
		return "lost to another branch: " + left(r) + ", but the network went on without it"
	case core.OutcomeElsewhere:
		switch r.Reason {
		case core.ReasonForeignBlock:
			return fmt.Sprintf("taken by someone else with our key: block %d came from the network with our valid signature, and none of our nodes made it", r.Num)
		case core.ReasonWithheldInPublic:
			return fmt.Sprintf("public past the relay: block %d of one of our nodes reached the network, though the relay did not let it out", r.Num)
		}
		return fmt.Sprintf("public, but not through this relay since its start: the network has our block %d", r.Num)
	}
	if r.Reason == core.ReasonNoNetwork {
		return fmt.Sprintf("lost: %s block %d got it, but no network peer was connected", own(r.Node), r.Num)
	}
	return "lost: " + nodes(r)
}

// left says when the block went out, and to whom.
func left(r *core.SlotRecord) string {
	s := fmt.Sprintf("%s block %d", own(r.Node), r.Num)
	if r.LeftNs.Known {
		s += " left " + fromTimestamp(r.LeftNs.Ns)
	} else {
		s += " reached the network"
	}
	switch {
	case r.Sessions == 1:
		s += ", to 1 network session"
	case r.Sessions > 1:
		s += fmt.Sprintf(", to %d network sessions", r.Sessions)
	default:
		s += ", when a network peer was back"
	}
	return s
}

// place says which slot it is.
func place(r *core.SlotRecord) string {
	s := fmt.Sprintf("%s, %d of 12 in its round, timestamp %s", r.Producer, r.Index+1, r.Time.Format("2006-01-02 15:04:05.0 MST"))
	if r.Expected {
		s += "; nothing came for it: that it was ours is taken from the rounds before"
	}
	return s
}

// way says what came between the node and the network.
func way(r *core.SlotRecord) string {
	if r.Outcome == core.OutcomeElsewhere && r.LeftNs.Known {
		return "it came from the network " + fromTimestamp(r.LeftNs.Ns)
	}
	if !r.LeftNs.Known {
		return ""
	}
	s := fmt.Sprintf("it was due %s; the relay had it for %s", fromTimestamp(r.DueNs), span(r.AddedNs.Ns))
	if how := echoes[r.Echo]; how != "" {
		return s + fmt.Sprintf("; %s %s later", how, span(r.EchoNs.Ns-r.LeftNs.Ns))
	}
	return s + "; the network has not shown yet that it has it"
}

// change words a change of the lead.
func change(x *core.LeadChange) string {
	s := x.Node + " took the lead " + fromTimestamp(x.AtNs)
	if x.Previous != "" {
		s = fmt.Sprintf("%s took the lead from %s %s", x.Node, x.Previous, fromTimestamp(x.AtNs))
	}
	return fmt.Sprintf("%s: %s (%s)", s, x.Reason.Help(), x.Reason)
}

var echoes = map[core.Echo]string{
	core.EchoBlock:   "a peer sent it back",
	core.EchoVote:    "the first vote for it came",
	core.EchoHead:    "a peer named it as part of its chain",
	core.EchoBuiltOn: "the first block of someone else on it came",
}

// toDo is the advice where something went wrong.
func toDo(r *core.SlotRecord) string {
	switch {
	case r.Alarm.ToDo() != "":
		return r.Alarm.ToDo()
	case r.Outcome == core.OutcomeLate:
		return "Nothing, if it is rare. Else look why the node's block came late: its load, its clock, the link to it."
	case r.Outcome >= core.OutcomeOrphaned:
		return r.Reason.ToDo()
	}
	return ""
}

// fromTimestamp words an offset from the slot's timestamp.
func fromTimestamp(ns int64) string {
	switch {
	case ns < 0:
		return span(-ns) + " before its timestamp"
	case ns > 0:
		return span(ns) + " after its timestamp"
	}
	return "at its timestamp"
}

// span words a duration (ns) as exactly as it is of use.
func span(ns int64) string {
	if ns < 0 {
		return "-" + span(-ns)
	}
	ms := float64(ns) / 1e6
	switch {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 99_950:
		return fmt.Sprintf("%.1f s", ms/1e3)
	}
	return fmt.Sprintf("%.0f min", ms/60e3)
}

// own is the possessive of a node's name.
func own(node string) string {
	if node == "" {
		return "our"
	}
	return node + "'s"
}

// nodes words the part of every node, the one that led first.
func nodes(r *core.SlotRecord) string {
	var parts []string
	for _, lead := range []bool{true, false} {
		for i := range r.Nodes {
			if n := &r.Nodes[i]; (n.Node == r.Lead) == lead {
				parts = append(parts, part(r, n))
			}
		}
	}
	if len(parts) == 0 {
		return "no node of ours was connected"
	}
	return strings.Join(parts, "; ")
}
