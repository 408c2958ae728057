package core_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// rig drives one core by hand under virtual time and keeps what every peer received.
type rig struct {
	t       testing.TB
	c       *core.Core
	now     core.Instant
	chain   p2pwire.ID
	peers   map[core.SessionID]*peer
	order   []*peer
	events  []core.Event
	hold    map[core.SessionID]bool // peers that do not read
	step    time.Duration           // by how much the relay's clock is ahead of the right time
	scratch p2pwire.Scratch
}

// peer is the other end of one session.
type peer struct {
	r      *rig
	id     core.SessionID
	side   core.Side
	name   string
	nodeID p2pwire.ID
	gen    int16
	got    []p2pwire.Frame
	closed core.Reason
	gone   bool
	clock  *time.Duration // answers time messages; by how much its clock is ahead
	at     func() blk     // its applied head: answers request catch_up
}

// answers makes a peer answer time messages by a clock that is ahead of the right time.
func (p *peer) answers(ahead time.Duration) *peer {
	p.clock = &ahead
	return p
}

// tell answers one message if it is a time message that asks.
func (p *peer) tell(f p2pwire.Frame) {
	if p.at != nil && !p.gone && f.Type() == p2pwire.TypeRequest {
		m, err := p2pwire.DecodeRequest(f.Body())
		if head := p.at(); err == nil && m.Blocks.Mode == p2pwire.ListCatchUp && head.id.Num() > m.Blocks.IDs[0].Num() {
			p.r.c.Data(p.r.now, p.id, head.frame)
		}
	}
	if p.clock == nil || p.gone || f.Type() != p2pwire.TypeTime {
		return
	}
	m, err := p2pwire.DecodeTime(f.Body())
	if err != nil || m.Org != 0 {
		return
	}
	now := p.r.now.Wall - int64(p.r.step) + int64(*p.clock)
	p.r.c.Data(p.r.now, p.id, p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: now, Xmt: now}))
}

// stepClock sets the relay's clock forward, or back.
func (r *rig) stepClock(d time.Duration) {
	r.step += d
	r.now.Wall += int64(d)
	r.c.Tick(r.now)
	r.pump()
}

// base is a slot at a round's start, far from the epoch.
const base p2pwire.Slot = 1_600_000_008 - 1_600_000_008%12

var (
	ourName   = name("bpalpha")
	otherName = name("bpbeta")
	ourKey    = p2pwire.K1PrivateFromSeed("bpalpha")
	otherKey  = p2pwire.K1PrivateFromSeed("bpbeta")
)

