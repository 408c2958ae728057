package probe

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// fakePeer answers a probe the way nodeos does when dialled, as far as a probe can tell, and with
// faults. It runs on one end of a pipe; in a synctest bubble its time is virtual.
type fakePeer struct {
	chain    p2pwire.ID
	pv       uint16
	address  string        // p2p_address
	offset   time.Duration // of its clock
	delay    time.Duration // one way, on time messages
	behind   time.Duration // age of its blocks
	legacy   bool
	noBlocks bool
	noVotes  bool
	noTrx    bool

	closeAt  once                 // closes there, without a word
	goAway   p2pwire.GoAwayReason // to the first handshake
	noise    []byte               // instead of everything
	silent   bool                 // reads, never answers
	noGreet  bool                 // answers pings only, and never ticks
	greetAll bool                 // sends its handshake even to those it sends away

	conn    net.Conn
	in      chan p2pwire.Frame
	done    chan struct{} // closed when run has ended
	headNum uint32
	head    p2pwire.ID
	greeted bool // has sent its handshake
	current bool // was mirrored: gives blocks
	seen    []p2pwire.Handshake
}

// once names a moment of the dialogue.
type once string

const (
	atConnect   once = "connect"
	atHandshake once = "handshake"
	atMirror    once = "mirror"
)

const keepAlive = 10 * time.Second // p2p-keepalive-interval-ms

// dial is the probe's way to the peer.
func (p *fakePeer) dial(t *testing.T) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		p.conn, p.in = theirs, make(chan p2pwire.Frame, 100)
		p.headNum, p.head = 1000, blockID(1000)
		p.done = make(chan struct{})
		var running sync.WaitGroup
		running.Go(p.read)
		running.Go(p.run)
		t.Cleanup(func() { theirs.Close(); running.Wait() })
		return ours, nil
	}
}

func blockID(num uint32) (id p2pwire.ID) {
	id[0], id[1], id[2], id[3], id[31] = byte(num>>24), byte(num>>16), byte(num>>8), byte(num), 1
	return id
}

func (p *fakePeer) read() {
	defer close(p.in)
	in := bufio.NewReader(p.conn)
	for {
		f, err := readFrame(in)
		if err != nil {
			return
		}
		select {
		case p.in <- f:
		case <-p.done:
			return
		}
	}
}

func (p *fakePeer) run() {
	defer close(p.done)
	defer p.conn.Close()
	if p.closeAt == atConnect {
		return
	}
	if p.noise != nil {
		if _, err := p.conn.Write(p.noise); err != nil {
			return
		}
	}
	tick := time.NewTicker(keepAlive)
	slots := time.NewTicker(p2pwire.SlotDuration)
	defer tick.Stop()
	defer slots.Stop()
	ping := int64(0)
	for {
		select {
		case f, ok := <-p.in:
			if !ok {
				return
			}
			if p.silent || p.noise != nil {
				continue
			}
			switch f.Type() {
			case p2pwire.TypeHandshake:
				if !p.handshake(f) {
					return
				}
			case p2pwire.TypeTime:
				m, err := p2pwire.DecodeTime(f.Body())
				if err != nil {
					return
				}
				if m.Org == 0 {
					time.Sleep(p.delay) // virtual time: peers run in synctest bubbles
					rec := p.now()
					p.send(p2pwire.Time{Org: m.Xmt, Rec: rec, Xmt: rec})
				} else if m.Org == ping && !p.greeted {
					p.greet()
				}
			}
		case <-tick.C:
			if !p.silent && !p.noGreet && p.noise == nil {
				ping = p.now()
				p.send(p2pwire.Time{Xmt: ping})
			}
		case <-slots.C:
			if p.current {
				p.produce()
			}
		}
	}
}

func (p *fakePeer) now() int64 { return time.Now().Add(p.offset).UnixNano() }

func (p *fakePeer) send(m p2pwire.Message) { p.write(p2pwire.AppendFrame(nil, m)) }

// write may fail: the probe hangs up when it has seen enough.
func (p *fakePeer) write(b []byte) {
	if _, err := p.conn.Write(b); err != nil {
		p.current = false
	}
}

func (p *fakePeer) greet() {
	p.greeted = true
	address := p.address
	if address == "" {
		address = "peer:9876 - 1234567"
	}
	p.send(p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(p.pv), ChainID: p.chain, NodeID: blockID(77), Time: p.now(),
		P2PAddress: address, OS: "linux", Agent: "fake", Generation: 1,
		RootNum: p.headNum - 2, RootID: blockID(p.headNum - 2), HeadNum: p.headNum, HeadID: p.head,
	})
}

// handshake follows net_plugin's handle_message for a listening node; false ends the session.
func (p *fakePeer) handshake(f p2pwire.Frame) bool {
	h, err := p2pwire.DecodeHandshake(f.Body())
	if err != nil || h.Validate() != nil {
		return false
	}
	p.seen = append(p.seen, h)
	if p.closeAt == atHandshake {
		return false
	}
	if h.Generation == 1 && h.ChainID != p.chain {
		p.goAway = p2pwire.GoAwayWrongChain
	}
	if p.goAway != p2pwire.GoAwayNoReason {
		if p.greetAll && !p.greeted {
			p.greet()
		}
		p.send(p2pwire.GoAway{Reason: p.goAway})
		return false
	}
	if h.HeadNum == 0 {
		p.send(p2pwire.Notice{
			Trx:    p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: p.headNum - 2},
			Blocks: p2pwire.IDList{Mode: p2pwire.ListLastIrrCatchUp, Pending: p.headNum, IDs: []p2pwire.ID{p.head}},
		})
	}
	if !p.greeted {
		p.greet()
	}
	p.current = h.HeadID == p.head
	return !(p.current && p.closeAt == atMirror)
}

// produce sends the next block, with a vote for it and a transaction.
func (p *fakePeer) produce() {
	if p.noBlocks {
		return
	}
	version := uint32(p2pwire.ScheduleVersionSavanna)
	if p.legacy {
		version = 1
	}
	b := p2pwire.BlockBuilder{
		Slot: p2pwire.SlotAt(time.Now().Add(-p.behind).UnixNano()), Previous: p.head, ScheduleVersion: version,
	}
	body, id := b.AppendBlock(nil)
	p.headNum, p.head = id.Num(), id
	p.write(p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body))
	if !p.noVotes {
		vote := p2pwire.AppendVote(nil, id, true, [p2pwire.FinalizerKeySize]byte{}, [p2pwire.FinalizerSigSize]byte{})
		p.write(p2pwire.AppendRawFrame(nil, p2pwire.TypeVote, vote))
	}
	if !p.noTrx {
		trx := p2pwire.TransactionBuilder{Expiration: 1}
		p.write(p2pwire.AppendRawFrame(nil, p2pwire.TypePackedTransaction, trx.AppendPackedTransaction(nil)))
	}
}
