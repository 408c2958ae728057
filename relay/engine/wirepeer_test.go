package engine

import (
	"bufio"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// wirePeer speaks enough of the protocol to be a peer of a real core.
type wirePeer struct {
	*net.TCPConn
	trx  atomic.Int64 // transactions that came
	done chan struct{}
}

// handshakeFrame is what a nodeos with an empty chain says first.
func handshakeFrame(chain p2pwire.ID) []byte {
	h := p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(9), ChainID: chain, Time: time.Now().UnixNano(),
		P2PAddress: "peer:9876 - 0123456", RootNum: 1, HeadNum: 1, OS: "linux", Agent: "peer", Generation: 1,
	}
	_, _ = crand.Read(h.NodeID[:])
	binary.BigEndian.PutUint32(h.RootID[:], 1)
	h.RootID[31] = 1
	h.HeadID = h.RootID
	return p2pwire.AppendFrame(nil, h)
}

// join connects to a running engine and shakes hands.
func join(t testing.TB, e *Engine, side core.Side) *wirePeer {
	t.Helper()
	p := &wirePeer{TCPConn: dialTo(t, e, side), done: make(chan struct{})}
	if _, err := p.Write(handshakeFrame(e.cfg.Core.ChainID)); err != nil {
		t.Fatal(err)
	}
	local := p.LocalAddr().String()
	soon(t, "the handshake", func() bool {
		for _, s := range status(t, e).Sessions {
			if s.Remote == local && s.Ready {
				return true
			}
		}
		return false
	})
	return p
}

// read counts what comes until the connection ends.
func (p *wirePeer) read() {
	defer close(p.done)
	r := bufio.NewReaderSize(p.TCPConn, 1<<20)
	var prefix [p2pwire.PrefixLen + 1]byte
	for {
		if _, err := io.ReadFull(r, prefix[:]); err != nil {
			return
		}
		if p2pwire.Type(prefix[p2pwire.PrefixLen]) == p2pwire.TypePackedTransaction {
			p.trx.Add(1)
		}
		if _, err := r.Discard(int(binary.LittleEndian.Uint32(prefix[:])) - 1); err != nil {
			return
		}
	}
}

func status(t testing.TB, e *Engine) core.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	st, err := e.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// trxFrame is a transaction of its own for every n and source, with size bytes of data.
func trxFrame(dst []byte, source byte, n uint32, data []byte) []byte {
	binary.LittleEndian.PutUint32(data, n)
	data[4] = source
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(p2pwire.TypePackedTransaction))
	dst = p2pwire.AppendTransaction(dst, uint32(time.Now().Unix())+60, 0, 0, data)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-p2pwire.PrefixLen))
	return dst
}

// traffic is a node and a network peer that talk to each other through the relay: the others, who
// must not be disturbed.
type traffic struct {
	node, peer *wirePeer
	sent       uint32
	buf, data  []byte
}

func talk(t testing.TB, e *Engine) *traffic {
	tr := &traffic{node: join(t, e, core.Internal), peer: join(t, e, core.Network)}
	go tr.node.read()
	go tr.peer.read()
	t.Cleanup(func() {
		_ = tr.node.Close()
		_ = tr.peer.Close()
		<-tr.node.done
		<-tr.peer.done
	})
	return tr
}

// exchange sends n transactions of size bytes each way and waits for all of them.
func (tr *traffic) exchange(t testing.TB, n, size int) {
	t.Helper()
	if cap(tr.data) < size {
		tr.data = make([]byte, size)
	}
	for range n {
		for i, p := range []*wirePeer{tr.node, tr.peer} {
			tr.buf = trxFrame(tr.buf[:0], byte(i), tr.sent, tr.data[:size])
			if _, err := p.Write(tr.buf); err != nil {
				t.Fatalf("a session that should not be disturbed: %v", err)
			}
		}
		tr.sent++
	}
	soon(t, "every transaction", func() bool {
		return tr.node.trx.Load() == int64(tr.sent) && tr.peer.trx.Load() == int64(tr.sent)
	})
}
