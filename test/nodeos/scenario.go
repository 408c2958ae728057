package nodeos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bprelay/p2pwire"
)

// scenario is one failure, or none, over whole cycles of the schedule. Scenarios follow each other
// without a gap, on one running network.
type scenario struct {
	name   string
	cycles int
	run    func(ctx context.Context, n *network, s *stage) error
}

// stage is a scenario while it runs.
type stage struct {
	*result
	round       p2pwire.Slot // first slot of bpalpha's first round in it
	failedAt    p2pwire.Slot // see result.count
	disruptions []disruption
}

// at waits for the timestamp of a slot, counted from the scenario's first one, plus a bit.
func (s *stage) at(ctx context.Context, offset p2pwire.Slot, plus time.Duration) error {
	return wait(ctx, slotTime(s.round+offset).Add(plus))
}

// Where in the cycle things happen, in slots from the round's start.
const (
	inRound      = 4  // the failure inside a round
	afterRound   = 14 // shortly after it
	outsideRound = 24 // in the middle between two rounds
	joined       = 23 // bpbeta's round is over: whoever was on a branch of its own has left it
)

var errNoLead = errors.New("the relay names no node whose blocks go out")

// scenarios are the script.
func scenarios() []scenario {
	return []scenario{
		{"steady", 2, steady},
		{"kill -9 lead in round", 1, killLeadInRound},
		{"restart it far behind", 2, restartFar},
		{"kill -9 lead outside", 1, killLeadOutside},
		{"restart it close behind", 1, restartNear},
		{"restart relay outside", 2, restartRelayOutside},
		{"kill -9 relay in round", 2, restartRelayInRound},
	}
}

func steady(ctx context.Context, n *network, s *stage) error {
	for i := range p2pwire.Slot(2) {
		if err := s.at(ctx, i*cycle+joined, 0); err != nil {
			return err
		}
		if err := n.all(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// all wants every own node on the public chain.
func (n *network) all(ctx context.Context, s *stage) error {
	for _, node := range n.own {
		if !node.alive() {
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

// lead is the node whose blocks go out, and the other one.
func (n *network) lead(ctx context.Context) (lead, other *node, err error) {
	st, err := n.relay.status(ctx)
	if err != nil {
		return nil, nil, err
	}
	a, b := n.own[0], n.own[1]
	switch st.Lead {
	case a.name:
		return a, b, nil
	case b.name:
		return b, a, nil
	}
	return nil, nil, fmt.Errorf("%w: %q", errNoLead, st.Lead)
}

// killLead kills it at the slot given, from the scenario's first one.
func (n *network) killLead(ctx context.Context, s *stage, offset p2pwire.Slot) error {
	if err := s.at(ctx, offset, -200*time.Millisecond); err != nil {
		return err
	}
	lead, _, err := n.lead(ctx)
	if err != nil {
		return err
	}
	if err := s.at(ctx, offset, -100*time.Millisecond); err != nil {
		return err
	}
	s.disruptions = append(s.disruptions, disruption{from: time.Now(), until: slotTime(s.last), node: lead.name})
	lead.kill()
	s.note("killed %s", lead.name)
	return nil
}

func killLeadInRound(ctx context.Context, n *network, s *stage) error {
	s.failedAt = s.round + inRound
	if err := n.killLead(ctx, s, inRound); err != nil {
		return err
	}
	if err := s.at(ctx, joined, 0); err != nil {
		return err
	}
	return n.all(ctx, s)
}

func killLeadOutside(ctx context.Context, n *network, s *stage) error {
	if err := s.at(ctx, joined, 0); err != nil {
		return err
	}
	if err := n.all(ctx, s); err != nil {
		return err
	}
	return n.killLead(ctx, s, outsideRound)
}

// restartFar lets the survivor produce two rounds alone first.
func restartFar(ctx context.Context, n *network, s *stage) error {
	const blocks = 100
	return n.restart(ctx, s, cycle+afterRound, blocks)
}

func restartNear(ctx context.Context, n *network, s *stage) error {
	return n.restart(ctx, s, afterRound, 0)
}

// restart starts the node that is down, and wants it to catch up from at least so many blocks behind
// through the relay before the next round.
func (n *network) restart(ctx context.Context, s *stage, offset p2pwire.Slot, atLeast uint32) error {
	if err := s.at(ctx, offset, 0); err != nil {
		return err
	}
	for _, node := range n.own {
		if node.alive() {
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
	if err := s.at(ctx, offset-afterRound+joined, 4*time.Second); err != nil {
		return err
	}
	return n.all(ctx, s)
}

func restartRelayOutside(ctx context.Context, n *network, s *stage) error {
	if err := n.restartRelay(ctx, s, outsideRound, n.relay.stop); err != nil {
		return err
	}
	if err := s.at(ctx, cycle+joined, 0); err != nil {
		return err
	}
	return n.all(ctx, s)
}

func restartRelayInRound(ctx context.Context, n *network, s *stage) error {
	s.failedAt = s.round + inRound
	if err := n.restartRelay(ctx, s, inRound, n.relay.kill); err != nil {
		return err
	}
	if err := s.at(ctx, joined, 0); err != nil {
		return err
	}
	if err := n.all(ctx, s); err != nil {
		return err
	}
	if err := s.at(ctx, cycle+joined, 0); err != nil {
		return err
	}
	return n.all(ctx, s)
}

// restartRelay ends the relay and starts it again at once.
func (n *network) restartRelay(ctx context.Context, s *stage, offset p2pwire.Slot, end func()) error {
	if err := s.at(ctx, offset, -100*time.Millisecond); err != nil {
		return err
	}
	begun := time.Now()
	end()
	if err := n.relay.run(ctx); err != nil {
		return err
	}
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
