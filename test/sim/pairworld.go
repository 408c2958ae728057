package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bprelay/ha/link"
	"bprelay/ha/pair"
	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// PairScenario is a world with two relays that stand for our nodes together.
type PairScenario struct {
	Seed     uint64
	Mode     simnet.Mode
	Takeover core.Takeover
	Nodes    int // producing nodes of ours; in Savanna there is one more, which votes
	Trx      time.Duration
	// Distance is the one-way latency between the relays, and between either and the network; 0: next door.
	Distance time.Duration
	// Journals: both relays keep a journal, and Disk is how long a write takes. Torn is how many bytes of the
	// last ones are missing when the active is started again: its disk lost what it said it had.
	Journals bool
	Disk     time.Duration
	Torn     int
	// Rounds is how many of our rounds are judged; faults are told from the first one's begin.
	Rounds int
	Faults []PairFault
	Log    func(format string, args ...any)
}

// waits are those of the preset that the distance asks for: the pair's, and the link's for silence.
func (sc *PairScenario) waits() (pair.Timing, time.Duration) {
	if sc.Distance > 10*time.Millisecond {
		return pair.WAN(), link.WAN.Timeout
	}
	return pair.LAN(), link.LAN.Timeout
}

// PairFault is one thing that goes wrong.
type PairFault struct {
	// After is when, from 500 ms before the timestamp of our first judged round's first slot: when it begins.
	After time.Duration
	Kind  PairFaultKind
	// For is how long it lasts; 0 means to the end.
	For time.Duration
}

// PairFaultKind is what goes wrong.
type PairFaultKind string

// The kinds. The active, the standby and the lead are those of the moment.
const (
	ActiveKill    PairFaultKind = "kill active"    // and started again, if it ends
	ActiveHang    PairFaultKind = "stop active"    // SIGSTOP and SIGCONT
	ActiveBlind   PairFaultKind = "active blind"   // its links to the network are cut
	ActiveNoNodes PairFaultKind = "active alone"   // its links to our nodes are cut
	ActiveCutOff  PairFaultKind = "active cut off" // all its links are cut
	StandbyKill   PairFaultKind = "kill standby"
	StandbyHang   PairFaultKind = "stop standby"
	LinkCut       PairFaultKind = "link cut" // between the relays, both ways
	LinkOneWay    PairFaultKind = "link one way"
	LinkReset     PairFaultKind = "link reset"
	BothKill      PairFaultKind = "kill active and lead"
	TheLeadKill   PairFaultKind = "kill lead"
	BothRestart   PairFaultKind = "kill both relays"
	HandOver      PairFaultKind = "handover"
)

// PairFaultKinds are all of them.
var PairFaultKinds = []PairFaultKind{
	ActiveKill, ActiveHang, ActiveBlind, ActiveNoNodes, ActiveCutOff, StandbyKill, StandbyHang, LinkCut, LinkOneWay,
	LinkReset, BothKill, TheLeadKill, BothRestart, HandOver,
}

// The kinds of faults that need journals: a relay is killed while its next claim is written, before the disk has
// it, or behind, when the relay does not know yet. The other one has acknowledged it by then, if there is a link.
const (
	ActiveKillUnwritten  PairFaultKind = "kill active before its disk"
	ActiveKillWritten    PairFaultKind = "kill active behind its disk"
	StandbyKillUnwritten PairFaultKind = "kill standby before its disk"
	StandbyKillWritten   PairFaultKind = "kill standby behind its disk"
	BothKillUnwritten    PairFaultKind = "kill both before the active's disk"
	BothKillWritten      PairFaultKind = "kill both behind the active's disk"
	ActiveTorn           PairFaultKind = "kill active and tear its journal"
	BothTorn             PairFaultKind = "kill both and tear the active's journal"
)

// JournalFaultKinds are all of them.
var JournalFaultKinds = []PairFaultKind{
	ActiveKillUnwritten, ActiveKillWritten, StandbyKillUnwritten, StandbyKillWritten, BothKillUnwritten, BothKillWritten,
	ActiveTorn, BothTorn,
}

