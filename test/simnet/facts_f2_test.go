package simnet

import (
	"testing"
	"time"

	"bprelay/p2pwire"
)

// f2Rig is A public and B behind a gate, both producing as bpalpha.
func f2Rig(t *testing.T, mode Mode, flat bool) (*rig, *gate) {
	t.Helper()
	r := newRig(t, mode, 2)
	r.network(producers[1:]...)
	r.start(Config{Name: "obs", Peers: []string{"beta", "gamma", "delta"}, VoteThreads: 2})
	r.start(Config{Name: "A", Peers: []string{"beta", "obs"}, Producers: []string{"bpalpha"}, Finalizers: []string{"bpalpha"}, FlatCPU: flat})
	g := newGate(r, "obs")
	r.start(Config{Name: "B", Peers: []string{"gate"}, Producers: []string{"bpalpha"}, Finalizers: []string{"bpalpha"}, FlatCPU: flat})
	return r, g
}

// warmUp is a round of every producer.
const warmUp = 25 * time.Second

var modes = []Mode{Legacy, Savanna}

// TestF2Identical: with nothing to differ about, both make the same block ids in
// all 12 slots; transactions billed alike change nothing.
func TestF2Identical(t *testing.T) {
	for _, mode := range modes {
		for _, loaded := range []bool{false, true} {
			name := mode.String() + " empty blocks"
			if loaded {
				name = mode.String() + " transactions billed alike"
			}
			t.Run(name, func(t *testing.T) {
				r, _ := f2Rig(t, mode, true)
				if loaded {
					r.load("obs", 250*time.Millisecond, time.Hour)
				}
				r.w.Run(warmUp)
				round := r.round("bpalpha")
				r.toSlot(round+13, 0)
				for i := range p2pwire.Slot(12) {
					a, b := r.produced("A", round+i), r.produced("B", round+i)
					if len(a) != 1 || len(b) != 1 || a[0].ID != b[0].ID {
						t.Errorf("slot+%d: A made %d blocks, B %d, or they differ", i, len(a), len(b))
					}
				}
				if n := len(r.events("B", EventSwitched, warmUp)); n != 0 {
					t.Errorf("B switched forks %d times", n)
				}
			})
		}
	}
}

// TestF2Diverged: with transactions B leaves A's branch at the first block that
// differs and stays on its own to slot+11, though it has A's blocks; then it
// switches, in Savanna making a second block for slot+11 on A's slot+10.
func TestF2Diverged(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			r, _ := f2Rig(t, mode, false)
			r.load("obs", 250*time.Millisecond, time.Hour)
			r.w.Run(warmUp)
			round := r.round("bpalpha")
			r.toSlot(round+11, -452*time.Millisecond)
			b := r.nodes["B"]
			if !b.Producing() || b.ForkHead() == b.Head() && mode == Savanna {
				t.Errorf("producing %t; B does not know the better branch", b.Producing())
			}
			r.toSlot(round+16, 0)
			diverged := -1
			for i := range 12 {
				a, b := r.produced("A", round+p2pwire.Slot(i)), r.produced("B", round+p2pwire.Slot(i))
				if len(a) != 1 || len(b) == 0 {
					t.Fatalf("slot+%d: A made %d blocks, B %d", i, len(a), len(b))
				}
				if diverged < 0 && a[0].ID != b[0].ID {
					diverged = i
				}
				if i > 0 && b[0].Previous != r.produced("B", round+p2pwire.Slot(i)-1)[0].ID {
					t.Errorf("slot+%d of B does not extend its own slot+%d", i, i-1)
				}
				if diverged >= 0 && a[0].ID == b[0].ID {
					t.Errorf("B re-joined at slot+%d", i)
				}
			}
			if diverged < 0 || diverged > 1 {
				t.Errorf("diverged at slot+%d", diverged)
			}
			checkSecondBlock(t, r, mode, round)
			if !b.OnChain(r.nodes["obs"].Head().ID) && !r.nodes["obs"].OnChain(b.Head().ID) {
				t.Error("B is not back on the public chain")
			}
			if _, missed := r.onChain("obs", round-12, 28); len(missed) != 0 {
				t.Errorf("slots missed on the public chain: %v", missed)
			}
		})
	}
}

