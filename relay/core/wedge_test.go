package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// A micro fork: P and H at one height, H is the public head, the network goes on with X on P. The
// nodes' links are reset while X is on trial; they come back at H. Nobody hands them P any more, so
// the trial of X stays parked for ever, and what builds on X waits for it.
func TestTrialOnASideBranchIsParkedForEver(t *testing.T) {
	for _, children := range []bool{false, true} {
		r, n, a, b, last := warm(t)
		p := makeBlock(last, base, otherName, mark(1))
		h := makeBlock(last, base, otherName, mark(2))
		if string(p.id[:]) > string(h.id[:]) {
			p, h = h, p
		}
		n.send(p.frame, h.frame)
		r.run(2 * survive)
		if got := r.c.Snapshot(r.now).PublicHead.ID; got != h.id.String() {
			t.Fatal("setup: head")
		}
		x := makeBlock(p, base+1, otherName)
		n.send(x.frame)
		a.drop()
		b.drop()
		a, b = a.again(last, h), b.again(last, h)
		tip := x
		for i := range p2pwire.Slot(20) {
			r.run(500 * time.Millisecond)
			for _, s := range []*peer{n, a, b} {
				s.alive()
			}
			if children {
				tip = makeBlock(tip, base+2+i, otherName)
				n.send(tip.frame)
			}
		}
		if !a.has(x.frame) || !b.has(x.frame) {
			t.Errorf("children %v: X never reached the nodes in 10 s (a %v, b %v), head %d of %d", children, a.has(x.frame), b.has(x.frame),
				r.c.Snapshot(r.now).PublicHead.Num, tip.id.Num())
		}
	}
}

// No node of ours is connected for a while (they live on the other relay of the pair): 64 blocks of
// the peer stay unproven. The nodes come back with a root above them: nothing ever vouches for
// them, the quota stays full, and every further block of the honest peer is dropped.
func TestQuotaStaysFullWhenNodesComeBackAhead(t *testing.T) {
	for _, gap := range []int{60, 80} {
		r, n, a, b, last := warm(t, savanna(90))
		a.drop()
		b.drop()
		chain := []blk{last}
		push := func() blk {
			i := len(chain)
			x := makeBlock(chain[i-1], base+p2pwire.Slot(i), otherName, savanna(chain[i-1].id.Num()), signedBy(ourKey)) // a producer whose key is not known
			chain = append(chain, x)
			r.until(x.slot, 0)
			n.alive()
			n.send(x.frame)
			return x
		}
		for range gap {
			push()
		}
		tip := chain[gap]
		a, b = a.again(chain[gap-1], tip), b.again(chain[gap-1], tip)
		n.clear()
		for range 30 {
			push()
			r.run(20 * time.Millisecond)
			for _, q := range n.requests() {
				for j, below := range chain {
					if q.Blocks.IDs[0] == below.id {
						for _, y := range chain[j+1:] {
							n.send(y.frame)
						}
					}
				}
			}
			n.clear()
			a.alive()
			b.alive()
		}
		r.run(time.Second)
		x := chain[len(chain)-1]
		if !a.has(x.frame) || !b.has(x.frame) {
			d := r.c.Snapshot(r.now).Stats.Dropped
			t.Errorf("gap %d: nodes got none of the last 30 blocks (a %d, b %d); dropped by quota: %d", gap, len(a.blocks()), len(b.blocks()), d[core.ReasonQuota])
		}
	}
}

// Handshakes that a node sends for a reason of its own (it stands on a private branch in race mode)
// refute good blocks; the count never goes down, so that an honest peer is shut out in the end,
// whatever the time between.
func TestHonestPeerIsShutOutForRefutedBlocksOfHours(t *testing.T) {
	r, n, a, b, last := warm(t)
	tip := last
	slot := base
	for i := range 40 {
		for range 3 { // good blocks that are taken in between
			slot++
			tip = makeBlock(tip, slot, otherName)
			n.send(tip.frame)
			r.until(slot, 0)
			r.run(survive + 10*time.Millisecond)
		}
		slot++
		x := makeBlock(tip, slot, otherName)
		private := makeBlock(tip, slot, ourName, mark(byte(i)))
		a.clear()
		b.clear()
		n.send(x.frame)
		for _, s := range []*peer{a, b} {
			if s.has(x.frame) {
				s.handshake(last, private)
			}
		}
		r.run(2 * survive)
		if n.gone {
			t.Fatalf("honest peer closed as %v after %d crossings among %d good blocks", n.closed, i+1, 4*(i+1))
		}
		n.send(x.frame)
		r.run(2 * survive)
		tip = x
		r.run(10 * time.Second)
		for _, s := range []*peer{n, a, b} {
			s.alive()
		}
		slot = base + p2pwire.Slot((r.now.Wall-base.Time())/int64(500*time.Millisecond))
	}
}