// PairOutcome is what became of it.
type PairOutcome struct {
	Report checker.Report
	// Lost are the judged slots that the network got no block for, by round and index, and Unexplained those rounds
	// that lost more than the faults explain.
	Lost        []string
	Unexplained []string
	// Siblings are the judged slots for which more than one of our nodes made a block.
	Siblings int
	// Alarms are the alarms of both relays by reason.
	Alarms map[core.Reason]int
	Events []string
}

type pairWorld struct {
	sc     PairScenario
	chain  *simnet.Chain
	w      *simnet.World
	check  *checker.Checker
	nodes  map[string]*simnet.Node
	relays map[string]*Relay
	disks  map[string]*StateDir
	role   map[string]core.ClusterRole
	epoch  map[string]uint64
	down   map[string]bool
	out    *PairOutcome
	rng    *rand.Rand
	own    p2pwire.Name
	hits   []pairHit
	made   map[p2pwire.Slot]map[p2pwire.ID]bool // blocks of our nodes, as the relays judged them
}

var pairAddrs = []string{"relay-a:1", "relay-b:1"}

// PlayPair plays a scenario.
func PlayPair(sc PairScenario) *PairOutcome {
	producers := []string{ourProducer, "bpbeta", "bpgamma", "bpdelta"}
	chain := simnet.NewChain(simnet.ChainConfig{Mode: sc.Mode, Seed: sc.Seed, Producers: producers})
	x := &pairWorld{
		sc: sc, chain: chain, nodes: map[string]*simnet.Node{}, relays: map[string]*Relay{}, disks: map[string]*StateDir{}, role: map[string]core.ClusterRole{},
		epoch: map[string]uint64{}, down: map[string]bool{}, out: &PairOutcome{Alarms: map[core.Reason]int{}},
		w:   simnet.NewWorld(simnet.WorldConfig{Seed: sc.Seed, Start: chain.GenesisTime(), Jitter: time.Millisecond, Chop: true}),
		rng: rand.New(rand.NewPCG(sc.Seed, 9)), made: map[p2pwire.Slot]map[p2pwire.ID]bool{},
	}
	var schedule []p2pwire.Name
	for _, p := range producers {
		n, _ := p2pwire.ParseName(p)
		schedule = append(schedule, n)
	}
	x.own = schedule[0]
	x.check = checker.New(checker.Config{
		Own: schedule[:1], Schedule: schedule, OwnKeys: [][p2pwire.FinalizerKeySize]byte{chain.FinalizerKey(ourProducer).Pub},
	})
	public := names("net%d:1", 3)
	for i, addr := range public {
		x.add(simnet.Config{Name: addr, Address: addr, Peers: append(append([]string(nil), public[:i]...), observerAddr), Producers: producers[i+1 : i+2], Finalizers: producers[i+1 : i+2], EnableStaleProduction: true})
	}
	x.add(simnet.Config{Name: observerAddr, Address: observerAddr, Peers: pairAddrs, VoteThreads: 2})
	for _, addr := range names("bp%d:1", sc.Nodes) {
		x.addOurs(addr, nil)
	}
	if x.votes() {
		x.add(simnet.Config{Name: "fin:1", Address: "fin:1", Finalizers: []string{ourProducer}})
	}
	if sc.Distance > 0 {
		x.w.SetLatency(pairAddrs[0], pairAddrs[1], sc.Distance)
		for _, a := range pairAddrs {
			for _, b := range append([]string{observerAddr}, public...) {
				x.w.SetLatency(a, b, sc.Distance)
			}
		}
	}
	for _, addr := range pairAddrs {
		x.addRelay(addr)
	}
	x.w.Tap(func(now simnet.Instant, d simnet.Delivery) {
		if strings.HasPrefix(d.From, "relay") && slices.Contains(append(public, observerAddr), d.To) || d.To == observerAddr && !strings.HasPrefix(d.From, "relay") {
			x.check.Feed(now.Wall, fmt.Sprintf("%s>%s/%d", d.From, d.To, d.Conn), d.Data)
		}
	})
	if sc.Trx > 0 {
		x.transactions(append(names("bp%d:1", sc.Nodes), public...))
	}
	x.play()
	return x.out
}

