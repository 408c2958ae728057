package demo

import (
	"strings"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// node is one simulated nodeos on loopback, which can be killed and started again at its address.
type node struct {
	cfg    simnet.Config
	runner *simnet.TCP // nil while it is down
	sim    *simnet.Node
	state  *simnet.State // what a killed one left on disk
	api    *producerAPI  // nil if it has none, or is down
	url    string        // of its producer API; empty if it has none
}

// newNode opens the listener, so that the address is known before anything runs.
func newNode(cfg simnet.Config) (*node, error) {
	runner, err := simnet.ListenTCP(simnet.TCPConfig{Listen: loopback})
	if err != nil {
		return nil, err
	}
	cfg.Address = runner.Addr()
	return &node{cfg: cfg, runner: runner}, nil
}

// withAPI gives it a producer API, before it is started.
func (n *node) withAPI() error {
	api, err := listenAPI(loopback)
	if err != nil {
		return err
	}
	n.api, n.url = api, api.url()
	return nil
}

const loopback = "127.0.0.1:0"

// start runs it for the first time; wrap, if not nil, puts something between the wire and the node.
func (n *node) start(wrap func(*simnet.Node) simnet.Endpoint) {
	n.sim = simnet.NewNode(n.cfg)
	var end simnet.Endpoint = n.sim
	if wrap != nil {
		end = wrap(n.sim)
	}
	n.runner.Start(end)
	if n.api != nil {
		n.api.serve(n.runner, n.sim)
	}
}

// kill is kill -9.
func (n *node) kill() {
	if n.runner == nil {
		return
	}
	n.runner.Close()
	n.runner = nil
	if n.api != nil {
		n.api.close()
		n.api = nil
	}
	if n.sim != nil {
		n.state = n.sim.Store()
	}
}

// restart begins from what was on disk. The error is that an address is taken: it was free for a
// while, and the kernel may have lent it to a connection.
func (n *node) restart() error {
	runner, err := simnet.ListenTCP(simnet.TCPConfig{Listen: n.cfg.Address})
	if err != nil {
		return err
	}
	if n.url != "" {
		if n.api, err = listenAPI(strings.TrimPrefix(n.url, "http://")); err != nil {
			runner.Close()
			return err
		}
	}
	n.runner = runner
	n.cfg.State = n.state
	n.start(nil)
	return nil
}

func (n *node) up() bool { return n.runner != nil }

// push hands the node a transaction, as its HTTP API would.
func (n *node) push(frame []byte) {
	if n.up() {
		n.runner.Do(func(now simnet.Instant) { n.sim.PushTransaction(now, frame) })
	}
}

// follows reports whether the block is on the chain that the node has applied.
func (n *node) follows(id p2pwire.ID) (yes bool) {
	return n.up() && n.runner.Do(func(simnet.Instant) { yes = n.sim.OnChain(id) }) && yes
}
