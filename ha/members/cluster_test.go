package members

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bprelay/ha/creds"
)

// keyFile makes a gossip key file.
func keyFile(t testing.TB) string {
	t.Helper()
	ring, err := creds.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gossip.keys")
	if err := ring.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

var quiet = slog.New(slog.DiscardHandler)

// rig is a cluster on a network in memory, in virtual time.
type rig struct {
	t       *testing.T
	n       *network
	preset  Preset
	seeds   []Seed
	members map[string]*one
}

type one struct {
	*Cluster
	key string

	mu     sync.Mutex
	events []Event
	merged [][]byte
	news   [][]byte
	state  []byte
}

func (o *one) saw(name string) (states []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Member.Name == name && e.Was != e.Member.State {
			states = append(states, string(e.Member.State))
		}
	}
	return states
}

func newRig(t *testing.T, p Preset, names ...string) *rig {
	r := &rig{t: t, n: newNetwork(), preset: p, members: map[string]*one{}}
	for _, name := range names {
		r.seeds = append(r.seeds, Seed{name, r.n.newAddress()})
	}
	key := keyFile(t)
	for _, s := range r.seeds {
		r.start(s.Name, s.Address, key)
	}
	return r
}

func (r *rig) start(name, address, key string) *one {
	r.t.Helper()
	o := &one{key: key}
	var err error
	o.Cluster, err = Join(Options{
		Name: name, Members: r.seeds, KeyFile: key, Preset: r.preset, Logger: quiet, Meta: Meta{Role: "standby", Link: name + ":1"},
		transport: r.n.add(name, address),
		OnEvent: func(e Event) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.events = append(o.events, e)
		},
		Carried: Carried{
			Local: func() []byte {
				o.mu.Lock()
				defer o.mu.Unlock()
				return o.state
			},
			Merge: func(b []byte) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.merged = append(o.merged, b)
			},
			Receive: func(b []byte) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.news = append(o.news, b)
			},
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.members[name] = o
	return o
}

// end stops all, and lets what memberlist has under way run out.
func (r *rig) end() {
	for _, o := range r.members {
		o.Stop()
	}
	wait(time.Minute)
}

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// state is what one member knows of another.
func (r *rig) state(of, at string) Member {
	for _, m := range r.members[at].Members() {
		if m.Name == of {
			return m
		}
	}
	return Member{}
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, LAN, "a", "b", "w")
		wait(2 * time.Second)
		for _, x := range []string{"a", "b", "w"} {
			for _, y := range []string{"a", "b", "w"} {
				if x == y {
					continue
				}
				m := r.state(y, x)
				if m.State != Alive || m.Meta.Role != "standby" || m.Meta.Link != y+":1" || m.RTT <= 0 || m.RTT > 20*time.Millisecond {
					t.Errorf("%s of %s: %+v", x, y, m)
				}
			}
		}
		r.members["a"].SetMeta(Meta{Role: "active", Epoch: 7})
		wait(2 * time.Second)
		if m := r.state("a", "b"); m.Meta.Role != "active" || m.Meta.Epoch != 7 {
			t.Errorf("b of a: %+v", m)
		}
		wait(time.Minute)
		if saw := r.members["b"].saw("a"); !slices.Equal(saw, []string{"alive"}) {
			t.Errorf("later: %q", saw)
		}
		r.end()
	})
}

