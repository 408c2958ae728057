package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"bprelay/ha/quorum"
	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// quorumCore is a core as the driver sees it, with one block.
type quorumCore struct {
	mu      sync.Mutex
	role    core.ClusterRole
	epoch   uint64
	adopted []core.Claim
	decided map[core.Verdict]int
	leads   []string
	frame   []byte
	changed chan struct{}
	inRun   bool
	why     core.Reason
}

func (c *quorumCore) SetClusterRole(_ core.Instant, r core.ClusterRole, epoch uint64, why core.Reason) {
	c.role, c.epoch, c.why = r, epoch, why
}

func (c *quorumCore) Adopt(_ core.Instant, cl core.Claim) (bool, error) {
	c.adopted = append(c.adopted, cl)
	return c.frame != nil, nil
}

func (c *quorumCore) AdoptBlock(_ core.Instant, _ core.Claim, frame []byte) error {
	if len(frame) == 0 {
		return errors.New("no block")
	}
	c.frame = bytes.Clone(frame)
	return nil
}

func (c *quorumCore) ApplyLead(_ core.Instant, state []byte) error {
	c.leads = append(c.leads, string(state))
	return nil
}

func (c *quorumCore) ClaimDecided(_ core.Instant, _ core.Claim, v core.Verdict) { c.decided[v]++ }
func (c *quorumCore) RestrictWrites(core.Instant, time.Duration)                {}
func (c *quorumCore) BlockBytes(p2pwire.ID) []byte                              { return c.frame }
func (c *quorumCore) Health(core.Instant, time.Duration) (network, nodes int, inRun bool, untilRun time.Duration) {
	return 1, 1, c.inRun, time.Hour
}

// A claim of one relay reaches the other, block and all, through the words of both sides.
func TestQuorumInTheCoresWords(t *testing.T) {
	timing, err := quorum.TimingOf("wan") // real time: the role must stay where it is on a busy machine
	if err != nil {
		t.Fatal(err)
	}
	members := []quorum.Member{{Name: "a"}, {Name: "b"}, {Name: "w", Witness: true}}
	listeners := make([]net.Listener, len(members))
	for i := range members {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		members[i].Address = listeners[i].Addr().String()
	}
	start := time.Now()
	now := func() core.Instant { return core.Instant{Mono: time.Since(start), Wall: time.Now().UnixNano()} }
	cores, clusters := map[string]*quorumCore{}, map[string]*quorumRelay{}
	nodes := map[string]*quorum.Node{}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for i, m := range members {
		var d *quorum.Driver
		if !m.Witness {
			d = quorum.NewDriver()
		}
		n, err := quorum.Start(quorum.Options{
			Name: m.Name, Members: members, Dir: t.TempDir(), Timing: timing, Listener: listeners[i], Logger: slog.New(slog.DiscardHandler),
		}, d)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close(ctx)
		nodes[m.Name] = n
		if d == nil {
			continue
		}
		c, q := &quorumCore{decided: map[core.Verdict]int{}, changed: make(chan struct{}, 1)}, &quorumRelay{d: d}
		cores[m.Name], clusters[m.Name] = c, q
		q.Attach(nil, func() {
			select {
			case c.changed <- struct{}{}:
			default:
			}
		})
		go func() { // the loop
			for ctx.Err() == nil {
				c.mu.Lock()
				next := q.Pump(now(), c) - now().Mono
				c.mu.Unlock()
				select {
				case <-c.changed:
				case <-time.After(next):
				case <-ctx.Done():
				}
			}
		}()
	}
	until := func(what string, ok func(*quorumCore) bool, names ...string) {
		t.Helper()
		for _, name := range names {
			for c, done := cores[name], false; !done; {
				c.mu.Lock()
				done = ok(c)
				c.mu.Unlock()
				select {
				case <-ctx.Done():
					t.Fatalf("%s: not %s", name, what)
				case <-time.After(time.Millisecond):
				}
			}
		}
	}
	active := ""
	for active == "" && ctx.Err() == nil {
		for name, c := range cores {
			c.mu.Lock()
			if c.role == core.ClusterActive && c.epoch > 0 {
				active = name
			}
			c.mu.Unlock()
		}
		<-time.After(time.Millisecond)
	}
	standby := map[string]string{"a": "b", "b": "a"}[active]
	cl := core.Claim{Producer: 7, Slot: p2pwire.SlotAt(time.Now().UnixNano()), ID: p2pwire.ID{3: 9, 31: 1}}
	c := cores[active]
	c.mu.Lock()
	c.frame = []byte("frame")
	clusters[active].Holds(now(), cl)
	v := clusters[active].Claim(now(), cl)
	clusters[active].LeadChanged(now(), []byte("lead"))
	c.mu.Unlock()
	c.changed <- struct{}{}
	if v != core.Pending {
		t.Fatalf("verdict %d", v)
	}
	until("approved", func(c *quorumCore) bool { return c.decided[core.Approved] == 1 }, active)
	until("adopted", func(c *quorumCore) bool { return len(c.adopted) == 1 && c.adopted[0] == cl }, active, standby)
	until("given the block", func(c *quorumCore) bool { return string(c.frame) == "frame" }, standby)
	until("told of the lead", func(c *quorumCore) bool { return len(c.leads) == 1 && c.leads[0] == "lead" }, standby)
	tryHandover(t, nodes, cores, active, standby, until)
	c = cores[active] // it was until now
	c.mu.Lock()
	defer c.mu.Unlock()
	active, standby = standby, active
	if v := clusters[standby].Claim(now(), core.Claim{Producer: 7, Slot: cl.Slot + 1}); v != core.Failed {
		t.Errorf("a standby claims: %d", v)
	}
	other := cl
	other.ID[31] = 2
	if v := clusters[standby].Claim(now(), other); v != core.Denied {
		t.Errorf("a taken slot: %d", v)
	}
}

