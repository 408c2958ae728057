package quorum

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Role is what a relay is at the moment.
type Role uint8

// The roles of a relay; a witness is always a standby.
const (
	Standby Role = iota + 1
	Active
)

// Cause is why a relay has its role.
type Cause uint8

// The causes.
const (
	// ByMajority: the majority says so.
	ByMajority Cause = iota + 1
	// NoMajority: this member hears none.
	NoMajority
	// SteppedAside: this member takes no part.
	SteppedAside
)

// String is the role's name in logs.
func (r Role) String() string {
	if r == Active {
		return "active"
	}
	return "standby"
}

// Options say who a member is.
type Options struct {
	// Name is this member's, Members are all as they are configured, this one included, in order of
	// preference; the first one founds the cluster.
	Name    string
	Members []Member
	// Dir is the member's own directory, made with mode 0700 if it is missing.
	Dir    string
	Timing Timing
	// Failback: a relay that comes first in Members becomes active again when it is back and well, outside our
	// runs. Without it the role stays where it is.
	Failback bool
	// Listener takes the other members' connections. The member closes it.
	Listener net.Listener
	// Identity authenticates members; nil: whoever connects is believed to be who it says it is (tests).
	Identity Identity
	// Logger takes what an operator should know; nil takes slog.Default.
	Logger *slog.Logger

	net  network                                               // instead of Listener and Identity
	open func(hclog.Logger) (store, raft.SnapshotStore, error) // instead of what is in Dir
	home *home                                                 // instead of Dir
}

// network is how members reach each other.
type network interface {
	// carrier makes what one instance of raft talks through, until the func is called. What is meant for
	// another address than self does not get there.
	carrier(self raft.ServerAddress, log hclog.Logger) (carrier, func(), error)
	// call asks a member and returns its answer.
	call(ctx context.Context, to string, question []byte) ([]byte, error)
	// serve answers the questions of others from now on; nil is no answer.
	serve(handle func(ctx context.Context, from string, question []byte) []byte)
	close() error
}

// relay is what a member's relay is told; its methods must not block.
type relay interface {
	listener
	// is: the relay's role changed; the epoch is that of the reign known last. That comes with everything committed before having been told.
	is(r Role, epoch uint64, why Cause)
	// linked: the active relay is heard of now, or no more; to the active, whether any other relay is.
	linked(up bool)
	// held: another relay has a block's bytes.
	held(by string, id [32]byte)
	// frame is a block's frame, nil if it is not here.
	frame(ctx context.Context, id [32]byte) []byte
	// moving: the relay's loop goes on.
	moving(now time.Time) bool
}

// Node is a member of a quorum. Its methods may be called from any goroutine.
type Node struct {
	o     Options
	me    Member
	log   *slog.Logger
	home  *home
	net   network
	relay relay // nilRelay for a witness, or until one is attached

	ctx    context.Context // ends with the node
	cancel context.CancelFunc
	done   chan struct{}
	kick   chan struct{}
	tasks  sync.WaitGroup
	err    error // of the end

	mu      sync.Mutex
	in      *instance // nil: stepped aside
	alarm   string    // why it stepped aside; empty: it has not
	since   time.Time // when
	role    Role
	epoch   uint64
	why     Cause
	health  Health
	reports map[string]report
	waiting map[string]newcomer // members with another directory than the one raft knows, by name
	urgent  bool                // health has to be told at once
	closed  bool                // no new tasks

	// The rest belongs to the goroutine that runs run.
	rules    rules
	leading  uint64    // the term this member leads in, 0: none
	busy     bool      // leadership is being handed on, or a reign proposed, in the background
	free     chan bool // the background work ended
	told     time.Time // when health was told last
	asked    time.Time // when the others were asked for a cluster last
	avoid    string    // whom leadership was not taken by last
	handNext time.Time // a witness's next try to hand on
	hears    bool      // the relay was told that the active is heard of
}

// errStopped means that the member ends.
var errStopped = errors.New("the member stops")