// TestDetection holds the formula against many deaths at all phases of the interval.
func TestDetection(t *testing.T) {
	for _, p := range []Preset{Local, LAN, WAN} {
		for _, names := range [][]string{{"a", "b"}, {"a", "b", "w"}} {
			earliest, latest := p.Detection(len(names))
			least, most := time.Hour, time.Duration(0)
			for i := range 8 {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, p, names...)
					wait(10*time.Second + p.ProbeInterval*time.Duration(i)/8)
					died := time.Now()
					r.members["b"].Stop()
					for r.state("b", "a").State != Dead {
						wait(time.Millisecond)
						if time.Since(died) > time.Minute {
							t.Fatalf("%s: %+v", p.Name, r.state("b", "a"))
						}
					}
					took := time.Since(died)
					least, most = min(least, took), max(most, took)
					if saw := r.members["a"].saw("b"); len(names) == 2 && !slices.Equal(saw, []string{"alive", "suspect", "dead"}) {
						t.Errorf("%s: a saw %q", p.Name, saw)
					}
					r.end()
				})
			}
			t.Logf("%s, %d members: %v to %v; formula %v to %v", p.Name, len(names), least, most, earliest, latest)
			const margin = 10 * time.Millisecond
			if least < earliest-margin || most > latest+margin {
				t.Errorf("%s, %d members: %v to %v, formula %v to %v", p.Name, len(names), least, most, earliest, latest)
			}
		}
	}
}

func TestLeaveIsNoDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := newRig(t, LAN, "a", "b")
		r.n.lose(10, seed)
		wait(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		before := time.Now()
		r.members["b"].Leave(ctx)
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		wait(time.Second)
		if saw := r.members["a"].saw("b"); saw[len(saw)-1] != "left" {
			t.Errorf("a saw %q", saw)
		}
		// And it may come back, at another address.
		r.start("b", r.n.newAddress(), r.members["a"].key)
		wait(5 * time.Second)
		if m := r.state("b", "a"); m.State != Alive && m.State != Suspect || m.Meta.Leaving { // packets are lost: it may just be suspected
			t.Errorf("back: %+v", m)
		}
		r.end()
	})
}

// A cut is a death to both sides, and its end brings them together again.
func TestCutAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, LAN, "a", "b")
		wait(5 * time.Second)
		r.n.cut("a", "b")
		r.n.cut("b", "a")
		wait(time.Second)
		if r.state("b", "a").State != Dead || r.state("a", "b").State != Dead {
			t.Errorf("cut: %+v, %+v", r.state("b", "a"), r.state("a", "b"))
		}
		wait(10 * time.Minute)
		r.n.heal()
		wait(5 * time.Second)
		if r.state("b", "a").State != Alive || r.state("a", "b").State != Alive {
			t.Errorf("healed: %+v, %+v", r.state("b", "a"), r.state("a", "b"))
		}
		r.end()
	})
}

func TestRestartAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, LAN, "a", "b")
		wait(5 * time.Second)
		r.members["a"].SetMeta(Meta{Role: "active", Epoch: 3})
		wait(time.Second)
		r.members["a"].Stop()
		r.start("a", r.seeds[0].Address, r.members["b"].key)
		wait(5 * time.Second)
		if m := r.state("a", "b"); m.State != Alive || m.Meta.Role != "standby" {
			t.Errorf("b of a: %+v", m)
		}
		if m := r.state("b", "a"); m.State != Alive {
			t.Errorf("a of b: %+v", m)
		}
		r.end()
	})
}

// Who is not configured, and who has not got the key, is nobody.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, LAN, "a", "b")
		key, all := r.members["a"].key, r.seeds
		r.seeds = append(slices.Clone(all), Seed{"x", r.n.newAddress()})
		r.start("x", r.seeds[2].Address, key)
		wait(10 * time.Second)
		for _, at := range []string{"a", "b"} {
			if m := r.state("x", at); m.Name != "" || len(r.members[at].saw("x")) != 0 {
				t.Errorf("%s knows %+v", at, m)
			}
		}
		r.members["x"].Stop()
		// The same name with another key, at b's place.
		r.members["b"].Stop()
		wait(5 * time.Second)
		r.seeds = all
		r.start("b", all[1].Address, keyFile(t))
		wait(10 * time.Second)
		if m := r.state("b", "a"); m.State != Dead {
			t.Errorf("with another key: %+v", m)
		}
		r.end()
	})
}

func TestCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, LAN, "a", "b", "w")
		wait(3 * time.Second)
		a, b := r.members["a"], r.members["b"]
		small, large := []byte("small"), bytes.Repeat([]byte("large"), 2000)
		a.Broadcast("a", small)
		a.Broadcast("big", large)
		a.mu.Lock()
		a.state = []byte("all there is")
		a.mu.Unlock()
		wait(time.Second)
		b.mu.Lock()
		var gotSmall, gotLarge bool
		for _, n := range b.news {
			gotSmall = gotSmall || bytes.Equal(n, small)
			gotLarge = gotLarge || bytes.Equal(n, large)
		}
		b.mu.Unlock()
		if !gotSmall || !gotLarge {
			t.Errorf("small %v, large %v", gotSmall, gotLarge)
		}
		wait(2 * time.Minute)
		r.end()
		if !slices.ContainsFunc(b.merged, func(m []byte) bool { return string(m) == "all there is" }) {
			t.Errorf("%d merged", len(b.merged))
		}
	})
}

// TestRotation changes the key under way: nobody is lost at any step, with files changed one member
// after the other, and at the end the old key reads nothing.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, LAN, "a", "b")
		old := r.members["a"].key
		// Each member has a file of its own.
		files := map[string]string{}
		text, err := os.ReadFile(old)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.seeds {
			r.members[s.Name].Stop()
			files[s.Name] = filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(files[s.Name], text, 0o600); err != nil {
				t.Fatal(err)
			}
			r.start(s.Name, s.Address, files[s.Name])
		}
		wait(5 * time.Second)
		ring, err := creds.ReadKeyring(old)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range []func(*creds.Keyring) error{(*creds.Keyring).Add, (*creds.Keyring).Use, (*creds.Keyring).Remove} {
			if err := step(ring); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "b"} {
				if err := ring.Write(files[name]); err != nil {
					t.Fatal(err)
				}
				wait(2 * reloadEvery)
				if r.state("b", "a").State != Alive || r.state("a", "b").State != Alive {
					t.Errorf("step %d, %s has the new file: %+v, %+v", i+1, name, r.state("b", "a"), r.state("a", "b"))
				}
			}
		}
		for _, name := range []string{"a", "b"} {
			if saw := r.members[name].saw(map[string]string{"a": "b", "b": "a"}[name]); !slices.Equal(saw, []string{"alive"}) {
				t.Errorf("%s saw %q", name, saw)
			}
			if n := len(r.members[name].ring.GetKeys()); n != 1 {
				t.Errorf("%s has %d keys", name, n)
			}
		}
		// A file that cannot be read changes nothing.
		if err := os.WriteFile(files["a"], []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
		wait(2 * reloadEvery)
		if r.state("a", "b").State != Alive {
			t.Error("a torn key file")
		}
		// b has the new key only: the old one's member is a stranger now.
		r.members["a"].Stop()
		wait(5 * time.Second)
		r.start("a", r.seeds[0].Address, old)
		wait(5 * time.Second)
		if m := r.state("a", "b"); m.State != Dead {
			t.Errorf("with the old key: %+v", m)
		}
		r.end()
	})
}

func TestMeta(t *testing.T) {
	long := strings.Repeat("h", 250)
	for _, c := range []struct {
		meta, want Meta
	}{
		{Meta{}, Meta{}},
		{Meta{"active", 1 << 63, "a:1", "b:2", true}, Meta{"active", 1 << 63, "a:1", "b:2", true}},
		{Meta{"active", 1, long, long, true}, Meta{"active", 1, long, "", true}},
		{Meta{"active", 1, long + long, long, false}, Meta{"active", 1, "", "", false}},
		{Meta{long + long + long, 1, "", "", false}, Meta{"", 1, "", "", false}},
	} {
		b := c.meta.encode(MaxMeta)
		if got := decodeMeta(b); got != c.want || len(b) > MaxMeta {
			t.Errorf("%d bytes: %+v", len(b), got)
		}
	}
	if m := decodeMeta([]byte(`{"r":"active","future":[1,2]}`)); m.Role != "active" {
		t.Errorf("a later version: %+v", m)
	}
	for _, text := range []string{"", "x", `{"r":1}`, "\xff\x00"} {
		if m := decodeMeta([]byte(text)); m != (Meta{}) {
			t.Errorf("%q: %+v", text, m)
		}
	}
}

