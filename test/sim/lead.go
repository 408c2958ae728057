package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// LeadScenario is a world in which one of our nodes leads and the others are held, and something
// happens to the lead at one moment of our round.
type LeadScenario struct {
	Seed     uint64
	Mode     simnet.Mode
	Takeover core.Takeover
	// Nodes is how many producing nodes there are.
	Nodes int
	// OwnKeys gives every node a finalizer key of its own under our producer's name; without it a node
	// of its own has our producer's only one, as recommended.
	OwnKeys bool
	// VoteTimeout is production-pause-vote-timeout-ms of our nodes; 0 means 6 s.
	VoteTimeout time.Duration
	Trx         time.Duration
	// Alone makes ours the only producer: our run never ends.
	Alone bool
	// Vary is by how much the way from each of our nodes to the relay gets longer, anew for each slot.
	Vary time.Duration
	// Faults are played in our first judged round.
	Faults []LeadFault
	// Rounds is how many of our rounds are judged, that of the faults included; 0 means 2.
	Rounds int
	Log    func(format string, args ...any)
}

// LeadFault is one fault.
type LeadFault struct {
	// After is when, from 500 ms before the timestamp of our round's first slot: when it begins.
	After time.Duration
	Kind  LeadFaultKind
	// For is how long it lasts; 0 means to the end. A killed node is started again then.
	For time.Duration
	// Second makes it happen to whoever leads then, not to the first lead.
	Second bool
}

// LeadFaultKind is what happens to the lead.
type LeadFaultKind string

// The kinds.
const (
	LeadKill  LeadFaultKind = "kill -9"
	LeadHang  LeadFaultKind = "SIGSTOP"
	LeadCut   LeadFaultKind = "link cut"
	LeadReset LeadFaultKind = "link reset"
	LeadSlow  LeadFaultKind = "slow"
)

// What happens to the relay, and what an operator does: it is not the lead that is at fault.
const (
	RelayStall   LeadFaultKind = "relay stalls"
	RelayRestart LeadFaultKind = "relay restarts"
	LeadDrain    LeadFaultKind = "drain"
)

// LeadOutcome is what became of it.
type LeadOutcome struct {
	Report checker.Report
	// Lost are the indices of the lost slots in the round of the faults, LostLater counts those of the
	// rounds behind it.
	Lost      []int
	LostLater int
	// Siblings counts blocks that nodes other than the lead signed in slots of ours; ByHeld those of them
	// by nodes that had been held for long enough.
	Siblings int
	Forks    int // heads that the observer gave up for another branch
	Status   core.Status
	Events   []string
	Lead     string   // who led when the faults began
	Orders   []string // the answers to commands
}

type leadWorld struct {
	sc      LeadScenario
	chain   *simnet.Chain
	w       *simnet.World
	check   *checker.Checker
	nodes   map[string]*simnet.Node
	relay   *Relay
	out     *LeadOutcome
	signers map[p2pwire.Slot]map[p2pwire.ID][]string
	rng     *rand.Rand
	down    map[string]bool

	startRelay func()
	starts     int
}

