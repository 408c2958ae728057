package rig

import (
	"fmt"
	"net"
	"slices"
	"time"

	"bprelay/test/simnet"
)

// NetworkConfig says what the network is made of.
type NetworkConfig struct {
	Plan  Plan
	Chain *simnet.Chain
	// Listen are the addresses (host:port) of the producers, in the order of Others.
	Listen []string
	// Relays are the addresses (host:port) that the observer dials, by name.
	Relays map[string]string
	// RelayAt names the relay that dials from an IP address; empty if none does.
	RelayAt func(ip string) string
}

// Network is the world outside: the other producers, and the observer.
type Network struct {
	Judge     *Judge
	Producers []*Node
	Observer  *Node
}

// observerRedial is how soon the observer dials again who is gone.
const observerRedial = 500 * time.Millisecond

// NewNetwork opens the listeners. Start begins.
func NewNetwork(c NetworkConfig) (*Network, error) {
	n := &Network{Judge: newJudge(c.Plan, c.Chain)}
	names := map[string]string{}
	var before []string
	for i, name := range Others() {
		x, err := NewNode(simnet.Config{
			Name: name, Chain: c.Chain, Seed: c.Plan.Seed, Address: c.Listen[i], Producers: []string{name}, Finalizers: []string{name},
			Peers: slices.Clone(before), EnableStaleProduction: true,
		}, func(sim *simnet.Node) simnet.Endpoint {
			return &tap{Node: sim, judge: n.Judge, name: name, relayAt: c.RelayAt, streams: map[simnet.ConnID]string{}}
		})
		if err != nil {
			n.Close()
			return nil, err
		}
		names[c.Listen[i]] = name
		before = append(before, c.Listen[i])
		n.Producers = append(n.Producers, x)
	}
	// The observer takes and gives votes, and never nacks: a peer that was nacked sends notices in place of blocks.
	cfg := simnet.Config{Name: "observer", Chain: c.Chain, Seed: c.Plan.Seed, VoteThreads: 2, DisableBlockNack: true, ConnectionCleanupPeriod: observerRedial}
	cfg.Peers = slices.Clone(before)
	for name, address := range c.Relays {
		cfg.Peers = append(cfg.Peers, address)
		names[address] = name
	}
	slices.Sort(cfg.Peers)
	var err error
	if n.Observer, err = NewNode(cfg, func(sim *simnet.Node) simnet.Endpoint {
		return &tap{Node: sim, judge: n.Judge, name: cfg.Name, dials: names, streams: map[simnet.ConnID]string{}}
	}); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Start runs them.
func (n *Network) Start() {
	for _, x := range append(slices.Clone(n.Producers), n.Observer) {
		x.Start()
	}
}

// Close ends them. The judge has all that came until then.
func (n *Network) Close() {
	for _, x := range append(slices.Clone(n.Producers), n.Observer) {
		if x != nil {
			x.Kill()
		}
	}
}

// tap has the judge see what a node of the network receives, before the node does.
type tap struct {
	*simnet.Node
	judge   *Judge
	name    string
	dials   map[string]string      // address -> name of who is dialled there
	relayAt func(ip string) string // nil: whoever dials is nobody's business
	streams map[simnet.ConnID]string
}

// Dialled names the stream: a new connection is a new one.
func (t *tap) Dialled(now simnet.Instant, conn simnet.ConnID, addr string) {
	if from := t.dials[addr]; from != "" {
		t.streams[conn] = fmt.Sprintf("%s>%s/%d", from, t.name, conn)
	}
	t.Node.Dialled(now, conn, addr)
}

// Accepted does the same for relays.
func (t *tap) Accepted(now simnet.Instant, conn simnet.ConnID, remote string) {
	if host, _, err := net.SplitHostPort(remote); err == nil && t.relayAt != nil {
		if from := t.relayAt(host); from != "" {
			t.streams[conn] = fmt.Sprintf("%s>%s/a%d", from, t.name, conn)
		}
	}
	t.Node.Accepted(now, conn, remote)
}

// Data has the judge see the bytes first.
func (t *tap) Data(now simnet.Instant, conn simnet.ConnID, chunk []byte) {
	if s := t.streams[conn]; s != "" {
		t.judge.feed(now.Wall, s, chunk)
	}
	t.Node.Data(now, conn, chunk)
}