// A handshake that a node sent before it got a block (its answer to something else, naming the block's
// parent) crosses that block, whose signature is known: the public head loses its bytes, its child
// links to nothing, and all nodes are put into a far sync. A peer answers requests 150 ms later.
func TestCrossingHandshakeEmptiesThePublicHead(t *testing.T) {
	for _, cross := range []bool{false, true} {
		r, n, a, b, last := warm(t, savanna(90))
		x := makeBlock(last, base, otherName, savanna(100))
		chain := []blk{last, x}
		n.send(x.frame)
		if !a.has(x.frame) || !b.has(x.frame) {
			t.Fatal("setup")
		}
		if cross {
			a.handshake(last, last)
			b.handshake(last, last)
		}
		serve := func() {
			for _, q := range n.requests() {
				for j, below := range chain {
					if q.Blocks.IDs[0] == below.id {
						for _, y := range chain[j+1:] {
							n.send(y.frame)
						}
					}
				}
			}
			n.clear()
		}
		for i := range p2pwire.Slot(6) {
			r.until(base+1+i, 0)
			y := makeBlock(chain[len(chain)-1], base+1+i, otherName, savanna(chain[len(chain)-1].id.Num()))
			chain = append(chain, y)
			sent := r.now.Mono
			n.send(y.frame)
			for !(a.has(y.frame) && b.has(y.frame)) && r.now.Mono-sent < 480*time.Millisecond {
				r.run(10 * time.Millisecond)
				if (r.now.Mono-sent)%(150*time.Millisecond) == 0 {
					serve()
				}
			}
			if late := r.now.Mono - sent; late > 120*time.Millisecond {
				t.Errorf("crossed %v: block %d behind it took %v or more to reach the nodes", cross, i+1, late)
			}
		}
	}
}

// One node's link is bad and is lost twice within seconds, each time with the same good block on
// trial; the other node is fine and never gets to try it. The honest peer is banned and the good
// bytes are refused from everybody for ten minutes, with all that builds on them.
func TestOneFlappingNodeConvictsAGoodBlock(t *testing.T) {
	r, n, a, b, last := warm(t)
	n2 := r.network("net2", last)
	r.until(base, early(base))
	ours := makeBlock(last, base, ourName)
	b.send(ours.frame) // b leads, so a goes first
	r.run(2 * survive)
	r.until(base+12, 0)
	x := makeBlock(ours, base+12, otherName)
	n.send(x.frame)
	n2.send(x.frame)
	if !a.has(x.frame) {
		t.Fatal("setup: a is to go first")
	}
	a.drop()
	a = a.again(last, ours)
	for i := 0; i < 100 && !a.has(x.frame); i++ {
		r.run(10 * time.Millisecond)
	}
	if b.has(x.frame) {
		return // fine
	}
	a.drop()
	a.again(last, ours)
	r.run(2 * time.Second)
	n2.send(x.frame) // asked or not
	y := makeBlock(x, base+17, otherName)
	n2.send(y.frame, x.frame)
	r.run(time.Second)
	if n.gone || !b.has(x.frame) || !b.has(y.frame) {
		t.Errorf("honest peer gone: %v (%v); the steady node has the block: %v, its child: %v", n.gone, n.closed, b.has(x.frame), b.has(y.frame))
	}
}

// Our nodes name a head before its bytes come from the network. That its id is genuine proves nothing
// of the bytes: a node that lacks the block must not lose its link over them again and again.
func TestNamedHeadProvesNoBytes(t *testing.T) {
	r := newRig(t, 20*time.Second)
	g := genesis(100)
	root := makeBlock(g, base-40, otherName)
	head := makeBlock(root, base-39, otherName)
	evil := r.open(core.Network, "evil")
	r.node("a", head)
	evil.handshake(root, head)
	bad := mutilate(t, head, 1)
	evil.send(bad.frame)
	r.run(survive)
	// A node that is one block behind comes up.
	nodes := []*peer{r.node("b", root)}
	_, lost := r.closeOver(nodes, bad.frame, root)
	if lost == 0 || lost > 3 {
		t.Errorf("the node lost its link %d times over one damaged block, want 1 to 3", lost)
	}
	good := r.network("good", head)
	good.send(head.frame)
	r.run(time.Second)
	if !nodes[0].has(head.frame) {
		t.Error("the node never got the good copy")
	}
}

