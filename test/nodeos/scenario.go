package nodeos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"bprelay/p2pwire"
)

// scenario is one failure, or none. Scenarios follow each other without a gap, on one running
// network, so that every slot is judged.
type scenario struct {
	name  string
	slots p2pwire.Slot // how long it takes
	run   func(ctx context.Context, n *network, s *stage) error
}

// stage is a scenario while it runs.
type stage struct {
	*result
	round       p2pwire.Slot // first slot of bpalpha's first round that begins in it
	failedAt    p2pwire.Slot // see result.count
	disruptions []disruption
}

func newStage(r *result) *stage {
	return &stage{result: r, round: (r.first + cycle - 1) / cycle * cycle}
}

// at waits for the timestamp of a slot, counted from the start of round, plus a bit.
func (s *stage) at(ctx context.Context, offset int, plus time.Duration) error {
	return wait(ctx, time.Unix(0, s.round.Time()).Add(time.Duration(offset)*p2pwire.SlotDuration+plus))
}

// Where in the cycle things happen, in slots from the round's start.
const (
	inRound      = 4  // the failure inside a round
	afterRound   = 13 // shortly after it
	handedOver   = 20 // where the slots of a scenario may end whose failure was in or before the round
	joined       = 23 // bpbeta's round is over: whoever was on a branch of its own has left it
	outsideRound = 24 // in the middle between two rounds

	oneCycle = 48
)

var errNoLead = errors.New("the relay names no node whose blocks go out")

// scenarios are the script. The first one begins with a round of bpalpha.
func scenarios() []scenario {
	return []scenario{
		{"steady", 2 * oneCycle, steady},
		{"kill -9 lead in round", oneCycle, killLeadInRound},
		{"restart it far behind", 2 * oneCycle, restartFar},
		{"kill -9 lead outside", oneCycle, killLeadOutside},
		{"restart it close behind", handedOver, restartNear},
		{"restart relay outside", oneCycle, restartRelayOutside},
		{"kill -9 relay in round", oneCycle, killRelayInRound},
		{"relay down for 1 s in round", oneCycle, stopRelayInRound},
		{"link of the lead down for 1 s", oneCycle, breakLead},
		{"uplinks down for 1 s", oneCycle, breakUplinks},
		{"restart relay outside, now with a journal", oneCycle, addJournal},
		{"with a journal: kill -9 relay in round", oneCycle, killJournalInRound},
		{"with a journal: relay down for 1 s in round", oneCycle + joined + 1 - handedOver, stopJournalInRound},
	}
}

func steady(ctx context.Context, n *network, s *stage) error {
	before := n.watch.outlet.votes()
	for i := range 2 {
		if err := n.all(ctx, s, i*oneCycle+joined); err != nil {
			return err
		}
	}
	if n.savanna {
		// Our finalizer votes for every block, its own as well as others'.
		votes := n.watch.outlet.votes() - before
		s.note("%d own votes left", votes)
		if votes < oneCycle {
			s.problem("%d own votes left in more than %d slots", votes, oneCycle)
		}
	}
	return nil
}

// all wants every own node but one that was killed on the public chain at a slot.
func (n *network) all(ctx context.Context, s *stage, offset int) error {
	if err := s.at(ctx, offset, 0); err != nil {
		return err
	}
	for _, node := range n.own {
		if node.down {
			continue
		}
		if err := n.follows(ctx, node, 2*time.Second); err != nil {
			if ctx.Err() != nil {
				return err
			}
			s.problem("%v", err)
		}
	}
	return nil
}

