package members

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// network joins transports in memory. Packets take a millisecond; a cut swallows them, and lets dials
// wait for their timeout.
type network struct {
	mu    sync.Mutex
	there map[string]*transport // by address
	cuts  map[[2]string]bool
	loss  func() bool
	port  int
}

func newNetwork() *network {
	return &network{there: map[string]*transport{}, cuts: map[[2]string]bool{}, port: 7000}
}

type transport struct {
	n       *network
	name    string
	address string
	packets chan *memberlist.Packet
	streams chan net.Conn
	down    bool
}

// add makes a transport at an address of its own, or in place of one that is down.
func (n *network) add(name, address string) *transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := &transport{n: n, name: name, address: address, packets: make(chan *memberlist.Packet, 1000), streams: make(chan net.Conn, 100)}
	n.there[address] = t
	return t
}

func (n *network) newAddress() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.port++
	return fmt.Sprintf("127.0.0.1:%d", n.port)
}

func (n *network) cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]string{from, to}] = true
}

func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
}

// lose makes one of so many packets get lost.
func (n *network) lose(one int, seed uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	random := rand.New(rand.NewPCG(seed, 1))
	n.loss = func() bool { return random.IntN(one) == 0 }
}

func (n *network) lost() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.loss != nil && n.loss()
}

// reach returns who is at an address, if bytes get there.
func (t *transport) reach(address string) (to *transport, silent bool) {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	to = t.n.there[address]
	if to == nil || to.down || t.down {
		return nil, false
	}
	if t.n.cuts[[2]string{t.name, to.name}] {
		return nil, true
	}
	return to, false
}

func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	a, err := net.ResolveTCPAddr("tcp", t.address)
	return a.IP, a.Port, err
}

func (t *transport) WriteTo(b []byte, address string) (time.Time, error) {
	now := time.Now()
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}}
	if to, _ := t.reach(address); to != nil && !t.n.lost() {
		time.AfterFunc(time.Millisecond, func() {
			p.Timestamp = time.Now()
			select {
			case to.packets <- p:
			default:
			}
		})
	}
	return now, nil
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

func (t *transport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	to, silent := t.reach(address)
	switch {
	case silent:
		<-time.After(timeout)
		return nil, errors.New("timeout")
	case to == nil:
		return nil, errors.New("refused")
	}
	a, b := net.Pipe()
	select {
	case to.streams <- a:
		return b, nil
	default:
		return nil, errors.New("refused")
	}
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }
func (t *transport) StreamCh() <-chan net.Conn           { return t.streams }

func (t *transport) Shutdown() error {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	t.down = true
	return nil
}
