package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bprelay/ha/members"
	"bprelay/ha/quorum"
	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
)

// Quorum is a member's part in a quorum: a relay's, or a witness's. Its methods may be called from any goroutine.
type Quorum struct {
	fleet
	node  *quorum.Node
	relay *quorumRelay // nil: a witness
	told  string       // why this member stepped aside, as it was told last; of the publishing goroutine

	ctx    context.Context // of handovers under way
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	mu     sync.Mutex
	under  *handover // the last one asked for
}

// errNoState means that a quorum's member has nowhere to keep what was decided.
var errNoState = errors.New("a member of a quorum needs a state directory")

// NewQuorum begins to take part in what the majority decides: it opens its directory and listens. A relay's part
// is given to an engine next.
func NewQuorum(cfg Config) (*Quorum, error) {
	q := &Quorum{}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	if err := q.fleet.init(cfg); err != nil {
		return nil, err
	}
	if cfg.StateDir == "" {
		return nil, errNoState
	}
	o := quorum.Options{Name: cfg.Name, Dir: filepath.Join(cfg.StateDir, "quorum"), Failback: cfg.Failback, Identity: cfg.Identity, Logger: q.log}
	for _, m := range cfg.Members {
		o.Members = append(o.Members, quorum.Member{Name: m.Name, Address: m.Link, Witness: m.Witness})
	}
	var err error
	if o.Timing, err = cfg.QuorumTiming(); err != nil {
		return nil, err
	}
	if o.Listener, err = net.Listen("tcp", cfg.ListenLink); err != nil {
		return nil, fmt.Errorf("listen for members: %w", err)
	}
	var d *quorum.Driver
	if !q.self.Witness {
		d = quorum.NewDriver()
		q.relay = &quorumRelay{d: d}
	}
	if q.node, err = quorum.Start(o, d); err != nil {
		_ = o.Listener.Close()
		return nil, fmt.Errorf("quorum: %w", err)
	}
	return q, nil
}

// Engine is what the relay's engine asks; a witness has none.
func (q *Quorum) Engine() engine.Cluster { return q.relay }

// Start joins the gossip. status is as with Pair.Start; a witness has nothing to tell and gives none.
func (q *Quorum) Start(status func(context.Context) (core.Status, error)) error {
	if status == nil {
		status = func(context.Context) (core.Status, error) { return core.Status{}, nil }
	}
	told := func(ctx context.Context) (core.Status, error) {
		q.tellAside()
		return status(ctx)
	}
	return q.fleet.start(told, func(members.Event) {}, func() map[string]bool {
		links := map[string]bool{}
		for name, r := range q.node.Status().Relays {
			links[name] = r.Ago < 2*time.Second
		}
		return links
	})
}

// tellAside makes an alarm of it that this member takes no part.
func (q *Quorum) tellAside() {
	why := q.node.Status().Aside
	if why == q.told {
		return
	}
	if q.told = why; why == "" {
		q.log.Info("this member takes part in the quorum again")
		return
	}
	q.log.Error("this member takes no part in the quorum", "why", why)
	if q.relay != nil {
		q.relay.aside.Store(&why)
	}
}

// handoverPatience bounds how long a handover waits for the end of our run: adjacent rounds may follow it.
const handoverPatience = 40 * time.Second

// handover is one under way.
type handover struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // when done
}

// Handover makes another relay active, a certain one if to is not empty: outside our run, or at once if now. It
// goes on after ctx's end; the next one takes its place. Without a name only the active relay is asked. The error
// matches core.ErrNotPossible if that is refused.
func (q *Quorum) Handover(ctx context.Context, to string, now bool) error {
	if st := q.node.Status(); to == "" && st.Active != st.Member {
		return fmt.Errorf("%w: this is not the active relay, that is %q: ask it, or say who is to become it", core.ErrNotPossible, st.Active)
	}
	within, cancel := context.WithTimeout(q.ctx, handoverPatience)
	h := &handover{cancel: cancel, done: make(chan struct{})}
	q.mu.Lock()
	last := q.under
	q.under = h
	q.mu.Unlock()
	q.tasks.Go(func() {
		defer close(h.done)
		defer cancel()
		if last != nil {
			last.cancel() // or the role would move twice
			<-last.done
		}
		if h.err = q.node.Handover(within, to, now); h.err != nil && within.Err() == nil {
			h.err = fmt.Errorf("%w: %w", core.ErrNotPossible, h.err)
		}
	})
	select {
	case <-h.done:
		return h.err
	case <-ctx.Done():
		return fmt.Errorf("handover not confirmed: %w", ctx.Err())
	}
}

// Vote gives a configured member, which has to run, a vote, or ends that of any. Every member may be asked.
func (q *Quorum) Vote(ctx context.Context, name string, votes bool) error {
	change := q.node.Remove
	if votes {
		change = q.node.Add
	} else if st := q.node.Status(); !slices.Contains(st.Voters, name) {
		return fmt.Errorf("%w: %q does not vote, these do: %s", core.ErrNotPossible, name, strings.Join(st.Voters, ", "))
	}
	if err := change(ctx, name); err != nil {
		return fmt.Errorf("%w: %w", core.ErrNotPossible, err)
	}
	return nil
}

