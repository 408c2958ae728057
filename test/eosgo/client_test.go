package eosgo

import (
	"slices"
	"sync"
	"testing"
	"time"

	eos "github.com/eoscanada/eos-go"
	"github.com/eoscanada/eos-go/p2p"

	"bprelay/p2pwire"
)

// client is eos-go's p2p client, with everything it received.
type client struct {
	peer *p2p.Peer
	end  chan error // what Start returned

	mu  sync.Mutex
	got []eos.Packet
}

// mode is how a client is made.
type mode struct {
	agent   string // tells it apart in the relay's events
	catchUp bool   // eos-go's catch-up mode
	head    *block // what it claims to have; nil: nothing
	handler p2p.Handler
}

// join connects a client to the relay and waits until it was answered.
func (r *rig) join(t *testing.T, m mode) *client {
	t.Helper()
	chain := r.chainID
	info := &p2p.HandshakeInfo{ChainID: chain[:]}
	if m.head != nil {
		info.HeadBlockNum, info.HeadBlockID, info.HeadBlockTime = m.head.eos.BlockNumber(), m.head.id[:], m.head.eos.Timestamp.Time
	}
	c := &client{peer: p2p.NewOutgoingPeer(r.address, m.agent, info), end: make(chan error, 1)}
	c.peer.SetConnectionTimeout(patience)
	run := p2p.NewClient(c.peer, m.catchUp)
	run.RegisterHandler(p2p.HandlerFunc(c.take))
	if m.handler != nil {
		run.RegisterHandler(m.handler)
	}
	go func() { c.end <- run.Start() }()
	until(t, m.agent+" to get a handshake", func() bool { return len(c.of(eos.HandshakeMessageType)) > 0 })
	t.Cleanup(func() {
		_ = run.CloseConnection()
		c.wait(t)
	})
	return c
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

// wait waits until the client has given up, and returns why.
func (c *client) wait(t *testing.T) error {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	select {
	case err := <-c.end:
		c.end <- err
		return err
	case <-end.C:
		t.Error("the client still runs")
		return nil
	}
}

// ended tells whether the client has given up.
func (c *client) ended() bool { return len(c.end) > 0 }

// of returns what came of one type.
func (c *client) of(typ eos.P2PMessageType) (list []eos.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.got {
		if p.Type == typ {
			list = append(list, p)
		}
	}
	return list
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
