package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// maxPatience bounds how long another member's wish is worked at: adjacent rounds of ours are at most
// that long.
const maxPatience = 2 * time.Minute

// Add makes a configured member, which has to run, one that votes: what it lacks is brought to it first.
// It needs a majority of those that vote now. Every member may be asked.
func (n *Node) Add(ctx context.Context, name string) error {
	return n.ask(ctx, change{Add: name})
}

// Remove ends a member's vote, whether it runs or not. The leader hands on first if it is itself meant. It
// needs a majority of those that vote now, and there stay at least two.
func (n *Node) Remove(ctx context.Context, name string) error {
	return n.ask(ctx, change{Remove: name})
}

// Replace puts a new member in the place of another: it is added first, so that at no time fewer are left
// than before. A member that lost its directory needs no Replace: as soon as it runs again, with an empty
// one, the leader puts it in its own place.
func (n *Node) Replace(ctx context.Context, old, by string) error {
	if err := n.Add(ctx, by); err != nil {
		return err
	}
	return n.Remove(ctx, old)
}

// Handover makes another relay active: to, or the best one if it is empty. It waits for the end of our
// run, unless now; it returns when the other leads, or with an error if ctx ends before.
func (n *Node) Handover(ctx context.Context, to string, now bool) error {
	return n.ask(ctx, change{Handover: true, To: to, Now: now})
}

// ask has the leader carry out a change.
func (n *Node) ask(ctx context.Context, c change) error {
	c.Patience = maxPatience
	if until, ok := ctx.Deadline(); ok {
		c.Patience = time.Until(until)
	}
	var last error
	for {
		err := n.askOnce(ctx, &c)
		if err == nil || !errors.Is(err, errAgain) {
			return err
		}
		last = err
		select {
		case <-ctx.Done():
			return last
		case <-n.ctx.Done():
			return errStopped
		case <-time.After(n.o.Timing.step()):
		}
	}
}

func (n *Node) askOnce(ctx context.Context, c *change) error {
	in := n.instance()
	if in == nil {
		return fmt.Errorf("%w: %w", errAgain, errAside)
	}
	if in.leads() {
		return n.carryOut(ctx, c)
	}
	_, leader := in.raft.LeaderWithID()
	if leader == "" {
		return fmt.Errorf("%w: nobody leads", errAgain)
	}
	b, err := n.net.call(ctx, nameOf(leader), append([]byte{askChange}, encodeJSON(c)...))
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("answer of %s: %w", leader, err)
	}
	return a.err()
}

// carryOut does what a member wishes, on the leader.
func (n *Node) carryOut(ctx context.Context, c *change) error {
	in := n.instance()
	if in == nil || !in.leads() {
		return fmt.Errorf("%w: %s does not lead", errAgain, n.o.Name)
	}
	switch {
	case c.Handover:
		return n.handover(ctx, in, c)
	case c.Add != "":
		return n.add(ctx, in, c.Add)
	case c.Remove != "":
		return n.remove(ctx, in, c.Remove)
	}
	return errors.New("a change of nothing")
}

// handover waits for a time outside our runs and hands on.
func (n *Node) handover(ctx context.Context, in *instance, c *change) error {
	if c.To == n.o.Name && !n.me.Witness {
		return nil
	}
	if c.To != "" && !contains(n.voters(in), c.To) {
		return fmt.Errorf("%s is no relay that votes", c.To)
	}
	for !c.Now && !n.me.Witness && !n.outside() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of our run: %w", ctx.Err())
		case <-time.After(n.o.Timing.step()):
		}
	}
	return n.handOn(ctx, in, c.To, WhyHandover)
}

// outside tells whether no run of ours is under way or about to begin.
func (n *Node) outside() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.health.InRun && n.health.UntilRun > n.o.Timing.Election
}

func contains(list []string, name string) bool {
	for _, x := range list {
		if x == name {
			return true
		}
	}
	return false
}

// greet asks a member who it is.
func (n *Node) greet(ctx context.Context, name string) (h hello, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.o.Timing.Election)
	defer cancel()
	in := n.instance()
	me := hello{Name: n.o.Name, Birth: n.home.birth, Empty: in != nil && in.empty()}
	b, err := n.net.call(ctx, name, append([]byte{askHello}, encodeJSON(me)...))
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("answer of %s: %w", name, err)
	}
	if h.Name != name || h.Birth == "" {
		return h, fmt.Errorf("it is %q that answers, not %s", h.Name, name)
	}
	return h, nil
}

// add makes a member vote.
func (n *Node) add(ctx context.Context, in *instance, name string) error {
	if _, ok := n.address(name); !ok {
		return fmt.Errorf("%s is not configured here", name)
	}
	h, err := n.greet(ctx, name)
	if err != nil {
		return fmt.Errorf("ask the new member: %w", err)
	}
	return n.admit(ctx, in, h)
}

