package demo

import (
	"strings"
	"testing"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// court is a status with node1 as the lead and the others in the given states, and the finalizer.
func court(states ...core.NodeState) core.TakeoverStatus {
	t := core.TakeoverStatus{Mode: core.TakeoverLeash, Lead: "node1", Nodes: []core.NodeStatus{{Node: "node1", State: core.NodeLead}}}
	for i, s := range states {
		t.Nodes = append(t.Nodes, core.NodeStatus{Node: "node" + string(rune('2'+i)), State: s, Why: "of that"})
	}
	t.Nodes = append(t.Nodes, core.NodeStatus{Node: voterName, Role: core.RoleFinalizer, State: core.NodeFree})
	return t
}

// TestReignKnows: in our own round the relay knows by our blocks that it is ours; what it knows of the
// next one shows only outside.
func TestReignKnows(t *testing.T) {
	p := testPlan() // bpbeta has the slots before 2400, and those from 2412 on
	st := court(core.NodeArmed)
	for _, c := range []struct {
		slot p2pwire.Slot
		next int64
		want bool
	}{
		{2395, 0, false}, {2395, 1, true}, {2398, 1, true},
		{2399, 1, false}, // our first block is being made
		{2405, 1, false}, {2411, 1, false}, {2412, 1, true},
	} {
		var r reign
		st.NextRunInNs = c.next
		r.learn(st, c.slot.Time(), &p)
		if r.knows != c.want {
			t.Errorf("slot %d, next run in %d ns: %v, want %v", c.slot, c.next, r.knows, c.want)
		}
	}
	r := reign{knows: true}
	if r.learn(court(), p2pwire.Slot(2405).Time(), &p); !r.knows {
		t.Error("forgotten")
	}
}

func TestUnready(t *testing.T) {
	for _, c := range []struct {
		name   string
		status core.TakeoverStatus
		victim string
		knows  bool
		want   string // part of it; empty: ready
	}{
		{"race", core.TakeoverStatus{}, "node1", false, ""},
		{"armed", court(core.NodeArming, core.NodeArmed), "node1", true, ""},
		{"schedule", court(core.NodeArmed), "node1", false, "schedule"},
		{"nobody", court(core.NodeArming, core.NodeNotReady), "node1", true, "no other node"},
		{"the armed one dies, the lead lives", court(core.NodeArmed, core.NodeAbsent), "node2", true, ""},
		{"the only one", court(), "node1", true, "no other node"},
	} {
		r := reign{status: c.status, knows: c.knows}
		if got := r.unready(c.victim); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestReignNews: a standing is shown when it lasts for two looks, once.
func TestReignNews(t *testing.T) {
	p := testPlan()
	var r reign
	arming := "node1 leads; node2 held, arming; node3 absent; voter votes"
	armed := "node1 leads; node2 held, armed; node3 cannot be held: of that; voter votes"
	for i, c := range []struct {
		status core.TakeoverStatus
		want   string
	}{
		{court(core.NodeArming, core.NodeAbsent), ""},
		{court(core.NodeArming, core.NodeAbsent), arming},
		{court(core.NodeArming, core.NodeAbsent), ""},
		{court(core.NodeNotReady, core.NodeAbsent), ""}, // a block behind
		{court(core.NodeArming, core.NodeAbsent), ""},
		{court(core.NodeArmed, core.NodeUnholdable), ""},
		{court(core.NodeArmed, core.NodeUnholdable), armed},
		{core.TakeoverStatus{Nodes: court(core.NodeFree).Nodes}, ""},
		{core.TakeoverStatus{Nodes: court(core.NodeFree).Nodes}, ""}, // in race nobody leads
	} {
		r.learn(c.status, 0, &p)
		if got := r.news(); got != c.want {
			t.Errorf("look %d: %q, want %q", i, got, c.want)
		}
	}
}

func TestNewsInWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{(&news{node: "node1", reason: core.ReasonLeadChosen}).lead(), "node1 (lead_chosen)"},
		{(&news{node: "node2", detail: "node1", reason: core.ReasonLeadGone}).lead(), "node2, node1 does not (lead_gone)"},
		{(&news{reason: core.ReasonNoStandby, detail: "node2 absent"}).alarm(), "no_standby: node2 absent"},
		{(&news{reason: core.ReasonUnknownKey, producer: name(ours), id: blockID(9, 0xa), detail: "x"}).alarm(), "unknown_key: bpalpha 9:0a000000"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestSignatures(t *testing.T) {
	var s signatures
	for _, c := range []struct {
		slot p2pwire.Slot
		id   p2pwire.ID
		want int
	}{
		{10, blockID(1, 1), 0},
		{10, blockID(1, 1), 0}, // the same by another node
		{10, blockID(1, 2), 1},
		{10, blockID(1, 2), 1},
		{10, blockID(1, 3), 2},
		{11, blockID(2, 1), 2},
		{11 + signedKept, blockID(3, 1), 2},
		{11 + signedKept, blockID(3, 2), 3},
	} {
		if s.add(c.slot, c.id); s.count() != c.want {
			t.Errorf("slot %d: %d siblings, want %d", c.slot, s.count(), c.want)
		}
	}
	if len(s.recent) != 2 {
		t.Errorf("%d slots are kept: %v", len(s.recent), s.recent)
	}
}
