package sim

import (
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// evil is a network peer with the shortest way to the relay: it damages what the network sends and
// passes it on before the good copy comes. Whenever it is shut out it tries again.
type evil struct {
	x     *world
	host  simnet.Host
	conn  simnet.ConnID
	ready bool
	gen   int16
	sent  int
	next  time.Duration
}

const evilAddr = "evil:1"

func (x *world) addEvil() {
	x.evil = &evil{x: x, next: simnet.Never}
	x.w.Add(evilAddr, x.evil)
	x.w.SetLatency(evilAddr, relayAddr, 100*time.Microsecond)
	x.w.SetLatency(evilAddr, observerAddr, 100*time.Microsecond)
	for _, n := range names("net%d:1", 3) {
		x.w.SetLatency(n, relayAddr, 8*time.Millisecond)
	}
	pieces := map[simnet.ConnID][]byte{}
	x.w.Tap(func(now simnet.Instant, d simnet.Delivery) {
		if d.To != observerAddr || d.From == relayAddr {
			return
		}
		b := append(pieces[d.Conn], d.Data...)
		for {
			f, err := p2pwire.ParseFrame(b)
			if err != nil || f == nil {
				break
			}
			frame := slices.Clone(f)
			x.w.Call(evilAddr, func(simnet.Instant) { x.evil.see(frame) })
			b = b[len(f):]
		}
		pieces[d.Conn] = slices.Clone(b)
	})
}

// see damages one message of the network and sends it.
func (e *evil) see(f p2pwire.Frame) {
	if !e.ready {
		return
	}
	switch f.Type() {
	case p2pwire.TypeSignedBlock:
		b, err := p2pwire.ParseBlock(f.Body())
		if err != nil || e.x.rng.IntN(3) > 0 {
			break // a good one, to be trusted later
		}
		at := p2pwire.PrefixLen + 1 + b.HeaderEnd + 5 + e.x.rng.IntN(50) // in the signature
		if len(f) > at+100 && e.x.rng.IntN(2) == 0 {
			at = len(f) - 1 - e.x.rng.IntN(30) // in the last extension
		}
		f[at] ^= 0x55
		e.sent++
	case p2pwire.TypeVote:
		if e.x.rng.IntN(3) > 0 {
			break
		}
		f[len(f)-1-e.x.rng.IntN(100)] ^= 0x55
		e.sent++
	default:
		return
	}
	e.host.Send(e.conn, f)
}

// Start implements simnet.Endpoint.
func (e *evil) Start(_ simnet.Instant, host simnet.Host) {
	e.host = host
	host.Dial(relayAddr)
}

// Dialled implements simnet.Endpoint.
func (e *evil) Dialled(now simnet.Instant, conn simnet.ConnID, _ string) {
	e.conn, e.ready, e.gen = conn, true, e.gen+1
	head := e.x.nodes[observerAddr].Head()
	h := p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(11), ChainID: e.x.chain.ID(), NodeID: p2pwire.ID{0xee, byte(e.gen)}, Time: now.Wall,
		P2PAddress: evilAddr, OS: "linux", Agent: "evil", Generation: 1,
		RootNum: head.Num, RootID: head.ID, HeadNum: head.Num, HeadID: head.ID,
	}
	e.host.Send(conn, p2pwire.AppendFrame(nil, h))
}

// Accepted implements simnet.Endpoint.
func (e *evil) Accepted(simnet.Instant, simnet.ConnID, string) {}

// Data implements simnet.Endpoint.
func (e *evil) Data(simnet.Instant, simnet.ConnID, []byte) {}

// Disconnected implements simnet.Endpoint.
func (e *evil) Disconnected(now simnet.Instant, _ simnet.ConnID) {
	e.ready = false
	e.next = now.Mono + 200*time.Millisecond
}

// DialFailed implements simnet.Endpoint.
func (e *evil) DialFailed(now simnet.Instant, _ string) { e.next = now.Mono + 200*time.Millisecond }

// Tick implements simnet.Endpoint.
func (e *evil) Tick(simnet.Instant) {
	e.next = simnet.Never
	e.host.Dial(relayAddr)
}

// NextTimer implements simnet.Endpoint.
func (e *evil) NextTimer() time.Duration { return e.next }
