package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// lead does what a leader has to: see to it that a relay reigns, the best one.
func (n *Node) lead(in *instance, now time.Time) {
	reign, term := in.machine.reign(), n.leading
	if !n.me.Witness {
		if reign.Term != term || reign.Member != n.me.Name {
			n.background(func() { n.appoint(in, n.me.Name) })
			return
		}
		n.mu.Lock()
		self := n.health
		n.mu.Unlock()
		var first []string
		if n.o.Failback && n.outside() {
			first = n.before()
		}
		to, why := n.rules.judge(scene{
			first: first, now: now, slot: p2pwire.SlotAt(now.UnixNano()), self: self, others: n.fresh(in, now), heartbeat: n.o.Timing.Heartbeat,
			claimed: func(p p2pwire.Name, s p2pwire.Slot) bool { return in.machine.decision(p, s).Known },
		})
		if to != "" {
			n.rules.tried(now)
			n.background(func() { _ = n.handOn(in.ctx, in, to, why) }) // it says so, and the rules ask again
			return
		}
	} else if !now.Before(n.handNext) {
		n.background(func() { n.handOver(in) })
		return
	}
	n.readmit(in)
}

// handOver is what a witness does that leads. It asks who is there: what was heard of a relay before may
// be older than its death.
func (n *Node) handOver(in *instance) {
	to := n.alive(in, n.avoid)
	if to == "" {
		return
	}
	err := n.handOn(in.ctx, in, to, WhyWitness)
	if err == nil {
		n.avoid = ""
		return
	}
	// Another one next time, and not at once: while it is tried nothing is committed. Until then that one is
	// active all the same, and what it proposes is committed here.
	n.handNext, n.avoid = time.Now().Add(2*n.o.Timing.Election), to
	n.appoint(in, to)
}

// alive is a relay that votes and answers now: the first to do so that sees both sides, or else the best of
// those that do in time. avoid is taken only if no other is there.
func (n *Node) alive(in *instance, avoid string) string {
	ctx, cancel := context.WithTimeout(in.ctx, n.o.Timing.Heartbeat)
	defer cancel()
	relays := n.voters(in)
	answers := make(chan string, len(relays))
	for _, name := range relays {
		n.spawn(func() {
			if _, err := n.greet(ctx, name); err != nil {
				name = ""
			}
			answers <- name
		})
	}
	reports := n.fresh(in, time.Now())
	var here []string
	for range relays {
		select {
		case name := <-answers:
			if name == "" {
				continue
			}
			here = append(here, name)
			if o, ok := reports[name]; ok && o.sees() && !o.Stuck && name != avoid {
				return name
			}
		case <-ctx.Done():
		}
	}
	return best(slices.DeleteFunc(relays, func(name string) bool { return !slices.Contains(here, name) }), reports, avoid)
}

// before are the relays that come before this one in the configuration.
func (n *Node) before() (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.o.Members {
		if m.Name == n.o.Name {
			break
		}
		if !m.Witness {
			list = append(list, m.Name)
		}
	}
	return list
}

// voters are the relays among the other members that vote, in the order of the configuration.
func (n *Node) voters(in *instance) (list []string) {
	for _, name := range n.names(true) {
		if s, ok := in.server(name); ok && s.Suffrage == raft.Voter {
			list = append(list, name)
		}
	}
	return list
}

// fresh are the reports of relays that vote and were heard of lately.
func (n *Node) fresh(in *instance, now time.Time) map[string]report {
	voters := n.voters(in)
	n.mu.Lock()
	defer n.mu.Unlock()
	list := map[string]report{}
	for name, r := range n.reports {
		if now.Sub(r.at) <= 4*n.o.Timing.Heartbeat && slices.Contains(voters, name) {
			list[name] = r
		}
	}
	return list
}

// appoint makes a relay active, if this member really leads: it has to be committed.
func (n *Node) appoint(in *instance, name string) {
	f := in.raft.Apply((&entry{kind: kindReign, member: name}).encode(), n.o.Timing.Heartbeat)
	if err := in.wait(in.ctx, f, n.o.Timing.Election); err != nil {
		n.log.Debug("a reign was not committed", "of", name, "error", err)
	}
}

