package core_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// world is what a scenario script plays in: one relay core under virtual time, and the names by which
// the script knows blocks, votes, peers and nodes.
type world struct {
	*testing.T
	at      string // file and line of the command
	savanna bool
	skew    int64 // the relay's clock minus everybody else's
	r       *rig
	config  func(*core.Config)
	claims  *scriptedClaims

	ours     map[string]bool // producers
	peers    map[string]*peer
	nodeIDs  map[string]p2pwire.ID
	blocks   map[string]blk
	names    map[p2pwire.ID]string
	payloads map[string]string // frame -> name
	keys     map[string]byte   // finalizers
	offset   map[string]time.Duration
	took     map[string]map[p2pwire.ID]bool // blocks that a node has
	fatal    map[string]bool                // payloads over which a node closes its link
	away     map[string]time.Duration       // nodes that did, and when they are back
	stand    map[string][2]blk              // root and head by the last handshake
	shakes   bool                           // handshakes are shown

	lines   []line
	events  int // of the rig's that were shown
	dropped core.ByReason
	shown   map[ownSlot]string // what the network was shown per own slot
	voted   map[string]p2pwire.Slot
}

type ownSlot struct {
	producer p2pwire.Name
	slot     p2pwire.Slot
}

type line struct {
	wall int64
	text string
}

func newWorld(t *testing.T, mode string) *world {
	w := &world{
		T: t, savanna: mode == modeSavanna,
		ours: map[string]bool{}, peers: map[string]*peer{}, nodeIDs: map[string]p2pwire.ID{}, blocks: map[string]blk{},
		names: map[p2pwire.ID]string{}, payloads: map[string]string{},
		keys: map[string]byte{}, offset: map[string]time.Duration{},
		took: map[string]map[p2pwire.ID]bool{}, fatal: map[string]bool{}, away: map[string]time.Duration{}, stand: map[string][2]blk{},
		shown: map[ownSlot]string{}, voted: map[string]p2pwire.Slot{},
	}
	w.remember("ancient", genesis(10))
	w.remember("genesis", genesis(100))
	w.remember("root", w.make("root", w.block("genesis"), base-40, "bpbeta", nil))
	w.remember("prior", w.make("prior", w.block("root"), base-39, "bpbeta", nil))
	return w
}

func (w *world) fatalf(format string, args ...any) {
	w.Helper()
	w.Fatalf("%s: "+format, append([]any{w.at}, args...)...)
}

// relay starts a core, d before slot 0.
func (w *world) relay(d time.Duration, change func(*core.Config)) {
	w.config = change
	w.r = newRig(w.T, d, change)
}

// restart replaces the core by a new process of the same configuration; all connections are lost, and
// so is what it knew.
func (w *world) restart() {
	for _, p := range w.r.order {
		p.gone = true
	}
	w.r = newRig(w.T, time.Duration(base.Time()-w.r.now.Wall), w.config)
	w.events, w.dropped = 0, core.ByReason{}
	clear(w.away)
	clear(w.voted)
}

// live is the session of a peer or node that is connected.
func (w *world) live(name string) *peer {
	w.Helper()
	p := w.peers[name]
	if p == nil || p.gone {
		w.fatalf("%s is not connected", name)
	}
	return p
}

func (w *world) block(name string) blk {
	w.Helper()
	b, ok := w.blocks[name]
	if !ok {
		w.fatalf("no block %q", name)
	}
	return b
}

func (w *world) remember(name string, b blk) {
	if _, ok := w.blocks[name]; ok {
		w.fatalf("a second block %q", name)
	}
	w.blocks[name] = b
	if _, ok := w.names[b.id]; !ok {
		w.names[b.id] = name
	}
	if b.frame != nil {
		w.payloads[string(b.frame)] = name
	}
}

// nameOf is the script's name of a block id.
func (w *world) nameOf(id p2pwire.ID) string {
	if n, ok := w.names[id]; ok {
		return n
	}
	if id.IsZero() {
		return "nothing"
	}
	w.fatalf("the relay speaks of a block %s that the script does not know", id.Short())
	return ""
}

// make builds a block; what is not set in change is an empty block with a certificate for its parent.
func (w *world) make(name string, on blk, slot p2pwire.Slot, by string, change func(*p2pwire.BlockBuilder)) blk {
	producer, err := p2pwire.ParseName(by)
	if err != nil {
		w.fatalf("producer %q: %v", by, err)
	}
	return makeBlock(on, slot, producer, func(b *p2pwire.BlockBuilder) {
		copy(b.ActionMRoot[:], name)
		b.Signer = p2pwire.K1PrivateFromSeed(by)
		if w.savanna {
			savanna(on.id.Num())(b)
		}
		if change != nil {
			change(b)
		}
	})
}

// run lets time pass, step by step, so that what happens is shown with its time.
func (w *world) run(d time.Duration) {
	for end := w.r.now.Mono + d; ; {
		next := min(max(w.r.c.NextTimer(), w.r.now.Mono), end)
		for _, at := range w.away {
			next = min(next, at)
		}
		w.r.run(next - w.r.now.Mono)
		w.collect()
		w.comeBack()
		if next >= end {
			return
		}
	}
}

