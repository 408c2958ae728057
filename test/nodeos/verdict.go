package nodeos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
)

// result is what came of one scenario. Slots are bpalpha's unless it says others.
type result struct {
	mode, scenario string
	first, last    p2pwire.Slot // judged, both included

	due          int
	public       int // in the chain
	double       int // more than one id seen anywhere, or one besides the chain's
	lostInRound  int // not in the chain, in the round of the failure and after it
	lostOutside  int
	othersLost   int
	othersDouble int
	transactions int // in bpalpha's blocks of the chain
	reconnects   int // sessions of our nodes that came up again
	notes        []string
	problems     []string
}

func (r *result) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}
func (r *result) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// count judges the slots. failedAt is the first slot that a failure may cost, up to the end of its
// round; 0 if none may be lost.
func (r *result) count(chain map[p2pwire.Slot]chainBlock, w *watch, failedAt p2pwire.Slot) {
	for s := r.first; s <= r.last; s++ {
		who := producerOf(s)
		b, there := chain[s]
		if there && b.Producer != who {
			r.problem("slot %d of %s has a block of %s", s, who, b.Producer)
		}
		ids := distinct(b.ID, w.network.of(who, s), w.outlet.of(who, s))
		if !own(s) {
			if !there {
				r.othersLost++
				r.problem("%s lost slot %d (index %d), seen on the network: %v", who, s, s.Index(), short(ids))
			}
			if len(ids) > 1 {
				r.othersDouble++
				r.problem("%s has several blocks in slot %d (index %d): %v", who, s, s.Index(), short(ids))
			}
			continue
		}
		r.due++
		if len(ids) > 1 {
			r.double++
			r.problem("own slot %d (index %d) has several public blocks: %v, in the chain: %s", s, s.Index(), short(ids), b.ID.Short())
		}
		switch {
		case there:
			r.public++
			r.transactions += len(b.Transactions)
		case failedAt != 0 && s >= failedAt && s.Round() == failedAt.Round():
			r.lostInRound++
		default:
			r.lostOutside++
			r.problem("own slot %d (index %d) is lost, seen on the network: %v", s, s.Index(), short(ids))
		}
	}
}

// distinct unites ids; the first may be zero.
func distinct(one p2pwire.ID, more ...[]p2pwire.ID) (ids []p2pwire.ID) {
	seen := map[p2pwire.ID]bool{{}: true}
	for _, list := range append(more, []p2pwire.ID{one}) {
		for _, id := range list {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func short(ids []p2pwire.ID) (list []string) {
	for _, id := range ids {
		list = append(list, id.Short())
	}
	return list
}

// readChain reads the observer's chain, from its head down to slot first.
func (n *network) readChain(ctx context.Context, first p2pwire.Slot) (map[p2pwire.Slot]chainBlock, error) {
	info, err := n.api.api.info(ctx)
	if err != nil {
		return nil, err
	}
	chain := map[p2pwire.Slot]chainBlock{}
	var child chainBlock
	for num := info.HeadNum; num > 1; num-- {
		b, err := n.api.api.block(ctx, num)
		if err != nil {
			return nil, err
		}
		if child.Num != 0 && child.Previous != b.ID {
			return nil, fmt.Errorf("the chain changed while it was read: %s is not the parent of %s", b.ID.Short(), child.ID.Short())
		}
		if b.Time.slot() < first {
			break
		}
		chain[b.Time.slot()] = b
		child = b
	}
	return chain, nil
}

// judge fills in what the network saw of the scenario's slots, and returns the chain by which it did.
func (n *network) judge(ctx context.Context, r *result, failedAt p2pwire.Slot) (chain map[p2pwire.Slot]chainBlock, err error) {
	// The next slots are built upon the last one judged: by then it is settled whose block it has.
	if err := wait(ctx, slotTime(r.last+2)); err != nil {
		return nil, err
	}
	if err := poll(ctx, "the chain can be read", 300*time.Millisecond, 10*time.Second, func(ctx context.Context) (err error) {
		chain, err = n.readChain(ctx, r.first)
		return err
	}); err != nil {
		return nil, err
	}
	r.count(chain, n.watch, failedAt)
	if !n.relay.alive() {
		r.problem("%v", n.relay.ended())
	}
	for _, node := range n.nodes() {
		if !node.alive() && !node.down {
			r.problem("%v", node.ended())
		}
	}
	for _, v := range n.watch.network.broken(checker.RuleFraming) {
		r.problem("%s", v)
	}
	for _, v := range n.watch.outlet.broken(checker.RuleOneBlockPerSlot, checker.RuleFraming, checker.RuleParentsFirst, checker.RuleOnce, checker.RuleVoteOrder) {
		r.problem("%s", v)
	}
	return chain, nil
}

// errApart means a node's head is not in the public chain.
var errApart = errors.New("is not on the public chain")

// follows waits until a node's head is the public chain's, or close behind it.
func (n *network) follows(ctx context.Context, node *node, patience time.Duration) error {
	return poll(ctx, node.name+" is on the public chain", 50*time.Millisecond, patience, func(ctx context.Context) error {
		theirs, err := n.api.api.info(ctx)
		if err != nil {
			return err
		}
		head, err := node.api.info(ctx)
		if err != nil {
			return err
		}
		const near = 2 // blocks on their way
		if head.HeadNum+near < theirs.HeadNum {
			return fmt.Errorf("%s is at %d, the network at %d", node.name, head.HeadNum, theirs.HeadNum)
		}
		if head.HeadNum > theirs.HeadNum {
			return fmt.Errorf("%s is at %s, the network at %s: %w", node.name, head.HeadID.Short(), theirs.HeadID.Short(), errApart)
		}
		b, err := n.api.api.block(ctx, head.HeadNum)
		if err != nil {
			return err
		}
		if b.ID != head.HeadID {
			return fmt.Errorf("%s is at %s, the network has %s: %w", node.name, head.HeadID.Short(), b.ID.Short(), errApart)
		}
		return nil
	})
}

// table lays the results out.
func table(version string, results []*result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "nodeos %s\n", version)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mode\tscenario\tdue\tpublic\tdouble\tlost in round\tlost outside\tothers lost\tothers double\ttrx\treconnects\tnotes")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", r.mode, r.scenario, r.due, r.public, r.double,
			r.lostInRound, r.lostOutside, r.othersLost, r.othersDouble, r.transactions, r.reconnects, strings.Join(r.notes, "; "))
	}
	_ = w.Flush() // into memory
	return b.String()
}