// admit makes a member vote with the directory it has, in place of the one it had. That one goes first:
// it may have voted, and what it voted for is lost with it.
func (n *Node) admit(ctx context.Context, in *instance, h hello) error {
	id := serverID(h.Name, h.Birth)
	old, known := in.server(h.Name)
	switch {
	case known && old.ID == id && old.Suffrage == raft.Voter:
		return nil
	case known && old.ID != id:
		if err := n.changed(ctx, in, in.raft.RemoveServer(old.ID, 0, n.o.Timing.Election)); err != nil {
			return fmt.Errorf("remove %s with its lost directory: %w", h.Name, err)
		}
		n.log.Warn("a member came with another directory: the vote of the old one is over", "of", h.Name)
	}
	// Without a vote at first: nobody has to wait for what it lacks.
	if err := n.changed(ctx, in, in.raft.AddNonvoter(id, addressOf(id), 0, n.o.Timing.Election)); err != nil {
		return fmt.Errorf("add %s: %w", h.Name, err)
	}
	if err := n.caughtUp(ctx, in, h.Name); err != nil {
		return err
	}
	if err := n.changed(ctx, in, in.raft.AddVoter(id, addressOf(id), 0, n.o.Timing.Election)); err != nil {
		return fmt.Errorf("let %s vote: %w", h.Name, err)
	}
	n.log.Info("a member votes from now on", "of", h.Name)
	return nil
}

// caughtUp waits until a member has heard of the cluster.
func (n *Node) caughtUp(ctx context.Context, in *instance, name string) error {
	for {
		h, err := n.greet(ctx, name)
		if err == nil && !h.Empty {
			return nil
		}
		if !in.leads() {
			return fmt.Errorf("%w: %s leads no more", errAgain, n.o.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to have what it lacks: %w", name, ctx.Err())
		case <-time.After(n.o.Timing.step()):
		}
	}
}

// remove ends a member's vote.
func (n *Node) remove(ctx context.Context, in *instance, name string) error {
	s, ok := in.server(name)
	if !ok {
		return nil
	}
	voters := 0
	for _, o := range in.raft.GetConfiguration().Configuration().Servers {
		if o.Suffrage == raft.Voter && o.ID != s.ID {
			voters++
		}
	}
	if voters < 2 {
		return fmt.Errorf("%s is needed: %d would be left to vote", name, voters)
	}
	if name == n.o.Name {
		if err := n.handOn(ctx, in, "", WhyHandover); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s has handed on, and can go", errAgain, name)
	}
	return n.changed(ctx, in, in.raft.RemoveServer(s.ID, 0, n.o.Timing.Election))
}

// changed waits for a change of who votes.
func (n *Node) changed(ctx context.Context, in *instance, f raft.IndexFuture) error {
	err := in.wait(ctx, f, 4*n.o.Timing.Election)
	for _, passing := range []error{raft.ErrNotLeader, raft.ErrLeadershipLost, raft.ErrLeadershipTransferInProgress, raft.ErrEnqueueTimeout} {
		if errors.Is(err, passing) {
			return fmt.Errorf("%w: %w", errAgain, err)
		}
	}
	return err
}

// newcomer is a member that never heard of a cluster, and when it said so.
type newcomer struct {
	hello
	at time.Time
}

// hear answers who this member is, and remembers who asks.
func (n *Node) hear(from string, body []byte) []byte {
	in := n.instance()
	empty := in != nil && in.empty()
	var h hello
	if json.Unmarshal(body, &h) == nil && h.Name == from && h.Empty && !empty {
		n.mu.Lock()
		n.waiting[from] = newcomer{h, time.Now()}
		n.mu.Unlock()
	}
	return encodeJSON(hello{Name: n.o.Name, Birth: n.home.birth, Empty: empty})
}

// readmit puts members that came with another directory in their own place.
func (n *Node) readmit(in *instance) {
	n.mu.Lock()
	var next hello
	for name, c := range n.waiting {
		if s, ok := in.server(name); !ok || s.ID == serverID(name, c.Birth) || time.Since(c.at) > 4*n.o.Timing.Heartbeat {
			delete(n.waiting, name) // who does not vote is for an operator to add
			continue
		}
		next = c.hello
	}
	delete(n.waiting, next.Name)
	n.mu.Unlock()
	if next.Name == "" {
		return
	}
	n.background(func() {
		ctx, cancel := context.WithTimeout(in.ctx, 8*n.o.Timing.Election)
		defer cancel()
		if err := n.admit(ctx, in, next); err != nil {
			n.log.Warn("a member that came with another directory is not back", "of", next.Name, "error", err)
		}
	})
}

// seek looks for a cluster. The first of the members founds one, once all of them have said that they never
// heard of any: so it happens once, and a member that lost its directory founds nothing.
func (n *Node) seek(in *instance, now time.Time) {
	if n.busy || now.Sub(n.asked) < n.o.Timing.Heartbeat {
		return
	}
	n.asked = now
	n.background(func() {
		n.mu.Lock()
		members := n.o.Members
		n.mu.Unlock()
		conf := raft.Configuration{}
		blank := true
		for _, m := range members {
			h := hello{Name: n.o.Name, Birth: n.home.birth, Empty: true}
			if m.Name != n.o.Name {
				var err error
				if h, err = n.greet(in.ctx, m.Name); err != nil {
					blank = false
					continue
				}
			}
			blank = blank && h.Empty
			id := serverID(h.Name, h.Birth)
			conf.Servers = append(conf.Servers, raft.Server{ID: id, Address: addressOf(id)})
		}
		if !blank || members[0].Name != n.o.Name || !in.empty() {
			return
		}
		if err := in.raft.BootstrapCluster(conf).Error(); err != nil {
			n.log.Warn("the cluster was not founded", "error", err)
			return
		}
		n.log.Info("the cluster is founded", "members", len(conf.Servers))
	})
}