func (x *pairWorld) votes() bool { return x.sc.Mode == simnet.Savanna }

func (x *pairWorld) logf(format string, args ...any) {
	s := fmt.Sprintf("%8.3fs ", x.w.Now().Mono.Seconds()) + fmt.Sprintf(format, args...)
	x.out.Events = append(x.out.Events, s)
	if x.sc.Log != nil {
		x.sc.Log("%s", s)
	}
}

func (x *pairWorld) add(c simnet.Config) {
	c.Chain, c.Seed = x.chain, x.sc.Seed
	n := simnet.NewNode(c)
	x.nodes[c.Address] = n
	x.w.Add(c.Address, n)
}

func (x *pairWorld) addOurs(addr string, st *simnet.State) {
	c := simnet.Config{Name: addr, Address: addr, Producers: []string{ourProducer}, EnableStaleProduction: st == nil, State: st, VoteThreads: 4}
	x.add(c)
}

// relayObserver tells of one relay's decisions.
type relayObserver struct {
	x    *pairWorld
	addr string
}

func (o relayObserver) Event(_ core.Instant, e *core.Event) {
	if e.Kind == core.EventClaimed || e.Kind == core.EventHeld || e.Kind == core.EventWithheld {
		if o.x.made[e.Slot] == nil {
			o.x.made[e.Slot] = map[p2pwire.ID]bool{}
		}
		o.x.made[e.Slot][e.ID] = true
	}
	switch e.Kind {
	case core.EventAlarm:
		o.x.out.Alarms[e.Reason]++
	case core.EventLead, core.EventTakeover, core.EventClaimed, core.EventWithheld, core.EventHeld, core.EventSessionDown, core.EventSessionUp:
	default:
		return
	}
	if o.x.sc.Log != nil {
		o.x.sc.Log("%8.3fs %s %s %s %s %s slot %d %s", o.x.w.Now().Mono.Seconds(), o.addr, e.Kind, e.Reason, e.Node, e.Detail, e.Slot, e.ID.Short())
	}
}

func (x *pairWorld) addRelay(addr string) {
	other := pairAddrs[0]
	if addr == other {
		other = pairAddrs[1]
	}
	cfg := core.Config{
		ChainID: x.chain.ID(), Producers: []core.Producer{{
			Name: x.own, Keys: []p2pwire.PublicKey{x.chain.ProducerKey(ourProducer)},
			FinalizerKeys: [][p2pwire.FinalizerKeySize]byte{x.chain.FinalizerKey(ourProducer).Pub},
		}},
		DedupEntries: 1 << 12, ClaimEntries: 512, Takeover: core.TakeoverConfig{Mode: x.sc.Takeover}, Observer: relayObserver{x, addr},
	}
	dial := names("bp%d:1", x.sc.Nodes)
	for i, n := range dial {
		cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: n, Role: core.RoleProducer, Priority: -i})
	}
	if x.votes() {
		dial = append(dial, "fin:1")
		cfg.Nodes = append(cfg.Nodes, core.NodeConfig{Name: "fin:1", Role: core.RoleFinalizer})
	}
	cfg.Seed[0], cfg.Seed[1], cfg.Seed[2] = byte(x.sc.Seed), addr[6], byte(x.w.Now().Mono/time.Millisecond)
	timing, silence := x.sc.waits()
	first := addr == pairAddrs[0]
	x.role[addr], x.epoch[addr] = core.ClusterStandby, 0
	if x.sc.Journals && x.disks[addr] == nil {
		x.disks[addr] = &StateDir{Latency: x.sc.Disk}
	}
	if d := x.disks[addr]; d != nil {
		d.Stop = nil
	}
	r := NewRelay(RelayConfig{Core: cfg, Nodes: dial, Disk: x.disks[addr], Peers: names("net%d:1", 3), Pair: &PairEnd{
		Pair: pair.Config{Member: addr, Peer: other, Priority: first, Timing: timing}, Addr: other, Dials: first, Silence: silence,
		Changed: func(_ core.Instant, role core.ClusterRole, epoch uint64, why core.Reason) {
			x.role[addr], x.epoch[addr] = role, epoch
			x.logf("%s is %s (epoch %d): %s", addr, role, epoch, why)
		},
	}})
	x.relays[addr] = r
	x.down[addr] = false
	x.w.Add(addr, r)
}

