package quorum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// lan is the timing of most tests.
func lan(t testing.TB) Timing {
	t.Helper()
	timing, err := TimingOf("lan")
	if err != nil {
		t.Fatal(err)
	}
	return timing
}

// public is what the network was shown, and what the relays were told: the checker.
type public struct {
	t     testing.TB
	start time.Time

	mu      sync.Mutex
	shown   map[Claim]map[string]bool // by whom
	adopted map[p2pwire.Slot]p2pwire.ID
	slots   map[p2pwire.Slot]p2pwire.ID
	first   map[p2pwire.Slot]time.Time
	twice   []string
}

func newPublic(t testing.TB) *public {
	return &public{
		t: t, start: time.Now(), shown: map[Claim]map[string]bool{}, adopted: map[p2pwire.Slot]p2pwire.ID{},
		slots: map[p2pwire.Slot]p2pwire.ID{}, first: map[p2pwire.Slot]time.Time{},
	}
}

// show is a block that a relay lets out.
func (p *public) show(by string, cl Claim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if had, ok := p.slots[cl.Slot]; ok && had != cl.ID {
		p.twice = append(p.twice, fmt.Sprintf("slot %d: %s shows %s, and %s was shown before", cl.Slot, by, cl.ID.Short(), had.Short()))
	} else if !ok {
		p.slots[cl.Slot], p.first[cl.Slot] = cl.ID, time.Now()
	}
	if p.shown[cl] == nil {
		p.shown[cl] = map[string]bool{}
	}
	p.shown[cl][by] = true
}

// adopt is what a relay was told.
func (p *public) adopt(by string, cl Claim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if had, ok := p.adopted[cl.Slot]; ok && had != cl.ID {
		p.twice = append(p.twice, fmt.Sprintf("slot %d: %s adopts %s, and %s was adopted before", cl.Slot, by, cl.ID.Short(), had.Short()))
	}
	p.adopted[cl.Slot] = cl.ID
}

func (p *public) has(slot p2pwire.Slot) (p2pwire.ID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.slots[slot]
	return id, ok
}

func (p *public) by(cl Claim) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shown[cl])
}

// check fails the test if a slot had two blocks.
func (p *public) check() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.twice {
		p.t.Error(s)
	}
}

