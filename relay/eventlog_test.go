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
	w.endRound()
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

// TestRoundSummary: at level info a round with a slow second node leaves one line.
func TestRoundSummary(t *testing.T) {
	bpa, err := p2pwire.ParseName("bpalpha")
	if err != nil {
		t.Fatal(err)
	}
	var events []core.Event
	const first = p2pwire.Slot(1200)
	for i := range p2pwire.Slot(p2pwire.RoundSlots) {
		e := core.Event{Kind: core.EventClaimed, Reason: core.ReasonClaimed, Node: "node-a", Producer: bpa, Slot: first + i, Num: 300 + uint32(i)}
		events = append(events, e)
		e.Kind, e.Reason, e.Node = core.EventWithheld, core.ReasonSlotTaken, "node-b"
		if i > 0 {
			events = append(events, e)
		}
	}
	events = append(events,
		core.Event{Kind: core.EventPublic, Slot: first + 5},                  // late echo: not the end
		core.Event{Kind: core.EventPublic, Slot: first + p2pwire.RoundSlots}, // the next producer
		// The last slot of the first round comes in once more, then the next round of ours.
		core.Event{Kind: core.EventClaimed, Producer: bpa, Slot: first + 48, Num: 348, Node: "node-b"},
		core.Event{Kind: core.EventWithheld, Reason: core.ReasonSlotTaken, Producer: bpa, Slot: first + 11},
	)
	got := lines(t, slog.LevelInfo, events...)
	if len(got) != 2 {
		t.Fatalf("lines %v", got)
	}
	for i, want := range []map[string]any{
		{"msg": "own round", "producer": "bpalpha", "round": 100.0, "blocks_out": 12.0, "kept_inside": 11.0, "last_node": "node-a", "last_num": 311.0},
		{"msg": "own round", "producer": "bpalpha", "round": 104.0, "blocks_out": 1.0, "kept_inside": 0.0, "last_node": "node-b", "last_num": 348.0},
	} {
		for k, v := range want {
			if got[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, got[i][k], v)
			}
		}
	}
}
