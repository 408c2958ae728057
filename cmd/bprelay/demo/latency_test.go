package demo

import (
	"testing"
	"time"

	"bprelay/relay/core"
)

func TestLatencies(t *testing.T) {
	var l latencies
	if got := l.summary(); got != (Latency{}) {
		t.Errorf("without blocks: %+v", got)
	}
	for _, c := range []struct {
		count uint64
		sum   int64
		want  time.Duration
	}{
		{1, 40_000, 40_000},
		{1, 40_000, 0},            // nothing new
		{2, 100_000, 60_000},      // 60 µs
		{4, 300_000, 100_000},     // two blocks: their mean
		{5, 1_300_050, 1_000_050}, // 1 ms
	} {
		if got := l.look(relayName, core.Histogram{Count: c.count, SumNs: c.sum}, true); got != c.want {
			t.Errorf("count %d, sum %d: %v, want %v", c.count, c.sum, got, c.want)
		}
	}
	// A standby's are not the network's first; and a relay that was started again counts from 0.
	for _, c := range []struct {
		count  uint64
		active bool
		want   time.Duration
	}{{3, false, 0}, {3, true, 0}, {4, true, 0}, {1, false, 0}} {
		h := core.Histogram{Count: c.count, SumNs: int64(c.count)}
		if c.count == 4 {
			h, c.want = core.Histogram{Count: 4, SumNs: 100_003}, 100_000
		}
		if got := l.look("relay2", h, c.active); got != c.want {
			t.Errorf("relay2, %d blocks, active %v: %v, want %v", c.count, c.active, got, c.want)
		}
	}
	l.ns = l.ns[:5]
	// 40, 60, 100, 100, 1000.05: the third of five is the median.
	if got, want := l.summary(), (Latency{P50: 100, P99: 1000.1, Max: 1000.1, Blocks: 5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