// wait waits for raft's answer; a disk that hangs may keep it for long.
func (in *instance) wait(ctx context.Context, f raft.Future, patience time.Duration) error {
	in.ends(f)
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return errStopped
	}
}

// handOn makes another relay the leader. It returns nil when this member leads no more.
func (n *Node) handOn(ctx context.Context, in *instance, to string, why Why) error {
	if to == "" {
		if to = n.alive(in, ""); to == "" {
			return errors.New("there is no other relay")
		}
	}
	s, ok := in.server(to)
	if !ok || s.Suffrage != raft.Voter {
		return fmt.Errorf("%s is no voting member", to)
	}
	err := in.wait(ctx, in.raft.LeadershipTransferToServer(s.ID, s.Address), 2*n.o.Timing.Election)
	if err != nil {
		err = fmt.Errorf("hand leadership on to %s: %w", to, err)
		n.log.Warn("leadership was not handed on", "to", to, "why", string(why), "error", err)
		return err
	}
	n.log.Info("leadership is handed on", "to", to, "why", string(why))
	return nil
}

// findBlock asks the other relays for a block's frame; nil: none has it.
func (n *Node) findBlock(id p2pwire.ID) []byte {
	ctx, cancel := context.WithTimeout(n.ctx, n.o.Timing.claimWait())
	defer cancel()
	for _, name := range n.names(true) {
		if b, err := n.net.call(ctx, name, append([]byte{askBlock}, id[:]...)); err == nil && len(b) > 0 {
			return b
		}
	}
	return nil
}

// compact takes a snapshot when the entries since the last one are many bytes: raft counts entries only.
func (in *instance) compact() {
	in.guard.mu.Lock()
	grown := in.guard.bytes - in.bytes
	in.guard.mu.Unlock()
	if grown < snapshotBytes {
		return
	}
	in.bytes += grown
	in.tasks.Go(func() { _ = in.raft.Snapshot().Error() }) // raft says so; it tries again by itself
}

// sample takes what the relay's core says about itself.
func (n *Node) sample(network, nodes int, inRun bool, untilRun time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &n.health
	n.urgent = n.urgent || (h.Network > 0 && h.Nodes > 0) != (network > 0 && nodes > 0)
	h.Network, h.Nodes, h.InRun, h.UntilRun = network, nodes, inRun, untilRun
}

// missed takes what the relay's core says about a slot of ours.
func (n *Node) missed(producer p2pwire.Name, slot p2pwire.Slot, inRow int, holds bool) {
	n.mu.Lock()
	h := &n.health
	h.MissedBy, h.Missed, h.MissedInRow, h.Holds = producer, slot, inRow, holds
	n.urgent = true
	n.mu.Unlock()
	n.wake()
}

// served takes that a slot of ours has its block: what was missed before is over.
func (n *Node) served(slot p2pwire.Slot) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := &n.health; slot >= h.Missed {
		h.Missed, h.MissedBy, h.MissedInRow, h.Holds = 0, 0, 0, false
	}
}

// tellHealth tells the others how this relay fares, every heartbeat and whenever it matters.
func (n *Node) tellHealth(now time.Time) {
	if n.me.Witness {
		return
	}
	n.mu.Lock()
	h := n.health
	due := n.urgent || now.Sub(n.told) >= n.o.Timing.Heartbeat
	n.urgent = n.urgent && !due
	n.mu.Unlock()
	if !due {
		return
	}
	n.told = now
	n.tell(append([]byte{askHealth}, encodeJSON(h)...), n.names(false))
}

// tell asks members what needs no answer.
func (n *Node) tell(question []byte, to []string) {
	for _, name := range to {
		n.spawn(func() {
			ctx, cancel := context.WithTimeout(n.ctx, n.o.Timing.claimWait())
			defer cancel()
			_, _ = n.net.call(ctx, name, question) // the next one is under way
		})
	}
}
