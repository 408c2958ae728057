package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// long makes n blocks of another producer on top of prev, sent by p and taken in.
func long(r *rig, p *peer, prev blk, n int, slot p2pwire.Slot) []blk {
	var out []blk
	for i := range n {
		prev = makeBlock(prev, slot+p2pwire.Slot(i), otherName)
		p.send(prev.frame)
		out = append(out, prev)
		r.run(5 * time.Millisecond)
	}
	r.run(survive)
	return out
}

func TestNodeBehindIsPushedFromTheRing(t *testing.T) {
	r, n, a, b, head := warm(t)
	chain := long(r, n, head, 50, base-60)
	a.drop()
	back := r.open(core.Internal, "a")
	back.nodeID = p2pwire.ID{0xbb}
	back.handshake(chain[9], chain[19])
	back.want(chain[20:]...)
	next := makeBlock(chain[49], base, otherName)
	n.send(next.frame)
	r.run(survive)
	back.want(append(chain[20:50:50], next)...)
	b.want(append(chain[:50:50], next)...)
}

func TestUnlinkableBlockBringsAPush(t *testing.T) {
	r, n, a, _, head := warm(t)
	chain := long(r, n, head, 5, base-60)
	a.clear()
	r.run(time.Second)
	a.handshake(head, chain[1]) // nodeos lost what followed and says so
	a.want(chain[2:]...)
}

func TestNodeOnAWithheldBranchGetsThePublicOne(t *testing.T) {
	r, n, a, b, head := warm(t)
	r.until(base, early(base))
	a0, b0 := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(a0.frame)
	b.send(b0.frame)
	a1, b1 := makeBlock(a0, base+1, ourName, mark(1)), makeBlock(b0, base+1, ourName, mark(2))
	a.send(a1.frame)
	b.send(b1.frame)
	r.run(time.Second)
	b.clear()
	b.handshake(head, b1)
	b.want(a0, a1)
	n.want(a0, a1)
}

func TestNodeFarBehindIsSyncedThroughTheNetwork(t *testing.T) {
	r, n, a, b, _ := warm(t)
	g := genesis(1)
	old := []blk{g}
	for i := range 30 {
		old = append(old, makeBlock(old[i], base-1000+p2pwire.Slot(i), otherName))
	}
	_ = a
	v := r.open(core.Internal, "v")
	v.handshake(g, g)
	hs := handshakes(t, v)
	last := hs[len(hs)-1]
	if last.RootID != g.id || last.HeadNum != r.c.Snapshot(r.now).PublicHead.Num {
		t.Fatalf("claimed %+v, want the node's root and the public head", last)
	}
	n.clear()
	v.send(p2pwire.AppendFrame(nil, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{g.id}}}))
	if len(n.frames(p2pwire.TypeRequest)) != 1 {
		t.Fatal("the request was not forwarded to the network peer")
	}
	for _, x := range old[1:] {
		n.send(x.frame)
	}
	v.want(old[1:]...)
	b.want()
}

func TestSyncRequestIsServedAsAsked(t *testing.T) {
	r, n, _, _, head := warm(t)
	chain := long(r, n, head, 20, base-60)
	n2 := r.network("net2", head)
	r.run(time.Second)
	n2.clear()
	n2.send(p2pwire.AppendFrame(nil, p2pwire.SyncRequest{Start: chain[3].id.Num(), End: chain[8].id.Num()}))
	n2.want(chain[3:9]...)
}

// A handshake whose head lies below its root brings a go_away that a nodeos never forgets.
func TestHeadBelowRootIsNeverClaimed(t *testing.T) {
	r, n, a, b, _ := warm(t)
	b.drop()
	a.handshake(genesis(600), genesis(600)) // a knows far more than we do, and leaves
	a.drop()
	v := r.open(core.Internal, "v")
	v.handshake(genesis(500), genesis(500))
	n.send(makeBlock(genesis(600), base, otherName).frame)
	r.run(3 * time.Second)
	for _, h := range handshakes(t, v) {
		if h.RootNum > h.HeadNum {
			t.Fatalf("claimed root %d above head %d", h.RootNum, h.HeadNum)
		}
	}
}

func TestFarSyncWithoutTheNodeAsking(t *testing.T) {
	r, n, _, _, _ := warm(t)
	v := r.open(core.Internal, "v")
	v.handshake(genesis(1), genesis(1))
	n.clear()
	r.run(time.Second)
	if len(n.frames(p2pwire.TypeRequest)) != 1 {
		t.Fatal("nothing was fetched for a node that did not ask")
	}
	n2 := r.network("net2", genesis(100))
	n.drop()
	r.run(100 * time.Millisecond)
	if len(n2.frames(p2pwire.TypeRequest)) != 1 {
		t.Fatal("the next peer was not asked when the first left")
	}
}

func TestNetworkRequestIsServedFromTheRingWithoutWithheld(t *testing.T) {
	r, n, a, b, head := warm(t)
	n2 := r.network("net2", head)
	r.until(base, early(base))
	a0, b0 := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	a.send(a0.frame)
	b.send(b0.frame)
	r.run(time.Second)
	n2.clear()
	n2.send(p2pwire.AppendFrame(nil, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{head.id}}}))
	n2.want(a0)
	r.run(time.Second)
	n2.clear()
	n2.send(p2pwire.AppendFrame(nil, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{b0.id}}}))
	for _, id := range n2.blocks() {
		if id == b0.id {
			t.Fatal("a withheld block was served")
		}
	}
	n.want(a0)
}
