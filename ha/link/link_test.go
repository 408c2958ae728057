package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bprelay/ha/creds"
)

// cluster makes the credentials of members.
func cluster(t testing.TB, names ...string) map[string]*creds.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cluster")
	if _, err := creds.Create(creds.Plan{Dir: dir, Members: names, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	list := map[string]*creds.Identity{}
	for _, n := range names {
		i, err := creds.Load(creds.Options{
			Name: n, Members: names, CA: filepath.Join(dir, creds.CAFile),
			Cert: filepath.Join(dir, creds.CertFile(n)), Key: filepath.Join(dir, creds.KeyFile(n)),
		})
		if err != nil {
			t.Fatal(err)
		}
		list[n] = i
	}
	return list
}

// end is one side of a link, with all that its handler was told.
type end struct {
	*Link
	acceptor *Acceptor
	off      atomic.Bool // the machine is gone

	mu     sync.Mutex
	events []string
	got    [][]byte
	isUp   bool
	count  uint64
	wrong  string
}

func (e *end) handler() Handler {
	return Handler{
		Up: func(connection uint64) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.isUp {
				e.wrong = "up twice"
			}
			if e.count++; connection != e.count {
				e.wrong = "a connection that is not counted"
			}
			e.isUp = true
			e.events = append(e.events, "up")
		},
		Down: func(r Reason) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if !e.isUp {
				e.wrong = "down twice"
			}
			e.isUp = false
			e.events = append(e.events, "down "+string(r))
		},
		Message: func(b []byte) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if !e.isUp {
				e.wrong = "a message while down"
			}
			e.got = append(e.got, b)
		},
	}
}

func (e *end) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.events) == 0 {
		return ""
	}
	return e.events[len(e.events)-1]
}

func (e *end) messages() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.got)
}

func (e *end) close() {
	if e.Link != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		e.Close(ctx)
	}
	if e.acceptor != nil {
		e.acceptor.Close()
	}
}

var quiet = slog.New(slog.DiscardHandler)

// start starts one side on a network in memory. It listens under its own name.
func start(t *testing.T, n *network, me *creds.Identity, peer string, change func(*Config)) *end {
	t.Helper()
	e := &end{acceptor: serve(n.listen(me.Name()), ListenConfig{Identity: me, Logger: quiet})}
	c := Config{
		Identity: me, Peer: peer, Dial: peer, Acceptor: e.acceptor, Timing: LAN, Logger: quiet,
		Dialer: func(ctx context.Context, address string) (net.Conn, error) {
			if e.off.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return n.dial(ctx, me.Name(), address)
		},
	}
	if change != nil {
		change(&c)
	}
	var err error
	if e.Link, err = Open(c, e.handler()); err != nil {
		t.Fatal(err)
	}
	return e
}

// pair runs a test with two sides in virtual time.
func pair(t *testing.T, change func(*Config), f func(t *testing.T, n *network, a, b *end)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		ids := cluster(t, "a", "b")
		a, b := start(t, n, ids["a"], "b", change), start(t, n, ids["b"], "a", change)
		wait(time.Second)
		f(t, n, a, b)
		a.close()
		b.close()
		for _, e := range []*end{a, b} {
			if e.wrong != "" {
				t.Errorf("%s: %q", e.wrong, e.events)
			}
		}
	})
}

// wait lets virtual time pass.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// agree reports whether both sides have the same connection.
func agree(a, b *end) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	return a.isUp && b.isUp && a.lastID == b.lastID
}

