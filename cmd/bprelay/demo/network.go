package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// network is everything that runs.
type network struct {
	chain    *simnet.Chain
	outside  []*node // the other producers
	nodes    []*node // ours that produce
	voter    *node   // ours that votes for them; nil where they do so themselves
	relays   []relayEnd
	cluster  []*child // the same, if there are several
	members  []*child // of the cluster, witnesses included
	tmp      string   // a directory to remove at the end
	observer *node
	watch    *observer
	check    *checker.Checker // the observer's goroutine has it until that is killed
}

// build starts the network, and when that has a chain our nodes, the relay, and the observer's link to
// it. On an error nothing is left running.
func build(ctx context.Context, o Options, p plan, d *desk) (*network, error) {
	n := &network{chain: simnet.NewChain(simnet.ChainConfig{Mode: o.mode(), Seed: o.Seed, Genesis: p.start, Producers: p.schedule})}
	if err := n.start(ctx, o, p, d); err != nil {
		n.close(ctx)
		return nil, err
	}
	return n, nil
}

func (n *network) start(ctx context.Context, o Options, p plan, d *desk) error {
	if err := n.startProducers(o, p); err != nil {
		return err
	}
	if err := n.startObserver(o, p, d); err != nil {
		return err
	}
	if err := n.waitForChain(ctx); err != nil {
		return err
	}
	if err := n.startNodes(o, d); err != nil {
		return err
	}
	start := n.startRelay
	if o.Relays > 1 {
		start = n.startCluster
	}
	if err := start(ctx, o, d); err != nil {
		return err
	}
	for _, r := range n.relays {
		n.connectObserver(r)
	}
	return nil
}

func (n *network) startProducers(o Options, p plan) error {
	var before []string
	for _, name := range p.others {
		x, err := newNode(simnet.Config{
			Name: name, Chain: n.chain, Seed: o.Seed, Producers: []string{name}, Finalizers: []string{name},
			Peers: slices.Clone(before), EnableStaleProduction: true,
		})
		if err != nil {
			return fmt.Errorf("start producer %s: %w", name, err)
		}
		before = append(before, x.cfg.Address)
		n.outside = append(n.outside, x)
	}
	for _, x := range n.outside {
		x.start(nil)
	}
	return nil
}

// startNodes starts our nodes, which have nobody to dial. In race all have the same producer key and the
// same finalizer key; else they have the producer key only, and another node votes: that way one that is
// held does not take our finalizer with it, and one that dies neither.
func (n *network) startNodes(o Options, d *desk) error {
	for i := range o.Nodes {
		c := simnet.Config{Name: fmt.Sprintf("node%d", i+1), Producers: []string{ours}}
		switch o.Takeover {
		case takeoverRace:
			c.Finalizers = []string{ours}
		case takeoverAPI:
			c.PauseOnStartup = true // the relay resumes who leads
		default:
			c.ProductionPauseVoteTimeout = voteTimeout
		}
		c.Trace = d.trace(c.Name)
		x, err := n.startNode(o, c)
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, x)
	}
	if o.Takeover == takeoverRace || o.mode() == simnet.Legacy {
		return nil // nobody votes, or all do
	}
	var err error
	n.voter, err = n.startNode(o, simnet.Config{Name: voterName, Finalizers: []string{ours}})
	return err
}

const voterName = "voter"

