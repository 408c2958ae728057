package rig

import (
	"strings"
	"sync"

	"bprelay/p2pwire"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// Judge collects what the network side received. Its methods may be called from any goroutine.
type Judge struct {
	mu       sync.Mutex
	check    *checker.Checker
	arrivals []Arrival
	seen     map[p2pwire.ID]map[string]bool
}

// Arrival is the first time that somebody gave one of our blocks to the network side.
type Arrival struct {
	Slot p2pwire.Slot
	ID   p2pwire.ID
	From string // a relay, or one of Others
	Wall int64  // unix ns
}

func newJudge(p Plan, chain *simnet.Chain) *Judge {
	j := &Judge{seen: map[p2pwire.ID]map[string]bool{}}
	c := checker.Config{Own: []p2pwire.Name{Name(Ours)}, OnBlock: j.saw}
	for _, s := range p.Schedule {
		c.Schedule = append(c.Schedule, Name(s))
	}
	c.OwnKeys = append(c.OwnKeys, chain.FinalizerKey(Ours).Pub)
	j.check = checker.New(c)
	return j
}

func (j *Judge) feed(wall int64, stream string, chunk []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.check.Feed(wall, stream, chunk)
}

// saw is called by the checker, under the lock.
func (j *Judge) saw(s checker.Seen) {
	if !s.Own {
		return
	}
	from, _, _ := strings.Cut(s.Stream, ">")
	if j.seen[s.Block.ID] == nil {
		j.seen[s.Block.ID] = map[string]bool{}
	}
	if j.seen[s.Block.ID][from] {
		return
	}
	j.seen[s.Block.ID][from] = true
	j.arrivals = append(j.arrivals, Arrival{Slot: s.Block.Slot, ID: s.Block.ID, From: from, Wall: s.Wall})
}

// Arrivals are all so far, in their order.
func (j *Judge) Arrivals() []Arrival {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Arrival(nil), j.arrivals...)
}

// Report judges the slots from first to last; see [checker.Checker.Report]. Of violations those are left out that
// are nodeos' own affair: what the network's producers send, but for our blocks in it.
func (j *Judge) Report(first, last p2pwire.Slot) checker.Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.check.Report(first, last, nil)
	kept := []checker.Violation{}
	for _, v := range r.Violations {
		if v.Rule == checker.RuleOneBlockPerSlot || !fromProducer(v.Stream) {
			kept = append(kept, v)
		}
	}
	r.Violations = kept
	return r
}

func fromProducer(stream string) bool {
	for _, p := range Others() {
		if strings.HasPrefix(stream, p+">") {
			return true
		}
	}
	return false
}
