package quorum

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

var errLost = errors.New("lost on the way")

// mesh is a network of members in memory, with links that can be cut one way, and take time.
type mesh struct {
	mu    sync.Mutex
	ports map[string]*port
	cut   map[[2]string]bool // from, to
	delay time.Duration      // one way
	limit time.Duration      // how long a lost message is waited for
	asked map[byte]int       // questions by kind
}

func newMesh() *mesh {
	return &mesh{ports: map[string]*port{}, cut: map[[2]string]bool{}, limit: 300 * time.Millisecond, asked: map[byte]int{}}
}

// set cuts or mends the way from one member to another.
func (m *mesh) set(from, to string, cut bool) {
	m.mu.Lock()
	m.cut[[2]string{from, to}] = cut
	m.mu.Unlock()
}

// isolate cuts or mends all that goes to and from a member.
func (m *mesh) isolate(name string, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.ports {
		if other != name {
			m.cut[[2]string{name, other}], m.cut[[2]string{other, name}] = cut, cut
		}
	}
}

func (m *mesh) heal() {
	m.mu.Lock()
	m.cut = map[[2]string]bool{}
	m.mu.Unlock()
}

// pass takes a message from one member to another, or loses it, which takes the limit to be noticed.
func (m *mesh) pass(ctx context.Context, from, to string) error {
	m.mu.Lock()
	lost, delay := m.cut[[2]string{from, to}], m.delay
	m.mu.Unlock()
	if lost {
		delay = m.limit
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if lost {
		return errLost
	}
	return nil
}

// port is a member's place in the mesh (network).
type port struct {
	m    *mesh
	name string

	mu      sync.Mutex
	handle  func(context.Context, string, []byte) []byte
	carries *meshCarrier
}

func (m *mesh) port(name string) *port {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &port{m: m, name: name}
	m.ports[name] = p
	return p
}

func (m *mesh) at(name string) *port {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ports[name]
}

func (p *port) serve(handle func(context.Context, string, []byte) []byte) {
	p.mu.Lock()
	p.handle = handle
	p.mu.Unlock()
}

func (p *port) close() error {
	p.serve(nil)
	return nil
}

func (p *port) call(ctx context.Context, to string, q []byte) ([]byte, error) {
	p.m.mu.Lock()
	p.m.asked[q[0]]++
	p.m.mu.Unlock()
	if err := p.m.pass(ctx, p.name, to); err != nil {
		return nil, err
	}
	o := p.m.at(to)
	if o == nil {
		return nil, errLost
	}
	o.mu.Lock()
	handle := o.handle
	o.mu.Unlock()
	if handle == nil {
		return nil, errLost
	}
	a := handle(ctx, p.name, q)
	if err := p.m.pass(ctx, to, p.name); err != nil {
		return nil, err
	}
	if a == nil {
		return nil, errLost
	}
	return a, nil
}

func (p *port) carrier(self raft.ServerAddress, _ hclog.Logger) (carrier, func(), error) {
	_, t := raft.NewInmemTransportWithTimeout(self, p.m.limit)
	c := &meshCarrier{InmemTransport: t, p: p, done: make(chan struct{})}
	p.mu.Lock()
	p.carries = c
	p.mu.Unlock()
	return c, func() {
		close(c.done)
		p.mu.Lock()
		if p.carries == c {
			p.carries = nil
		}
		p.mu.Unlock()
	}, nil
}

// meshCarrier is raft's in-memory transport, over the mesh's links.
type meshCarrier struct {
	*raft.InmemTransport
	p    *port
	done chan struct{}
	deaf bool // to TimeoutNow
}

// Close keeps raft from closing what the port closes.
func (c *meshCarrier) Close() error { return nil }

func (c *meshCarrier) exchange(to raft.ServerAddress, do func(*raft.InmemTransport) error) error {
	ctx := context.Background()
	name := nameOf(raft.ServerID(to))
	if err := c.p.m.pass(ctx, c.p.name, name); err != nil {
		return err
	}
	o := c.p.m.at(name)
	if o == nil {
		return errLost
	}
	o.mu.Lock()
	target := o.carries
	o.mu.Unlock()
	if target == nil || target.LocalAddr() != to {
		return errLost
	}
	_, way := raft.NewInmemTransportWithTimeout("", c.p.m.limit)
	way.Connect(to, target.InmemTransport)
	if err := do(way); err != nil {
		return err
	}
	return c.p.m.pass(ctx, name, c.p.name)
}

func (c *meshCarrier) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func (c *meshCarrier) AppendEntries(id raft.ServerID, to raft.ServerAddress, q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) error {
	copied := *q
	copied.Entries = make([]*raft.Log, len(q.Entries))
	for i, l := range q.Entries {
		x := *l
		copied.Entries[i] = &x
	}
	return c.exchange(to, func(t *raft.InmemTransport) error { return t.AppendEntries(id, to, &copied, a) })
}

func (c *meshCarrier) RequestVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestVoteRequest, a *raft.RequestVoteResponse) error {
	return c.exchange(to, func(t *raft.InmemTransport) error { return t.RequestVote(id, to, q, a) })
}

