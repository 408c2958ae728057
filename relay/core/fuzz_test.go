package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// FuzzCore feeds the core with arbitrary events: connections that come and go, raw bytes, valid
// and damaged messages, time. It checks I1 on what the network side received, that parents come
// first there, and that nothing is kept once every session is gone.
func FuzzCore(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17})
	f.Add([]byte{0, 0, 10, 1, 0, 20, 40, 3, 0, 1, 2, 3, 1, 3, 3, 3, 9, 9, 9, 4, 4, 2, 5, 6, 7, 8, 200, 100, 3, 2, 1})
	f.Add([]byte{0, 0, 1, 0, 3, 0, 0, 3, 1, 0, 3, 2, 0, 3, 3, 0, 6, 200, 3, 0, 1, 3, 1, 1, 3, 2, 1, 6, 50, 2, 0, 7, 0, 8, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 600 {
			return
		}
		runScript(t, script)
	})
}

// script reads a fuzzer's bytes as choices.
type script struct{ b []byte }

func (s *script) next(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	v := int(s.b[0]) % n
	s.b = s.b[1:]
	return v
}

func runScript(t *testing.T, raw []byte) {
	s := &script{raw}
	r := newRig(t, time.Second, func(c *core.Config) {
		c.StartFence = time.Millisecond
		c.RingBlocks = 64
	})
	g := genesis(100)
	chain := []blk{g}
	var peers []*peer
	pick := func() *peer {
		if len(peers) == 0 {
			return nil
		}
		return peers[s.next(len(peers))]
	}
	for len(s.b) > 0 {
		switch s.next(10) {
		case 0:
			if len(peers) < 12 {
				side := core.Internal
				if s.next(2) == 1 {
					side = core.Network
				}
				p := r.open(side, []string{"a", "b", "n1", "n2"}[s.next(4)])
				peers = append(peers, p)
			}
		case 1:
			if p := pick(); p != nil && !p.gone {
				p.handshake(chain[s.next(len(chain))], chain[len(chain)-1])
			}
		case 2:
			if p := pick(); p != nil && !p.gone {
				p.drop()
			}
		case 3:
			if p := pick(); p != nil && !p.gone {
				prev := chain[max(0, len(chain)-1-s.next(4))]
				who, opts := ourName, []blockOption{mark(byte(s.next(3)))}
				if s.next(3) == 0 {
					who = otherName
				}
				if s.next(2) == 0 {
					opts = append(opts, savanna(uint32(100+s.next(8))))
				}
				x := makeBlock(prev, p2pwire.SlotAt(r.now.Wall)+p2pwire.Slot(s.next(14)), who, opts...)
				chain = append(chain, x)
				if s.next(6) == 0 {
					x.frame[5+s.next(len(x.frame)-5)] ^= byte(1 << s.next(8))
				}
				p.send(x.frame)
			}
		case 4:
			if p := pick(); p != nil && !p.gone {
				p.send(voteFrame(chain[s.next(len(chain))], byte(s.next(3))))
			}
		case 5:
			if p := pick(); p != nil && !p.gone {
				p.send(trxFrame(r, string(rune('a'+s.next(5)))))
			}
		case 6:
			r.run(time.Duration(s.next(256)) * 7 * time.Millisecond)
		case 7:
			if p := pick(); p != nil && !p.gone {
				mode := p2pwire.ListMode(s.next(5))
				p.send(p2pwire.AppendFrame(nil, p2pwire.Request{Blocks: p2pwire.IDList{Mode: mode, IDs: []p2pwire.ID{chain[s.next(len(chain))].id}}}))
			}
		case 8:
			if p := pick(); p != nil && !p.gone {
				p.send(p2pwire.AppendFrame(nil, p2pwire.SyncRequest{Start: uint32(s.next(110)), End: uint32(s.next(120))}))
			}
		case 9:
			if p := pick(); p != nil && !p.gone {
				n := min(s.next(64), len(s.b))
				r.c.Data(r.now, p.id, s.b[:n])
				s.b = s.b[n:]
				r.pump()
			}
		}
	}
	r.run(time.Second)
	claimed := map[p2pwire.Slot]p2pwire.ID{}
	for _, p := range r.order {
		if p.side != core.Network {
			continue
		}
		for _, f := range p.frames(p2pwire.TypeSignedBlock) {
			b, err := p2pwire.ParseBlock(f.Body())
			if err != nil {
				t.Fatalf("the network got a bad block: %v", err)
			}
			if b.Producer != ourName {
				continue
			}
			if id, ok := claimed[b.Slot]; ok && id != b.ID {
				t.Fatalf("slot %d: two blocks, %s and %s", b.Slot, id.Short(), b.ID.Short())
			}
			claimed[b.Slot] = b.ID
		}
	}
	for _, p := range r.order {
		if !p.gone {
			p.drop()
		}
	}
	r.run(20 * time.Second)
	st := r.c.Snapshot(r.now)
	if len(st.Sessions) != 0 || st.QueuedBytes != 0 || st.PartialBytes != 0 {
		t.Fatalf("left behind: %d sessions, %d queued, %d partial bytes", len(st.Sessions), st.QueuedBytes, st.PartialBytes)
	}
	if limit := 64 * 1024; st.BufferedBytes > limit {
		t.Fatalf("%d bytes of frames are held with every session gone", st.BufferedBytes)
	}
}
