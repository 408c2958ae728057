package core_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// court is a rig with two producing nodes, A preferred, a finalizer node of ours, a network peer, and a
// Savanna chain whose schedule is our round and two of others: 18 s. Foreign finalizers have the keys
// 50, 51, ..., ours has 1.
type court struct {
	*rig
	n, a, b, f *peer
	head       blk
	voters     int
	lead       *peer // who makes our blocks
	full       bool  // our blocks leave 300 ms before they are due
	voteLast   bool  // our finalizer's vote comes 50 ms behind those of the others
	before     func(slot p2pwire.Slot)
	others     func(slot p2pwire.Slot) p2pwire.Name // who has a foreign slot; 0 or nil: by the schedule
}

var thirdName = name("bpgamma")

const courtPeriod = 3 * p2pwire.RoundSlots

func newCourt(t *testing.T, voters int, change ...func(*core.Config)) *court {
	c := &court{voters: voters}
	c.rig = newRig(t, 20*time.Second, func(cfg *core.Config) {
		cfg.Takeover.Mode = core.TakeoverAuto
		cfg.Nodes = []core.NodeConfig{
			{Name: "a", Role: core.RoleProducer, Priority: 1}, {Name: "b", Role: core.RoleProducer}, {Name: "f", Role: core.RoleFinalizer},
		}
		for _, f := range change {
			f(cfg)
		}
	})
	c.n = c.open(core.Network, "net1").answers(0)
	start := base - 39
	root := makeBlock(genesis(100), start-2, otherName, savanna(99))
	c.head = makeBlock(root, start-1, otherName, savanna(100))
	c.n.handshake(root, c.head)
	c.n.send(c.head.frame)
	node := func(name string) *peer {
		p := c.open(core.Internal, name).answers(0)
		p.handshake(c.head, c.head)
		return p
	}
	c.a, c.b, c.f = node("a"), node("b"), node("f")
	c.lead = c.a
	return c
}

// ours tells whose a slot is.
func (c *court) ours(slot p2pwire.Slot) bool {
	return (slot-base+10*courtPeriod)%courtPeriod < p2pwire.RoundSlots
}

// to plays the chain up to and including a slot: each block comes when it is due, and the votes for it
// 10 ms later.
func (c *court) to(last p2pwire.Slot) {
	for slot := c.head.slot + 1; slot <= last; slot++ {
		if c.before != nil {
			c.before(slot)
		}
		due := early(slot)
		if c.full && c.ours(slot) {
			due += 300 * time.Millisecond
		}
		c.until(slot, due)
		if c.ours(slot) && !(c.others != nil && c.others(slot) != 0) {
			if c.lead == nil || c.lead.gone {
				continue
			}
			c.head = makeBlock(c.head, slot, ourName, savanna(c.head.id.Num()-1), mark(byte(slot)))
			c.lead.send(c.head.frame)
		} else {
			other := otherName
			if (slot-base+10*courtPeriod)%courtPeriod >= 2*p2pwire.RoundSlots {
				other = thirdName
			}
			if c.others != nil && c.others(slot) != 0 {
				other = c.others(slot)
			}
			c.head = makeBlock(c.head, slot, other, savanna(c.head.id.Num()-1), mark(byte(slot)))
			c.n.send(c.head.frame)
		}
		c.run(10 * time.Millisecond)
		if !c.voteLast {
			c.f.send(voteFrame(c.head, 1))
		}
		for i := range c.voters {
			c.n.send(voteFrame(c.head, byte(50+i)))
		}
		if c.voteLast {
			c.run(50 * time.Millisecond)
			c.f.send(voteFrame(c.head, 1))
		}
		c.n.alive()
		for _, p := range []*peer{c.a, c.b, c.f} {
			if !p.gone {
				p.alive()
			}
		}
	}
}

// foreign counts the votes of foreign finalizers a node got.
func foreign(p *peer) (n int) {
	for _, f := range p.frames(p2pwire.TypeVote) {
		if v, _ := p2pwire.ParseVote(f.Body()); v.FinalizerKey()[0] != 1 {
			n++
		}
	}
	return n
}