func (x *pairWorld) transactions(at []string) {
	pushTo(x.w, x.rng, x.chain, x.sc.Trx, at, x.nodes, func(addr string) bool { return x.down[addr] })
}

// active is the address of the relay that is active with the highest epoch, and of the other one.
func (x *pairWorld) active() (active, standby string) {
	a, b := pairAddrs[0], pairAddrs[1]
	if x.role[b] == core.ClusterActive && (x.role[a] != core.ClusterActive || x.epoch[b] > x.epoch[a]) {
		return b, a
	}
	return a, b
}

func (x *pairWorld) play() {
	cycle := time.Duration(len(x.chain.Producers())) * p2pwire.RoundSlots * p2pwire.SlotDuration
	x.w.Run(2 * cycle) // the schedule is known then
	first := x.chain.NextRound(ourProducer, p2pwire.SlotAt(x.w.Now().Wall)+4)
	begin := time.Duration((first - 1).Time() - x.chain.GenesisTime())
	for _, f := range x.sc.Faults {
		x.w.At(begin+f.After, func() { x.fault(f) })
	}
	rounds := max(x.sc.Rounds, 2)
	x.w.Run(begin - x.w.Now().Mono + time.Duration(rounds-1)*cycle + 8*time.Second)
	last := first + p2pwire.Slot((rounds-1)*len(x.chain.Producers())*p2pwire.RoundSlots) + p2pwire.RoundSlots - 1
	o := x.out
	o.Report = x.check.Report(first, last, nil)
	lost := make([]int, rounds)
	for _, s := range o.Report.Slots {
		if len(x.made[s.Slot]) > 1 {
			o.Siblings++
		}
		if len(s.IDs) == 0 || s.Orphaned {
			round := int(s.Slot-first) / (len(x.chain.Producers()) * p2pwire.RoundSlots)
			o.Lost = append(o.Lost, fmt.Sprintf("%d.%d", round, s.Slot.Index()))
			lost[round]++
		}
	}
	for round, n := range lost {
		begin := begin + time.Duration(round)*cycle
		if may := x.mayLose(begin, begin+(p2pwire.RoundSlots+1)*p2pwire.SlotDuration); n > may {
			o.Unexplained = append(o.Unexplained, fmt.Sprintf("round %d lost %d, its faults explain %d", round, n, may))
		}
	}
}

func (x *pairWorld) cut(a, b string, both bool, heal time.Duration) {
	x.w.Cut(a, b)
	if both {
		x.w.Cut(b, a)
	}
	if heal > 0 {
		x.w.At(x.w.Now().Mono+heal, func() {
			x.w.Heal(a, b)
			x.w.Heal(b, a)
		})
	}
}

func (x *pairWorld) killRelay(addr string, d time.Duration) {
	if x.down[addr] {
		return
	}
	x.hit(addr, "", d, relaunched)
	x.w.Kill(addr)
	x.down[addr], x.role[addr] = true, core.ClusterStandby
	if d > 0 {
		x.w.At(x.w.Now().Mono+d, func() { x.addRelay(addr) })
	}
}

