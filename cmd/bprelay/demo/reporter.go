package demo

import (
	"encoding/gob"
	"io"
	"sync"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// Reporter tells the demo, in another process, what a relay decides. It implements core.Observer.
type Reporter struct {
	queue chan report
	wg    sync.WaitGroup
}

// report is one event as it goes from a relay's process to the demo's; both are the same program.
type report struct {
	Wall     int64
	Kind     core.EventKind // 0: the relay has started
	Reason   core.Reason
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	ID       [32]byte
	Node     string
	Detail   string
	Role     core.ClusterRole
	Epoch    uint64
}

// NewReporter makes one that writes to w until Close.
func NewReporter(w io.Writer) *Reporter {
	r := &Reporter{queue: make(chan report, queued)}
	r.wg.Go(func() {
		to := gob.NewEncoder(w)
		for each := range r.queue {
			_ = to.Encode(each) // nobody listens any more: the end of stdin tells
		}
	})
	return r
}

// queued is how much news may wait for whoever reads them.
const queued = 4096

// Started tells that the relay listens.
func (r *Reporter) Started() { r.post(report{}) }

// Event implements core.Observer.
func (r *Reporter) Event(now core.Instant, e *core.Event) {
	if told(e.Kind) {
		r.post(report{now.Wall, e.Kind, e.Reason, e.Producer, e.Slot, e.ID, e.Node, e.Detail, e.Role, e.Epoch})
	}
}

func (r *Reporter) post(x report) {
	select {
	case r.queue <- x:
	default: // it costs the view something
	}
}

// Close ends it. Nothing may be reported after it.
func (r *Reporter) Close() {
	close(r.queue)
	r.wg.Wait()
}

// news is the report as the director takes it.
func (x *report) news(relay string) news {
	return news{
		kind: decided, relay: relay, wall: x.Wall, node: x.Node, id: x.ID, slot: x.Slot, producer: x.Producer,
		event: x.Kind, reason: x.Reason, detail: x.Detail, role: x.Role, epoch: x.Epoch,
	}
}
