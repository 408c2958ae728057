package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// view writes lines; on a terminal it keeps a panel below them.
type view struct {
	w        io.Writer
	terminal bool
	panel    []string // as drawn
}

// Control sequences (ECMA-48).
const (
	bold, dim, red, green, yellow = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"
	plain                         = "\x1b[0m"
	up, clearBelow, noWrap, wrap  = "\x1b[%dA", "\x1b[J", "\x1b[?7l", "\x1b[?7h"
)

// line adds one line in a colour, which only a terminal gets.
func (v *view) line(colour, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if v.terminal {
		text = colour + text + plain
	}
	v.draw(text+"\n", v.panel)
}

// show replaces the panel.
func (v *view) show(panel ...string) {
	if v.terminal && !slices.Equal(panel, v.panel) {
		v.draw("", panel)
	}
}

// draw writes everything at once, so that nothing flickers.
func (v *view) draw(text string, panel []string) {
	var b strings.Builder
	if n := len(v.panel); n > 0 {
		fmt.Fprintf(&b, up+clearBelow, n)
	}
	b.WriteString(text)
	if v.terminal && len(panel) > 0 {
		// A panel line that wraps would be two lines to go up.
		b.WriteString(noWrap + strings.Join(panel, "\n") + "\n" + wrap)
		v.panel = panel
	} else {
		v.panel = nil
	}
	fmt.Fprint(v.w, b.String())
}

// slot shows a row.
func (v *view) slot(r *row) {
	colour := dim
	result := "no block"
	if len(r.ids) > 0 {
		result = fmt.Sprintf("%-14s %+7.1f ms", r.ids[0].Short(), float64(r.seenAt-r.slot.Time())/1e6)
	}
	if r.own {
		colour = green
		switch {
		case len(r.ids) == 0:
			colour = red
			result = fmt.Sprintf("%-25s", result)
		case len(r.ids) > 1:
			colour = red
			result += fmt.Sprintf("  TWO BLOCKS: %s", r.ids[1].Short())
		}
		result += r.inside()
	}
	v.line(colour, "%s  %-8s %2d/%d  %s", clock(r.slot.Time()), r.producer, r.slot.Index()+1, p2pwire.RoundSlots, result)
}

// inside says what went on behind the relay.
func (r *row) inside() string {
	var b strings.Builder
	if r.winner != "" {
		fmt.Fprintf(&b, "  %s", r.winner)
		for _, c := range r.made {
			if c.id == r.claimed && c.made && c.node != r.winner {
				fmt.Fprintf(&b, "=%s", c.node)
			}
		}
		if r.added > 0 {
			fmt.Fprintf(&b, "  relay +%d µs", r.added.Microseconds())
		}
	}
	sep := "  withheld: "
	for _, c := range r.made {
		if c.id == r.claimed {
			continue
		}
		fmt.Fprintf(&b, "%s%s %s", sep, c.node, c.id.Short())
		if c.reason != core.ReasonNone {
			fmt.Fprintf(&b, " (%s)", c.reason)
		}
		sep = ", "
	}
	return b.String()
}

// event shows what happened besides blocks.
func (v *view) event(wall int64, format string, args ...any) {
	v.line(yellow, "%s  %s", clock(wall), fmt.Sprintf(format, args...))
}

func clock(wall int64) string { return time.Unix(0, wall).Format("15:04:05.000") }
