//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"bprelay/ha/creds"
	"bprelay/relay/core"
	"bprelay/test/rig"
	"bprelay/test/simnet"
)

// mode is how the cluster decides.
type mode string

const (
	pairMode   mode = "pair"
	quorumMode mode = "quorum"
)

// order is what a world is to play; the command gives it to the process that does.
type order struct {
	Mode    mode
	Witness bool // of a quorum: its third member has no relay
	Seed    uint64
	Run     int
	Binary  string
	Dir     string
	Level   string
	Members []string // their namespaces
	Faults  []fault
}

// world is one run: it lives in the hub's namespace.
type world struct {
	order
	mode    mode
	level   string
	dir     string
	plan    rig.Plan
	chain   *simnet.Chain
	network *rig.Network
	nodes   []*rig.Node // ours; the last one votes
	members []*member
	proxies map[[2]*member]*proxy // (who dials, whom)
	wall    firewall
	rng     *rand.Rand
	nonce   uint64
	courses []*course
}

const (
	// lead is how long before our first round relays have to have started: what a leash needs to be armed, and to
	// have seen a round begin.
	lead = 9 * time.Second
	// rounds of ours: one to learn the schedule, those with a fault, and one to see that all is well.
	rounds     = 1 + faultsPerRun + 1
	formWithin = 20 * time.Second
	trxEvery   = 150 * time.Millisecond
	endWithin  = 8 * time.Second
	backAfter  = time.Second // after our round, who was killed starts again
)

// play is a whole run. What it started is ended, whatever comes.
func play(ctx context.Context, o order) (*result, error) {
	w := &world{
		order: o, mode: o.Mode, level: o.Level, dir: o.Dir, proxies: map[[2]*member]*proxy{}, rng: rand.New(rand.NewPCG(o.Seed, 0x7a7)),
		plan: rig.NewPlan(o.Seed, time.Now().UnixNano(), lead+startup),
	}
	w.chain = w.plan.Chain()
	err := w.run(ctx)
	problems := w.close()
	if err != nil {
		return nil, err
	}
	r, err := w.judge()
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		r.broken("%s", p)
	}
	return r, nil
}

// startup is what the start of everything takes at most before the relays run, on a busy machine.
const startup = 2 * time.Second

func (w *world) run(ctx context.Context) error {
	if err := w.build(ctx); err != nil {
		return err
	}
	if err := w.form(ctx); err != nil {
		return err
	}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() { defer close(ended); w.transact(stop) }()
	defer func() { close(stop); <-ended }()
	for i := range w.Faults {
		if err := w.suffer(ctx, i); err != nil {
			return fmt.Errorf("%v: %w", w.Faults[i], err)
		}
	}
	last := w.plan.Round(rounds-1) + 11
	return sleepUntil(ctx, last.Time()+int64(time.Second))
}

// build starts everything.
func (w *world) build(ctx context.Context) error {
	if err := w.wall.set(ctx); err != nil {
		return err
	}
	relays := map[string]string{}
	at := map[string]string{proxyIP: "proxy"}
	for i, ns := range w.Members {
		m := &member{
			name: fmt.Sprintf("relay%d", i+1), ns: ns, ip: memberIP(i), binary: w.Binary,
			witness: w.mode == quorumMode && w.Witness && i == len(w.Members)-1,
		}
		if m.witness {
			m.name = "witness"
		} else {
			relays[m.name], at[m.ip] = m.ip+":"+networkPort, m.name
		}
		m.config, m.log, m.state = filepath.Join(w.dir, m.name+".yaml"), filepath.Join(w.dir, m.name+".log"), filepath.Join(w.dir, m.name+".state")
		w.members = append(w.members, m)
	}
	var err error
	if w.network, err = rig.NewNetwork(rig.NetworkConfig{
		Plan: w.plan, Chain: w.chain, Listen: []string{producerAddress(0), producerAddress(1)}, Relays: relays,
		RelayAt: func(ip string) string { return at[ip] },
	}); err != nil {
		return err
	}
	const nodes = 4
	var addresses []string
	for i := range nodes {
		addresses = append(addresses, nodeAddress(i))
	}
	for _, cfg := range rig.OurNodes(w.chain, w.Seed, addresses) {
		n, err := rig.NewNode(cfg, nil)
		if err != nil {
			return err
		}
		w.nodes = append(w.nodes, n)
	}
	w.network.Start()
	for _, n := range w.nodes {
		n.Start()
	}
	return w.startMembers()
}

