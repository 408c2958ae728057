package quorum

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

func TestClaimIsDecidedAndShownByAll(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		cl := claimOf(slotNow(), 1)
		for _, rr := range r.relays {
			rr.candidate(cl, []byte("frame"))
		}
		r.until("shown by both", time.Second, func() bool { return r.pub.by(cl) == 2 })
		if a != r.leader() {
			t.Errorf("%s is active, and %s leads", a, r.leader())
		}
		r.agree()
	})
}

// A candidate that one relay only has is shown by both: its bytes come with the claim.
func TestBytesTravelWithTheClaim(t *testing.T) {
	for _, size := range []int{100, smallBlock + 1} {
		bubble(t, members3, func(r *rig) {
			a := r.awaitActive()
			cl := claimOf(slotNow(), 1)
			r.relays[a].candidate(cl, make([]byte, size))
			r.until("shown by both", 100*time.Millisecond, func() bool { return r.pub.by(cl) == 2 })
			if n := r.mesh.asked[askBlock]; n > 0 {
				t.Errorf("%d bytes: asked for %d times", size, n)
			}
		})
	}
}

// A large block that the other relay has does not travel.
func TestLargeBlockStaysAtHome(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		cl := claimOf(slotNow(), 1)
		before := r.nodes[a].instance().guard.promised()
		r.relays[r.other(a)].candidate(cl, make([]byte, smallBlock+1))
		r.relays[a].candidate(cl, make([]byte, smallBlock+1))
		r.until("shown by both", 100*time.Millisecond, func() bool { return r.pub.by(cl) == 2 })
		in := r.nodes[a].instance()
		in.guard.mu.Lock()
		defer in.guard.mu.Unlock()
		if in.guard.bytes > smallBlock {
			t.Errorf("%d bytes were logged since entry %d", in.guard.bytes, before.last)
		}
	})
}

// The log brings a restarted relay ids without bytes, if it has to; it asks for them.
func TestMissingBytesAreFetched(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		cl := claimOf(slotNow(), 1)
		d := r.relays[r.other(a)].d
		r.relays[a].with(func() { r.relays[a].blocks[cl.ID] = []byte("frame") })
		if _, err := r.nodes[a].propose(context.Background(), (&entry{kind: kindClaim, claim: cl}).encode()); err != nil {
			t.Fatal(err)
		}
		r.until("shown by both", 200*time.Millisecond, func() bool { return r.pub.by(cl) == 2 })
		r.relays[r.other(a)].with(func() {
			if len(d.missing) > 0 {
				t.Errorf("still missing: %v", d.missing)
			}
		})
	})
}

// Two relays claim different blocks of one slot at once: one of them is decided, on all members.
func TestTwoAtOnce(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.awaitActive()
		for i := range p2pwire.Slot(20) {
			slot := slotNow() + i
			won := make(chan Decision, 2)
			for n, name := range []string{"a", "b"} {
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					d, err := r.nodes[name].propose(ctx, (&entry{kind: kindClaim, claim: claimOf(slot, byte(n))}).encode())
					if err != nil {
						t.Error(err)
					}
					won <- d
				}()
			}
			if x, y := <-won, <-won; x != y || !x.Known {
				t.Fatalf("slot %d: %+v and %+v", slot, x, y)
			}
		}
		r.agree()
	})
}

// The active dies: the other takes over, and what was decided stays.
func TestActiveDies(t *testing.T) {
	var worst time.Duration
	for range 10 {
		bubble(t, members3, func(r *rig) {
			a := r.awaitActive()
			b := r.other(a)
			first := claimOf(slotNow(), 1)
			r.relays[a].candidate(first, []byte("one"))
			r.until("shown by both", time.Second, func() bool { return r.pub.by(first) == 2 })
			r.down(a)
			died := time.Now()
			next := claimOf(slotNow()+1, 2)
			r.relays[b].candidate(first, []byte("one"))
			r.relays[b].candidate(claimOf(first.Slot, 9), []byte("another for the first slot"))
			r.relays[b].candidate(next, []byte("two"))
			r.until("the next slot served", 3*time.Second, func() bool { return r.pub.by(next) == 1 })
			worst = max(worst, r.pub.first[next.Slot].Sub(died))
			r.relays[b].with(func() {
				if r.relays[b].denied != 1 {
					t.Errorf("%d candidates denied", r.relays[b].denied)
				}
			})
			r.up(a)
			r.agree()
			r.until("the first one up to date", time.Second, func() bool { return r.active() == b })
		})
	}
	t.Logf("the longest time until the next block: %s", worst)
}

