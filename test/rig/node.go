package rig

import (
	"fmt"

	"bprelay/test/simnet"
)

// Node is one simulated nodeos on TCP, which can be killed and started again at its address.
type Node struct {
	cfg    simnet.Config
	wrap   func(*simnet.Node) simnet.Endpoint
	runner *simnet.TCP // nil while it is down
	sim    *simnet.Node
	state  *simnet.State // what a killed one left on disk
}

// NewNode opens the listener at cfg.Address, or nowhere if that is empty. wrap, if not nil, puts something between
// the wire and the node.
func NewNode(cfg simnet.Config, wrap func(*simnet.Node) simnet.Endpoint) (*Node, error) {
	n := &Node{cfg: cfg, wrap: wrap}
	var err error
	if n.runner, err = simnet.ListenTCP(simnet.TCPConfig{Listen: cfg.Address}); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	return n, nil
}

// Name is its name.
func (n *Node) Name() string { return n.cfg.Name }

// Start runs it.
func (n *Node) Start() {
	n.cfg.State = n.state
	n.sim = simnet.NewNode(n.cfg)
	var end simnet.Endpoint = n.sim
	if n.wrap != nil {
		end = n.wrap(n.sim)
	}
	n.runner.Start(end)
}

// Kill is kill -9.
func (n *Node) Kill() {
	if n.runner == nil {
		return
	}
	n.runner.Close()
	n.runner = nil
	if n.sim != nil {
		n.state = n.sim.Store()
	}
}

// Restart begins from what was on disk.
func (n *Node) Restart() error {
	runner, err := simnet.ListenTCP(simnet.TCPConfig{Listen: n.cfg.Address})
	if err != nil {
		return fmt.Errorf("%s: %w", n.cfg.Name, err)
	}
	n.runner = runner
	n.Start()
	return nil
}

// Up tells whether it runs.
func (n *Node) Up() bool { return n.runner != nil }

// Push hands it a transaction, as its HTTP API would.
func (n *Node) Push(frame []byte) {
	if n.Up() {
		n.runner.Do(func(now simnet.Instant) { n.sim.PushTransaction(now, frame) })
	}
}

// Head is the number of the block it has applied last, 0 while it is down.
func (n *Node) Head() (num uint32) {
	if n.Up() {
		n.runner.Do(func(simnet.Instant) { num = n.sim.Head().Num })
	}
	return num
}

// OurNodes are the configurations of the nodes of ours, which have nobody to dial: some with the producer's key
// and the last one, which votes; addresses (host:port) in this order.
func OurNodes(chain *simnet.Chain, seed uint64, addresses []string) (list []simnet.Config) {
	for i, a := range addresses {
		c := simnet.Config{Name: Voter, Chain: chain, Seed: seed, Address: a, Finalizers: []string{Ours}}
		if i < len(addresses)-1 {
			c.Name, c.Finalizers = fmt.Sprintf("node%d", i+1), nil
			c.Producers, c.ProductionPauseVoteTimeout = []string{Ours}, VoteTimeout
		}
		list = append(list, c)
	}
	return list
}
