package core_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// allies is the rest of a cluster: it notes what the core tells it.
type allies struct {
	holds, echoes []core.Claim
	missed        []p2pwire.Slot
	states        [][]byte
	answered      []uint64
	due           []p2pwire.Slot
	candidates    []core.Claim
}

func (a *allies) Holds(_ core.Instant, cl core.Claim) { a.holds = append(a.holds, cl) }
func (a *allies) Echo(_ core.Instant, cl core.Claim)  { a.echoes = append(a.echoes, cl) }
func (a *allies) Missed(_ core.Instant, _ p2pwire.Name, slot p2pwire.Slot) {
	a.missed = append(a.missed, slot)
}
func (a *allies) LeadChanged(_ core.Instant, state []byte) { a.states = append(a.states, state) }

func (a *allies) Answered(_ core.Instant, probe uint64) { a.answered = append(a.answered, probe) }

func (a *allies) Candidate(_ core.Instant, cl core.Claim) { a.candidates = append(a.candidates, cl) }
func (a *allies) Due(_ core.Instant, _ p2pwire.Name, slot p2pwire.Slot) {
	a.due = append(a.due, slot)
}

func claimOf(b blk) core.Claim { return core.Claim{Producer: ourName, Slot: b.slot, ID: b.id} }

// warmStandby is warm with a relay that is the standby of a cluster.
func warmStandby(t testing.TB, opts ...blockOption) (al *allies, r *rig, n, a, b *peer, head blk) {
	al = &allies{}
	r, n, a, b, head = warmWith(t, func(c *core.Config) { c.Cluster = al }, 0, opts...)
	return al, r, n, a, b, head
}

func (r *rig) adopt(b blk) bool {
	r.t.Helper()
	held, err := r.c.Adopt(r.now, claimOf(b))
	if err != nil {
		r.t.Fatal(err)
	}
	r.pump()
	return held
}

func TestStandbyKeepsWhatNobodyClaimed(t *testing.T) {
	al, r, n, a, b, head := warmStandby(t)
	r.until(base, 40*time.Millisecond)
	x, y := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(x.frame)
	b.send(y.frame)
	n.want()
	if len(al.holds) != 2 || al.holds[0] != claimOf(x) || al.holds[1] != claimOf(y) {
		t.Fatalf("held %v", al.holds)
	}
	if !slices.Equal(al.candidates, []core.Claim{claimOf(x)}) {
		t.Fatalf("candidates %v, want x", al.candidates)
	}
	if !r.adopt(y) {
		t.Fatal("y is here")
	}
	n.want(y)
	if got := r.withheld(core.ReasonSlotTaken); got != 1 {
		t.Fatalf("%d withheld, want x", got)
	}
	// The other node gets it, too; and what the other node builds on x stays inside.
	a.want(y)
	a.send(makeBlock(x, base+1, ourName, mark(3)).frame)
	y1 := makeBlock(y, base+1, ourName, mark(4))
	b.send(y1.frame)
	n.want(y)
	r.adopt(y1)
	n.want(y, y1)
}

// The standby lets a claimed block out at once: the network may show it before the standby's answer is here.
func TestNetworkFasterThanTheAnswer(t *testing.T) {
	for _, v := range []core.Verdict{core.Approved, core.Denied, core.Failed} {
		al, sc := &allies{}, &slowClaims{}
		r, n, a, b, head := warmWith(t, func(c *core.Config) { c.Cluster, c.Claimer = al, sc }, 0)
		sc.r = r
		n2 := r.network("net2", head)
		n2.clear()
		r.c.SetClusterRole(r.now, core.ClusterActive, 1, core.ReasonActiveStart)
		r.until(base, early(base))
		x := makeBlock(head, base, ourName, mark(1))
		a.send(x.frame)
		n.send(x.frame)
		if !slices.Contains(al.echoes, claimOf(x)) {
			t.Errorf("%d: the cluster does not know that the network has it", v)
		}
		b.want()
		sc.decide(v)
		b.want(x) // it is public, whatever the answer is
		n.want()
		if v == core.Approved {
			n2.want(x)
		} else {
			n2.want()
		}
		if got := r.event(core.EventAlarm, core.ReasonWithheldInPublic) != nil; got != (v != core.Approved) {
			t.Errorf("%d: alarm %v", v, got)
		}
		if st := r.c.Snapshot(r.now); st.HeldBlocks != 0 || st.PublicHead.Slot != base {
			t.Errorf("%d: %d held, head %+v", v, st.HeldBlocks, st.PublicHead)
		}
	}
}

