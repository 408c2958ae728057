package pair

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// duo is two machines with a link of 1 ms. Every message passes through the encoding. The network
// answers probes after 5 ms if it is there.
type duo struct {
	t     *testing.T
	now   time.Duration
	m     [2]*Machine
	log   [2][]Effect
	wires [2][]wire // towards each
	link  bool
	deaf  [2]bool // its loop is paused
	net   [2]bool
	asked [2][]probeSent
}

type wire struct {
	at   time.Duration
	data []byte
}

type probeSent struct {
	at time.Duration
	n  uint64
}

func newDuo(t *testing.T, change func(i int, c *Config)) *duo {
	d := &duo{t: t, now: time.Second, net: [2]bool{true, true}}
	for i, name := range []string{"a", "b"} {
		c := Config{Member: name, Peer: []string{"b", "a"}[i], Incarnation: 1, Priority: i == 0, Timing: LAN()}
		if change != nil {
			change(i, &c)
		}
		m, err := New(c, d.now)
		if err != nil {
			t.Fatal(err)
		}
		d.m[i] = m
		m.Health(d.now, Health{Nodes: 2, Network: 3})
	}
	return d
}

func (d *duo) up() {
	d.link = true
	for i := range d.m {
		d.wires[i] = nil
		d.m[i].LinkUp(d.now)
	}
	d.run(0)
}

func (d *duo) cut() {
	d.link = false
	for i := range d.m {
		d.wires[i] = nil
		d.m[i].LinkDown(d.now, "cut")
	}
	d.run(0)
}

// run lets time pass, 1 ms at a time.
func (d *duo) run(dur time.Duration) {
	for end := d.now + dur; ; d.now += ms {
		for i, m := range d.m {
			if d.deaf[i] {
				continue
			}
			for len(d.wires[i]) > 0 && d.wires[i][0].at < d.now {
				x, err := DecodeMessage(d.wires[i][0].data)
				if err != nil {
					d.t.Fatal(err)
				}
				d.wires[i] = d.wires[i][1:]
				m.Recv(d.now, x)
				d.collect(i)
			}
			for len(d.asked[i]) > 0 && d.asked[i][0].at+5*ms <= d.now && d.net[i] {
				m.Answered(d.now, d.asked[i][0].n)
				d.asked[i] = d.asked[i][1:]
				d.collect(i)
			}
			m.Tick(d.now)
			d.collect(i)
		}
		if d.now >= end {
			return
		}
	}
}

func (d *duo) collect(i int) {
	for _, e := range d.m[i].Effects(nil) {
		switch e.Kind {
		case EffectSend:
			b, err := e.Message.Append(nil)
			if err != nil {
				d.t.Fatal(err)
			}
			if d.link {
				d.wires[1-i] = append(d.wires[1-i], wire{d.now, b})
			}
			continue
		case EffectProbe:
			d.asked[i] = append(d.asked[i], probeSent{d.now, e.Probe})
		case EffectDrain:
			d.m[i].Drained(d.now)
		}
		d.log[i] = append(d.log[i], e)
	}
}

// last is the last effect of a kind, at relay i; it is missing if there is none.
func (d *duo) last(i int, k EffectKind) Effect {
	d.t.Helper()
	for j := len(d.log[i]) - 1; j >= 0; j-- {
		if d.log[i][j].Kind == k {
			return d.log[i][j]
		}
	}
	d.t.Fatalf("relay %d has no effect %s", i, k)
	return Effect{}
}

func (d *duo) alarmed(i int, r Reason) bool {
	for _, e := range d.log[i] {
		if e.Kind == EffectAlarm && e.Reason == r {
			return true
		}
	}
	return false
}

func (d *duo) roles(a, b Role) {
	d.t.Helper()
	x, ex := d.m[0].Role()
	y, ey := d.m[1].Role()
	if x != a || y != b {
		d.t.Fatalf("roles %s (epoch %d) and %s (%d), want %s and %s", x, ex, y, ey, a, b)
	}
}

