package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// evil is a network peer that sends what it likes.
func (c *court) evil() *peer {
	p := c.open(core.Network, "evil").answers(0)
	p.handshake(c.head, c.head)
	return p
}

// twin is a vote with another signature: nodeos finds it a duplicate before it looks at the signature,
// if it has the genuine one, and closes its link over it, if it has not.
func twin(b blk, key byte, n int) []byte {
	f := voteFrame(b, key)
	f[len(f)-1], f[len(f)-2] = byte(n+1), byte((n+1)>>8)
	return f
}

// A hostile peer repeats every vote with a bad signature, a moment after the genuine one. The nodes that
// have the genuine one keep their links, so the bad one counts as proven; it is the newest by its key,
// and that is what the standby is released with: it closes its link over it, and produces nothing. The
// operator loses the rest of the round whenever the lead dies, for one peer that sends six votes a second.
func TestTwinVotesAreNotWhatReleasesTheStandby(t *testing.T) {
	c, first := settled(t, 0)
	evil := c.evil()
	c.before = func(p2pwire.Slot) {
		c.run(130 * time.Millisecond)
		for i := range c.voters {
			evil.send(twin(c.head, byte(50+i), 0))
		}
		evil.alive()
	}
	c.to(first + 3)
	c.run(300 * time.Millisecond)
	c.b.clear()
	c.die(c.a)
	good, bad := 0, 0
	for _, f := range c.b.frames(p2pwire.TypeVote) {
		if v, _ := p2pwire.ParseVote(f.Body()); v.Signature()[len(v.Signature())-1] == 0 {
			good++
		} else {
			bad++
		}
	}
	if bad > 0 || good == 0 {
		t.Errorf("the standby was released with %d genuine votes and %d with a bad signature", good, bad)
	}
}

// A hostile peer sends votes for a block that nobody has, by keys that nobody has: nodes put them aside,
// and keep their links. 128 of them push every genuine vote out of the reserve: when the lead dies there
// is nothing to release the standby with, and the rest of the round is lost.
func TestJunkVotesDoNotEmptyTheReserve(t *testing.T) {
	c, first := settled(t, 0)
	evil := c.evil()
	c.to(first + 3)
	nobody := makeBlock(c.head, first+3, otherName, savanna(c.head.id.Num()-1), mark(99))
	for j := range 3 {
		for i := range 128 {
			f := voteFrame(nobody, 200)
			f[p2pwire.PrefixLen+1+40], f[p2pwire.PrefixLen+1+41] = byte(i), byte(j)
			evil.send(f)
		}
		c.run(105 * time.Millisecond)
	}
	for _, n := range c.takeover().Nodes {
		t.Logf("%s %s %s: %d votes in reserve", n.Node, n.State, n.Why, n.ReserveVotes)
	}
	c.b.clear()
	c.die(c.a)
	good := 0
	for _, f := range c.b.frames(p2pwire.TypeVote) {
		if v, _ := p2pwire.ParseVote(f.Body()); v.FinalizerKey()[0] >= 50 && v.FinalizerKey()[0] < 53 {
			good++
		}
	}
	if good == 0 {
		t.Error("the standby was released with no genuine vote")
	}
}

// A hostile peer repeats the votes of our own finalizer with bad signatures: our key counts as a foreign
// one from then on. The relay says that our finalizer is silent, which is what makes an operator's hook
// switch the active finalizer key on chain, and n.voted and the drain's safety check go blind.
func TestTwinsOfOurVotesDoNotMakeOurFinalizerSilent(t *testing.T) {
	c, first := settled(t, 0)
	evil := c.evil()
	c.before = func(p2pwire.Slot) {
		c.run(130 * time.Millisecond)
		for i := range 10 {
			evil.send(twin(c.head, 1, i))
		}
		evil.alive()
	}
	c.to(first + courtPeriod)
	if e := c.event(core.EventAlarm, core.ReasonFinalizerSilent); e != nil {
		t.Errorf("our finalizer votes in every slot, and the alarm says: %s", e.Detail)
	}
}

// A network that gives no votes stops all our nodes in about 7 s. One hostile peer that sends a junk vote
// now and then keeps the alarm from being raised: the operator learns of it by the lost round.
func TestJunkVotesDoNotHideThatTheNetworkGivesNone(t *testing.T) {
	c, first := settled(t, 0)
	evil := c.evil()
	c.voters = 0
	c.before = func(slot p2pwire.Slot) {
		evil.send(voteFrame(makeBlock(c.head, slot, otherName, savanna(c.head.id.Num()-1), mark(99)), 200))
	}
	c.to(first + 12)
	if c.event(core.EventAlarm, core.ReasonNoVotes) == nil {
		t.Error("6 s without a vote that counts, and no alarm")
	}
}

