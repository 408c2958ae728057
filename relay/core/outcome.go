package core

import (
	"fmt"
	"slices"
)

// Outcome is what became of one of our slots.
type Outcome uint8

// The outcomes.
const (
	// OutcomePending: its round is not over, and nothing went out so far.
	OutcomePending Outcome = iota
	// OutcomePublic: our block left before its timestamp, as it should.
	OutcomePublic
	// OutcomeLate: our block left after its timestamp.
	OutcomeLate
	// OutcomeOrphaned: our block left, but the network went on without it.
	OutcomeOrphaned
	// OutcomeElsewhere: the network has a block of ours that did not leave through this relay.
	OutcomeElsewhere
	// OutcomeLost: the network got no block of ours.
	OutcomeLost
	numOutcomes
)

var outcomeNames = [numOutcomes]string{"pending", "public", "late", "orphaned", "elsewhere", "lost"}

// Outcomes lists what a judged slot can come to.
func Outcomes() []Outcome {
	return []Outcome{OutcomePublic, OutcomeLate, OutcomeOrphaned, OutcomeElsewhere, OutcomeLost}
}

// Decision is what was decided on a node's block.
type Decision uint8

// The decisions.
const (
	// DecisionNone: the node sent no block for the slot.
	DecisionNone Decision = iota
	// DecisionOut: its block went out.
	DecisionOut
	// DecisionIdentical: it made the very block that went out.
	DecisionIdentical
	// DecisionWaits: its block waits.
	DecisionWaits
	// DecisionInside: its block stays inside.
	DecisionInside
	numDecisions
)

var decisionNames = [numDecisions]string{"none", "out", "identical", "waits", "inside"}

// Echo is how the network showed first that it has a block.
type Echo uint8

// The ways.
const (
	// EchoNone: it has not.
	EchoNone Echo = iota
	// EchoBlock: a peer sent the block back.
	EchoBlock
	// EchoVote: a peer sent a vote for it.
	EchoVote
	// EchoHead: a peer named it, or a block on it, as its head.
	EchoHead
	// EchoBuiltOn: a verified block builds on it.
	EchoBuiltOn
	numEchoes
)

var echoNames = [numEchoes]string{"none", "block", "vote", "head", "built_on"}

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "unknown"
}

func indexOf(names []string, text []byte) (uint8, error) {
	i := slices.Index(names, string(text))
	if i < 0 {
		return 0, fmt.Errorf("%q is none of %q", text, names)
	}
	return uint8(i), nil
}

// String is the outcome as it stands in logs, metrics and JSON.
func (o Outcome) String() string { return nameOf(outcomeNames[:], uint8(o)) }

// MarshalText makes outcomes readable in JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads an outcome by its name.
func (o *Outcome) UnmarshalText(text []byte) error {
	i, err := indexOf(outcomeNames[:], text)
	*o = Outcome(i)
	return err
}

// String is the decision as it stands in JSON.
func (d Decision) String() string { return nameOf(decisionNames[:], uint8(d)) }

// MarshalText makes decisions readable in JSON.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a decision by its name.
func (d *Decision) UnmarshalText(text []byte) error {
	i, err := indexOf(decisionNames[:], text)
	*d = Decision(i)
	return err
}

// String is the way as it stands in JSON.
func (e Echo) String() string { return nameOf(echoNames[:], uint8(e)) }

// MarshalText makes it readable in JSON.
func (e Echo) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads it by its name.
func (e *Echo) UnmarshalText(text []byte) error {
	i, err := indexOf(echoNames[:], text)
	*e = Echo(i)
	return err
}

// winner is the node whose block went out, nil if none did.
func (r *slotRecord) winner() *slotNode {
	for i := range r.n {
		if r.nodes[i].decision == DecisionOut {
			return &r.nodes[i]
		}
	}
	return nil
}

// outcome judges a slot, with what is known by now; over tells that its round is over.
func (c *Core) outcome(r *slotRecord, over bool) (Outcome, Reason) {
	if !r.id.IsZero() {
		shown := r.gone || r.echo != EchoNone
		switch {
		case !shown && !over:
			return OutcomePending, ReasonClaimed
		case !shown:
			return OutcomeLost, ReasonNoNetwork
		case over && c.outbuilt(r):
			return OutcomeOrphaned, ReasonOrphaned
		case !r.gone || r.left > 0:
			return OutcomeLate, ReasonClaimed
		}
		return OutcomePublic, ReasonClaimed
	}
	if r.outside {
		if r.alarm != ReasonNone {
			return OutcomeElsewhere, r.alarm
		}
		return OutcomeElsewhere, ReasonPublicElsewhere
	}
	if !over {
		return OutcomePending, ReasonNone
	}
	return OutcomeLost, r.cause()
}

// outbuilt tells whether the public chain passes by a block that went out.
func (c *Core) outbuilt(r *slotRecord) bool {
	b := c.blocks.get(r.id)
	return b != nil && c.head != nil && c.head.num > b.num && !c.extends(c.head, b)
}

// cause is the best single reason why nothing went out for a slot.
func (r *slotRecord) cause() Reason {
	first, branch, up, leadHere := ReasonNone, false, false, false
	for i := range r.n {
		n := &r.nodes[i]
		up = up || n.link.up
		if n.candidates == 0 {
			continue
		}
		leadHere = leadHere || n.name == r.lead
		if first == ReasonNone {
			first = n.why
		}
		switch n.why {
		case ReasonParentWithheld, ReasonNotLineage, ReasonParentHeld:
			branch = true
		}
	}
	switch {
	case branch && r.lead != "" && !leadHere:
		return ReasonLeadLost
	case branch:
		return ReasonOwnBranch
	case first != ReasonNone:
		return first
	case up:
		return ReasonNodeSilent
	}
	return ReasonNoNode
}
