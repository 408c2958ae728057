//go:build linux

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
	"bprelay/test/rig"
)

// outcome is what came of one fault, or of the rounds without one (fault "none").
type outcome struct {
	Fault   string  `json:"fault"`
	AtMs    float64 `json:"at_ms"`
	ForMs   float64 `json:"for_ms,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Active  string  `json:"active,omitempty"`
	After   string  `json:"active_after,omitempty"` // who became active within the round, if anybody
	Why     string  `json:"why,omitempty"`
	Due     int     `json:"slots_due"`
	Lost    int     `json:"slots_lost"`
	LostAt  []int   `json:"lost_at,omitempty"` // index in the round
	Late    int     `json:"slots_late"`
	Double  int     `json:"slots_double"`
	Orphans int     `json:"slots_orphaned"`
	// TakeoverMs is from when the first block that the network lacked was due, or from the fault if that came later,
	// until the network had our next block; GapMs is from the fault until then, and DetectMs from the fault until
	// another relay was active. -1: there was none in the round.
	TakeoverMs float64 `json:"takeover_ms"`
	GapMs      float64 `json:"gap_ms"`
	DetectMs   float64 `json:"detect_ms"`
}

// result is what came of a run.
type result struct {
	Seed       uint64              `json:"seed"`
	OK         bool                `json:"ok"`
	Broken     []string            `json:"broken,omitempty"`
	Outcomes   []outcome           `json:"outcomes"`
	OthersLost int                 `json:"others_lost"`
	Violations []checker.Violation `json:"violations,omitempty"`
	Alarms     map[string]int      `json:"alarms,omitempty"`
}

func (r *result) broken(format string, args ...interface{}) {
	r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
	r.OK = false
}

// judge says what the network saw of the run.
func (w *world) judge() (*result, error) {
	r := &result{Seed: w.Seed, OK: true, Alarms: map[string]int{}}
	report := w.network.Judge.Report(w.plan.First, w.plan.Round(rounds-1)+p2pwire.RoundSlots-1)
	arrivals := w.network.Judge.Arrivals()
	roles, err := w.readLogs(r)
	if err != nil {
		return nil, err
	}
	for i := range rounds {
		round := w.plan.Round(i)
		var o outcome
		if i > 0 && i <= len(w.courses) {
			c := w.courses[i-1]
			o = c.outcome(arrivals, roles)
			o.count(report.Slots, round)
			if most := traits[c.Kind].lost; most >= 0 && o.Lost+o.Orphans > most {
				r.broken("%v: %d slots lost and %d not on the chain, at most %d may be", c.fault, o.Lost, o.Orphans, most)
			}
		} else {
			o = outcome{Fault: "none", TakeoverMs: -1, GapMs: -1, DetectMs: -1}
			if o.count(report.Slots, round); o.Lost+o.Orphans > 0 {
				r.broken("%d slots lost and %d not on the chain in round %d of ours, which had no fault", o.Lost, o.Orphans, i+1)
			}
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	r.OthersLost, r.Violations = report.OthersLost, report.Violations
	if report.SlotsDouble > 0 {
		r.broken("%d slots with two blocks", report.SlotsDouble)
	}
	if len(r.Violations) > 0 {
		r.broken("%d violations, the first: %v", len(r.Violations), r.Violations[0])
	}
	if n := r.Alarms["double_claim"]; n > 0 {
		r.broken("%d alarms double_claim", n)
	}
	return r, nil
}

// count takes the slots of one round.
func (o *outcome) count(slots []checker.SlotState, round p2pwire.Slot) {
	for _, s := range slots {
		if s.Slot.Round() != round.Round() {
			continue
		}
		o.Due++
		switch {
		case len(s.IDs) == 0:
			o.Lost++
			o.LostAt = append(o.LostAt, int(s.Slot.Index()))
			continue
		case len(s.IDs) > 1:
			o.Double++
		}
		if s.First > 0 {
			o.Late++
		}
		if s.Orphaned {
			o.Orphans++
		}
	}
}

// outcome measures how long the network waited.
func (c *course) outcome(arrivals []rig.Arrival, roles []roleChange) outcome {
	o := outcome{
		Fault: string(c.Kind), AtMs: float64(c.At.Milliseconds()), ForMs: float64(c.For.Milliseconds()), Detail: c.fault.String(),
		Active: c.active, TakeoverMs: -1, GapMs: -1, DetectMs: -1,
	}
	over := (c.round + p2pwire.RoundSlots).Time()
	for _, x := range roles {
		if x.wall >= c.began && x.wall <= over && x.active && x.member != c.active {
			o.After, o.Why, o.DetectMs = x.member, x.reason, ms(x.wall-c.began)
			break
		}
	}
	first := map[p2pwire.Slot]int64{} // when the network had it
	for _, a := range arrivals {
		if a.Slot.Round() == c.round.Round() && (first[a.Slot] == 0 || a.Wall < first[a.Slot]) {
			first[a.Slot] = a.Wall
		}
	}
	lacking, next := int64(0), int64(0)
	for slot := c.round; slot < c.round+p2pwire.RoundSlots; slot++ {
		came := first[slot]
		if came > 0 && came <= c.began {
			continue
		}
		if lacking == 0 {
			lacking = max(c.began, rig.Due(slot))
		}
		if came > 0 && (next == 0 || came < next) {
			next = came
		}
	}
	if next > 0 {
		o.TakeoverMs, o.GapMs = ms(max(0, next-lacking)), ms(next-c.began)
	}
	return o
}

func ms(ns int64) float64 { return float64(ns/1e5) / 10 }

// roleChange is what a relay said of its role.
type roleChange struct {
	member string
	wall   int64 // unix ns
	active bool
	reason string
}

// readLogs finds the changes of roles in the relays' logs, and counts alarms.
func (w *world) readLogs(r *result) (roles []roleChange, err error) {
	for _, m := range w.members {
		file, err := os.Open(m.log)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var x struct {
				Time   time.Time `json:"time"`
				Msg    string    `json:"msg"`
				Reason string    `json:"reason"`
			}
			text := lines.Bytes()
			if json.Unmarshal(text, &x) != nil {
				if strings.HasPrefix(string(text), "panic:") || strings.HasPrefix(string(text), "fatal error:") {
					r.broken("%s: %s", m.name, text)
				}
				continue
			}
			switch x.Msg {
			case "this relay is active", "this relay is standby":
				roles = append(roles, roleChange{m.name, x.Time.UnixNano(), x.Msg == "this relay is active", x.Reason})
			case "alarm":
				r.Alarms[x.Reason]++
			}
		}
		file.Close()
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("log of %s: %w", m.name, err)
		}
	}
	slices.SortStableFunc(roles, func(a, b roleChange) int { return cmp.Compare(a.wall, b.wall) })
	return roles, nil
}