func (c *court) takeover() core.TakeoverStatus { return c.c.Snapshot(c.now).Takeover }

func (c *court) state(node string) core.NodeState {
	for _, n := range c.takeover().Nodes {
		if n.Node == node {
			return n.State
		}
	}
	return ""
}

// settled is a court in which B is armed and the schedule known: the next slot is base + 3 periods,
// our first slot of a round, less lead slots.
func settled(t *testing.T, before int, change ...func(*core.Config)) (*court, p2pwire.Slot) {
	t.Helper()
	c := newCourt(t, 3, change...)
	first := base + 3*courtPeriod
	c.to(first - 1 - p2pwire.Slot(before))
	if s := c.takeover(); s.Mode != core.TakeoverLeash || s.Lead != "a" || c.state("b") != core.NodeArmed {
		t.Fatalf("not settled: %+v", s)
	}
	for _, p := range []*peer{c.n, c.a, c.b, c.f} {
		p.clear()
	}
	return c, first
}

func TestHeldNodeGetsEverythingButForeignVotes(t *testing.T) {
	c := newCourt(t, 3)
	c.to(base - 39)
	if foreign(c.a)+foreign(c.b) != 0 {
		t.Fatal("a node got votes before the lead was known")
	}
	first := base + 2*courtPeriod
	c.to(first + 20)
	if got := foreign(c.b); got != 0 {
		t.Errorf("the held node got %d votes of foreign finalizers", got)
	}
	if len(c.b.votes()) < 90 {
		t.Errorf("the held node got only %d votes of our own finalizer", len(c.b.votes()))
	}
	if foreign(c.a) < 3*90 || foreign(c.f) < 3*90 {
		t.Errorf("the lead got %d, the finalizer %d votes of foreign finalizers", foreign(c.a), foreign(c.f))
	}
	if a, b := len(c.a.blocks())+3*12, len(c.b.blocks()); b < a-13 {
		t.Errorf("the held node got %d blocks, and there were %d", b, a)
	}
	if e := c.event(core.EventLead, core.ReasonLeadChosen); e == nil || e.Node != "a" {
		t.Errorf("lead: %v", e)
	}
}

func TestHeldNodeIsKeptOneBlockBehindInOurRun(t *testing.T) {
	c, first := settled(t, 4)
	var blocks []blk
	for slot := first - 4; slot < first+13; slot++ {
		c.to(slot)
		blocks = append(blocks, c.head)
		got := c.b.blocks()
		behind := 0
		if len(got) == 0 || got[len(got)-1] != c.head.id {
			behind = 1
		}
		// The last three slots before our run are held back, ours but the last, and no other.
		want := 0
		if slot >= first-3 && slot < first+11 {
			want = 1
		}
		if behind != want {
			t.Errorf("index %d of our round: %d blocks behind, want %d", int(slot)-int(first), behind, want)
		}
	}
	c.b.want(blocks...)
}

func TestHeldBackBlockIsGivenWhenNoneFollows(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	c.lead = nil
	c.b.clear()
	c.until(first+4, -99*time.Millisecond)
	c.run(2 * time.Millisecond)
	// By then B was released, for want of the lead's next block; that is how it got it.
	c.b.want(c.head)
}

// die makes a node's process die: its link breaks, and it cannot be dialled.
func (c *court) die(p *peer) {
	p.drop()
	c.c.DialFailed(c.now, core.Internal, p.name, errors.New("connection refused"))
	c.pump()
}

