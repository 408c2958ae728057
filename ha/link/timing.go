package link

import (
	"fmt"
	"time"
)

// Timing is how a link notices that the other side is gone.
type Timing struct {
	// Heartbeat is how often a ping is sent.
	Heartbeat time.Duration
	// Timeout is how long nothing may come. Shorter finds a silent peer sooner and takes a busy one for
	// dead: it should be more than a round trip and the longest pause of a healthy process together.
	Timeout time.Duration
	// Handshake bounds a dial, and everything from there until the connection is chosen.
	Handshake time.Duration
}

// The presets. A failure is noticed after Timeout-Heartbeat to Timeout: 150-200 ms, 225-300 ms and
// 1.5-2 s. For local, all members are on one machine; for lan, round trips are below 20 ms; for wan,
// below 500 ms.
var (
	Local = Timing{Heartbeat: 50 * time.Millisecond, Timeout: 200 * time.Millisecond, Handshake: time.Second}
	LAN   = Timing{Heartbeat: 75 * time.Millisecond, Timeout: 300 * time.Millisecond, Handshake: 2 * time.Second}
	WAN   = Timing{Heartbeat: 500 * time.Millisecond, Timeout: 2 * time.Second, Handshake: 10 * time.Second}
)

// Preset returns the timing of that name: local, lan or wan.
func Preset(name string) (Timing, error) {
	switch name {
	case "local":
		return Local, nil
	case "lan":
		return LAN, nil
	case "wan":
		return WAN, nil
	}
	return Timing{}, fmt.Errorf("no preset %q: choose local, lan or wan", name)
}

// check wants two heartbeats within a timeout: one may be late.
func (t *Timing) check() error {
	if t.Heartbeat <= 0 || t.Handshake <= 0 || t.Timeout < 2*t.Heartbeat {
		return fmt.Errorf("timeout %v is not at least twice the heartbeat %v, or the handshake's time %v is none", t.Timeout, t.Heartbeat, t.Handshake)
	}
	return nil
}
