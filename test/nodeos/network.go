package nodeos

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bprelay/p2pwire"
)

// network is everything that runs.
type network struct {
	topology
	root      string // directory of all state and logs
	system    blockKey
	producers []producer    // in schedule order; the first is ours
	own       []*node       // ours, in the topology's order
	public    []*node       // the other producers
	api       *node         // the observer
	relay     *relayProcess // the only one, or of a pair the one that is active as far as the test knows
	relays    []*relayProcess
	uplinks   []*gate          // between the relay and the public producers
	downlinks map[string]*gate // between the relay and our nodes, by their names
	chain     p2pwire.ID
	wallet    wallet
	load      load
	watch     *watch

	background sync.WaitGroup
	cancel     context.CancelFunc
}

// newNetwork prepares all directories; nothing runs yet. relay is the built command.
func newNetwork(ctx context.Context, binDir, relay, root string, t topology) (*network, error) {
	n := &network{topology: t, root: root}
	var err error
	if n.system, err = newBlockKey("eosio"); err != nil {
		return nil, err
	}
	for _, name := range scheduleNames {
		p := producer{name: mustName(name)}
		if p.block, err = newBlockKey(name); err != nil {
			return nil, err
		}
		if p.vote, err = newVoteKey(ctx, binDir); err != nil {
			return nil, err
		}
		n.producers = append(n.producers, p)
	}
	free := newPorts()
	names := []string{"relay"}
	if t.pair {
		names = []string{"relay-a", "relay-b"}
	}
	for _, name := range names {
		r, err := newRelay(relay, root, name, free)
		if err != nil {
			return nil, err
		}
		n.relays = append(n.relays, r)
	}
	n.relay = n.relays[0]
	return n, n.prepare(binDir, free)
}

// prepare makes the nodes. Each public node dials those made before it, which connects all of them
// once.
func (n *network) prepare(binDir string, free *ports) error {
	genesis := n.genesis(time.Now())
	var addresses []string
	public := func(o nodeOptions) (*node, error) {
		o.host, o.listen = hostOthers, true
		o.peers = append(o.peers, addresses...)
		made, err := newNode(binDir, n.root, free, genesis, o)
		if err == nil {
			addresses = append(addresses, made.p2pAddress())
		}
		return made, err
	}
	for i, p := range n.producers[1:] {
		o := nodeOptions{name: p.name.String(), members: []producer{p}, vote: n.savanna}
		if i == 0 {
			// The first one boots the chain: until there is a schedule its producer is eosio.
			o.members = append(o.members, producer{name: mustName("eosio"), block: n.system})
		}
		made, err := public(o)
		if err != nil {
			return err
		}
		n.public = append(n.public, made)
	}
	var err error
	if n.api, err = public(nodeOptions{name: observer}); err != nil {
		return err
	}
	for _, p := range n.public {
		g, err := newGate(hostOthers, free, p.p2pAddress())
		if err != nil {
			return err
		}
		n.uplinks = append(n.uplinks, g)
	}
	n.downlinks = map[string]*gate{}
	for _, o := range n.ours {
		made, g, err := n.prepareOwn(binDir, free, genesis, o)
		if err != nil {
			return err
		}
		n.own = append(n.own, made)
		n.downlinks[o.name] = g
	}
	return nil
}

// prepareOwn makes one of our nodes and the gate between it and the relay.
func (n *network) prepareOwn(binDir string, free *ports, genesis string, o ownNode) (made *node, g *gate, err error) {
	us := n.producers[0]
	if !o.block {
		us.block = blockKey{}
	}
	options := nodeOptions{
		name: o.name, host: hostOurs, listen: o.dialled, members: []producer{us}, vote: o.vote, more: n.options(o),
	}
	if o.dialled {
		if made, err = newNode(binDir, n.root, free, genesis, options); err != nil {
			return nil, nil, err
		}
		g, err = newGate(hostOurs, free, made.p2pAddress())
		return made, g, err
	}
	if g, err = newGate(hostOthers, free, n.relay.internal); err != nil {
		return nil, nil, err
	}
	options.host, options.peers = hostOthers, []string{g.address}
	made, err = newNode(binDir, n.root, free, genesis, options)
	return made, g, err
}

