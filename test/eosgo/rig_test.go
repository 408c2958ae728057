package eosgo

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/test/simnet"
)

// rig is a relay with its network listener.
type rig struct {
	*relay.Relay
	*journal
	chainID p2pwire.ID
	address string
}

// startRelay starts a relay and closes it with the test.
func startRelay(t *testing.T, cfg engine.Config) *rig {
	t.Helper()
	r := &rig{journal: &journal{}, chainID: cfg.Core.ChainID}
	cfg.ListenNetwork = "127.0.0.1:0"
	var err error
	r.Relay, err = relay.New(relay.Options{
		Engine: cfg, Version: "test", Observer: r.journal, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = r.Close(ctx) // it may say that not everything was flushed
	})
	r.address = r.Addr(core.Network).String()
	return r
}

func (r *rig) status(t *testing.T) core.Status {
	t.Helper()
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// journal keeps the relay's decisions in order.
type journal struct {
	mu     sync.Mutex
	events []core.Event
}

// Event implements core.Observer.
func (j *journal) Event(_ core.Instant, e *core.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, *e)
}

func (j *journal) of(kind core.EventKind) (list []core.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// session returns the session of the client with that agent, 0 if there was none.
func (j *journal) session(agent string) core.SessionID {
	for _, e := range j.of(core.EventSessionUp) {
		if e.Detail == agent {
			return e.Session
		}
	}
	return 0
}

// end waits until the client's session has ended.
func (j *journal) end(t *testing.T, c *client) (down core.Event) {
	t.Helper()
	id := j.session(c.agent)
	until(t, "the end of "+c.agent, func() bool {
		list := j.of(core.EventSessionDown)
		i := slices.IndexFunc(list, func(e core.Event) bool { return e.Session == id })
		if i >= 0 {
			down = list[i]
		}
		return i >= 0
	})
	return down
}

// claimedSince returns the own blocks that went out since a session was ready, in order.
func (j *journal) claimedSince(id core.SessionID) (list []p2pwire.ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	up := false
	for _, e := range j.events {
		switch {
		case e.Kind == core.EventSessionUp && e.Session == id:
			up = true
		case e.Kind == core.EventClaimed && up:
			list = append(list, e.ID)
		}
	}
	return list
}

// node is one of ours.
type node struct {
	runner *simnet.TCP
	sim    *simnet.Node

	mu  sync.Mutex
	trx []p2pwire.ID // executed
}

func (n *node) trace(_ simnet.Instant, e simnet.Event) {
	if e.Kind == simnet.EventTrx {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.trx = append(n.trx, e.ID)
	}
}

func (n *node) executed() []p2pwire.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.trx)
}

func (n *node) head() (num uint32) {
	n.runner.Do(func(simnet.Instant) { num = n.sim.Head().Num })
	return num
}

// startNode starts a simulated nodeos on loopback.
func startNode(t *testing.T, cfg simnet.Config) *node {
	t.Helper()
	runner, err := simnet.ListenTCP(simnet.TCPConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{runner: runner}
	cfg.Address, cfg.Trace = runner.Addr(), n.trace
	n.sim = simnet.NewNode(cfg)
	runner.Start(n.sim)
	t.Cleanup(runner.Close)
	return n
}

const (
	own    = "bpown"
	public = "bppublic"
)

// turns is the schedule in which our producer's round comes soonest, and the other one's before it
// is long enough for some blocks, so that there is a chain to build on.
func turns(now p2pwire.Slot) []string {
	const enough = 4 // slots
	first := now.Round()
	if p2pwire.RoundSlots-1-now.Index() < enough {
		first++
	}
	if first%2 == 0 {
		return []string{public, own}
	}
	return []string{own, public}
}

// world is a chain of two producers: ours, run by two nodes behind the relay, and the network's.
type world struct {
	*rig
	chain *simnet.Chain
	nodes []*node
}

// startWorld starts all of it; the relay dials the others as well.
func startWorld(t *testing.T, consensus simnet.Mode, others ...engine.Target) *world {
	t.Helper()
	const seed = 21
	now := p2pwire.SlotAt(time.Now().UnixNano())
	chain := simnet.NewChain(simnet.ChainConfig{Mode: consensus, Seed: seed, Producers: turns(now), Genesis: now})
	outside := startNode(t, simnet.Config{
		Name: "public", Chain: chain, Seed: seed, Producers: []string{public}, Finalizers: []string{public}, EnableStaleProduction: true,
	})
	w := &world{chain: chain}
	cfg := engine.Config{
		Core: core.Config{
			ChainID:   chain.ID(),
			Producers: []core.Producer{{Name: name(t, own), Keys: []p2pwire.PublicKey{chain.ProducerKey(own)}}},
		},
		Peers: append(others, engine.Target{Name: "public", Dial: outside.runner.Addr()}),
	}
	for _, s := range []string{"a", "b"} {
		n := startNode(t, simnet.Config{Name: s, Chain: chain, Seed: seed, Producers: []string{own}, Finalizers: []string{own}})
		w.nodes = append(w.nodes, n)
		cfg.Nodes = append(cfg.Nodes, engine.Target{Name: s, Dial: n.runner.Addr()})
	}
	w.rig = startRelay(t, cfg)
	until(t, "our nodes to follow the network", func() bool {
		return w.status(t).PublicHead != nil && w.nodes[0].head() >= 2 && w.nodes[1].head() >= 2
	})
	return w
}

func name(t *testing.T, s string) p2pwire.Name {
	t.Helper()
	n, err := p2pwire.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
