package quorum

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// serving brings a candidate for every slot while something is done, and fails if one is not shown within the
// limit.
func (r *rig) serving(limit time.Duration, do func()) {
	r.t.Helper()
	done := make(chan bool)
	go func() {
		defer close(done)
		do()
	}()
	for slot := slotNow(); ; slot++ {
		cl := claimOf(slot, 1)
		for _, rr := range r.relays {
			rr.candidate(cl, []byte("frame"))
		}
		r.until("the slot served", limit, func() bool { return r.pub.by(cl) >= 1 })
		select {
		case <-done:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func voters(n *Node) (list []string) {
	for _, s := range n.instance().raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter {
			list = append(list, nameOf(s.ID))
		}
	}
	slices.Sort(list)
	return list
}

// votes waits until a member knows that these vote.
func (r *rig) votes(name string, want ...string) {
	r.t.Helper()
	r.until("the right ones vote", 100*time.Millisecond, func() bool { return slices.Equal(voters(r.nodes[name]), want) })
}

func TestAddRemoveReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := append(slices.Clone(members3), Member{Name: "c", Address: "c:1"}, Member{Name: "y", Address: "y:1", Witness: true})
		r := newRig(t, members3)
		defer r.finish()
		r.start()
		r.make("a")
		sleep(time.Second)
		r.members = more
		for _, name := range []string{"c", "y"} {
			r.disks[name] = newDisk()
			r.mesh.port(name)
		}
		for _, n := range r.nodes {
			if err := n.SetMembers(more); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.nodes["b"].Add(ctx, "z"); err == nil || !strings.Contains(err.Error(), "not configured") {
			t.Errorf("a stranger: %v", err)
		}
		r.up("c")
		r.up("y")
		sleep(2 * time.Second)
		if got := voters(r.nodes["a"]); !slices.Equal(got, []string{"a", "b", "w"}) || !r.nodes["c"].instance().empty() {
			t.Fatalf("%v vote before anybody was added", got)
		}
		r.serving(150*time.Millisecond, func() {
			if err := r.nodes["b"].Add(ctx, "c"); err != nil {
				t.Error(err)
			}
			if err := r.nodes["w"].Replace(ctx, "w", "y"); err != nil {
				t.Error(err)
			}
		})
		r.votes("a", "a", "b", "c", "y")
		r.end("w")
		r.serving(150*time.Millisecond, func() {
			if err := r.nodes["b"].Remove(ctx, "a"); err != nil { // the leader
				t.Error(err)
			}
		})
		r.votes("b", "b", "c", "y")
		if role, _ := r.relays["a"].is(); role == Active {
			t.Error("who was removed is active")
		}
		r.end("a")
		r.serving(150*time.Millisecond, func() {})
		if err := r.nodes["c"].Remove(ctx, "y"); err != nil {
			t.Error(err)
		}
		if err := r.nodes["c"].Remove(ctx, "b"); err == nil || !strings.Contains(err.Error(), "is needed") {
			t.Errorf("one would be left: %v", err)
		}
		r.agree2("b", "c")
	})
}

// agree2 is agree for some.
func (r *rig) agree2(names ...string) {
	r.t.Helper()
	r.until("the same state", 5*time.Second, func() bool {
		x, y := r.nodes[names[0]].instance().machine, r.nodes[names[1]].instance().machine
		_, _, a := x.present()
		_, _, b := y.present()
		return a == b
	})
}

