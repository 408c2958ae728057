package demo

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"bprelay/relay/core"
	"bprelay/test/checker"
)

// Summary is what a run came to. Slots are our producer's, counted from its first round to the last
// slot that had passed when the run ended.
type Summary struct {
	OK     bool     `json:"ok"`
	Broken []string `json:"broken"` // why not OK

	Seed     uint64  `json:"seed"`
	Duration float64 `json:"duration_s"`
	Chain    string  `json:"chain"`
	Takeover string  `json:"takeover"`
	Nodes    int     `json:"nodes"`
	Kill     Kill    `json:"kill"`
	Relays   int     `json:"relays"`
	Cluster  string  `json:"cluster"` // pair or quorum; empty: one relay

	Preset string `json:"preset"` // of several relays

	// From the bytes the observer received.
	SlotsDue         int `json:"slots_due"`
	SlotsPublic      int `json:"slots_public"`
	SlotsDouble      int `json:"slots_double"`        // more than one distinct block on the network side
	SlotsLostInRound int `json:"slots_lost_in_round"` // in the round of a kill
	SlotsLostOutside int `json:"slots_lost_outside"`
	SlotsLate        int `json:"slots_late"`     // public, and the observer had the block after its timestamp only
	SlotsOrphaned    int `json:"slots_orphaned"` // public, but not on the chain of the newest block
	OthersDue        int `json:"others_due"`     // the same of the other producers
	OthersLost       int `json:"others_lost"`
	OthersDouble     int `json:"others_double"`
	VotesReceived    int `json:"votes_received"`

	// From the relay; of several, what any of them told, each block once.
	Withheld         int            `json:"withheld"` // blocks of our nodes that stayed inside
	WithheldByReason map[string]int `json:"withheld_by_reason"`
	Identical        int            `json:"identical"` // the same block from another node: one copy went out
	Won              map[string]int `json:"won"`       // blocks that went out, by node
	AddedLatency     Latency        `json:"added_latency_us"`
	Alarms           map[string]int `json:"alarms"`
	Blamed           int            `json:"blamed"`

	// Of a lead; all zero in race. Mode is the way in force in the end, and Why says why.
	Mode        string `json:"takeover_in_force"`
	Why         string `json:"takeover_why"`
	Releases    int    `json:"releases"`     // nodes released because the lead failed
	LeadChanges int    `json:"lead_changes"` // from one lead to another

	// Of several relays. Takeovers counts how often another one than before became active; TakeoverMs is from
	// the bytes the observer received.
	RelayKills int        `json:"relay_kills"` // of the active one
	Takeovers  int        `json:"takeovers"`
	TakeoverMs Succession `json:"takeover_ms"`

	// From our nodes.
	SiblingsSigned int `json:"siblings_signed"` // blocks beyond the first signed for one slot

	Kills         int     `json:"kills"`
	KillsInRound  int     `json:"kills_in_round"`
	Restarts      int     `json:"restarts"`
	CaughtUp      int     `json:"caught_up"`
	SlowestReturn float64 `json:"slowest_catch_up_ms"` // from the start of the process to the public head
	Transactions  int     `json:"transactions"`

	Violations []checker.Violation `json:"violations"`

	ended []string // relays that ended by themselves
}

// crashed notes that a relay ended by itself.
func (s *Summary) crashed(c *child) { s.ended = append(s.ended, c.id) }

// judge fills in what the checker found, and says what is broken.
func (s *Summary) judge(r checker.Report, othersDue int) {
	s.SlotsDue, s.SlotsPublic, s.SlotsDouble = r.SlotsDue, r.SlotsPublic, r.SlotsDouble
	s.SlotsLostInRound, s.SlotsLostOutside, s.SlotsOrphaned = r.SlotsLostInRound, r.SlotsLostOutside, r.SlotsOrphaned
	s.OthersDue, s.OthersLost, s.OthersDouble, s.VotesReceived = othersDue, r.OthersLost, r.OthersDouble, r.Votes
	s.SlotsLate = lateSlots(r.Slots)
	s.Violations = []checker.Violation{}
	for _, v := range r.Violations {
		// What nodeos sends on its own streams is its own affair, but for our blocks in it.
		if v.Rule == checker.RuleOneBlockPerSlot || strings.HasPrefix(v.Stream, relayName) {
			s.Violations = append(s.Violations, v)
		}
	}
	s.Broken = []string{}
	if s.SlotsDouble > 0 {
		s.broken("%d slots with two blocks", s.SlotsDouble)
	}
	if s.SlotsLostOutside > 0 {
		s.broken("%d slots lost outside a round with a kill", s.SlotsLostOutside)
	}
	if s.Mode != takeoverRace && s.SlotsLostInRound > s.KillsInRound {
		s.broken("%d slots lost in rounds with %d kills of nodes: with a lead one costs at most one", s.SlotsLostInRound, s.KillsInRound)
	}
	for _, who := range s.ended {
		s.broken("%s ended by itself", who)
	}
	if len(s.Violations) > 0 {
		s.broken("%d violations, the first: %v", len(s.Violations), s.Violations[0])
	}
}

