package demo

import (
	"slices"
	"time"

	"bprelay/relay/core"
)

// latencies collects what the relay added to each own block: from the read that completed the block
// to the moment its bytes are handed to the first network session's socket. The relay keeps a
// histogram with an exact sum and count; the difference between two looks at it is one block's exact
// time when one block went out in between, which is the rule at one block in half a second. When
// several did, each counts with their mean.
//
// Of two relays only the active one's counts: it was the first. A relay that was started again begins anew.
type latencies struct {
	last map[string]core.Histogram // by relay
	ns   []int64
}

// look takes a relay's histogram as it is now and returns the latest time, 0 if nothing went out.
func (l *latencies) look(relay string, h core.Histogram, active bool) time.Duration {
	last := l.last[relay]
	if h.Count < last.Count {
		last = core.Histogram{}
	}
	if l.last == nil {
		l.last = map[string]core.Histogram{}
	}
	l.last[relay] = h
	n := int64(h.Count - last.Count)
	if n == 0 || !active {
		return 0
	}
	each := (h.SumNs - last.SumNs) / n
	for range n {
		l.ns = append(l.ns, each)
	}
	return time.Duration(each)
}

// Latency is in microseconds, over all own blocks that went out.
type Latency struct {
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
	Blocks int     `json:"blocks"`
}

func (l *latencies) summary() Latency {
	if len(l.ns) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(l.ns))
	// Nearest rank: the smallest value that q percent of all are not above.
	rank := func(q int) float64 {
		return tenths(float64(sorted[(len(sorted)*q+99)/100-1]) / 1e3)
	}
	return Latency{P50: rank(50), P99: rank(99), Max: rank(100), Blocks: len(sorted)}
}
