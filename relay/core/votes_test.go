package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

func (p *peer) votes() []p2pwire.ID {
	var out []p2pwire.ID
	for _, f := range p.frames(p2pwire.TypeVote) {
		v, err := p2pwire.ParseVote(f.Body())
		if err != nil {
			p.r.t.Fatal(err)
		}
		out = append(out, v.BlockID)
	}
	return out
}

func (p *peer) wantVotes(bs ...blk) {
	p.r.t.Helper()
	got := p.votes()
	if len(got) != len(bs) {
		p.r.t.Fatalf("%s received %d votes, want %d", p.name, len(got), len(bs))
	}
	for i, b := range bs {
		if got[i] != b.id {
			p.r.t.Fatalf("%s: vote %d is for %s, want %s", p.name, i, got[i].Short(), b.id.Short())
		}
	}
}

func TestVotesLeaveInOrderForPublicBlocksOnly(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	r.until(base, early(base))
	x := makeBlock(head, base, ourName, savanna(101), mark(1))
	y := makeBlock(head, base, ourName, savanna(101), mark(2))
	a.send(voteFrame(x, 1)) // before its block
	n.wantVotes()
	a.send(x.frame)
	n.wantVotes(x)
	b.wantVotes(x)
	b.send(y.frame, voteFrame(y, 1)) // for a withheld sibling
	n.wantVotes(x)
	a.send(voteFrame(head, 1)) // older timestamp
	n.wantVotes(x)
	b.send(voteFrame(x, 1)) // identical, from the other node
	n.wantVotes(x)
	r.until(base+1, early(base+1))
	x1 := makeBlock(x, base+1, ourName, savanna(102))
	a.send(x1.frame)
	b.send(weak(voteFrame(x1, 1))) // another node may not speak in between
	n.wantVotes(x)
	a.send(voteFrame(x1, 1))
	n.wantVotes(x, x1)
}

func weak(f []byte) []byte {
	f[p2pwire.PrefixLen+1+32] = 0
	return f
}

func TestVoteEmitterIsReplaced(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	r.until(base, early(base))
	x := makeBlock(head, base, ourName, savanna(101))
	a.send(x.frame, voteFrame(x, 1))
	n.wantVotes(x)
	a.drop()
	x1 := makeBlock(x, base+1, ourName, savanna(102))
	b.send(x1.frame, voteFrame(x1, 1))
	n.wantVotes(x, x1)
}

func TestVoteWaitsAndExpires(t *testing.T) {
	r, n, a, _, head := warm(t, savanna(90))
	x := makeBlock(head, base, otherName, savanna(101))
	a.send(voteFrame(x, 1))
	r.run(6 * time.Second)
	if r.c.Snapshot(r.now).HeldVotes != 0 {
		t.Error("the vote still waits")
	}
	n.send(x.frame)
	n.wantVotes()
}

func TestNetworkVotesReachAllNodesOnce(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	v := voteFrame(head, 5)
	n.send(v)
	if len(a.votes())+len(b.votes()) != 1 {
		t.Fatal("a vote of a new pair did not go to one node first")
	}
	r.run(survive)
	n.send(v)
	a.wantVotes(head)
	b.wantVotes(head)
	x := makeBlock(head, base, otherName, savanna(101))
	n.send(x.frame, voteFrame(x, 5))
	a.wantVotes(head, x)
	b.wantVotes(head, x)
	n.wantVotes()
}

func TestHarmfulVoteIsBlamedOnItsSource(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	n.send(voteFrame(head, 66))
	if _, lost := r.closeOver([]*peer{a, b}, voteFrame(head, 66), head); n.closed != core.ReasonBlamed || lost != 2 {
		t.Errorf("the source was closed as %v after %d links, want blamed after 2", n.closed, lost)
	}
}

func TestVotesAreFilteredByProtocolVersion(t *testing.T) {
	r, n, a, _, head := warm(t, savanna(90))
	leap := r.open(core.Network, "leap")
	leap.hello(genesis(90), head, func(h *p2pwire.Handshake) { h.NetworkVersion = p2pwire.NetworkVersion(7) })
	blk := r.open(core.Network, "trxonly")
	blk.hello(genesis(90), head, func(h *p2pwire.Handshake) { h.P2PAddress = "x:1:trx - abc" })
	r.until(base, early(base))
	x := makeBlock(head, base, ourName, savanna(101))
	a.send(x.frame, voteFrame(x, 1))
	n.wantVotes(x)
	leap.want(x)
	leap.wantVotes()
	blk.want()
	blk.wantVotes()
}

