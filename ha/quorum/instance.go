package quorum

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	// snapshotAfter is how many entries, snapshotBytes how many bytes of them, are a reason for a snapshot.
	snapshotAfter = 512
	snapshotBytes = 32 << 20
	// trailing is how many entries stay behind a snapshot, for members that are a little late; others get the
	// snapshot (under 200 kB).
	trailing = 64
)

// instance is one life of raft, from what the disk holds to the first fault.
type instance struct {
	raft    *raft.Raft
	guard   *guard
	gate    *gate
	machine *machine
	notify  chan bool
	faults  chan error
	failed  atomic.Bool     // there was one
	ctx     context.Context // ends with it
	cancel  context.CancelFunc
	bytes   int64 // appended at the last snapshot

	close func()        // of the carrier
	gone  chan struct{} // closed when raft has ended
	tasks sync.WaitGroup
}

// birthSettings are what an instance is made of.
type birthSettings struct {
	ctx            context.Context
	id             raft.ServerID
	timing         Timing
	log            hclog.Logger
	to             listener
	open           func(hclog.Logger) (store, raft.SnapshotStore, error)
	carry          func() (carrier, func(), error)
	snapshotFailed func(error)
	// patient and polite are how long this member waits before it asks for an election, and with one.
	patient, polite time.Duration
	// promised is what the disk confirmed in the life before.
	promised promise
}

// begin reads what the disk holds and lets raft go on from there.
func begin(b birthSettings) (in *instance, err error) {
	in = &instance{notify: make(chan bool, 64), faults: make(chan error, 1), gone: make(chan struct{})}
	fault := func(err error) {
		in.failed.Store(true)
		in.gate.shut.Store(true)
		select {
		case in.faults <- err:
		default:
		}
	}
	s, snaps, err := b.open(b.log)
	if err != nil {
		return nil, err
	}
	if err := b.promised.kept(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	c, closeCarrier, err := b.carry()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	in.guard = &guard{store: s, broken: fault}
	in.guard.promise = b.promised
	in.ctx, in.cancel = context.WithCancel(b.ctx)
	in.gate = &gate{
		carrier: c, again: b.timing.Heartbeat / 2, over: in.ctx.Done(),
		patient: b.patient, polite: b.polite, insist: b.timing.Election * 3 / 4,
		stands:  func(term uint64) bool { return in.raft.State() == raft.Candidate && in.raft.CurrentTerm() < term },
		started: func() { in.guard.running.Store(true) },
		leads:   func(term uint64) bool { return in.raft.State() == raft.Leader && in.raft.CurrentTerm() == term },
	}
	in.close = closeCarrier
	in.machine = newMachine(b.to, fault)
	defer func() {
		// raft panics over a log it cannot read back, or a disk that takes nothing.
		if r := recover(); r != nil {
			err = fmt.Errorf("start from the log: %v", r)
		}
		if err != nil {
			in.cancel()
			closeCarrier()
			err = errors.Join(err, s.Close())
			in = nil
		}
	}()
	conf := raft.DefaultConfig()
	conf.LocalID = b.id
	conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = b.timing.Heartbeat, b.timing.Election, b.timing.Lease
	conf.CommitTimeout = b.timing.commit()
	conf.SnapshotThreshold, conf.TrailingLogs, conf.SnapshotInterval = snapshotAfter, trailing, 30*time.Second
	conf.ShutdownOnRemove = false // the member says so, and waits to be asked back
	conf.NoLegacyTelemetry = true
	conf.NotifyCh = in.notify
	conf.Logger = b.log
	if in.raft, err = raft.NewRaft(conf, in.machine, in.guard, in.guard, watched{snaps, b.snapshotFailed}, in.gate); err != nil {
		return nil, err
	}
	return in, nil
}

// stop ends it and gives the disk back. A disk that hangs keeps it until it answers.
func (in *instance) stop() error {
	in.cancel()
	in.gate.shut.Store(true)
	future := in.raft.Shutdown()
	in.close()
	err := future.Error()
	close(in.gone)
	in.tasks.Wait()
	return errors.Join(err, in.guard.Close())
}

// ends has a future of raft's end with raft: what waits in one of its channels when it is shut down is never
// answered, and whoever waits for that waits for ever. Futures have a field for it, which raft sets in some.
func (in *instance) ends(f raft.Future) bool {
	v := reflect.Indirect(reflect.ValueOf(f))
	if v.Kind() != reflect.Struct {
		return false
	}
	field := v.FieldByName("ShutdownCh")
	if !field.IsValid() || !field.CanSet() || field.Type() != reflect.TypeOf(in.gone) {
		return false // answered already
	}
	field.Set(reflect.ValueOf(in.gone))
	return true
}

// leads tells whether this member leads, as far as it knows.
func (in *instance) leads() bool { return in.raft.State() == raft.Leader && !in.gate.shut.Load() }

// empty tells whether it never heard of a cluster.
func (in *instance) empty() bool { return len(in.raft.GetConfiguration().Configuration().Servers) == 0 }

// server is a member as raft knows it.
func (in *instance) server(name string) (raft.Server, bool) {
	for _, s := range in.raft.GetConfiguration().Configuration().Servers {
		if nameOf(s.ID) == name {
			return s, true
		}
	}
	return raft.Server{}, false
}
