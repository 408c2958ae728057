package admin

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// fakeSource answers with a fixed status or error, and counts how often it is asked.
type fakeSource struct {
	status core.Status
	err    error
	asked  atomic.Int64
	block  bool // never answer

	query core.SlotQuery // the last one
	slots core.SlotReport
}

func (f *fakeSource) Slots(ctx context.Context, q core.SlotQuery) (core.SlotReport, error) {
	f.query = q
	_, err := f.Status(ctx)
	return f.slots, err
}

func (f *fakeSource) Status(ctx context.Context) (core.Status, error) {
	f.asked.Add(1)
	if f.block {
		<-ctx.Done()
		return core.Status{}, ctx.Err()
	}
	return f.status, f.err
}

// fakeCluster is a member of a quorum.
type fakeCluster struct{}

func (fakeCluster) Handover(context.Context, string, bool) error { return nil }
func (fakeCluster) Vote(_ context.Context, name string, _ bool) error {
	if name == "x" {
		return fmt.Errorf("%w: x is not configured", core.ErrNotPossible)
	}
	return nil
}
func (fakeCluster) View() any { return nil }
func (fakeCluster) Facts() core.ClusterFacts {
	return core.ClusterFacts{
		Mode: "quorum", Members: []core.ClusterMember{{Name: "b", Up: true}, {Name: "w"}}, Epoch: 72, Term: 73, Leads: true,
	}
}

// readyStatus is a relay at work: a node, a peer, and something in every counter.
func readyStatus() core.Status {
	st := core.Status{
		ChainID: "c0ffee", UptimeNs: 90e9, FencedUntil: 1000,
		PublicHead:  &core.BlockRef{Num: 305, Slot: 2000, Producer: "bpbeta"},
		LastClaimed: &core.BlockRef{Num: 300, Slot: 1995, Producer: "bpalpha"},
		Lead:        "node-a",
		Sessions: []core.SessionStatus{
			{ID: 1, Side: "internal", Name: "node-a", Remote: "10.0.0.11:9876", Ready: true, RTTNs: 250e3, QueuedBytes: 100},
			{ID: 2, Side: "internal", Name: "10.0.0.12:40000", Remote: "10.0.0.12:40000", Ready: true},
			{ID: 3, Side: "network", Name: "peer-x", Remote: "192.0.2.1:9876", Ready: true, QueuedBytes: 7},
			{ID: 4, Side: "network", Name: "192.0.2.2:1", Remote: "192.0.2.2:1"},
		},
		Journal: &core.JournalStatus{
			Complete: true, Bytes: 51, Errors: 52, Unrecorded: 53,
			Writes: core.JournalWrites{UpTo: []float64{0.001, 0.01}, Counts: []uint64{4, 5, 6}, Sum: 7.5},
		},
		Takeover: core.TakeoverStatus{
			Configured: core.TakeoverAuto, Mode: core.TakeoverLeash, Why: "the chain is Savanna", Lead: "node-a", Releases: 61, LeadChanges: 62,
			Nodes: []core.NodeStatus{{Node: "node-a", State: core.NodeLead}, {Node: "node-b", State: core.NodeArmed, ReserveVotes: 8}},
		},
		Blocks: 11, BlockBytes: 12, HeldBlocks: 13, HeldVotes: 14, PartialBytes: 15, BufferedBytes: 16,
	}
	st.Cluster = &core.ClusterStatus{Role: core.ClusterActive, Epoch: 71, Linked: true, Takeovers: 74}
	st.Cluster.Answers.Observe(600 * time.Microsecond)
	st.Stats.ClaimWait.Observe(900 * time.Microsecond)
	st.Stats.In[core.Network].Frames[p2pwire.TypeSignedBlock] = 21
	st.Stats.In[core.Network].Bytes[p2pwire.TypeSignedBlock] = 2100
	st.Stats.Out[core.Internal].Frames[p2pwire.TypeVote] = 22
	st.Stats.OwnForwarded = 12
	st.Stats.OwnWithheld[core.ReasonSlotTaken] = 11
	st.Stats.OwnHeld[core.ReasonOlderParent] = 3
	st.Stats.OwnSlots[core.OutcomeLost] = 37
	st.Stats.Conflicts = 11
	st.Stats.Dropped[core.ReasonDuplicate] = 31
	st.Stats.Closed[core.ReasonIdle] = 32
	st.Stats.Alarms[core.ReasonUnknownKey] = 33
	st.Stats.DialsFailed[core.Network] = 34
	st.Stats.Refused, st.Stats.Blamed = 35, 36
	st.Nodes = []core.NodeTiming{{Node: "node-a", ArrivalNs: -40e6}}
	st.Nodes[0].DueNs[11] = -450e6
	st.Clock = core.ClockStatus{Known: true, AheadNs: -3e6, Sources: 5, Trusted: true}
	st.Stats.OwnMissed, st.Stats.OwnLate = 37, 38
	st.Stats.Lead.Buckets[12], st.Stats.Lead.Count, st.Stats.Lead.SumNs = 1, 1, 4e6
	// 20 us, 90 us and one beyond the last bound.
	st.Stats.AddedLatency.Buckets[1] = 1
	st.Stats.AddedLatency.Buckets[4] = 1
	st.Stats.AddedLatency.Buckets[len(core.LatencyBounds)] = 1
	st.Stats.AddedLatency.Count, st.Stats.AddedLatency.SumNs = 3, 400_110_000
	return st
}