func TestUp(t *testing.T) {
	pair(t, nil, func(t *testing.T, n *network, a, b *end) {
		if !agree(a, b) || n.live() != 1 {
			t.Fatalf("a %q, b %q, %d connections", a.events, b.events, n.live())
		}
		var want [][]byte
		for i := range 200 {
			m := bytes.Repeat([]byte{byte(i)}, i*i)
			want = append(want, bytes.Clone(m))
			if err := a.Send(m); err != nil {
				t.Fatal(err)
			}
			for j := range m {
				m[j] = 0xff // Send took a copy
			}
			if err := b.Send(want[i]); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Second)
		for name, e := range map[string]*end{"a": a, "b": b} {
			if len(e.got) != len(want) {
				t.Fatalf("%s got %d messages", name, len(e.got))
			}
			for i := range want {
				if !bytes.Equal(e.got[i], want[i]) {
					t.Fatalf("%s: message %d is wrong", name, i)
				}
			}
			if st := e.Status(); !st.Up || st.RTT <= 0 || st.RTT > 10*time.Millisecond || st.Ups != 1 || st.Sent != 200 || st.Received != 200 {
				t.Errorf("%s: %+v", name, st)
			}
		}
		wait(time.Hour)
		if len(a.events) != 1 || len(b.events) != 1 {
			t.Errorf("an hour later: a %q, b %q", a.events, b.events)
		}
	})
}

// Either way through a firewall will do.
func TestOneWayDial(t *testing.T) {
	for _, who := range []string{"a", "b"} {
		pair(t, func(c *Config) {
			if c.Identity.Name() != who {
				c.Dial = ""
			}
		}, func(t *testing.T, n *network, a, b *end) {
			if !agree(a, b) {
				t.Errorf("%s dials: a %q, b %q", who, a.events, b.events)
			}
		})
	}
}

// TestSilence: whatever way the bytes stop, both sides know within the timeout.
func TestSilence(t *testing.T) {
	for _, cut := range []struct {
		name     string
		from, to []string
	}{{"both ways", []string{"a", "b"}, []string{"b", "a"}}, {"a to b", []string{"a"}, []string{"b"}}, {"b to a", []string{"b"}, []string{"a"}}} {
		pair(t, nil, func(t *testing.T, n *network, a, b *end) {
			for i := range cut.from {
				n.cut(cut.from[i], cut.to[i])
			}
			before := time.Now()
			for a.Status().Up || b.Status().Up {
				wait(time.Millisecond)
				if time.Since(before) > time.Minute {
					t.Fatalf("%s: a %q, b %q", cut.name, a.events, b.events)
				}
			}
			took := time.Since(before)
			if took > LAN.Timeout+5*time.Millisecond || took < LAN.Timeout-LAN.Heartbeat-5*time.Millisecond {
				t.Errorf("%s: %v", cut.name, took)
			}
			if err := a.Send([]byte("x")); !errors.Is(err, ErrDown) {
				t.Errorf("%s: send: %v", cut.name, err)
			}
			n.heal()
			wait(3 * time.Second)
			if !agree(a, b) || n.live() != 1 {
				t.Errorf("%s, healed: a %q, b %q, %d connections", cut.name, a.events, b.events, n.live())
			}
			if a.messages()+b.messages() != 0 {
				t.Errorf("%s: something was delivered late", cut.name)
			}
		})
	}
}

// Who did not notice yet that the connection is another one cannot send on it by mistake.
func TestSendOn(t *testing.T) {
	pair(t, nil, func(t *testing.T, n *network, a, b *end) {
		if err := a.SendOn(1, []byte("first")); err != nil {
			t.Error(err)
		}
		wait(10 * time.Millisecond)
		n.reset()
		wait(3 * time.Second)
		old, now := a.SendOn(1, []byte("old")), a.SendOn(2, []byte("second"))
		wait(10 * time.Millisecond)
		if !errors.Is(old, ErrDown) || now != nil || b.messages() != 2 || string(b.got[1]) != "second" {
			t.Errorf("%v, %v, %q", old, now, b.got)
		}
	})
}

