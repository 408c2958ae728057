package relay

import (
	"context"
	"log/slog"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// eventWriter turns events into log lines, and sums up each of our rounds in one.
type eventWriter struct {
	log   *slog.Logger
	debug bool
	round roundSummary
}

// roundSummary counts what became of our blocks in one round.
type roundSummary struct {
	producer  p2pwire.Name
	number    uint32 // p2pwire.Slot.Round, valid if open
	open      bool
	forwarded int
	withheld  int
	lead      string // node of the last block that went out
	last      uint32 // its number
}

func (w *eventWriter) event(e *core.Event) {
	w.count(e)
	level := levelOf(e)
	if level < slog.LevelInfo && !w.debug {
		return
	}
	args := make([]slog.Attr, 0, 10)
	text := func(key, v string) {
		if v != "" {
			args = append(args, slog.String(key, v))
		}
	}
	if e.Reason != core.ReasonNone {
		text("reason", e.Reason.String())
	}
	if e.Session != 0 {
		args = append(args, slog.Int("session", int(e.Session)))
		text("side", e.Side.String())
	}
	text("node", e.Node)
	if e.Remote != e.Node {
		text("remote", e.Remote)
	}
	if !e.ID.IsZero() {
		text("producer", e.Producer.String())
		args = append(args, slog.Int("slot", int(e.Slot)), slog.Int("num", int(e.Num)), slog.String("id", e.ID.String()))
	}
	text("detail", e.Detail)
	if level >= slog.LevelWarn {
		text("help", e.Reason.Help())
	}
	w.log.LogAttrs(context.Background(), level, messageOf(e), args...)
}

// levelOf follows the written meaning of levels: error = a human is needed now, warn = degraded,
// info = role or session changes, debug = per message. The lead is no role here: while the nodes'
// blocks are identical it is whoever was first, and changes from block to block.
func levelOf(e *core.Event) slog.Level {
	switch e.Kind {
	case core.EventAlarm:
		return slog.LevelError
	case core.EventBlamed:
		return slog.LevelWarn
	case core.EventSessionUp, core.EventSessionDown:
		return slog.LevelInfo
	case core.EventWithheld:
		return withheldLevel(e.Reason)
	}
	return slog.LevelDebug
}

// withheldLevel tells what is daily business with several producing nodes from what is not.
func withheldLevel(why core.Reason) slog.Level {
	switch why {
	case core.ReasonSameID, core.ReasonSlotTaken, core.ReasonParentWithheld, core.ReasonNotLineage, core.ReasonDuplicate:
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// messageOf words the line. A sibling that stayed inside must not read like a double block.
func messageOf(e *core.Event) string {
	switch e.Kind {
	case core.EventSessionUp:
		return "session up"
	case core.EventSessionDown:
		return "session down"
	case core.EventClaimed:
		return "own block out"
	case core.EventWithheld:
		return "own block kept inside"
	case core.EventHeld:
		return "own block waits"
	case core.EventPublic:
		return "public head"
	case core.EventBlamed:
		return "network peer harmed a node's link"
	case core.EventAlarm:
		return "alarm"
	case core.EventLead:
		return "node whose blocks go out changed"
	}
	return e.Kind.String()
}

// count keeps the summary of the round that is running. It ends with the first own block of another
// round, or when the chain has moved past it.
func (w *eventWriter) count(e *core.Event) {
	r := &w.round
	switch e.Kind {
	case core.EventClaimed, core.EventWithheld:
		if r.open && (e.Producer != r.producer || e.Slot.Round() > r.number) {
			w.endRound()
		}
		if !r.open {
			*r = roundSummary{producer: e.Producer, number: e.Slot.Round(), open: true}
		}
		if e.Slot.Round() < r.number {
			return
		}
		if e.Kind == core.EventWithheld {
			r.withheld++
			return
		}
		r.forwarded++
		r.lead, r.last = e.Node, e.Num
	case core.EventPublic:
		if r.open && e.Slot.Round() > r.number {
			w.endRound()
		}
	}
}

// endRound writes the line of the round that was running, if any.
func (w *eventWriter) endRound() {
	r := &w.round
	if !r.open {
		return
	}
	w.log.Info("own round", "producer", r.producer.String(), "round", r.number, "blocks_out", r.forwarded,
		"kept_inside", r.withheld, "last_node", r.lead, "last_num", r.last)
	r.open = false
}
