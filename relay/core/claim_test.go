package core_test

import (
	"testing"
	"time"

	"bprelay/relay/core"
)

// slowClaims answers claims when the test says so.
type slowClaims struct {
	r       *rig
	waiting []core.Claim
	told    []core.Claim // foreign ones
}

func (s *slowClaims) Claim(_ core.Instant, cl core.Claim) core.Verdict {
	if cl.Foreign {
		s.told = append(s.told, cl)
	} else {
		s.waiting = append(s.waiting, cl)
	}
	return core.Pending
}

// decide answers the oldest claim.
func (s *slowClaims) decide(v core.Verdict) {
	s.r.t.Helper()
	if len(s.waiting) == 0 {
		s.r.t.Fatal("no claim was asked for")
	}
	cl := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.r.c.ClaimDecided(s.r.now, cl, v)
	s.r.pump()
}

// slow is a warm rig whose claims wait, with a candidate x of node a for slot base pending.
func slow(t *testing.T) (sc *slowClaims, r *rig, n, a, b *peer, head, x blk) {
	sc = &slowClaims{}
	r, n, a, b, head = warmWith(t, func(c *core.Config) { c.Claimer = sc }, 0)
	sc.r = r
	r.until(base, early(base))
	x = makeBlock(head, base, ourName, mark(1))
	a.send(x.frame)
	n.want()
	if len(sc.waiting) != 1 {
		t.Fatalf("%d claims asked for, want 1", len(sc.waiting))
	}
	return sc, r, n, a, b, head, x
}

// A burst, as gap repair brings it, waits for its first block, and leaves in order.
func TestChildrenOfAPendingBlockWait(t *testing.T) {
	sc, r, n, a, _, _, x := slow(t)
	x1 := makeBlock(x, base+1, ourName)
	x2 := makeBlock(x1, base+2, ourName)
	a.send(x1.frame, x2.frame)
	if len(sc.waiting) != 1 {
		t.Fatalf("%d claims at a time", len(sc.waiting))
	}
	if r.event(core.EventHeld, core.ReasonParentHeld) == nil {
		t.Error("the child does not wait for its parent")
	}
	sc.decide(core.Approved)
	n.want(x)
	sc.decide(core.Approved)
	sc.decide(core.Approved)
	n.want(x, x1, x2)
}

// Of two candidates that both extend the last claimed block, for different slots, one may leave.
func TestNothingOvertakesAPendingBlock(t *testing.T) {
	sc, r, n, _, b, head, x := slow(t)
	r.until(base+1, early(base+1))
	y := makeBlock(head, base+1, ourName, mark(2)) // b made no block for slot base
	b.send(y.frame)
	if len(sc.waiting) != 1 {
		t.Fatalf("%d claims at a time", len(sc.waiting))
	}
	sc.decide(core.Approved)
	n.want(x)
	r.run(8 * time.Second)
	n.want(x)
}

