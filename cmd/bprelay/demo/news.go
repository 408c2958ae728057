package demo

import (
	"sync/atomic"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

type newsKind uint8

const (
	produced newsKind = iota // a node of ours made a block
	decided                  // the relay decided about one, or has an alarm
	seen                     // the observer got it for the first time
)

// news is what the goroutines of nodes, relay and observer tell the director.
type news struct {
	kind     newsKind
	wall     int64  // unix ns
	relay    string // decided: which of several
	node     string
	stream   string // seen: from whom
	id       p2pwire.ID
	slot     p2pwire.Slot
	producer p2pwire.Name
	event    core.EventKind // decided
	reason   core.Reason    // decided
	detail   string         // decided: the rest, in words
	role     core.ClusterRole
	epoch    uint64
}

// desk collects news without making anyone wait; what does not fit is counted and lost, which costs
// the view something but not the summary: that is the checker's, the relay's and signed's.
type desk struct {
	queue  chan news
	lost   atomic.Uint64
	signed signatures
}

func newDesk() *desk { return &desk{queue: make(chan news, queued)} }

func (d *desk) post(n news) {
	select {
	case d.queue <- n:
	default:
		d.lost.Add(1)
	}
}

// trace is the simnet.Config.Trace of one of our nodes.
func (d *desk) trace(name string) func(simnet.Instant, simnet.Event) {
	return func(now simnet.Instant, e simnet.Event) {
		if e.Kind == simnet.EventProduced {
			d.signed.add(e.Slot, e.ID)
			d.post(news{kind: produced, wall: now.Wall, node: name, id: e.ID, slot: e.Slot})
		}
	}
}

// told are the relay's events that the director wants to know.
func told(k core.EventKind) bool {
	switch k {
	case core.EventClaimed, core.EventWithheld, core.EventLead, core.EventTakeover, core.EventAlarm, core.EventBlamed, core.EventRole:
		return true
	}
	return false
}

// Event implements core.Observer.
func (d *desk) Event(now core.Instant, e *core.Event) {
	if told(e.Kind) {
		d.post(news{
			kind: decided, wall: now.Wall, node: e.Node, id: e.ID, slot: e.Slot, producer: e.Producer,
			event: e.Kind, reason: e.Reason, detail: e.Detail,
		})
	}
}

// saw is the checker's OnBlock.
func (d *desk) saw(s checker.Seen) {
	if s.First {
		d.post(news{kind: seen, wall: s.Wall, stream: s.Stream, id: s.Block.ID, slot: s.Block.Slot, producer: s.Block.Producer})
	}
}