// Start begins to take part. r is the relay's driver; nil for a witness. The error names what of the
// options cannot be, or is ErrLocked, or the system's.
func Start(o Options, d *Driver) (*Node, error) {
	if err := checkMembers(o.Name, o.Members); err != nil {
		return nil, err
	}
	if err := o.Timing.check(); err != nil {
		return nil, err
	}
	me := o.Members[slices.IndexFunc(o.Members, func(m Member) bool { return m.Name == o.Name })]
	if me.Witness != (d == nil) {
		return nil, fmt.Errorf("member %s: a relay has a driver, and a witness has none", o.Name)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := o.home
	if h == nil {
		var err error
		if h, err = openHome(o.Dir, o.Name); err != nil {
			return nil, err
		}
	}
	if o.open == nil {
		o.open = h.open
	}
	n := &Node{
		o: o, me: me, log: o.Logger.With("member", o.Name), home: h, relay: nilRelay{},
		done: make(chan struct{}), kick: make(chan struct{}, 1), free: make(chan bool, 1),
		role: Standby, reports: map[string]report{}, waiting: map[string]newcomer{},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if n.net = o.net; n.net == nil {
		n.net = newStreams(o.Name, n.address, o.Listener, o.Identity, o.Timing, n.log)
	}
	if d != nil {
		n.relay = d
		d.join(n)
	}
	n.net.serve(n.answer)
	go n.run()
	return n, nil
}

// Close hands leadership on if this member has it, ends, and gives the directory back. ctx bounds the
// waiting: a disk that hangs keeps the lock until it answers.
func (n *Node) Close(ctx context.Context) error {
	if in := n.instance(); in != nil && in.leads() {
		if err := n.handOn(ctx, in, "", WhyShutdown); err != nil {
			n.log.Warn("leadership was not handed on before the end", "error", err)
		}
	}
	n.cancel()
	select {
	case <-n.done:
		return n.err
	case <-ctx.Done():
		return fmt.Errorf("end member: %w", ctx.Err())
	}
}

// address is where a member listens.
func (n *Node) address(name string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.o.Members {
		if m.Name == name {
			return m.Address, true
		}
	}
	return "", false
}

// SetMembers takes a new list of who is configured, where this member has to be as it was. Who is not in it
// is not talked to; who votes is changed by Add and Remove.
func (n *Node) SetMembers(list []Member) error {
	if err := checkMembers(n.o.Name, list); err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(m Member) bool { return m.Name == n.me.Name && m.Witness == n.me.Witness }) {
		return fmt.Errorf("member %s cannot become another kind of member while it runs", n.me.Name)
	}
	n.mu.Lock()
	n.o.Members = slices.Clone(list)
	n.mu.Unlock()
	return nil
}

func (n *Node) instance() *instance {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.in
}

// names are the other members as configured; relays tells to leave out witnesses.
func (n *Node) names(relays bool) (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.o.Members {
		if m.Name != n.o.Name && !(relays && m.Witness) {
			list = append(list, m.Name)
		}
	}
	return list
}

// spawn does something beside, unless the member is ending. What it does ends with n.ctx.
func (n *Node) spawn(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.tasks.Go(do)
	}
}