func TestPendingOutcomes(t *testing.T) {
	t.Run("denied: the sibling that has the slot goes out when it comes", func(t *testing.T) {
		sc, r, n, _, b, head, _ := slow(t)
		y := makeBlock(head, base, ourName, mark(2))
		sc.decide(core.Denied)
		if r.withheld(core.ReasonSlotTaken) != 1 {
			t.Error("not withheld as slot_taken")
		}
		b.send(y.frame)
		sc.decide(core.Approved)
		n.want(y)
	})
	t.Run("failed: asked again, and let out", func(t *testing.T) {
		sc, r, n, _, _, _, x := slow(t)
		sc.decide(core.Failed)
		n.want()
		if r.event(core.EventAlarm, core.ReasonClaimFailed) == nil {
			t.Error("no alarm")
		}
		r.run(300 * time.Millisecond)
		sc.decide(core.Failed)
		r.run(300 * time.Millisecond)
		sc.decide(core.Approved)
		n.want(x)
		if got := r.c.Snapshot(r.now).Stats.Alarms[core.ReasonClaimFailed]; got != 1 {
			t.Errorf("%d alarms for one block", got)
		}
	})
	t.Run("failed to the end: withheld", func(t *testing.T) {
		sc, r, n, _, _, _, _ := slow(t)
		for range 60 {
			if len(sc.waiting) > 0 {
				sc.decide(core.Failed)
			}
			r.run(200 * time.Millisecond)
		}
		n.want()
		if r.withheld(core.ReasonClaimFailed) != 1 {
			t.Errorf("not withheld as claim_failed: %v", r.c.Snapshot(r.now).Stats.OwnWithheld)
		}
	})
	t.Run("never answered: withheld, and the next round asks again", func(t *testing.T) {
		sc, r, n, a, _, head, x := slow(t)
		for range 20 {
			n.alive()
			a.alive()
			r.run(time.Second)
		}
		if r.withheld(core.ReasonClaimPending) != 1 || r.c.Snapshot(r.now).HeldBlocks != 0 {
			t.Errorf("not given up: %v", r.c.Snapshot(r.now).Stats.OwnWithheld)
		}
		r.until(base+48, early(base+48))
		y := makeBlock(head, base+48, ourName)
		a.send(y.frame)
		sc.decide(core.Approved) // the old one's: too late for it, yet its slot is taken
		n.want()
		sc.decide(core.Approved)
		n.want(y)
		_ = x
	})
	t.Run("the session died: it goes out all the same", func(t *testing.T) {
		sc, _, n, a, b, _, x := slow(t)
		a.drop()
		sc.decide(core.Approved)
		n.want(x)
		b.want(x)
	})
	t.Run("a second copy meanwhile: one goes out", func(t *testing.T) {
		sc, _, n, a, b, _, x := slow(t)
		a.send(x.frame)
		b.send(x.frame)
		sc.decide(core.Approved)
		n.want(x)
		if len(sc.waiting) != 0 {
			t.Error("asked twice")
		}
	})
	t.Run("shutting down: what was claimed may still be written", func(t *testing.T) {
		sc, r, n, _, _, _, x := slow(t)
		r.c.Shutdown(r.now)
		sc.decide(core.Approved)
		n.want(x)
	})
	t.Run("the network shows it meanwhile", func(t *testing.T) {
		sc, r, n, a, _, _, x := slow(t)
		n.send(x.frame)
		if len(sc.told) != 1 {
			t.Fatalf("%d foreign claims told", len(sc.told))
		}
		sc.decide(core.Approved)
		r.until(base+1, early(base+1))
		x1 := makeBlock(x, base+1, ourName)
		a.send(x1.frame)
		sc.decide(core.Approved)
		n.want(x1)
	})
	t.Run("the lineage died meanwhile", func(t *testing.T) {
		sc := &slowClaims{}
		r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Claimer = sc }, 0, savanna(90))
		sc.r = r
		r.until(base, early(base))
		x0 := makeBlock(head, base, ourName, savanna(101))
		a.send(x0.frame)
		sc.decide(core.Approved)
		r.until(base+3, 0)
		x1 := makeBlock(x0, base+3, ourName, savanna(101))
		a.send(x1.frame)
		f1 := makeBlock(head, base+1, otherName, savanna(102))
		f2 := makeBlock(f1, base+2, otherName, savanna(f1.id.Num()))
		n.send(f1.frame, f2.frame)
		r.run(300 * time.Millisecond)
		sc.decide(core.Approved)
		n.want(x0)
	})
}

// A claimer that fails at once must not be asked in a loop.
func TestClaimerFailsAtOnce(t *testing.T) {
	f := &failing{}
	r, n, a, _, head := warmWith(t, func(c *core.Config) { c.Claimer = f }, 0)
	r.until(base, early(base))
	x := makeBlock(head, base, ourName)
	a.send(x.frame)
	r.run(time.Second)
	n.want()
	if f.asked < 3 || f.asked > 6 {
		t.Errorf("asked %d times in a second", f.asked)
	}
}

type failing struct{ asked int }

func (f *failing) Claim(core.Instant, core.Claim) core.Verdict {
	f.asked++
	return core.Failed
}