// PlayLead plays a scenario.
func PlayLead(sc LeadScenario) *LeadOutcome {
	producers := []string{ourProducer, "bpbeta", "bpgamma", "bpdelta"}
	voters := producers[1:]
	if sc.Alone {
		producers = producers[:1]
	}
	cfg := simnet.ChainConfig{Mode: sc.Mode, Seed: sc.Seed, Producers: producers}
	ours := names("bp%d:1", sc.Nodes)
	if sc.Alone && !sc.OwnKeys {
		for _, p := range append([]string{ourProducer}, voters...) {
			cfg.Finalizers = append(cfg.Finalizers, simnet.Finalizer{Description: p, Weight: 1})
		}
	}
	if sc.OwnKeys {
		for _, p := range voters {
			cfg.Finalizers = append(cfg.Finalizers, simnet.Finalizer{Description: p, Weight: 1})
		}
		for _, n := range ours {
			cfg.Finalizers = append(cfg.Finalizers, simnet.Finalizer{Description: ourProducer, Key: n, Weight: 1})
		}
	}
	chain := simnet.NewChain(cfg)
	x := &leadWorld{
		sc: sc, chain: chain, out: &LeadOutcome{}, nodes: map[string]*simnet.Node{},
		w:       simnet.NewWorld(simnet.WorldConfig{Seed: sc.Seed, Start: chain.GenesisTime(), Jitter: time.Millisecond, Chop: true}),
		signers: map[p2pwire.Slot]map[p2pwire.ID][]string{}, rng: rand.New(rand.NewPCG(sc.Seed, 5)), down: map[string]bool{},
	}
	var schedule []p2pwire.Name
	for _, p := range producers {
		n, _ := p2pwire.ParseName(p)
		schedule = append(schedule, n)
	}
	check := checker.Config{Own: schedule[:1], Schedule: schedule}
	finalizers := []string{ourProducer}
	if sc.OwnKeys {
		finalizers = ours
	}
	for _, f := range finalizers {
		check.OwnKeys = append(check.OwnKeys, chain.FinalizerKey(f).Pub)
	}
	x.check = checker.New(check)
	public := names("net%d:1", 3)
	for i, addr := range public {
		c := simnet.Config{Name: addr, Address: addr, Peers: append(append([]string(nil), public[:i]...), observerAddr), Finalizers: voters[i : i+1], EnableStaleProduction: true}
		if !sc.Alone {
			c.Producers = voters[i : i+1]
		}
		x.add(c)
	}
	x.add(simnet.Config{Name: observerAddr, Address: observerAddr, Peers: []string{relayAddr}, VoteThreads: 2})
	var nodes []core.NodeConfig
	for i, addr := range ours {
		if x.down[addr] = sc.Alone; sc.Alone {
			// What is made behind the relay's start fence could never be let out, and nobody else makes blocks.
			x.w.At(7500*time.Millisecond, func() { x.down[addr] = false; x.addOurs(addr, nil) })
		} else {
			x.addOurs(addr, nil)
		}
		nodes = append(nodes, core.NodeConfig{Name: addr, Role: core.RoleProducer, Priority: -i, API: sc.Takeover == core.TakeoverAPI})
	}
	if !sc.OwnKeys {
		x.add(simnet.Config{Name: "fin:1", Address: "fin:1", Finalizers: []string{ourProducer}})
		nodes = append(nodes, core.NodeConfig{Name: "fin:1", Role: core.RoleFinalizer})
	}
	x.startRelay = func() { x.addRelay(schedule[0], nodes) }
	x.startRelay()
	x.w.Tap(func(now simnet.Instant, d simnet.Delivery) {
		if d.From == relayAddr && d.To[:2] != "bp" && d.To[:3] != "fin" || d.To == observerAddr {
			x.check.Feed(now.Wall, fmt.Sprintf("%s>%s/%d", d.From, d.To, d.Conn), d.Data)
		}
	})
	if sc.Trx > 0 {
		x.transactions(append(ours, public...))
	}
	if sc.Vary > 0 {
		x.vary(ours)
	}
	x.play(schedule[0])
	return x.out
}

// vary gives each of our nodes a way of another length to the relay, and comes again.
func (x *leadWorld) vary(ours []string) {
	for _, addr := range ours {
		x.w.SetLatencyTo(addr, relayAddr, x.w.Latency(relayAddr, addr)+time.Duration(x.rng.Int64N(int64(x.sc.Vary))))
	}
	x.w.At(x.w.Now().Mono+p2pwire.SlotDuration, func() { x.vary(ours) })
}

func (x *leadWorld) add(c simnet.Config) {
	c.Chain, c.Seed = x.chain, x.sc.Seed
	c.Trace = func(_ simnet.Instant, e simnet.Event) {
		if e.Kind == simnet.EventSwitched && c.Name == observerAddr && e.Count > 0 {
			x.out.Forks++
		}
	}
	n := simnet.NewNode(c)
	x.nodes[c.Address] = n
	x.w.Add(c.Address, n)
}

func (x *leadWorld) addOurs(addr string, st *simnet.State) {
	c := simnet.Config{
		Name: addr, Address: addr, Producers: []string{ourProducer}, EnableStaleProduction: st == nil,
		PauseOnStartup:             x.sc.Alone && x.sc.Takeover == core.TakeoverAPI,
		ProductionPauseVoteTimeout: x.sc.VoteTimeout, State: st, VoteThreads: 4, Chain: x.chain, Seed: x.sc.Seed,
	}
	if x.sc.OwnKeys {
		c.Finalizers = []string{addr}
	}
	c.Trace = func(now simnet.Instant, e simnet.Event) {
		if e.Kind == simnet.EventProduced {
			if x.signers[e.Slot] == nil {
				x.signers[e.Slot] = map[p2pwire.ID][]string{}
			}
			x.signers[e.Slot][e.ID] = append(x.signers[e.Slot][e.ID], addr)
		}
		if x.sc.Log != nil && (e.Kind == simnet.EventClosed || e.Kind == simnet.EventProduced) {
			x.sc.Log("%8.3fs %s %v %s", now.Mono.Seconds(), addr, e, e.Reason)
		}
	}
	n := simnet.NewNode(c)
	x.nodes[addr] = n
	x.w.Add(addr, n)
}

// Event implements core.Observer.
func (x *leadWorld) Event(now core.Instant, e *core.Event) {
	switch e.Kind {
	case core.EventLead, core.EventTakeover, core.EventAlarm, core.EventWithheld:
		s := fmt.Sprintf("%8.3fs %s %s %s %s slot %d", now.Mono.Seconds(), e.Kind, e.Reason, e.Node, e.Detail, e.Slot)
		x.out.Events = append(x.out.Events, s)
		if x.sc.Log != nil {
			x.sc.Log("%s", s)
		}
	}
}

