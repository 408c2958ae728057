package core_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// Each test here is one way in which a network peer, or chance, once got the better of the relay.

func (p *peer) requests() (out []p2pwire.Request) {
	for _, f := range p.frames(p2pwire.TypeRequest) {
		m, err := p2pwire.DecodeRequest(f.Body())
		if err != nil {
			p.r.t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// An empty block is the same for whoever makes it, but for the signature, which the id does not
// cover: any full node can work out the id of our next block and send it first, badly signed.
func TestForgedTwinOfOurNextBlockMutesIt(t *testing.T) {
	for _, mode := range []string{"legacy", "savanna with keys"} {
		t.Run(mode, func(t *testing.T) {
			opts := []blockOption{}
			change := func(*core.Config) {}
			if mode != "legacy" {
				opts = append(opts, savanna(90))
				change = func(c *core.Config) { c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()} }
			}
			r := newRig(t, 20*time.Second, change)
			root := makeBlock(genesis(100), base-40, otherName, opts...)
			head := makeBlock(root, base-39, otherName, opts...)
			n := r.open(core.Network, "net1")
			n.handshake(root, head)
			n.send(head.frame)
			a := r.node("a", head)
			evil := r.network("evil", head)
			r.until(base, early(base)+10*time.Millisecond)
			x := makeBlock(head, base, ourName, opts...)
			evil.send(mutilate(t, x, 1).frame)
			r.until(base, early(base))
			a.send(x.frame)
			x1 := makeBlock(x, base+1, ourName, opts...)
			r.until(base+1, early(base+1))
			a.send(x1.frame)
			r.run(time.Second)
			if !n.has(x.frame) {
				t.Errorf("our block did not go out, the forged twin was taken for it; its child went out: %v", n.has(x1.frame))
			}
		})
	}
}

// The same while our candidate is held: the twin is taken as proof that the network has it.
func TestForgedTwinOfAHeldCandidate(t *testing.T) {
	r, n, a, _, last := warm(t)
	evil := r.network("evil", last)
	r.until(base+12, 600*time.Millisecond)
	p1 := makeBlock(last, base+10, otherName)
	p2 := makeBlock(p1, base+11, otherName)
	n.send(p1.frame, p2.frame)
	r.run(150 * time.Millisecond)
	slot := base + 12
	r.until(slot, early(slot))
	x := makeBlock(p1, slot, ourName) // waits for its slot's end: an older parent
	a.send(x.frame)
	evil.send(mutilate(t, x, 1).frame)
	r.run(time.Second)
	n.want(x)
}

// A block that does not link at the node (its parent is below the node's root, but still in the
// ring) is dropped there and answered with a handshake: the node keeps its link, so the block
// "survives", becomes verified, and with an absurd QC claim the public head.
func TestUnlinkableBlockBecomesThePublicHead(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	evil := r.network("evil", head)
	chain := []blk{head}
	for i := range p2pwire.Slot(6) {
		x := makeBlock(chain[i], base-20+i, otherName, savanna(chain[i].id.Num()))
		n.send(x.frame)
		r.run(survive + 10*time.Millisecond)
		chain = append(chain, x)
	}
	tip := chain[6]
	for _, p := range []*peer{n, a, b} {
		p.clear()
	}
	fake := makeBlock(chain[0], base-1, name("nobody"), savanna(1<<31), signedBy(otherKey))
	evil.send(fake.frame)
	for _, p := range []*peer{a, b} {
		if len(p.blocks()) > 0 { // unlinkable_block: rejected, sending handshake
			p.clear()
			p.handshake(tip, tip)
		}
	}
	r.run(2 * survive)
	if got := r.c.Snapshot(r.now).PublicHead.ID; got == fake.id.String() {
		t.Errorf("the public head is a block that no node could link")
	}
	r.until(base, early(base))
	x := makeBlock(tip, base, ourName, savanna(tip.id.Num()))
	a.send(x.frame)
	n.want(x)
}

// One reset of a node's connection while an honest block is on trial: its honest source is banned,
// and the good bytes are refused from everybody for an hour, with all that builds on them.
func TestLinkResetDuringTrialShutsOutAGoodBlock(t *testing.T) {
	r, n, a, b, head := warm(t)
	n2 := r.network("net2", head)
	x := makeBlock(head, base-1, otherName, mark(9))
	n.send(x.frame)
	n2.send(x.frame)
	victim, other := a, b
	if len(b.blocks()) > 0 {
		victim, other = b, a
	}
	victim.drop() // the network's fault
	back := victim.again(head, head)
	r.run(300 * time.Millisecond)
	y := makeBlock(x, base, otherName)
	n2.send(y.frame)
	n2.send(x.frame) // as it does when it is asked
	r.run(2 * survive)
	if !other.has(x.frame) || !back.has(x.frame) {
		t.Error("a good block is refused from all peers after one reset of one node's link")
	}
	if n.gone {
		t.Error("the honest peer was banned over one reset of a node's link")
	}
}

// A vote for a block that nobody knows costs a node nothing: nodeos ignores it. It earns trust all
// the same, so that the next, bad one goes to all nodes at once, again and again, and nobody is
// blamed.
func TestBadVoteOfATrustedPairCutsAllNodesAgainAndAgain(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	evil := r.network("evil", head)
	lost := 0
	var bads [][]byte
	live := func(d time.Duration) { // a node closes its link over a bad vote as soon as it gets it
		for ; d >= 0; d -= 10 * time.Millisecond {
			for _, p := range []**peer{&a, &b} {
				if slices.ContainsFunc(bads, (*p).has) {
					lost++
					(*p).drop()
					*p = (*p).again(head, head)
				}
			}
			r.run(10 * time.Millisecond)
		}
	}
	for i := range byte(5) {
		unknown := makeBlock(genesis(200), base, otherName, mark(i+1))
		evil.send(voteFrame(unknown, 66))
		live(survive)
		bad := voteFrame(head, 66)
		bad[len(bad)-1] ^= i + 1
		bads = append(bads, bad)
		evil.send(bad)
		live(40 * time.Millisecond)
		if evil.gone {
			break
		}
	}
	if lost > 3 || !evil.gone {
		t.Errorf("%d links lost to 5 bad votes of one source, which is shut out: %v", lost, evil.gone)
	}
	_ = n
}

// The same vote while an honest block is on trial: the block's source is blamed for it.
func TestBadVoteGetsAnHonestPeerBanned(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	evil := r.network("evil", head)
	evil.send(voteFrame(head, 66))
	r.run(survive + 10*time.Millisecond)
	a.clear()
	b.clear()
	x := makeBlock(head, base, otherName, savanna(101))
	n.send(x.frame)
	bad := voteFrame(head, 66)
	bad[len(bad)-1] ^= 1
	evil.send(bad)
	for _, p := range []*peer{a, b} {
		if len(p.votes()) > 0 {
			p.drop()
			p.again(head, head)
		}
	}
	r.run(time.Second)
	if n.gone {
		t.Errorf("the honest peer was closed as %v", n.closed)
	}
}

// A source that is blamed leaves its other blocks on trial: each costs one more link.
func TestBurstOfBadBlocksCostsALinkEach(t *testing.T) {
	r, _, a, b, head := warm(t)
	evil := r.network("evil", head)
	nodes := []*peer{a, b}
	bad := map[p2pwire.ID]bool{}
	for i := range byte(40) {
		x := makeBlock(head, base, otherName, mark(i+1), signedBy(ourKey))
		bad[x.id] = true
		r.c.Data(r.now, evil.id, x.frame)
	}
	r.pump()
	lost := 0
	for range 400 {
		for i, p := range nodes {
			for _, id := range p.blocks() {
				if bad[id] {
					lost++
					p.drop()
					nodes[i] = p.again(head, head)
					break
				}
			}
		}
		r.run(20 * time.Millisecond)
	}
	if lost > 4 {
		t.Errorf("one burst of 40 bad blocks of one source, banned after the first, cost %d links", lost)
	}
	if !evil.gone {
		t.Error("the source was not closed")
	}
}

// 256 orphans of one hostile peer, and no gap is ever asked for again: what an outage left out can
// not be fetched, so nothing links any more.
func TestOrphanFloodStopsGapFetching(t *testing.T) {
	for _, flood := range []int{0, 256} {
		r, n, a, b, head := warm(t)
		evil := r.network("evil", head)
		for i := range flood {
			x := makeBlock(genesis(uint32(1000+i)), base, otherName, mark(byte(i)))
			r.c.Data(r.now, evil.id, x.frame)
		}
		r.pump()
		evil.drop()
		n.clear()
		chain := []blk{head}
		for i := range p2pwire.Slot(240) { // two minutes
			r.until(base+i, 0)
			for _, p := range []*peer{n, a, b} {
				p.alive()
			}
			x := makeBlock(chain[i], base+i, otherName)
			chain = append(chain, x)
			if i > 0 { // the first one got lost
				n.send(x.frame)
			}
			asked := n.requests()
			n.clear()
			for _, q := range asked {
				for j, below := range chain[:len(chain)-1] {
					if q.Blocks.IDs[0] == below.id {
						for _, y := range chain[j+1:] {
							n.send(y.frame)
						}
					}
				}
			}
		}
		last := chain[len(chain)-1].id.Num()
		if got := r.c.Snapshot(r.now).PublicHead.Num; got+3 < last {
			t.Errorf("after %d orphans of another peer the public head stands at %d for two minutes, the network is at %d", flood, got, last)
		}
	}
}

// Votes with ever new keys fill the trials; a block whose trial finds no room is never tried again.
func TestVoteFloodStarvesBlocksOfTheirTrial(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	evil := r.network("evil", head)
	for i := range 4096 {
		f := voteFrame(head, 1)
		binary.LittleEndian.PutUint32(f[p2pwire.PrefixLen+1+32+1+4:], uint32(i))
		r.c.Data(r.now, evil.id, f)
	}
	x := makeBlock(head, base, otherName, savanna(101), signedBy(ourKey))
	n.send(x.frame)
	r.run(3 * time.Second)
	a.want(x)
	b.want(x)
}

// Linked blocks are kept without a bound per source: 2048 small fakes evict everything real, a good
// block on trial included.
func TestFakesEvictTheBlockOnTrial(t *testing.T) {
	r, n, a, b, head := warm(t)
	evil := r.network("evil", head)
	chain := long(r, n, head, 10, base-60)
	x := makeBlock(chain[9], base, otherName)
	n.send(x.frame)
	for i := range 2048 {
		f := makeBlock(chain[0], base-30, otherName, mark(byte(i)), func(b *p2pwire.BlockBuilder) { b.ActionMRoot[1] = byte(i >> 8) })
		r.c.Data(r.now, evil.id, f.frame)
	}
	r.run(2 * survive)
	if !a.has(x.frame) || !b.has(x.frame) {
		t.Error("a good block was lost to a flood of fakes while it was on trial")
	}
}

// A hostile server of a catch-up comes back as a new session, names the highest head, and serves the
// node again.
func TestHostileCatchUpServerIsAskedAgainAndAgain(t *testing.T) {
	r, _, _, _, _ := warm(t)
	g := genesis(1)
	v := r.open(core.Internal, "v")
	v.handshake(g, g)
	served := 0
	for i := range byte(10) {
		info := core.SessionInfo{Side: core.Network, Remote: "10.6.6.6:6666"}
		id, err := r.c.Open(r.now, info)
		if err != nil {
			break // shut out
		}
		evil := &peer{r: r, id: id, side: core.Network, name: "evil", nodeID: p2pwire.ID{66, i}}
		r.peers[id] = evil
		evil.handshake(genesis(90), genesis(1<<31))
		r.run(2100 * time.Millisecond)
		if len(evil.requests()) > 0 {
			served++
			evil.send(makeBlock(g, base-1000, otherName, mark(i), signedBy(ourKey)).frame)
		}
		if len(v.blocks()) > 0 { // badly signed
			v.drop()
			v = v.again(g, g)
		}
		r.run(600 * time.Millisecond)
		if !evil.gone {
			evil.drop()
		}
	}
	if served > 2 {
		t.Errorf("the hostile peer served %d times, although the node left over its first answer", served)
	}
}

// A server that gives one block every 1.5 s keeps a catch-up for ever.
func TestDrippingCatchUpServer(t *testing.T) {
	r, n, _, _, _ := warm(t)
	g := genesis(1)
	evil := r.network("evil", genesis(1<<31))
	v := r.open(core.Internal, "v")
	v.handshake(g, g)
	n.clear()
	r.run(600 * time.Millisecond)
	prev := g
	for i := range p2pwire.Slot(40) {
		r.run(1500 * time.Millisecond)
		for _, p := range r.order {
			if !p.gone {
				p.alive()
			}
		}
		prev = makeBlock(prev, base-1000+i, otherName)
		evil.send(prev.frame)
	}
	if len(n.requests()) == 0 {
		t.Errorf("for a minute a node that is far behind got %d blocks, and nobody else was asked", len(v.blocks()))
	}
}

// A handshake that names the id of our node's coming block makes a public entry of it. When the
// block then loses its slot, it is not withheld, and votes for it leave.
func TestNamedHeadMakesAWithheldBlockPublic(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	r.until(base, early(base))
	x, y := makeBlock(head, base, ourName, savanna(101), mark(1)), makeBlock(head, base, ourName, savanna(101), mark(2))
	evil := r.open(core.Network, "evil")
	evil.handshake(head, y)
	a.send(x.frame)
	b.send(y.frame)
	b.send(voteFrame(y, 1))
	n.wantVotes()
	// Its node names it: the public head must stay on the public chain.
	b.handshake(head, y)
	r.until(base+1, early(base+1))
	y1 := makeBlock(y, base+1, ourName, savanna(102), mark(2))
	b.send(y1.frame)
	if got := r.c.Snapshot(r.now).PublicHead.ID; got == y.id.String() || got == y1.id.String() {
		t.Error("the public head is a withheld block")
	}
	n.want(x)
}

// After a restart the network shows our block of the slot; until its trial is over the relay acts as
// if it had not seen it, and lets a sibling out.
func TestSiblingOfOurEchoedBlockAfterARestart(t *testing.T) {
	r := newRig(t, time.Second)
	root := makeBlock(genesis(100), base-9, otherName)
	head := makeBlock(root, base-1, otherName)
	n := r.network("net1", root)
	n.handshake(root, head)
	n.send(head.frame)
	b := r.node("b", head)
	r.until(base, early(base))
	n.clear()
	before := makeBlock(head, base, ourName, mark(1)) // let out before the restart
	n.send(before.frame)
	y := makeBlock(head, base, ourName, mark(2))
	b.send(y.frame)
	r.run(2 * time.Second)
	n.want()
}

// An unknown id in a request brings a go_away: a peer must not be asked from a block that only
// another peer sent.
func TestGapIsAskedForFromAFake(t *testing.T) {
	r, n, _, _, head := warm(t)
	evil := r.network("evil", head)
	f := makeBlock(head, base, otherName, mark(66), signedBy(ourKey))
	x := makeBlock(head, base, otherName)
	y := makeBlock(x, base+1, otherName)
	z := makeBlock(y, base+2, otherName)
	n.clear()
	evil.send(f.frame)
	n.send(z.frame) // x and y were lost
	for _, q := range n.requests() {
		if q.Blocks.IDs[0] == f.id {
			t.Error("an honest peer is asked for what follows a hostile one's block: it answers with go_away")
		}
	}
}

// The start fence opens on the word of one accepted peer that has shown no block at all.
func TestFenceOpensOnAWord(t *testing.T) {
	r := newRig(t, time.Second)
	head := makeBlock(genesis(100), base-1, otherName)
	evil := r.network("evil", head) // root = head: nothing is asked, the network counts as learned
	b := r.node("b", head)
	r.until(base, early(base))
	y := makeBlock(head, base, ourName, mark(2))
	evil.clear()
	b.send(y.frame)
	evil.want()
}

// Node ids are no secret: every peer of a node knows its id. Whoever connects with it first keeps a
// configured peer out for as long as it likes.
func TestBorrowedNodeIDKeepsAConfiguredPeerOut(t *testing.T) {
	r, n, _, _, head := warm(t)
	n.drop() // a short outage
	id, err := r.c.Open(r.now, core.SessionInfo{Side: core.Network, Remote: "10.6.6.6:6666"})
	if err != nil {
		t.Fatal(err)
	}
	evil := &peer{r: r, id: id, side: core.Network, name: "evil", nodeID: n.nodeID}
	r.peers[id] = evil
	evil.handshake(head, head)
	back := r.open(core.Network, "net1") // dialled
	back.nodeID = n.nodeID
	back.handshake(head, head)
	if back.gone {
		t.Errorf("the configured peer was closed as %v in favour of an accepted one", back.closed)
	}
}

// The child of a block that was thrown out is tried without its parent: no node can link it, so it
// survives.
func TestChildOfAHarmfulBlockSurvives(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	evil := r.network("evil", head)
	f1 := makeBlock(head, base-1, otherName, savanna(101), mark(66), signedBy(ourKey))
	f2 := makeBlock(f1, base, otherName, savanna(1<<31), mark(66), signedBy(ourKey))
	r.c.Data(r.now, evil.id, append(bytes.Clone(f1.frame), f2.frame...))
	r.pump()
	nodes := []*peer{a, b}
	for range 50 {
		for i, p := range nodes {
			got := p.blocks()
			p.clear()
			for _, id := range got {
				if id == f1.id { // a bad signature
					p.drop()
					nodes[i] = p.again(head, head)
					break
				}
				p.handshake(head, head) // unlinkable
			}
		}
		r.run(20 * time.Millisecond)
	}
	if got := r.c.Snapshot(r.now).PublicHead.ID; got == f2.id.String() {
		t.Error("the public head is the child of a block that cost a node its link")
	}
	_ = n
}

// leap and spring 1.0 answer a badly signed block with a handshake and keep the link: there every
// forged block survives.
func TestForgedChainBecomesThePublicHeadBehindLeapNodes(t *testing.T) {
	r, n, a, b, head := warm(t)
	evil := r.network("evil", head)
	prev := head
	for i := range byte(13) {
		prev = makeBlock(prev, base-38+p2pwire.Slot(i), name("nobody"), mark(66))
		evil.send(prev.frame)
		for _, p := range []*peer{a, b} {
			if len(p.blocks()) > 0 {
				p.clear()
				p.handshake(head, head)
			}
		}
		r.run(20 * time.Millisecond)
	}
	r.until(base, early(base))
	for _, p := range []*peer{a, b} {
		if len(p.blocks()) > 0 {
			p.clear()
			p.handshake(head, head)
		}
	}
	x := makeBlock(head, base, ourName)
	a.send(x.frame)
	n.want(x)
}

// Whoever guesses the id of a block we keep inside can send something under it. Only good bytes prove
// that the block has another way out.
func TestGuessedIDOfAWithheldBlock(t *testing.T) {
	for _, genuine := range []bool{false, true} {
		r, n, a, b, head := warm(t)
		r.until(base, early(base))
		a0, b0 := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
		a.send(a0.frame)
		b.send(b0.frame)
		r.run(50 * time.Millisecond)
		evil := r.network("evil", head)
		x := b0
		if !genuine {
			x = mutilate(t, b0, 1)
		}
		evil.send(x.frame)
		if r.event(core.EventAlarm, core.ReasonWithheldInPublic) != nil {
			t.Fatal("an alarm over bytes that nobody tried")
		}
		if !genuine {
			nodes := []*peer{a}
			nodes, _ = r.closeOver(nodes, x.frame, a0)
			a = nodes[0]
		} else {
			r.run(2 * survive)
		}
		if got := r.event(core.EventAlarm, core.ReasonWithheldInPublic) != nil; got != genuine {
			t.Errorf("genuine %v: alarm %v", genuine, got)
		}
		// In a round without a, nothing of the withheld branch leaves.
		r.until(base+3, early(base+3))
		a3, b1 := makeBlock(a0, base+3, ourName, mark(1)), makeBlock(b0, base+3, ourName, mark(2))
		b.send(b1.frame)
		a.send(a3.frame)
		r.run(2 * time.Second)
		n.want(a0, a3)
	}
}

// Only the node that leads can try votes while the others are held. Forged ones cost its link three times, not
// again and again.
func TestForgedVoteThatOnlyTheLeadCanTry(t *testing.T) {
	c, _ := settled(t, 8)
	c.f.drop() // it would go first
	evil := c.network("evil", c.head)
	bad := voteFrame(c.head, 66)
	bad[len(bad)-1] ^= 1
	evil.send(bad)
	nodes, lost := c.closeOver([]*peer{c.a, c.b}, bad, c.head)
	if lost > 3 || !evil.gone {
		t.Errorf("%d links lost to one bad vote, its source shut out: %v", lost, evil.gone)
	}
	if nodes[1] != c.b {
		t.Error("it was tried on a node that is held")
	}
}

// Nodes that have lost their links a few times are redialled after a while only. What cost them the link is
// not forgotten meanwhile: its source is shut out as if they had been back at once.
func TestBurstOfBadBlocksAndNodesThatAreBackLate(t *testing.T) {
	for _, count := range []int{1, 2} { // nodes
		r, _, a, b, head := warm(t)
		evil := r.network("evil", head)
		nodes := []*peer{a, b}[:count]
		if count == 1 {
			b.drop()
		}
		bad := map[p2pwire.ID]bool{}
		for i := range byte(40) {
			x := makeBlock(head, base, otherName, mark(i+1), signedBy(ourKey))
			bad[x.id] = true
			r.c.Data(r.now, evil.id, x.frame)
		}
		r.pump()
		lost := 0
		back := make([]time.Duration, count)
		for range 400 {
			for i, p := range nodes {
				switch {
				case p.gone && r.now.Mono >= back[i]:
					nodes[i] = p.again(head, head)
				case !p.gone && slices.ContainsFunc(p.blocks(), func(id p2pwire.ID) bool { return bad[id] }):
					lost++
					p.drop()
					back[i] = r.now.Mono + 600*time.Millisecond
				}
			}
			r.run(20 * time.Millisecond)
		}
		if lost > 4 || !evil.gone {
			t.Errorf("%d nodes lost %d links over one burst; its source was shut out: %v", count, lost, evil.gone)
		}
	}
}

// nodeos tells by a handshake that it cannot link a block, but sends none for 50 ms behind another one that
// named the same head. A forged block of ours that comes in that time is not good because nobody objects.
func TestForgedBlockThatANodeCannotObjectTo(t *testing.T) {
	r, n, a, b, head := warm(t)
	evil := r.network("evil", head)
	x := makeBlock(head, base-1, otherName, mark(9)) // no node links it
	forged := makeBlock(x, base, ourName, mark(9), signedBy(otherKey))
	spoke := map[*peer]time.Duration{}
	seen := map[*peer]int{}
	object := func() {
		for _, p := range []*peer{a, b} {
			if got := len(p.blocks()); got > seen[p] {
				if seen[p] = got; r.now.Mono-spoke[p] >= 50*time.Millisecond {
					spoke[p] = r.now.Mono
					p.handshake(head, head)
				}
			}
		}
	}
	evil.send(x.frame)
	for i := range 100 {
		object()
		r.run(10 * time.Millisecond)
		if i == 1 {
			evil.send(forged.frame)
		}
	}
	if r.event(core.EventAlarm, core.ReasonForeignBlock) != nil {
		t.Error("a forged block that no node could link was taken for one of another instance")
	}
	n.clear()
	r.until(base, early(base))
	ours := makeBlock(head, base, ourName)
	a.send(ours.frame)
	r.until(base, -50*time.Millisecond)
	n.want(ours)
}

// Another payload of a block that is linked to nothing is tried on nobody, as that block is not: a node that
// is given one is taken to lack what lies below, and is brought up by a catch-up that brings nothing.
func TestTwinsOfOrphans(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	evil := r.network("evil", head)
	lost := makeBlock(head, base-1, otherName, savanna(90), mark(65)) // sent to nobody
	p := makeBlock(lost, base, otherName, savanna(90), mark(66))
	o := makeBlock(p, base+1, otherName, savanna(90), mark(66))
	for _, x := range []blk{p, o} {
		twin := bytes.Clone(x.frame)
		twin[len(twin)-5] ^= 0x55 // in the signature
		evil.send(x.frame, twin)
	}
	next := makeBlock(head, base+2, otherName, savanna(90))
	for range 5 {
		r.run(200 * time.Millisecond)
	}
	n.send(next.frame)
	r.run(250 * time.Millisecond)
	for _, x := range []*peer{a, b} {
		x.want(next)
		if got := len(x.frames(p2pwire.TypeHandshake)); got > 0 {
			t.Errorf("%s got %d handshakes: it is being brought up", x.name, got)
		}
	}
	// When what lies below comes after all, the twins are tried, and one of them may be the good one.
	n.send(lost.frame)
	r.run(time.Second)
	if !a.has(o.frame) || !b.has(o.frame) {
		t.Error("the good one of two payloads did not reach the nodes")
	}
}
