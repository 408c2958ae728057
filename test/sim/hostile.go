package sim

import (
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// hostile is a network peer with the shortest way to the relay. It sees what the network says as
// soon as anyone, and does what the schedule's faults want. Whenever it is shut out it tries again.
type hostile struct {
	x      *play
	host   simnet.Host
	conn   simnet.ConnID
	ready  bool
	gen    int16
	next   time.Duration
	seen   []p2pwire.Block // the network's blocks, oldest first
	until  map[FaultKind]time.Duration
	echo   time.Duration
	forged int // blocks made up so far
	sent   int
}

func (x *play) addHostile() {
	x.evil = &hostile{x: x, next: simnet.Never, until: map[FaultKind]time.Duration{}}
	x.w.Add(addr("evil"), x.evil)
	near := 100 * time.Microsecond
	x.w.SetLatency(addr("evil"), addr("relay"), near)
	for _, n := range x.public() {
		x.w.SetLatency(addr(n), addr("obs"), near)
		x.w.SetLatency(addr(n), addr("relay"), max(x.s.Distance, 5*time.Millisecond))
	}
}

// start carries out a fault, or begins it.
func (e *hostile) start(f Fault) {
	e.until[f.Kind] = max(e.until[f.Kind], f.At+f.For)
	if len(e.seen) == 0 {
		return
	}
	newest := e.seen[len(e.seen)-1]
	switch f.Kind {
	case Echo:
		e.echo = f.By
	case Ask:
		e.ask()
	case Unlink:
		old := e.seen[max(0, len(e.seen)-25)]
		for i := range f.N {
			parent := old
			if i%2 == 0 {
				parent = newest
			}
			e.forge(newest.Slot+1+p2pwire.Slot(i/2), parent.ID, "", p2pwire.QCClaim{Num: parent.Num + 1, Strong: true})
		}
	case Ahead:
		for i := range f.N {
			slot := newest.Slot + 1 + p2pwire.Slot(i/4)
			e.forge(slot, newest.ID, e.x.chain.ProducerAt(slot).String(), newest.QC)
		}
	case Forge, Own:
		parent := newest.ID
		for _, slot := range e.x.ownSlots(f.N) {
			parent = e.forgeOwn(slot, parent, newest.QC, f.Kind == Own)
		}
	}
}

// ask requests what the relay may have, and comes again.
func (e *hostile) ask() {
	now := e.x.w.Now().Mono
	if now >= e.until[Ask] {
		return
	}
	e.x.w.At(now+250*time.Millisecond, e.ask)
	from := e.seen[max(0, len(e.seen)-1-e.x.rng.IntN(6))]
	if e.x.rng.IntN(2) == 0 {
		e.send(p2pwire.AppendFrame(nil, p2pwire.SyncRequest{Start: from.Num, End: from.Num + 30}))
		return
	}
	e.send(p2pwire.AppendFrame(nil, p2pwire.Request{Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{from.ID}}}))
}

// forge sends a block that no node can take.
func (e *hostile) forge(slot p2pwire.Slot, previous p2pwire.ID, producer string, qc p2pwire.QCClaim) {
	name, _ := p2pwire.ParseName("nobody")
	if producer != "" {
		name, _ = p2pwire.ParseName(producer)
	}
	e.block(slot, previous, name, qc, p2pwire.K1PrivateFromSeed("evil"))
}

// forgeOwn sends a block in an own producer's name.
func (e *hostile) forgeOwn(slot p2pwire.Slot, previous p2pwire.ID, qc p2pwire.QCClaim, signed bool) p2pwire.ID {
	producer := e.x.chain.ProducerAt(slot)
	var key p2pwire.Signer = p2pwire.K1PrivateFromSeed("evil")
	if signed {
		key = e.x.chain.SigningKey(producer.String(), slot)
	}
	id := e.block(slot, previous, producer, qc, key)
	if signed {
		e.x.ledger.forged[id] = slot
	}
	return id
}

