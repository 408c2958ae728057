package relay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/explain"
)

// round writes the one line of a round of ours: at level info if every slot was saved, else at level
// warn with the explanation of the first one that was not. The other slots' stories are for
// `bprelay explain`.
func (w *eventWriter) round(e *core.Event) {
	var (
		counts            core.ByOutcome
		inside, identical int
		lead              = map[string]int{}
		left, added, echo []int64
		bad               []p2pwire.Slot
		first             *core.SlotRecord
	)
	for i := range e.Round {
		r := &e.Round[i]
		counts[r.Outcome]++
		inside += r.KeptInside
		for j := range r.Nodes {
			if r.Nodes[j].Decision == core.DecisionIdentical {
				identical++
			}
		}
		if r.Outcome == core.OutcomeLost || r.Outcome == core.OutcomeOrphaned {
			bad = append(bad, r.Slot)
			if first == nil {
				first = r
			}
		}
		if r.Node == "" {
			continue
		}
		lead[r.Node]++
		if r.LeftNs.Known {
			left, added = append(left, r.LeftNs.Ns-r.DueNs), append(added, r.AddedNs.Ns)
			if r.EchoNs.Known {
				echo = append(echo, r.EchoNs.Ns-r.LeftNs.Ns)
			}
		}
	}
	args := []slog.Attr{
		slog.String("producer", e.Producer.String()), slog.Int("round", int(e.Slot.Round())),
		slog.Int("first_slot", int(e.Slot)), slog.Int("due", len(e.Round)), slog.Uint64("public", counts[core.OutcomePublic]),
	}
	for _, o := range []core.Outcome{core.OutcomeLate, core.OutcomeOrphaned, core.OutcomeElsewhere, core.OutcomeLost} {
		if counts[o] > 0 || o == core.OutcomeLost {
			args = append(args, slog.Uint64(o.String(), counts[o]))
		}
	}
	if first != nil {
		args = append(args, slog.String("lost_slots", ranges(bad)))
	}
	args = append(args, slog.Int("identical", identical), slog.Int("kept_inside", inside), slog.String("nodes", shares(lead)))
	args = append(args, spread("after_due", left)...)
	args = append(args, spread("added", added)...)
	args = append(args, spread("echo", echo)...)
	level := slog.LevelInfo
	if first != nil {
		level = slog.LevelWarn
		args = append(args, slog.String("explanation", explain.Headline(first)))
	}
	w.log.LogAttrs(context.Background(), level, "own round", args...)
}

// ranges writes rising slots as 5-7,9.
func ranges(slots []p2pwire.Slot) string {
	var parts []string
	for i := 0; i < len(slots); {
		j := i
		for j+1 < len(slots) && slots[j+1] == slots[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(slots[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", slots[i], slots[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// shares writes how many of the blocks that went out each node made, the most first.
func shares(of map[string]int) string {
	names := make([]string, 0, len(of))
	for n := range of {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if of[a] != of[b] {
			return of[b] - of[a]
		}
		return strings.Compare(a, b)
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s:%d", n, of[n])
	}
	return strings.Join(names, " ")
}

// spread gives median and maximum of some times (ns).
func spread(name string, ns []int64) []slog.Attr {
	if len(ns) == 0 {
		return nil
	}
	slices.Sort(ns)
	round := func(v int64) time.Duration { return time.Duration(v).Round(10 * time.Microsecond) }
	return []slog.Attr{
		slog.Duration(name+"_p50", round(ns[(len(ns)-1)/2])), slog.Duration(name+"_max", round(ns[len(ns)-1])),
	}
}
