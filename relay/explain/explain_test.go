package explain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

var update = flag.Bool("update", false, "write testdata/stories.txt")

const slot = p2pwire.Slot(1_700_000_004 + 4) // the fifth of its round

func at(ms float64) core.Offset { return core.Offset{Ns: int64(ms * 1e6), Known: true} }

func id(num uint32, mark byte) p2pwire.ID {
	return p2pwire.ID{byte(num >> 24), byte(num >> 16), byte(num >> 8), byte(num), mark}
}

// record is a slot of ours before anything is known of it; its block is due 187.5 ms early.
func record(change func(*core.SlotRecord)) core.SlotRecord {
	name, err := p2pwire.ParseName("bpalpha")
	if err != nil {
		panic(err)
	}
	r := core.SlotRecord{
		Producer: name, Slot: slot, Time: time.Unix(0, slot.Time()).UTC(), Round: slot.Round(), Index: slot.Index(),
		DueNs: -187_500_000, Closed: true,
	}
	change(&r)
	return r
}

// out is a slot whose block bp1 made and three sessions got.
func out(change func(*core.SlotRecord)) core.SlotRecord {
	return record(func(r *core.SlotRecord) {
		r.Outcome, r.Reason = core.OutcomePublic, core.ReasonClaimed
		r.Num, r.ID, r.Node, r.Sessions = 305, id(305, 1), "bp1", 3
		r.LeftNs, r.AddedNs, r.Echo, r.EchoNs = at(-186.8), at(0.2), core.EchoVote, at(-172)
		r.Nodes = []core.NodeRecord{sent("bp1", 1, -187, core.DecisionOut, core.ReasonClaimed)}
		change(r)
	})
}

func lost(why core.Reason, nodes ...core.NodeRecord) core.SlotRecord {
	return record(func(r *core.SlotRecord) { r.Outcome, r.Reason, r.Nodes = core.OutcomeLost, why, nodes })
}

// sent is the part of a node that made a block.
func sent(node string, mark byte, ms float64, d core.Decision, why core.Reason) core.NodeRecord {
	return core.NodeRecord{
		Node: node, Decision: d, Reason: why, Candidates: 1, Num: 305, ID: id(305, mark), FirstID: id(305, mark),
		ArrivedNs: at(ms), DecidedNs: at(ms), Connected: true,
	}
}

func onBranch(n core.NodeRecord, since p2pwire.Slot) core.NodeRecord {
	n.BranchSince = since
	return n
}

func silent(node string) core.NodeRecord { return core.NodeRecord{Node: node, Connected: true} }

func gone(node string, ms float64, why core.Reason) core.NodeRecord {
	return core.NodeRecord{Node: node, DownNs: at(ms), DownReason: why}
}