func TestDeadLeadReleasesAStandbyAtOnce(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	c.run(100 * time.Millisecond)
	tip := c.head
	c.b.clear()
	c.die(c.a)
	if e := c.event(core.EventLead, core.ReasonLeadGone); e == nil || e.Node != "b" || e.Detail != "a" {
		t.Fatalf("lead: %v", e)
	}
	votes := c.b.votes()
	if len(votes) == 0 || len(votes) > 4 {
		t.Fatalf("%d votes at the release", len(votes))
	}
	keys := map[byte]bool{}
	for _, f := range c.b.frames(p2pwire.TypeVote) {
		v, _ := p2pwire.ParseVote(f.Body())
		if keys[v.FinalizerKey()[0]] || v.BlockID == tip.id || v.BlockID.Num()+2 < tip.id.Num() {
			t.Errorf("vote by %d for block %d", v.FinalizerKey()[0], v.BlockID.Num())
		}
		keys[v.FinalizerKey()[0]] = true
	}
	c.run(9 * time.Millisecond)
	if len(c.b.blocks()) != 0 {
		t.Fatal("the block came before the votes can have been processed")
	}
	c.run(2 * time.Millisecond)
	c.b.want(tip)
	// From here on B leads, and gets every vote.
	c.lead = c.b
	c.b.clear()
	c.n.clear()
	c.to(first + 11)
	if got := len(c.n.blocks()); got != 8 {
		t.Errorf("the network got %d blocks of the rest of our round", got)
	}
	if foreign(c.b) < 3*7 {
		t.Errorf("the new lead got %d votes", foreign(c.b))
	}
	// The old lead comes back, and is held.
	a := c.open(core.Internal, "a").answers(0)
	a.handshake(c.head, c.head)
	c.a = a
	c.to(first + 20)
	if foreign(a) != 0 || c.takeover().Lead != "b" {
		t.Errorf("the old lead got %d votes; %s leads", foreign(a), c.takeover().Lead)
	}
}

// A standby that was given a block this moment may not have applied it: freed now it would produce on that
// one, and not on the one it is kept behind.
func TestReleaseWaitsUntilTheLastBlockIsApplied(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	tip := c.head
	c.b.clear()
	c.die(c.a) // 10 ms behind its last block
	c.run(45 * time.Millisecond)
	if foreign(c.b) != 0 || len(c.b.blocks()) != 0 {
		t.Fatal("released too early")
	}
	c.run(10 * time.Millisecond)
	if foreign(c.b) == 0 || len(c.b.blocks()) != 0 {
		t.Fatal("no votes, or the block with them")
	}
	c.run(10 * time.Millisecond)
	c.b.want(tip)
}

// A lead that is suspended keeps its link. The node that was released instead of it begins on the wrong
// block: it is another one's turn then, not that of the one that made the right block and hangs.
func TestHungLeadIsNotMadeToLeadAgain(t *testing.T) {
	c, first := settled(t, 0, func(cfg *core.Config) {
		cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: "d", Role: core.RoleProducer, Priority: -1})
	})
	d := c.open(core.Internal, "d").answers(0)
	d.handshake(c.head, c.head)
	c.before = func(p2pwire.Slot) { d.alive() }
	first += courtPeriod
	c.to(first + 3)
	parent := c.head
	c.to(first + 4)
	c.lead, c.a.clock, c.a.gone = nil, nil, true
	c.until(first+5, early(first+5)-70*time.Millisecond)
	if c.takeover().Lead != "b" {
		t.Fatalf("%s leads", c.takeover().Lead)
	}
	c.b.send(makeBlock(parent, first+5, ourName, savanna(parent.id.Num()-1), mark(77)).frame)
	if s := c.takeover(); s.Lead != "d" {
		t.Errorf("%s leads", s.Lead)
	}
}

// A node that is freed looks by itself at the next slot's timestamp. If the block it is kept behind cannot
// be there before, it is freed behind it.
func TestReleaseDoesNotStraddleASlot(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	c.until(first+3, 19*time.Millisecond)
	c.b.clear()
	c.die(c.a)
	c.until(first+3, -9*time.Millisecond)
	if foreign(c.b) != 0 {
		t.Error("it was freed before the timestamp")
	}
	c.until(first+3, -11*time.Millisecond)
	if foreign(c.b) == 0 || len(c.b.blocks()) != 0 {
		t.Error("it was not freed behind the timestamp")
	}
	c.until(first+3, -21*time.Millisecond)
	c.b.want(c.head)
}

