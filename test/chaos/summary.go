//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// summary is what all runs came to.
type summary struct {
	OK       bool     `json:"ok"`
	Mode     mode     `json:"mode"`
	Witness  bool     `json:"witness"`
	Runs     int      `json:"runs"`
	Played   int      `json:"played"` // runs that came to their end
	Seed     uint64   `json:"seed"`
	Parallel int      `json:"parallel"`
	Took     float64  `json:"took_s"`
	Failing  []uint64 `json:"failing_seeds"`

	Due        int            `json:"slots_due"`
	Lost       int            `json:"slots_lost"`
	Late       int            `json:"slots_late"`
	Double     int            `json:"slots_double"`
	Orphaned   int            `json:"slots_orphaned"`
	OthersLost int            `json:"others_lost"`
	Takeover   spread         `json:"takeover_ms"` // of faults that end, stop or cut off the active
	Detect     spread         `json:"detect_ms"`
	Killed     spread         `json:"takeover_after_kill_ms"` // of those that kill it
	Alarms     map[string]int `json:"alarms"`
	Faults     []row          `json:"faults"`
	Broken     []string       `json:"broken"`
	Results    []*result      `json:"results,omitempty"`
}

// spread is of measurements in ms.
type spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// row is what one kind of fault came to.
type row struct {
	Fault    string         `json:"fault"`
	Rounds   int            `json:"rounds"`
	Due      int            `json:"slots_due"`
	Lost     int            `json:"slots_lost"`
	MostLost int            `json:"most_lost_in_a_round"`
	Late     int            `json:"slots_late"`
	Double   int            `json:"slots_double"`
	Orphaned int            `json:"slots_orphaned"`
	Changes  int            `json:"changes_of_active"`
	Why      map[string]int `json:"why,omitempty"`
	Takeover spread         `json:"takeover_ms"`
	Gap      spread         `json:"fault_to_next_block_ms"`
	Detect   spread         `json:"detect_ms"`

	takeover, gap, detect []float64
}

func measure(x []float64) spread {
	if len(x) == 0 {
		return spread{}
	}
	x = slices.Sorted(slices.Values(x))
	at := func(q float64) float64 { return x[max(0, int(math.Ceil(q*float64(len(x))))-1)] }
	return spread{N: len(x), P50: at(0.5), P99: at(0.99), Max: x[len(x)-1]}
}

// sum puts the results together.
func (s *summary) sum(results []*result) {
	rows := map[string]*row{}
	s.Alarms, s.Failing, s.Broken = map[string]int{}, []uint64{}, []string{}
	var takeover, detect, killed []float64
	for _, r := range results {
		if !r.OK {
			s.Failing = append(s.Failing, r.Seed)
			for _, b := range r.Broken {
				s.Broken = append(s.Broken, fmt.Sprintf("seed %d: %s", r.Seed, b))
			}
		}
		s.OthersLost += r.OthersLost
		for k, n := range r.Alarms {
			s.Alarms[k] += n
		}
		for _, o := range r.Outcomes {
			x := rows[o.Fault]
			if x == nil {
				x = &row{Fault: o.Fault, Why: map[string]int{}}
				rows[o.Fault] = x
			}
			x.add(&o)
			s.Due, s.Lost, s.Late, s.Double, s.Orphaned = s.Due+o.Due, s.Lost+o.Lost, s.Late+o.Late, s.Double+o.Double, s.Orphaned+o.Orphans
			if t := traits[kind(o.Fault)]; t.takeover && o.TakeoverMs >= 0 {
				takeover = append(takeover, o.TakeoverMs)
				if t.restart {
					killed = append(killed, o.TakeoverMs)
				}
				if o.DetectMs >= 0 {
					detect = append(detect, o.DetectMs)
				}
			}
		}
	}
	for _, x := range rows {
		x.Takeover, x.Gap, x.Detect = measure(x.takeover), measure(x.gap), measure(x.detect)
		s.Faults = append(s.Faults, *x)
	}
	slices.SortFunc(s.Faults, func(a, b row) int { return cmp.Compare(a.Fault, b.Fault) })
	s.Takeover, s.Detect, s.Killed = measure(takeover), measure(detect), measure(killed)
	s.OK = len(s.Failing) == 0 && s.Played == s.Runs && len(s.Broken) == 0
}

func (x *row) add(o *outcome) {
	x.Rounds++
	x.Due, x.Lost, x.Late, x.Double, x.Orphaned = x.Due+o.Due, x.Lost+o.Lost, x.Late+o.Late, x.Double+o.Double, x.Orphaned+o.Orphans
	x.MostLost = max(x.MostLost, o.Lost)
	if o.After != "" {
		x.Changes++
		x.Why[o.Why]++
	}
	for _, m := range []struct {
		list  *[]float64
		value float64
	}{{&x.takeover, o.TakeoverMs}, {&x.gap, o.GapMs}, {&x.detect, o.DetectMs}} {
		if m.value >= 0 {
			*m.list = append(*m.list, m.value)
		}
	}
}

// writeText writes it for people.
func (s *summary) writeText(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\trounds\tdue\tlost\tmost\tlate\tdouble\tactive changed\ttakeover ms p50/p99\tfault to next block\tdetected\twhy")
	for _, x := range s.Faults {
		var why []string
		for _, k := range slices.Sorted(maps.Keys(x.Why)) {
			why = append(why, fmt.Sprintf("%s %d", strings.TrimPrefix(k, "active_"), x.Why[k]))
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%v\t%v\t%s\n", x.Fault, x.Rounds, x.Due, x.Lost, x.MostLost, x.Late, x.Double, x.Changes,
			x.Takeover, x.Gap, x.Detect, strings.Join(why, ", "))
	}
	_ = t.Flush() // to a terminal
	fmt.Fprintf(w, "%s: %d of %d runs from seed %d in %.0f s: %d slots due, %d lost, %d not on the chain, %d late, %d double; takeover %v ms, after a kill %v ms\n",
		s.Mode, s.Played, s.Runs, s.Seed, s.Took, s.Due, s.Lost, s.Orphaned, s.Late, s.Double, s.Takeover, s.Killed)
	for _, b := range s.Broken {
		fmt.Fprintln(w, "BROKEN:", b)
	}
}

// String is p50/p99.
func (s spread) String() string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f/%.0f", s.P50, s.P99)
}
