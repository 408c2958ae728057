package engine

import (
	"math"
	"time"
)

// alarm is the one timer that wakes the loop. The loop sets it, a goroutine waits for it.
type alarm struct {
	timer *time.Timer
	wake  func()
	stop  chan struct{}
	done  chan struct{}
	// at is the monotonic time the timer is set for, never when it is not. Only the loop uses it.
	at time.Duration
}

const never = time.Duration(math.MaxInt64)

func newAlarm(wake func()) *alarm {
	a := &alarm{
		timer: time.NewTimer(time.Hour), wake: wake, at: never,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	a.timer.Stop()
	go a.wait()
	return a
}

func (a *alarm) wait() {
	defer close(a.done)
	for {
		select {
		case <-a.stop:
			return
		case <-a.timer.C:
			a.wake()
		}
	}
}

// set makes the alarm go off at the given time or before. An alarm that is set for an earlier time
// stays: waking once too often is cheaper than moving the timer with every event.
func (a *alarm) set(now, at time.Duration) {
	if at >= a.at {
		return
	}
	a.at = at
	a.timer.Reset(max(at-now, 0))
}

// fired tells that the loop was woken: the alarm is no longer set.
func (a *alarm) fired() { a.at = never }

// close ends the goroutine and the timer; wake is not called afterwards.
func (a *alarm) close() {
	close(a.stop)
	<-a.done
	a.timer.Stop()
}