func TestElectionAndClaim(t *testing.T) {
	d := newDuo(t, nil)
	d.run(10 * time.Second)
	d.roles(Standby, Standby) // no slot passed: nobody is needed
	d.up()
	d.run(20 * ms)
	d.roles(Active, Standby)
	d.run(250 * ms) // what an earlier active may have written has come by then

	cl := claimOf(1, 1)
	d.m[1].Hold(d.now, cl.ID)
	if v := d.m[0].Claim(d.now, cl, []byte("block")); v != Pending {
		t.Fatal(v)
	}
	d.run(5 * ms)
	if e := d.last(0, EffectDecided); e.Verdict != Approved || e.Reason != ReasonAcknowledged || e.Alone {
		t.Errorf("decided %+v", e)
	}
	if e := d.last(1, EffectAdopt); e.Claim != cl || !e.Held {
		t.Errorf("taken over %+v", e)
	}
	if v := d.m[0].Claim(d.now, cl, nil); v != Approved {
		t.Errorf("asked again: %s", v)
	}
	if v := d.m[0].Claim(d.now, claimOf(1, 2), nil); v != Denied {
		t.Errorf("another block for the slot: %s", v)
	}
	if v := d.m[1].Claim(d.now, claimOf(1, 2), nil); v != Denied {
		t.Errorf("another block for the slot at the standby: %s", v)
	}
}

// A standby that lacks the block asks for it and acknowledges no sooner than it came.
func TestBytesTravel(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	cl := claimOf(1, 1)
	d.m[0].Claim(d.now, cl, []byte("block"))
	d.run(10 * ms)
	if e := d.last(1, EffectAdopt); e.Claim != cl || !e.Held || string(e.Bytes) != "block" {
		t.Errorf("taken over %+v", e)
	}
	if e := d.last(0, EffectDecided); e.Reason != ReasonAcknowledged {
		t.Errorf("decided %+v", e)
	}
}

func TestAloneWhenLinkIsDown(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.cut()
	d.m[0].Due(d.now, 1, 2, d.now)
	d.m[0].Claim(d.now, claimOf(1, 1), []byte("block"))
	d.run(0)
	e := d.last(0, EffectDecided)
	if e.Verdict != Approved || !e.Alone || e.Until != d.now+150*ms {
		t.Fatalf("decided %+v at %v, want alone for echo_wait less guard", e, d.now)
	}
	d.m[0].Echo(d.now, 1, 2, claimOf(1, 1).ID)
	d.run(0)
	if f := d.last(0, EffectFree); f.Claim != claimOf(1, 1) {
		t.Errorf("free %+v", f)
	}
	// The next block comes when the right has ended: it waits, since the standby has it now.
	d.m[0].Due(d.now, 1, 3, d.now)
	d.run(151 * ms)
	d.m[0].Claim(d.now, claimOf(2, 1), []byte("block"))
	d.run(300 * ms)
	if e := d.last(0, EffectDecided); e.Claim.Slot == 3 {
		t.Errorf("decided %+v beyond the right", e)
	}
}

func TestTakeover(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.deaf[0] = true
	d.m[1].Due(d.now, 1, 2, d.now)
	began := d.now
	for d.now < began+time.Second {
		d.run(ms)
		if r, _ := d.m[1].Role(); r == Active {
			break
		}
	}
	// echo_wait, bid_wait; the probe (5 ms) runs beside it.
	if took := d.now - began; took < 240*ms || took > 245*ms {
		t.Errorf("took over %v after the slot was due, want echo_wait 200 ms and bid_wait 40 ms", took)
	}
	// The other one wakes up, with everything in its buffers, and learns.
	d.run(300 * ms)
	d.deaf[0] = false
	d.run(10 * ms)
	d.roles(Standby, Active)
}

func TestNoTakeoverWhenIsolated(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.cut()
	d.net[1] = false
	d.m[1].Due(d.now, 1, 2, d.now)
	d.run(2 * time.Second)
	d.roles(Active, Standby)
	if !d.alarmed(1, ReasonNoProof) {
		t.Error("no alarm")
	}
	d.net[1] = true
	d.run(30 * ms)
	if r, _ := d.m[1].Role(); r != Active {
		t.Error("the network is back, and the slot was not seen")
	}
}

