package core

import (
	"fmt"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// clock is how far the relay's system clock can be believed. Slots are times, so a wrong clock makes
// good blocks look too early or too late: it would silence the producer. The clocks of the others,
// known from time messages, tell; they are kept relative to the monotonic clock, which no step moves.
//
// Sources are our nodes and the peers we chose to dial, never whoever connects to us. Their median
// counts if most of them agree on it. It corrects our clock only with the consent of our own nodes:
// no number of network peers can move the relay's time while our nodes stand against it.
type clock struct {
	raw    int64         // system clock minus Mono, at the last event
	used   int64         // what added to Mono is the time that decisions are made by
	fixed  bool          // used is the others' time, since ours is off
	doubt  bool          // the system clock stepped; until others confirm it, used is the time before the step
	since  time.Duration // Mono of the last step
	known  bool          // most sources agree
	off    bool          // they say that our clock is beyond the limit
	ahead  int64         // by how much our clock is ahead of their median
	n      int           // how many sources that rests on
	sample []int64
}

// clockSample is a source's clock as one exchange of time messages showed it.
type clockSample struct {
	base int64         // its clock minus our Mono
	rtt  time.Duration // of that exchange: half of it is the most the sample can be wrong
	at   time.Duration // Mono; 0 is none
}

const (
	// maxTrip is the longest round trip whose time message still says something about a clock.
	maxTrip = 400 * time.Millisecond
	// sampleAge is how long a sample counts, and how long a better one (a shorter trip) is kept.
	sampleAge = 30 * time.Second
	// stepPatience is how long after a step most of the sources are waited for.
	stepPatience = 2 * time.Second
	// doubtLimit is how long after a step their word is waited for at all.
	doubtLimit = 3 * stepPatience
	// No clock shows a time before 2001-09-09, nor one after 2116.
	leastWall, mostWall = 1e18, 1 << 62
)

func (k *clock) init(now Instant) {
	k.raw = now.Wall - int64(now.Mono)
	k.used = k.raw
	k.sample = make([]int64, 0, maxLanes)
}

// enter begins an event: it sets the time, and notices a step of the system clock.
func (c *Core) enter(now Instant) {
	c.noteStall(now.Mono)
	c.now = now
	k := &c.clock
	raw := now.Wall - int64(now.Mono)
	step := raw - k.raw
	k.raw = raw
	if beyond(step, c.cfg.ClockLimit) {
		c.clockStepped(step)
	}
	if k.doubt && c.since(k.since) >= doubtLimit {
		k.doubt = false // the others do not agree among themselves: there is only our own clock
		c.judgeAnew()
	}
	if !k.fixed && !k.doubt {
		k.used = raw
	}
}

func beyond(d int64, limit time.Duration) bool { return d > int64(limit) || -d > int64(limit) }

// wall is the time by which slots are judged, ns since the Unix epoch: the system clock's, unless
// that is known to be wrong.
func (c *Core) wall() int64 { return int64(c.now.Mono) + c.clock.used }

// earliest and latest bound the time while a step of the system clock is in doubt; else both are wall.
func (c *Core) earliest() int64 {
	if !c.clock.doubt {
		return c.wall()
	}
	return int64(c.now.Mono) + min(c.clock.used, c.clock.raw)
}

func (c *Core) latest() int64 {
	if !c.clock.doubt {
		return c.wall()
	}
	return int64(c.now.Mono) + max(c.clock.used, c.clock.raw)
}

// clockTrusted tells whether decisions may rest on due times: the others confirm the system clock.
func (c *Core) clockTrusted() bool {
	return c.clock.known && !c.clock.off && !c.clock.doubt
}

// clockStepped handles a step: either it put the clock right or it put it wrong, or the machine was
// suspended. Everybody is asked for the time anew; what was known before says nothing about the last.
func (c *Core) clockStepped(step int64) {
	k := &c.clock
	k.doubt, k.known, k.fixed, k.since = true, false, false, c.now.Mono
	c.stats.Alarms[ReasonClockJump]++
	c.note(Event{Kind: EventAlarm, Reason: ReasonClockJump, Detail: fmt.Sprintf("%+.3f s", time.Duration(step).Seconds())})
	for _, list := range [...][]*session{c.internal, c.network} {
		for _, s := range list {
			s.clock = clockSample{}
			if c.clockSource(s) {
				c.ping(s)
			}
		}
	}
	c.judgeAnew()
}

// clockSource tells whether a session's clock counts: one of our nodes, or a peer that was chosen by
// configuration.
func (c *Core) clockSource(s *session) bool {
	return s.ready && !s.closing && (s.info.Side == Internal || s.info.Dialled)
}

// readClock takes the answer to our time message. Of several the one with the shortest trip counts.
func (c *Core) readClock(s *session, m p2pwire.Time) {
	if m.Rec < leastWall || m.Rec > mostWall || m.Xmt < m.Rec || m.Xmt > mostWall {
		return
	}
	trip := c.now.Mono - s.pingAt - time.Duration(m.Xmt-m.Rec)
	if trip < -time.Millisecond {
		return // it cannot have taken longer than the whole
	}
	s.rtt = max(trip, 0)
	base := m.Rec + (m.Xmt-m.Rec)/2 - int64(s.pingAt) - int64(c.now.Mono-s.pingAt)/2
	s.offset = time.Duration(base - c.clock.raw)
	if s.rtt > maxTrip || s.pingAt < c.clock.since {
		return
	}
	if s.clock.at == 0 || s.rtt <= s.clock.rtt || c.since(s.clock.at) > sampleAge {
		s.clock = clockSample{base: base, rtt: s.rtt, at: max(c.now.Mono, 1)}
	}
	if c.clockSource(s) {
		c.measureClock()
	}
}

// counts tells whether a session has a sample to go by.
func (c *Core) counts(s *session) bool {
	return c.clockSource(s) && s.clock.at != 0 && c.since(s.clock.at) <= 2*sampleAge
}

// measureClock compares our clock with the others'.
func (c *Core) measureClock() {
	k := &c.clock
	k.sample = k.sample[:0]
	for _, list := range [...][]*session{c.internal, c.network} {
		for _, s := range list {
			if c.counts(s) {
				k.sample = append(k.sample, s.clock.base)
			}
		}
	}
	n := len(k.sample)
	if n == 0 || (k.doubt && 2*n <= k.n && c.since(k.since) < stepPatience) {
		return
	}
	slices.Sort(k.sample)
	// Of two in the middle the one nearer to our own clock.
	mid := k.sample[n/2]
	if low := k.sample[(n-1)/2]; distance(low, k.raw) < distance(mid, k.raw) {
		mid = low
	}
	agree := 0
	for _, b := range k.sample {
		if !beyond(b-mid, c.cfg.ClockLimit) {
			agree++
		}
	}
	ahead := k.raw - mid
	// One source alone can confirm our clock, but not refute it.
	if k.known = 2*agree > n && (n > 1 || !beyond(ahead, c.cfg.ClockLimit)); !k.known {
		return
	}
	k.ahead, k.n = ahead, n
	limit := c.cfg.ClockLimit
	if k.off {
		limit /= 2 // an episode ends well within
	}
	wasOff, wasFixed, wasDoubt := k.off, k.fixed, k.doubt
	k.off = beyond(ahead, limit)
	pro, con := c.nodesOn(mid)
	k.fixed = k.off && pro > 0 && pro >= con
	if !k.off || pro+con > 0 {
		k.doubt = false // else our nodes will answer in a moment
	}
	if k.fixed {
		k.used = mid
	} else if !k.doubt {
		k.used = k.raw
	}
	if k.off && !wasOff {
		c.stats.Alarms[ReasonClockOffset]++
		c.note(Event{Kind: EventAlarm, Reason: ReasonClockOffset,
			Detail: fmt.Sprintf("%+.3f s, by %d of %d clocks", time.Duration(ahead).Seconds(), agree, n)})
	}
	if k.fixed != wasFixed || k.doubt != wasDoubt {
		c.judgeAnew()
	}
}

// nodesOn counts our nodes whose clocks agree with a base, and those that do not.
func (c *Core) nodesOn(base int64) (pro, con int) {
	for _, s := range c.internal {
		switch {
		case !c.counts(s):
		case beyond(s.clock.base-base, c.cfg.ClockLimit):
			con++
		default:
			pro++
		}
	}
	return pro, con
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// judgeAnew has held candidates judged by a time that has changed.
func (c *Core) judgeAnew() {
	for _, e := range c.held {
		e.until = 0
	}
	c.lineage.recheck = c.lineage.recheck || len(c.held) > 0
}

// startWall is the latest the relay can have been started, by any clock: the fence rests on it.
func (c *Core) startWall() int64 {
	return max(c.started.Wall, int64(c.started.Mono)+c.clock.used)
}

// ClockStatus is how the relay's clock compares with the others'.
type ClockStatus struct {
	// Known is true if most of our nodes and the peers we dial agree on the time.
	Known bool `json:"known"`
	// AheadNs is how far the system clock is ahead of their median; 0 while it is not known.
	AheadNs int64 `json:"ahead_ns"`
	// Sources is how many clocks that rests on.
	Sources int `json:"sources"`
	// Trusted is true while decisions may rest on due times.
	Trusted bool `json:"trusted"`
	// Corrected is true while the others' time is used instead of the system clock.
	Corrected bool `json:"corrected"`
	// Stepped is true between a step of the system clock and the others' word on it.
	Stepped bool `json:"stepped"`
}

func (c *Core) clockStatus() ClockStatus {
	k := &c.clock
	st := ClockStatus{Known: k.known, Trusted: c.clockTrusted(), Corrected: k.fixed, Stepped: k.doubt}
	if k.known {
		st.AheadNs, st.Sources = k.ahead, k.n
	}
	return st
}
