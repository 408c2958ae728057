package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lateFrom is how late a timer must be for the loop to have stood still.
	lateFrom = 5 * time.Millisecond
	// readFor is how long timers wait at most until everything is read that arrived meanwhile.
	readFor = 50 * time.Millisecond
)

// readsFirst tells whether timers that were due at a time have to wait. When the loop stood still, the block or the
// answer that a timer would miss lies in a socket, and gnet may have given us another one first. It is not waited
// for without end: whoever sends faster than we read must not stop the timers.
func (lp *loop) readsFirst(due time.Duration) bool {
	if lp.now.Mono-due < lateFrom {
		lp.behind = 0
		return false
	}
	if lp.behind == 0 {
		lp.behind = max(lp.now.Mono, 1)
	}
	if lp.now.Mono-lp.behind >= readFor {
		return false // not again either, until timers are on time
	}
	if lp.anyUnread() {
		return true
	}
	lp.behind = 0
	return false
}

// anyUnread tells whether any connection has something to read, an end included.
func (lp *loop) anyUnread() bool {
	lp.unread = lp.unread[:0]
	for _, k := range lp.links {
		if !k.gone {
			lp.unread = append(lp.unread, unix.PollFd{Fd: int32(k.conn.Fd()), Events: unix.POLLIN})
		}
	}
	if len(lp.unread) == 0 {
		return false
	}
	n, err := unix.Poll(lp.unread, 0)
	return err == nil && n > 0
}