// The same alarm is due in race mode: there, too, nodes stop without votes (the issue: "in any mode"), and
// the operator learns of it by the lost round. Nothing looks: the takeover has no timer there.
func TestRaceTellsThatTheNetworkGivesNoVotes(t *testing.T) {
	c := newCourt(t, 3, func(cfg *core.Config) { cfg.Takeover.Mode = core.TakeoverRace })
	c.to(base + courtPeriod - 1)
	c.voters = 0
	c.to(base + courtPeriod + 11)
	if c.event(core.EventAlarm, core.ReasonNoVotes) == nil {
		t.Error("6 s without a vote, and no alarm")
	}
}

// calls keeps what a driver asked of the producer APIs, and which nodes are paused by it.
type calls struct {
	log    []string
	paused map[string]bool
	fail   map[string]bool
}

func (c *court) answerCalls(k *calls) {
	for _, q := range c.c.ControlRequests(nil) {
		word := map[bool]string{true: "pause ", false: "resume "}[q.Pause]
		if q.Ask {
			word = "ask "
		}
		k.log = append(k.log, word+q.Node)
		var err error
		switch {
		case k.fail[q.Node]:
			err = errors.New("connection refused")
		case q.Ask:
			q.Pause = k.paused[q.Node]
		default:
			k.paused[q.Node] = q.Pause
		}
		c.c.ControlDone(c.now, q, err)
	}
}

func apiMode(cfg *core.Config) {
	cfg.Takeover.Mode = core.TakeoverAPI
	cfg.Nodes[0].API, cfg.Nodes[1].API = true, true
}

// A relay that starts pauses every node before it knows the lead: the one that is producing stops at
// once, for 0.7 to 3 s. A restart of the relay in the middle of our round costs up to six slots, where
// votes withheld for as long cost nothing. The issue: "never all paused".
func TestStartDoesNotPauseAllNodes(t *testing.T) {
	k := &calls{paused: map[string]bool{}}
	c := newCourt(t, 3, apiMode)
	for range 60 {
		c.answerCalls(k)
		if k.paused["a"] && k.paused["b"] {
			t.Fatalf("both nodes are paused: %s", strings.Join(k.log, ", "))
		}
		c.run(50 * time.Millisecond)
	}
}

// The standby's producer API has not answered for a while, which the relay knows (it is "not_ready"). The
// lead is 70 ms late once: the relay pauses it and resumes nobody. The lead alone would have made the slot.
func TestStandbyThatCannotBeResumedIsNotReleased(t *testing.T) {
	k := &calls{paused: map[string]bool{}, fail: map[string]bool{}}
	c := newCourt(t, 3, apiMode)
	c.before = func(p2pwire.Slot) { c.answerCalls(k) }
	c.to(base - 1)
	if c.state("b") != core.NodeArmed {
		t.Fatalf("B is %s", c.state("b"))
	}
	k.fail["b"] = true
	first := base + 3*courtPeriod
	c.to(first + 5)
	if c.state("b") != core.NodeNotReady || c.takeover().Lead != "a" {
		t.Fatalf("B is %s", c.state("b"))
	}
	c.until(first+6, early(first+6)-70*time.Millisecond)
	c.answerCalls(k)
	if k.paused["a"] {
		t.Errorf("A is paused, B cannot be resumed; the last calls: %s", strings.Join(k.log[len(k.log)-2:], ", "))
	}
}

// A node that was held before its process died is "armed" the moment it is back, although the new process
// produces for 7 s (the issue: held from its first vote on, while it may still produce). Operators drain
// and stop by that word, and a merely late lead is given up for a node on a branch of its own.
func TestRestartedNodeIsNotArmed(t *testing.T) {
	c, first := settled(t, 0)
	c.die(c.b)
	c.to(first + 20)
	c.b = c.open(core.Internal, "b").answers(0)
	c.b.handshake(c.head, c.head)
	c.to(first + 22)
	if s := c.state("b"); s != core.NodeArming {
		t.Errorf("1 s after it was started it is %s", s)
	}
}

