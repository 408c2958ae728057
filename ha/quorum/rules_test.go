package quorum

import (
	"testing"
	"testing/synctest"
	"time"

	"bprelay/p2pwire"
)

func TestRules(t *testing.T) {
	const hb = 92 * time.Millisecond
	good := Health{Network: 2, Nodes: 2, Disk: time.Millisecond}
	with := func(change func(*Health)) Health { h := good; change(&h); return h }
	blind := with(func(h *Health) { h.Network = 0 })
	for _, c := range []struct {
		name    string
		self    Health
		other   Health
		claimed bool
		why     Why
	}{
		{"both well", good, good, false, ""},
		{"no sessions", blind, good, false, WhyBlind},
		{"no nodes", with(func(h *Health) { h.Nodes = 0 }), good, false, WhyBlind},
		{"both blind", blind, blind, false, ""},
		{"the other stuck", blind, with(func(h *Health) { h.Stuck = true }), false, ""},
		{"stuck", with(func(h *Health) { h.Stuck = true }), good, false, WhyStuck},
		{"missed, held there", good, with(func(h *Health) { h.Missed, h.MissedInRow, h.Holds = 107, 1, true }), false, WhyMissed},
		{"missed, but claimed", good, with(func(h *Health) { h.Missed, h.MissedInRow, h.Holds = 107, 1, true }), true, ""},
		{"missed long ago", good, with(func(h *Health) { h.Missed, h.MissedInRow, h.Holds = 108-missedSlots-1, 1, true }), false, ""},
		{"missed, held nowhere", good, with(func(h *Health) { h.Missed, h.MissedInRow = 107, 3 }), false, ""},
		{"a slow disk", with(func(h *Health) { h.Disk = hb }), good, false, WhySlowDisk},
		{"two slow disks", with(func(h *Health) { h.Disk = hb }), with(func(h *Health) { h.Disk = hb / 2 }), false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r rules
			now := time.Now()
			r.elected(now)
			s := scene{
				self: c.self, others: map[string]report{"b": {Health: c.other}}, heartbeat: hb, slot: 100 + 8,
				claimed: func(p2pwire.Name, p2pwire.Slot) bool { return c.claimed },
			}
			for s.now = now; s.now.Before(now.Add(firstCalm)); s.now = s.now.Add(hb) {
				if to, why := r.judge(s); to != "" {
					t.Fatalf("to %s (%s) after %s", to, why, s.now.Sub(now))
				}
			}
			if to, why := r.judge(s); why != c.why || (to != "b") != (c.why == "") {
				t.Errorf("to %q (%q), want %q", to, why, c.why)
			}
		})
	}
}

// Two relays in trouble do not pass the role to and fro: each waits longer every time.
func TestRulesAreDamped(t *testing.T) {
	var r rules
	now := time.Now()
	r.elected(now)
	s := scene{
		self: Health{}, others: map[string]report{"b": {Health: Health{Network: 1, Nodes: 1}}}, heartbeat: time.Second,
		claimed: func(p2pwire.Name, p2pwire.Slot) bool { return false },
	}
	var times []time.Duration
	for s.now = now; s.now.Before(now.Add(5 * time.Minute)); s.now = s.now.Add(100 * time.Millisecond) {
		if to, _ := r.judge(s); to != "" {
			times = append(times, s.now.Sub(now))
			r.tried(s.now)
			r.elected(s.now) // it came back at once
		}
	}
	want := []time.Duration{6 * time.Second, 18 * time.Second, 42 * time.Second, 90 * time.Second, 186 * time.Second, 282 * time.Second}
	if len(times) != len(want) {
		t.Fatalf("handed on at %v, want %v", times, want)
	}
	for i := range want {
		if d := times[i] - want[i]; d < 0 || d > time.Second {
			t.Errorf("handed on at %v, want %v", times, want)
		}
	}
}

