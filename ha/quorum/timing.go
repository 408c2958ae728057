package quorum

import (
	"fmt"
	"time"
)

// Timing says how fast the members notice that one is gone. All of it follows from the longest
// round-trip time between two members that is still healthy, RTT_MAX.
type Timing struct {
	// Heartbeat is how long a member does without a word of the leader before it asks the others for an
	// election: 4 x RTT_MAX. The leader says a word 5 to 10 times in it. Raising it makes takeovers slower and
	// loaded links or hosts less of a trouble.
	Heartbeat time.Duration
	// Election is how long an election may stay without result before the next: 4 x Heartbeat.
	Election time.Duration
	// Lease is how long a leader goes on without a word of the majority: Heartbeat / 2.
	Lease time.Duration
}

// The presets' RTT_MAX.
const (
	// RTTLocal: one host, for trying things out.
	RTTLocal = 12 * time.Millisecond
	// RTTLan: one site. It is the floor for relays: a shorter heartbeat makes disks and garbage
	// collectors look like deaths.
	RTTLan = 23 * time.Millisecond
	// RTTWan: sites far apart.
	RTTWan = 150 * time.Millisecond

	minRTT = 5 * time.Millisecond
	maxRTT = time.Second
)

// TimingOf is the timing of a preset: lan, wan or local.
func TimingOf(preset string) (Timing, error) {
	switch preset {
	case "lan":
		return TimingFor(RTTLan)
	case "wan":
		return TimingFor(RTTWan)
	case "local":
		return TimingFor(RTTLocal)
	}
	return Timing{}, fmt.Errorf("%q is no preset: give lan, wan or local", preset)
}

// TimingFor is the timing for the longest healthy round-trip time, 5 ms to 1 s.
func TimingFor(rttMax time.Duration) (Timing, error) {
	if rttMax < minRTT || rttMax > maxRTT {
		return Timing{}, fmt.Errorf("a longest round-trip time of %s is not supported: give %s to %s", rttMax, minRTT, maxRTT)
	}
	t := Timing{Heartbeat: 4 * rttMax}
	t.Election, t.Lease = 4*t.Heartbeat, t.Heartbeat/2
	return t, nil
}

// check refuses what TimingFor does not return.
func (t Timing) check() error {
	want, err := TimingFor(t.Heartbeat / 4)
	if err == nil && t != want {
		err = fmt.Errorf("heartbeat %s goes with election %s and lease %s, not %s and %s", want.Heartbeat, want.Election, want.Lease, t.Election, t.Lease)
	}
	return err
}

// Detection is within what time a member misses a leader that fell silent: raft draws it, so that not all do at
// once.
func (t Timing) Detection() (early, late time.Duration) { return t.Heartbeat, 2 * t.Heartbeat }

// Takeover is how long it takes from the death of an active to the next block, in half of all cases and in 99 of
// 100 (TestTakeoverTime). The slower the links, within RTTMax, the longer.
func (t Timing) Takeover() (half, most time.Duration) { return 4 * t.Heartbeat, 5 * t.Heartbeat }

// RTTMax is what the timing follows from.
func (t Timing) RTTMax() time.Duration { return t.Heartbeat / 4 }

// commit is how often a leader with nothing to say tells the others what is committed, so how much later
// than the leader they adopt a claim at most (twice this).
func (t Timing) commit() time.Duration { return t.Heartbeat / 8 }

// step is how often a member looks at where it stands.
func (t Timing) step() time.Duration { return t.Heartbeat / 4 }

// hang is how long a write may take before the member steps aside: a leader that waits for its disk
// still sends heartbeats, and nobody could take over.
func (t Timing) hang() time.Duration { return 2 * t.Heartbeat }

// claimWait is how long a claim may go undecided before its block is held back.
func (t Timing) claimWait() time.Duration { return 2 * t.Heartbeat }
