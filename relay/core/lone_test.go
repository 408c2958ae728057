package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// lone is a rig with one node.
func lone(t *testing.T, opts ...blockOption) (r *rig, n, a *peer, head blk) {
	r, n, a, b, head := warm(t, opts...)
	b.drop()
	r.run(2 * survive)
	return r, n, a, head
}

// Our only node closes its link over a bad block, and is dialled again after a while that grows from loss to
// loss, as in production. Each of them counts: the source is found out by the third. What others send
// meanwhile, good blocks on the same parent, is not tried along with it, and nobody else is blamed.
func TestLoneNodeThatComesBackLate(t *testing.T) {
	for _, away := range []time.Duration{10 * time.Millisecond, 240 * time.Millisecond, 300 * time.Millisecond, time.Second} {
		r, n, a, head := lone(t)
		evil := r.network("evil", head)
		r.until(base, 0)
		bad := makeBlock(head, base, otherName, mark(66), signedBy(ourKey))
		evil.send(bad.frame)
		lost := 0
		tip, slot := head, base
		for range 12 * 20 {
			if a.has(bad.frame) {
				lost++
				a.drop()
				r.run(away)
				a = a.again(head, head)
			}
			if next := slot + 1; r.now.Wall >= next.Time() { // the network goes on all the time
				slot, tip = next, makeBlock(tip, next, otherName)
				n.send(tip.frame)
			}
			r.run(25 * time.Millisecond)
			n.alive()
			a.alive()
		}
		if lost != 3 || !evil.gone || n.gone {
			t.Errorf("away %v: %d links lost over one block, want 3; its source is gone: %v, another one: %v", away, lost, evil.gone, n.gone)
		}
		r.run(2 * survive)
		if !a.has(tip.frame) {
			t.Errorf("away %v: the node does not get the network's blocks", away)
		}
	}
}

// Two messages were on trial when the node's link broke by chance. It has the first one: the second one is
// tried at once, whatever else comes.
func TestSecondOfTwoOnTrial(t *testing.T) {
	r, n, a, head := lone(t)
	n2 := r.network("net2", head)
	x := makeBlock(head, base, otherName)
	y := makeBlock(x, base+1, otherName)
	n.send(x.frame)
	n2.send(y.frame)
	r.run(survive / 5)
	a.drop()
	a = a.again(head, x)
	r.run(3 * survive)
	if !a.has(y.frame) {
		t.Error("the second one is not tried")
	}
}

// nodeos that has just sent a handshake says nothing when it cannot use a block: it sends no second one at the
// same head within 50 ms. That it keeps its link then proves nothing.
func TestSilenceRightBehindAHandshake(t *testing.T) {
	for _, after := range []time.Duration{0, 30 * time.Millisecond, 49 * time.Millisecond} {
		r, _, a, head := lone(t)
		evil := r.network("evil", head)
		r.until(base, early(base))
		a.handshake(head, head)
		spoke := r.now.Mono
		r.run(after)
		bad := makeBlock(head, base, ourName, signedBy(otherKey))
		evil.send(bad.frame)
		for range 100 {
			if a.has(bad.frame) {
				if a.clear(); r.now.Mono-spoke >= 50*time.Millisecond {
					a.handshake(head, head)
					spoke = r.now.Mono
				}
			}
			r.run(10 * time.Millisecond)
		}
		if got := r.c.Snapshot(r.now).PublicHead.ID; got == bad.id.String() {
			t.Errorf("%v behind a handshake: the public head is a block that the node could not use", after)
		}
		if r.event(core.EventAlarm, core.ReasonForeignBlock) != nil {
			t.Errorf("%v behind a handshake: a forged block has our slot", after)
		}
	}
}

// Behind what is irreversible to a node it links nothing but what builds on that: it is not given the child of
// another block of that height as if it had it.
func TestForgedBesideTheRoot(t *testing.T) {
	r, n, a, head := lone(t)
	evil := r.network("evil", head)
	r.until(base, early(base))
	xs := ourBlocks(head, 3, 1)
	a.send(xs[0].frame)
	f1 := makeBlock(head, base, ourName, mark(66), signedBy(otherKey))
	f2 := makeBlock(f1, base+2, ourName, mark(66), signedBy(otherKey))
	evil.send(f1.frame, f2.frame)
	if !a.has(f1.frame) {
		t.Fatal("setup")
	}
	a.drop()
	a = a.again(xs[0], xs[0])
	for i, x := range xs[1:] {
		r.until(base+1+p2pwire.Slot(i), early(base+1+p2pwire.Slot(i)))
		a.send(x.frame)
	}
	if r.run(5 * survive); a.has(f2.frame) {
		t.Error("the node got a block that it cannot link")
	}
	if r.event(core.EventAlarm, core.ReasonForeignBlock) != nil {
		t.Error("a forged block has our slot")
	}
	n.want(xs...)
}