func TestStandbyTakesOverLateButWhole(t *testing.T) {
	al, r, n, a, _, head := warmStandby(t)
	r.until(base, 40*time.Millisecond)
	x0 := makeBlock(head, base, ourName, mark(1))
	a.send(x0.frame)
	r.adopt(x0)
	n.want(x0)
	r.until(base+1, 60*time.Millisecond)
	x1 := makeBlock(x0, base+1, ourName, mark(1))
	a.send(x1.frame)
	r.until(base+2, 250*time.Millisecond)
	x2 := makeBlock(x1, base+2, ourName, mark(1))
	a.send(x2.frame)
	if want := []p2pwire.Slot{base + 1}; !slices.Equal(al.missed, want) {
		t.Fatalf("missed %v, want %v", al.missed, want)
	}
	n.want(x0)
	r.c.SetClusterRole(r.now, core.ClusterActive, 2, core.ReasonActiveStart)
	r.pump()
	n.want(x0, x1, x2)
	if r.event(core.EventRole, core.ReasonActiveStart) == nil {
		t.Fatal("nobody was told of the role")
	}
}

// Nobody sent a candidate for our round: the standby tells all the same, since the schedule is known.
func TestStandbyTellsOfSlotsWithoutCandidates(t *testing.T) {
	al := &allies{}
	c := newCourt(t, 3, func(cfg *core.Config) { cfg.Cluster = al })
	c.c.SetClusterRole(c.now, core.ClusterActive, 1, core.ReasonActiveStart)
	const third = base + 2*courtPeriod
	c.to(third - 3) // two rounds of ours went by, and the schedule shows
	c.c.SetClusterRole(c.now, core.ClusterStandby, 2, core.ReasonActiveStart)
	c.lead = nil
	c.to(third + 1)
	c.until(third+2, 300*time.Millisecond)
	if n := len(al.due); n < 2 || al.due[n-2] != third || al.due[n-1] != third+1 {
		t.Fatalf("due %v", al.due)
	}
	if !slices.Equal(al.missed, []p2pwire.Slot{third, third + 1}) {
		t.Fatalf("missed %v, want %d and the next", al.missed, third)
	}
}

func TestStandbyGetsBytesFromTheActive(t *testing.T) {
	_, r, n, a, _, head := warmStandby(t)
	r.until(base, 40*time.Millisecond)
	x0 := makeBlock(head, base, ourName, mark(1))
	if r.adopt(x0) {
		t.Fatal("x0 is not here")
	}
	x1 := makeBlock(x0, base+1, ourName, mark(1))
	a.send(x1.frame)
	r.adopt(x1)
	n.want() // x1 without x0 is of no use to anyone
	if r.c.BlockBytes(x0.id) != nil {
		t.Fatal("bytes out of nothing")
	}
	if err := r.c.AdoptBlock(r.now, claimOf(x0), x1.frame); err == nil || !strings.Contains(err.Error(), x0.id.String()) {
		t.Fatalf("other bytes: %v", err)
	}
	if err := r.c.AdoptBlock(r.now, claimOf(x0), x0.frame[:20]); err == nil {
		t.Fatal("half a frame was taken")
	}
	if err := r.c.AdoptBlock(r.now, claimOf(x0), x0.frame); err != nil {
		t.Fatal(err)
	}
	r.pump()
	n.want(x0, x1)
	if string(r.c.BlockBytes(x0.id)) != string(x0.frame) {
		t.Fatal("other bytes")
	}
	y := makeBlock(head, base, ourName, mark(9))
	if err := r.c.AdoptBlock(r.now, claimOf(y), y.frame); err == nil {
		t.Fatal("a block without a claim was taken")
	}
}

// The network shows the active's block before its claim comes.
func TestEchoBeforeClaim(t *testing.T) {
	for _, ours := range []string{"before", "behind", "never"} {
		t.Run(ours, func(t *testing.T) {
			al, r, n, a, b, head := warmStandby(t, savanna(90))
			n2 := r.network("net2", head)
			r.run(50 * time.Millisecond)
			n2.clear()
			r.until(base, 40*time.Millisecond)
			x := makeBlock(head, base, ourName, mark(1), savanna(90))
			if ours == "before" {
				a.send(x.frame)
			}
			n.send(x.frame)
			r.run(130 * time.Millisecond)
			if ours == "behind" {
				a.send(x.frame)
			}
			r.run(20 * time.Millisecond)
			if !slices.Contains(al.echoes, claimOf(x)) {
				t.Fatalf("echoes %v", al.echoes)
			}
			r.adopt(x)
			for _, e := range r.events {
				if e.Kind == core.EventAlarm && e.Reason != core.ReasonNoVotes {
					t.Fatalf("alarm %s over the active's own block", e.Reason)
				}
			}
			x1 := makeBlock(x, base+1, ourName, mark(1), savanna(90))
			b.send(x1.frame)
			r.adopt(x1)
			n2.want(x, x1)
			r.until(base+2, 100*time.Millisecond)
			if len(al.missed) > 0 {
				t.Fatalf("missed %v", al.missed)
			}
		})
	}
}