// After a cut in which both let blocks out, one of them steps down, and the damage is told.
func TestHealAfterDoubleClaim(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.cut()
	d.m[0].Due(d.now, 1, 2, d.now)
	d.m[1].Due(d.now, 1, 2, d.now)
	d.m[0].Claim(d.now, claimOf(1, 1), []byte("x"))
	d.run(210 * ms) // b does not see it: late delivery
	d.m[1].Claim(d.now, claimOf(1, 2), []byte("y"))
	d.run(10 * ms)
	d.roles(Active, Active)
	d.up()
	d.run(30 * ms)
	d.roles(Standby, Active)
	for i := range d.m {
		if !d.alarmed(i, ReasonDoubleClaim) {
			t.Errorf("relay %d is silent about it", i)
		}
	}
}

func TestHandover(t *testing.T) {
	d := newDuo(t, func(_ int, c *Config) { c.Failback = true })
	d.up()
	d.run(300 * ms)
	d.m[0].Health(d.now, Health{Nodes: 2, Network: 3, InRun: true})
	d.m[0].Handover(d.now, false)
	d.run(time.Second)
	d.roles(Active, Standby)
	d.m[0].Health(d.now, Health{Nodes: 2, Network: 3})
	d.run(5 * ms)
	d.roles(Standby, Active)
	if e := d.last(0, EffectHandedOver); e.Verdict != Approved {
		t.Errorf("%+v", e)
	}
	// The new active claims at once: nothing of the old one can be under way untold.
	d.m[0].Hold(d.now, claimOf(3, 1).ID)
	d.m[1].Claim(d.now, claimOf(3, 1), []byte("x"))
	d.run(5 * ms)
	if e := d.last(1, EffectDecided); e.Reason != ReasonAcknowledged {
		t.Errorf("%+v", e)
	}
	d.run(59 * time.Second)
	d.roles(Standby, Active)
	d.run(2 * time.Second)
	d.roles(Active, Standby) // failback
	d.m[0].Stop(d.now)
	d.run(5 * ms)
	if r, _ := d.m[1].Role(); r != Active {
		t.Error("an active that stops did not hand over")
	}
}

func TestHandoverForced(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.m[0].Health(d.now, Health{Nodes: 2, Network: 3, InRun: true})
	d.m[0].Handover(d.now, true)
	d.run(5 * ms)
	d.roles(Standby, Active)
	d.m[0].Handover(d.now, true)
	d.run(0)
	if e := d.last(0, EffectHandedOver); e.Verdict != Failed || !strings.Contains(e.Detail, "standby") {
		t.Errorf("%+v", e)
	}
}

// An active without nodes gives its role to a standby that has some, but not to one without network.
func TestHealthDecides(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.m[1].Health(d.now, Health{Nodes: 2})
	d.run(20 * ms)
	d.m[0].Health(d.now, Health{Network: 3})
	d.run(100 * ms)
	d.roles(Active, Standby)
	d.m[1].Health(d.now, Health{Nodes: 2, Network: 1})
	d.run(20 * ms)
	d.roles(Standby, Active)
}

// A slot without a block anywhere is no reason to change roles.
func TestLateNodeIsNoReason(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	for i := range d.m {
		d.m[i].Due(d.now, 1, 2, d.now)
	}
	d.run(400 * ms)
	d.roles(Active, Standby)
	// With a block at the standby only, it is.
	d.m[1].Claim(d.now, claimOf(2, 1), []byte("x"))
	for i := range d.m {
		d.m[i].Due(d.now, 1, 3, d.now)
	}
	d.run(210 * ms)
	d.roles(Standby, Active)
}

func TestState(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.m[0].SetState(d.now, []byte("lead 1"))
	d.m[0].SetState(d.now, []byte("lead 2"))
	d.run(5 * ms)
	if e := d.last(1, EffectState); string(e.State) != "lead 2" {
		t.Errorf("%q", e.State)
	}
	// A standby's own word counts nothing, and who comes anew is told.
	d.m[1].SetState(d.now, []byte("lead 9"))
	d.cut()
	d.m[0].SetState(d.now, []byte("lead 3"))
	d.up()
	d.run(20 * ms)
	if e := d.last(1, EffectState); string(e.State) != "lead 3" {
		t.Errorf("%q", e.State)
	}
	if bytes.Equal(d.m[0].state.data, []byte("lead 9")) {
		t.Error("the active took the standby's state")
	}
}

