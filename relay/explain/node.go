package explain

import (
	"fmt"

	"bprelay/relay/core"
)

// Node is the sentence for one node's part in a slot.
func Node(r *core.SlotRecord, n *core.NodeRecord) string {
	switch n.Decision {
	case core.DecisionOut:
		went := "went out"
		if !r.LeftNs.Known && !r.EchoNs.Known {
			went = "was the one to go out"
		}
		return fmt.Sprintf("%s: its block came %s and %s%s", n.Node, afterDue(r, n), went, second(n))
	case core.DecisionIdentical:
		return fmt.Sprintf("%s: made the same block, it came %s%s", n.Node, afterDue(r, n), second(n))
	case core.DecisionInside:
		return fmt.Sprintf("%s: its block %d came %s and stayed inside: %s%s", n.Node, n.Num, afterDue(r, n), why(r, n), second(n))
	case core.DecisionWaits:
		return fmt.Sprintf("%s: its block %d came %s and waits: %s (%s)", n.Node, n.Num, afterDue(r, n), n.Reason.Help(), n.Reason)
	}
	return n.Node + ": " + absent(r, n)
}

// part is a node's part in a slot that was lost, as a clause of one sentence.
func part(r *core.SlotRecord, n *core.NodeRecord) string {
	switch n.Decision {
	case core.DecisionInside:
		if n.BranchSince != 0 && n.BranchSince < r.Slot {
			return fmt.Sprintf("%s was on its own branch since slot %d (takeover: %s)", n.Node, n.BranchSince, r.Takeover)
		}
		return fmt.Sprintf("%s block stayed inside, since %s", own(n.Node), why(r, n))
	case core.DecisionWaits:
		return fmt.Sprintf("%s block waits, since %s (%s)", own(n.Node), n.Reason.Help(), n.Reason)
	case core.DecisionOut, core.DecisionIdentical:
		return own(n.Node) + " block is on its way"
	}
	switch {
	case !n.Connected && n.DownNs.Known && n.DownReason != core.ReasonNone:
		return own(n.Node) + " " + absent(r, n)
	}
	return n.Node + " " + absent(r, n)
}

// why words the reason for which a block stayed inside.
func why(r *core.SlotRecord, n *core.NodeRecord) string {
	switch n.Reason {
	case core.ReasonSlotTaken:
		whose := "taken"
		if r.Node != "" && r.Node != n.Node {
			whose = own(r.Node)
		}
		s := fmt.Sprintf("the slot was %s already, and only one block a slot goes out", whose)
		if n.BranchSince != 0 && n.BranchSince < r.Slot {
			s += fmt.Sprintf(" (it has been on its own branch since slot %d)", n.BranchSince)
		}
		return s
	case core.ReasonParentWithheld, core.ReasonNotLineage, core.ReasonParentHeld:
		if n.BranchSince != 0 && n.BranchSince < r.Slot {
			return fmt.Sprintf("the node was on its own branch since slot %d, and joins the public chain after its round (%s)", n.BranchSince, n.Reason)
		}
	}
	return fmt.Sprintf("%s (%s)", n.Reason.Help(), n.Reason)
}

// absent says where a node was that sent nothing: what follows its name.
func absent(r *core.SlotRecord, n *core.NodeRecord) string {
	back := ""
	if n.UpNs.Known {
		back = fmt.Sprintf(", and was back %s", fromDue(r, n.UpNs.Ns))
	}
	switch {
	case !n.Connected && n.DownNs.Known && n.DownReason == core.ReasonNone:
		return "could not be reached" + back
	case !n.Connected && n.DownNs.Known && n.DownReason == core.ReasonPeerClosed:
		return fmt.Sprintf("session closed %s%s", fromDue(r, n.DownNs.Ns), back)
	case !n.Connected && n.DownNs.Known:
		return fmt.Sprintf("session was ended %s (%s)%s", fromDue(r, n.DownNs.Ns), n.DownReason, back)
	case !n.Connected && n.UpNs.Known:
		return "was not connected until " + fromDue(r, n.UpNs.Ns)
	case !n.Connected:
		return "was not connected"
	case n.DownNs.Known && n.DownNs.Ns < 0:
		return fmt.Sprintf("was connected, but was gone %s without having sent a block", fromDue(r, n.DownNs.Ns))
	}
	return "was connected, but sent no block"
}

// afterDue says when a node's first block came.
func afterDue(r *core.SlotRecord, n *core.NodeRecord) string { return fromDue(r, n.ArrivedNs.Ns) }

// fromDue words a moment as seen from when the block was due; what is next to it counts as on time.
func fromDue(r *core.SlotRecord, ns int64) string {
	d := ns - r.DueNs
	switch {
	case d <= -1e5:
		return span(-d) + " before it was due"
	case d >= 1e5:
		return span(d) + " after it was due"
	}
	return "when it was due"
}

// second says that a node made more than one block for the slot.
func second(n *core.NodeRecord) string {
	if n.Candidates < 2 {
		return ""
	}
	return fmt.Sprintf(" (it made %d for this slot)", n.Candidates)
}
