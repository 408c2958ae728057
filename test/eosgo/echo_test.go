package eosgo

import (
	"net"
	"strings"
	"testing"
	"time"

	eos "github.com/eoscanada/eos-go"
	"github.com/eoscanada/eos-go/p2p"

	"bprelay/relay/core"
)

// echo is eos-go dialled by the relay. It speaks as eos-go's client does, which would listen on a port
// that has to be known beforehand, and never close the listener: it returns what handshakes it gets.
type echo struct {
	listener *net.TCPListener
}

func listen(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &echo{l.(*net.TCPListener)}
}

func (e *echo) address() string { return e.listener.Addr().String() }

// fails takes the relay's connection and returns its session. The echo of the relay's own version
// makes the relay send votes, which eos-go cannot read.
func (e *echo) fails(t *testing.T, w *world) core.SessionID {
	t.Helper()
	deadline := time.Now().Add(patience)
	_ = e.listener.SetDeadline(deadline)
	conn, err := e.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = e.listener.Close() // the relay will try again: in vain
	defer conn.Close()
	_ = conn.SetDeadline(deadline)
	peer := p2p.NewIncommingPeer(e.address(), "echo")
	peer.SetConnection(conn)
	handshakes := 0
	for {
		packet, err := peer.Read()
		if err != nil {
			if !strings.Contains(err.Error(), "unknown p2p message type [9]") {
				t.Errorf("eos-go ended with: %v", err)
			}
			break
		}
		if h, ok := packet.P2PMessage.(*eos.HandshakeMessage); ok {
			handshakes++
			h.NodeID, h.P2PAddress = make(eos.Checksum256, 32), "echo"
			h.NodeID[0] = 1
			if err := peer.WriteP2PMessage(h); err != nil {
				t.Fatal(err)
			}
		}
	}
	if handshakes != 2 {
		t.Errorf("%d handshakes of the relay: want the greeting and the answer", handshakes)
	}
	for _, s := range w.status(t).Sessions {
		if s.Name == "echo" && s.Ready && s.PV >= 9 {
			return s.ID
		}
	}
	t.Fatalf("no session of the echo: %+v", w.status(t).Sessions)
	return 0
}