func TestTransactionDirections(t *testing.T) {
	count := func(p *peer) int { return len(p.frames(p2pwire.TypePackedTransaction)) }
	for dir, want := range map[core.Direction][2]bool{core.Both: {true, true}, core.In: {true, false}, core.Out: {false, true}, core.Off: {false, false}} {
		r := newRig(t, 20*time.Second, func(c *core.Config) { c.Transactions = dir })
		n, n2 := r.network("net1", genesis(100)), r.network("net2", genesis(100))
		a, b := r.node("a", genesis(100)), r.node("b", genesis(100))
		n.send(trxFrame(r, "in"))
		n2.send(trxFrame(r, "in"))
		if got := count(a) == 1 && count(b) == 1; got != want[0] {
			t.Errorf("direction %d: in %v", dir, got)
		}
		before := count(b)
		a.send(trxFrame(r, "out"))
		if got := count(n) == 1 && count(n2) == 1 && count(b) == before+1; got != want[1] {
			t.Errorf("direction %d: out %v", dir, got)
		}
		if count(n2) > 1 {
			t.Error("a transaction went back to the network")
		}
	}
}

// chain makes n own blocks on head and lets node a bring them; b has them too.
func (r *rig) chain12(a *peer, head blk) []blk {
	var out []blk
	for i := range p2pwire.Slot(12) {
		r.until(base+i, early(base+i))
		head = makeBlock(head, base+i, ourName, savanna(101))
		a.send(head.frame)
		out = append(out, head)
	}
	return out
}

// TestFinalizerNode: its votes leave, even if others are quicker, while it is there and keeps up.
func TestFinalizerNode(t *testing.T) {
	setup := func(t *testing.T) (r *rig, n, a, f *peer, bs []blk) {
		r, n, a, _, head := warmWith(t, func(c *core.Config) { c.FinalizerNode = "f" }, 0, savanna(90))
		f = r.open(core.Internal, "f")
		f.handshake(head, head)
		bs = r.chain12(a, head)
		n.clear()
		return r, n, a, f, bs
	}
	// Votes of different nodes for one block differ here in strength, so that they can be told apart.
	other := func(b blk) []byte { return weak(voteFrame(b, 1)) }
	chosen := func(b blk) []byte { return voteFrame(b, 1) }
	strong := func(n *peer) (out []bool) {
		for _, f := range n.frames(p2pwire.TypeVote) {
			out = append(out, f[p2pwire.PrefixLen+1+32] != 0)
		}
		return out
	}
	t.Run("quicker others wait", func(t *testing.T) {
		_, n, a, f, bs := setup(t)
		for _, b := range bs {
			a.send(other(b))
			f.send(chosen(b))
		}
		n.wantVotes(bs...)
		for i, s := range strong(n) {
			if !s {
				t.Errorf("vote %d is not the chosen node's", i)
			}
		}
	})
	t.Run("it lags", func(t *testing.T) {
		_, n, a, f, bs := setup(t)
		for i, b := range bs {
			a.send(other(b))
			if i < 3 || i > 7 {
				f.send(chosen(b))
			}
		}
		// Two slots are lost to the change, and the way back costs one of the other's votes nothing.
		n.wantVotes(append(append([]blk{}, bs[:3]...), bs[4:]...)...)
	})
	t.Run("it is gone", func(t *testing.T) {
		_, n, a, f, bs := setup(t)
		f.send(chosen(bs[0]))
		f.drop()
		for _, b := range bs[1:] {
			a.send(other(b))
		}
		n.wantVotes(bs...)
	})
	t.Run("it has not this key", func(t *testing.T) {
		_, n, a, _, bs := setup(t)
		for _, b := range bs {
			a.send(other(b))
		}
		n.wantVotes(bs[2:]...)
	})
	t.Run("it comes back", func(t *testing.T) {
		r, n, a, f, bs := setup(t)
		f.send(chosen(bs[0]))
		f.drop()
		for i, b := range bs {
			if i == 6 {
				f = f.again(bs[5], bs[5])
			}
			a.send(other(b)) // always first
			if i >= 6 {
				f.send(chosen(b))
			}
		}
		got := strong(n)
		if len(got) != 12 {
			t.Fatalf("%d votes, want 12", len(got))
		}
		for i, s := range got {
			if s != (i == 0 || i >= 7) {
				t.Errorf("vote %d: of the chosen node %v", i, s)
			}
		}
		r.run(time.Millisecond)
	})
}