func TestSecondClaimForASlotIsAnAlarm(t *testing.T) {
	_, r, n, a, b, head := warmStandby(t)
	r.c.SetClusterRole(r.now, core.ClusterActive, 1, core.ReasonActiveStart)
	r.until(base, 40*time.Millisecond)
	x, y := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(x.frame)
	b.send(y.frame)
	n.want(x)
	if _, err := r.c.Adopt(r.now, claimOf(y)); err == nil || !strings.Contains(err.Error(), x.id.String()) {
		t.Fatalf("no error: %v", err)
	}
	r.pump()
	n.want(x)
	if r.event(core.EventAlarm, core.ReasonDoubleClaim) == nil {
		t.Fatal("no alarm")
	}
	if _, err := r.c.Adopt(r.now, claimOf(x)); err != nil {
		t.Fatal(err)
	}
}

// A withheld block's bytes are gone; the cluster decided for it all the same.
func TestAdoptedAfterItWasWithheld(t *testing.T) {
	_, r, n, a, b, head := warmStandby(t)
	r.until(base, 40*time.Millisecond)
	x0 := makeBlock(head, base, ourName, mark(1))
	a.send(x0.frame)
	r.adopt(x0)
	y1 := makeBlock(head, base+1, ourName, mark(2))
	b.send(y1.frame)
	if r.withheld(core.ReasonNotLineage) != 1 {
		t.Fatal("y1 is not on the lineage")
	}
	if r.adopt(y1) {
		t.Fatal("its bytes are gone")
	}
	if err := r.c.AdoptBlock(r.now, claimOf(y1), y1.frame); err != nil {
		t.Fatal(err)
	}
	r.pump()
	n.want(x0, y1)
}

func TestStandbyHoldsWhomTheActiveHolds(t *testing.T) {
	lead, follow := &allies{}, &allies{}
	act := newCourt(t, 3, func(cfg *core.Config) { cfg.Cluster = lead })
	act.c.SetClusterRole(act.now, core.ClusterActive, 1, core.ReasonActiveStart)
	sb := newCourt(t, 3, func(cfg *core.Config) { cfg.Cluster = follow })
	act.to(base - 10)
	sb.to(base - 10)
	if foreign(sb.a)+foreign(sb.b) > 0 {
		t.Fatal("a standby that does not know the lead gave votes away")
	}
	if len(lead.states) == 0 || len(follow.states) > 0 {
		t.Fatalf("states told: %d by the active, %d by the standby", len(lead.states), len(follow.states))
	}
	if err := sb.c.ApplyLead(sb.now, lead.states[len(lead.states)-1]); err != nil {
		t.Fatal(err)
	}
	sb.pump()
	got, want := sb.takeover(), act.takeover()
	if got.Lead != "a" || want.Lead != "a" || got.Mode != want.Mode || got.Mode != core.TakeoverLeash {
		t.Fatalf("the standby has %+v, the active %+v", got, want)
	}
	sb.to(base - 2)
	if foreign(sb.a) == 0 || foreign(sb.b) > 0 {
		t.Fatalf("foreign votes: %d to the lead, %d to the held node", foreign(sb.a), foreign(sb.b))
	}
	if err := sb.c.SetLead(sb.now, "b", true); !errors.Is(err, core.ErrNotPossible) {
		t.Fatalf("a standby took a command: %v", err)
	}
	// Its lead goes: that is for the active to see to.
	sb.c.ClusterLink(sb.now, true)
	sb.a.drop()
	sb.c.DialFailed(sb.now, core.Internal, "a", errors.New("refused"))
	sb.run(time.Second)
	if got := sb.takeover(); got.Lead != "a" || foreign(sb.b) > 0 {
		t.Fatalf("the standby released somebody: lead %s", got.Lead)
	}
	// It takes over, and then it is its turn.
	sb.c.SetClusterRole(sb.now, core.ClusterActive, 2, core.ReasonActiveStart)
	sb.run(100 * time.Millisecond)
	if got := sb.takeover(); got.Lead != "b" {
		t.Fatalf("lead %q, want b", got.Lead)
	}
	if err := sb.c.ApplyLead(sb.now, []byte(`{"mode":"leash","lead":`)); err == nil {
		t.Fatal("half a state was taken")
	}
}