// A witness that is elected hands on at once, and what is proposed meanwhile is not lost.
func TestWitnessHandsOn(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		for range 5 {
			in := r.nodes[r.leader()].instance()
			s, _ := in.server("w")
			if err := in.raft.LeadershipTransferToServer(s.ID, s.Address).Error(); err != nil {
				t.Fatal(err)
			}
			cl := claimOf(slotNow(), 1)
			for _, rr := range r.relays {
				rr.candidate(cl, []byte("frame"))
			}
			r.until("shown by both", 500*time.Millisecond, func() bool { return r.pub.by(cl) == 2 })
			r.until("a relay leads", 500*time.Millisecond, func() bool { l := r.leader(); return l != "" && l != "w" })
			sleep(time.Second)
		}
		if r.active() == "" {
			t.Errorf("nobody is active; %s was", a)
		}
	})
}

// A witness that cannot hand on, since no relay takes over, commits what the relay it appoints proposes.
func TestWitnessForwards(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		if served, of := witnessServes(r, 20); served != of {
			t.Errorf("%d of %d slots had their block", served, of)
		}
	})
}

// The mutant: a witness that leads swallows claims, as one would that refuses what is not its own. That is noticed
// by what TestWitnessForwards looks at.
func TestWitnessThatSwallowsClaims(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		w := r.mesh.at("w")
		w.mu.Lock()
		handle := w.handle
		w.handle = func(ctx context.Context, from string, q []byte) []byte {
			if q[0] == askPropose {
				return answerOf(Decision{}, fmt.Errorf("%w: only a witness", errAgain))
			}
			return handle(ctx, from, q)
		}
		w.mu.Unlock()
		if served, _ := witnessServes(r, 3); served > 0 {
			t.Errorf("%d slots had their block all the same", served)
		}
	})
}

// witnessServes makes the witness lead while no relay takes over, and counts the slots that have their block in
// both relays in time.
func witnessServes(r *rig, of int) (served, all int) {
	t := r.t
	t.Helper()
	a := r.awaitActive()
	for _, name := range []string{"a", "b"} {
		r.mesh.at(name).mu.Lock()
		r.mesh.at(name).carries.deaf = true // to the call to stand for election
		r.mesh.at(name).mu.Unlock()
	}
	in := r.nodes[a].instance()
	s, _ := in.server("w")
	if err := in.raft.LeadershipTransferToServer(s.ID, s.Address).Error(); err != nil {
		t.Fatal(err)
	}
	r.until("the witness leads", time.Second, func() bool { return r.leader() == "w" })
	r.until("a relay active all the same", 3*time.Second, func() bool { return r.active() != "" })
	for i := range p2pwire.Slot(of) {
		cl := claimOf(slotNow(), byte(i))
		if _, done := r.pub.has(cl.Slot); done {
			cl = claimOf(slotNow()+1000+i, byte(i))
		}
		for _, rr := range r.relays {
			rr.candidate(cl, []byte("frame"))
		}
		for end := time.Now().Add(1500 * time.Millisecond); r.pub.by(cl) < 2 && time.Now().Before(end); {
			sleep(time.Millisecond)
		}
		if r.pub.by(cl) == 2 {
			served++
		}
		if r.leader() != "w" {
			t.Fatalf("%s leads", r.leader())
		}
	}
	return served, of
}

