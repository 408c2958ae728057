package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// producerOf gives the producer a letter of a layout stands for.
var producerOf = map[rune]string{'a': "bpalpha", 'c': "bpcharlie", 'n': "netnorth", 'm': "netmike", 'o': "netoscar"}

// play is a schedule under way.
type play struct {
	s      Schedule
	log    func(format string, args ...any)
	w      *simnet.World
	chain  *simnet.Chain
	rng    *rand.Rand
	cfgs   map[string]simnet.Config
	nodes  map[string]*simnet.Node
	states map[string]*simnet.State // of nodes that are down, and snapshots by fault
	relay  *Relay
	disk   *StateDir // nil: the relay has none
	starts int
	evil   *hostile
	own    []p2pwire.Name

	ledger   ledger
	health   health
	check    *checker.Checker // what the network gets from the relay
	inside   *checker.Checker // what our nodes get from it
	breaches []Breach
	done     bool
}

func addr(name string) string { return name + ":1" }

func nameOf(addr string) string { name, _, _ := strings.Cut(addr, ":"); return name }

// Play runs a schedule until it is over, or to the first breach. log, if not nil, gets the transcript.
func Play(s Schedule, log func(format string, args ...any)) *Verdict {
	if log == nil {
		log = func(string, ...any) {}
	}
	x := &play{
		s: s, log: log, rng: rand.New(rand.NewPCG(s.Seed, 77)),
		cfgs: map[string]simnet.Config{}, nodes: map[string]*simnet.Node{}, states: map[string]*simnet.State{},
	}
	x.build()
	for i, f := range s.Faults {
		x.plan(i, f)
	}
	x.w.RunUntil(s.Length, func() bool { return x.done })
	if !x.done {
		x.judge()
	}
	return x.verdict()
}

func (x *play) say(format string, args ...any) {
	x.log("%8.3f  %s", x.w.Now().Mono.Seconds(), fmt.Sprintf(format, args...))
}

// names lists our nodes ("bp") or the network's ("net").
func (x *play) ours() []string   { return numbered("bp", x.s.Nodes) }
func (x *play) public() []string { return numbered("net", x.s.Peers) }

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

// build makes the chain and all machines.
func (x *play) build() {
	s := x.s
	var all, own, foreign []string
	for _, letter := range s.Layout {
		p := producerOf[letter]
		all = append(all, p)
		if letter == 'a' || letter == 'c' {
			own = append(own, p)
			name, _ := p2pwire.ParseName(p)
			x.own = append(x.own, name)
		} else {
			foreign = append(foreign, p)
		}
	}
	// Enough other finalizers that the chain gets on without ours.
	var policy []simnet.Finalizer
	voters := slices.Clone(foreign)
	for len(voters) < 3*len(own) {
		voters = append(voters, fmt.Sprintf("fin%c", 'a'+len(voters)))
	}
	for _, f := range slices.Concat(own, voters) {
		policy = append(policy, simnet.Finalizer{Description: f})
	}
	cycle := p2pwire.Slot(len(s.Layout) * p2pwire.RoundSlots)
	x.chain = simnet.NewChain(simnet.ChainConfig{
		Mode: s.Mode, Seed: s.Seed, Producers: all, Finalizers: policy,
		Genesis: (1697120000/cycle + 1) * cycle,
	})
	x.w = simnet.NewWorld(simnet.WorldConfig{Seed: s.Seed, Start: x.chain.GenesisTime(), Jitter: 2 * time.Millisecond, Chop: true})
	x.watch(own)
	for i, name := range x.public() {
		c := simnet.Config{Peers: []string{addr("obs")}}
		for j, p := range foreign {
			if j%s.Peers == i {
				c.Producers = append(c.Producers, p)
			}
		}
		for j, f := range voters {
			if j%s.Peers == i {
				c.Finalizers = append(c.Finalizers, f)
			}
		}
		for _, other := range x.public()[:i] {
			c.Peers = append(c.Peers, addr(other))
		}
		x.define(name, c)
	}
	x.define("obs", simnet.Config{Peers: []string{addr("relay")}, VoteThreads: 2})
	for _, name := range x.ours() {
		c := simnet.Config{Producers: own, Finalizers: own, MaxBlockTransactions: s.Full}
		if s.Takeover != core.TakeoverRace {
			c.ProductionPauseVoteTimeout = leashTimeout
		}
		x.define(name, c)
	}
	x.far()
	for _, name := range append(x.public(), "obs") {
		x.start(name, nil, true)
	}
	if s.Journal > 0 {
		x.disk = &StateDir{Latency: s.Journal}
	}
	x.startRelay()
	for _, name := range x.ours() {
		begin := time.Duration(0)
		if len(foreign) == 0 {
			// Nobody else makes blocks: what is made behind the start fence could never be let out.
			begin = 7500 * time.Millisecond
			x.health.ill(name, 0, begin, 0)
		}
		x.w.At(begin, func() { x.start(name, nil, true) })
	}
	if slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Kind.hostile() }) {
		x.addHostile()
	}
	if s.Trx > 0 {
		x.w.At(s.Trx, x.transactions)
	}
}