// A member that lost its directory founds nothing, and does not vote as the one it was; the leader takes
// it back.
func TestLostDirectory(t *testing.T) {
	for _, lost := range []string{"a", "b", "w"} { // a founded the cluster
		bubble(t, members3, func(r *rig) {
			r.make("b")
			cl := claimOf(slotNow(), 1)
			for _, rr := range r.relays {
				rr.candidate(cl, []byte("frame"))
			}
			r.until("shown by both", time.Second, func() bool { return r.pub.by(cl) == 2 })
			r.down(lost)
			old := r.disks[lost].birth
			r.disks[lost] = newDisk()
			r.up(lost)
			r.until("it hears of the cluster", 5*time.Second, func() bool {
				in := r.nodes[lost].instance()
				return in != nil && !in.empty()
			})
			if last := r.nodes[lost].instance().raft.LastIndex(); last == 1 {
				t.Errorf("%s founded a cluster of its own", lost)
			}
			r.until("it votes again", 5*time.Second, func() bool {
				l := r.leader()
				if l == "" || l == lost {
					return false
				}
				s, ok := r.nodes[l].instance().server(lost)
				return ok && s.Suffrage == raft.Voter && s.ID != serverID(lost, old)
			})
			r.agree()
			if n := len(voters(r.nodes["w"])); n != 3 {
				t.Errorf("%d vote", n)
			}
			// It counts: with another one gone the cluster goes on.
			r.down(map[string]string{"a": "w", "b": "a", "w": "a"}[lost])
			next := claimOf(slotNow()+p2pwire.Slot(20), 1)
			for _, rr := range r.relays {
				rr.candidate(next, []byte("frame"))
			}
			r.until("the next slot served", 3*time.Second, func() bool { return r.pub.by(next) >= 1 })
		})
	}
}

// What a member and one that lost its directory have decided together stays decided: the empty directory has
// no vote in the other's place.
func TestLostDirectoryDoesNotVote(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		r.mesh.isolate("w", true)
		first := claimOf(slotNow(), 1)
		for _, rr := range r.relays {
			rr.candidate(first, []byte("frame"))
		}
		r.until("shown by both", time.Second, func() bool { return r.pub.by(first) == 2 })
		r.down("b")
		r.down("a")
		r.disks["a"] = newDisk()
		r.mesh.heal()
		r.up("a")
		r.relays["a"].candidate(claimOf(first.Slot, 2), []byte("another"))
		for range 100 {
			sleep(100 * time.Millisecond)
			if l := r.leader(); l != "" {
				t.Fatalf("%s leads with the votes of w and an empty directory", l)
			}
		}
		if in := r.nodes["a"].instance(); !in.empty() {
			t.Error("it took part in the place of the one it was")
		}
		r.up("b")
		r.until("somebody active", 5*time.Second, func() bool { return r.active() != "" })
		r.until("a votes again", 5*time.Second, func() bool { return len(voters(r.nodes["a"])) == 3 })
		r.agree()
		if d := r.nodes["a"].instance().machine.decision(first.Producer, first.Slot); d.Winner != first.ID {
			t.Errorf("%+v", d)
		}
	})
}

// A member that was away for long is up to date at once when it is back.
func TestBackAfterLong(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		r.mesh.isolate("b", true)
		sleep(2 * time.Minute)
		cl := claimOf(slotNow(), 1)
		r.relays["a"].candidate(cl, []byte("frame"))
		r.until("shown by a", time.Second, func() bool { return r.pub.by(cl) == 1 })
		r.mesh.heal()
		r.until("shown by both", 700*time.Millisecond, func() bool { return r.pub.by(cl) == 2 })
		if r.active() != "a" {
			t.Errorf("active: %q", r.active())
		}
	})
}

// So is one for which a snapshot stands for the log.
func TestBackBySnapshot(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		r.mesh.isolate("b", true)
		var last Claim
		for i := range p2pwire.Slot(3 * trailing) {
			last = claimOf(slotNow()+i, 1)
			last.Foreign = i%7 == 0
			if _, err := r.nodes["a"].propose(context.Background(), (&entry{kind: kindClaim, claim: last}).encode()); err != nil {
				t.Fatal(err)
			}
		}
		r.relays["a"].with(func() { r.relays["a"].blocks[last.ID] = []byte("frame") })
		if err := r.nodes["a"].instance().raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		r.mesh.heal()
		r.until("b has it", 2*time.Second, func() bool {
			return r.nodes["b"].instance().machine.decision(last.Producer, last.Slot).Known
		})
		r.agree()
		rr := r.relays["b"]
		r.until("b adopted it, and got the bytes", time.Second, func() bool {
			ok := false
			rr.with(func() { ok = rr.blocks[last.ID] != nil })
			return ok || last.Foreign
		})
	})
}
