package relay

import (
	"context"
	"log/slog"

	"bprelay/relay/core"
	"bprelay/relay/hooks"
)

// eventWriter turns events into log lines.
type eventWriter struct {
	log   *slog.Logger
	debug bool
}

func (w *eventWriter) event(e *core.Event) {
	if e.Kind == core.EventRound {
		w.round(e)
		return
	}
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
	if e.Kind == core.EventRole {
		args = append(args, slog.Uint64("epoch", e.Epoch))
	}
	text("node", e.Node)
	if e.Remote != e.Node {
		text("remote", e.Remote)
	}
	if !e.ID.IsZero() {
		text("producer", e.Producer.String())
		args = append(args, slog.Int("slot", int(e.Slot)), slog.Int("num", int(e.Num)), slog.String("id", e.ID.String()))
	}
	if hooks.LeadChanged(e) {
		text("previous_node", e.Detail)
		text("detail", e.Lacked)
	} else {
		text("detail", e.Detail)
	}
	if level >= slog.LevelWarn {
		text("help", e.Reason.Help())
	}
	w.log.LogAttrs(context.Background(), level, messageOf(e), args...)
}

// levelOf follows the written meaning of levels: error = a human is needed now, warn = degraded,
// info = role or session changes, debug = per message. The lead is a role only where nodes are held:
// else, while the nodes' blocks are identical, it is whoever was first, and changes from block to block.
func levelOf(e *core.Event) slog.Level {
	switch e.Kind {
	case core.EventAlarm:
		return slog.LevelError
	case core.EventBlamed:
		return slog.LevelWarn
	case core.EventLead:
		if hooks.LeadChanged(e) {
			return slog.LevelInfo
		}
	case core.EventSessionUp, core.EventSessionDown, core.EventRole:
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
	case core.EventRole:
		return "this relay is " + e.Role.String()
	case core.EventLead:
		if hooks.LeadChanged(e) {
			return "another node leads"
		}
		return "node whose blocks go out changed"
	}
	return e.Kind.String()
}
