package quorum

import (
	"testing"
	"time"
)

func TestTiming(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		preset string
		want   Timing
	}{
		{"lan", Timing{92 * ms, 368 * ms, 46 * ms}},
		{"wan", Timing{600 * ms, 2400 * ms, 300 * ms}},
		{"local", Timing{48 * ms, 192 * ms, 24 * ms}},
	} {
		got, err := TimingOf(c.preset)
		if err != nil || got != c.want || got.check() != nil {
			t.Errorf("%s: %+v, %v, %v", c.preset, got, err, got.check())
		}
	}
	for _, rtt := range []time.Duration{0, minRTT - 1, maxRTT + 1, -time.Second} {
		if got, err := TimingFor(rtt); err == nil {
			t.Errorf("%s: %+v", rtt, got)
		}
	}
	if _, err := TimingOf("fast"); err == nil {
		t.Error("fast is a preset")
	}
	for _, bad := range []Timing{{}, {92 * ms, 92 * ms, 46 * ms}, {92 * ms, 368 * ms, 92 * ms}, {ms, 4 * ms, ms / 2}} {
		if bad.check() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
