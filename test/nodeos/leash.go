package nodeos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// leadResult is what came of one fault of the lead. The slots judged begin before the round, so that
// they are settled before the next one's fault.
type leadResult struct {
	result
	fault  leadFault
	round  p2pwire.Slot // first slot of the round
	at     time.Time    // when it happened
	victim string

	lost []int // indices in the round
	late int   // seen later than their timestamp
	// siblings are blocks signed for slots of ours beside those of the chain: by the victim, which goes
	// on by itself where it can, by those who led after it, and by nodes that were held all the time.
	byVictim, bySuccessor, byHeld int
	forks                         int // public nodes that left a branch, and blocks that a public node gave away and the chain lacks
	// releases are the changes of the lead from the fault to the round's end: a good lead that is late
	// because the machine is loaded is replaced as well.
	releases []leadChange
	// next is how long after the fault the network first saw a block of another node's, in the same
	// round; 0 if there was none to come.
	next time.Duration
	// obeyed is how long after the last release the released node's first block left the relay, margin how
	// long before its timestamp the network saw it.
	obeyed, margin time.Duration
}

// leadBefore and leadAfter are how far the judged slots reach around the round's first.
const leadBefore, leadAfter = 11, 36

// The steps of a fault, from the round's beginning.
const (
	lookBefore = 300 * time.Millisecond // before the fault: is all well?
	askBefore  = 60 * time.Millisecond  // before the fault: who leads?
	backAfter  = 15 * time.Second       // everybody is on the public chain again
)

var (
	errNoStandby = errors.New("no node could take over")
	errNoRound   = errors.New("the relay does not know our next round")
)

// suffer lets one fault happen in a round and judges what came of it.
func (n *network) suffer(ctx context.Context, mode string, round p2pwire.Slot, f leadFault) (*leadResult, error) {
	r := &leadResult{fault: f, round: round}
	r.mode, r.scenario = mode, string(f.kind)
	r.first, r.last = round-leadBefore, round+leadAfter
	start := begin(round)
	when := start.Add(f.after)
	if err := wait(ctx, when.Add(-lookBefore)); err != nil {
		return r, err
	}
	if err := n.standbyReady(ctx); err != nil {
		r.problem("before the fault: %v", err)
	}
	if err := wait(ctx, when.Add(-askBefore)); err != nil {
		return r, err
	}
	victim, err := n.lead(ctx)
	if err != nil {
		return r, err
	}
	if err := wait(ctx, when); err != nil {
		return r, err
	}
	r.victim, r.at = victim.name, time.Now()
	n.strike(f.kind, victim)
	if err := wait(ctx, r.at.Add(f.lasts)); err != nil {
		return r, errors.Join(err, n.repair(context.WithoutCancel(ctx), f.kind, victim))
	}
	if err := n.repair(ctx, f.kind, victim); err != nil {
		return r, err
	}
	if err := wait(ctx, start.Add(backAfter)); err != nil {
		return r, err
	}
	for _, node := range n.own {
		if err := n.follows(ctx, node, 2*time.Second); err != nil {
			if ctx.Err() != nil {
				return r, err
			}
			r.problem("%v", err)
		}
	}
	return r, n.judgeLead(ctx, r)
}

// standbyReady wants the relay to say that a node is quiet and could take over.
func (n *network) standbyReady(ctx context.Context) error {
	st, err := n.relay.status(ctx)
	if err != nil {
		return err
	}
	if st.Takeover.Mode != n.takeover {
		return fmt.Errorf("the relay takes over by %s, not %s: %s", st.Takeover.Mode, n.takeover, st.Takeover.Why)
	}
	var others []string
	for _, x := range st.Takeover.Nodes {
		if x.State == "armed" {
			return nil
		}
		others = append(others, fmt.Sprintf("%s: %s %s", x.Node, x.State, x.Why))
	}
	return fmt.Errorf("%w: %q", errNoStandby, others)
}

// leads waits after the boot until one node leads, another could take over and the relay knows our next
// round, and returns the first slot of the first round that can be judged.
func (n *network) leads(ctx context.Context) (p2pwire.Slot, error) {
	const patience = 90 * time.Second // the schedule is known when a cycle was seen
	if err := poll(ctx, "a node is ready to take over", 100*time.Millisecond, patience, func(ctx context.Context) error {
		st, err := n.relay.status(ctx)
		if err == nil && st.Takeover.NextRun == 0 {
			err = errNoRound
		}
		return errors.Join(err, n.standbyReady(ctx))
	}); err != nil {
		return 0, err
	}
	round := nextRound(time.Now())
	if time.Until(begin(round).Add(firstFault)) < leadBefore*p2pwire.SlotDuration {
		round += cycle
	}
	return round, nil
}