// killAtDisk kills when the disk of the active, or of the standby, is about to have a claim, or has it.
func (x *pairWorld) killAtDisk(f PairFault, active, standby string) {
	at := active
	if f.Kind == StandbyKillUnwritten || f.Kind == StandbyKillWritten {
		at = standby
	}
	d := x.disks[at]
	if d == nil || x.down[at] {
		return
	}
	unwritten := f.Kind == ActiveKillUnwritten || f.Kind == StandbyKillUnwritten || f.Kind == BothKillUnwritten
	d.Stop = func(onDisk bool) bool {
		if onDisk == unwritten {
			return false
		}
		d.Stop = nil
		x.w.At(x.w.Now().Mono, func() {
			x.logf("%s dies at its disk", at)
			x.killRelay(at, f.For)
			if f.Kind == BothKillUnwritten || f.Kind == BothKillWritten {
				x.killRelay(standby, f.For)
			}
		})
		return true
	}
}

func (x *pairWorld) killNode(addr string, d time.Duration) {
	if x.down[addr] {
		return
	}
	x.hit("", addr, d, nodeBack)
	x.w.Kill(addr)
	x.down[addr] = true
	st := x.nodes[addr].Store()
	if d > 0 {
		x.w.At(x.w.Now().Mono+d, func() {
			x.down[addr] = false
			x.addOurs(addr, st)
		})
	}
}

// lead is the node that leads, in race the one whose blocks go out.
func (x *pairWorld) lead() string {
	active, _ := x.active()
	if x.down[active] {
		return "bp0:1"
	}
	if l := x.relays[active].Core().Snapshot(x.relays[active].now).Takeover.Lead; l != "" {
		return l
	}
	return "bp0:1"
}

func (x *pairWorld) fault(f PairFault) {
	active, standby := x.active()
	lead := x.lead()
	x.logf("%s for %s: active %s, lead %s", f.Kind, f.For, active, lead)
	network := append(names("net%d:1", 3), observerAddr)
	ours := names("bp%d:1", x.sc.Nodes)
	if x.votes() {
		ours = append(ours, "fin:1")
	}
	switch f.Kind {
	case ActiveKill:
		x.killRelay(active, f.For)
	case StandbyKill:
		x.killRelay(standby, f.For)
	case BothRestart:
		x.killRelay(active, f.For)
		x.killRelay(standby, f.For)
	case BothKill:
		x.killRelay(active, f.For)
		x.killNode(lead, f.For)
	case ActiveKillUnwritten, ActiveKillWritten, StandbyKillUnwritten, StandbyKillWritten, BothKillUnwritten, BothKillWritten:
		x.killAtDisk(f, active, standby)
	case ActiveTorn, BothTorn:
		if d := x.disks[active]; d != nil {
			d.Torn = x.sc.Torn
		}
		x.killRelay(active, f.For)
		if f.Kind == BothTorn {
			x.killRelay(standby, f.For)
		}
	case TheLeadKill:
		x.killNode(lead, f.For)
	case ActiveHang, StandbyHang:
		addr := active
		if f.Kind == StandbyHang {
			addr = standby
		}
		x.hit(addr, "", f.For, healed)
		x.w.Pause(addr)
		if f.For > 0 {
			x.w.At(x.w.Now().Mono+f.For, func() { x.w.Resume(addr) })
		}
	case ActiveBlind:
		x.hit(active, "", f.For, healed)
		for _, p := range network {
			x.cut(active, p, true, f.For)
		}
	case ActiveNoNodes:
		x.hit(active, "", f.For, healed)
		for _, p := range ours {
			x.cut(active, p, true, f.For)
		}
	case ActiveCutOff:
		x.hit(active, "", f.For, healed)
		for _, p := range append(append(network, ours...), standby) {
			x.cut(active, p, true, f.For)
		}
	case LinkCut:
		x.hit("", "", f.For, healed)
		x.cut(active, standby, true, f.For)
	case LinkOneWay:
		x.hit("", "", f.For, healed)
		x.cut(active, standby, false, f.For)
	case LinkReset:
		x.hit("", "", time.Millisecond, healed)
		x.w.Reset(active, standby)
	case HandOver:
		x.hit("", "", time.Millisecond, healed)
		done := make(chan error, 1)
		x.w.Call(active, func(simnet.Instant) {
			x.relays[active].pair.duo.Handover(false, done)
			x.relays[active].pump()
		})
	}
}