// Facts are what there is to know besides the role.
func (q *Quorum) Facts() core.ClusterFacts {
	st := q.node.Status()
	return core.ClusterFacts{
		Mode: "quorum", Members: q.up(), Epoch: st.Reign, Term: st.Term, Leads: st.Leader == st.Member,
	}
}

// Close hands leadership on, if this member has it, and ends.
func (q *Quorum) Close(ctx context.Context) error {
	q.cancel()
	q.tasks.Wait()
	return errors.Join(q.fleet.end(ctx), q.node.Close(ctx))
}

// quorumRelay is a relay's driver as the engine wants it.
type quorumRelay struct {
	d     *quorum.Driver
	aside atomic.Pointer[string] // to be told
}

var _ engine.Cluster = (*quorumRelay)(nil)

// Restored implements engine.Cluster: the log has what was decided.
func (*quorumRelay) Restored(*core.Restored) {}

// Durable implements engine.Cluster: a majority has it on disk.
func (*quorumRelay) Durable() bool { return true }

func (r *quorumRelay) Attach(_ engine.ClusterHost, wake func()) { r.d.Attach(wake) }

func (r *quorumRelay) Claim(now core.Instant, cl core.Claim) core.Verdict {
	return core.Verdict(r.d.Claim(quorum.Instant(now), quorum.Claim(cl)))
}

func (r *quorumRelay) Holds(now core.Instant, cl core.Claim) {
	r.d.Holds(quorum.Instant(now), quorum.Claim(cl))
}

func (r *quorumRelay) Echo(now core.Instant, cl core.Claim) {
	r.d.Echo(quorum.Instant(now), quorum.Claim(cl))
}

func (r *quorumRelay) Missed(now core.Instant, producer p2pwire.Name, slot p2pwire.Slot) {
	r.d.Missed(quorum.Instant(now), producer, slot)
}

func (r *quorumRelay) LeadChanged(now core.Instant, state []byte) {
	r.d.LeadChanged(quorum.Instant(now), state)
}

func (r *quorumRelay) Gap(now core.Instant, d time.Duration) { r.d.Gap(quorum.Instant(now), d) }

// Candidate, Due and Answered mean nothing here: a standby claims nothing, and the majority needs no witness.
func (*quorumRelay) Candidate(core.Instant, core.Claim)           {}
func (*quorumRelay) Due(core.Instant, p2pwire.Name, p2pwire.Slot) {}
func (*quorumRelay) Answered(core.Instant, uint64)                {}

func (r *quorumRelay) Pump(now core.Instant, h engine.ClusterHost) time.Duration {
	if why := r.aside.Swap(nil); why != nil {
		h.ClusterAlarm(now, core.ReasonMemberAside, core.Claim{}, *why)
	}
	return r.d.Pump(quorum.Instant(now), quorumHost{h})
}

// quorumHost is the core as the driver wants it.
type quorumHost struct{ h engine.ClusterHost }

// causes are the driver's words for why a relay has its role.
var causes = map[quorum.Cause]core.Reason{
	quorum.ByMajority: core.ReasonActiveMajority, quorum.NoMajority: core.ReasonActiveNoMajority, quorum.SteppedAside: core.ReasonMemberAside,
}

func (q quorumHost) SetRole(now quorum.Instant, r quorum.Role, epoch uint64, why quorum.Cause) {
	role := core.ClusterStandby
	if r == quorum.Active {
		role = core.ClusterActive
	}
	q.h.SetClusterRole(core.Instant(now), role, epoch, causes[why])
}

func (q quorumHost) Linked(now quorum.Instant, up bool) { q.h.ClusterLink(core.Instant(now), up) }

func (q quorumHost) Adopt(now quorum.Instant, cl quorum.Claim) (bool, error) {
	return q.h.Adopt(core.Instant(now), core.Claim(cl))
}

func (q quorumHost) AdoptBlock(now quorum.Instant, cl quorum.Claim, frame []byte) error {
	return q.h.AdoptBlock(core.Instant(now), core.Claim(cl), frame)
}

func (q quorumHost) ApplyLead(now quorum.Instant, state []byte) error {
	return q.h.ApplyLead(core.Instant(now), state)
}

func (q quorumHost) ClaimDecided(now quorum.Instant, cl quorum.Claim, v quorum.Verdict) {
	q.h.ClaimDecided(core.Instant(now), core.Claim(cl), core.Verdict(v))
}

func (q quorumHost) BlockBytes(id p2pwire.ID) []byte { return q.h.BlockBytes(id) }

func (q quorumHost) Health(now quorum.Instant, within time.Duration) (network, nodes int, inRun bool, untilRun time.Duration) {
	return q.h.Health(core.Instant(now), within)
}