func TestLogging(t *testing.T) {
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	l.Printf("[ERR] memberlist: Failed %s", "x")
	l.Printf("[WARN] memberlist: Refuting")
	l.Printf("[INFO] memberlist: Suspect")
	l.Printf("[DEBUG] memberlist: Stream")
	want := "level=WARN msg=gossip message=\"Failed x\"\nlevel=INFO msg=gossip message=Refuting\nlevel=DEBUG msg=gossip message=Suspect\nlevel=DEBUG msg=gossip message=Stream\n"
	if out.String() != want {
		t.Errorf("%s", &out)
	}
}

func TestJoinErrors(t *testing.T) {
	key := keyFile(t)
	seeds := []Seed{{"a", "127.0.0.1:1"}, {"b", "127.0.0.1:2"}}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no key", Options{Name: "a", Members: seeds, Bind: "127.0.0.1:0", KeyFile: key + "x"}, "no such file"},
		{"not a member", Options{Name: "x", Members: seeds, Bind: "127.0.0.1:0", KeyFile: key}, "not among the members"},
		{"twice", Options{Name: "a", Members: append(seeds, seeds[1]), Bind: "127.0.0.1:0", KeyFile: key}, "given twice"},
		{"no address", Options{Name: "a", Members: seeds, Bind: "127.0.0.1", KeyFile: key}, "missing port"},
		{"a name", Options{Name: "a", Members: seeds, Bind: "host:1", KeyFile: key}, "an IP address is needed"},
		{"somebody else's", Options{Name: "a", Members: seeds, Bind: "192.0.2.1:0", KeyFile: key}, "join gossip on 192.0.2.1:0"},
	} {
		c.o.Preset, c.o.Logger = LAN, quiet
		if _, err := Join(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// BenchmarkDetection measures over loopback UDP and TCP how long a death takes to be found out by the
// only other member, by preset: milliseconds, of which the package's documentation gives the formula.
func BenchmarkDetection(b *testing.B) {
	for _, p := range []Preset{Local, LAN, WAN} {
		b.Run(p.Name, func(b *testing.B) {
			least, most, sum := time.Hour, time.Duration(0), time.Duration(0)
			n := 0
			for b.Loop() {
				took := detect(b, p)
				least, most, sum, n = min(least, took), max(most, took), sum+took, n+1
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(least.Milliseconds()), "ms-min")
			b.ReportMetric(float64(most.Milliseconds()), "ms-max")
			b.ReportMetric(float64((sum / time.Duration(n)).Milliseconds()), "ms-mean")
		})
	}
}

func detect(b *testing.B, p Preset) time.Duration {
	b.Helper()
	key := keyFile(b)
	dead, alive := make(chan struct{}, 1), make(chan struct{}, 1)
	start := func(name string, seeds []Seed, bind string, on func(Event)) *Cluster {
		c, err := Join(Options{Name: name, Members: seeds, Bind: bind, KeyFile: key, Preset: p, Logger: quiet, OnEvent: on})
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	second := start("b", []Seed{{"a", "127.0.0.1:1"}, {"b", "127.0.0.1:0"}}, "127.0.0.1:0", nil)
	address := fmt.Sprintf("127.0.0.1:%d", second.list.LocalNode().Port)
	first := start("a", []Seed{{"a", "127.0.0.1:0"}, {"b", address}}, "127.0.0.1:0", func(e Event) {
		switch e.Member.State {
		case Alive:
			poke(alive)
		case Dead:
			poke(dead)
		}
	})
	<-alive
	<-time.After(p.ProbeInterval + rand.N(p.ProbeInterval)) // any phase
	died := time.Now()
	second.Stop()
	<-dead
	took := time.Since(died)
	first.Stop()
	return took
}