// A relay that was just started knows from the active one when our rounds are, and notices that the first slot of
// the next one passes without a block.
func TestStandbyLearnsTheSchedule(t *testing.T) {
	lead, follow := &allies{}, &allies{}
	act := newCourt(t, 3, func(cfg *core.Config) { cfg.Cluster = lead })
	act.c.SetClusterRole(act.now, core.ClusterActive, 1, core.ReasonActiveStart)
	const third = base + 2*courtPeriod
	act.to(third - 3)
	state := lead.states[len(lead.states)-1]

	sb := newRig(t, -time.Duration(third-base-10)*p2pwire.SlotDuration, func(cfg *core.Config) { cfg.Cluster = follow })
	sb.network("net1", act.head)
	sb.until(third-4, 0)
	if err := sb.c.ApplyLead(sb.now, state); err != nil {
		t.Fatal(err)
	}
	if st := sb.c.Snapshot(sb.now); st.Takeover.NextRunInNs == 0 {
		t.Fatal("it does not know when our next run is")
	}
	sb.until(third+2, 300*time.Millisecond)
	if want := []p2pwire.Slot{third, third + 1}; !slices.Equal(follow.missed, want) || !slices.Equal(follow.due, want) {
		t.Fatalf("missed %v, due %v, want %v", follow.missed, follow.due, want)
	}
	if err := sb.c.ApplyLead(sb.now, []byte(`{"mode":"leash","period":4000000000}`)); err == nil {
		t.Fatal("a schedule of any length was taken")
	}
}

func TestVotesLeaveOneRelayOnly(t *testing.T) {
	lead, follow := &allies{}, &allies{}
	act := newCourt(t, 3, func(cfg *core.Config) { cfg.Cluster = lead })
	act.c.SetClusterRole(act.now, core.ClusterActive, 1, core.ReasonActiveStart)
	sb := newCourt(t, 3, func(cfg *core.Config) { cfg.Cluster = follow })
	act.to(base - 10)
	act.run(100 * time.Millisecond)
	sb.to(base - 12)
	if len(act.n.frames(p2pwire.TypeVote)) == 0 {
		t.Fatal("the active emits no votes")
	}
	if got := sb.n.frames(p2pwire.TypeVote); len(got) > 0 {
		t.Fatalf("the standby emitted %d votes", len(got))
	}
	if err := sb.c.ApplyLead(sb.now, lead.states[len(lead.states)-1]); err != nil {
		t.Fatal(err)
	}
	sb.c.SetClusterRole(sb.now, core.ClusterActive, 2, core.ReasonActiveStart)
	sb.to(base - 8)
	var slots []uint32
	for _, f := range sb.n.frames(p2pwire.TypeVote) {
		v, _ := p2pwire.ParseVote(f.Body())
		slots = append(slots, v.BlockID.Num())
	}
	if last := sb.head.id.Num(); !slices.Equal(slots, []uint32{last - 1, last}) {
		t.Fatalf("votes for blocks %v left, want those above what the active emitted: %d, %d", slots, last-1, last)
	}
}