// now is the time by everybody's clock but the relay's.
func (w *world) now() int64 { return w.r.now.Wall - w.skew }

// until runs to d after a slot's timestamp.
func (w *world) until(slot p2pwire.Slot, d time.Duration) {
	if wait := time.Duration(slot.Time()+int64(d)) - time.Duration(w.now()); wait > 0 {
		w.run(wait)
	}
}

// open connects a peer or a node.
func (w *world) open(side core.Side, name string, priority int, accepted bool) *peer {
	info := core.SessionInfo{Side: side, Name: name, Dialled: !accepted, Priority: priority, Remote: fmt.Sprintf("%s:9876", name)}
	if accepted {
		info.Name = ""
	}
	id, err := w.r.c.Open(w.r.now, info)
	if err != nil {
		w.say("%s is turned away: %v", name, err)
		return nil
	}
	if _, ok := w.nodeIDs[name]; !ok {
		w.newProcess(name)
	}
	p := &peer{r: w.r, id: id, side: side, name: name, nodeID: w.nodeIDs[name]}
	w.r.peers[id] = p
	w.r.order = append(w.r.order, p)
	w.peers[name] = p
	w.r.pump()
	return p
}

// greet sends a handshake.
func (w *world) greet(p *peer, root, head blk) {
	w.stand[p.name] = [2]blk{root, head}
	p.handshake(root, head)
}

// closeOver lets a node close its link over a bad message, and come back a moment later.
func (w *world) closeOver(p *peer, what string) {
	w.say("%s closes its link over %s", p.name, what)
	p.drop()
	w.away[p.name] = w.r.now.Mono + 20*time.Millisecond
}

// comeBack connects the nodes again that closed their links.
func (w *world) comeBack() {
	for _, p := range slices.Clone(w.r.order) {
		if at, ok := w.away[p.name]; ok && at <= w.r.now.Mono {
			delete(w.away, p.name)
			w.say("%s is back", p.name)
			w.greet(w.open(core.Internal, p.name, 0, false), w.stand[p.name][0], w.stand[p.name][1])
			w.collect()
		}
	}
}

func (w *world) newProcess(name string) {
	w.took[name] = map[p2pwire.ID]bool{}
	w.nodeIDs[name] = p2pwire.ID{0xaa, byte(len(w.nodeIDs)), w.nodeIDs[name][2] + 1}
}

// args are the words of one command.
type args struct {
	w     *world
	name  string
	words []string
	opts  map[string]string
}

func parseArgs(w *world, text string) *args {
	a := &args{w: w, opts: map[string]string{}}
	for i, word := range strings.Fields(text) {
		key, value, isOpt := strings.Cut(word, "=")
		switch {
		case i == 0:
			a.name = word
		case isOpt:
			a.opts[key] = value
		default:
			a.words = append(a.words, word)
		}
	}
	return a
}

// next takes the next word, "" if there is none.
func (a *args) next() string {
	if len(a.words) == 0 {
		return ""
	}
	word := a.words[0]
	a.words = a.words[1:]
	return word
}

// need takes a word that must be there.
func (a *args) need(what string) string {
	a.w.Helper()
	word := a.next()
	if word == "" {
		a.w.fatalf("%s: no %s given", a.name, what)
	}
	return word
}

// flag takes a word if it is there.
func (a *args) flag(word string) bool {
	i := slices.Index(a.words, word)
	if i >= 0 {
		a.words = slices.Delete(a.words, i, i+1)
	}
	return i >= 0
}

// opt takes key=value, def if it is not there.
func (a *args) opt(key, def string) string {
	v, ok := a.opts[key]
	if !ok {
		return def
	}
	delete(a.opts, key)
	return v
}

// list takes key=a,b,c.
func (a *args) list(key string) []string {
	v := a.opt(key, "")
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}

func (a *args) duration(text string) time.Duration {
	a.w.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		a.w.fatalf("%s: %v", a.name, err)
	}
	return d
}

func (a *args) slot(text string) p2pwire.Slot {
	a.w.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		a.w.fatalf("%s: slot: %v", a.name, err)
	}
	return base + p2pwire.Slot(int32(n))
}

// unused makes a misspelt word an error.
func (a *args) unused() {
	a.w.Helper()
	if len(a.words) > 0 || len(a.opts) > 0 {
		a.w.fatalf("%s: what is %v %v?", a.name, a.words, a.opts)
	}
}

// scriptedClaims decides claims as the script says.
type scriptedClaims struct {
	verdict  core.Verdict
	asked    []core.Claim
	approved []core.Claim
}

func (s *scriptedClaims) note(cl core.Claim, v core.Verdict) {
	if v == core.Approved {
		s.approved = append(s.approved, cl)
	}
}

func (s *scriptedClaims) Claim(_ core.Instant, cl core.Claim) core.Verdict {
	s.asked = append(s.asked, cl)
	s.note(cl, s.verdict)
	return s.verdict
}
