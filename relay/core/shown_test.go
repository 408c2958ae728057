package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// The relay was restarted in a round of ours. The network shows the last block of an earlier one, which left
// before; then our node brings it, too late to be let out by now: whose the round between is nobody knows here.
// It is public all the same: what our node goes on with builds on it, and so does the network later.
func TestLateBlockThatTheNetworkShowed(t *testing.T) {
	const (
		same    = "the same bytes"
		twin    = "a damaged copy before them"
		resent  = "another signature, and again when it is asked"
		unheard = "nothing, until it builds on it"
	)
	for _, shows := range []string{same, twin, resent, unheard} {
		t.Run(shows, func(t *testing.T) {
			root := makeBlock(genesis(100), base-9, otherName)
			xs := ourBlocks(makeBlock(root, base-1, otherName), 12, 1)
			last, ys := xs[11], []blk(nil)
			for y, slot := last, base+24; slot < base+27; slot++ {
				y = makeBlock(y, slot, ourName)
				ys = append(ys, y)
			}
			signed := makeBlock(xs[10], last.slot, ourName, mark(1), signedBy(otherKey)) // the same block
			if signed.id != last.id {
				t.Fatal("setup")
			}
			r := newRig(t, -12*time.Second-640*time.Millisecond) // its round's time is over
			a := r.open(core.Internal, "a")
			a.handshake(xs[10], ys[1])
			n := r.open(core.Network, "net1")
			n.handshake(root, last)
			for _, x := range xs[:11] {
				n.send(x.frame)
			}
			switch shows {
			case same:
				n.send(last.frame)
			case twin:
				n.send(signed.frame, last.frame)
			case resent:
				n.send(signed.frame)
			}
			r.run(5 * time.Millisecond) // nothing is proven yet
			n.clear()
			a.send(last.frame, ys[0].frame, ys[1].frame, ys[2].frame)
			if shows == same || shows == twin {
				r.run(20 * time.Millisecond) // there is nothing to wait for
				n.want(ys...)
				if r.event(core.EventAlarm, core.ReasonWithheldInPublic) != nil {
					t.Error("an alarm over a block that left before the start")
				}
				return
			}
			r.run(1100 * time.Millisecond) // it might have turned out that all was ours
			n.want()
			a.clear()
			next := makeBlock(last, base+36, otherName)
			r.until(next.slot, 0)
			a.alive()
			n.alive()
			n.send(next.frame)
			for range 4 {
				if shows == resent && len(n.frames(p2pwire.TypeRequest)) > 0 {
					n.clear()
					n.send(signed.frame, next.frame)
				}
				if shows == unheard {
					n.send(last.frame, next.frame)
				}
				r.run(500 * time.Millisecond)
			}
			if !a.has(next.frame) {
				t.Errorf("the node never got the block on it; head %d of %d", r.c.Snapshot(r.now).PublicHead.Num, next.id.Num())
			}
		})
	}
}

// The network went on behind a block of ours that was not public here yet: what it built links as soon as
// that block goes out, or is shown.
func TestNetworkBuiltOnUsFirst(t *testing.T) {
	const out, shown = "it goes out", "it is shown"
	for _, how := range []string{out, shown} {
		t.Run(how, func(t *testing.T) {
			r, n, a, b, head := warm(t)
			xs := ourBlocks(head, 2, 1)
			r.until(base+1, early(base+1))
			a.send(xs[1].frame) // held: the one below it is not known
			next := makeBlock(xs[1], base+2, otherName)
			after := makeBlock(next, base+3, otherName)
			n.send(next.frame, after.frame)
			r.run(20 * time.Millisecond)
			if how == out {
				a.send(xs[0].frame)
			} else {
				n.send(xs[1].frame)
			}
			r.run(400 * time.Millisecond)
			for _, p := range []*peer{a, b} {
				if how == shown && p == b {
					continue // it has nothing to link them to
				}
				if !p.has(next.frame) || !p.has(after.frame) {
					t.Errorf("%s did not get what the network built on our block", p.name)
				}
			}
		})
	}
}

// What the network has already does not go back to it when one of our nodes sends it once more, its bytes
// having been thrown out, or never come: a peer would get it behind what builds on it.
func TestNetworksBlockFromANode(t *testing.T) {
	for _, public := range []bool{true, false} {
		r, n, a, b, head := warm(t)
		x := makeBlock(head, base, otherName)
		if public {
			n.handshake(head, x)
		}
		n2 := r.network("net2", head)
		n.clear()
		n2.clear()
		a.send(x.frame)
		r.run(2 * survive)
		if public {
			n.want()
			n2.want()
		} else {
			n.want(x)
			n2.want(x)
		}
		b.want(x)
	}
}
