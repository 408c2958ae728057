package core

import (
	"container/heap"
	"time"
)

type timerKind uint8

const (
	timerHandshake timerKind = iota + 1
	timerKeepalive
	timerHeld     // a held candidate's slot ends
	timerCanary   // the oldest message on trial is due
	timerBoot     // bootstrap step
	timerSync     // a catch-up must make progress
	timerVotes    // the oldest waiting vote expires
	timerRetry    // messages that could not be tried are tried again
	timerRound    // a round of ours is over
	timerSuspend  // a node closed its link: is it back?
	timerRounds   // a round of ours is judged
	timerTakeover // the takeover's next step
	timerAlone    // a block that was let out alone may not be any more
	timerHead     // a node named a head that has not come
	timerCluster  // an own slot is to be looked at by a standby
	timerProbe    // the network's answer waits no longer for what is on trial; settle sees to it
)

type timer struct {
	at      time.Duration
	kind    timerKind
	session SessionID
}

type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(any)          {}
func (h *timerHeap) Pop() any          { return nil }

// add does not go through heap.Push, which would allocate for the interface value.
func (h *timerHeap) add(at time.Duration, t timer) {
	t.at = at
	*h = append(*h, t)
	heap.Fix(h, len(*h)-1)
}

func (h *timerHeap) next() timer {
	t := (*h)[0]
	n := len(*h) - 1
	(*h)[0] = (*h)[n]
	*h = (*h)[:n]
	if n > 0 {
		heap.Fix(h, 0)
	}
	return t
}

// NextTimer is the Mono time at which Tick is due.
func (c *Core) NextTimer() time.Duration {
	if len(c.timers) == 0 {
		return c.now.Mono + time.Second
	}
	return c.timers[0].at
}

// Tick runs the timers that are due.
func (c *Core) Tick(now Instant) {
	c.enter(now)
	for len(c.timers) > 0 && c.timers[0].at <= now.Mono {
		t := c.timers.next()
		s := c.sessions[t.session]
		switch t.kind {
		case timerHandshake:
			if s != nil && !s.ready && !s.closing {
				c.end(s, ReasonHandshakeTimeout)
			}
		case timerKeepalive:
			c.keepalive(s)
		case timerHeld:
			c.judgeHeld()
		case timerCanary:
			c.canaryDue()
		case timerBoot:
			c.bootStep()
		case timerSync:
			c.syncDue(s)
		case timerVotes:
			c.votes.expire(c)
		case timerRetry:
			if c.canary.stalled {
				c.retry()
			}
		case timerRound:
			c.roundDue()
		case timerSuspend:
			c.suspendDue()
		case timerRounds:
			c.roundsDue()
		case timerTakeover:
			c.takeoverDue()
		case timerAlone:
			c.aloneDue()
		case timerHead:
			c.fetchHead(s)
		case timerCluster:
			c.clusterDue()
		}
	}
	c.settle()
}

// settle finishes an event: what became judgeable through it is judged.
func (c *Core) settle() {
	for len(c.ended) > 0 || c.lineage.recheck {
		for len(c.ended) > 0 {
			s := c.ended[len(c.ended)-1]
			c.ended = c.ended[:len(c.ended)-1]
			c.forget(s, s.why)
		}
		if c.lineage.recheck {
			c.judgeHeld()
		}
	}
	if c.ha.probe != 0 {
		c.probeDue()
	}
}
