package quorum

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The active dies at a random moment: how long until the other lets out a block, in virtual time: elections are random, disks take no time, and links what the preset says.
func TestTakeoverTime(t *testing.T) {
	three := append(slices.Clone(members3[:2]), Member{Name: "c", Address: "c:1"})
	for _, c := range []struct {
		name    string
		preset  string
		members []Member
		delay   time.Duration // one way
		runs    int
	}{
		{"two relays and a witness", "lan", members3, 500 * time.Microsecond, 200},
		{"three relays", "lan", three, 500 * time.Microsecond, 200},
		{"three relays and two witnesses", "lan", members5, 500 * time.Microsecond, 50},
		{"as slow as it may be", "lan", members3, RTTLan / 2, 50},
		{"on one host", "local", members3, 50 * time.Microsecond, 50},
		{"sites far apart", "wan", members3, 40 * time.Millisecond, 50},
		{"sites far apart, three relays", "wan", three, 40 * time.Millisecond, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			timing, err := TimingOf(c.preset)
			if err != nil {
				t.Fatal(err)
			}
			var took []time.Duration
			for i := range c.runs {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, c.members)
					r.timing, r.mesh.delay = timing, c.delay
					defer r.finish()
					r.start()
					r.awaitActive()
					sleep(5*time.Second + time.Duration(i)*timing.Heartbeat/92)
					a := r.awaitActive()
					// Nobody hears of it any more; ending the process would take time of its own.
					r.mesh.isolate(a, true)
					died := time.Now()
					cl := claimOf(slotNow(), 1)
					for name, rr := range r.relays {
						if name != a {
							rr.candidate(cl, []byte("frame"))
						}
					}
					r.until("the slot served", 20*time.Second, func() bool { _, ok := r.pub.has(cl.Slot); return ok })
					took = append(took, time.Since(died))
				})
			}
			slices.Sort(took)
			p50, p99 := took[len(took)/2], took[len(took)*99/100]
			t.Logf("%s: p50 %s, p90 %s, p99 %s, longest %s", c.preset, p50, took[len(took)*9/10], p99, took[len(took)-1])
			// Which moment raft draws no seed decides, and the longest of few is its luck. So what is judged is what
			// Timing.Takeover promises with room for a sample's error; medians were 3.0 to 4.0 heartbeats at the longest
			// round trips, and 9 of 10 at most 4.6.
			if p90 := took[len(took)*9/10]; p50 > 9*timing.Heartbeat/2 || p90 > 11*timing.Heartbeat/2 || p99 > 15*timing.Heartbeat {
				t.Errorf("p50 %s, p90 %s, p99 %s", p50, p90, p99)
			}
		})
	}
}

// At the longest round-trip time that a preset is for, the role stays where it is.
func TestSteadyAtTheLongestRTT(t *testing.T) {
	for _, rtt := range []time.Duration{RTTLocal, RTTLan, RTTWan} {
		synctest.Test(t, func(t *testing.T) {
			timing, err := TimingFor(rtt)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, members3)
			r.timing, r.mesh.delay, r.mesh.limit = timing, rtt/2, timing.Election
			defer r.finish()
			r.start()
			r.awaitActive()
			sleep(10 * time.Second)
			before := len(r.relays["a"].roles) + len(r.relays["b"].roles)
			sleep(5 * time.Minute)
			if n := len(r.relays["a"].roles) + len(r.relays["b"].roles) - before; n > 0 {
				t.Errorf("%s: %d changes of role: a %v, b %v", rtt, n, r.relays["a"].roles, r.relays["b"].roles)
			}
		})
	}
}
