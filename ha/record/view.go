package record

import "time"

// The states of a member's record.
const (
	Fresh   = "fresh"
	Stale   = "stale"
	Missing = "missing"
)

// Entry is one member in a view.
type Entry struct {
	Member string `json:"member"`
	Self   bool   `json:"self,omitempty"`
	// State is Fresh, Stale, or Missing if nothing is known.
	State string `json:"state"`
	// AgeMS is how old the record is, in milliseconds.
	AgeMS  int64   `json:"age_ms,omitempty"`
	Record *Record `json:"record,omitempty"`
}

// View is the whole cluster as one member knows it.
type View struct {
	// From is the member that tells it.
	From string `json:"from"`
	// Members are all configured ones, in the configuration's order.
	Members []Entry `json:"members"`
	// Refused counts records that were not believed, by reason.
	Refused map[string]uint64 `json:"refused,omitempty"`
}

// View returns what is known now.
func (s *Store) View() View {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.age(now)
	v := View{From: s.o.Identity.Name()}
	for _, name := range s.o.Members {
		e := Entry{Member: name, Self: name == v.From, State: Missing}
		if k := s.records[name]; k != nil {
			r, age := k.Record, k.age(now)
			e.Record, e.AgeMS, e.State = &r, age.Milliseconds(), Fresh
			if age > s.o.StaleAfter {
				e.State = Stale
			}
		}
		v.Members = append(v.Members, e)
	}
	if len(s.refused) > 0 {
		v.Refused = map[string]uint64{}
		for reason, n := range s.refused {
			v.Refused[reason] = n
		}
	}
	return v
}