// A link that breaks is no death: the lead is dialled at once, and goes on.
func TestBrokenLinkReleasesNobody(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 3)
	c.run(100 * time.Millisecond)
	id := c.a.nodeID
	c.a.drop()
	c.a = c.open(core.Internal, "a").answers(0)
	c.a.nodeID = id
	c.a.handshake(c.head, c.head)
	c.lead = c.a
	c.n.clear()
	c.to(first + 11)
	if s := c.takeover(); s.Lead != "a" || s.Releases != 0 || len(c.n.blocks()) != 8 || foreign(c.b) != 0 {
		t.Errorf("%s leads, %d releases, %d blocks out, %d votes leaked", s.Lead, s.Releases, len(c.n.blocks()), foreign(c.b))
	}
}

func TestLateLeadIsReplacedInTime(t *testing.T) {
	for _, index := range []p2pwire.Slot{0, 1, 2, 6, 11} {
		c, first := settled(t, 0)
		c.to(first + index - 1)
		c.lead = nil
		slot := first + index
		due := early(slot)
		// 60 ms behind its due time, or what is left of its window when the release is taken off: with some room
		// before the timestamp where there is any.
		grace := min(60*time.Millisecond, due-32*time.Millisecond)
		if index == 0 {
			grace = due - 25*time.Millisecond
		}
		c.until(slot, due-grace+time.Millisecond)
		if c.takeover().Releases != 0 {
			t.Errorf("index %d: released too early", index)
		}
		c.run(2 * time.Millisecond)
		if s := c.takeover(); s.Releases != 1 || s.Lead != "b" {
			t.Errorf("index %d: %d releases, %s leads", index, s.Releases, s.Lead)
		}
		if e := c.event(core.EventLead, core.ReasonLeadLate); e == nil {
			t.Errorf("index %d: no reason", index)
		}
	}
}

// Where blocks vary so much that the first one is waited for beyond its timestamp, the node is released
// then, and not only when the second one is late as well: that would cost both.
func TestLateFirstBlockIsWaitedForBeyondItsTimestamp(t *testing.T) {
	c := newCourt(t, 3)
	first := base + 3*courtPeriod
	c.before = func(slot p2pwire.Slot) {
		if slot == first-courtPeriod+11 {
			c.until(slot, early(slot)-20*time.Millisecond)
		}
	}
	c.to(first - 1)
	c.lead = nil
	c.until(first, early(first)-59*time.Millisecond)
	if s := c.takeover(); s.Releases != 0 || c.state("b") != core.NodeArmed {
		t.Fatalf("before 60 ms were over: %+v", s)
	}
	c.run(2 * time.Millisecond)
	if s := c.takeover(); s.Releases != 1 || s.Lead != "b" {
		t.Errorf("%d releases, %s leads", s.Releases, s.Lead)
	}
	// That slot is lost, B has to make the next one, and is not given up over the one that is.
	c.run(300 * time.Millisecond)
	if s := c.takeover(); s.Releases != 1 || s.Lead != "b" {
		t.Errorf("%d releases, %s leads", s.Releases, s.Lead)
	}
}

// Blocks that are full leave long before they are due. One that is not, in the round after, is not late.
func TestBlockThatIsNotFullIsNotLate(t *testing.T) {
	c := newCourt(t, 3)
	first := base + 3*courtPeriod
	c.full = true
	c.to(first - 2)
	c.full = false
	c.to(first + 11)
	if s := c.takeover(); s.Releases != 0 || s.Lead != "a" || s.Mode != core.TakeoverLeash {
		t.Errorf("%+v", s)
	}
	// One that does not come is still noticed in time.
	c.to(first + courtPeriod - 1)
	c.lead = nil
	c.until(first+courtPeriod, 24*time.Millisecond)
	if s := c.takeover(); s.Releases != 1 || s.Lead != "b" {
		t.Errorf("%d releases, %s leads", s.Releases, s.Lead)
	}
}

