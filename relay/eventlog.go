package relay

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"bprelay/relay/core"
)

// eventBacklog is how many events may wait for the log: some seconds of the busiest round.
const eventBacklog = 4096

// eventLog writes the core's decisions to the log. The loop only puts a copy into a bounded channel;
// formatting and writing happen in one goroutine. When that cannot keep up, events are counted and
// lost, never waited for.
type eventLog struct {
	log     *slog.Logger
	queue   chan core.Event
	dropped atomic.Uint64
	debug   bool // whether debug events are wanted at all

	running atomic.Bool
	once    sync.Once
	stop    chan struct{}
	done    chan struct{}
}

func newEventLog(log *slog.Logger) *eventLog {
	return &eventLog{
		log: log, queue: make(chan core.Event, eventBacklog),
		debug: log.Enabled(context.Background(), slog.LevelDebug),
		stop:  make(chan struct{}), done: make(chan struct{}),
	}
}

// Event implements core.Observer.
func (l *eventLog) Event(_ core.Instant, e *core.Event) {
	select {
	case l.queue <- *e:
	default:
		l.dropped.Add(1)
	}
}

func (l *eventLog) drops() uint64 { return l.dropped.Load() }

func (l *eventLog) start() {
	l.running.Store(true)
	go l.write()
}

// close writes what is queued and ends the goroutine, if there is one. Events that come later are
// lost.
func (l *eventLog) close() {
	if !l.running.Load() {
		return
	}
	l.once.Do(func() { close(l.stop) })
	<-l.done
}

func (l *eventLog) write() {
	defer close(l.done)
	w := eventWriter{log: l.log, debug: l.debug}
	for {
		select {
		case e := <-l.queue:
			w.event(&e)
		case <-l.stop:
			for {
				select {
				case e := <-l.queue:
					w.event(&e)
				default:
					if n := l.drops(); n > 0 {
						l.log.Warn("events were not logged: the log could not keep up", "events", n)
					}
					return
				}
			}
		}
	}
}
