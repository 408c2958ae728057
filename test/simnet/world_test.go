package simnet

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// runFaults runs a chain under kills, restarts, pauses, cuts, resets and clock
// offsets drawn from a seed, then lets it come to rest. It returns a digest of
// everything that was decided.
func runFaults(t *testing.T, mode Mode, seed uint64) (digest [32]byte, r *rig) {
	t.Helper()
	r = newRig(t, mode, seed)
	r.w.cfg.Chop, r.w.cfg.Jitter = true, 2*time.Millisecond
	r.network(producers...)
	r.start(Config{Name: "obs", Peers: []string{"beta", "gamma"}, VoteThreads: 2, ConnectionCleanupPeriod: 2 * time.Second})
	for name, cfg := range r.cfgs {
		cfg.ConnectionCleanupPeriod = 2 * time.Second
		r.cfgs[name] = cfg
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	names := []string{"alpha", "beta", "gamma", "delta", "obs"}
	r.load("obs", 300*time.Millisecond, time.Hour)
	for range 12 {
		r.w.Run(time.Duration(1+rng.IntN(8000)) * time.Millisecond)
		i := rng.IntN(len(names))
		a, b := names[i], names[(i+1+rng.IntN(len(names)-1))%len(names)]
		switch rng.IntN(5) {
		case 0:
			s := r.kill(a)
			r.w.Run(time.Duration(rng.IntN(4000)) * time.Millisecond)
			r.restart(a, s)
		case 1:
			r.w.Pause(a + ":9876")
			r.w.Run(time.Duration(rng.IntN(4000)) * time.Millisecond)
			r.w.Resume(a + ":9876")
		case 2:
			r.w.Cut(a+":9876", b+":9876")
			r.w.Run(time.Duration(rng.IntN(4000)) * time.Millisecond)
			r.w.Heal(a+":9876", b+":9876")
		case 3:
			r.w.Reset(a+":9876", b+":9876")
		case 4:
			r.w.SetClock(a+":9876", time.Duration(rng.IntN(400)-200)*time.Millisecond)
		}
	}
	r.w.Run(70 * time.Second)
	h := sha256.New()
	for _, name := range names {
		for _, e := range r.log[name] {
			fmt.Fprintln(h, name, e.at.Mono, e.Event)
		}
	}
	h.Sum(digest[:0])
	return digest, r
}

// TestWorldFaults: after any faults all nodes agree again and finality moves.
func TestWorldFaults(t *testing.T) {
	for _, mode := range modes {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s seed %d", mode, seed), func(t *testing.T) {
				_, r := runFaults(t, mode, seed)
				root := r.nodes["obs"].Root()
				for name, n := range r.nodes {
					if !n.OnChain(root.ID) || int64(r.slotNow())-int64(n.Head().Slot) > 2 {
						t.Errorf("%s: head %d of slot %d, now %d; has obs' root: %t", name, n.Head().Num, n.Head().Slot, r.slotNow(), n.OnChain(root.ID))
					}
				}
				if lag := r.slotNow() - root.Slot; lag > 60 {
					t.Errorf("root is %d slots old", lag)
				}
				if _, missed := r.onChain("obs", r.slotNow()-49, 48); len(missed) != 0 {
					t.Errorf("slots missed at rest: %v", missed)
				}
			})
		}
	}
}

// TestWorldRepeats: the same seed gives the same run.
func TestWorldRepeats(t *testing.T) {
	first, _ := runFaults(t, Savanna, 42)
	second, _ := runFaults(t, Savanna, 42)
	if first != second {
		t.Error("two runs of one seed differ")
	}
}