// judgeLead fills in what the network saw.
func (n *network) judgeLead(ctx context.Context, r *leadResult) error {
	chain, err := n.judge(ctx, &r.result, r.round)
	if err != nil {
		return err
	}
	down := disruption{from: r.at, until: r.at.Add(r.fault.lasts + 3*time.Second), node: r.victim}
	if err := n.sessions(&r.result, slotTime(r.first), slotTime(r.last), []disruption{down}); err != nil {
		return err
	}
	if r.releases, err = leadChanges(n.relay.logPath, r.at.Add(-10*time.Millisecond), slotTime(r.round+12)); err != nil {
		return err
	}
	signed := map[string][]producedBlock{}
	for _, node := range n.own {
		if signed[node.name], err = produced(node.logPath, r.round, r.round+p2pwire.RoundSlots); err != nil {
			return err
		}
	}
	r.measure(chain, n.watch.network.firstSeen, n.watch.outlet.firstSeen, signed)
	for _, node := range append([]*node{n.api}, n.public...) {
		switches, err := forkSwitches(node.logPath, slotTime(r.first), slotTime(r.last+1))
		if err != nil {
			return err
		}
		for _, line := range switches {
			r.problem("%s: %.300s", node.name, line)
		}
		r.forks += len(switches)
	}
	for s := r.first; s <= r.last; s++ {
		for _, id := range n.watch.network.of(producerOf(s), s) {
			if chain[s].ID != id {
				r.forks++
				r.problem("slot %d (index %d): %s was public and is not in the chain", s, s.Index(), id.Short())
			}
		}
	}
	r.bounds()
	return nil
}

// measure counts by the chain, by when the taps at the public nodes and at the relay first saw a block,
// and by what our nodes say they signed.
func (r *leadResult) measure(chain map[p2pwire.Slot]chainBlock, seen, left func(p2pwire.ID) time.Time, signed map[string][]producedBlock) {
	for s := r.round; s < r.round+p2pwire.RoundSlots; s++ {
		b, there := chain[s]
		if !there {
			r.lost = append(r.lost, s.Index())
			continue
		}
		first := seen(b.ID)
		if first.IsZero() {
			r.problem("slot %d (index %d): no tap saw %s", s, s.Index(), b.ID.Short())
			continue
		}
		if first.After(slotTime(s)) {
			r.late++
		}
		if !r.signedByOther(signed, b.ID) {
			continue
		}
		if d := first.Sub(r.at); d > 0 && r.next == 0 && r.at.After(begin(r.round)) {
			r.next = d
		}
		if out := left(b.ID); r.obeyed == 0 && len(r.releases) > 0 && out.After(r.releases[len(r.releases)-1].at) {
			r.obeyed, r.margin = out.Sub(r.releases[len(r.releases)-1].at), slotTime(s).Sub(first)
		}
	}
	for name, blocks := range signed {
		for _, b := range blocks {
			if c, there := chain[b.slot]; there && b.is(c.ID) {
				continue
			}
			switch {
			case name == r.victim:
				r.byVictim++
			case slices.ContainsFunc(r.releases, func(l leadChange) bool { return l.node == name }):
				r.bySuccessor++
			default:
				r.byHeld++
				r.problem("%s was held and signed %s for slot %d (index %d)", name, b.id, b.slot, b.slot.Index())
			}
		}
	}
}

// signedByOther tells whether another node than the victim made a block. Both may have made the very same.
func (r *leadResult) signedByOther(signed map[string][]producedBlock, id p2pwire.ID) bool {
	for name, blocks := range signed {
		if name != r.victim && slices.ContainsFunc(blocks, func(b producedBlock) bool { return b.is(id) }) {
			return true
		}
	}
	return false
}

// bounds are what a fault may cost.
func (r *leadResult) bounds() {
	switch {
	case len(r.lost) == 0:
	case !r.fault.kind.noticed() || r.fault.kind == faultCut:
		// A cut link is noticed at once, too; but a node that is cut off while its block is under way is
		// allowed that block.
		if len(r.lost) > 1 {
			r.problem("%s: slots %v are lost, and at most one may be", r.fault.kind, r.lost)
		}
	case r.at.Before(begin(r.round)):
		r.problem("%s before the round: slots %v are lost", r.fault.kind, r.lost)
	case r.at.After(slotTime(r.round)) || len(r.lost) > 1 || r.lost[0] != 0:
		r.problem("%s: slots %v are lost, and only the first may be, if the node died before it", r.fault.kind, r.lost)
	}
}
