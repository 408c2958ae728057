package demo

import (
	"slices"
	"sync"

	"bprelay/p2pwire"
)

// signatures counts the blocks that our nodes signed for a slot beyond the first. A node that is held
// signs none; one that takes over in the middle of a slot may add one, if the other one's never left.
type signatures struct {
	mu       sync.Mutex
	recent   map[p2pwire.Slot][]p2pwire.ID
	siblings int
}

// signedKept is for how many slots behind the newest siblings are told apart: rounds of ours are closed
// long before.
const signedKept = 240

func (s *signatures) add(slot p2pwire.Slot, id p2pwire.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recent == nil {
		s.recent = map[p2pwire.Slot][]p2pwire.ID{}
	}
	ids := s.recent[slot]
	if slices.Contains(ids, id) {
		return
	}
	if len(ids) > 0 {
		s.siblings++
		s.recent[slot] = append(ids, id)
		return
	}
	s.recent[slot] = []p2pwire.ID{id}
	for old := range s.recent {
		if old+signedKept < slot {
			delete(s.recent, old)
		}
	}
}

func (s *signatures) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.siblings
}
