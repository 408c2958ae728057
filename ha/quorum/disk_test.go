package quorum

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// aside is why a member takes no part; empty: it does.
func (r *rig) aside(name string) string {
	n := r.nodes[name]
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.alarm
}

// A leader whose disk is full steps aside with an alarm, the other takes over, and it comes back by itself.
func TestDiskFull(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		r.disks["a"].set(errors.New("no space left on device"))
		cl := claimOf(slotNow(), 1)
		for _, rr := range r.relays {
			rr.candidate(cl, []byte("frame"))
		}
		r.until("served by b", time.Second, func() bool { return r.pub.by(cl) >= 1 })
		if why := r.aside("a"); !strings.Contains(why, "no space left") {
			t.Errorf("why: %q", why)
		}
		if r.active() != "b" {
			t.Errorf("active: %q", r.active())
		}
		r.disks["a"].set(nil)
		r.until("a back", 6*time.Second, func() bool { return r.aside("a") == "" })
		r.agree()
		r.until("a shows it, too", time.Second, func() bool { return r.pub.by(cl) == 2 })
	})
}

// A leader whose disk hangs would lead on by its heartbeats alone.
func TestDiskHangs(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		goOn := r.disks["a"].hang()
		cl := claimOf(slotNow(), 1)
		for _, rr := range r.relays {
			rr.candidate(cl, []byte("frame"))
		}
		r.until("served by b", time.Second, func() bool { return r.pub.by(cl) >= 1 })
		if why := r.aside("a"); why != "the disk does not answer" {
			t.Errorf("why: %q", why)
		}
		sleep(3 * time.Second)
		goOn()
		r.until("a back", 2*time.Second, func() bool { return r.aside("a") == "" })
		r.agree()
	})
}

// A slow disk on the leader costs every claim: the role goes to a relay with a faster one.
func TestDiskSlow(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		d := r.disks["a"]
		d.mu.Lock()
		d.slow = 80 * time.Millisecond
		d.mu.Unlock()
		began := time.Now()
		for i := range p2pwire.Slot(40) {
			cl := claimOf(slotNow()+i, 1)
			for _, rr := range r.relays {
				rr.candidate(cl, []byte("frame"))
			}
			sleep(500 * time.Millisecond)
			if r.active() == "b" {
				break
			}
		}
		if r.active() != "b" {
			t.Fatalf("active: %q", r.active())
		}
		t.Logf("handed on after %s", time.Since(began))
	})
}

// A disk that forgets what it confirmed: the member must not vote with it again.
func TestDiskLies(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		for i := range p2pwire.Slot(5) {
			cl := claimOf(slotNow()+i, 1)
			r.relays["a"].candidate(cl, []byte("frame"))
			r.until("shown", time.Second, func() bool { return r.pub.by(cl) == 2 })
		}
		d := r.disks["b"]
		last, err := d.LastIndex()
		if err != nil {
			t.Fatal(err)
		}
		d.set(errors.New("input/output error"))
		r.relays["a"].candidate(claimOf(slotNow()+50, 1), []byte("frame"))
		r.until("b aside", time.Second, func() bool { return r.aside("b") != "" })
		if err := d.InmemStore.DeleteRange(last-1, last+1); err != nil {
			t.Fatal(err)
		}
		d.set(nil)
		r.until("found out", 6*time.Second, func() bool { return strings.Contains(r.aside("b"), "lost what it had confirmed") })
		sleep(10 * time.Second)
		if r.nodes["b"].instance() != nil {
			t.Error("it takes part again")
		}
		// With an empty directory it joins anew.
		r.down("b")
		r.disks["b"] = newDisk()
		r.up("b")
		r.until("b back", 5*time.Second, func() bool { in := r.nodes["b"].instance(); return in != nil && !in.empty() })
		r.agree()
	})
}