// relayRig is a relay around a driver: what it does with verdicts is what the core does, in short.
type relayRig struct {
	name  string
	d     *Driver
	pub   *public
	start time.Time

	mu     sync.Mutex
	frozen bool
	role   Role
	epoch  uint64
	blocks map[p2pwire.ID][]byte
	queue  []Claim // candidates without a verdict
	retry  map[Claim]time.Time
	open   *Claim // pending
	mine   map[p2pwire.Slot]p2pwire.ID
	leads  []string
	roles  []string
	health Health
	denied int
	linked bool
	why    Cause

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

func newRelayRig(name string, pub *public) *relayRig {
	r := &relayRig{
		name: name, d: NewDriver(), pub: pub, start: time.Now(), role: Standby,
		blocks: map[p2pwire.ID][]byte{}, retry: map[Claim]time.Time{}, mine: map[p2pwire.Slot]p2pwire.ID{},
		health: Health{Network: 3, Nodes: 2, UntilRun: time.Hour},
		wake:   make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	return r
}

func (r *relayRig) now() Instant {
	return Instant{Mono: time.Since(r.start), Wall: time.Now().UnixNano()}
}

// run is the relay's loop.
func (r *relayRig) run() {
	defer close(r.done)
	r.d.Attach(func() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	})
	for {
		r.mu.Lock()
		next := 10 * time.Millisecond
		if !r.frozen {
			r.ask()
			at := r.d.Pump(r.now(), (*rigHost)(r))
			next = max(min(at-r.now().Mono, 50*time.Millisecond), time.Millisecond)
		}
		r.mu.Unlock()
		select {
		case <-r.wake:
		case <-time.After(next):
		case <-r.stop:
			return
		}
	}
}

// ask claims what is there, the earliest slot first.
func (r *relayRig) ask() {
	if r.role != Active || r.open != nil {
		return
	}
	for i, cl := range r.queue {
		if time.Now().Before(r.retry[cl]) {
			continue
		}
		if had, ok := r.mine[cl.Slot]; ok && had != cl.ID {
			r.denied++
			r.queue = slices.Delete(r.queue, i, i+1)
			return
		}
		v := r.d.Claim(r.now(), cl)
		if v == Pending {
			r.open = &cl
			return
		}
		r.settle(cl, v)
		return
	}
}

func (r *relayRig) settle(cl Claim, v Verdict) {
	switch v {
	case Approved:
		r.forget(cl)
		r.show(cl)
	case Denied:
		r.denied++
		r.forget(cl)
	default:
		r.retry[cl] = time.Now().Add(250 * time.Millisecond)
	}
}

func (r *relayRig) forget(cl Claim) {
	r.queue = slices.DeleteFunc(r.queue, func(x Claim) bool { return x == cl })
}

func (r *relayRig) show(cl Claim) {
	r.mine[cl.Slot] = cl.ID
	if r.blocks[cl.ID] != nil {
		r.pub.show(r.name, cl)
	}
}

// candidate brings a block from a node.
func (r *relayRig) candidate(cl Claim, frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks[cl.ID] = frame
	r.d.Holds(r.now(), cl)
	if r.mine[cl.Slot] == cl.ID {
		r.pub.show(r.name, cl)
	}
	r.queue = append(r.queue, cl)
	slices.SortStableFunc(r.queue, func(a, b Claim) int { return int(a.Slot) - int(b.Slot) })
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *relayRig) with(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

func (r *relayRig) is() (role Role, epoch uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.role, r.epoch
}

func (r *relayRig) linkedNow() (up bool) {
	r.with(func() { up = r.linked })
	return up
}

func (r *relayRig) causeNow() (why Cause) {
	r.with(func() { why = r.why })
	return why
}

// rigHost is what the driver sees of it, with r.mu held.
type rigHost relayRig

func (h *rigHost) SetRole(_ Instant, role Role, epoch uint64, why Cause) {
	if h.why = why; role == h.role && (epoch == h.epoch || role == Standby) {
		return
	}
	h.role, h.epoch = role, epoch
	h.roles = append(h.roles, fmt.Sprintf("%s %d", role, epoch))
	h.why = why
	if role == Active {
		clear(h.retry)
		h.d.LeadChanged((*relayRig)(h).now(), []byte(fmt.Sprintf("lead of %s in %d", h.name, epoch)))
	}
}

func (h *rigHost) Linked(_ Instant, up bool) { h.linked = up }

func (h *rigHost) Adopt(_ Instant, cl Claim) (bool, error) {
	h.pub.adopt(h.name, cl)
	r := (*relayRig)(h)
	if had, ok := r.mine[cl.Slot]; ok && had != cl.ID {
		return false, fmt.Errorf("slot %d is %s here, not %s", cl.Slot, had.Short(), cl.ID.Short())
	}
	r.forget(cl)
	r.show(cl)
	return r.blocks[cl.ID] != nil, nil
}

func (h *rigHost) AdoptBlock(_ Instant, cl Claim, frame []byte) error {
	if len(frame) == 0 {
		return errors.New("no frame")
	}
	h.blocks[cl.ID] = bytes.Clone(frame)
	(*relayRig)(h).show(cl)
	return nil
}

func (h *rigHost) ApplyLead(_ Instant, state []byte) error {
	h.leads = append(h.leads, string(state))
	return nil
}

func (h *rigHost) ClaimDecided(_ Instant, cl Claim, v Verdict) {
	r := (*relayRig)(h)
	if r.open != nil && *r.open == cl {
		r.open = nil
		r.settle(cl, v)
	}
	r.ask() // from within, as the core does
}

func (h *rigHost) BlockBytes(id p2pwire.ID) []byte { return h.blocks[id] }

func (h *rigHost) Health(Instant, time.Duration) (network, nodes int, inRun bool, untilRun time.Duration) {
	return h.health.Network, h.health.Nodes, h.health.InRun, h.health.UntilRun
}

// rig is a cluster.
type rig struct {
	t       testing.TB
	mesh    *mesh
	pub     *public
	timing  Timing
	members []Member
	disks   map[string]*disk
	nodes   map[string]*Node
	relays  map[string]*relayRig
	alter   func(*Options)
}

// members3 are two relays and a witness.
var members3 = []Member{{Name: "a", Address: "a:1"}, {Name: "b", Address: "b:1"}, {Name: "w", Address: "w:1", Witness: true}}

func newRig(t testing.TB, members []Member) *rig {
	r := &rig{
		t: t, mesh: newMesh(), pub: newPublic(t), timing: lan(t), members: members,
		disks: map[string]*disk{}, nodes: map[string]*Node{}, relays: map[string]*relayRig{},
	}
	for _, m := range members {
		r.disks[m.Name] = newDisk()
	}
	return r
}

func testLog() *slog.Logger {
	if os.Getenv("QUORUM_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// up starts a member's process, on the disk it has.
func (r *rig) up(name string) {
	r.t.Helper()
	d := r.disks[name]
	lock, err := os.Open(os.DevNull)
	if err != nil {
		r.t.Fatal(err)
	}
	o := Options{
		Name: name, Members: r.members, Timing: r.timing, Logger: testLog(),
		net: r.mesh.port(name), home: &home{birth: d.birth, lock: lock},
		open: func(hclog.Logger) (store, raft.SnapshotStore, error) { return d, d.snaps, nil },
	}
	if r.alter != nil {
		r.alter(&o)
	}
	var driver *Driver
	for _, m := range r.members {
		if m.Name == name && !m.Witness {
			rr := newRelayRig(name, r.pub)
			r.relays[name], driver = rr, rr.d
		}
	}
	n, err := Start(o, driver)
	if err != nil {
		r.t.Fatal(err)
	}
	r.nodes[name] = n
	if rr := r.relays[name]; driver != nil {
		go rr.run()
	}
}

// down ends a member's process as a crash would: nobody is told.
func (r *rig) down(name string) {
	r.mesh.isolate(name, true)
	r.end(name)
	r.mesh.isolate(name, false)
}

func (r *rig) end(name string) {
	r.t.Helper()
	n := r.nodes[name]
	if n == nil {
		return
	}
	if rr := r.relays[name]; rr != nil {
		close(rr.stop)
		<-rr.done
		delete(r.relays, name)
	}
	n.cancel()
	<-n.done
	delete(r.nodes, name)
}

func (r *rig) start() {
	r.t.Helper()
	for _, m := range r.members {
		r.mesh.port(m.Name)
	}
	for _, m := range r.members {
		r.up(m.Name)
	}
}

func (r *rig) finish() {
	r.t.Helper()
	for _, d := range r.disks {
		d.mend()
	}
	for name := range r.nodes {
		r.end(name)
	}
	r.pub.check()
}

// until waits for something, with a limit.
func (r *rig) until(what string, limit time.Duration, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			r.t.Fatalf("after %s: not %s", limit, what)
		}
		sleep(time.Millisecond)
	}
}

// active is the relay that is, as far as it knows; "" if none or several are.
func (r *rig) active() string {
	found := ""
	for name, rr := range r.relays {
		if role, _ := rr.is(); role == Active {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

func (r *rig) awaitActive() string {
	r.t.Helper()
	r.until("somebody active", 5*time.Second, func() bool { return r.active() != "" })
	return r.active()
}

// other is the relay that is not that one.
func (r *rig) other(name string) string {
	for o := range r.relays {
		if o != name {
			return o
		}
	}
	return ""
}

// leader is who leads in raft.
func (r *rig) leader() string {
	for name, n := range r.nodes {
		if in := n.instance(); in != nil && in.leads() {
			return name
		}
	}
	return ""
}

// make makes a relay active.
func (r *rig) make(name string) {
	r.t.Helper()
	if r.awaitActive() == name {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.nodes[r.awaitActive()].Handover(ctx, name, true); err != nil {
		r.t.Fatal(err)
	}
	r.until(name+" active", 2*time.Second, func() bool { return r.active() == name })
}

// agree waits until all members have the same state.
func (r *rig) agree() {
	r.t.Helper()
	r.until("the same state everywhere", 10*time.Second, func() bool {
		var first []byte
		for _, n := range r.nodes {
			in := n.instance()
			if in == nil {
				return false
			}
			in.machine.mu.Lock()
			s := in.machine.state.encode()
			in.machine.mu.Unlock()
			if first == nil {
				first = s
			}
			if !bytes.Equal(first, s) {
				return false
			}
		}
		return true
	})
}

// sleep lets time pass.
func sleep(d time.Duration) {
	time.Sleep(d) // virtual time: but for the tests over loopback, which wait for real sockets and disks
}

// slotNow is a slot around the time of the test; virtual time begins in slot 0, which is never free.
func slotNow() p2pwire.Slot { return p2pwire.SlotAt(time.Now().UnixNano()) + 100 }

// bubble runs a test in virtual time.
func bubble(t *testing.T, members []Member, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, members)
		defer r.finish()
		r.start()
		f(r)
	})
}
