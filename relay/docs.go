package relay

import (
	"fmt"
	"strings"

	"bprelay/relay/core"
)

//go:generate go test -run TestReasonsDoc -update .

// reasonGroups introduces the parts of the catalogue.
var reasonGroups = []struct {
	group core.ReasonGroup
	intro string
}{
	{core.GroupOwn, "Why a block of ours went out, waits, or stays inside. A sibling that stays inside is normal with several producing nodes."},
	{core.GroupLost, "Why one of our slots has no block of ours in the public chain, where the blocks' own reasons do not say it. `bprelay explain` tells the story of a slot."},
	{core.GroupMessages, "Why a message was not passed on (`bprelay_dropped_total`)."},
	{core.GroupSessions, "Why a session ended (`bprelay_sessions_closed_total`)."},
	{core.GroupLead, "Why another node leads now (`takeover: leash` and `api`; `bprelay_lead_changes_total`)."},
	{core.GroupActive, "In a cluster: why this relay is active or standby (`event=role` in the log, `bprelay status`)."},
	{core.GroupAlarms, "What a human should look at (`bprelay_alarms_total`, log level error)."},
}

// reasonsDoc is REASONS.md.
func reasonsDoc() string {
	var b strings.Builder
	b.WriteString("# Reasons\n\n")
	b.WriteString("Generated from the core's catalogue (`go generate ./relay`); a test fails when it drifts. Every block of\n" +
		"ours that stays inside, every dropped message, ended session, lost slot and alarm names one of these: in\n" +
		"logs, in metrics (label `reason`), in `/status` and `/slots`, and in the words of `bprelay explain`.\n")
	for _, g := range reasonGroups {
		fmt.Fprintf(&b, "\n## %s%s\n\n%s\n\n", strings.ToUpper(string(g.group[:1])), g.group[1:], g.intro)
		todo := false
		for _, r := range core.Reasons() {
			todo = todo || r.Group() == g.group && r.ToDo() != ""
		}
		b.WriteString("| reason | meaning |")
		if todo {
			b.WriteString(" what to do |")
		}
		b.WriteString("\n| --- | --- |")
		if todo {
			b.WriteString(" --- |")
		}
		b.WriteByte('\n')
		for _, r := range core.Reasons() {
			if r.Group() != g.group {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s |", r, r.Help())
			if todo {
				fmt.Fprintf(&b, " %s |", r.ToDo())
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