// lazyClaims approves at once, or when the test says so.
type lazyClaims struct {
	slowClaims
	slow bool
}

func (l *lazyClaims) Claim(now core.Instant, cl core.Claim) core.Verdict {
	if !l.slow {
		return core.Approved
	}
	return l.slowClaims.Claim(now, cl)
}

// The same while claims take their time to be written: what the two nodes go on to make is judged before the
// slot is anybody's.
func TestSlowLeadThatWinsWhileAClaimIsWritten(t *testing.T) {
	for _, second := range []bool{false, true} { // the sibling comes when the claim is decided
		l := &lazyClaims{}
		c, first := settled(t, 0, func(cfg *core.Config) { cfg.Claimer = l })
		l.r = c.rig
		c.to(first + 5)
		slot := first + 6
		c.until(slot, early(slot)-70*time.Millisecond)
		if c.takeover().Lead != "b" {
			t.Fatal("B was not released")
		}
		l.slow = true
		x := makeBlock(c.head, slot, ourName, savanna(c.head.id.Num()-1))
		sibling := makeBlock(c.head, slot, ourName, savanna(c.head.id.Num()-1), mark(9))
		c.a.send(x.frame)
		if second {
			l.decide(core.Approved)
		}
		c.b.send(sibling.frame)
		if !second {
			l.decide(core.Approved)
		}
		if s := c.takeover(); s.Lead != "a" {
			t.Errorf("%t: %s leads", second, s.Lead)
		}
	}
}

// The block of a lead that was given up comes after all, before its successor's: it has the slot, and
// goes on leading.
func TestSlowLeadThatWinsGoesOn(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 5)
	slot := first + 6
	c.until(slot, early(slot)-70*time.Millisecond)
	if c.takeover().Lead != "b" {
		t.Fatal("B was not released")
	}
	prev := c.head
	c.head = makeBlock(prev, slot, ourName, savanna(prev.id.Num()-1))
	c.n.clear()
	c.a.send(c.head.frame)
	sibling := makeBlock(prev, slot, ourName, savanna(prev.id.Num()-1), mark(9))
	c.b.send(sibling.frame)
	c.n.want(c.head)
	if s := c.takeover(); s.Lead != "a" {
		t.Errorf("%s leads", s.Lead)
	}
	if c.withheld(core.ReasonSlotTaken) != 1 {
		t.Error("the sibling was not withheld")
	}
	c.to(first + 11)
	if len(c.n.blocks()) != 6 {
		t.Errorf("the network got %d blocks of the rest", len(c.n.blocks()))
	}
}

func TestDeadLeadIsReplacedBeforeOurRun(t *testing.T) {
	c, first := settled(t, 5)
	c.die(c.a)
	c.run(time.Millisecond)
	if c.takeover().Lead != "b" {
		t.Fatal("nobody was made to lead")
	}
	c.lead = c.b
	c.to(first + 11)
	if foreign(c.b) == 0 {
		t.Error("the new lead got no votes")
	}
}

// A lead that is suspended keeps its link, and answers nothing.
func TestHungLeadIsReplacedBeforeOurRun(t *testing.T) {
	c, first := settled(t, 5)
	c.a.clock = nil
	c.a.gone = true // says nothing more
	c.to(first - 1)
	if s := c.takeover(); s.Lead != "b" {
		t.Errorf("%s leads: %+v", s.Lead, s)
	}
	if c.event(core.EventLead, core.ReasonLeadUnfit) == nil {
		t.Error("no reason")
	}
}

