package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// stuckHandler blocks until it is let go.
type stuckHandler struct {
	slog.Handler
	free chan struct{}
}

func (h stuckHandler) Handle(ctx context.Context, r slog.Record) error {
	<-h.free
	return h.Handler.Handle(ctx, r)
}

func TestEventLogNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := stuckHandler{slog.NewTextHandler(&bytes.Buffer{}, nil), make(chan struct{})}
		l := newEventLog(slog.New(h))
		l.start()
		e := &core.Event{Kind: core.EventSessionUp, Node: "node-a"}
		l.Event(core.Instant{}, e)
		synctest.Wait() // the writer is now stuck with the first one
		const extra = 10
		for range eventBacklog + extra {
			l.Event(core.Instant{}, e)
		}
		if n := l.drops(); n != extra {
			t.Errorf("%d events dropped, want %d", n, extra)
		}
		close(h.free)
		l.close()
		l.close() // harmless
	})
}

func TestEventDoesNotAllocate(t *testing.T) {
	l := newEventLog(slog.New(slog.DiscardHandler))
	e := &core.Event{Kind: core.EventClaimed, Node: "node-a"}
	if n := testing.AllocsPerRun(2*eventBacklog, func() { l.Event(core.Instant{}, e) }); n != 0 {
		t.Errorf("%v allocations for an event on the loop", n)
	}
}

// lines feeds events to a writer and returns what it logged.
func lines(t *testing.T, level slog.Level, events ...core.Event) (out []map[string]any) {
	t.Helper()
	var b bytes.Buffer
	w := eventWriter{log: slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level})), debug: level <= slog.LevelDebug}
	for i := range events {
		w.event(&events[i])
	}
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func TestLevels(t *testing.T) {
	id := p2pwire.ID{0, 0, 1}
	for _, c := range []struct {
		e     core.Event
		level string
	}{
		{core.Event{Kind: core.EventAlarm, Reason: core.ReasonForeignBlock}, "ERROR"},
		{core.Event{Kind: core.EventBlamed, Reason: core.ReasonBlamed}, "WARN"},
		{core.Event{Kind: core.EventSessionUp, Session: 3, Side: core.Network}, "INFO"},
		{core.Event{Kind: core.EventSessionDown, Reason: core.ReasonIdle}, "INFO"},
		{core.Event{Kind: core.EventLead, Node: "node-a"}, "DEBUG"},
		{core.Event{Kind: core.EventLead, Node: "node-b", Detail: "node-a", Reason: core.ReasonLeadLost}, "INFO"},
		{core.Event{Kind: core.EventPublic, ID: id}, "DEBUG"},
		{core.Event{Kind: core.EventHeld, Reason: core.ReasonOlderParent, ID: id}, "DEBUG"},
		{core.Event{Kind: core.EventWithheld, Reason: core.ReasonSlotTaken, ID: id}, "DEBUG"},
		{core.Event{Kind: core.EventWithheld, Reason: core.ReasonSameID, ID: id}, "DEBUG"},
		{core.Event{Kind: core.EventWithheld, Reason: core.ReasonBadSignature, ID: id}, "WARN"},
		{core.Event{Kind: core.EventWithheld, Reason: core.ReasonTooOld, ID: id}, "WARN"},
	} {
		got := lines(t, slog.LevelDebug, c.e)
		if len(got) == 0 || got[0]["level"] != c.level {
			t.Errorf("%v %v: %v, want level %s", c.e.Kind, c.e.Reason, got, c.level)
			continue
		}
		if c.level == "WARN" || c.level == "ERROR" {
			if got[0]["help"] != c.e.Reason.Help() {
				t.Errorf("%v does not explain itself: %v", c.e.Reason, got[0])
			}
		}
		if strings.Contains(strings.ToLower(got[0]["msg"].(string)), "double") {
			t.Errorf("%v reads like a double block: %v", c.e.Reason, got[0]["msg"])
		}
	}
}

// TestRoundLine: a round leaves one line, which says what was lost and why.
func TestRoundLine(t *testing.T) {
	bpa, err := p2pwire.ParseName("bpalpha")
	if err != nil {
		t.Fatal(err)
	}
	const first = p2pwire.Slot(1200)
	known := func(ns int64) core.Offset { return core.Offset{Ns: ns, Known: true} }
	var good []core.SlotRecord
	for i := range p2pwire.Slot(p2pwire.RoundSlots) {
		due := -int64(i+1) * 37_500_000
		good = append(good, core.SlotRecord{
			Producer: bpa, Slot: first + i, DueNs: due, Outcome: core.OutcomePublic, Reason: core.ReasonClaimed, Node: "node-a", Num: 300 + uint32(i),
			LeftNs: known(due + int64(i)*1e6), AddedNs: known(int64(100+i) * 1000), Echo: core.EchoVote, EchoNs: known(due + 9e6 + int64(i)*1e6), KeptInside: int(i % 2),
			Nodes: []core.NodeRecord{{Node: "node-a", Decision: core.DecisionOut}, {Node: "node-b", Decision: core.DecisionInside, Reason: core.ReasonSlotTaken}},
		})
	}
	bad := append([]core.SlotRecord(nil), good...)
	for _, i := range []int{4, 5, 6, 9} {
		bad[i].Outcome, bad[i].Reason, bad[i].Node, bad[i].Lead = core.OutcomeLost, core.ReasonLeadLost, "", "node-a"
		bad[i].Nodes = []core.NodeRecord{
			{Node: "node-b", Decision: core.DecisionInside, Reason: core.ReasonParentWithheld, BranchSince: first + 1},
			{Node: "node-a", DownNs: known(bad[i].DueNs - 12e8), DownReason: core.ReasonPeerClosed},
		}
	}
	got := lines(t, slog.LevelInfo,
		core.Event{Kind: core.EventRound, Producer: bpa, Slot: first, Round: good},
		core.Event{Kind: core.EventRound, Producer: bpa, Slot: first, Round: bad},
	)
	if len(got) != 2 {
		t.Fatalf("lines %v", got)
	}
	for i, want := range []map[string]any{
		{"level": "INFO", "msg": "own round", "producer": "bpalpha", "round": 100.0, "first_slot": 1200.0, "due": 12.0, "public": 12.0,
			"lost": 0.0, "kept_inside": 6.0, "identical": 0.0, "nodes": "node-a:12", "after_due_p50": 5e6, "after_due_max": 11e6,
			"added_p50": 110e3, "added_max": 110e3, "echo_p50": 9e6, "lost_slots": nil, "explanation": nil},
		{"level": "WARN", "msg": "own round", "public": 8.0, "lost": 4.0, "lost_slots": "1204-1206,1209", "nodes": "node-a:8",
			"explanation": "slot 1204: lost: node-a's session closed 1.2 s before it was due; node-b was on its own branch since slot 1201 (takeover: race)"},
	} {
		for k, v := range want {
			if got[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, got[i][k], v)
			}
		}
	}
}