// A handover waits for the end of our run, longer than who asked for it does; a standby is not asked to hand over
// to nobody in particular.
func tryHandover(t *testing.T, nodes map[string]*quorum.Node, cores map[string]*quorumCore, active, standby string, until func(string, func(*quorumCore) bool, ...string)) {
	t.Helper()
	part := func(name string) *Quorum {
		q := &Quorum{node: nodes[name]}
		q.ctx, q.cancel = context.WithCancel(t.Context())
		return q
	}
	q, other := part(active), part(standby)
	defer q.tasks.Wait()
	c := cores[active]
	running := func(yes bool) {
		c.mu.Lock()
		c.inRun = yes
		c.mu.Unlock()
	}
	running(true)
	until("known to be in a run", func(*quorumCore) bool { return nodes[active].Status().Health.InRun }, active)
	if err := other.Handover(t.Context(), "", false); !errors.Is(err, core.ErrNotPossible) {
		t.Errorf("a standby hands over: %v", err)
	}
	if err := q.Handover(t.Context(), "w", true); !errors.Is(err, core.ErrNotPossible) {
		t.Errorf("to a witness: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := q.Handover(short, "", false); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, core.ErrNotPossible) {
		t.Errorf("within our run: %v", err)
	}
	running(false)
	until("active in its place", func(c *quorumCore) bool { return c.role == core.ClusterActive }, standby)
	until("told so", func(c *quorumCore) bool { return c.role == core.ClusterStandby && c.why == core.ReasonActiveMajority }, active)
}

// What a pair needs besides.

func (*quorumCore) ClusterLink(core.Instant, bool)                               {}
func (*quorumCore) ClusterAlarm(core.Instant, core.Reason, core.Claim, string)   {}
func (*quorumCore) Alone(core.Instant, core.Claim, time.Duration, time.Duration) {}
func (*quorumCore) Free(core.Instant, core.Claim)                                {}
func (*quorumCore) Probe(core.Instant, uint64)                                   {}
func (*quorumCore) Overdue(dst []core.SessionID) []core.SessionID                { return dst }
