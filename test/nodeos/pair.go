package nodeos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"bprelay/p2pwire"
)

// makeCredentials makes those of the two relays, as an operator does.
func (n *network) makeCredentials(ctx context.Context) error {
	args := []string{"cluster", "init", "--dir", filepath.Join(n.root, "creds")}
	for _, r := range n.relays {
		args = append(args, "--member", r.name)
	}
	if out, err := exec.CommandContext(ctx, n.relay.binary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("make credentials: %w\n%s", err, out)
	}
	return nil
}

// relayFaultKind is what happens to the relay that is active.
type relayFaultKind string

// The kinds.
const (
	relayKill   relayFaultKind = "kill -9 active"
	relayFreeze relayFaultKind = "SIGSTOP active"
	bothKill    relayFaultKind = "kill -9 active and lead"
	handOver    relayFaultKind = "handover"
)

// relayFault is one fault, in a round of ours; see leadFault.
type relayFault struct {
	kind  relayFaultKind
	after time.Duration
}

// planRelayFaults spreads the kinds over our round.
func planRelayFaults(n int, rng *rand.Rand) (plan []relayFault) {
	kinds := []relayFaultKind{relayKill, relayFreeze, relayKill, bothKill, relayKill, handOver}
	const least, most = 200 * time.Millisecond, 5500 * time.Millisecond
	for i := range n {
		plan = append(plan, relayFault{kinds[i%len(kinds)], least + time.Duration(rng.Int64N(int64(most-least)))})
	}
	return plan
}

// pairResult is what came of it.
type pairResult struct {
	result
	fault relayFault
	late  int
	// gap is how long after the fault the network first saw a block of ours that it had not before, and
	// wait how much of that was beyond the block's usual time.
	gap   time.Duration
	roles string
}

var errNoActive = errors.New("no relay is active")

// findActive asks both relays.
func (n *network) findActive(ctx context.Context) error {
	return poll(ctx, "one relay is active, the other its standby", 50*time.Millisecond, 20*time.Second, func(ctx context.Context) error {
		active := 0
		for _, r := range n.relays {
			st, err := r.status(ctx)
			if err != nil {
				return err
			}
			if !st.Cluster.Linked {
				return fmt.Errorf("%s has no link", r.name)
			}
			if st.Cluster.Role == "active" {
				n.relay = r
				active++
			}
		}
		if active != 1 {
			return fmt.Errorf("%w: %d are", errNoActive, active)
		}
		return nil
	})
}

// sufferRelay lets one fault happen to the active relay and judges what came of it.
func (n *network) sufferRelay(ctx context.Context, round p2pwire.Slot, f relayFault) (*pairResult, error) {
	r := &pairResult{fault: f}
	r.mode, r.scenario = "pair, leash", string(f.kind)
	r.first, r.last = round-leadBefore, round+leadAfter
	when := begin(round).Add(f.after)
	if err := wait(ctx, when.Add(-lookBefore)); err != nil {
		return r, err
	}
	if err := n.findActive(ctx); err != nil {
		return r, err
	}
	if err := n.standbyReady(ctx); err != nil {
		r.problem("before the fault: %v", err)
	}
	victim := n.relay
	lead, err := n.lead(ctx)
	if err != nil {
		return r, err
	}
	if err := wait(ctx, when); err != nil {
		return r, err
	}
	at := time.Now()
	switch f.kind {
	case relayKill, bothKill:
		victim.kill()
		if f.kind == bothKill {
			lead.down = true
			lead.kill()
		}
	case relayFreeze:
		victim.freeze()
	case handOver:
		out, err := exec.CommandContext(ctx, victim.binary, "handover", "--admin", victim.admin).CombinedOutput()
		if err != nil {
			r.problem("handover: %v: %s", err, out)
		}
	}
	if err := wait(ctx, begin(round).Add(roundFor+downFor)); err != nil {
		return r, err
	}
	switch f.kind {
	case relayKill, bothKill:
		if err := victim.run(ctx); err != nil {
			return r, err
		}
		if f.kind == bothKill {
			if err := lead.run(); err != nil {
				return r, err
			}
			lead.down = false
		}
	case relayFreeze:
		victim.thaw()
	}
	if err := wait(ctx, begin(round).Add(backAfter)); err != nil {
		return r, err
	}
	if err := n.findActive(ctx); err != nil {
		return r, err
	}
	for _, x := range n.relays {
		st, err := x.status(ctx)
		if err != nil {
			return r, err
		}
		r.roles += fmt.Sprintf("%s %s %d (%s) ", x.name, st.Cluster.Role, st.Cluster.Epoch, st.Cluster.Reason)
		if st.Stats.Alarms["double_claim"] > 0 {
			r.problem("%s: alarm double_claim", x.name)
		}
	}
	chain, err := n.judge(ctx, &r.result, round)
	if err != nil {
		return r, err
	}
	for s := round; s < round+p2pwire.RoundSlots; s++ {
		b, there := chain[s]
		if !there {
			continue
		}
		seen := n.watch.network.firstSeen(b.ID)
		if seen.After(slotTime(s)) {
			r.late++
		}
		if d := seen.Sub(at); d > 0 && r.gap == 0 {
			r.gap = d
		}
	}
	most := 0
	if f.kind == bothKill {
		most = 1
	}
	if r.lostInRound > most {
		r.problem("%d slots lost in the round", r.lostInRound)
	}
	return r, nil
}

// pairTable lays the results out.
func pairTable(results []*pairResult) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tafter\tdue\tpublic\tdouble\tlost in round\tlost outside\tlate\tothers lost\tfault to next block\tafterwards")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%d ms\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d ms\t%s\n", r.fault.kind, r.fault.after.Milliseconds(), r.due, r.public, r.double,
			r.lostInRound, r.lostOutside, r.late, r.othersLost, r.gap.Milliseconds(), r.roles)
	}
	_ = w.Flush() // into memory
	return b.String()
}