// A lead whose chain thread is stuck answers time messages as before, and applies nothing.
func TestLeadThatAppliesNothingIsReplacedBeforeOurRun(t *testing.T) {
	for _, asked := range []bool{true, false} { // it answered such a question before, or not: then silence means nothing
		c := newCourt(t, 3)
		head := func() blk { return c.head }
		if c.b.at = head; asked {
			c.a.at = head
		}
		first := base + 3*courtPeriod
		c.to(first - 8)
		if asked {
			stuck := c.head
			c.a.at = func() blk { return stuck }
		}
		c.a.clear()
		c.to(first - 1)
		if n := len(c.a.frames(p2pwire.TypeRequest)); n == 0 || n > 8 {
			t.Errorf("asked %d times in 3 s", n)
		}
		want := map[bool]string{true: "b", false: "a"}[asked]
		if s := c.takeover(); s.Lead != want || (c.event(core.EventLead, core.ReasonLeadUnfit) != nil) != asked {
			t.Errorf("%s leads, want %s: %+v", s.Lead, want, s)
		}
		if !asked {
			continue
		}
		// It comes to again, and could be released: nothing speaks against it any more.
		c.lead = c.b
		c.a.at = head
		c.to(first + 2*courtPeriod - 1)
		c.b.clock, c.b.gone, c.lead = nil, true, nil
		c.run(silent + 150*time.Millisecond)
		if s := c.takeover(); s.Lead != "a" {
			t.Errorf("%s leads after the other one hung, too: %+v", s.Lead, s)
		}
	}
}

// While nobody applies anything, nothing is better about the others.
func TestNobodyAppliesAnything(t *testing.T) {
	c := newCourt(t, 3)
	stuck := blk{}
	head := func() blk {
		if stuck.frame != nil {
			return stuck
		}
		return c.head
	}
	c.a.at, c.b.at = head, head
	first := base + 3*courtPeriod
	c.to(first - 8)
	stuck = c.head
	c.to(first - 1)
	if s := c.takeover(); s.Lead != "a" {
		t.Errorf("%s leads: %+v", s.Lead, s)
	}
}

// When it is too late for that, it is as soon as that shows, and not when its first block is late.
func TestHungLeadIsReplacedWithinOurRun(t *testing.T) {
	c, first := settled(t, 1)
	c.to(first - 1)
	c.a.clock, c.a.gone = nil, true
	c.lead = nil
	c.run(silent + 150*time.Millisecond)
	if s := c.takeover(); s.Lead != "b" || c.event(core.EventLead, core.ReasonLeadHung) == nil || c.now.Wall > first.Time()-int64(300*time.Millisecond) {
		t.Errorf("%s leads: %+v", s.Lead, s)
	}
}

// silent is how long a node answers nothing until it counts as hung.
const silent = 400 * time.Millisecond

// The relay itself was stopped: nobody has answered it for long, and nobody is to blame.
func TestStoppedRelayTakesNobodyForHung(t *testing.T) {
	for _, slots := range []int{1, 3} { // on the eve of our run, or before it
		c, first := settled(t, slots)
		c.to(first - p2pwire.Slot(slots))
		nodes := []*peer{c.b, c.a, c.f}
		asked := func() (n int) {
			for _, p := range nodes {
				n += len(p.frames(p2pwire.TypeTime))
			}
			return n
		}
		for _, p := range nodes {
			p.clock = nil
			p.clear()
		}
		for range 20 {
			if c.run(10 * time.Millisecond); asked() >= len(nodes) {
				break
			}
		}
		c.now.Mono += 600 * time.Millisecond
		c.now.Wall += int64(600 * time.Millisecond)
		for _, p := range nodes { // what they said meanwhile is read, the lead's not first
			p.answers(0)
			for _, f := range p.frames(p2pwire.TypeTime) {
				p.tell(f)
			}
			c.c.Tick(c.now)
			c.pump()
		}
		c.run(50 * time.Millisecond)
		if s := c.takeover(); s.Lead != "a" {
			t.Errorf("%d slots before: %s leads: %+v", slots, s.Lead, s)
		}
	}
}

// A chain with one producer becomes one with three: what was learned of its schedule is of no use, and
// nobody is released because a round that is not ours brings no block of ours.
func TestScheduleThatChanges(t *testing.T) {
	c := newCourt(t, 3)
	alone := true
	c.others = func(slot p2pwire.Slot) p2pwire.Name {
		if alone {
			return otherName
		}
		return p2pwire.Name(0)
	}
	c.to(base - 1) // three rounds of one producer
	alone = false
	c.before = func(slot p2pwire.Slot) {
		if slot == base+p2pwire.RoundSlots {
			c.until(slot, early(slot)-30*time.Millisecond) // the next producer is a little late
		}
	}
	c.to(base + 2*courtPeriod - 1)
	if s := c.takeover(); s.Releases != 0 || s.LeadChanges != 0 {
		t.Errorf("%d releases, %d changes of the lead", s.Releases, s.LeadChanges)
	}
}