func TestBest(t *testing.T) {
	sees := report{Health: Health{Network: 1, Nodes: 1}}
	for _, c := range []struct {
		reports map[string]report
		avoid   string
		want    string
	}{
		{nil, "", "a"},
		{nil, "a", "b"},
		{map[string]report{"b": {}}, "", "b"},
		{map[string]report{"a": {}, "c": sees}, "", "c"},
		{map[string]report{"a": {}, "c": sees}, "c", "a"},
	} {
		if got := best([]string{"a", "b", "c"}, c.reports, c.avoid); got != c.want {
			t.Errorf("%v, not %q: %s, want %s", c.reports, c.avoid, got, c.want)
		}
	}
	if got := best([]string{"a"}, nil, "a"); got != "a" {
		t.Errorf("the only one: %q", got)
	}
}

// The role goes back to the first relay if that is wanted, and not in the middle of a run.
func TestFailback(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, members3)
			defer r.finish()
			r.alter = func(o *Options) { o.Failback = wanted }
			r.start()
			r.make("a")
			sleep(time.Second)
			r.down("a")
			r.until("b active", time.Second, func() bool { return r.active() == "b" })
			r.relays["b"].with(func() { r.relays["b"].health.InRun = true })
			sleep(time.Second)
			r.up("a")
			sleep(20 * time.Second)
			if r.active() != "b" {
				t.Fatalf("active in the middle of a run: %q", r.active())
			}
			r.relays["b"].with(func() { r.relays["b"].health.InRun = false })
			sleep(5 * time.Second)
			if want := map[bool]string{false: "b", true: "a"}[wanted]; r.active() != want {
				t.Errorf("wanted %v: active %q", wanted, r.active())
			}
		})
	}
}

// The active's core is blind: the role moves, and does not come back for nothing.
func TestBlindActiveHandsOn(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		sleep(10 * time.Second)
		r.relays["a"].with(func() { r.relays["a"].health.Network = 0 })
		r.until("b active", 2*time.Second, func() bool { return r.active() == "b" })
		sleep(time.Minute)
		if r.active() != "b" {
			t.Errorf("active: %q", r.active())
		}
	})
}

// The active's loop stands still while its process lives.
func TestStuckLoopHandsOn(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		sleep(10 * time.Second)
		r.relays["a"].with(func() { r.relays["a"].frozen = true })
		r.until("b active", 2*time.Second, func() bool { role, _ := r.relays["b"].is(); return role == Active })
		r.relays["a"].with(func() { r.relays["a"].frozen = false })
		r.until("a standby", time.Second, func() bool { return r.active() == "b" })
	})
}

// The standby has candidates, and the active lets none out.
func TestMissedSlotsMoveTheRole(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		sleep(10 * time.Second)
		cl := claimOf(slotNow(), 1)
		b := r.relays["b"]
		b.candidate(cl, []byte("frame"))
		b.with(func() { b.d.Missed(b.now(), cl.Producer, cl.Slot) })
		r.until("served", 500*time.Millisecond, func() bool { return r.pub.by(cl) > 0 })
		if r.active() != "b" {
			t.Errorf("active: %q", r.active())
		}
		r.until("over", time.Second, func() bool { return r.nodes["b"].Status().Health.Missed == 0 })
	})
}

// A loop that does not come for long is brought up to date from the state.
func TestInboxIsBounded(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		b := r.relays["b"]
		b.with(func() { b.frozen = true })
		for i := range maxInbox + 500 {
			b.d.decided(claimOf(p2pwire.Slot(200+i), 1), make([]byte, 10<<10))
		}
		b.d.mu.Lock()
		n, bytes := len(b.d.inbox), b.d.bytes
		b.d.mu.Unlock()
		if n > maxInbox || bytes > maxInboxBytes {
			t.Errorf("%d items, %d bytes", n, bytes)
		}
		cl := claimOf(slotNow(), 1)
		r.relays["a"].candidate(cl, []byte("frame"))
		r.until("shown by a", time.Second, func() bool { return r.pub.by(cl) == 1 })
		sleep(time.Second)
		b.with(func() { b.frozen = false })
		r.until("shown by both", 2*time.Second, func() bool { return r.pub.by(cl) == 2 })
	})
}