func name(s string) p2pwire.Name {
	n, err := p2pwire.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func (r *rig) Event(_ core.Instant, e *core.Event) { r.events = append(r.events, *e) }

// newRig starts a core d before the timestamp of slot base.
func newRig(t testing.TB, d time.Duration, change ...func(*core.Config)) *rig {
	r := &rig{t: t, chain: p2pwire.ID{1, 2, 3}, peers: map[core.SessionID]*peer{}, hold: map[core.SessionID]bool{}}
	r.now = core.Instant{Mono: time.Hour, Wall: base.Time() - int64(d)}
	cfg := core.Config{
		ChainID: r.chain, Producers: []core.Producer{{Name: ourName}}, Observer: r,
		DedupEntries: 1 << 12, ClaimEntries: 256,
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := core.New(cfg, r.now)
	if err != nil {
		t.Fatal(err)
	}
	r.c = c
	return r
}

// pump carries out the core's effects until there are none.
func (r *rig) pump() {
	for range 10000 {
		moved := false
		for _, id := range r.c.Writable(nil) {
			if r.hold[id] {
				continue
			}
			p := r.peers[id]
			from := len(p.got)
			for _, b := range r.c.Take(r.now, id, 1<<20, nil) {
				moved = true
				f, err := p2pwire.ParseFrame(b)
				if err != nil || len(f) != len(b) {
					r.t.Fatalf("core wrote a bad frame to %s: %v", p.name, err)
				}
				p.got = append(p.got, append(p2pwire.Frame(nil), f...))
			}
			r.c.Done(id)
			for _, f := range p.got[from:] {
				p.tell(f)
			}
		}
		for _, j := range r.c.Jobs(nil) {
			moved = true
			j.Run(&r.scratch)
			r.c.JobDone(r.now, j)
		}
		for _, cr := range r.c.CloseRequests(nil) {
			moved = true
			p := r.peers[cr.ID]
			p.closed, p.gone = cr.Reason, true
			r.c.Closed(r.now, cr.ID, nil)
		}
		if !moved {
			return
		}
	}
	r.t.Fatal("the core never comes to rest")
}

// run lets virtual time pass, timers included.
func (r *rig) run(d time.Duration) {
	end := r.now.Mono + d
	for {
		next := min(max(r.c.NextTimer(), r.now.Mono), end)
		r.now.Wall += int64(next - r.now.Mono)
		r.now.Mono = next
		r.c.Tick(r.now)
		r.pump()
		if next >= end {
			return
		}
	}
}

// until runs to d before (or, negative, after) the timestamp of a slot, by the right time.
func (r *rig) until(slot p2pwire.Slot, d time.Duration) {
	if wait := time.Duration(slot.Time()-r.now.Wall) + r.step - d; wait > 0 {
		r.run(wait)
	}
}

func (r *rig) open(side core.Side, name string, priority ...int) *peer {
	r.t.Helper()
	info := core.SessionInfo{Side: side, Name: name, Dialled: true, Remote: fmt.Sprintf("10.0.0.%d:9876", len(r.order)+1)}
	for _, info.Priority = range priority {
	}
	id, err := r.c.Open(r.now, info)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &peer{r: r, id: id, side: side, name: name, nodeID: p2pwire.ID{0xaa, byte(len(r.order))}}
	r.peers[id] = p
	r.order = append(r.order, p)
	r.pump()
	return p
}

// node opens an internal session whose node stands at head, network one of a peer of the world.
func (r *rig) node(name string, head blk) *peer {
	p := r.open(core.Internal, name)
	p.handshake(head, head)
	return p
}

func (r *rig) network(name string, head blk) *peer {
	p := r.open(core.Network, name)
	p.handshake(head, head)
	return p
}

func (p *peer) hello(root, head blk, change func(*p2pwire.Handshake)) {
	p.gen++
	h := p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(11), ChainID: p.r.chain, NodeID: p.nodeID, Time: p.r.now.Wall,
		P2PAddress: p.name + ":9876 - 1234567", RootNum: root.id.Num(), RootID: root.id,
		HeadNum: head.id.Num(), HeadID: head.id, OS: "linux", Agent: p.name, Generation: p.gen,
	}
	if change != nil {
		change(&h)
	}
	p.send(p2pwire.AppendFrame(nil, h))
}

func (p *peer) handshake(root, head blk) { p.hello(root, head, nil) }

func (p *peer) send(frames ...[]byte) {
	for _, f := range frames {
		p.r.c.Data(p.r.now, p.id, f)
	}
	p.r.pump()
}

// alive sends a time message, so that the session does not idle out.
func (p *peer) alive() { p.send(p2pwire.AppendFrame(nil, p2pwire.Time{Xmt: p.r.now.Wall})) }

// drop closes the connection from the peer's side.
func (p *peer) drop() {
	p.gone = true
	p.r.c.Closed(p.r.now, p.id, nil)
	p.r.pump()
}

// blocks are the ids of the signed_blocks the peer received, in order.
func (p *peer) blocks() []p2pwire.ID {
	var out []p2pwire.ID
	for _, f := range p.frames(p2pwire.TypeSignedBlock) {
		b, err := p2pwire.ParseBlock(f.Body())
		if err != nil {
			p.r.t.Fatal(err)
		}
		out = append(out, b.ID)
	}
	return out
}

func (p *peer) frames(t p2pwire.Type) []p2pwire.Frame {
	var out []p2pwire.Frame
	for _, f := range p.got {
		if f.Type() == t {
			out = append(out, f)
		}
	}
	return out
}

func (p *peer) clear() { p.got = nil }

// want fails unless exactly these blocks reached the peer, in this order.
func (p *peer) want(bs ...blk) {
	p.r.t.Helper()
	got := p.blocks()
	ok := len(got) == len(bs)
	for i := 0; ok && i < len(bs); i++ {
		ok = got[i] == bs[i].id
	}
	if !ok {
		var g, w []string
		for _, id := range got {
			g = append(g, id.Short())
		}
		for _, b := range bs {
			w = append(w, b.id.Short())
		}
		p.r.t.Fatalf("%s received blocks %v, want %v", p.name, g, w)
	}
}

// has tells whether exactly these bytes reached the peer.
func (p *peer) has(f []byte) bool {
	for _, g := range p.got {
		if bytes.Equal(g, f) {
			return true
		}
	}
	return false
}

// again brings a node back after it lost its link: the same process, at the head given.
func (p *peer) again(root, head blk) *peer {
	p.r.t.Helper()
	back := p.r.open(core.Internal, p.name)
	back.nodeID = p.nodeID
	back.handshake(root, head)
	return back
}

// closeOver lets every node that gets these bytes close its link over them and come back at head,
// for two seconds; it returns the nodes as they are then, and how many links were lost.
func (r *rig) closeOver(nodes []*peer, f []byte, head blk) ([]*peer, int) {
	lost := 0
	for range 100 {
		for i, p := range nodes {
			if p.has(f) {
				lost++
				p.drop()
				nodes[i] = p.again(head, head)
			}
		}
		r.run(20 * time.Millisecond)
	}
	return nodes, lost
}

// withheld tells how often an own block stayed inside for a reason.
func (r *rig) withheld(why core.Reason) uint64 { return r.c.Snapshot(r.now).Stats.OwnWithheld[why] }

func (r *rig) event(kind core.EventKind, why core.Reason) *core.Event {
	for i := range r.events {
		if r.events[i].Kind == kind && r.events[i].Reason == why {
			return &r.events[i]
		}
	}
	return nil
}

// blk is a block made for a test.
type blk struct {
	id    p2pwire.ID
	slot  p2pwire.Slot
	frame []byte
}

// genesis stands for the block below everything a test makes.
func genesis(num uint32) blk {
	id := p2pwire.ID{0: byte(num >> 24), 1: byte(num >> 16), 2: byte(num >> 8), 3: byte(num), 31: 7}
	return blk{id: id}
}

type blockOption func(*p2pwire.BlockBuilder)

// mark makes a block differ from its siblings.
func mark(n byte) blockOption {
	return func(b *p2pwire.BlockBuilder) { b.ActionMRoot[0] = n }
}

func savanna(qc uint32) blockOption {
	return func(b *p2pwire.BlockBuilder) {
		b.ScheduleVersion = p2pwire.ScheduleVersionSavanna
		b.QC = &p2pwire.QCClaim{Num: qc, Strong: true}
	}
}

func signedBy(k *p2pwire.K1Private) blockOption {
	return func(b *p2pwire.BlockBuilder) { b.Signer = k }
}

func makeBlock(prev blk, slot p2pwire.Slot, producer p2pwire.Name, opts ...blockOption) blk {
	b := p2pwire.BlockBuilder{Slot: slot, Producer: producer, Previous: prev.id, Signer: otherKey}
	if producer == ourName {
		b.Signer = ourKey
	}
	for _, o := range opts {
		o(&b)
	}
	body, id := b.AppendBlock(nil)
	return blk{id: id, slot: slot, frame: p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body)}
}