func TestDrainAndLead(t *testing.T) {
	c, first := settled(t, 0)
	c.to(first + 2)
	refuse := func(err, want error, words string) {
		t.Helper()
		if !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %v with %q", err, want, words)
		}
	}
	refuse(c.c.Drain(c.now, "x", false), core.ErrNoSuchNode, `"x"`)
	refuse(c.c.Drain(c.now, "f", false), core.ErrUnsafe, "only node that votes")
	refuse(c.c.SetLead(c.now, "f", true), core.ErrNotPossible, "finalizer")
	if err := c.c.Drain(c.now, "a", false); err != nil {
		t.Fatal(err)
	}
	c.to(first + 11)
	if c.takeover().Lead != "a" || c.takeover().LeadChanges != 0 {
		t.Fatal("the lead changed in the middle of our run")
	}
	refuse(c.c.Drain(c.now, "b", false), core.ErrUnsafe, "a drained")
	refuse(c.c.SetLead(c.now, "a", false), core.ErrUnsafe, "drained")
	c.to(first + 13)
	if c.takeover().Lead != "b" || c.event(core.EventLead, core.ReasonLeadDrained) == nil {
		t.Fatalf("after the run %+v", c.takeover())
	}
	c.to(first + 30)
	if c.state("a") != core.NodeArmed {
		t.Errorf("the drained node is %s", c.state("a"))
	}
	if err := c.c.Undrain(c.now, "a"); err != nil {
		t.Fatal(err)
	}
	if err := c.c.SetLead(c.now, "a", false); err != nil {
		t.Fatal(err)
	}
	c.lead = c.b
	c.to(first + courtPeriod + 11)
	if c.takeover().Lead != "b" {
		t.Error("the lead changed too shortly before our run")
	}
	c.to(first + courtPeriod + 13)
	if c.takeover().Lead != "a" {
		t.Errorf("%s leads", c.takeover().Lead)
	}
}

func TestNodeThatCannotBeHeld(t *testing.T) {
	c, first := settled(t, 0)
	for round := range 3 {
		f := first + p2pwire.Slot(round)*courtPeriod
		var prev blk
		c.before = func(slot p2pwire.Slot) {
			if slot == f+4 {
				prev = c.head
			}
			if slot == f+5 {
				c.b.send(makeBlock(prev, slot-1, ourName, savanna(prev.id.Num()-1), mark(200)).frame)
			}
		}
		c.to(f + 20)
	}
	if c.event(core.EventAlarm, core.ReasonCannotHold) == nil {
		t.Error("no alarm")
	}
	if s := c.takeover(); s.Mode != core.TakeoverRace || !strings.Contains(s.Why, "b goes on producing without votes") {
		t.Errorf("with nobody left to hold: %s, %s", s.Mode, s.Why)
	}
}