// far sets the distances within the network and to it.
func (x *play) far() {
	if x.s.Distance == 0 {
		return
	}
	outside := append(x.public(), "obs", "relay")
	for i, a := range outside {
		for _, b := range outside[:i] {
			x.w.SetLatency(addr(a), addr(b), x.s.Distance)
		}
	}
}

func (x *play) define(name string, c simnet.Config) {
	c.Name, c.Address, c.Chain, c.Seed = name, addr(name), x.chain, x.s.Seed
	c.Trace = func(_ simnet.Instant, e simnet.Event) { x.traced(name, e) }
	x.cfgs[name] = c
}

// start starts a node, from a state or from genesis.
func (x *play) start(name string, st *simnet.State, stale bool) {
	c := x.cfgs[name]
	c.State, c.EnableStaleProduction = st, stale
	x.nodes[name] = simnet.NewNode(c)
	x.w.Add(addr(name), x.nodes[name])
}

// startRelay starts a relay that knows nothing of an earlier one but what its state directory has.
func (x *play) startRelay() {
	x.starts++
	cfg := core.Config{ChainID: x.chain.ID(), DedupEntries: 1 << 10, ClaimEntries: 512, RingBlocks: 512, Observer: observer{x}}
	for _, name := range x.own {
		p := core.Producer{Name: name}
		if x.s.Keys {
			p.Keys = []p2pwire.PublicKey{x.chain.ProducerKey(name.String())}
		}
		cfg.Producers = append(cfg.Producers, p)
	}
	if x.s.Takeover != core.TakeoverRace {
		cfg.Takeover = core.TakeoverConfig{Mode: x.s.Takeover, VoteTimeout: leashTimeout}
		for i, name := range x.ours() {
			cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: addr(name), Priority: -i, API: x.s.Takeover == core.TakeoverAPI})
		}
	}
	cfg.Seed[0], cfg.Seed[1], cfg.Seed[2] = byte(x.s.Seed), byte(x.s.Seed>>8), byte(x.starts)
	api := &producerAPI{w: x.w, addr: addr("relay"), node: x.up, calls: map[string]*apiCalls{}}
	rc := RelayConfig{Core: cfg, Disk: x.disk, SendBuffer: x.s.Buffer, Read: x.read, Control: api.ask}
	for _, name := range x.ours() {
		rc.Nodes = append(rc.Nodes, addr(name))
	}
	for _, name := range x.public() {
		rc.Peers = append(rc.Peers, addr(name))
	}
	x.relay = NewRelay(rc)
	api.relay, api.alive = x.relay, func() bool { return x.relay == api.relay }
	x.check.Restart(x.w.Now().Wall)
	clear(x.ledger.foreign)
	x.w.Add(addr("relay"), x.relay)
	now := x.w.Now().Mono
	start := relayStart{at: now, fenced: now + fence}
	if x.disk != nil && x.disk.Whole {
		start.fenced = x.ledger.starts[len(x.ledger.starts)-1].fenced
	}
	if x.disk != nil {
		start.voted = x.disk.Voted
	}
	x.ledger.starts = append(x.ledger.starts, start)
}

// transactions pushes one at a random node, and comes again.
func (x *play) transactions() {
	x.w.At(x.w.Now().Mono+x.s.Trx, x.transactions)
	at := append(x.ours(), x.public()...)
	x.push(at[x.rng.IntN(len(at))])
}

func (x *play) push(name string) {
	n := x.up(addr(name))
	if n == nil {
		return
	}
	x.ledger.trx++
	frame, _ := x.chain.Transaction(uint64(x.ledger.trx), uint32(x.w.Now().Wall/1e9)+30)
	x.w.Call(addr(name), func(now simnet.Instant) { n.PushTransaction(now, frame) })
}

// up is the node at an address, nil while it is down.
func (x *play) up(address string) *simnet.Node {
	if x.states[nameOf(address)] != nil {
		return nil
	}
	return x.nodes[nameOf(address)]
}

// observer writes the relay's decisions to the transcript.
type observer struct{ x *play }

// Event implements core.Observer.
func (o observer) Event(now core.Instant, e *core.Event) {
	switch e.Kind {
	case core.EventPublic:
		o.x.say("relay: public head %s, slot %s", e.ID.Short(), o.x.slot(e.Slot))
	case core.EventClaimed, core.EventWithheld, core.EventHeld, core.EventLead:
		o.x.say("relay: %s %s, slot %s, from %s: %s", e.Kind, e.ID.Short(), o.x.slot(e.Slot), nameOf(e.Node), e.Reason)
	default:
		o.x.say("relay: %s %s %s %s", e.Kind, nameOf(cmpOr(e.Node, e.Remote)), e.Reason, e.Detail)
	}
	if e.Kind == core.EventClaimed {
		o.x.tooLate(now.Wall, e.Slot, e.ID)
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// slot names a slot by its number from the world's start, its producer and place in the round.
func (x *play) slot(s p2pwire.Slot) string {
	first := p2pwire.SlotAt(x.chain.GenesisTime())
	return fmt.Sprintf("%d (%s %d)", int64(s)-int64(first), x.chain.ProducerAt(s), s.Index())
}
