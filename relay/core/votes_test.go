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