// A block that was claimed alone goes to who is heard of, in its time, and to the rest when it is free.
func TestAloneGoesToWhoIsHeard(t *testing.T) {
	al, sc := &allies{}, &slowClaims{}
	r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Cluster, c.Claimer = al, sc }, 0)
	sc.r = r
	r.c.SetClusterRole(r.now, core.ClusterActive, 1, core.ReasonActiveStart)
	n2, n3 := r.network("net2", head), r.network("net3", head)
	r.until(base, 40*time.Millisecond)
	n.alive()
	n3.alive()
	for _, p := range []*peer{n2, n3} {
		p.clear()
	}
	r.hold[n3.id] = true // it does not read
	x := makeBlock(head, base, ourName, mark(1))
	a.send(x.frame)
	r.c.Alone(r.now, claimOf(x), r.now.Mono+50*time.Millisecond, 20*time.Millisecond)
	sc.decide(core.Approved)
	n.want(x)
	n2.want()
	r.run(49 * time.Millisecond)
	if n3.gone {
		t.Fatal("its time is not up yet")
	}
	r.run(2 * time.Millisecond)
	if n3.closed != core.ReasonUnheard {
		t.Fatalf("net3, with the block in its queue, closed: %s", n3.closed)
	}
	if got := r.c.Overdue(nil); !slices.Equal(got, []core.SessionID{n.id}) {
		t.Fatalf("overdue %v, want net1's", got)
	}
	n2.alive() // heard of now, but the time is up
	n4 := r.network("net4", head)
	n4.clear()
	n4.handshake(head, head)
	x1 := makeBlock(x, base+1, ourName, mark(1))
	r.until(base+1, 70*time.Millisecond)
	a.send(x1.frame)
	sc.decide(core.Approved)
	n2.want()
	n4.want()
	n.want(x, x1)
	// With the next right it leaves again, to who is heard of by now.
	n2.alive()
	r.c.Alone(r.now, claimOf(x), r.now.Mono+20*time.Millisecond, 10*time.Millisecond)
	r.pump()
	n2.want(x)
	n4.want()
	r.run(30 * time.Millisecond)
	r.c.Free(r.now, claimOf(x))
	r.pump()
	n2.want(x, x1)
	n4.want(x, x1)
}

func TestProbeIsAnsweredByWhatComesBehindIt(t *testing.T) {
	al, r, n, _, _, _ := warmStandby(t)
	r.c.Probe(r.now, 7)
	r.pump()
	n.alive() // says something of its own
	if len(al.answered) > 0 {
		t.Fatalf("answered %v by nobody", al.answered)
	}
	asked := n.frames(p2pwire.TypeTime)
	m, err := p2pwire.DecodeTime(asked[len(asked)-2].Body()) // the last one answers ours
	if err != nil || m.Org != 0 {
		t.Fatalf("%+v %v", m, err)
	}
	n.send(p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: r.now.Wall, Xmt: r.now.Wall}))
	if !slices.Equal(al.answered, []uint64{7}) {
		t.Fatalf("answered %v", al.answered)
	}
}

// A network peer that answers behind a block of ours has it: in legacy nothing else would show that.
func TestAnswerBehindABlockIsAnEcho(t *testing.T) {
	al := &allies{}
	r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Cluster = al }, 0)
	r.c.SetClusterRole(r.now, core.ClusterActive, 1, core.ReasonActiveStart)
	r.until(base, 40*time.Millisecond)
	x := makeBlock(head, base, ourName, mark(1))
	a.send(x.frame)
	if len(al.echoes) > 0 {
		t.Fatalf("echoes %v", al.echoes)
	}
	asked := n.frames(p2pwire.TypeTime)
	m, err := p2pwire.DecodeTime(asked[len(asked)-1].Body())
	if err != nil {
		t.Fatal(err)
	}
	n.send(p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: r.now.Wall, Xmt: r.now.Wall}))
	if !slices.Equal(al.echoes, []core.Claim{claimOf(x)}) {
		t.Fatalf("echoes %v, want x", al.echoes)
	}
}

// Blocks of an earlier life that the network shows are claimed when one of our nodes has vouched for the last:
// the parents first, since they go to whoever lacks them.
func TestShownBlocksLeaveParentsFirst(t *testing.T) {
	_, r, n, a, b, head := warmStandby(t)
	n2 := r.network("net2", head)
	r.run(50 * time.Millisecond)
	n2.clear()
	r.until(base, 40*time.Millisecond)
	x := makeBlock(head, base, ourName, mark(1))
	x1 := makeBlock(x, base+1, ourName, mark(2))
	x2 := makeBlock(x1, base+2, ourName, mark(3))
	n.send(x.frame, x1.frame, x2.frame)
	a.handshake(head, x2) // whichever of them was given the blocks
	b.handshake(head, x2)
	r.run(150 * time.Millisecond)
	n2.want(x, x1, x2)
}

// answerProbe has a network peer answer the last time message that it got.
func (p *peer) answerProbe() {
	p.r.t.Helper()
	asked := p.frames(p2pwire.TypeTime)
	m, err := p2pwire.DecodeTime(asked[len(asked)-1].Body())
	if err != nil || m.Org != 0 {
		p.r.t.Fatalf("%+v %v", m, err)
	}
	p.send(p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: p.r.now.Wall, Xmt: p.r.now.Wall}))
}

