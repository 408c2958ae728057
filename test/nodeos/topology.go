package nodeos

import (
	"fmt"
	"strings"
	"time"
)

// Names of our nodes; the public ones are named after their producers.
const (
	nodeA    = "node-a"
	nodeB    = "node-b"
	nodeC    = "node-c"
	nodeF    = "node-f" // votes
	observer = "observer"
)

// topology is how our producer is run.
type topology struct {
	savanna  bool
	takeover string        // the relay's option
	timeout  time.Duration // the nodes' production-pause-vote-timeout-ms and the relay's vote_timeout; 0: both defaults
	ours     []ownNode
	pair     bool // two relays
}

// ownNode is one of our nodes, whose only peer is the relay.
type ownNode struct {
	name     string
	role     string // the relay's option; "" is its default
	dialled  bool   // by the relay; else it dials the relay
	priority int
	block    bool // it has the producer's block key
	vote     bool // it has the BLS key
	api      bool // the relay may pause and resume it
}

// racingPair is two nodes that produce both, with the same keys.
func racingPair(savanna bool) topology {
	return topology{savanna: savanna, takeover: "race", ours: []ownNode{
		{name: nodeA, dialled: true, priority: 2, block: true, vote: savanna},
		{name: nodeB, priority: 1, block: true, vote: savanna},
	}}
}

// leashTimeout makes a held node quiet 2.4 s after the last vote that it got.
const leashTimeout = time.Second

// leashed is two or three nodes that have the block key only, the last of which dials the relay itself,
// and one that votes.
func leashed(nodes int) topology {
	return topology{savanna: true, takeover: "leash", timeout: leashTimeout, ours: withFinalizer(producing(nodes, false))}
}

// pairedRelays is leashed with two nodes and two relays, each of which dials all of them.
func pairedRelays() topology {
	t := leashed(2)
	t.pair = true
	for i := range t.ours {
		t.ours[i].dialled = true
	}
	return t
}

// paused is the same with producer APIs; on a legacy chain nobody votes.
func paused(nodes int, savanna bool) topology {
	t := topology{savanna: savanna, takeover: "api", ours: producing(nodes, true)}
	if savanna {
		t.ours = withFinalizer(t.ours)
	}
	return t
}

func producing(nodes int, api bool) (list []ownNode) {
	for i, name := range []string{nodeA, nodeB, nodeC}[:nodes] {
		list = append(list, ownNode{name: name, role: "producer", dialled: i < nodes-1, priority: nodes - i, block: true, api: api})
	}
	return list
}

func withFinalizer(list []ownNode) []ownNode {
	return append(list, ownNode{name: nodeF, role: "finalizer", dialled: true, vote: true})
}

// options are lines of the node's config.ini.
func (t *topology) options(o ownNode) (lines []string) {
	if !o.block {
		return nil
	}
	if t.timeout != 0 {
		lines = append(lines, fmt.Sprintf("production-pause-vote-timeout-ms = %d", t.timeout.Milliseconds()))
	}
	if o.api {
		lines = append(lines, "pause-on-startup = true")
	}
	return lines
}

// entry is the node in the relay's configuration. dial is where the relay reaches a node that it dials,
// api the address of the node's HTTP API.
func (o ownNode) entry(dial, api string) string {
	fields := []string{"name: " + o.name, fmt.Sprintf("priority: %d", o.priority)}
	if o.dialled {
		fields = append(fields, fmt.Sprintf("dial: %q", dial))
	} else {
		fields = append(fields, fmt.Sprintf("from: [%s]", hostOthers))
	}
	if o.role != "" {
		fields = append(fields, "role: "+o.role)
	}
	if o.api {
		fields = append(fields, fmt.Sprintf("api: %q", api))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}