func (w *world) startMembers() error {
	var names []string
	for _, m := range w.members {
		names = append(names, m.name)
	}
	if _, err := creds.Create(creds.Plan{Dir: filepath.Join(w.dir, "credentials"), Members: names}); err != nil {
		return fmt.Errorf("make credentials: %w", err)
	}
	for _, f := range w.Faults {
		switch f.Kind {
		case delayLink:
			if err := w.proxy(); err != nil {
				return err
			}
		case diskFull:
			for _, m := range w.members {
				if err := w.smallDisk(m); err != nil {
					return err
				}
			}
		case clockOff:
			w.members[f.Relay].offset = f.Offset
		}
	}
	for _, m := range w.members {
		if err := w.configure(m); err != nil {
			return err
		}
	}
	for _, m := range w.members {
		if err := m.start(); err != nil {
			return err
		}
	}
	return nil
}

// proxy puts one on every way from a member to another.
func (w *world) proxy() error {
	if len(w.proxies) > 0 {
		return nil
	}
	for _, from := range w.members {
		for _, to := range w.members {
			if from == to {
				continue
			}
			p, err := newProxy(fmt.Sprintf("%s:%d", proxyIP, 10000+len(w.proxies)), to.ip+":"+linkPort)
			if err != nil {
				return fmt.Errorf("proxy: %w", err)
			}
			w.proxies[[2]*member{from, to}] = p
		}
	}
	return nil
}

// diskSize is enough for what a member keeps: a quorum's log reserves segments.
var diskSize = map[mode]string{pairMode: "2m", quorumMode: "64m"}

// smallDisk gives a member a disk of its own, which nobody else sees: mounts are this process' and what it starts.
func (w *world) smallDisk(m *member) error {
	if err := os.MkdirAll(m.state, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", m.state, "tmpfs", 0, "size="+diskSize[w.mode]); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	return nil
}

// form waits until the cluster is one: exactly one active, and the others linked.
func (w *world) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, formWithin, errors.New("the relays form no cluster"))
	defer cancel()
	for {
		active, linked := 0, 0
		for _, m := range w.members {
			if words, ended := m.crashed(); ended {
				return fmt.Errorf("%s ended by itself: %s", m.name, words)
			}
			if m.witness {
				linked++
				continue
			}
			st, err := m.status(ctx)
			if err != nil || st.Cluster == nil {
				continue
			}
			if st.Cluster.Role == core.ClusterActive {
				active++
			}
			// In a quorum nobody has a link of his own to the active: who is one is the majority's word.
			if st.Cluster.Linked || w.mode == quorumMode {
				linked++
			}
		}
		if active == 1 && linked == len(w.members) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the cluster: %w (%d active, %d linked)", context.Cause(ctx), active, linked)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// transact pushes transactions at the network's producers and our nodes, so that blocks differ.
func (w *world) transact(stop <-chan struct{}) {
	rng := rand.New(rand.NewPCG(w.Seed, 0x74))
	ticker := time.NewTicker(trxEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-ticker.C:
			w.nonce++
			const life = 60 // seconds
			frame, _ := w.chain.Transaction(w.nonce, uint32(now.Unix())+life)
			targets := slices.Concat(w.network.Producers, w.nodes[len(w.nodes)-1:])
			targets[rng.IntN(len(targets))].Push(frame)
		}
	}
}

// close ends everything, and tells who would not, or had ended before.
func (w *world) close() (problems []string) {
	for _, m := range w.members {
		if words, ended := m.crashed(); ended {
			problems = append(problems, fmt.Sprintf("%s ended by itself: %s", m.name, words))
		}
	}
	for _, m := range slices.Backward(w.members) {
		if err := m.end(endWithin); err != nil {
			problems = append(problems, err.Error())
		}
	}
	if w.network != nil {
		w.network.Close()
	}
	for _, n := range w.nodes {
		n.Kill()
	}
	for _, p := range w.proxies {
		p.close()
	}
	return problems
}

func sleepUntil(ctx context.Context, wall int64) error {
	select {
	case <-time.After(time.Duration(wall - time.Now().UnixNano())):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
