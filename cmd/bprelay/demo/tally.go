package demo

import (
	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// tally counts what several relays tell: each judges every block, and a killed one leaves no counters behind.
type tally struct {
	kept      map[p2pwire.ID]core.Reason // blocks that stayed inside, unless they are in out
	out       map[p2pwire.ID]bool
	identical int
	alarms    map[string]int
	blamed    int
	last      map[string]core.TakeoverStatus // of each relay's present life
	releases  uint64                         // of the lives before
	changes   uint64
	takeovers int
	reigns    string // who became active last
}

func newTally() *tally {
	return &tally{kept: map[p2pwire.ID]core.Reason{}, out: map[p2pwire.ID]bool{}, alarms: map[string]int{}, last: map[string]core.TakeoverStatus{}}
}

func (t *tally) count(n news) {
	switch n.event {
	case core.EventClaimed:
		t.out[n.id] = true
	case core.EventWithheld:
		if n.reason == core.ReasonSameID {
			if n.relay == t.reigns {
				t.identical++
			}
		} else if t.kept[n.id] == core.ReasonNone {
			t.kept[n.id] = n.reason
		}
	case core.EventAlarm:
		t.alarms[n.reason.String()]++
	case core.EventBlamed:
		t.blamed++
	}
}

// learn takes a relay's counters, which began anew if it did.
func (t *tally) learn(relay string, s core.TakeoverStatus) { t.last[relay] = s }

// died notes that a relay's counters will begin anew.
func (t *tally) died(relay string) {
	t.releases += t.last[relay].Releases
	t.changes += t.last[relay].LeadChanges
	delete(t.last, relay)
}

// becomes notes that a relay is active now.
func (t *tally) becomes(relay string) {
	if t.reigns != "" && t.reigns != relay {
		t.takeovers++
	}
	t.reigns = relay
}

// sum fills in what a summary says of the relays.
func (t *tally) sum(s *Summary) {
	s.Releases, s.LeadChanges, s.Takeovers = int(t.releases), int(t.changes), t.takeovers
	for _, st := range t.last {
		s.Releases += int(st.Releases)
		s.LeadChanges += int(st.LeadChanges)
	}
	s.WithheldByReason, s.Alarms, s.Blamed, s.Identical = map[string]int{}, t.alarms, t.blamed, t.identical
	for id, why := range t.kept {
		if !t.out[id] {
			s.WithheldByReason[why.String()]++
			s.Withheld++
		}
	}
}