// Connections that say nothing keep no member out.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		ids := cluster(t, "a", "b")
		a := start(t, n, ids["a"], "b", func(c *Config) { c.Dial = "" })
		var crowd []net.Conn
		for range 3 * maxStrangers {
			c, err := n.dial(t.Context(), "x", "a")
			if err != nil {
				t.Fatal(err)
			}
			crowd = append(crowd, c)
		}
		b := start(t, n, ids["b"], "a", nil)
		wait(100 * time.Millisecond)
		if !agree(a, b) {
			t.Errorf("a %q, b %q", a.events, b.events)
		}
		wait(strangerTimeout)
		if n.live() != 1 {
			t.Errorf("%d connections", n.live())
		}
		for _, c := range crowd {
			_ = c.Close()
		}
		a.close()
		b.close()
	})
}

// What was sent into a cut is not delivered when it heals, not even when that is just before the end.
func TestNothingIsDeliveredLate(t *testing.T) {
	pair(t, nil, func(t *testing.T, n *network, a, b *end) {
		n.cut("a", "b")
		if err := a.Send([]byte("late")); err != nil {
			t.Fatal(err)
		}
		wait(LAN.Timeout + 10*time.Millisecond)
		n.heal()
		wait(5 * time.Second)
		if b.messages() != 0 || !agree(a, b) {
			t.Errorf("%d messages; a %q, b %q", b.messages(), a.events, b.events)
		}
	})
}

func TestClose(t *testing.T) {
	pair(t, nil, func(t *testing.T, n *network, a, b *end) {
		for range 100 {
			if err := a.Send(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		a.close()
		synctest.Wait()
		if a.last() != "down closed" || b.last() != "down left" || b.messages() != 100 {
			t.Errorf("a %q, b %q, which got %d", a.events, b.events, b.messages())
		}
		if err := a.Send([]byte("x")); !errors.Is(err, ErrDown) {
			t.Errorf("send: %v", err)
		}
	})
}

func TestOverflow(t *testing.T) {
	pair(t, func(c *Config) { c.MaxMessage, c.QueueBytes = 1000, 10_000 }, func(t *testing.T, n *network, a, b *end) {
		if err := a.Send(make([]byte, 1001)); !errors.Is(err, ErrTooLarge) || !a.Status().Up {
			t.Errorf("too large: %v", err)
		}
		n.cut("a", "b")
		var err error
		sent := 0
		for ; err == nil && sent < 100; sent++ {
			err = a.Send(make([]byte, 1000))
		}
		if !errors.Is(err, ErrOverflow) || sent < 9 {
			t.Errorf("after %d: %v", sent, err)
		}
		if err := a.Send(nil); !errors.Is(err, ErrDown) && !errors.Is(err, ErrOverflow) {
			t.Errorf("then: %v", err)
		}
		synctest.Wait()
		if a.last() != "down overflow" {
			t.Errorf("a %q", a.events)
		}
		n.heal()
		wait(3 * time.Second)
		if !agree(a, b) {
			t.Errorf("then: a %q, b %q", a.events, b.events)
		}
	})
}

// A peer that was restarted is taken at once, whatever is left of the old connection.
func TestRestart(t *testing.T) {
	for _, who := range []string{"a", "b"} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(1)
			ids := cluster(t, "a", "b")
			ends := map[string]*end{"a": start(t, n, ids["a"], "b", nil), "b": start(t, n, ids["b"], "a", nil)}
			wait(time.Second)
			old, other := ends[who], ends[map[string]string{"a": "b", "b": "a"}[who]]
			old.off.Store(true)
			n.freeze(who) // the machine is gone: no reset, no byte
			ends[who] = start(t, n, ids[who], other.cfg.Identity.Name(), nil)
			wait(100 * time.Millisecond)
			if !agree(ends[who], other) || other.Status().Last != Replaced {
				t.Errorf("%s restarted: it %q, the other %q", who, ends[who].events, other.events)
			}
			old.close()
			other.close()
			ends[who].close()
		})
	}
}