func (e *hostile) block(slot p2pwire.Slot, previous p2pwire.ID, producer p2pwire.Name, qc p2pwire.QCClaim, key p2pwire.Signer) p2pwire.ID {
	e.forged++
	b := p2pwire.BlockBuilder{Slot: slot, Producer: producer, Previous: previous, Signer: key}
	b.ActionMRoot[0], b.ActionMRoot[1] = byte(e.forged), byte(e.forged>>8)
	if e.x.s.Mode == simnet.Savanna {
		b.ScheduleVersion = p2pwire.ScheduleVersionSavanna
		b.QC = &qc
	} else {
		b.ScheduleVersion = 1
	}
	body, id := b.AppendBlock(nil)
	e.send(p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body))
	return id
}

// see takes a frame of the network.
func (e *hostile) see(f p2pwire.Frame) {
	f = slices.Clone(f)
	now := e.x.w.Now().Mono
	if f.Type() == p2pwire.TypeSignedBlock {
		if b, err := p2pwire.ParseBlock(f.Body()); err == nil {
			e.seen = append(e.seen, b)
		}
	}
	if now < e.until[Echo] {
		e.x.w.At(now+e.echo, func() { e.send(f) })
	}
	if now < e.until[Twins] && e.x.rng.IntN(3) == 0 {
		e.twin(slices.Clone(f))
	}
	if now < e.until[Votes] && f.Type() == p2pwire.TypeSignedBlock && e.x.s.Mode == simnet.Savanna {
		b := e.seen[len(e.seen)-1]
		vote := e.x.chain.VoteFrame(e.x.chain.Producers()[e.x.rng.IntN(len(e.x.chain.Producers()))].String(), b.ID, true)
		vote[len(vote)-1-e.x.rng.IntN(180)] ^= 0x55
		e.send(vote)
	}
}

// twin damages a message and sends it.
func (e *hostile) twin(f p2pwire.Frame) {
	switch f.Type() {
	case p2pwire.TypeSignedBlock:
		b, err := p2pwire.ParseBlock(f.Body())
		if err != nil {
			return
		}
		at := p2pwire.PrefixLen + 1 + b.HeaderEnd + 5 + e.x.rng.IntN(50) // in the signature
		if len(f) > at+100 && e.x.rng.IntN(2) == 0 {
			at = len(f) - 1 - e.x.rng.IntN(30) // in the last extension
		}
		f[at] ^= 0x55
	case p2pwire.TypeVote:
		f[len(f)-1-e.x.rng.IntN(100)] ^= 0x55
	default:
		return
	}
	e.send(f)
}

func (e *hostile) send(f []byte) {
	if e.ready {
		e.sent++
		e.x.w.Call(addr("evil"), func(simnet.Instant) {
			if e.ready {
				e.host.Send(e.conn, f)
			}
		})
	}
}

// Start implements simnet.Endpoint.
func (e *hostile) Start(_ simnet.Instant, host simnet.Host) {
	e.host = host
	host.Dial(addr("relay"))
}

// Dialled implements simnet.Endpoint.
func (e *hostile) Dialled(now simnet.Instant, conn simnet.ConnID, _ string) {
	e.conn, e.ready, e.gen = conn, true, e.gen+1
	head := e.x.nodes["obs"].Head()
	h := p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(11), ChainID: e.x.chain.ID(), NodeID: p2pwire.ID{0xee, byte(e.gen)}, Time: now.Wall,
		P2PAddress: addr("evil"), OS: "linux", Agent: "evil", Generation: 1,
		RootNum: head.Num, RootID: head.ID, HeadNum: head.Num, HeadID: head.ID,
	}
	e.host.Send(conn, p2pwire.AppendFrame(nil, h))
}

// Accepted implements simnet.Endpoint.
func (e *hostile) Accepted(simnet.Instant, simnet.ConnID, string) {}

// Data implements simnet.Endpoint.
func (e *hostile) Data(simnet.Instant, simnet.ConnID, []byte) {}

// Disconnected implements simnet.Endpoint.
func (e *hostile) Disconnected(now simnet.Instant, _ simnet.ConnID) {
	e.ready = false
	e.next = now.Mono + 200*time.Millisecond
}

// DialFailed implements simnet.Endpoint.
func (e *hostile) DialFailed(now simnet.Instant, _ string) { e.next = now.Mono + 200*time.Millisecond }

// Tick implements simnet.Endpoint.
func (e *hostile) Tick(simnet.Instant) {
	e.next = simnet.Never
	e.host.Dial(addr("relay"))
}

// NextTimer implements simnet.Endpoint.
func (e *hostile) NextTimer() time.Duration { return e.next }
