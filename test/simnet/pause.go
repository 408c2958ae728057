package simnet

import (
	"time"

	"bprelay/p2pwire"
)

// blockAcceptance is production_pause_vote_tracker's tolerance: only a block
// this much later than the last vote counts against it.
const blockAcceptance = 1e9

// voteTiming follows one class of votes; times are unix nanoseconds.
type voteTiming struct {
	latestVote int64
	firstBlock int64 // counts while it is later than latestVote
}

func (t *voteTiming) vote(now int64) { t.latestVote = max(t.latestVote, now) }

func (t *voteTiming) block(received, timestamp int64) {
	at := min(received, timestamp)
	if at-blockAcceptance <= t.latestVote {
		return
	}
	if t.latestVote < t.firstBlock && t.firstBlock <= at {
		return
	}
	t.firstBlock = at
}

func (t *voteTiming) paused(now int64, timeout time.Duration) bool {
	return t.latestVote < t.firstBlock && t.firstBlock < now-int64(timeout)
}

// voteTracker is implicit_production_pause_vote_tracker: production stops when
// votes of others, or of the own producers' finalizers, stay away.
type voteTracker struct {
	timeout         time.Duration // 0: disabled
	other, producer voteTiming
	watchOther      bool // the policy has a finalizer of this class
	watchProducer   bool
	class           []voteClass // by policy index
}

type voteClass uint8

const (
	voteOfOther voteClass = iota
	voteOfProducer
	voteOfBoth // the description is no producer name
)

func newVoteTracker(c *Chain, producers map[p2pwire.Name]bool, timeout time.Duration) voteTracker {
	t := voteTracker{timeout: timeout}
	if c.cfg.Mode != Savanna || len(producers) == 0 {
		t.timeout = 0
	}
	for _, f := range c.cfg.Finalizers {
		name, err := p2pwire.ParseName(f.Description)
		switch {
		case len(f.Description) > 12:
			t.class = append(t.class, voteOfBoth)
			t.watchOther = true // a description that is no name is not one of ours
		case err == nil && producers[name]:
			t.class = append(t.class, voteOfProducer)
			t.watchProducer = true
		default:
			t.class = append(t.class, voteOfOther)
			t.watchOther = true
		}
	}
	return t
}

// vote records a vote that was new and valid; duplicates are not signalled.
func (t *voteTracker) vote(now int64, index int) {
	switch t.class[index] {
	case voteOfProducer:
		t.producer.vote(now)
	case voteOfOther:
		t.other.vote(now)
	case voteOfBoth:
		t.producer.vote(now)
		t.other.vote(now)
	}
}

func (t *voteTracker) block(now, timestamp int64) {
	if t.timeout != 0 {
		t.other.block(now, timestamp)
		t.producer.block(now, timestamp)
	}
}

// paused tells why production is paused; "" when it is not.
func (t *voteTracker) paused(now int64) string {
	if t.timeout == 0 {
		return ""
	}
	other := t.watchOther && t.other.paused(now, t.timeout)
	producer := t.watchProducer && t.producer.paused(now, t.timeout)
	switch {
	case other && producer:
		return "no recent votes"
	case other:
		return "no recent votes received from others"
	case producer:
		return "no recent votes received from configured producer"
	}
	return ""
}

// forceUnpause forgets the recorded blocks (resume of the producer API).
func (t *voteTracker) forceUnpause() { t.other.firstBlock, t.producer.firstBlock = 0, 0 }

// voteSeen feeds the tracker.
func (n *Node) voteSeen(now Instant, index int) {
	if n.tracker.timeout != 0 {
		n.tracker.vote(now.Wall, index)
	}
}