func (s *Summary) broken(format string, args ...any) {
	s.Broken = append(s.Broken, fmt.Sprintf(format, args...))
}

// count takes over what the relay counted.
func (s *Summary) count(st *core.Stats, t *core.TakeoverStatus) {
	s.Releases, s.LeadChanges = int(t.Releases), int(t.LeadChanges)
	s.WithheldByReason, s.Alarms = map[string]int{}, map[string]int{}
	for r, n := range st.OwnWithheld {
		switch why := core.Reason(r); {
		case n == 0:
		case why == core.ReasonSameID:
			s.Identical = int(n)
		default:
			s.WithheldByReason[why.String()] = int(n)
			s.Withheld += int(n)
		}
	}
	for r, n := range st.Alarms {
		if n > 0 {
			s.Alarms[core.Reason(r).String()] = int(n)
		}
	}
	s.Blamed = int(st.Blamed)
}

// WriteText writes the summary for people.
func (s *Summary) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	put := func(what, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	fmt.Fprintln(t)
	put("run", "%.1f s, %s, %d nodes, takeover %s, kill %s, seed %d", s.Duration, s.Chain, s.Nodes, s.Takeover, s.Kill, s.Seed)
	put("our slots", "%d due, %d public, %d with two blocks, %d lost in the round of a kill, %d lost outside",
		s.SlotsDue, s.SlotsPublic, s.SlotsDouble, s.SlotsLostInRound, s.SlotsLostOutside)
	put("others' slots", "%d due, %d lost, %d with two blocks", s.OthersDue, s.OthersLost, s.OthersDouble)
	put("kept inside", "%d blocks%s; %d identical ones", s.Withheld, counts(s.WithheldByReason), s.Identical)
	out := s.AddedLatency.Blocks
	if s.Relays > 1 {
		out = 0 // some the standby let out first
		for _, n := range s.Won {
			out += n
		}
	}
	put("went out", "%d blocks%s", out, counts(s.Won))
	put("added by the relay", "p50 %.0f µs, p99 %.0f µs", s.AddedLatency.P50, s.AddedLatency.P99)
	if s.Mode != takeoverRace {
		put("takeover", "%s (%s): %d releases, %d lead changes, %d siblings signed", s.Mode, s.Why, s.Releases, s.LeadChanges, s.SiblingsSigned)
	}
	if s.Relays > 1 {
		put("relays", "%d (%s), %d killed, %d takeovers; the block due then came p50 %.0f ms, max %.0f ms late; %d blocks behind their timestamp", s.Relays, s.Cluster,
			s.RelayKills, s.Takeovers, s.TakeoverMs.P50, s.TakeoverMs.Max, s.SlotsLate)
	}
	put("kills", "%d, of which %d in our round; %d restarts, %d caught up, the slowest in %.0f ms",
		s.Kills, s.KillsInRound, s.Restarts, s.CaughtUp, s.SlowestReturn)
	if len(s.Alarms) > 0 || s.Blamed > 0 {
		put("alarms", "%d peers blamed%s", s.Blamed, counts(s.Alarms))
	}
	verdict := "every promise kept"
	if !s.OK {
		verdict = "BROKEN: " + strings.Join(s.Broken, "; ")
	} else if s.SlotsDue == 0 {
		verdict = "nothing to judge: none of our slots came in this time"
	} else if s.Kill != KillNone && s.Kill != "" && s.Kills+s.RelayKills == 0 {
		verdict = "every promise kept, but nothing was killed: it ran too short for that; see --duration"
	}
	put("verdict", "%s", verdict)
	return t.Flush()
}

// counts is " (a 1, b 2)", or nothing.
func counts(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// tenths rounds to one digit behind the point.
func tenths(x float64) float64 { return math.Round(x*10) / 10 }
