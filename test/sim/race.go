package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// Scenario is one world: three network producers, an observer, one relay and our nodes, all of
// them producing (takeover: race).
type Scenario struct {
	Seed   uint64
	Mode   simnet.Mode
	Nodes  int
	Rounds int           // full schedules to run (24 s each)
	Trx    time.Duration // a transaction every so often at a random node; 0 for none
	// Distance is the one-way latency within the network and to it; 0 means next door.
	Distance time.Duration
	Faults   bool // random faults: kills, restarts, resets, pauses, relay restarts
	Evil     bool // a network peer that sends damaged copies of what it sees, before the good ones
	Keys     bool // the relay knows our producer's key
	Rotate   bool // it changes at our second judged round; the relay is not told
	// Journal is the relay's state directory; nil: none.
	Journal *StateDir
	// Script plays named faults at offsets from the start of our first judged round.
	Script []Step
	Log    func(format string, args ...any)
}

// Step is one scripted fault: what happens After the timestamp of our round's first slot, and For how
// long, to the relay or to one of our nodes. A clock is not set for a time but by For.
type Step struct {
	After, For time.Duration
	Target     string // "relay", its "disk", or a node such as "bp0:1", or its link "relay-bp0:1", or "clock-" and an address
}

// Outcome is what became of it.
type Outcome struct {
	Report checker.Report
	// Network and Ours are the public producers and our nodes at the end.
	Network, Ours []*simnet.Node
	Relay         *Relay
	Faults        []string
	// LinksLost counts how often one of our nodes closed its link to the relay.
	LinksLost int
	// EvilSent counts the damaged messages the hostile peer got rid of.
	EvilSent int
}

const (
	relayAddr    = "relay:1"
	observerAddr = "observer:1"
)

// ourProducer is the producer our nodes share.
const ourProducer = "bpalpha"

// world is a scenario under way.
type world struct {
	sc     Scenario
	w      *simnet.World
	chain  *simnet.Chain
	rng    *rand.Rand
	check  *checker.Checker
	nodes  map[string]*simnet.Node
	down   map[string]*simnet.State
	kills  []int64
	faults []string
	relay  *Relay
	starts int

	relayDown bool
	allDown   int64 // when the last of our nodes died
	evil      *evil
	linksLost int
}

func (x *world) fault(format string, args ...any) {
	s := fmt.Sprintf("%8.3fs ", x.w.Now().Mono.Seconds()) + fmt.Sprintf(format, args...)
	x.faults = append(x.faults, s)
	if x.sc.Log != nil {
		x.sc.Log("%s", s)
	}
}

func names(format string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}