// A deposed leader's claim that commits later is adopted by all, the one who was told Failed included.
func TestClaimInFlightOfADeposedLeader(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		// What a sends arrives; no answer comes back: it is deposed with its claim in the others' logs.
		r.mesh.set("b", "a", true)
		r.mesh.set("w", "a", true)
		cl := claimOf(slotNow(), 1)
		r.relays["a"].candidate(cl, []byte("frame"))
		r.until("a deposed", time.Second, func() bool { role, _ := r.relays["a"].is(); return role == Standby })
		if _, shown := r.pub.has(cl.Slot); shown {
			t.Fatal("it was shown before anybody confirmed it")
		}
		r.mesh.isolate("a", true)
		other := claimOf(cl.Slot, 2)
		r.relays["b"].candidate(other, []byte("other"))
		r.until("b active", 3*time.Second, func() bool { role, _ := r.relays["b"].is(); return role == Active })
		r.until("the slot served", 3*time.Second, func() bool { _, ok := r.pub.has(cl.Slot); return ok })
		if id, _ := r.pub.has(cl.Slot); id != cl.ID {
			t.Fatalf("%s was shown", id.Short())
		}
		r.mesh.heal()
		r.until("shown by both", 3*time.Second, func() bool { return r.pub.by(cl) == 2 })
		r.agree()
	})
}

func TestMinorityClaimsNothing(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		r.mesh.isolate("a", true)
		lost, won := claimOf(slotNow(), 1), claimOf(slotNow(), 2)
		r.relays["a"].candidate(lost, []byte("x"))
		r.relays["b"].candidate(won, []byte("y"))
		r.until("a standby", 200*time.Millisecond, func() bool { role, _ := r.relays["a"].is(); return role == Standby })
		r.until("b serves", 3*time.Second, func() bool { return r.pub.by(won) == 1 })
		r.mesh.heal()
		r.agree()
		r.until("a knows", time.Second, func() bool {
			denied := 0
			r.relays["a"].with(func() { denied = len(r.relays["a"].queue) })
			return denied >= 0 && r.nodes["a"].instance().machine.decision(7, won.Slot).Winner == won.ID
		})
	})
}

// What the active says about the lead reaches the others, and one that was active itself.
func TestLeadIsTold(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		told := func(name, of string) func() bool {
			return func() bool {
				got := ""
				r.relays[name].with(func() {
					if l := r.relays[name].leads; len(l) > 0 {
						got = l[len(l)-1]
					}
				})
				return strings.HasPrefix(got, "lead of "+of+" ")
			}
		}
		r.until("b told", time.Second, told("b", "a"))
		r.make("b")
		r.until("a told", time.Second, told("a", "b"))
		r.down("a")
		r.up("a")
		r.until("a told after its restart", 3*time.Second, told("a", "b"))
	})
}

func TestHandover(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		b := r.other(a)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		r.relays[a].with(func() { r.relays[a].health.InRun = true })
		sleep(200 * time.Millisecond)
		began := time.Now()
		if err := r.nodes[b].Handover(ctx, b, false); err == nil || r.active() != a {
			t.Errorf("in the middle of a run: %v, active %s", err, r.active())
		}
		if time.Since(began) < time.Second {
			t.Errorf("it waited %s", time.Since(began))
		}
		time.AfterFunc(time.Second, func() { r.relays[a].with(func() { r.relays[a].health.InRun = false }) })
		ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.nodes["w"].Handover(ctx, b, false); err != nil {
			t.Fatal(err)
		}
		r.until(b+" active", 300*time.Millisecond, func() bool { return r.active() == b })
		if err := r.nodes[a].Handover(ctx, "w", true); err == nil {
			t.Error("a witness took over")
		}
		if err := r.nodes[a].Handover(ctx, "x", true); err == nil {
			t.Error("nobody took over")
		}
	})
}

// A leader that ends hands on first: the other need not find out.
func TestCloseHandsOn(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		b := r.other(a)
		sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := r.nodes[a].Close(ctx); err != nil {
			t.Fatal(err)
		}
		r.until(b+" active", 50*time.Millisecond, func() bool { role, _ := r.relays[b].is(); return role == Active })
		t.Logf("active after %s", time.Since(began))
		delete(r.nodes, a)
		close(r.relays[a].stop)
		<-r.relays[a].done
		delete(r.relays, a)
	})
}