// TestNoise: whatever bytes come in, a node goes on.
func TestNoise(t *testing.T) {
	r := newRig(t, Savanna, 9)
	r.network(producers...)
	rng := rand.New(rand.NewPCG(9, 9))
	r.w.Run(30 * time.Second)
	source := r.script("noise")
	r.w.Add(source.addr, source)
	var good []p2pwire.Frame
	for num := uint32(2); num < 40; num++ {
		good = append(good, r.nodes["beta"].frameForNum(num))
	}
	good = append(good, r.chain.VoteFrame("bpalpha", r.nodes["beta"].Head().ID, true))
	trx, _ := r.chain.Transaction(1, uint32(r.w.Now().Wall/1e9)+60)
	good = append(good, trx)
	for range 400 {
		source.host.Dial("beta:9876")
		r.w.Run(5 * time.Millisecond)
		c := source.all[len(source.all)-1]
		f := slices.Clone(good[rng.IntN(len(good))])
		for range 1 + rng.IntN(4) {
			f[rng.IntN(len(f))] ^= byte(1 << rng.IntN(8))
		}
		if rng.IntN(3) == 0 {
			f[4] = byte(rng.IntN(15))
		}
		c.send(f)
		r.w.Run(20 * time.Millisecond)
		if c.open {
			c.close()
		}
	}
	r.w.Run(2 * time.Second)
	if _, missed := r.onChain("gamma", r.slotNow()-20, 20); len(missed) > 1 {
		t.Errorf("missed %v", missed)
	}
}

// dialler is an endpoint that, with up, dials b and tells when it is connected.
type dialler struct {
	host Host
	up   func(Host, ConnID)
	data func(chunk []byte)
	fail int
}

func (d *dialler) Start(_ Instant, host Host) {
	d.host = host
	if d.up != nil {
		host.Dial("b:1")
	}
}
func (d *dialler) Dialled(_ Instant, conn ConnID, _ string) { d.up(d.host, conn) }
func (d *dialler) Accepted(Instant, ConnID, string)         {}
func (d *dialler) Data(_ Instant, _ ConnID, chunk []byte)   { d.data(chunk) }
func (d *dialler) Disconnected(Instant, ConnID)             {}
func (d *dialler) DialFailed(Instant, string)               { d.fail++ }
func (d *dialler) Tick(Instant)                             {}
func (d *dialler) NextTimer() time.Duration                 { return Never }

// TestCutKeepsOrder: what was sent into a cut does not overtake what was on its way before, nor is it
// overtaken by what is sent behind it.
func TestCutKeepsOrder(t *testing.T) {
	w := NewWorld(WorldConfig{Seed: 1})
	var host Host
	var conn ConnID
	a := &dialler{up: func(h Host, c ConnID) { host, conn = h, c }}
	var got []byte
	b := &dialler{data: func(chunk []byte) { got = append(got, chunk...) }}
	w.Add("b:1", b)
	w.Add("a:1", a)
	w.Run(time.Second)
	send := func(at time.Duration, what byte) {
		w.At(w.Now().Mono+at, func() { host.Send(conn, []byte{what}) })
	}
	set := func(at, latency time.Duration) {
		w.At(w.Now().Mono+at, func() { w.SetLatencyTo("a:1", "b:1", latency) })
	}
	set(0, 500*time.Millisecond)
	send(10*time.Millisecond, 1)
	set(20*time.Millisecond, 50*time.Millisecond)
	w.At(w.Now().Mono+30*time.Millisecond, func() { w.Cut("a:1", "b:1") })
	send(40*time.Millisecond, 2)
	w.At(w.Now().Mono+60*time.Millisecond, func() { w.Heal("a:1", "b:1") })
	set(70*time.Millisecond, time.Millisecond)
	send(80*time.Millisecond, 3)
	w.Run(time.Second)
	if string(got) != "\x01\x02\x03" {
		t.Errorf("got %v", got)
	}
}

// TestResetWhileDialling: who dials hears of it in every case.
func TestResetWhileDialling(t *testing.T) {
	w := NewWorld(WorldConfig{Seed: 1, Latency: 100 * time.Millisecond})
	up := 0
	a := &dialler{up: func(Host, ConnID) { up++ }}
	w.Add("b:1", &dialler{})
	w.Add("a:1", a)
	w.Run(150 * time.Millisecond) // b has accepted, a does not know
	w.Reset("a:1", "b:1")
	w.Run(time.Second)
	if up != 0 || a.fail != 1 {
		t.Errorf("connected %d times, failed %d times", up, a.fail)
	}
}