// Run plays a scenario to its end.
func Run(sc Scenario) *Outcome {
	producers := []string{ourProducer, "bpbeta", "bpgamma", "bpdelta"}
	chain := simnet.NewChain(simnet.ChainConfig{Mode: sc.Mode, Seed: sc.Seed, Producers: producers})
	x := &world{
		sc: sc, chain: chain, rng: rand.New(rand.NewPCG(sc.Seed, 77)),
		w:     simnet.NewWorld(simnet.WorldConfig{Seed: sc.Seed, Start: chain.GenesisTime(), Jitter: 2 * time.Millisecond, Chop: true}),
		nodes: map[string]*simnet.Node{}, down: map[string]*simnet.State{},
	}
	var schedule []p2pwire.Name
	for _, p := range producers {
		n, _ := p2pwire.ParseName(p)
		schedule = append(schedule, n)
	}
	x.check = checker.New(checker.Config{
		Own: schedule[:1], Schedule: schedule,
		OwnKeys: [][p2pwire.FinalizerKeySize]byte{chain.FinalizerKey(ourProducer).Pub},
	})
	public := names("net%d:1", 3)
	ours := names("bp%d:1", sc.Nodes)
	for i, addr := range public {
		x.add(simnet.Config{Name: addr, Address: addr, Peers: append(append([]string(nil), public[:i]...), observerAddr), Producers: producers[i+1 : i+2], Finalizers: producers[i+1 : i+2], EnableStaleProduction: true})
	}
	x.add(simnet.Config{Name: observerAddr, Address: observerAddr, Peers: []string{relayAddr}, VoteThreads: 2})
	for _, addr := range ours {
		x.add(simnet.Config{Name: addr, Address: addr, Producers: producers[:1], Finalizers: producers[:1], EnableStaleProduction: true})
	}
	if sc.Distance > 0 {
		for i, a := range append([]string{relayAddr, observerAddr}, public...) {
			for _, b := range public[min(max(i-2, 0), len(public)):] {
				if a != b {
					x.w.SetLatency(a, b, sc.Distance)
				}
			}
			if a == relayAddr {
				x.w.SetLatency(a, observerAddr, sc.Distance)
			}
		}
	}
	x.addRelay()
	x.w.Tap(func(now simnet.Instant, d simnet.Delivery) {
		// What the relay shows the network, and what the network tells itself, for the whole chain.
		if d.From == relayAddr && d.To[:2] != "bp" || d.To == observerAddr {
			x.check.Feed(now.Wall, fmt.Sprintf("%s>%s/%d", d.From, d.To, d.Conn), d.Data)
		}
	})
	if sc.Trx > 0 {
		x.transactions(append(ours, public...))
	}
	if sc.Evil {
		x.addEvil()
	}
	cycle := time.Duration(len(producers)) * p2pwire.RoundSlots * p2pwire.SlotDuration
	// The first schedule warms up: our round may be under way at the start.
	x.w.Run(cycle)
	first := p2pwire.SlotAt(x.w.Now().Wall) + 1
	round := chain.NextRound(ourProducer, first).Time() - chain.GenesisTime()
	for _, s := range sc.Script {
		x.w.At(time.Duration(round)+s.After, func() { x.play(s) })
	}
	if sc.Rotate {
		chain.Rotate(ourProducer, chain.NextRound(ourProducer, chain.NextRound(ourProducer, first)+1))
	}
	if sc.Faults {
		x.plan(ours, time.Duration(sc.Rounds)*cycle)
	}
	x.w.Run(time.Duration(sc.Rounds) * cycle)
	last := p2pwire.SlotAt(x.w.Now().Wall) - 1
	x.w.Run(2 * time.Second)
	out := &Outcome{Report: x.check.Report(first, last, x.kills), Relay: x.relay, Faults: x.faults}
	if x.evil != nil {
		out.EvilSent = x.evil.sent
	}
	out.LinksLost = x.linksLost
	for _, a := range public {
		out.Network = append(out.Network, x.nodes[a])
	}
	for _, a := range ours {
		out.Ours = append(out.Ours, x.nodes[a])
	}
	return out
}

func (x *world) add(c simnet.Config) {
	c.Chain, c.Seed = x.chain, x.sc.Seed
	if len(c.Producers) > 0 && c.Producers[0] == ourProducer {
		c.Trace = func(_ simnet.Instant, e simnet.Event) {
			if e.Kind == simnet.EventClosed {
				x.linksLost++
			}
		}
	}
	n := simnet.NewNode(c)
	x.nodes[c.Address] = n
	x.w.Add(c.Address, n)
}

func (x *world) addRelay() {
	own, _ := p2pwire.ParseName(ourProducer)
	x.starts++
	cfg := core.Config{
		ChainID: x.chain.ID(), Producers: []core.Producer{{Name: own}},
		DedupEntries: 1 << 12, ClaimEntries: 512,
	}
	if x.sc.Keys {
		cfg.Producers[0].Keys = []p2pwire.PublicKey{x.chain.ProducerKey(ourProducer)}
	}
	cfg.Seed[0], cfg.Seed[1], cfg.Seed[2] = byte(x.sc.Seed), byte(x.sc.Seed>>8), byte(x.starts)
	x.relay = NewRelay(RelayConfig{Core: cfg, Nodes: names("bp%d:1", x.sc.Nodes), Peers: names("net%d:1", 3), Disk: x.sc.Journal})
	x.w.Add(relayAddr, x.relay)
}