// genesis is nodeos' default chain configuration with our key, and a start in the recent past.
func (n *network) genesis(now time.Time) string {
	return fmt.Sprintf(`{
  "initial_timestamp": %q,
  "initial_key": %q,
  "initial_configuration": {
    "max_block_net_usage": 1048576, "target_block_net_usage_pct": 1000,
    "max_transaction_net_usage": 524288, "base_per_transaction_net_usage": 12,
    "net_usage_leeway": 500, "context_free_discount_net_usage_num": 20, "context_free_discount_net_usage_den": 100,
    "max_block_cpu_usage": 200000, "target_block_cpu_usage_pct": 1000,
    "max_transaction_cpu_usage": 150000, "min_transaction_cpu_usage": 100,
    "max_transaction_lifetime": 3600, "deferred_trx_expiration_window": 600, "max_transaction_delay": 3888000,
    "max_inline_action_size": 4096, "max_inline_action_depth": 4, "max_authority_depth": 6
  }
}
`, now.Add(-10*time.Second).UTC().Format("2006-01-02T15:04:05.000"), n.system.public)
}

// nodes are all nodeos.
func (n *network) nodes() []*node {
	return slices.Concat(n.public, []*node{n.api}, n.own)
}

// start runs everything and boots the chain, up to the first block of the schedule.
func (n *network) start(ctx context.Context) error {
	first := n.public[0]
	if err := first.run("--enable-stale-production"); err != nil {
		return err
	}
	info, err := first.answers(ctx)
	if err != nil {
		return err
	}
	n.chain = info.ChainID
	for _, g := range n.gates() {
		if err := g.open(ctx); err != nil {
			return err
		}
	}
	peers := n.relayPeers()
	if n.pair {
		if peers.pair, peers.creds, err = n.relays, filepath.Join(n.root, "creds"), n.makeCredentials(ctx); err != nil {
			return err
		}
	}
	for _, r := range n.relays {
		if err := r.configure(peers, ""); err != nil {
			return err
		}
		if err := r.run(ctx); err != nil {
			return err
		}
	}
	for _, node := range n.nodes() {
		if node == first {
			continue
		}
		if err := node.run(); err != nil {
			return err
		}
	}
	for _, node := range n.nodes() {
		if _, err := node.answers(ctx); err != nil {
			return err
		}
	}
	background, cancel := context.WithCancel(ctx)
	n.cancel = cancel
	n.watch = newWatch(n.producers)
	for _, node := range n.public {
		n.tap(background, n.watch.network, node.name, node.p2pAddress())
	}
	for _, r := range n.relays {
		n.tap(background, n.watch.outlet, r.name, r.network)
	}
	n.wallet = wallet{api: first.api, chain: n.chain, key: n.system}
	if err := n.boot(ctx); err != nil {
		return err
	}
	through := n.wallet
	through.api = n.api.api
	n.background.Go(func() { n.load.run(background, &through) })
	return nil
}

// relayPeers are the relay's, by way of the gates.
func (n *network) relayPeers() relayPeers {
	p := relayPeers{chainID: n.chain.String(), own: n.producers[0], takeover: n.takeover, timeout: n.timeout}
	for i, o := range n.ours {
		p.nodes = append(p.nodes, o.entry(n.downlinks[o.name].address, n.own[i].httpAddress()))
	}
	for i, g := range n.uplinks {
		p.public = append(p.public, relayPeer{n.public[i].name, g.address})
	}
	return p
}

func (n *network) tap(ctx context.Context, to *judge, name, address string) {
	t := &tap{name: name, address: address, chain: n.chain, received: to.received}
	n.background.Go(func() { t.listen(ctx) })
}

// stop ends everything; afterwards nothing runs. It may be called at any time.
func (n *network) stop() {
	if n.cancel != nil {
		n.cancel()
	}
	n.background.Wait()
	var group sync.WaitGroup
	for _, r := range n.relays {
		group.Go(r.stop)
	}
	for _, node := range n.nodes() {
		group.Go(node.stop)
	}
	group.Wait()
	for _, g := range n.gates() {
		g.shut()
	}
}

// gates are all of them.
func (n *network) gates() []*gate {
	return append(slices.Collect(maps.Values(n.downlinks)), n.uplinks...)
}

// logs are the paths of all logs.
func (n *network) logs() []string {
	paths, _ := filepath.Glob(filepath.Join(n.root, "*.log")) // the pattern is good
	return paths
}
