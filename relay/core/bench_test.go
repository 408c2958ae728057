package core_test

import (
	"encoding/binary"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// bench drives the core as the engine does, with reused slices.
type bench struct {
	*rig
	ids []core.SessionID
	iov [][]byte
}

func (b *bench) flush() {
	b.ids = b.c.Writable(b.ids[:0])
	for _, id := range b.ids {
		b.iov = b.c.Take(b.now, id, 1<<20, b.iov[:0])
		b.c.Done(id)
	}
}

func newBench(tb testing.TB, peers int, opts ...blockOption) (*bench, []*peer, []*peer, blk) {
	r, n, a, bb, head := warm(tb, opts...)
	nets := []*peer{n}
	for range peers - 1 {
		nets = append(nets, r.network("net", head))
	}
	r.events = nil
	return &bench{rig: r}, nets, []*peer{a, bb}, head
}

func (r *rig) quiet() { r.events = r.events[:0] }

// restamp writes a new slot and parent into a prepared block and returns its new id.
func restamp(f []byte, slot p2pwire.Slot, prev p2pwire.ID) p2pwire.ID {
	body := f[p2pwire.PrefixLen+1:]
	binary.LittleEndian.PutUint32(body, uint32(slot))
	copy(body[14:46], prev[:])
	b, err := p2pwire.ParseBlock(body)
	if err != nil {
		panic(err)
	}
	return b.ID
}

// BenchmarkHotInboundBlock: a legacy block from the network, on trial at one node, then to the other.
func BenchmarkHotInboundBlock(b *testing.B) {
	r, nets, _, head := newBench(b, 3)
	x := makeBlock(head, base, otherName)
	prev, slot := head.id, base
	b.ReportAllocs()
	for b.Loop() {
		prev = restamp(x.frame, slot, prev)
		slot++
		r.now.Mono += 500 * time.Millisecond
		r.now.Wall += 5e8
		for _, n := range nets {
			r.c.Data(r.now, n.id, x.frame)
		}
		r.flush()
		r.now.Mono += survive
		r.tick()
		r.quiet()
	}
}

func (b *bench) tick() {
	for b.c.NextTimer() <= b.now.Mono {
		b.c.Tick(b.now)
	}
	b.flush()
	for _, p := range b.order {
		b.c.Data(b.now, p.id, pongFrame)
	}
}

var pongFrame = p2pwire.AppendFrame(nil, p2pwire.Time{Org: 1, Rec: 1, Xmt: 1})

// BenchmarkHotOutboundBlock: an own block with its withheld sibling, to three network peers.
func BenchmarkHotOutboundBlock(b *testing.B) {
	r, _, nodes, head := newBench(b, 3)
	x, y := makeBlock(head, base, ourName, mark(1)), makeBlock(head, base, ourName, mark(2))
	prev, slot := head.id, base
	r.now.Wall = base.Time()
	b.ReportAllocs()
	for b.Loop() {
		restamp(y.frame, slot, prev)
		prev = restamp(x.frame, slot, prev)
		slot++
		r.now.Mono += 500 * time.Millisecond
		r.now.Wall += 5e8
		r.c.Data(r.now, nodes[0].id, x.frame)
		r.c.Data(r.now, nodes[1].id, y.frame)
		r.flush()
		r.tick()
		r.quiet()
	}
	if got := r.c.Snapshot(r.now).Stats.OwnForwarded; got == 0 {
		b.Fatal("nothing was forwarded")
	}
}

// BenchmarkHotOutboundSigned: the same in Savanna, both signed by one of two configured keys.
func BenchmarkHotOutboundSigned(b *testing.B) {
	rig, n, n1, n2, head := signed(b, func(c *core.Config) {
		c.Producers[0].Keys = publics("new old")
		c.RingBlocks, c.ClaimEntries = 16, 16 // full soon
	})
	r := &bench{rig: rig}
	n.clear()
	x, y := makeBlock(head, base, ourName, savanna(92), mark(1)), makeBlock(head, base, ourName, savanna(92), mark(2))
	prev, slot := head.id, base
	r.now.Wall = base.Time()
	key := p2pwire.K1PrivateFromSeed("old")
	sign := func(f []byte) p2pwire.ID {
		id := restamp(f, slot, prev)
		v, err := p2pwire.ParseBlock(f[p2pwire.PrefixLen+1:])
		if err != nil {
			b.Fatal(err)
		}
		sig := key.Sign(id)
		copy(v.Signature(), sig[:])
		return id
	}
	prepare := func() {
		r.tick()
		r.quiet()
		sign(y.frame)
		prev = sign(x.frame)
		slot++
		r.now.Mono += 500 * time.Millisecond
		r.now.Wall += 5e8
	}
	send := func() {
		r.c.Data(r.now, n1.id, x.frame)
		r.c.Data(r.now, n2.id, y.frame)
		r.flush()
	}
	for range 40 {
		prepare()
		send()
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		prepare()
		b.StartTimer()
		send()
	}
	st := r.c.Snapshot(r.now).Stats
	if st.OwnForwarded == 0 || st.OwnForwarded != st.OwnWithheld[core.ReasonSlotTaken] || st.Alarms[core.ReasonUnknownKey] != 0 {
		b.Fatalf("%+v", st)
	}
}

// BenchmarkHotTransaction: a transaction from a node to three network peers and the other node, and
// its copy back from the network.
func BenchmarkHotTransaction(b *testing.B) {
	r, nets, nodes, _ := newBench(b, 3)
	f := trxFrame(r.rig, "12345678")
	at := len(f) - 9
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		binary.LittleEndian.PutUint64(f[at:], n)
		r.now.Mono += time.Millisecond
		r.now.Wall += 1e6
		r.c.Data(r.now, nodes[0].id, f)
		r.c.Data(r.now, nets[0].id, f)
		r.flush()
		if n%1000 == 0 {
			r.tick()
		}
	}
}

// BenchmarkHotVote: a vote from a trusted pair of the network to both nodes, three copies.
func BenchmarkHotVote(b *testing.B) {
	r, nets, _, head := newBench(b, 3, savanna(90))
	f := voteFrame(head, 5)
	nets[0].send(f)
	r.run(2 * survive)
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		binary.LittleEndian.PutUint64(f[len(f)-8:], n)
		r.now.Mono += time.Millisecond
		r.now.Wall += 1e6
		for _, p := range nets {
			r.c.Data(r.now, p.id, f)
		}
		r.flush()
		if n%1000 == 0 {
			r.tick()
		}
		r.quiet()
	}
}