// lead is the node that leads, or with takeover race the one whose blocks go out.
func (n *network) lead(ctx context.Context) (*node, error) {
	st, err := n.relay.status(ctx)
	if err != nil {
		return nil, err
	}
	name := st.Takeover.Lead
	if st.Takeover.Mode == "race" {
		name = st.Lead
	}
	for _, node := range n.own {
		if node.name == name {
			return node, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", errNoLead, name)
}

// killLead kills it at the slot given, from the scenario's first one.
func (n *network) killLead(ctx context.Context, s *stage, offset int) error {
	if err := s.at(ctx, offset, -200*time.Millisecond); err != nil {
		return err
	}
	lead, err := n.lead(ctx)
	if err != nil {
		return err
	}
	if err := s.at(ctx, offset, -100*time.Millisecond); err != nil {
		return err
	}
	s.disruptions = append(s.disruptions, disruption{from: time.Now(), until: slotTime(s.last), node: lead.name})
	lead.down = true
	lead.kill()
	s.note("killed %s", lead.name)
	return nil
}

func killLeadInRound(ctx context.Context, n *network, s *stage) error {
	s.failedAt = s.round + inRound
	if err := n.killLead(ctx, s, inRound); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

func killLeadOutside(ctx context.Context, n *network, s *stage) error {
	if err := n.all(ctx, s, joined); err != nil {
		return err
	}
	return n.killLead(ctx, s, outsideRound)
}

// restartFar lets the survivor produce two rounds alone first.
func restartFar(ctx context.Context, n *network, s *stage) error {
	const blocks = 100
	if err := n.restart(ctx, s, oneCycle+afterRound, blocks); err != nil {
		return err
	}
	return n.all(ctx, s, oneCycle+joined)
}

// restartNear lets it produce one round alone.
func restartNear(ctx context.Context, n *network, s *stage) error {
	return n.restart(ctx, s, afterRound, 0)
}

// restart starts the node that is down, and wants it to catch up from at least so many blocks behind
// through the relay before the next round.
func (n *network) restart(ctx context.Context, s *stage, offset int, atLeast uint32) error {
	if err := s.at(ctx, offset, 0); err != nil {
		return err
	}
	for _, node := range n.own {
		if !node.down {
			continue
		}
		begun := time.Now()
		// Its own log begins with what it finds; the relay may need to let go of an early session.
		s.disruptions = append(s.disruptions, disruption{from: slotTime(s.first).Add(-time.Second), until: begun.Add(time.Second), node: node.name})
		public, err := n.api.api.info(ctx)
		if err != nil {
			return err
		}
		if err := node.run(); err != nil {
			return err
		}
		info, err := node.answers(ctx)
		if err != nil {
			return err
		}
		up := time.Now()
		// Where it began is what its block log had: with the first answer it may have caught up.
		behind := public.HeadNum - min(public.HeadNum, node.replayed())
		if err := n.follows(ctx, node, 10*time.Second); err != nil {
			s.problem("%v", err)
		}
		s.note("%s restarted %d blocks behind (at %d when it answered after %.1f s), caught up %.1f s later",
			node.name, behind, info.HeadNum, up.Sub(begun).Seconds(), time.Since(up).Seconds())
		if behind < atLeast {
			s.problem("%s was %d blocks behind only, not %d", node.name, behind, atLeast)
		}
	}
	return nil
}

// restartRelayOutside restarts it the orderly way, and sees the next round through.
func restartRelayOutside(ctx context.Context, n *network, s *stage) error {
	if err := n.restartRelay(ctx, s, outsideRound-oneCycle, n.relay.stop, 0); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// addJournal gives the relay a state directory.
func addJournal(ctx context.Context, n *network, s *stage) error {
	if err := n.relay.configure(n.relayPeers(), filepath.Join(n.root, "state")); err != nil {
		return err
	}
	return restartRelayOutside(ctx, n, s)
}

// killJournalInRound: with a journal the relay knows what went out before, so nothing may be lost.
func killJournalInRound(ctx context.Context, n *network, s *stage) error {
	if err := n.restartRelay(ctx, s, inRound, n.relay.kill, 0); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// stopJournalInRound has it miss blocks, which then go out late.
func stopJournalInRound(ctx context.Context, n *network, s *stage) error {
	if err := n.restartRelay(ctx, s, inRound, n.relay.kill, time.Second); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// killRelayInRound has it back before the next block is due.
func killRelayInRound(ctx context.Context, n *network, s *stage) error {
	s.failedAt = s.round + inRound
	if err := n.restartRelay(ctx, s, inRound, n.relay.kill, 0); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// stopRelayInRound has it miss blocks.
func stopRelayInRound(ctx context.Context, n *network, s *stage) error {
	s.failedAt = s.round + inRound
	if err := n.restartRelay(ctx, s, inRound, n.relay.kill, time.Second); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// breakLead takes away the connection of the node whose blocks go out. What it makes meanwhile goes
// out when it is back, so nothing may be lost.
func breakLead(ctx context.Context, n *network, s *stage) error {
	if err := s.at(ctx, inRound, -200*time.Millisecond); err != nil {
		return err
	}
	lead, err := n.lead(ctx)
	if err != nil {
		return err
	}
	s.note("link of %s", lead.name)
	if err := n.breakLinks(ctx, s, inRound, n.downlinks[lead.name]); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// breakUplinks takes all network peers away. Nothing may be lost either.
func breakUplinks(ctx context.Context, n *network, s *stage) error {
	if err := n.breakLinks(ctx, s, inRound, n.uplinks...); err != nil {
		return err
	}
	return n.all(ctx, s, joined)
}

// breakLinks shuts gates for a second and waits until all sessions are back.
func (n *network) breakLinks(ctx context.Context, s *stage, offset int, gates ...*gate) error {
	if err := s.at(ctx, offset, -100*time.Millisecond); err != nil {
		return err
	}
	begun := time.Now()
	for _, g := range gates {
		g.shut()
	}
	if err := wait(ctx, begun.Add(time.Second)); err != nil {
		return err
	}
	for _, g := range gates {
		if err := g.open(ctx); err != nil {
			return err
		}
	}
	return n.sessionsBack(ctx, s, begun)
}

// restartRelay ends the relay and starts it again.
func (n *network) restartRelay(ctx context.Context, s *stage, offset int, end func(), down time.Duration) error {
	if err := s.at(ctx, offset, -100*time.Millisecond); err != nil {
		return err
	}
	begun := time.Now()
	end()
	if err := wait(ctx, begun.Add(down)); err != nil {
		return err
	}
	if err := n.relay.run(ctx); err != nil {
		return err
	}
	return n.sessionsBack(ctx, s, begun)
}

// sessionsBack waits for the end of a disruption of the relay's sessions.
func (n *network) sessionsBack(ctx context.Context, s *stage, begun time.Time) error {
	err := poll(ctx, "all sessions are back", 50*time.Millisecond, 10*time.Second, func(ctx context.Context) error {
		st, err := n.relay.status(ctx)
		if err != nil {
			return err
		}
		if nodes, peers := st.ready("internal"), st.ready("network"); nodes < len(n.own) || peers < len(n.public)+1 {
			return fmt.Errorf("%d nodes and %d peers are there", nodes, peers)
		}
		return nil
	})
	if err != nil {
		s.problem("%v", err)
	}
	s.note("all sessions back after %.1f s", time.Since(begun).Seconds())
	s.disruptions = append(s.disruptions, disruption{from: begun, until: time.Now()})
	return nil
}