func TestGuard(t *testing.T) {
	d := newDisk()
	var broken []error
	g := &guard{store: d, broken: func(err error) { broken = append(broken, err) }}
	for i := uint64(1); i <= 5; i++ {
		if err := g.StoreLog(&raft.Log{Index: i, Term: 1, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.SetUint64(keyTerm, 3); err != nil {
		t.Fatal(err)
	}
	if p := g.promised(); p != (promise{5, 3}) || p.kept(d) != nil {
		t.Errorf("promised %+v: %v", p, p.kept(d))
	}
	if err := g.DeleteRange(4, 5); err != nil || g.promised().last != 3 {
		t.Errorf("after a cut: %+v, %v", g.promised(), err)
	}
	if err := (promise{4, 3}).kept(d); !errors.Is(err, errLied) {
		t.Errorf("a lost entry: %v", err)
	}
	if err := (promise{3, 4}).kept(d); !errors.Is(err, errLied) {
		t.Errorf("a lost term: %v", err)
	}
	var l raft.Log
	if err := g.GetLog(9, &l); !errors.Is(err, raft.ErrLogNotFound) || len(broken) > 0 {
		t.Errorf("beyond the end: %v, %v", err, broken)
	}
	if err := d.InmemStore.DeleteRange(2, 2); err != nil {
		t.Fatal(err)
	}
	if err := g.GetLog(2, &l); !errors.Is(err, errHole) || len(broken) != 1 {
		t.Errorf("a hole: %v, %v", err, broken)
	}
	// The first error is the last word.
	if err := g.StoreLog(&raft.Log{Index: 6}); !errors.Is(err, errHole) {
		t.Errorf("after a hole: %v", err)
	}
	if err := g.Set([]byte("k"), nil); !errors.Is(err, errHole) || len(broken) != 1 {
		t.Errorf("after a hole: %v, %v", err, broken)
	}
	g.running.Store(true)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		_ = g.SetUint64(keyTerm, 9)
		t.Error("raft's goroutine goes on, and panics")
	}()
	<-ended
}

// onDisk makes the rig's members keep their state in real directories.
func (r *rig) onDisk(t *testing.T) map[string]string {
	dirs := map[string]string{}
	for _, m := range r.members {
		dirs[m.Name] = filepath.Join(t.TempDir(), m.Name)
	}
	r.alter = func(o *Options) {
		_ = o.home.lock.Close()
		o.home, o.open, o.Dir = nil, nil, dirs[o.Name]
	}
	return dirs
}

// All members end and start again from their directories, in the middle of it and after snapshots.
func TestRestartFromDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, members3)
		defer r.finish()
		dirs := r.onDisk(t)
		r.start()
		var claims []Claim
		serve := func(n int) {
			for range n {
				cl := claimOf(p2pwire.Slot(200+len(claims)), 1)
				claims = append(claims, cl)
				for _, rr := range r.relays {
					rr.candidate(cl, []byte("frame"))
				}
				r.until("shown", 2*time.Second, func() bool { return r.pub.by(cl) == 2 })
			}
		}
		for round := range 3 {
			r.awaitActive()
			serve(20)
			if round == 1 {
				for _, n := range r.nodes {
					if err := n.instance().raft.Snapshot().Error(); err != nil {
						t.Fatal(err)
					}
				}
			}
			serve(5)
			for name := range dirs {
				r.end(name)
			}
			for name := range dirs {
				r.up(name)
			}
			r.awaitActive()
			r.agree()
			for _, n := range r.nodes {
				for _, cl := range claims {
					if d := n.instance().machine.decision(cl.Producer, cl.Slot); d.Winner != cl.ID {
						t.Fatalf("slot %d was forgotten: %+v", cl.Slot, d)
					}
				}
			}
		}
		// What they told their relays after the restart is what was decided.
		r.until("adopted again", time.Second, func() bool {
			ok := false
			rr := r.relays["b"]
			rr.with(func() { ok = rr.mine[claims[len(claims)-1].Slot] == claims[len(claims)-1].ID })
			return ok
		})
	})
}

// The log is bounded: by entries, and by bytes.
func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, members3)
		defer r.finish()
		dirs := r.onDisk(t)
		r.start()
		a := r.awaitActive()
		for i := range p2pwire.Slot(40) {
			e := entry{kind: kindClaim, claim: claimOf(200+i, 1), block: make([]byte, 1<<20)}
			if _, err := r.nodes[a].propose(context.Background(), e.encode()); err != nil {
				t.Fatal(err)
			}
			sleep(100 * time.Millisecond)
		}
		in := r.nodes[a].instance()
		r.until("a snapshot", 5*time.Second, func() bool { return in.raft.Stats()["last_snapshot_index"] != "0" })
		for i := range p2pwire.Slot(800) {
			e := entry{kind: kindClaim, claim: claimOf(300+i, 1)}
			if _, err := r.nodes[a].propose(context.Background(), e.encode()); err != nil {
				t.Fatal(err)
			}
		}
		sleep(2 * time.Minute)
		first, err := in.guard.FirstIndex()
		last, err2 := in.guard.LastIndex()
		if err != nil || err2 != nil || last-first > trailing+snapshotAfter+50 {
			t.Errorf("the log goes from %d to %d: %v, %v", first, last, err, err2)
		}
		var size int64
		err = filepath.Walk(dirs[a], func(_ string, info os.FileInfo, err error) error {
			if err == nil && !info.IsDir() {
				size += info.Size()
			}
			return err
		})
		if err != nil || size > 120<<20 {
			t.Errorf("%d MiB on disk: %v", size>>20, err)
		}
		t.Logf("%d entries, %d MiB on disk", last-first+1, size>>20)
	})
}

func TestHomeIsItsMembers(t *testing.T) {
	dir := t.TempDir()
	h, err := openHome(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	birth := h.birth
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	if h, err = openHome(dir, "a"); err != nil || h.birth != birth {
		t.Fatalf("%v: born again", err)
	}
	s, _, err := h.open(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.StoreLogs([]*raft.Log{{Index: 1, Term: 1}}), s.Close(), h.close()); err != nil {
		t.Fatal(err)
	}
	h.room = 1 << 62
	if _, _, err := h.open(hclog.NewNullLogger()); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
	path := filepath.Join(dir, birthName)
	if err := os.WriteFile(path, []byte("a xyz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(dir, "a"); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged name: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(dir, "a"); err == nil || !strings.Contains(err.Error(), "join anew") {
		t.Errorf("a missing name: %v", err)
	}
}