// The lead's session ends 1.5 s before our run and the redial hangs, as it does when a container or its
// host goes away (no RST any more, only EHOSTUNREACH after seconds). The relay waits 2 s for it, into the
// run, and releases at slot 0's deadline at the earliest: the issue asks for 0 lost slots of a death
// before the run.
func TestLeadWhoseRedialHangsIsReplacedBeforeOurRun(t *testing.T) {
	c, first := settled(t, 3)
	c.run(50 * time.Millisecond)
	c.a.drop()
	c.lead = nil
	c.to(first - 1)
	c.until(first, early(first)+50*time.Millisecond)
	if s := c.takeover(); s.Lead != "b" {
		t.Errorf("50 ms before slot 0 is due %q leads, which left 1.9 s ago", s.Lead)
	}
}

// Two nodes that share one finalizer key sign the same bytes: the vote that comes second is dropped as a
// duplicate before it is noted who voted. A healthy lead whose votes come second "does not vote any
// more" from the first time on that it was faster for once: it is given up, a release and an alarm without
// need; and draining the other node can be refused because it seems to be the only one that votes.
func TestSecondOfTwoEqualVotesCounts(t *testing.T) {
	c := newCourt(t, 3, func(cfg *core.Config) {
		cfg.Takeover.Mode = core.TakeoverLeash
		cfg.Nodes = []core.NodeConfig{{Name: "a", Priority: 1}, {Name: "b"}, {Name: "f", Role: core.RoleVerifier}}
		cfg.FinalizerNode = "b"
	})
	f := c.f
	c.f = c.b // votes first
	c.before = func(slot p2pwire.Slot) {
		second := c.a
		if c.f == c.a {
			second = c.b
		}
		second.send(voteFrame(c.head, 1))
		if c.f = c.b; slot == base-8 {
			c.f = c.a // for once A is faster
		}
		f.alive()
	}
	c.to(base - 8)
	if c.takeover().Lead != "a" {
		t.Fatalf("%s leads", c.takeover().Lead)
	}
	if err := c.c.Drain(c.now, "b", false); err != nil {
		t.Errorf("A votes, too: %v", err)
	}
	if err := c.c.Undrain(c.now, "b"); err != nil {
		t.Fatal(err)
	}
	c.to(base + 12)
	if s := c.takeover(); s.Lead != "a" {
		e := c.event(core.EventLead, core.ReasonLeadUnfit)
		t.Errorf("%s leads: %v", s.Lead, e)
	}
}

// A host runs two processes that come by one configured name (a producer that is dialled, and another
// nodeos on the same host that connects by itself). Only the one that came last is held or freed: the
// producer keeps what it had. Here it goes on getting votes although its node is held.
func TestBothSessionsOfANodeAreHeld(t *testing.T) {
	c, first := settled(t, 0)
	id, err := c.c.Open(c.now, core.SessionInfo{Side: core.Internal, Name: "a", Remote: "10.0.0.2:50000"})
	if err != nil {
		t.Fatal(err)
	}
	second := &peer{r: c.rig, id: id, side: core.Internal, name: "a", nodeID: p2pwire.ID{0xaa, 0xee}}
	c.peers[id], c.order = second, append(c.order, second)
	second.answers(0).handshake(c.head, c.head)
	if err := c.c.SetLead(c.now, "b", false); err != nil {
		t.Fatal(err)
	}
	c.before = func(p2pwire.Slot) { second.alive() }
	c.to(first + 12)
	if c.takeover().Lead != "b" {
		t.Fatalf("%s leads", c.takeover().Lead)
	}
	c.lead = c.b
	c.a.clear()
	c.to(first + 30)
	if n := foreign(c.a); n > 0 {
		t.Errorf("the held node's first session got %d votes of foreign finalizers", n)
	}
}

// Nodes that come by themselves from a host that several share have no name: each connection is a new
// node, and none is forgotten. After 64 of them nobody who comes is held: an unnamed producer is given
// votes from its first second on and produces in our rounds.
func TestUnnamedNodesAreHeldForEver(t *testing.T) {
	c, first := settled(t, 0)
	open := func(i int) *peer {
		id, err := c.c.Open(c.now, core.SessionInfo{Side: core.Internal, Remote: fmt.Sprintf("10.0.0.9:%d", 40000+i)})
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{r: c.rig, id: id, side: core.Internal, nodeID: p2pwire.ID{0xab, byte(i)}}
		c.peers[id], c.order = p, append(c.order, p)
		p.answers(0).handshake(c.head, c.head)
		return p
	}
	for i := range 64 {
		open(i).drop()
	}
	t.Logf("%d nodes are known", len(c.takeover().Nodes))
	p := open(64)
	c.before = func(p2pwire.Slot) { p.alive() }
	c.to(first + 3)
	if n := foreign(p); n > 0 {
		t.Errorf("a node that does not lead got %d votes of foreign finalizers", n)
	}
}

