package demo

import "time"

// course is what the way of taking over makes of a run: how many others produce, and when nodes die.
type course struct {
	others []string // the network's producers
	// lead is the least time from the start to our first round.
	lead time.Duration
	// warm is how many of our rounds pass before the first kill, every in which of those that follow a
	// node dies: 2 is every other one, beginning with the first.
	warm, every int
	// down is for how long a node is gone that died in our round. idle is how long after the end of our
	// round another one dies, idleDown for how long.
	down, idle, idleDown span
}

type span struct{ low, high time.Duration }

// race: what one kill costs shows in a round without one beside it.
var raceCourse = course{
	others: []string{"bpbeta", "bpgamma", "bpdelta"},
	lead:   4 * time.Second, every: 2,
	down: span{6 * time.Second, 8 * time.Second}, idle: span{7 * time.Second, 9 * time.Second}, idleDown: span{3 * time.Second, 4 * time.Second},
}

// With a lead, the relay has to know the schedule before anyone dies: it does when it saw the beginning
// of the fifth of four rounds in a row, by two producers each (relay/core). Two producers
// besides ours, as few as a leash takes, make that so before our second round if the relay sees a block
// of the round that is two before our first one; and our second round is over 40 s after the start at
// the latest. Whoever died is back, and quiet, before our next round.
var leadCourse = course{
	others: []string{"bpbeta", "bpgamma"},
	lead:   9 * time.Second, warm: 1, every: 1,
	down: span{6 * time.Second, 7 * time.Second}, idle: span{5 * time.Second, 6 * time.Second}, idleDown: span{1500 * time.Millisecond, 2 * time.Second},
}

// course is the one that fits the way of taking over.
func (o *Options) course() course {
	c := leadCourse
	if o.Takeover == takeoverRace {
		c = raceCourse
	}
	if o.eager {
		c.warm = 0
	}
	return c
}

// voteTimeout is production-pause-vote-timeout-ms of our nodes where they are held by it: nodeos'
// default of 6 s would leave 12 s between our rounds too short for a node to die, return and be quiet.
const voteTimeout = time.Second