func (c *meshCarrier) RequestPreVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestPreVoteRequest, a *raft.RequestPreVoteResponse) error {
	return c.exchange(to, func(t *raft.InmemTransport) error { return t.RequestPreVote(id, to, q, a) })
}

func (c *meshCarrier) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, q *raft.InstallSnapshotRequest, a *raft.InstallSnapshotResponse, data io.Reader) error {
	return c.exchange(to, func(t *raft.InmemTransport) error { return t.InstallSnapshot(id, to, q, a, data) })
}

func (c *meshCarrier) TimeoutNow(id raft.ServerID, to raft.ServerAddress, q *raft.TimeoutNowRequest, a *raft.TimeoutNowResponse) error {
	return c.exchange(to, func(t *raft.InmemTransport) error {
		o := c.p.m.at(nameOf(raft.ServerID(to)))
		o.mu.Lock()
		deaf := o.carries != nil && o.carries.deaf
		o.mu.Unlock()
		if deaf {
			return errLost
		}
		return t.TimeoutNow(id, to, q, a)
	})
}

// disk is a member's disk in memory, with faults. It outlives the member's processes.
type disk struct {
	*raft.InmemStore
	snaps *raft.InmemSnapshotStore

	mu    sync.Mutex
	fail  error         // of the next writes
	slow  time.Duration // of every write
	stuck chan struct{} // writes wait until it is closed; nil: they do not
	birth string
}

func newDisk() *disk {
	return &disk{InmemStore: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore(), birth: newBirth()}
}

func (d *disk) write() error {
	d.mu.Lock()
	fail, slow, stuck := d.fail, d.slow, d.stuck
	d.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	if slow > 0 {
		sleep(slow)
	}
	return fail
}

func (d *disk) set(fail error) {
	d.mu.Lock()
	d.fail = fail
	d.mu.Unlock()
}

// hang makes writes wait, until the func is called.
func (d *disk) hang() (goOn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := make(chan struct{})
	d.stuck = c
	return d.mend
}

// mend ends whatever is wrong with it.
func (d *disk) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail, d.slow = nil, 0
	if d.stuck != nil {
		close(d.stuck)
		d.stuck = nil
	}
}

func (d *disk) StoreLogs(logs []*raft.Log) error {
	if err := d.write(); err != nil {
		return err
	}
	copied := make([]*raft.Log, len(logs))
	for i, l := range logs {
		x := *l
		copied[i] = &x
	}
	return d.InmemStore.StoreLogs(copied)
}

func (d *disk) StoreLog(l *raft.Log) error { return d.StoreLogs([]*raft.Log{l}) }

func (d *disk) Set(k, v []byte) error {
	if err := d.write(); err != nil {
		return err
	}
	return d.InmemStore.Set(k, v)
}

func (d *disk) SetUint64(k []byte, v uint64) error {
	if err := d.write(); err != nil {
		return err
	}
	return d.InmemStore.SetUint64(k, v)
}

func (d *disk) DeleteRange(a, b uint64) error {
	if err := d.write(); err != nil {
		return err
	}
	return d.InmemStore.DeleteRange(a, b)
}

func (d *disk) Close() error { return nil }
