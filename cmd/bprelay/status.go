package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bprelay/ha/record"
	"bprelay/p2pwire"
	"bprelay/relay/admin"
	"bprelay/relay/core"
)

// lastShown is how many of our last slots status counts: two rounds.
const lastShown = 2 * p2pwire.RoundSlots

func newStatusCommand() *cobra.Command {
	var path, address string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how a running relay and its nodes stand",
		Long: "Asks a running relay for its state: how nodes take over from each other and why, which one leads,\n" +
			"what state each is in and what it lacks, the sessions, the heads, and what became of our slots. The\n" +
			"relay is found by --admin, by the configuration's admin.listen, or at its default.",
		Example: "  bprelay status\n  bprelay status -c bprelay.yaml --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			st, err := admin.AskStatus(c.Context(), address)
			if err != nil {
				return failed(fmt.Errorf("ask the relay at %s: %w", address, err))
			}
			text := statusText{status: st}
			if !asJSON && st.Cluster != nil {
				var view record.View
				if _, err := admin.AskCluster(c.Context(), address, &view); err != nil {
					return failed(fmt.Errorf("ask the relay at %s: %w", address, err))
				}
				text.members = memberLines(&view)
			}
			if !asJSON {
				if text.slots, err = admin.AskSlots(c.Context(), address, core.SlotQuery{Last: lastShown}); err != nil {
					return failed(fmt.Errorf("ask the relay at %s: %w", address, err))
				}
			}
			return show(c, text, asJSON, true, exitOK)
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	c.Flags().BoolVar(&asJSON, "json", false, "print the state as JSON, as /status gives it")
	return c
}

// memberLines says how the other members stand, by their records.
func memberLines(v *record.View) (lines []string) {
	for _, e := range v.Members {
		switch r := e.Record; {
		case e.Self:
		case r == nil:
			lines = append(lines, e.Member+": nothing was heard of it")
		default:
			age := time.Duration(e.AgeMS) * time.Millisecond
			lines = append(lines, fmt.Sprintf("%s: %s, epoch %d, %d nodes, %d peers, head %d (%s, %s ago)",
				e.Member, r.Status.Role, r.Status.Epoch, len(r.Status.Nodes), r.Status.Peers, r.Status.Public.Number, e.State, age.Round(100*time.Millisecond)))
		}
	}
	return lines
}

// statusText is a relay's state as status shows it.
type statusText struct {
	status  admin.StatusReport
	slots   core.SlotReport
	members []string // the other ones of its cluster, in words
}

// MarshalJSON is the state as the relay gave it.
func (s statusText) MarshalJSON() ([]byte, error) { return s.status.Raw, nil }

// WriteText writes the state in a screenful.
func (s statusText) WriteText(w io.Writer) error {
	st := &s.status
	var b strings.Builder
	put := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", key, fmt.Sprintf(format, args...))
	}
	ready := "ready"
	if len(st.Missing) > 0 {
		ready = "not ready: " + strings.Join(st.Missing, "; ")
	}
	put("relay", "%s, up %s, %s", st.Version, time.Duration(st.UptimeNs).Round(time.Second), ready)
	for _, n := range st.Notes {
		put("note", "%s", n)
	}
	if cl := st.Cluster; cl != nil {
		linked := "linked to the other relay"
		if !cl.Linked {
			linked = "no link to the other relay"
		}
		put("cluster", "%s for %s, epoch %d (%s); %s", cl.Role, time.Duration(cl.SinceNs).Round(time.Second), cl.Epoch, cl.Reason, linked)
	}
	for _, m := range s.members {
		put("member", "%s", m)
	}
	put("head", "%s", blockText(st.PublicHead))
	put("last own", "%s", blockText(st.LastClaimed))
	put("own slots", "last %d: %s; in rounds judged since the start: %s", len(s.slots.Slots), outcomes(countSlots(s.slots.Slots)), outcomes(st.Stats.OwnSlots))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if err := writeNodes(w, &st.Takeover); err != nil {
		return err
	}
	return writeSessions(w, st.Sessions)
}

// writeNodes shows the takeover and a line for each node.
func writeNodes(w io.Writer, t *core.TakeoverStatus) error {
	mode := t.Mode.String()
	if t.Configured != t.Mode {
		mode = fmt.Sprintf("%s (configured: %s)", t.Mode, t.Configured)
	}
	if t.Why != "" {
		mode += ": " + t.Why
	}
	fmt.Fprintf(w, "%-10s %s\n", "takeover", mode)
	switch {
	case t.Lead != "":
		fmt.Fprintf(w, "%-10s %s; %d releases, %d changes of the lead\n", "lead", t.Lead, t.Releases, t.LeadChanges)
	case t.Mode != core.TakeoverRace:
		fmt.Fprintf(w, "%-10s none\n", "lead")
	}
	if t.NextRunInNs > 0 {
		fmt.Fprintf(w, "%-10s in %s\n", "next run", time.Duration(t.NextRunInNs).Round(100*time.Millisecond))
	}
	if len(t.Nodes) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "\nnode\trole\tstate\tvotes kept\theld back\twhy")
	for i := range t.Nodes {
		n := &t.Nodes[i]
		state := string(n.State)
		if n.State == core.NodeArming && n.ArmedInNs > 0 {
			state += " (armed in " + time.Duration(n.ArmedInNs).Round(100*time.Millisecond).String() + ")"
		}
		if n.Drained {
			state += ", drained"
		}
		held := ""
		if n.HeldBack != 0 {
			held = fmt.Sprint(n.HeldBack)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", n.Node, n.Role, state, n.ReserveVotes, dash(held), dash(n.Why))
	}
	return table.Flush()
}

// writeSessions shows a line for each session.
func writeSessions(w io.Writer, list []core.SessionStatus) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "\nsession\tside\tremote\tstate\thead\tround trip\tqueued")
	for i := range list {
		s := &list[i]
		state := "handshaking"
		switch {
		case s.Syncing:
			state = "catching up"
		case s.Ready:
			state = "ready"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%d\n", s.Name, s.Side, s.Remote, state, s.HeadNum,
			time.Duration(s.RTTNs).Round(10*time.Microsecond), s.QueuedBytes)
	}
	if len(list) == 0 {
		fmt.Fprintln(table, "none")
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func blockText(b *core.BlockRef) string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("%d by %s, slot %d (%s)", b.Num, b.Producer, b.Slot, time.Unix(0, b.Slot.Time()).UTC().Format("15:04:05.0 UTC"))
}

func countSlots(list []core.SlotRecord) map[string]uint64 {
	counts := map[string]uint64{}
	for i := range list {
		counts[list[i].Outcome.String()]++
	}
	return counts
}

// outcomes lists what there is, best first.
func outcomes(counts map[string]uint64) string {
	var parts []string
	for _, o := range append(core.Outcomes(), core.OutcomePending) {
		if n := counts[o.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
