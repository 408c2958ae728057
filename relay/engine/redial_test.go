package engine

import (
	"testing"
	"time"

	"bprelay/relay/core"
)

// steps are what happens to a peer; each names the range the following pause must lie in.
type redialStep struct {
	lived      time.Duration // of the session; failed when negative
	retryAfter time.Duration
	min, max   time.Duration
}

const failed = -1

func TestRedialPauses(t *testing.T) {
	const ms = time.Millisecond
	cfg := Config{}.withDefaults() // node 100 ms to 2 s, network 1 s to 1 min
	tests := []struct {
		name  string
		side  core.Side
		steps []redialStep
	}{
		{"a node that was up is dialled at once, then with pauses", core.Internal, []redialStep{
			{time.Hour, 0, 0, 0},
			{failed, 0, 90 * ms, 110 * ms},
			{failed, 0, 180 * ms, 220 * ms},
			{failed, 0, 360 * ms, 440 * ms},
			{failed, 0, 720 * ms, 880 * ms},
			{failed, 0, 1440 * ms, 1760 * ms},
			{failed, 0, 1800 * ms, 2000 * ms},
			{failed, 0, 1800 * ms, 2000 * ms},
			{time.Minute, 0, 0, 0},
			{failed, 0, 90 * ms, 110 * ms},
		}},
		{"a node that drops every connection is not dialled in a circle", core.Internal, []redialStep{
			{ms, 0, 0, 0},
			{ms, 0, 90 * ms, 110 * ms},
			{ms, 0, 180 * ms, 220 * ms},
			{2 * time.Second, 0, 0, 0},
			{ms, 0, 90 * ms, 110 * ms},
		}},
		{"the core's wish counts", core.Internal, []redialStep{
			{time.Hour, 7 * time.Second, 7 * time.Second, 7 * time.Second},
			{ms, 0, 0, 0},
		}},
		{"a network peer is never dialled at once, and ever more rarely", core.Network, []redialStep{
			{time.Hour, 0, 500 * ms, 1500 * ms},
			{failed, 0, 1000 * ms, 3000 * ms},
			{ms, 0, 2000 * ms, 6000 * ms},
			{failed, 0, 4000 * ms, 12000 * ms},
			{failed, 0, 8000 * ms, 24000 * ms},
			{failed, 0, 16000 * ms, 48000 * ms},
			{failed, 0, 30 * time.Second, time.Minute},
			{failed, 0, 30 * time.Second, time.Minute},
			{ms, time.Hour, time.Hour, time.Hour},
			{2 * time.Minute, 0, 500 * ms, 1500 * ms},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRedial(tt.side, &cfg)
			for i, s := range tt.steps {
				var got time.Duration
				if s.lived == failed {
					got = r.failed()
				} else {
					got = r.ended(s.lived, s.retryAfter)
				}
				if got < s.min || got > s.max {
					t.Fatalf("step %d: pause %v, want %v to %v", i, got, s.min, s.max)
				}
			}
		})
	}
}