// The lead has a second way to the world, a peer that somebody forgot: it passes on what the foreign
// finalizers vote before the network does. Their keys count as ours from then on, since our own votes come
// the same way, and flow to the held node, until that makes a block although it should be quiet: from then
// on it gets nobody's votes.
func TestForeignVotesThroughTheLeadDoNotFreeAHeldNode(t *testing.T) {
	c := newCourt(t, 0, func(cfg *core.Config) { cfg.Takeover.Mode = core.TakeoverLeash })
	c.before = func(p2pwire.Slot) {
		for i := range 3 {
			c.a.send(voteFrame(c.head, byte(50+i)))
			c.n.send(voteFrame(c.head, byte(50+i)))
		}
	}
	c.to(base + courtPeriod + 2)
	prev := c.head
	c.to(base + courtPeriod + 3)
	c.b.send(makeBlock(prev, base+courtPeriod+3, ourName, savanna(prev.id.Num()-1), mark(200)).frame)
	c.b.clear()
	c.to(base + 2*courtPeriod)
	if n := foreign(c.b); n > 0 {
		t.Errorf("the held node got %d votes of foreign finalizers", n)
	}
}

// Foreign finalizers count for ever once they were heard. When all but one are gone, auto still says that
// three are heard and keeps the leash, under which one restart of that one stops the lead.
func TestForeignersThatLeftDoNotCount(t *testing.T) {
	c, first := settled(t, 0)
	c.voters = 1
	c.to(first + 3*courtPeriod)
	if s := c.takeover(); strings.Contains(s.Why, "3 foreign finalizers") || s.Mode != core.TakeoverRace {
		t.Errorf("54 s with one foreign finalizer: %s, %s", s.Mode, s.Why)
	}
}

// Without a finalizer node every node is held when the relay starts, so that no vote has a canary and none
// is counted: after 3 s auto finds no foreign finalizer, frees all nodes, and finds the leash a moment
// later. At every start of the relay both nodes produce for 7 s and more.
func TestAutoWithoutFinalizerNodeDoesNotBeginWithARace(t *testing.T) {
	c := newCourt(t, 3, func(cfg *core.Config) {
		cfg.Nodes = []core.NodeConfig{{Name: "a", Priority: 1}, {Name: "b"}, {Name: "f"}}
	})
	c.to(base - 20)
	for _, e := range c.events {
		if e.Kind == core.EventTakeover {
			t.Logf("%s", e.Detail)
			if strings.HasPrefix(e.Detail, "race") {
				t.Error("all nodes were freed at the start")
			}
		}
	}
}

// An operator asks for B to lead, B dies before it comes to that, and A is to be drained for maintenance:
// accepted, C is armed, and A goes on leading for ever, since the wish for B stands before the drain.
func TestDrainIsCarriedOutThoughAnotherWishCannotBe(t *testing.T) {
	c := newCourt(t, 3, func(cfg *core.Config) {
		cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: "c", Role: core.RoleProducer, Priority: -1})
	})
	x := c.open(core.Internal, "c").answers(0)
	x.handshake(c.head, c.head)
	c.before = func(p2pwire.Slot) { x.alive() }
	first := base + 3*courtPeriod
	c.to(first + 3)
	if err := c.c.SetLead(c.now, "b", false); err != nil {
		t.Fatal(err)
	}
	c.die(c.b)
	if err := c.c.Drain(c.now, "a", false); err != nil {
		t.Fatal(err)
	}
	c.to(first + courtPeriod + 13)
	if s := c.takeover(); s.Lead != "c" {
		t.Errorf("a whole cycle later %s leads; C is %s", s.Lead, c.state("c"))
	}
}

