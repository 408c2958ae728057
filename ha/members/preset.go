package members

import (
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// Preset is how eagerly members look after each other. See the package's documentation for what follows
// from ProbeInterval and SuspicionMult.
type Preset struct {
	Name string
	// ProbeInterval is how often another member is asked for a sign of life, and how long it has to give one.
	ProbeInterval time.Duration
	// ProbeTimeout is when TCP is tried beside UDP: somewhat more than a round trip.
	ProbeTimeout time.Duration
	// SuspicionMult is how many intervals a suspected member has to object.
	SuspicionMult int
	// GossipInterval is how often news go out.
	GossipInterval time.Duration
	// PushPull is how often all that is known is compared with another member's.
	PushPull time.Duration
	// Rejoin is how often a member that is not there is looked for.
	Rejoin time.Duration
	// TCPTimeout bounds a connection of the gossip's.
	TCPTimeout time.Duration
}

// The presets: all on one machine, round trips below 20 ms, sites far apart.
var (
	Local = Preset{
		Name: "local", ProbeInterval: 100 * time.Millisecond, ProbeTimeout: 50 * time.Millisecond, SuspicionMult: 3,
		GossipInterval: 25 * time.Millisecond, PushPull: 2 * time.Second, Rejoin: 500 * time.Millisecond, TCPTimeout: time.Second,
	}
	LAN = Preset{
		Name: "lan", ProbeInterval: 125 * time.Millisecond, ProbeTimeout: 60 * time.Millisecond, SuspicionMult: 3,
		GossipInterval: 50 * time.Millisecond, PushPull: 5 * time.Second, Rejoin: time.Second, TCPTimeout: 2 * time.Second,
	}
	WAN = Preset{
		Name: "wan", ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond, SuspicionMult: 4,
		GossipInterval: 200 * time.Millisecond, PushPull: 15 * time.Second, Rejoin: 5 * time.Second, TCPTimeout: 10 * time.Second,
	}
)

// PresetOf returns the preset of that name: local, lan or wan.
func PresetOf(name string) (Preset, error) {
	for _, p := range []Preset{Local, LAN, WAN} {
		if p.Name == name {
			return p, nil
		}
	}
	return Preset{}, fmt.Errorf("no preset %q: choose local, lan or wan", name)
}

// Detection is how long it takes, in a cluster of that many members, until one that fell silent is dead
// for another one.
func (p *Preset) Detection(members int) (earliest, latest time.Duration) {
	earliest = time.Duration(1+p.SuspicionMult) * p.ProbeInterval
	return earliest, earliest + time.Duration(2*members-2)*p.ProbeInterval
}

// apply sets what the preset decides.
func (p *Preset) apply(c *memberlist.Config) {
	c.ProbeInterval, c.ProbeTimeout = p.ProbeInterval, p.ProbeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = p.SuspicionMult, 1
	c.AwarenessMaxMultiplier = 1
	c.IndirectChecks = 1
	c.RetransmitMult = 4
	c.GossipInterval, c.GossipNodes = p.GossipInterval, 4
	c.GossipToTheDeadTime = 30 * time.Second
	c.PushPullInterval = p.PushPull
	c.TCPTimeout = p.TCPTimeout
	// A member that came back elsewhere (a container with a new address) is welcome when it was seen to die.
	c.DeadNodeReclaimTime = time.Millisecond
}
