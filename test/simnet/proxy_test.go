package simnet

import (
	"time"

	"bprelay/p2pwire"
)

// gate is the frame proxy of the experiments: B's only peer, in front of a
// public node. While closed it drops B's own blocks and votes on the way out,
// and may hold back votes and the newest block on the way in.
type gate struct {
	*script
	open      bool // B's blocks and votes go out, nothing is held back
	holdVotes func(key []byte) bool
	holdBlock bool
	hide      bool // keep bpalpha's blocks of the round from B

	votes  [][]byte // the last ones held back
	newest [][]byte // blocks held back: one at most, unless hide
	b      *scriptConn
}

// maxHeldVotes is how many votes the experiment's proxy kept for the release.
const maxHeldVotes = 8

func newGate(r *rig, upstream string) *gate {
	g := &gate{script: r.script("gate")}
	g.upstream = upstream + ":9876"
	g.onFrame = g.frame
	r.w.Add(g.addr, g)
	return g
}

func (g *gate) frame(c *scriptConn, f p2pwire.Frame) {
	if c.dialled {
		g.b = c.pair
		g.inbound(c.pair, f)
		return
	}
	g.b = c
	own := f.Type() == p2pwire.TypeVote || f.Type() == p2pwire.TypeSignedBlock && blockOf(f).Producer == mustName("bpalpha")
	if !own || g.open {
		c.pair.send(f)
	}
}

func (g *gate) inbound(b *scriptConn, f p2pwire.Frame) {
	switch f.Type() {
	case p2pwire.TypeVote:
		v, _ := p2pwire.ParseVote(f.Body())
		if !g.open && g.holdVotes != nil && g.holdVotes(v.FinalizerKey()) {
			g.votes = append(g.votes, f)
			g.votes = g.votes[max(0, len(g.votes)-maxHeldVotes):]
			return
		}
	case p2pwire.TypeSignedBlock:
		if !g.open && g.hide && blockOf(f).Producer == mustName("bpalpha") {
			return
		}
		if !g.open && g.holdBlock {
			b.send(g.newest...)
			g.newest = [][]byte{f}
			return
		}
	}
	b.send(f)
}

// release lets B go: first the held votes, 10 ms later the newest block.
func (g *gate) release() {
	g.open = true
	g.b.send(g.votes...)
	newest := g.newest
	g.votes, g.newest = nil, nil
	g.w.At(g.w.now+10*time.Millisecond, func() { g.b.send(newest...) })
}

// allVotes holds every vote back.
func allVotes([]byte) bool { return true }
