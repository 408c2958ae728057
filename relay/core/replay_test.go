package core_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

const captures = "../../p2pwire/testdata/captures"

// recorded is one frame of a recorded session between two real nodeos.
type recorded struct {
	up    bool // from the node that dialled, bpalpha's
	frame p2pwire.Frame
	at    time.Duration
	wall  int64
}

// load reads a recorded session in the order its frames were seen.
func load(t *testing.T, name string) []recorded {
	t.Helper()
	var index []struct {
		Dir    string
		Offset int
		Length int
		T      float64
	}
	raw, err := os.ReadFile(filepath.Join(captures, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	data := map[string][]byte{}
	for _, dir := range []string{"up", "dn"} {
		if data[dir], err = os.ReadFile(filepath.Join(captures, name+"."+dir+".bin")); err != nil {
			t.Fatal(err)
		}
	}
	var out []recorded
	for _, e := range index {
		if e.Offset+e.Length > len(data[e.Dir]) {
			continue
		}
		out = append(out, recorded{
			up: e.Dir == "up", frame: data[e.Dir][e.Offset : e.Offset+e.Length],
			at: time.Duration((e.T - index[0].T) * 1e9), wall: int64(e.T * 1e9),
		})
	}
	return out
}

// replay feeds the frames kept by keep into p, in random chunks, at their recorded times.
func (r *rig) replay(rng *rand.Rand, frames []recorded, to func(recorded) *peer) {
	start := r.now.Mono
	for _, f := range frames {
		if d := start + f.at - r.now.Mono; d > 0 {
			r.run(d)
		}
		p := to(f)
		if p == nil || p.gone {
			continue
		}
		for b := []byte(f.frame); len(b) > 0; {
			n := min(1+rng.IntN(700), len(b))
			r.c.Data(r.now, p.id, b[:n])
			b = b[n:]
		}
		r.pump()
	}
	r.run(300 * time.Millisecond)
}

func chainOf(t *testing.T, frames []recorded) p2pwire.ID {
	for _, f := range frames {
		if f.frame.Type() == p2pwire.TypeHandshake {
			h, err := p2pwire.DecodeHandshake(f.frame.Body())
			if err != nil {
				t.Fatal(err)
			}
			return h.ChainID
		}
	}
	t.Fatal("no handshake recorded")
	return p2pwire.ID{}
}

// record makes a rig for a recorded session.
func record(t *testing.T, frames []recorded, own string) *rig {
	r := newRig(t, 0, func(c *core.Config) {
		c.ChainID = chainOf(t, frames)
		c.Producers[0].Name = name(own)
		c.StartFence = time.Nanosecond
	})
	r.chain = chainOf(t, frames)
	r.now.Wall = frames[0].wall
	r.c.Tick(r.now)
	return r
}

func TestRecordedNetworkStream(t *testing.T) {
	for _, capture := range []string{"legacy-producer-live", "savanna-producer-live", "savanna-two-peers-nack", "savanna-few-behind"} {
		t.Run(capture, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			frames := load(t, capture)
			r := record(t, frames, "nobody")
			n := r.open(core.Network, "beta")
			var a, b *peer
			twins := map[p2pwire.ID]bool{}
			var sent []p2pwire.ID
			seen := map[p2pwire.ID]bool{}
			rng := rand.New(rand.NewPCG(seed, 1))
			r.replay(rng, frames, func(f recorded) *peer {
				if (f.up && f.frame.Type() != p2pwire.TypeSignedBlock) || f.frame.Type() == p2pwire.TypeGoAway {
					return nil
				}
				if a != nil && f.frame.Type() == p2pwire.TypeTime {
					a.alive()
					b.alive()
				}
				if f.frame.Type() == p2pwire.TypeSignedBlock {
					v, err := p2pwire.ParseBlock(f.frame.Body())
					if err != nil {
						t.Fatal(err)
					}
					if a == nil {
						// Our nodes stand at the block below the first one recorded.
						at := blk{id: v.Previous}
						a, b = r.node("a", at), r.node("b", at)
					}
					if !seen[v.ID] {
						seen[v.ID] = true
						sent = append(sent, v.ID)
						if len(sent)%5 == 0 {
							twins[v.ID] = true
							n.send(mutilate(t, blk{frame: f.frame}, 3).frame)
						}
					}
				}
				return n
			})
			if n.gone {
				t.Fatalf("the recorded peer was closed: %v", n.closed)
			}
			for _, p := range []*peer{a, b} {
				var got []p2pwire.ID
				had := map[p2pwire.ID]bool{}
				good := map[p2pwire.ID]bool{}
				for _, f := range p.frames(p2pwire.TypeSignedBlock) {
					v, err := p2pwire.ParseBlock(f.Body())
					if err != nil {
						t.Fatal(err)
					}
					if had[v.ID] && !twins[v.ID] {
						t.Errorf("%s got block %s twice", p.name, v.ID.Short())
					}
					if !had[v.ID] {
						got = append(got, v.ID)
					}
					had[v.ID] = true
					if !had[v.Previous] && len(got) > 1 {
						t.Errorf("%s got block %s before its parent", p.name, v.ID.Short())
					}
					for _, x := range frames {
						if bytes.Equal(x.frame, f) {
							good[v.ID] = true
						}
					}
				}
				if len(got) != len(sent) {
					t.Fatalf("%s got %d distinct blocks, want %d", p.name, len(got), len(sent))
				}
				for i := range got {
					if got[i] != sent[i] {
						t.Fatalf("%s: block %d is %s, want %s", p.name, i, got[i].Short(), sent[i].Short())
					}
					if !good[got[i]] {
						t.Errorf("%s never got the good copy of %s", p.name, got[i].Short())
					}
				}
			}
		})
	}
}

func TestRecordedProducerBehindTheRelay(t *testing.T) {
	for _, capture := range []string{"legacy-producer-live", "savanna-producer-live"} {
		t.Run(capture, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			frames := load(t, capture)
			r := record(t, frames, "bpalpha")
			n, a := r.open(core.Network, "beta"), r.open(core.Internal, "a")
			leap := r.open(core.Network, "leap")
			leap.hello(genesis(1), genesis(1), func(h *p2pwire.Handshake) { h.NetworkVersion = p2pwire.NetworkVersion(7) })
			var ours []p2pwire.ID
			r.replay(rand.New(rand.NewPCG(seed, 2)), frames, func(f recorded) *peer {
				if f.up && f.frame.Type() == p2pwire.TypeSignedBlock {
					v, err := p2pwire.ParseBlock(f.frame.Body())
					if err != nil {
						t.Fatal(err)
					}
					if v.Producer == name("bpalpha") {
						ours = append(ours, v.ID)
					}
				}
				if f.up {
					return a
				}
				return n
			})
			if n.gone || a.gone || len(ours) < 24 {
				t.Fatalf("peer closed %v, node closed %v, %d own blocks recorded", n.closed, a.closed, len(ours))
			}
			got := n.blocks()
			if len(got) != len(ours) {
				t.Fatalf("the network got %d of %d own blocks; withheld %+v", len(got), len(ours), r.c.Snapshot(r.now).Stats.OwnWithheld)
			}
			for i := range got {
				if got[i] != ours[i] {
					t.Fatalf("block %d is %s, want %s", i, got[i].Short(), ours[i].Short())
				}
			}
			if len(leap.frames(p2pwire.TypeVote)) != 0 {
				t.Error("a vote reached a peer of protocol version 7")
			}
			if capture == "savanna-producer-live" && len(n.frames(p2pwire.TypeVote)) == 0 {
				t.Error("no vote of ours reached the network")
			}
		})
	}
}