// Who lost a connection without the other side hearing of it says so with the next one, which is then
// taken at once.
func TestLost(t *testing.T) {
	pair(t, nil, func(t *testing.T, n *network, a, b *end) {
		n.change(func() { n.swallow = true })
		n.cut("a", "b")
		before := time.Now()
		for b.Status().Up {
			wait(time.Millisecond)
		}
		n.heal()
		for !agree(a, b) && time.Since(before) < time.Second {
			wait(time.Millisecond)
		}
		// b's pings came until it closed: a would wait for the whole timeout from then on.
		if took := time.Since(before); took > LAN.Timeout+150*time.Millisecond || a.Status().Last != Replaced {
			t.Errorf("it took %v; a %q, b %q", took, a.events, b.events)
		}
	})
}

// A dial that was under way when the link came up changes nothing.
func TestLateDial(t *testing.T) {
	for _, slow := range []string{"a", "b"} {
		pair(t, func(c *Config) {
			if dialer := c.Dialer; c.Identity.Name() == slow {
				c.Dialer = func(ctx context.Context, address string) (net.Conn, error) {
					conn, err := dialer(ctx, address)
					<-time.After(500 * time.Millisecond)
					return conn, err
				}
			}
		}, func(t *testing.T, n *network, a, b *end) {
			if len(a.events) != 1 || len(b.events) != 1 || !agree(a, b) || n.live() != 1 {
				t.Errorf("%s dials slowly: a %q, b %q, %d connections", slow, a.events, b.events, n.live())
			}
		})
	}
}

// A peer whose pings come, and that takes nothing, is no peer.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		ids := cluster(t, "a", "b")
		blocked := make(chan struct{})
		a := start(t, n, ids["a"], "b", nil)
		b := &end{acceptor: serve(n.listen("b"), ListenConfig{Identity: ids["b"], Logger: quiet})}
		h := b.handler()
		h.Message = func([]byte) { <-blocked }
		var err error
		if b.Link, err = Open(Config{Identity: ids["b"], Peer: "a", Acceptor: b.acceptor, Timing: LAN, Logger: quiet}, h); err != nil {
			t.Fatal(err)
		}
		wait(time.Second)
		before := time.Now()
		for range 100 {
			if err := a.Send(make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		for a.Status().Up && time.Since(before) < 10*time.Second {
			wait(time.Millisecond)
		}
		if took := time.Since(before); took > LAN.Timeout+10*time.Millisecond || a.last() != "down stuck" {
			t.Errorf("after %v: %q", took, a.events)
		}
		close(blocked)
		wait(3 * time.Second)
		if !agree(a, b) {
			t.Errorf("then: a %q, b %q", a.events, b.events)
		}
		a.close()
		b.close()
	})
}

// late is a connection whose bytes are found long after they came: the process was stopped.
type late struct {
	net.Conn
	by time.Duration
}

func (l late) Read(b []byte) (int, error) {
	<-time.After(l.by)
	return copy(b, "old"), nil
}

func (late) SetReadDeadline(time.Time) error { return nil }
func (late) SetDeadline(time.Time) error     { return nil }

func TestBytesFoundTooLateAreSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{Conn: late{by: time.Second}, timeout: time.Second}
		if err := w.watch(time.Now()); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Read(make([]byte, 10)); n != 3 || err != nil {
			t.Errorf("in time: %d, %v", n, err)
		}
		w.Conn = late{by: time.Second + 1}
		if n, err := w.Read(make([]byte, 10)); n != 0 || !errors.Is(err, errSilent) {
			t.Errorf("too late: %d, %v", n, err)
		}
	})
}

