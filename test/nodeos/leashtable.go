package nodeos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"bprelay/p2pwire"
)

// leadTable sums faults up, one line for each mode and kind, as a table in Markdown.
func leadTable(results []*leadResult) string {
	type line struct{ mode, kind string }
	groups := map[line][]*leadResult{}
	var order []line
	for _, r := range results {
		for _, l := range []line{{r.mode, string(r.fault.kind)}, {r.mode, "all"}} {
			if groups[l] == nil {
				order = append(order, l)
			}
			groups[l] = append(groups[l], r)
		}
	}
	slices.SortStableFunc(order, func(a, b line) int { return cmp.Or(cmp.Compare(a.mode, b.mode), isAll(a.kind)-isAll(b.kind)) })
	var b strings.Builder
	b.WriteString("| takeover | fault of the lead | faults | slots due | lost | at index | late | forks | double ids | siblings signed by it / its successor / held nodes | fault to next block: median, worst | release to block: median, worst |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, l := range order {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.mode, l.kind, strings.Join(sumUp(groups[l]), " | "))
	}
	return b.String()
}

func isAll(kind string) int {
	if kind == "all" {
		return 1
	}
	return 0
}

// sumUp makes the columns behind the kind.
func sumUp(results []*leadResult) []string {
	var due, lost, late, forks, double int
	var siblings [3]int
	at := map[int]int{}
	var next, obeyed []time.Duration
	for _, r := range results {
		due += p2pwire.RoundSlots
		lost += len(r.lost)
		for _, i := range r.lost {
			at[i]++
		}
		late += r.late
		forks += r.forks
		double += r.double + r.othersDouble
		siblings[0] += r.byVictim
		siblings[1] += r.bySuccessor
		siblings[2] += r.byHeld
		if r.next > 0 {
			next = append(next, r.next)
		}
		if r.obeyed > 0 && r.at.After(begin(r.round)) {
			obeyed = append(obeyed, r.obeyed)
		}
	}
	var where []string
	for _, i := range slices.Sorted(maps.Keys(at)) {
		where = append(where, fmt.Sprintf("%d: %d", i, at[i]))
	}
	return []string{
		fmt.Sprint(len(results)), fmt.Sprint(due), fmt.Sprint(lost), strings.Join(where, ", "), fmt.Sprint(late), fmt.Sprint(forks), fmt.Sprint(double),
		fmt.Sprintf("%d / %d / %d", siblings[0], siblings[1], siblings[2]), spread(next), spread(obeyed),
	}
}

// spread is median and maximum.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "-"
	}
	slices.Sort(times)
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	return fmt.Sprintf("%d ms, %d ms", ms(times[len(times)/2]), ms(times[len(times)-1]))
}

// leadLines lists the faults one by one.
func leadLines(results []*leadResult) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mode\tfault\tof\tafter\tlasted\tlost\tlate\tforks\tdouble\tsiblings\treleased\tnext block\tobeyed\tmargin\ttrx\tothers lost\tproblems")
	for _, r := range results {
		var released []string
		for _, l := range r.releases {
			released = append(released, fmt.Sprintf("%s %s %+d ms", l.node, l.reason, l.at.Sub(r.at).Milliseconds()))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d ms\t%d ms\t%v\t%d\t%d\t%d\t%d/%d/%d\t%s\t%d ms\t%.1f ms\t%d ms\t%d\t%d\t%d\n", r.mode, r.fault.kind, r.victim,
			r.at.Sub(begin(r.round)).Milliseconds(), r.fault.lasts.Milliseconds(), r.lost, r.late, r.forks, r.double, r.byVictim, r.bySuccessor, r.byHeld,
			strings.Join(released, ", "), r.next.Milliseconds(), float64(r.obeyed.Microseconds())/1000, r.margin.Milliseconds(), r.transactions, r.othersLost, len(r.problems))
	}
	_ = w.Flush() // into memory
	return b.String()
}