// inRound is a court whose relay is started in the middle of our round: B is making it, and A, which is
// held and has the higher priority, is not. What B made so far is public.
func inRound(t *testing.T, made int, change ...func(*core.Config)) *court {
	c := &court{voters: 3}
	d := time.Duration(made)*p2pwire.SlotDuration - 400*time.Millisecond
	c.rig = newRig(t, -d, func(cfg *core.Config) {
		cfg.Takeover.Mode = core.TakeoverLeash
		cfg.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
		cfg.Nodes = []core.NodeConfig{
			{Name: "a", Role: core.RoleProducer, Priority: 1}, {Name: "b", Role: core.RoleProducer}, {Name: "f", Role: core.RoleFinalizer},
		}
		for _, f := range change {
			f(cfg)
		}
	})
	chain := []blk{makeBlock(genesis(100), base-2, otherName, savanna(99))}
	chain = append(chain, makeBlock(chain[0], base-1, otherName, savanna(100)))
	for i := range made {
		c.head = makeBlock(chain[len(chain)-1], base+p2pwire.Slot(i), ourName, savanna(chain[len(chain)-1].id.Num()-1), mark(byte(i)))
		chain = append(chain, c.head)
	}
	c.n = c.open(core.Network, "net1").answers(0)
	c.n.handshake(chain[0], c.head)
	for _, b := range chain[1:] {
		c.n.send(b.frame)
	}
	node := func(name string) *peer {
		p := c.open(core.Internal, name).answers(0)
		p.handshake(chain[0], c.head)
		return p
	}
	c.a, c.b, c.f = node("a"), node("b"), node("f")
	c.lead = c.b
	return c
}

// The relay is restarted while B makes our round. B leads, and A must stay quiet: votes for A make it
// sign siblings of B's blocks in the middle of the round.
func TestRestartInOurRoundKeepsTheLead(t *testing.T) {
	c := inRound(t, 4)
	c.to(base + 11)
	if n := foreign(c.a); n > 0 {
		t.Errorf("A got %d votes of foreign finalizers", n)
	}
	if s := c.takeover(); s.Lead != "b" {
		t.Errorf("%s leads", s.Lead)
	}
	if got := len(c.n.blocks()); got != 8 {
		t.Errorf("the network got %d of B's 8 blocks", got)
	}
}

// Race, with the votes of B, finalizer_node, and one key on both nodes. A's lineage wins, B votes for its
// own. Behind our round both vote for the same blocks in the same bytes: B's first vote is thrown away
// for parity's sake, and A's because it was B's turn. Our finalizer misses a block behind every round.
func TestParityDoesNotSilenceTheOtherNode(t *testing.T) {
	r, n, a, b, head := warmWith(t, func(cfg *core.Config) { cfg.FinalizerNode = "b" }, 1, savanna(90))
	prev, other := head, head
	for i := range p2pwire.Slot(4) {
		slot := base + i
		r.until(slot, early(slot))
		prev = makeBlock(prev, slot, ourName, savanna(90), mark(1))
		other = makeBlock(other, slot, ourName, savanna(90), mark(2))
		a.send(prev.frame, voteFrame(prev, 1))
		b.send(other.frame, voteFrame(other, 1))
	}
	r.until(base+12, 300*time.Millisecond)
	for i := range p2pwire.Slot(4) {
		slot := base + 12 + i
		r.until(slot, 300*time.Millisecond)
		prev = makeBlock(prev, slot, otherName, savanna(90))
		n.send(prev.frame)
		r.run(150 * time.Millisecond)
		n.clear()
		b.send(voteFrame(prev, 1))
		a.send(voteFrame(prev, 1))
		if len(n.votes()) != 1 {
			t.Errorf("block %d behind our round: %d votes left, though both nodes gave the same one", i, len(n.votes()))
		}
	}
}

// A node on a branch of its own loses its link for a moment: what is known of its votes goes with the
// session, and its first vote for a public block leaves at once, though the rule asks for two.
func TestParityOutlivesAReconnect(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	r.until(base, early(base))
	x := makeBlock(head, base, ourName, savanna(90), mark(1))
	y := makeBlock(head, base, ourName, savanna(90), mark(2))
	a.send(x.frame, voteFrame(x, 1))
	b.send(y.frame, voteFrame(y, 1))
	a.drop()
	b.drop()
	b = b.again(head, head)
	r.until(base+12, 300*time.Millisecond)
	z := makeBlock(x, base+12, otherName, savanna(90))
	n.send(z.frame)
	r.run(150 * time.Millisecond)
	n.clear()
	b.send(voteFrame(z, 1))
	if len(n.votes()) != 0 {
		t.Error("the first vote behind its own branch left")
	}
}
