package probe

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for people. The error is the writer's.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(key, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", key, fmt.Sprintf(format, args...)) }
	line("address", "%s", r.Address)
	if r.Connected {
		line("connected", "to %s in %.1f ms", r.Remote, r.ConnectMs)
	}
	if p := r.Peer; p != nil {
		line("chain id", "%s", p.ChainID)
		line("version", "network %d, protocol %d (%s)", p.NetworkVersion, p.ProtocolVersion, p.Release)
		line("agent", "%s on %s", p.Agent, p.OS)
		line("p2p address", "%s", p.P2PAddress)
		if p.SignedBy != "" {
			line("signed by", "%s", p.SignedBy)
		}
		line("root", "%d %s", p.RootNum, p.RootID)
		line("head", "%d %s (%d above root)", p.HeadNum, p.HeadID, p.HeadNum-p.RootNum)
	}
	if c := r.Clock; c != nil {
		line("round trip", "%.2f ms (best of %d)", c.RoundTripMs, c.Pings)
		line("clock", "%+.2f ms against ours", c.OffsetMs)
	}
	if r.ListenedMs > 0 {
		line("listened", "%.1f s", r.ListenedMs/1000)
		if b := r.Blocks; b != nil {
			kind := "legacy"
			if b.Savanna {
				kind = "Savanna"
			}
			line("blocks", "%d (%s), %d to %d", b.Count, kind, b.First, b.Last)
			line("arrival", "%+.0f to %+.0f ms around the slot's time, median %+.0f", b.EarliestMs, b.LatestMs, b.MedianMs)
		} else {
			line("blocks", "none")
		}
		line("votes", "%d", r.Votes)
		line("transactions", "%d", r.Transactions)
	}
	if len(r.Messages) > 0 {
		line("messages", "%s", counts(r.Messages))
	}
	if r.Ended != "" {
		line("ended", "%s", r.Ended)
	}
	for _, f := range r.Findings {
		line(string(f.Severity), "%s", f.Text)
	}
	if r.Healthy {
		line("result", "healthy")
	} else {
		line("result", "NOT healthy")
	}
	return w.Flush()
}

func counts(m map[string]int) string {
	list := make([]string, 0, len(m))
	for name, n := range m {
		list = append(list, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