func (x *leadWorld) addRelay(own p2pwire.Name, nodes []core.NodeConfig) {
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Name)
	}
	cfg := core.Config{
		ChainID: x.chain.ID(), Producers: []core.Producer{{Name: own, Keys: []p2pwire.PublicKey{x.chain.ProducerKey(ourProducer)}}},
		DedupEntries: 1 << 12, ClaimEntries: 512, Observer: x,
		Nodes: nodes, Takeover: core.TakeoverConfig{Mode: x.sc.Takeover, VoteTimeout: x.sc.VoteTimeout},
	}
	cfg.Seed[0] = byte(x.sc.Seed)
	x.starts++
	cfg.Seed[1] = byte(x.starts)
	api := &producerAPI{w: x.w, addr: relayAddr, calls: map[string]*apiCalls{}}
	api.alive = func() bool { return x.relay == api.relay }
	api.node = func(addr string) *simnet.Node {
		if x.down[addr] {
			return nil
		}
		return x.nodes[addr]
	}
	x.relay = NewRelay(RelayConfig{Core: cfg, Nodes: addrs, Peers: names("net%d:1", 3), Control: api.ask})
	api.relay = x.relay
	x.w.Add(relayAddr, x.relay)
}

func (x *leadWorld) transactions(at []string) {
	pushTo(x.w, x.rng, x.chain, x.sc.Trx, at, x.nodes, func(addr string) bool { return x.down[addr] })
}

func (x *leadWorld) lead() string {
	if x.relay == nil {
		return ""
	}
	return x.relay.Core().Snapshot(x.relay.now).Takeover.Lead
}

func (x *leadWorld) play(own p2pwire.Name) {
	cycle := time.Duration(len(x.chain.Producers())) * p2pwire.RoundSlots * p2pwire.SlotDuration
	x.w.Run(max(2*cycle, 34*time.Second)) // the schedule is known then
	first := x.chain.NextRound(ourProducer, p2pwire.SlotAt(x.w.Now().Wall)+4)
	begin := time.Duration((first - 1).Time() - x.chain.GenesisTime())
	early := time.Duration(0)
	for _, f := range x.sc.Faults {
		early = min(early, f.After)
	}
	x.w.Run(begin + early - x.w.Now().Mono - time.Millisecond)
	x.out.Lead = x.lead()
	for _, f := range x.sc.Faults {
		x.w.At(begin+f.After, func() { x.fault(f) })
	}
	rounds := max(x.sc.Rounds, 2)
	x.w.Run(time.Duration(rounds-1)*cycle + 7*time.Second - early)
	last := first + p2pwire.Slot((rounds-1)*len(x.chain.Producers())*p2pwire.RoundSlots) + p2pwire.RoundSlots - 1
	x.w.Run(2 * time.Second)
	o := x.out
	o.Report = x.check.Report(first, last, nil)
	for _, s := range o.Report.Slots {
		if len(s.IDs) > 0 && !s.Orphaned {
			continue
		}
		if s.Slot < first+p2pwire.RoundSlots {
			o.Lost = append(o.Lost, s.Slot.Index())
		} else {
			o.LostLater++
		}
	}
	for slot, ids := range x.signers {
		if slot >= first && len(ids) > 1 {
			o.Siblings += len(ids) - 1
		}
	}
	o.Status = x.relay.Core().Snapshot(x.relay.now)
}

func (x *leadWorld) fault(f LeadFault) {
	addr := x.out.Lead
	if f.Second {
		addr = x.lead()
	}
	if addr == "" {
		return
	}
	if x.sc.Log != nil {
		x.sc.Log("%8.3fs %s %s", x.w.Now().Mono.Seconds(), f.Kind, addr)
	}
	later := func(g func()) {
		if f.For > 0 {
			x.w.At(x.w.Now().Mono+f.For, g)
		}
	}
	switch f.Kind {
	case LeadKill:
		x.w.Kill(addr)
		x.down[addr] = true
		st := x.nodes[addr].Store()
		later(func() {
			x.down[addr] = false
			x.addOurs(addr, st)
		})
	case LeadHang:
		x.w.Pause(addr)
		later(func() { x.w.Resume(addr) })
	case LeadCut:
		x.w.Cut(addr, relayAddr)
		x.w.Cut(relayAddr, addr)
		later(func() {
			x.w.Heal(addr, relayAddr)
			x.w.Heal(relayAddr, addr)
		})
	case RelayStall:
		x.w.Pause(relayAddr)
		later(func() { x.w.Resume(relayAddr) })
	case RelayRestart:
		x.relay = nil
		x.w.Kill(relayAddr)
		later(x.startRelay)
	case LeadDrain:
		x.w.Call(relayAddr, func(now simnet.Instant) { x.out.Orders = append(x.out.Orders, fmt.Sprint(x.relay.Drain(now, addr))) })
	case LeadReset:
		x.w.Reset(relayAddr, addr)
	case LeadSlow:
		x.w.SetLatencyTo(addr, relayAddr, 300*time.Millisecond)
		later(func() { x.w.SetLatencyTo(addr, relayAddr, x.w.Latency(relayAddr, addr)) })
	}
}
