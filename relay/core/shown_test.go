package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// The relay was restarted between two rounds of ours that follow each other. The network shows the last
// block of the first one, which left before; then our node brings it, too late to be let out by now. It
// is public all the same: what our node goes on with builds on it, and so does the network later.
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
			xs := ourBlocks(makeBlock(root, base-1, otherName), 15, 1)
			last, ys := xs[11], xs[12:]
			signed := makeBlock(xs[10], last.slot, ourName, mark(1), signedBy(otherKey)) // the same block
			if signed.id != last.id {
				t.Fatal("setup")
			}
			r := newRig(t, -6*time.Second-640*time.Millisecond) // its round's time is over
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
			a.send(ys[2].frame)
			a.send(last.frame, ys[0].frame, ys[1].frame) // it is asked for these
			r.run(20 * time.Millisecond)
			if shows == same || shows == twin {
				n.want(ys...)
				if r.event(core.EventAlarm, core.ReasonWithheldInPublic) != nil {
					t.Error("an alarm over a block that left before the start")
				}
				return
			}
			n.want()
			a.clear()
			next := makeBlock(last, base+24, otherName)
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