func TestStartRefuses(t *testing.T) {
	timing := lan(t)
	one := func(change func(*Options)) error {
		o := Options{Name: "w", Members: append([]Member{}, members3...), Timing: timing, Dir: t.TempDir()}
		change(&o)
		n, err := Start(o, nil)
		if err == nil {
			_ = n.Close(context.Background())
		}
		return err
	}
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"3 members or more", func(o *Options) { o.Members = o.Members[:2] }},
		{"given twice", func(o *Options) { o.Members[1].Name = "a" }},
		{"at least 2 relays", func(o *Options) { o.Members[0].Witness = true }},
		{"not among the members", func(o *Options) { o.Name = "x" }},
		{"address of member b", func(o *Options) { o.Members[1].Address = "b" }},
		{"without '#'", func(o *Options) { o.Members[1].Name = "b#1" }},
		{"heartbeat", func(o *Options) { o.Timing.Lease++ }},
		{"a relay has a driver", func(o *Options) { o.Name = "a" }},
	} {
		if err := one(c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	dir := t.TempDir()
	h, err := openHome(dir, "w")
	if err != nil {
		t.Fatal(err)
	}
	if err := one(func(o *Options) { o.Dir = dir }); !errors.Is(err, ErrLocked) {
		t.Errorf("a locked directory: %v", err)
	}
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(dir, "a"); err == nil || !strings.Contains(err.Error(), "is that of member w") {
		t.Errorf("another member's directory: %v", err)
	}
}

// The witness dies: two of three go on as if nothing had been.
func TestWitnessDies(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		a := r.awaitActive()
		r.down("w")
		for i := range p2pwire.Slot(20) {
			cl := claimOf(slotNow()+i, byte(i))
			for _, rr := range r.relays {
				rr.candidate(cl, []byte("frame"))
			}
			r.until("shown by both", 50*time.Millisecond, func() bool { return r.pub.by(cl) == 2 })
			sleep(500 * time.Millisecond)
		}
		if r.active() != a {
			t.Errorf("active: %q, and it was %q", r.active(), a)
		}
		r.up("w")
		r.agree()
	})
}

// Two of three are gone: nothing leaves, and the relay says why. With one of them back it does.
func TestTwoOfThreeGone(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		r.down("b")
		r.down("w")
		a, cl := r.relays["a"], claimOf(slotNow(), 1)
		a.candidate(cl, []byte("frame"))
		sleep(time.Minute)
		if _, shown := r.pub.has(cl.Slot); shown {
			t.Error("one of three let a block out")
		}
		a.with(func() {
			if a.role != Standby || a.why != NoMajority {
				t.Errorf("%s, cause %d", a.role, a.why)
			}
		})
		r.up("w")
		r.until("shown", 3*time.Second, func() bool { return r.pub.by(cl) == 1 })
	})
}

// A standby knows within a lease or so that the active is not heard any more, before it can follow it; and why it
// is standby itself.
func TestStandbyHearsTheActive(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		sleep(time.Second)
		is := func(name string, linked bool, role Role, why Cause) bool {
			rr := r.relays[name]
			ok := false
			rr.with(func() { ok = rr.linked == linked && rr.role == role && rr.why == why })
			return ok
		}
		for range 100 {
			if !is("a", true, Active, ByMajority) || !is("b", true, Standby, ByMajority) {
				t.Fatalf("a: %+v, b: %+v", r.relays["a"].linked, r.relays["b"].linked)
			}
			sleep(50 * time.Millisecond)
		}
		r.mesh.isolate("a", true)
		r.until("b hears it no more", r.timing.Lease+2*r.timing.step(), func() bool { return !r.relays["b"].linkedNow() })
		r.until("a knows that it is alone", r.timing.Heartbeat, func() bool { return r.relays["a"].causeNow() == NoMajority })
		r.until("b active, and alone", time.Second, func() bool { return is("b", false, Active, ByMajority) })
		r.mesh.heal()
		r.until("both know each other", 2*time.Second, func() bool {
			return is("a", true, Standby, ByMajority) && is("b", true, Active, ByMajority)
		})
	})
}