// answer has a peer answer the time messages it received, and forget all it received so far.
func (p *peer) answer() {
	asked := p.frames(p2pwire.TypeTime)
	p.clear()
	for _, f := range asked {
		if m, err := p2pwire.DecodeTime(f.Body()); err == nil && m.Org == 0 {
			p.send(p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: p.r.now.Wall, Xmt: p.r.now.Wall}))
		}
	}
}

// A node that is suspended keeps its link over anything, since it reads nothing: that proves no bytes.
func TestSuspendedNodeProvesNothing(t *testing.T) {
	r, evil, a, b, head := warm(t)
	r.run(4 * time.Second) // time messages were sent
	for _, p := range []*peer{a, b} {
		p.handshake(head, head)
		p.answer()
	}
	x := makeBlock(head, base+8, otherName)
	bad := mutilate(t, x, 1)
	evil.send(bad.frame)
	first, second := a, b
	if b.has(bad.frame) {
		first, second = b, a
	}
	r.run(3 * survive) // the first one does not answer
	if !first.has(bad.frame) || !second.has(bad.frame) {
		t.Fatal("the other node is not asked")
	}
	_, lost := r.closeOver([]*peer{second}, bad.frame, head)
	if st := r.c.Snapshot(r.now); st.PublicHead.ID == x.id.String() {
		t.Error("bytes that nobody read are proven")
	}
	if lost > 2 || evil.closed != core.ReasonBlamed {
		t.Errorf("%d links lost; the source: %v", lost, evil.closed)
	}
}

// A block whose bytes the relay lacks, since they were thrown out or never came: one of our nodes names it
// as its head, so that what the network builds on it is linked. The other node lacks it; a catch-up ends
// at the public head below, again and again. Who sent its child is asked for it, another one if it is silent.
func TestBytesMissingAboveTheHead(t *testing.T) {
	for _, silent := range []bool{false, true} {
		r, n, a, b, last := warm(t)
		h := makeBlock(last, base, otherName)
		x := makeBlock(h, base+1, otherName)
		m := n
		if silent {
			m = r.network("net2", last)
		}
		n.clear()
		m.clear()
		a.handshake(last, h)
		a.drop() // it was there only for a moment
		n.send(x.frame)
		m.send(x.frame)
		asked := false
		for range 30 {
			r.run(100 * time.Millisecond)
			for _, q := range m.requests() {
				if !asked && q.Blocks.IDs[0] == last.id {
					asked = true
					m.send(h.frame, x.frame)
				}
			}
			n.alive()
			b.alive()
		}
		if !asked || !b.has(h.frame) || !b.has(x.frame) {
			t.Errorf("silent %v: asked %v, the node got %d of 2 blocks; head %d of %d", silent, asked, len(b.blocks()), r.c.Snapshot(r.now).PublicHead.Num, x.id.Num())
		}
	}
}

// twoNodesTry sends an honest block, has both nodes lose their links over it in turn as told, and wants it to be
// everywhere soon, with what is built on it, also when its source is shut out.
func twoNodesTry(t *testing.T, lose func(r *rig, at, other **peer, x, head blk), innocent bool) {
	t.Helper()
	r, n, a, b, head := warm(t)
	n2 := r.network("net2", head)
	r.until(base+12, 0)
	for _, p := range []*peer{n, n2, a, b} {
		p.alive()
	}
	for _, p := range []*peer{a, b} { // 4 ms away
		p.clear()
		for len(p.frames(p2pwire.TypeTime)) == 0 {
			r.run(10 * time.Millisecond)
		}
		r.run(4 * time.Millisecond)
		p.answers(0)
		p.tell(p.frames(p2pwire.TypeTime)[0])
		p.clock = nil
	}
	x := makeBlock(head, base+12, otherName)
	n.send(x.frame)
	n2.send(x.frame)
	at, other := &a, &b
	if !a.has(x.frame) {
		at, other = &b, &a
	}
	lose(r, at, other, x, head)
	tip := x
	for i := range p2pwire.Slot(4) {
		r.run(100 * time.Millisecond)
		r.until(base+13+i, early(base+13+i))
		n2.clear()
		before := tip
		tip = makeBlock(tip, base+13+i, otherName)
		n2.send(tip.frame)
		if len(n2.frames(p2pwire.TypeRequest)) > 0 { // what is missing below it
			if i > 0 {
				n2.send(x.frame)
			}
			n2.send(before.frame, tip.frame)
		}
	}
	r.run(2 * survive)
	if n.gone && innocent {
		t.Errorf("the honest peer was closed: %v", n.closed)
	}
	for _, p := range []*peer{a, b} {
		if !p.has(tip.frame) {
			t.Errorf("%s does not have the network's newest block", p.name)
		}
	}
}