// wake makes the member look at where it stands.
func (n *Node) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// run is the goroutine that keeps an instance going.
func (n *Node) run() {
	defer close(n.done)
	const longest = 5 * time.Second // until the disk is tried again
	wait := n.o.Timing.hang()
	var promised promise
	for n.ctx.Err() == nil {
		id := serverID(n.o.Name, n.home.birth)
		log := newRaftLog(n.log)
		patient, polite := n.manners()
		in, err := begin(birthSettings{
			ctx: n.ctx, id: id, timing: n.o.Timing, log: log, to: told{n}, open: n.o.open, promised: promised,
			patient: patient, polite: polite,
			snapshotFailed: func(err error) { n.log.Error("a snapshot was not written: the log grows until one is", "error", err) },
			carry:          func() (carrier, func(), error) { return n.net.carrier(addressOf(id), log) },
		})
		if err == nil {
			n.mu.Lock()
			n.in = in
			n.mu.Unlock()
			n.back()
			began := time.Now()
			err = n.live(in)
			n.setRole(Standby, in.machine.reign().Epoch, SteppedAside)
			n.hears = false
			n.relay.linked(false)
			if err != nil {
				n.aside(err.Error())
			}
			n.mu.Lock()
			n.in = nil
			n.mu.Unlock()
			if e := in.stop(); e != nil && err == nil {
				n.err = fmt.Errorf("end member: %w", e)
			}
			promised = in.guard.promised()
			if time.Since(began) > longest {
				wait = n.o.Timing.hang()
			}
		} else {
			n.aside(err.Error())
		}
		if n.ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(wait):
		case <-n.ctx.Done():
		}
		wait = min(2*wait, longest)
	}
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.tasks.Wait()
	n.err = errors.Join(n.err, n.net.close(), n.home.close())
}

// manners are how long this member waits before it asks for an election, and then with it: as long as its
// place says, relays in the order of the configuration, then witnesses.
func (n *Node) manners() (patient, polite time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	order := slices.Clone(n.o.Members)
	slices.SortStableFunc(order, func(a, b Member) int {
		switch {
		case a.Witness == b.Witness:
			return 0
		case a.Witness:
			return 1
		}
		return -1
	})
	place := slices.IndexFunc(order, func(m Member) bool { return m.Name == n.o.Name })
	polite = time.Duration(min(place, 8)) * n.o.Timing.Heartbeat * 3 / 8 // 1.5 x RTT_MAX
	if n.me.Witness {
		patient = 2 * n.o.Timing.Heartbeat
	}
	return patient, polite
}

// aside says that this member takes no part for now.
func (n *Node) aside(why string) {
	n.setRole(Standby, n.reignEpoch(), SteppedAside)
	n.mu.Lock()
	again := n.alarm == why
	if n.alarm == "" {
		n.since = time.Now()
	}
	n.alarm = why
	n.mu.Unlock()
	if !again {
		n.log.Error("this member steps aside: it leads nobody, votes for nobody and claims nothing until this is over", "reason", why)
	}
}

// back says that it takes part again.
func (n *Node) back() {
	n.mu.Lock()
	was, since := n.alarm, n.since
	n.alarm = ""
	n.mu.Unlock()
	if was != "" {
		n.log.Info("this member takes part again", "after", time.Since(since).Round(time.Millisecond), "was", was)
	}
}

// live looks after an instance until its first fault, or the end (nil).
func (n *Node) live(in *instance) error {
	tick := time.NewTicker(n.o.Timing.step())
	defer tick.Stop()
	n.leading, n.busy = 0, false
	defer func() {
		in.cancel()
		if n.busy {
			<-n.free
		}
	}()
	for {
		n.look(in)
		select {
		case <-tick.C:
		case <-in.notify:
		case <-n.kick:
		case <-n.free:
			n.busy = false
		case err := <-in.faults:
			return err
		case <-n.ctx.Done():
			return nil
		}
	}
}

// background does what may take a while; one at a time.
func (n *Node) background(do func()) {
	n.busy = true
	go func() {
		do()
		n.free <- true
	}()
}

// look does what the present state asks for.
func (n *Node) look(in *instance) {
	now := time.Now()
	if h := in.guard.hanging(now); h > n.o.Timing.hang() {
		if !in.gate.shut.Swap(true) {
			n.aside("the disk does not answer")
		}
	} else if in.gate.shut.Load() && !in.failed.Load() {
		in.gate.shut.Store(false)
		n.back()
	}
	n.observe(in, now)
	if !in.leads() {
		n.leading = 0
	} else if term := in.raft.CurrentTerm(); n.leading != term {
		n.leading = term
		n.rules.elected(now)
		n.log.Info("this member leads", "term", term)
	}
	n.setRole(n.standing(in))
	if up := n.hearsActive(in, now); up != n.hears {
		n.hears = up
		n.relay.linked(up)
	}
	n.tellHealth(now)
	if n.leading != 0 && !n.busy {
		n.lead(in, now)
	}
	if in.empty() {
		n.seek(in, now)
	}
	in.compact()
}