// transactions pushes one at a random node every Trx.
func (x *world) transactions(at []string) {
	pushTo(x.w, x.rng, x.chain, x.sc.Trx, at, x.nodes, func(addr string) bool { return x.down[addr] != nil })
}

// plan spreads random faults over the time to come.
func (x *world) plan(ours []string, d time.Duration) {
	start := x.w.Now().Mono
	for at := start + time.Second; at < start+d-6*time.Second; at += time.Second + time.Duration(x.rng.Int64N(int64(8*time.Second))) {
		victim := ours[x.rng.IntN(len(ours))]
		switch k := x.rng.IntN(6); k {
		case 0, 1:
			x.w.At(at, func() { x.kill(victim) })
		case 2:
			peer := names("net%d:1", 3)[x.rng.IntN(3)]
			x.w.At(at, func() {
				x.fault("reset relay - %s", peer)
				x.w.Reset(relayAddr, peer)
			})
		case 3:
			x.w.At(at, func() {
				x.fault("reset relay - %s", victim)
				x.lossy()
				x.w.Reset(relayAddr, victim)
			})
		case 4:
			x.w.At(at, func() {
				x.fault("pause %s", victim)
				x.lossy()
				x.w.Pause(victim)
				x.w.At(x.w.Now().Mono+time.Duration(200+x.rng.IntN(3000))*time.Millisecond, func() {
					x.lossy()
					x.w.Resume(victim)
				})
			})
		case 5:
			x.w.At(at, func() {
				if x.relayDown {
					return
				}
				x.relayDown = true
				x.fault("kill relay")
				x.lossy()
				x.w.Kill(relayAddr)
				x.w.At(x.w.Now().Mono+time.Duration(50+x.rng.IntN(3000))*time.Millisecond, func() {
					x.fault("start relay")
					x.relayDown = false
					x.lossy()
					x.addRelay()
				})
			})
		}
	}
}

// play carries out a scripted fault. The round counts as one of a kill only if a node was killed.
func (x *world) play(s Step) {
	x.fault("%s: %s", s.Target, s.For)
	switch {
	case strings.HasPrefix(s.Target, "clock-"):
		x.w.SetClock(s.Target[len("clock-"):], s.For)
	case s.Target == "relay":
		x.w.Kill(relayAddr)
		x.w.At(x.w.Now().Mono+s.For, x.addRelay)
	case s.Target == "disk":
		x.sc.Journal.Failing = true
		x.w.At(x.w.Now().Mono+s.For, func() { x.sc.Journal.Failing = false })
	case strings.HasPrefix(s.Target, "relay-"):
		x.w.Reset(relayAddr, s.Target[len("relay-"):])
	default:
		x.kill(s.Target)
	}
}

// lossy marks the present round as one in which slots may get lost.
func (x *world) lossy() {
	now := x.w.Now().Wall
	x.kills = append(x.kills, now, now+6e9)
}

func (x *world) kill(addr string) {
	if x.down[addr] != nil {
		return
	}
	x.fault("kill %s", addr)
	x.lossy()
	x.w.Kill(addr)
	x.down[addr] = x.nodes[addr].Store()
	if len(x.down) == x.sc.Nodes {
		x.allDown = x.w.Now().Wall
	}
	x.w.At(x.w.Now().Mono+time.Duration(500+x.rng.IntN(20000))*time.Millisecond, func() {
		x.fault("restart %s", addr)
		if len(x.down) == x.sc.Nodes {
			for at := x.allDown; at <= x.w.Now().Wall; at += int64(time.Second) {
				x.kills = append(x.kills, at) // nobody was there
			}
			x.lossy()
		}
		st := x.down[addr]
		delete(x.down, addr)
		x.add(simnet.Config{Name: addr, Address: addr, Producers: []string{ourProducer}, Finalizers: []string{ourProducer}, State: st})
	})
}