func voteFrame(b blk, key byte) []byte {
	body := p2pwire.AppendVote(nil, b.id, true, [p2pwire.FinalizerKeySize]byte{key}, [p2pwire.FinalizerSigSize]byte{key, b.id[9]})
	return p2pwire.AppendRawFrame(nil, p2pwire.TypeVote, body)
}

func trxFrame(r *rig, payload string) []byte {
	body := p2pwire.AppendTransaction(nil, uint32(r.now.Wall/1e9)+60, 1, 2, []byte(payload))
	return p2pwire.AppendRawFrame(nil, p2pwire.TypePackedTransaction, body)
}

// warm is a rig whose core has learned the chain from one network peer, with nodes A and B at the
// head: head is the block of slot base-1, made by another producer.
func warm(t testing.TB, opts ...blockOption) (r *rig, n, a, b *peer, head blk) {
	return warmWith(t, func(*core.Config) {}, 0, opts...)
}

// warmWith is warm with a configuration, and A's priority; B's is 0.
func warmWith(t testing.TB, change func(*core.Config), priority int, opts ...blockOption) (r *rig, n, a, b *peer, head blk) {
	r = newRig(t, 20*time.Second, change)
	g := genesis(100)
	root := makeBlock(g, base-40, otherName, opts...)
	n = r.open(core.Network, "net1")
	head = makeBlock(root, base-39, otherName, opts...)
	n.handshake(root, head)
	n.send(head.frame)
	a, b = r.open(core.Internal, "a", priority), r.open(core.Internal, "b")
	a.handshake(head, head)
	b.handshake(head, head)
	r.until(base, 700*time.Millisecond)
	last := makeBlock(head, base-1, otherName, opts...)
	n.send(last.frame)
	r.run(150 * time.Millisecond)
	for _, p := range []*peer{n, a, b} {
		p.clear()
	}
	return r, n, a, b, last
}