// observe keeps up what this member knows of its own relay.
func (n *Node) observe(in *instance, now time.Time) {
	moving := n.relay.moving(now)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.health.Stuck = !moving
	n.health.Disk = in.guard.average()
}

// standing is the role that follows from what this member knows. That of an active is over as soon as it
// does not know any more that it still leads, or that who leads still hears it.
func (n *Node) standing(in *instance) (Role, uint64, Cause) {
	r := in.machine.reign()
	_, leader := in.raft.LeaderWithID()
	switch {
	case in.gate.shut.Load():
		return Standby, r.Epoch, SteppedAside
	case leader == "":
		return Standby, r.Epoch, NoMajority
	case n.me.Witness || r.Member != n.me.Name || r.Term != in.raft.CurrentTerm():
		return Standby, r.Epoch, ByMajority
	}
	switch in.raft.State() {
	case raft.Leader:
		return Active, r.Epoch, ByMajority
	case raft.Follower:
		// A witness leads and could not hand it on: it appointed this relay.
		if time.Since(in.raft.LastContact()) <= n.o.Timing.Heartbeat {
			return Active, r.Epoch, ByMajority
		}
	}
	return Standby, r.Epoch, NoMajority
}

// reignEpoch is the epoch of the reign known last.
func (n *Node) reignEpoch() uint64 {
	if in := n.instance(); in != nil {
		return in.machine.reign().Epoch
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.epoch
}

// hearsActive tells whether the active relay was heard of as lately as a living one would be: within its lease
// if it leads, as an active does but for one that a witness appointed. On the active it is any other relay.
func (n *Node) hearsActive(in *instance, now time.Time) bool {
	r := in.machine.reign()
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, x := range n.reports {
		if (name == r.Member || n.role == Active) && now.Sub(x.at) <= 2*n.o.Timing.Heartbeat {
			if _, leader := in.raft.LeaderWithID(); n.role == Active || nameOf(leader) != name {
				return true
			}
			return now.Sub(in.raft.LastContact()) <= n.o.Timing.Lease
		}
	}
	return false
}

func (n *Node) setRole(r Role, epoch uint64, why Cause) {
	n.mu.Lock()
	was, same := n.role, n.role == r && n.epoch == epoch && n.why == why
	n.role, n.epoch, n.why = r, epoch, why
	n.mu.Unlock()
	if same {
		return
	}
	if was != r || r == Active {
		n.log.Info("role", "role", r.String(), "epoch", epoch)
	}
	n.relay.is(r, epoch, why)
}

// told passes on what is committed, and has the member look.
type told struct{ n *Node }

func (t told) decided(cl Claim, block []byte) { t.n.relay.decided(cl, block) }
func (t told) led(state []byte)               { t.n.relay.led(state) }
func (t told) reigns(r Reign) {
	t.n.relay.reigns(r)
	t.n.wake()
}
func (t told) restored(recent []Claim, lead []byte, r Reign) {
	t.n.relay.restored(recent, lead, r)
	t.n.wake()
}

// nilRelay is a witness's.
type nilRelay struct{}

func (nilRelay) decided(Claim, []byte)                  {}
func (nilRelay) led([]byte)                             {}
func (nilRelay) reigns(Reign)                           {}
func (nilRelay) restored([]Claim, []byte, Reign)        {}
func (nilRelay) is(Role, uint64, Cause)                 {}
func (nilRelay) linked(bool)                            {}
func (nilRelay) held(string, [32]byte)                  {}
func (nilRelay) frame(context.Context, [32]byte) []byte { return nil }
func (nilRelay) moving(time.Time) bool                  { return true }