func TestSettingsDiffer(t *testing.T) {
	d := newDuo(t, func(i int, c *Config) {
		if i == 1 {
			c.Timing = WAN()
		}
	})
	d.up()
	d.run(50 * ms)
	for i, m := range d.m {
		if !d.alarmed(i, ReasonSettings) {
			t.Errorf("relay %d is silent about it", i)
		}
		if m.gain() != 300*ms || m.lose() != 150*ms {
			t.Errorf("relay %d waits %v and ends its right after %v, want the safer of both", i, m.gain(), m.lose())
		}
	}
}

func TestStrangersAreIgnored(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	x := fullMessage()
	x.Member, x.Epoch = "c", 99
	d.m[0].Recv(d.now, x)
	x = fullMessage()
	x.Member, x.Epoch, x.Incarnation = "b", 99, 0 // an earlier life
	d.m[0].Recv(d.now, x)
	d.run(20 * ms)
	d.roles(Active, Standby)
}

func TestStandbyClaimAndWithdraw(t *testing.T) {
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	cl := claimOf(4, 2)
	if v := d.m[1].Claim(d.now, cl, []byte("x")); v != Pending {
		t.Fatal(v)
	}
	d.m[1].Withdraw(d.now, cl)
	d.run(0)
	if e := d.last(1, EffectDecided); e.Verdict != Failed || e.Reason != ReasonWithdrawn {
		t.Errorf("%+v", e)
	}
	d.m[1].Claim(d.now, cl, []byte("x"))
	d.m[1].Echo(d.now, 1, cl.Slot, idOf(4, 1))
	d.run(0)
	if e := d.last(1, EffectDecided); e.Verdict != Denied || e.Reason != ReasonTaken {
		t.Errorf("%+v", e)
	}
}

func TestBookIsBounded(t *testing.T) {
	var b book
	for s := range p2pwire.Slot(3 * maxClaims) {
		b.put(entry{Claim: Claim{Producer: 1, Slot: s + 1}})
	}
	if len(b.list) != maxClaims || b.floor != 2*maxClaims {
		t.Errorf("%d entries, floor %d", len(b.list), b.floor)
	}
	if b.put(entry{Claim: Claim{Producer: 2, Slot: 5}}) != nil {
		t.Error("a claim below the floor was taken")
	}
	if b.put(entry{Claim: Claim{Producer: 2, Slot: b.list[9].Slot}}) == nil || len(b.list) != maxClaims {
		t.Error("a second producer's claim within was not taken")
	}
}

func TestConfigErrors(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"member name": func(c *Config) { c.Peer = "" },
		"both":        func(c *Config) { c.Peer = c.Member },
		"heartbeat":   func(c *Config) { c.Timing.Heartbeat = 0 },
		"guard":       func(c *Config) { c.Timing.Guard = c.Timing.EchoWait },
		"450 ms":      func(c *Config) { c.Timing.EchoWait = time.Second },
		"negative":    func(c *Config) { c.Timing.StartWait = -1 },
	} {
		c := Config{Member: "a", Peer: "b", Timing: LAN()}
		spoil(&c)
		if _, err := New(c, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, preset := range []Timing{Local(), LAN(), WAN()} {
		if _, err := New(Config{Member: "a", Peer: "b", Timing: preset}, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestReasonsAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for r := range numReasons {
		if n := r.String(); n == "" || seen[n] {
			t.Errorf("reason %d is named %q", r, n)
		}
		seen[r.String()] = true
	}
}

// Nobody is there, and no slot is known to be due: the priority member becomes active when the network has shown no
// block of ours for a whole schedule.
func TestQuietStart(t *testing.T) {
	d := newDuo(t, nil)
	d.run(100 * time.Second)
	d.m[0].Echo(d.now, 1, 5, idOf(5, 1)) // the other one may be active
	d.run(41 * time.Second)
	d.roles(Standby, Standby)
	d.net = [2]bool{}
	d.run(100 * time.Second)
	d.roles(Standby, Standby)
	d.net = [2]bool{true, true}
	d.run(100 * ms)
	d.roles(Active, Standby)
	if e := d.last(0, EffectRole); e.Reason != ReasonNoContact {
		t.Errorf("active because of %s", e.Reason)
	}
}
