package eosgo

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	eos "github.com/eoscanada/eos-go"
	"github.com/eoscanada/eos-go/ecc"
	"github.com/eoscanada/eos-go/p2p"

	"bprelay/p2pwire"
)

// client is eos-go's p2p client, with everything it received.
type client struct {
	peer  *p2p.Peer
	agent string // tells it apart in the relay's events

	mu  sync.Mutex
	got []eos.Packet
}

// join connects a client to the relay and waits until it was answered. It claims head, or nothing if
// that is nil. The handlers are called for what comes, from the goroutine that reads.
func (r *rig) join(t *testing.T, agent string, head *block, handlers ...p2p.Handler) *client {
	t.Helper()
	chain := r.chainID
	info := &p2p.HandshakeInfo{ChainID: chain[:], HeadBlockTime: time.Now()}
	if head != nil {
		info.HeadBlockNum, info.HeadBlockID, info.HeadBlockTime = head.wire.Num, head.id[:], head.eos.Timestamp.Time
	}
	c := &client{peer: p2p.NewOutgoingPeer(r.address, agent, info), agent: agent}
	c.peer.SetConnectionTimeout(patience)
	run := p2p.NewClient(c.peer, false)
	run.RegisterHandler(p2p.HandlerFunc(c.take))
	for _, h := range handlers {
		run.RegisterHandler(h)
	}
	// It connects, begins to read, fails to encode its handshake, and returns; it reads on.
	if err := run.Start(); err == nil || !strings.Contains(err.Error(), "inner signature structure must be present") {
		t.Fatalf("start %s: %v: if eos-go can send its handshake now, leave that to it", agent, err)
	}
	t.Cleanup(func() { _ = run.CloseConnection() })
	if err := c.peer.WriteP2PMessage(greeting(t, c.peer, agent, info)); err != nil {
		t.Fatal(err)
	}
	until(t, agent+" to be answered", func() bool { return len(c.of(eos.HandshakeMessageType)) > 0 })
	return c
}

// greeting is the handshake that Peer.SendHandshake makes, but for a signature that can be encoded.
func greeting(t *testing.T, peer *p2p.Peer, agent string, info *p2p.HandshakeInfo) *eos.HandshakeMessage {
	t.Helper()
	key, err := ecc.NewPublicKey("PUB_K1_1111111111111111111111111111111114T1Anm")
	if err != nil {
		t.Fatal(err)
	}
	sig, err := ecc.NewSignatureFromData(make([]byte, 66))
	if err != nil {
		t.Fatal(err)
	}
	return &eos.HandshakeMessage{
		NetworkVersion: 1206, ChainID: info.ChainID, NodeID: peer.NodeID,
		Key: key, Time: eos.Tstamp{Time: info.HeadBlockTime}, Token: make([]byte, 32), Signature: sig, P2PAddress: peer.Name,
		LastIrreversibleBlockNum: info.LastIrreversibleBlockNum, LastIrreversibleBlockID: info.LastIrreversibleBlockID,
		HeadNum: info.HeadBlockNum, HeadID: info.HeadBlockID, OS: runtime.GOOS, Agent: agent, Generation: 1,
	}
}

// take implements p2p.Handler. The client changes handshakes afterwards, to send them back.
func (c *client) take(e *p2p.Envelope) {
	p := *e.Packet
	if h, ok := p.P2PMessage.(*eos.HandshakeMessage); ok {
		same := *h
		p.P2PMessage = &same
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, p)
}

// all returns what came, in order.
func (c *client) all() []eos.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

// of returns what came of one type, in order.
func (c *client) of(typ eos.P2PMessageType) []eos.Packet {
	return slices.DeleteFunc(c.all(), func(p eos.Packet) bool { return p.Type != typ })
}

// block is one that came, as eos-go and as p2pwire read it.
type block struct {
	id   p2pwire.ID // computed by eos-go
	eos  *eos.SignedBlock
	wire p2pwire.Block
}

// blocks returns the blocks that came, in order.
func (c *client) blocks(t *testing.T) (list []block) {
	t.Helper()
	for _, p := range c.of(eos.SignedBlockType) {
		b := block{eos: p.P2PMessage.(*eos.SignedBlock)}
		id, err := b.eos.BlockID()
		if err != nil {
			t.Fatal(err)
		}
		b.id = p2pwire.ID(id)
		if b.wire, err = p2pwire.ParseBlock(p2pwire.Frame(p.Raw).Body()); err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

func ids(blocks []block) (list []p2pwire.ID) {
	for _, b := range blocks {
		list = append(list, b.id)
	}
	return list
}

// begins tells whether list begins with start.
func begins(list, start []p2pwire.ID) bool {
	return len(list) >= len(start) && slices.Equal(list[:len(start)], start)
}
