package quorum

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

var errAside = errors.New("this member stepped aside")

// carrier is what raft talks through: pre-votes are not optional here.
type carrier interface {
	raft.Transport
	raft.WithPreVote
}

// gate is raft's way to the other members. While it is shut nothing leaves: a member that stepped aside
// leads nobody and stands for no election, whatever raft's own goroutines are stuck in.
type gate struct {
	carrier
	shut    atomic.Bool
	started func()            // raft is about to start its goroutines
	leads   func(uint64) bool // this member leads in that term
	again   time.Duration     // until a member that did not answer is asked again
	over    <-chan struct{}   // the instance ends
	stands  func(uint64) bool // this member stands for election to that term
	patient time.Duration     // before others are asked for an election
	polite  time.Duration     // after they agreed
	insist  time.Duration     // how long they are asked
}

// SetHeartbeatHandler implements raft.Transport. It is the last that raft.NewRaft does on the goroutine
// that called it.
func (g *gate) SetHeartbeatHandler(handle func(raft.RPC)) {
	g.started()
	g.carrier.SetHeartbeatHandler(handle)
}

func (g *gate) check() error {
	if g.shut.Load() {
		return errAside
	}
	return nil
}

// AppendEntries implements raft.Transport; heartbeats come this way too.
//
// raft waits longer and longer before it asks a member again that did not answer, up to ten seconds, and
// does not notice that it is back. So what is no heartbeat is not given up here while this member leads.
func (g *gate) AppendEntries(id raft.ServerID, to raft.ServerAddress, q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) error {
	heartbeat := q.PrevLogEntry == 0 && len(q.Entries) == 0 && q.LeaderCommitIndex == 0
	for {
		if err := g.check(); err != nil {
			return err
		}
		err := g.carrier.AppendEntries(id, to, q, a)
		if err == nil || heartbeat || !g.leads(q.Term) {
			return err
		}
		select {
		case <-time.After(g.again):
		case <-g.over:
			return err
		}
	}
}

// AppendEntriesPipeline implements raft.Transport.
func (g *gate) AppendEntriesPipeline(id raft.ServerID, to raft.ServerAddress) (raft.AppendPipeline, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	p, err := g.carrier.AppendEntriesPipeline(id, to)
	if err != nil {
		return nil, err
	}
	return gatedPipeline{p, g}, nil
}

// RequestVote implements raft.Transport.
func (g *gate) RequestVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestVoteRequest, a *raft.RequestVoteResponse) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.carrier.RequestVote(id, to, q, a)
}

// RequestPreVote implements raft.WithPreVote.
//
// Members notice at different times that the leader is gone, and those who have not yet refuse; raft then
// waits for a whole election timeout, or two. So here a candidate goes on asking until then: it is elected
// as soon as enough of the others have noticed. And so that not several are at once, and none is, each
// lets those before it in the cluster's order go first: for each of them the time until it asks again,
// and a round trip. Witnesses wait
// besides until every relay can have noticed: they would have to hand on again.
func (g *gate) RequestPreVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestPreVoteRequest, a *raft.RequestPreVoteResponse) error {
	end := time.Now().Add(g.insist)
	for pause := g.patient; ; pause = g.again / 16 {
		if err := g.pause(pause); err != nil {
			return err
		}
		var got raft.RequestPreVoteResponse
		err := g.carrier.RequestPreVote(id, to, q, &got)
		switch {
		case err != nil:
			return err
		case got.Granted:
			if err := g.pause(g.polite); err != nil {
				return err
			}
			got.Granted = g.stands(q.Term) // or somebody else was elected meanwhile
		case got.Term <= q.Term && g.stands(q.Term) && time.Now().Before(end):
			continue
		}
		*a = got
		return nil
	}
}

// pause waits; an error means that nothing may leave any more.
func (g *gate) pause(d time.Duration) error {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-g.over:
			return errAside
		}
	}
	return g.check()
}

// InstallSnapshot implements raft.Transport.
func (g *gate) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, q *raft.InstallSnapshotRequest, a *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.carrier.InstallSnapshot(id, to, q, a, data)
}

// TimeoutNow implements raft.Transport.
func (g *gate) TimeoutNow(id raft.ServerID, to raft.ServerAddress, q *raft.TimeoutNowRequest, a *raft.TimeoutNowResponse) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.carrier.TimeoutNow(id, to, q, a)
}

type gatedPipeline struct {
	raft.AppendPipeline
	g *gate
}

// AppendEntries implements raft.AppendPipeline.
func (p gatedPipeline) AppendEntries(q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if err := p.g.check(); err != nil {
		return nil, err
	}
	return p.AppendPipeline.AppendEntries(q, a)
}
