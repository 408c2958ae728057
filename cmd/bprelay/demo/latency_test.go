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
		if got := l.look(core.Histogram{Count: c.count, SumNs: c.sum}); got != c.want {
			t.Errorf("count %d, sum %d: %v, want %v", c.count, c.sum, got, c.want)
		}
	}
	// 40, 60, 100, 100, 1000.05: the third of five is the median.
	if got, want := l.summary(), (Latency{P50: 100, P99: 1000.1, Max: 1000.1, Blocks: 5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