func (n *network) startNode(o Options, c simnet.Config) (*node, error) {
	c.Chain, c.Seed = n.chain, o.Seed
	x, err := newNode(c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if len(c.Producers) > 0 && (o.Takeover == takeoverAPI || o.Takeover == takeoverAuto) {
		if err := x.withAPI(); err != nil {
			x.kill()
			return nil, fmt.Errorf("start producer API of %s: %w", c.Name, err)
		}
	}
	x.start(nil)
	return x, nil
}

// all are the nodes of ours.
func (n *network) all() []*node {
	if n.voter == nil {
		return n.nodes
	}
	return append(slices.Clone(n.nodes), n.voter)
}

func (n *network) startRelay(ctx context.Context, o Options, d *desk) error {
	cfg := engine.Config{
		Core: core.Config{
			ChainID:   n.chain.ID(),
			Producers: []core.Producer{{Name: name(ours), Keys: []p2pwire.PublicKey{n.chain.ProducerKey(ours)}}},
		},
		ListenNetwork: loopback,
	}
	for _, x := range n.all() {
		cfg.Nodes = append(cfg.Nodes, engine.Target{Name: x.cfg.Name, Dial: x.cfg.Address, API: x.url})
	}
	if o.Takeover != takeoverRace {
		cfg.Core.Takeover, cfg.Core.Nodes = n.takeover(o)
	}
	for _, x := range n.outside {
		cfg.Peers = append(cfg.Peers, engine.Target{Name: x.cfg.Name, Dial: x.cfg.Address})
	}
	r, err := relay.New(relay.Options{Engine: cfg, AdminListen: o.Admin, Version: "demo", Logger: slog.New(slog.DiscardHandler), Observer: d})
	if err != nil {
		return fmt.Errorf("configure relay: %w", err)
	}
	if err := r.Start(ctx); err != nil {
		return fmt.Errorf("start relay: %w", err)
	}
	n.relays = []relayEnd{local{r}}
	return nil
}

// takeover is what the relay is told of our nodes when one of them is to lead.
func (n *network) takeover(o Options) (t core.TakeoverConfig, nodes []core.NodeConfig) {
	for _, x := range n.nodes {
		nodes = append(nodes, core.NodeConfig{Name: x.cfg.Name, Role: core.RoleProducer, API: x.url != ""})
	}
	if n.voter != nil {
		nodes = append(nodes, core.NodeConfig{Name: voterName, Role: core.RoleFinalizer})
	}
	if o.Takeover != takeoverAPI {
		t.VoteTimeout = voteTimeout
	}
	_ = t.Mode.UnmarshalText([]byte(o.Takeover)) // it was checked
	return t, nodes
}

// startObserver starts a node without producers next to the network's. It takes and gives votes, and
// never nacks: a peer that was nacked sends notices in place of blocks.
func (n *network) startObserver(o Options, p plan, d *desk) error {
	judge := checker.Config{Own: []p2pwire.Name{name(ours)}, OnBlock: d.saw}
	for _, s := range p.schedule {
		judge.Schedule = append(judge.Schedule, name(s))
	}
	if o.mode() == simnet.Savanna {
		judge.OwnKeys = append(judge.OwnKeys, n.chain.FinalizerKey(ours).Pub)
	}
	n.check = checker.New(judge)
	n.watch = &observer{check: n.check, peers: map[string]string{}, streams: map[simnet.ConnID]string{}}
	cfg := simnet.Config{Name: "observer", Chain: n.chain, Seed: o.Seed, VoteThreads: 2, DisableBlockNack: true}
	for _, x := range n.outside {
		cfg.Peers = append(cfg.Peers, x.cfg.Address)
		n.watch.peers[x.cfg.Address] = x.cfg.Name
	}
	x, err := newNode(cfg)
	if err != nil {
		return fmt.Errorf("start observer: %w", err)
	}
	n.observer = x
	x.start(func(sim *simnet.Node) simnet.Endpoint {
		n.watch.Node = sim
		return n.watch
	})
	return nil
}

// connectObserver makes the observer a peer of a relay's, at once if it was one before.
func (n *network) connectObserver(r relayEnd) {
	address := r.address()
	n.observer.runner.Do(func(now simnet.Instant) {
		if n.watch.peers[address] != "" {
			n.watch.Disconnect(now, address)
		}
		n.watch.peers[address] = r.name()
		n.watch.Connect(address)
	})
}

const (
	chainBlocks  = 3 // what the network has when the relay comes
	chainTimeout = 20 * time.Second
)

// waitForChain waits until the observer has the network's first blocks.
func (n *network) waitForChain(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, chainTimeout, errors.New("the network makes no blocks"))
	defer cancel()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		head := uint32(0)
		n.observer.runner.Do(func(simnet.Instant) { head = n.watch.Head().Num })
		if head >= chainBlocks {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for a chain: %w", context.Cause(ctx))
		}
	}
}

// closeTimeout bounds the end of the relays.
const closeTimeout = 5 * time.Second

// close ends everything. The relays' nodes and peers go first: nobody reads what they would flush.
func (n *network) close(ctx context.Context) {
	if n.observer != nil {
		n.observer.kill()
	}
	for _, x := range slices.Concat(n.all(), n.outside) {
		x.kill()
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, r := range n.relays {
		all.Go(func() { r.close(bounded) })
	}
	for _, c := range n.members {
		if !slices.Contains(n.cluster, c) {
			all.Go(func() { c.close(bounded) })
		}
	}
	all.Wait()
	if n.tmp != "" {
		_ = os.RemoveAll(n.tmp) // it is a temporary one
	}
}

// name is for the names above, which are valid.
func name(s string) p2pwire.Name {
	n, err := p2pwire.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}