// tried waits until one of the nodes has the bytes.
func (r *rig) tried(f []byte, ps ...**peer) **peer {
	r.t.Helper()
	for range 100 {
		for _, p := range ps {
			if (*p).has(f) {
				return p
			}
		}
		r.run(5 * time.Millisecond)
	}
	r.t.Fatal("nobody tries it")
	return nil
}

// The relay was asleep while a node's link broke: it reads the block, gives it to that node, and learns of the
// broken link at the same moment. The next node loses its link by chance, too.
func TestLinkThatBrokeBeforeTheTrial(t *testing.T) {
	twoNodesTry(t, func(r *rig, at, other **peer, x, head blk) {
		(*at).drop() // no time has passed
		*at = (*at).again(head, head)
		p := r.tried(x.frame, at, other)
		r.run(30 * time.Millisecond)
		(*p).drop()
		r.run(10 * time.Millisecond)
		*p = (*p).again(head, head)
	}, true)
}

// Both nodes lose their links at the same moment, twice, and but one of them had the block.
func TestLinksThatBreakTogether(t *testing.T) {
	for _, first := range []bool{true, false} {
		twoNodesTry(t, func(r *rig, at, other **peer, x, head blk) {
			for range 2 {
				p := r.tried(x.frame, at, other)
				r.run(30 * time.Millisecond)
				q := at
				if p == at {
					q = other
				}
				if !first {
					(*q).drop()
					r.run(5 * time.Millisecond)
				}
				(*p).drop()
				if first {
					r.run(5 * time.Millisecond)
					(*q).drop()
				}
				r.run(10 * time.Millisecond)
				*p, *q = (*p).again(head, head), (*q).again(head, head)
			}
		}, true)
	}
}

// Both nodes had taken the block when they lost their links: they name it when they are back.
func TestLinksThatBreakBehindTheBlock(t *testing.T) {
	twoNodesTry(t, func(r *rig, at, other **peer, x, head blk) {
		for _, p := range []**peer{at, other} {
			r.tried(x.frame, p)
			r.run(30 * time.Millisecond)
			(*p).drop()
			r.run(10 * time.Millisecond)
			*p = (*p).again(head, x)
			(*p).got = append((*p).got, x.frame)
		}
	}, true)
}

// Chance convicts a good block. What the network builds on it is of no use without it: it is tried once more when
// another peer sends it then.
func TestGoodBlockThatWasConvicted(t *testing.T) {
	twoNodesTry(t, func(r *rig, at, other **peer, x, head blk) {
		for range 2 {
			p := r.tried(x.frame, at, other)
			r.run(30 * time.Millisecond)
			(*p).drop()
			r.run(10 * time.Millisecond)
			*p = (*p).again(head, head)
		}
	}, false)
}

// A bad block that others build on is tried once more, and whoever sent it then is not shut out over it.
func TestBadBlockThatOthersBuildOn(t *testing.T) {
	r, n, a, b, head := warm(t)
	evil := r.network("evil", head)
	r.until(base+12, 0)
	bad := makeBlock(head, base+12, otherName, mark(66))
	evil.send(bad.frame)
	nodes, lost := r.closeOver([]*peer{a, b}, bad.frame, head)
	if !evil.gone || lost != 2 {
		t.Fatalf("%d links lost, its source is gone: %v", lost, evil.gone)
	}
	for i := range p2pwire.Slot(4) {
		n.send(makeBlock(bad, base+18+i, otherName).frame, bad.frame)
		var more int
		nodes, more = r.closeOver(nodes, bad.frame, head)
		lost += more
	}
	if lost > 4 || n.gone {
		t.Errorf("%d links lost, want 4 at most; the honest peer is gone: %v", lost, n.gone)
	}
}