// A question that is asked again while the answer is under way stays the same question.
func TestProbeAskedAgainIsAnsweredByTheFirst(t *testing.T) {
	al, r, n, _, _, _ := warmStandby(t)
	for range 4 {
		r.c.Probe(r.now, 7)
		r.pump()
		r.run(20 * time.Millisecond)
	}
	n.answerProbe()
	if !slices.Equal(al.answered, []uint64{7}) {
		t.Fatalf("answered %v", al.answered)
	}
	r.c.Probe(r.now, 7) // it was answered
	r.c.Probe(r.now, 8)
	r.pump()
	n.answerProbe()
	if !slices.Equal(al.answered, []uint64{7, 8}) {
		t.Fatalf("answered %v", al.answered)
	}
}

// In legacy only our nodes can tell whether a block with our name is genuine: an answer that came behind one waits
// for them, but not for ever.
func TestAnswerWaitsForWhatWasShownBefore(t *testing.T) {
	for _, genuine := range []bool{true, false} {
		al, r, n, a, b, head := warmStandby(t)
		r.until(base, 40*time.Millisecond)
		x := makeBlock(head, base, ourName, mark(1))
		n.send(x.frame)
		r.c.Probe(r.now, 7)
		r.pump()
		n.answerProbe()
		r.run(50 * time.Millisecond)
		if len(al.answered) > 0 || len(al.echoes) > 0 {
			t.Fatalf("answered %v before block %s was judged, echoes %v", al.answered, x.id.Short(), al.echoes)
		}
		if genuine {
			a.handshake(head, x)
			b.handshake(head, x)
			if !slices.Contains(al.echoes, claimOf(x)) {
				t.Fatalf("echoes %v", al.echoes)
			}
		} else {
			a.drop()
			b.drop()
			r.run(250 * time.Millisecond)
		}
		if !slices.Equal(al.answered, []uint64{7}) {
			t.Fatalf("genuine %v: answered %v", genuine, al.answered)
		}
	}
}

// A peer that has only just connected says nothing by its answer of the blocks below its head: they have to be here.
func TestAnswerOfANewSessionCountsWithItsHead(t *testing.T) {
	al, r, n, _, _, head := warmStandby(t)
	n.drop()
	r.until(base, 40*time.Millisecond)
	x := makeBlock(head, base, ourName, mark(1))
	n2 := r.network("net2", x)
	r.c.Probe(r.now, 7)
	r.pump()
	n2.answerProbe()
	r.run(50 * time.Millisecond)
	if len(al.answered) > 0 {
		t.Fatalf("answered %v, but its head is not known here", al.answered)
	}
	if len(n2.requests()) == 0 {
		t.Fatal("was not asked for its blocks")
	}
	n2.send(x.frame)
	r.run(350 * time.Millisecond)
	if !slices.Equal(al.answered, []uint64{7}) {
		t.Fatalf("answered %v", al.answered)
	}
}

// Two nodes of ours have different blocks, and the network showed one of them before its node did: it has its slot,
// even while the other one waits to be claimed.
func TestShownBeforeItsNodeSentItIsAnEcho(t *testing.T) {
	al, r, n, a, b, head := warmStandby(t)
	r.until(base, 40*time.Millisecond)
	x := makeBlock(head, base, ourName, mark(1))
	y := makeBlock(head, base, ourName, mark(2))
	n.send(y.frame)
	a.send(x.frame)
	if len(al.echoes) > 0 {
		t.Fatalf("echoes %v of what nobody vouched for", al.echoes)
	}
	b.send(y.frame)
	if !slices.Equal(al.echoes, []core.Claim{claimOf(y)}) {
		t.Fatalf("echoes %v, want y", al.echoes)
	}
}

// The standby lets a claimed block out at once: what the network votes for it may be here before the standby's
// answer, and is not lost.
func TestVotesFasterThanTheAnswer(t *testing.T) {
	for _, v := range []core.Verdict{core.Approved, core.Denied} {
		al, sc := &allies{}, &slowClaims{}
		r, n, a, b, head := warmWith(t, func(c *core.Config) { c.Cluster, c.Claimer = al, sc }, 0, savanna(90))
		sc.r = r
		r.c.SetClusterRole(r.now, core.ClusterActive, 1, core.ReasonActiveStart)
		r.until(base, early(base))
		x := makeBlock(head, base, ourName, mark(1), savanna(101))
		a.send(x.frame)
		n.send(voteFrame(x, 7))
		b.wantVotes()
		sc.decide(v)
		r.run(200 * time.Millisecond) // one node has it first
		if v == core.Approved {
			b.wantVotes(x)
		} else {
			b.wantVotes()
		}
	}
}
