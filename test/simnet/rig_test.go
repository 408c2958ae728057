package simnet

import (
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// producers is the schedule of the recorded chain.
var producers = []string{"bpalpha", "bpbeta", "bpgamma", "bpdelta"}

// rig is a world of simulated nodes with a log of what each one did.
type rig struct {
	t     *testing.T
	w     *World
	chain *Chain
	nodes map[string]*Node
	cfgs  map[string]Config
	log   map[string][]logEntry
	nonce uint64
}

type logEntry struct {
	at Instant
	Event
}

func newRig(t *testing.T, mode Mode, seed uint64) *rig {
	t.Helper()
	return newRigOn(t, ChainConfig{Mode: mode, Seed: seed, Producers: producers})
}

func newRigOn(t *testing.T, cfg ChainConfig) *rig {
	t.Helper()
	chain := NewChain(cfg)
	r := &rig{t: t, chain: chain, nodes: map[string]*Node{}, cfgs: map[string]Config{}, log: map[string][]logEntry{}}
	r.w = NewWorld(WorldConfig{Seed: cfg.Seed, Start: chain.GenesisTime(), Latency: 300 * time.Microsecond})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", cfg.Seed)
		}
	})
	return r
}

// start adds a node; its name is its address.
func (r *rig) start(cfg Config) *Node {
	r.t.Helper()
	name := cfg.Name
	cfg.Chain, cfg.Seed, cfg.Address = r.chain, r.w.Seed(), name+":9876"
	cfg.Trace = func(now Instant, e Event) { r.log[name] = append(r.log[name], logEntry{r.w.Now(), e}) }
	for i, p := range cfg.Peers {
		if !strings.Contains(p, ":") {
			cfg.Peers = append(append([]string(nil), cfg.Peers[:i]...), append([]string{p + ":9876"}, cfg.Peers[i+1:]...)...)
		}
	}
	n := NewNode(cfg)
	r.nodes[name], r.cfgs[name] = n, cfg
	r.w.Add(cfg.Address, n)
	return n
}

// network starts the public producers, each with its finalizer, in a full mesh.
func (r *rig) network(names ...string) {
	for i, p := range names {
		r.start(Config{
			Name: short(p), Producers: []string{p}, Finalizers: []string{p}, EnableStaleProduction: true,
			Peers: shorts(names[:i]),
		})
	}
}

// short is the node of a public producer: bpbeta's is beta.
func short(producer string) string { return strings.TrimPrefix(producer, "bp") }

func shorts(producers []string) (out []string) {
	for _, p := range producers {
		out = append(out, short(p))
	}
	return out
}

func (r *rig) kill(name string) *State {
	r.w.Kill(name + ":9876")
	return r.nodes[name].Store()
}

// restart starts a killed node again with what it had on disk.
func (r *rig) restart(name string, s *State) *Node {
	cfg := r.cfgs[name]
	cfg.State = s
	return r.start(cfg)
}

// toSlot runs the world to an offset from a slot's timestamp.
func (r *rig) toSlot(s p2pwire.Slot, offset time.Duration) { r.w.RunToWall(s.Time() + int64(offset)) }

func (r *rig) slotNow() p2pwire.Slot { return p2pwire.SlotAt(r.w.Now().Wall) }

// round is the next round of producer that begins at least a second from now.
func (r *rig) round(producer string) p2pwire.Slot { return r.chain.NextRound(producer, r.slotNow()+2) }

// load pushes a transaction every interval at the node, from now on.
func (r *rig) load(name string, every, until time.Duration) {
	var push func()
	push = func() {
		r.nonce++
		frame, _ := r.chain.Transaction(r.nonce, uint32(r.w.Now().Wall/1e9)+60)
		r.w.Call(name+":9876", func(now Instant) { r.nodes[name].PushTransaction(now, frame) })
		if r.w.Now().Mono < until {
			r.w.At(r.w.Now().Mono+every, push)
		}
	}
	push()
}

// produced returns the ids a node produced for a slot, in order.
func (r *rig) produced(name string, slot p2pwire.Slot) (out []logEntry) {
	for _, e := range r.log[name] {
		if e.Kind == EventProduced && e.Slot == slot {
			out = append(out, e)
		}
	}
	return out
}

// onChain returns the slots from first on, n of them, that have a block on the
// applied chain of a node.
func (r *rig) onChain(name string, first p2pwire.Slot, n int) (have, missed []int) {
	slots := map[p2pwire.Slot]bool{}
	node := r.nodes[name]
	for b := node.head; b != nil; b = b.parent {
		slots[b.slot] = true
	}
	for _, l := range node.log[1:] {
		view, err := p2pwire.ParseBlock(p2pwire.Frame(l.frame).Body())
		if err != nil {
			r.t.Fatal(err)
		}
		slots[view.Slot] = true
	}
	for i := range n {
		if slots[first+p2pwire.Slot(i)] {
			have = append(have, i)
		} else {
			missed = append(missed, i)
		}
	}
	return have, missed
}

// events returns a node's events of a kind at or after a Mono time.
func (r *rig) events(name string, kind EventKind, after time.Duration) (out []logEntry) {
	for _, e := range r.log[name] {
		if e.Kind == kind && e.at.Mono >= after {
			out = append(out, e)
		}
	}
	return out
}