// stories are slots as the core records them.
var stories = []struct {
	name   string
	record core.SlotRecord
}{
	{"normal", out(func(r *core.SlotRecord) { r.Nodes = append(r.Nodes, silent("bp2")) })},
	{"identical siblings", out(func(r *core.SlotRecord) {
		r.Nodes = append(r.Nodes, sent("bp2", 1, -183.5, core.DecisionIdentical, core.ReasonSameID))
	})},
	{"sibling kept inside", out(func(r *core.SlotRecord) {
		r.Nodes = append(r.Nodes, onBranch(sent("bp2", 2, -183.5, core.DecisionInside, core.ReasonSlotTaken), slot))
		r.KeptInside = 1
	})},
	{"a node on its own branch beside the lead", out(func(r *core.SlotRecord) {
		r.Nodes = append(r.Nodes, onBranch(sent("bp2", 2, -183.5, core.DecisionInside, core.ReasonParentWithheld), slot-3))
		r.KeptInside = 1
	})},
	{"a sibling some slots into its own branch", out(func(r *core.SlotRecord) {
		r.Nodes = append(r.Nodes, onBranch(sent("bp2", 2, -183.5, core.DecisionInside, core.ReasonSlotTaken), slot-3))
		r.KeptInside = 1
	})},
	{"second block of a node goes out", out(func(r *core.SlotRecord) { r.Nodes[0].Candidates = 2 })},
	{"lead died in mid-round", func() core.SlotRecord {
		r := lost(core.ReasonLeadLost,
			onBranch(sent("bp2", 2, -183.5, core.DecisionInside, core.ReasonParentWithheld), slot-4), gone("bp1", -1387.5, core.ReasonPeerClosed))
		r.Lead = "bp1"
		return r
	}()},
	{"released in time", out(func(r *core.SlotRecord) {
		r.Takeover, r.Lead, r.Node = core.TakeoverLeash, "bp1", "bp2"
		r.LeadChange = &core.LeadChange{Node: "bp2", Previous: "bp1", Reason: core.ReasonLeadGone, AtNs: -301e6}
		r.Nodes = []core.NodeRecord{sent("bp2", 1, -187, core.DecisionOut, core.ReasonClaimed), gone("bp1", -303, core.ReasonPeerClosed)}
	})},
	{"released too late", func() core.SlotRecord {
		r := lost(core.ReasonNodeSilent, silent("bp1"), silent("bp2"))
		r.Takeover, r.Lead = core.TakeoverLeash, "bp1"
		r.LeadChange = &core.LeadChange{Node: "bp2", Previous: "bp1", Reason: core.ReasonLeadLate, AtNs: -4e6}
		return r
	}()},
	{"a private branch from before the round", lost(core.ReasonOwnBranch, onBranch(sent("bp2", 2, -187.5, core.DecisionInside, core.ReasonParentWithheld), slot-48))},
	{"start fence", lost(core.ReasonStartFence, sent("bp1", 1, -187, core.DecisionInside, core.ReasonStartFence))},
	{"relay without a network", record(func(r *core.SlotRecord) {
		r.Outcome, r.Reason, r.Num, r.ID, r.Node = core.OutcomeLost, core.ReasonNoNetwork, 305, id(305, 1), "bp1"
		r.Nodes = []core.NodeRecord{sent("bp1", 1, -187, core.DecisionOut, core.ReasonClaimed)}
	})},
	{"network came back", out(func(r *core.SlotRecord) {
		r.Outcome, r.Sessions, r.LeftNs, r.AddedNs, r.Echo = core.OutcomeLate, 0, at(2300), at(2487), core.EchoNone
	})},
	{"unknown key", out(func(r *core.SlotRecord) { r.Alarm = core.ReasonUnknownKey })},
	{"foreign block", record(func(r *core.SlotRecord) {
		r.Outcome, r.Reason, r.Alarm = core.OutcomeElsewhere, core.ReasonForeignBlock, core.ReasonForeignBlock
		r.Num, r.ID, r.LeftNs = 305, id(305, 9), at(-60)
		r.Nodes = []core.NodeRecord{sent("bp1", 1, -55, core.DecisionInside, core.ReasonSlotTaken)}
	})},
	{"public before the relay was restarted", record(func(r *core.SlotRecord) {
		r.Outcome, r.Reason, r.Num, r.ID, r.LeftNs = core.OutcomeElsewhere, core.ReasonPublicElsewhere, 305, id(305, 9), at(812)
		r.Nodes = []core.NodeRecord{{Node: "bp1", UpNs: at(900)}}
	})},
	{"late but public", out(func(r *core.SlotRecord) {
		r.Outcome, r.LeftNs, r.EchoNs = core.OutcomeLate, at(120), at(420)
		r.Nodes[0].ArrivedNs, r.Echo = at(119.8), core.EchoBuiltOn
	})},
	{"orphaned", out(func(r *core.SlotRecord) {
		r.Outcome, r.Reason, r.LeftNs, r.Echo, r.EchoNs = core.OutcomeOrphaned, core.ReasonOrphaned, at(-3), core.EchoBlock, at(40)
	})},
	{"nodes silent, one back too late", record(func(r *core.SlotRecord) {
		r.Outcome, r.Reason, r.Expected = core.OutcomeLost, core.ReasonNodeSilent, true
		r.Nodes = []core.NodeRecord{silent("bp1"), gone("bp2", -4187.5, core.ReasonIdle), gone("bp3", -60_000, core.ReasonNone)}
		r.Nodes[1].UpNs = at(212.5)
	})},
	{"nobody there", record(func(r *core.SlotRecord) {
		r.Outcome, r.Reason, r.Expected = core.OutcomeLost, core.ReasonNoNode, true
	})},
	{"waiting", record(func(r *core.SlotRecord) {
		r.Outcome, r.Closed = core.OutcomePending, false
		r.Nodes = []core.NodeRecord{sent("bp1", 1, -187, core.DecisionWaits, core.ReasonOlderParent)}
	})},
}

// TestStories compares with the texts that are checked in, so that a change of words is read by a
// human; and whatever happened, nothing may read as if two blocks had gone out.
func TestStories(t *testing.T) {
	var b strings.Builder
	for i := range stories {
		s := &stories[i]
		text := strings.Join(Slot(&s.record), "\n")
		fmt.Fprintf(&b, "# %s\n%s\n\n", s.name, text)
		for _, bad := range []string{"double", "two blocks", "twice", "%!"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: says %q:\n%s", s.name, bad, text)
			}
		}
		if s.record.Outcome > core.OutcomeLate && !strings.Contains(text, "what to do: ") {
			t.Errorf("%s: no advice", s.name)
		}
	}
	same(t, "testdata/stories.txt", b.String())
}

func TestMissing(t *testing.T) {
	rep := core.SlotReport{
		StartedAt: time.Unix(0, p2pwire.Slot(1_700_000_000).Time()).UTC(), Now: 1_700_030_000,
		Oldest: 1_700_010_000, Newest: 1_700_029_000, Kept: 1024, PeriodRounds: 21,
	}
	young := core.SlotReport{StartedAt: rep.StartedAt, Now: 1_700_000_100}
	foreign := rep
	foreign.Public = &core.BlockRef{Num: 4711, Slot: 1_700_020_000, Producer: "bpbeta"}
	var b strings.Builder
	for _, c := range []struct {
		q   core.SlotQuery
		rep *core.SlotReport
	}{
		{core.SlotQuery{Slot: 1_700_005_000}, &rep},
		{core.SlotQuery{Slot: 1_600_000_000}, &rep},
		{core.SlotQuery{Slot: 1_700_020_000}, &rep},
		{core.SlotQuery{Slot: 1_700_020_000}, &foreign},
		{core.SlotQuery{Slot: 1_700_030_001}, &rep},
		{core.SlotQuery{Slot: 1_700_000_050}, &young},
		{core.SlotQuery{Num: 12}, &rep},
		{core.SlotQuery{Num: 4711}, &foreign},
		{core.SlotQuery{Num: 12}, &young},
		{core.SlotQuery{Last: 12}, &young},
	} {
		b.WriteString(Missing(c.q, c.rep) + "\n")
	}
	same(t, "testdata/missing.txt", b.String())
}

func same(t *testing.T, name, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs (-update writes it). Now it reads:\n%s", name, text)
	}
}