func TestAutoSaysWhy(t *testing.T) {
	for _, x := range []struct {
		name   string
		voters int
		change func(*core.Config)
		mode   core.Takeover
		why    string
	}{
		{"leash", 2, nil, core.TakeoverLeash, "2 foreign finalizers"},
		{"one voter", 1, nil, core.TakeoverRace, "1 foreign finalizers were heard, 2 are needed"},
		{"one producing node", 3, func(cfg *core.Config) { cfg.Nodes[1].Role = core.RoleVerifier }, core.TakeoverRace, "only one producing node"},
		{"rounds too close", 3, func(cfg *core.Config) { cfg.Takeover.VoteTimeout = 20 * time.Second }, core.TakeoverRace, "our rounds are 12 s apart"},
		{"rounds too close, API", 3, func(cfg *core.Config) {
			cfg.Takeover.VoteTimeout = 20 * time.Second
			cfg.Nodes[0].API, cfg.Nodes[1].API = true, true
		}, core.TakeoverAPI, "every producing node has a producer API"},
		{"race", 3, func(cfg *core.Config) { cfg.Takeover.Mode = core.TakeoverRace }, core.TakeoverRace, "as configured"},
	} {
		change := x.change
		if change == nil {
			change = func(*core.Config) {}
		}
		c := newCourt(t, x.voters, change)
		c.to(base + 3*courtPeriod - 1)
		if s := c.takeover(); s.Mode != x.mode || !strings.Contains(s.Why, x.why) {
			t.Errorf("%s: %s, %s", x.name, s.Mode, s.Why)
		}
	}
}

func TestVotelessNetworkAndSilentFinalizer(t *testing.T) {
	c, first := settled(t, 0)
	c.voters = 0
	c.to(first + 5)
	if c.event(core.EventAlarm, core.ReasonNoVotes) == nil {
		t.Error("no alarm when the network gives no votes")
	}
	if c.event(core.EventAlarm, core.ReasonFinalizerSilent) != nil {
		t.Error("our finalizer votes")
	}
	c.f.drop()
	c.f = c.open(core.Internal, "f2").answers(0)
	c.f.gone = true
	c.to(first + 10)
	if c.event(core.EventAlarm, core.ReasonFinalizerSilent) == nil {
		t.Error("no alarm when our finalizer is silent")
	}
}

// The network may vote before anything shows that the block is good.
func TestEarlyVotesAreNoSilence(t *testing.T) {
	c, first := settled(t, 0)
	c.voteLast = true
	c.to(first + courtPeriod)
	if e := c.event(core.EventAlarm, core.ReasonNoVotes); e != nil {
		t.Errorf("an alarm though all vote: %s", e.Detail)
	}
	c.voters = 0
	c.to(c.head.slot + 6)
	if c.event(core.EventAlarm, core.ReasonNoVotes) == nil {
		t.Error("no alarm when none does")
	}
}

func TestProducerAPI(t *testing.T) {
	c := newCourt(t, 3, func(cfg *core.Config) {
		cfg.Takeover.Mode = core.TakeoverAPI
		cfg.Nodes[0].API, cfg.Nodes[1].API = true, true
	})
	var calls []string
	fail := map[string]bool{}
	c.before = func(p2pwire.Slot) {
		for _, q := range c.c.ControlRequests(nil) {
			word := map[bool]string{true: "pause ", false: "resume "}[q.Pause]
			calls = append(calls, word+q.Node)
			var err error
			if fail[q.Node] {
				err = errors.New("connection refused")
			}
			c.c.ControlDone(c.now, q, err)
		}
	}
	take := func() string {
		c.before(0)
		s := strings.Join(calls, ", ")
		calls = nil
		return s
	}
	c.to(base - 30)
	if got := take(); got != "resume a, pause b" {
		t.Errorf("at the start: %s", got)
	}
	if foreign(c.b) == 0 {
		t.Error("with the API votes flow to everyone")
	}
	c.to(base + 3)
	take()
	c.run(100 * time.Millisecond)
	c.die(c.a)
	if got := take(); got != "resume b" {
		t.Errorf("when the lead died: %s", got)
	}
	c.lead = c.b
	c.a.gone = true
	c.to(base + 11)
	take()
	fail["a"] = true
	a := c.open(core.Internal, "a").answers(0)
	a.handshake(c.head, c.head)
	c.a = a
	c.to(base + 15)
	if got := take(); !strings.HasPrefix(got, "pause a, pause a") || c.event(core.EventAlarm, core.ReasonProducerAPI) == nil {
		t.Errorf("a call that fails is repeated: %s", got)
	}
	fail["a"] = false
	c.to(base + 18)
	if take(); c.state("a") != core.NodeArmed {
		t.Errorf("A is %s", c.state("a"))
	}
}