func checkSecondBlock(t *testing.T, r *rig, mode Mode, round p2pwire.Slot) {
	t.Helper()
	last := r.produced("B", round+11)
	switches := r.events("B", EventSwitched, last[0].at.Mono)
	if len(switches) == 0 {
		t.Fatal("B never switched")
	}
	if mode == Legacy {
		if len(last) != 1 {
			t.Errorf("B made %d blocks for slot+11", len(last))
		}
		return
	}
	if len(last) != 2 || last[1].Previous != r.produced("A", round+10)[0].ID {
		t.Fatalf("B made %d blocks for slot+11, or not on A's slot+10", len(last))
	}
	if after := last[1].at.Mono - last[0].at.Mono; after > 20*time.Millisecond {
		t.Errorf("second block after %v", after)
	}
	if early := time.Duration((round + 11).Time() - switches[0].at.Wall); early < 400*time.Millisecond {
		t.Errorf("first switch only %v before slot+11's timestamp", early)
	}
}

// TestF2Hidden: when A's blocks of the round do not reach B while it lasts, B
// stays until bpbeta's first one is unlinkable, and makes no second block.
func TestF2Hidden(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			r, g := f2Rig(t, mode, false)
			r.load("obs", 250*time.Millisecond, time.Hour)
			r.w.Run(warmUp)
			round := r.round("bpalpha")
			r.toSlot(round-1, -100*time.Millisecond)
			g.hide = true
			r.toSlot(round+11, 0)
			g.hide = false
			began := r.w.now
			if n := len(r.produced("B", round+11)); n != 1 {
				t.Errorf("%d blocks for slot+11", n)
			}
			r.toSlot(round+14, 200*time.Millisecond)
			if n := len(r.produced("B", round+11)); n != 1 {
				t.Errorf("%d blocks for slot+11 in the end", n)
			}
			unlinkable, switches := r.events("B", EventUnlinkable, began), r.events("B", EventSwitched, began)
			if len(unlinkable) == 0 || unlinkable[0].Slot != round+12 {
				t.Fatalf("unlinkable: %v", unlinkable)
			}
			if len(switches) != 1 || switches[0].at.Mono < unlinkable[0].at.Mono {
				t.Errorf("switches: %v", switches)
			}
			if !r.nodes["obs"].OnChain(r.nodes["B"].Head().ID) {
				t.Error("B is not back on the public chain")
			}
			if _, missed := r.onChain("obs", round-12, 26); len(missed) != 0 {
				t.Errorf("slots missed on the public chain: %v", missed)
			}
		})
	}
}

// TestF3 is when the blocks of a round leave: 37.5 ms times (i+1) early.
func TestF3(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, mode, 3)
			r.network(producers...)
			r.w.Run(30 * time.Second)
			for _, p := range producers {
				round := r.round(p)
				r.toSlot(round+12, 0)
				for i := range 12 {
					e := r.produced(short(p), round+p2pwire.Slot(i))
					if len(e) != 1 {
						t.Fatalf("%s slot+%d: %d blocks", p, i, len(e))
					}
					early := time.Duration((round + p2pwire.Slot(i)).Time() - e[0].at.Wall)
					if want := time.Duration(i+1) * 37500 * time.Microsecond; early != want {
						t.Errorf("%s slot+%d: %v early, want %v", p, i, early, want)
					}
				}
			}
		})
	}
	t.Run("exhausted blocks leave at once", func(t *testing.T) {
		r := newRig(t, Legacy, 3)
		r.network(producers[1:]...)
		r.start(Config{Name: "A", Peers: []string{"beta"}, Producers: producers[:1], MaxBlockTransactions: 2})
		r.load("A", 10*time.Millisecond, time.Hour)
		r.w.Run(30 * time.Second)
		round := r.round("bpalpha")
		r.toSlot(round+12, 0)
		e := r.produced("A", round+11)
		if len(e) != 1 || e[0].Count != 2 || (round+11).Time()-e[0].at.Wall < 5e9 {
			t.Errorf("slot+11: %v", e)
		}
	})
}
