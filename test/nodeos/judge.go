package nodeos

import (
	"slices"
	"sync"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
)

// watch is what the taps saw.
type watch struct {
	network *judge // at the public producers
	outlet  *judge // what the relay itself wrote
}

func newWatch(producers []producer) *watch {
	var names []p2pwire.Name
	for _, p := range producers {
		names = append(names, p.name)
	}
	return &watch{network: newJudge(names), outlet: newJudge(names)}
}

// judge collects the block ids seen for every slot, over several streams.
type judge struct {
	mu      sync.Mutex
	checker *checker.Checker
	ids     map[slotKey][]p2pwire.ID
	seen    map[p2pwire.ID]time.Time // when a block was first seen
	told    map[string]bool          // breaches that were returned
}

type slotKey struct {
	producer string
	slot     p2pwire.Slot
}

func newJudge(producers []p2pwire.Name) *judge {
	j := &judge{ids: map[slotKey][]p2pwire.ID{}, seen: map[p2pwire.ID]time.Time{}, told: map[string]bool{}}
	j.checker = checker.New(checker.Config{Own: producers, OnBlock: func(s checker.Seen) {
		key := slotKey{s.Block.Producer.String(), s.Block.Slot}
		if !slices.Contains(j.ids[key], s.Block.ID) {
			j.ids[key] = append(j.ids[key], s.Block.ID)
			j.seen[s.Block.ID] = time.Unix(0, s.Wall)
		}
	}})
	return j
}

func (j *judge) received(stream string, data []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.checker.Feed(time.Now().UnixNano(), stream, data)
}

// of returns the distinct ids seen for a slot of the producer.
func (j *judge) of(producer string, slot p2pwire.Slot) []p2pwire.ID {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.ids[slotKey{producer, slot}])
}

// firstSeen is when a block was first seen on any stream; zero if it was not.
func (j *judge) firstSeen(id p2pwire.ID) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen[id]
}

// broken returns the breaches of the given rules since it was asked last.
func (j *judge) broken(rules ...checker.Rule) (found []checker.Violation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, v := range j.checker.Report(1, 0, nil).Violations {
		if slices.Contains(rules, v.Rule) && !j.told[v.String()] {
			j.told[v.String()] = true
			found = append(found, v)
		}
	}
	return found
}

// votes is the number of votes seen so far.
func (j *judge) votes() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.checker.Report(1, 0, nil).Votes
}