// A stranger, a peer with other presets, and rubbish never come up.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		ids, foreign := cluster(t, "a", "b", "c"), cluster(t, "a", "b")
		a := start(t, n, ids["a"], "b", func(c *Config) { c.Dial = "" })
		list := []*end{
			start(t, n, foreign["b"], "a", nil), // another cluster's
			start(t, n, ids["c"], "a", nil),     // a member, but not the peer
		}
		wait(20 * time.Second)
		slow := start(t, n, ids["b"], "a", func(c *Config) { c.Timing = WAN })
		c, err := n.dial(t.Context(), "x", "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		wait(20 * time.Second)
		for _, e := range append(list, slow, a) {
			if len(e.events) != 0 {
				t.Errorf("%s: %q", e.cfg.Identity.Name(), e.events)
			}
			e.close()
		}
		_ = c.Close()
		wait(strangerTimeout)
		if n.live() != 0 {
			t.Errorf("%d connections are left", n.live())
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	ids := cluster(t, "a", "b")
	acceptor, err := Listen(ListenConfig{Address: "127.0.0.1:0", Identity: ids["a"], Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer acceptor.Close()
	for name, c := range map[string]Config{
		"to itself":  {Identity: ids["a"], Peer: "a", Dial: "x:1", Timing: LAN},
		"no way":     {Identity: ids["a"], Peer: "b", Timing: LAN},
		"no timing":  {Identity: ids["a"], Peer: "b", Dial: "x:1"},
		"bad timing": {Identity: ids["a"], Peer: "b", Dial: "x:1", Timing: Timing{time.Second, time.Second, time.Second}},
		"nobody":     {Peer: "b", Dial: "x:1", Timing: LAN},
	} {
		if _, err := Open(c, Handler{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	l, err := Open(Config{Identity: ids["a"], Peer: "b", Acceptor: acceptor, Timing: LAN}, Handler{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	if _, err := Open(Config{Identity: ids["a"], Peer: "b", Acceptor: acceptor, Timing: LAN}, Handler{}); err == nil {
		t.Error("two links to one peer")
	}
}

// TestChaos plays cuts, one-way cuts, resets, freezes with restarts, and delays, and wants: both sides
// agree soon after, exactly one connection is left, handlers are called in order, and what arrives is
// what was sent over the same connection, whole and in order, with no gap.
func TestChaos(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	for round := range uint64(8) {
		synctest.Test(t, func(t *testing.T) { chaos(t, seed+round) })
	}
}

func chaos(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	n := newNetwork(seed)
	ids := cluster(t, "a", "b")
	ends := map[string]*end{"a": start(t, n, ids["a"], "b", nil), "b": start(t, n, ids["b"], "a", nil)}
	names := []string{"a", "b"}
	var all []*end
	count := 0
	for range 40 {
		x := r.IntN(2)
		switch r.IntN(6) {
		case 0:
			n.cut(names[x], names[1-x])
		case 1:
			n.cut("a", "b")
			n.cut("b", "a")
		case 2:
			n.reset()
		case 3:
			n.heal()
		case 4:
			n.slow(time.Duration(r.IntN(50)) * time.Millisecond)
		case 5:
			if r.IntN(3) == 0 {
				ends[names[x]].off.Store(true)
				n.freeze(names[x])
				all = append(all, ends[names[x]])
				ends[names[x]] = start(t, n, ids[names[x]], names[1-x], nil)
			}
		}
		for range r.IntN(20) {
			e := ends[names[r.IntN(2)]]
			count++
			_ = e.Send(fmt.Appendf(nil, "%d", count)) // it may be down
			wait(time.Duration(r.IntN(30)) * time.Millisecond)
		}
	}
	n.slow(0)
	n.heal()
	wait(10 * time.Second)
	a, b := ends["a"], ends["b"]
	if !agree(a, b) || n.live() != 1 {
		t.Errorf("seed %d: a %q, b %q, %d connections", seed, a.last(), b.last(), n.live())
	}
	for _, e := range append(all, a, b) {
		if e.wrong != "" {
			t.Errorf("seed %d: %s", seed, e.wrong)
		}
		before := 0
		for _, m := range e.got {
			var k int
			if _, err := fmt.Sscan(string(m), &k); err != nil || k <= before {
				t.Errorf("seed %d: message %q after %d", seed, m, before)
			}
			before = k
		}
		e.close()
	}
	wait(time.Minute)
	if n.live() != 0 {
		t.Errorf("seed %d: %d connections are left", seed, n.live())
	}
}
