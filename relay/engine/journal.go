package engine

import "bprelay/relay/core"

// Journal makes claims and vote marks durable. Its methods are called on the loop and must not block;
// done is called at most once, from any goroutine.
type Journal interface {
	Claim(cl core.Claim, done func(core.Verdict))
	Mark(m core.VoteMark, done func(ok bool))
	Settle(m core.VoteMark)
	Status() core.JournalStatus
}

// durable asks a journal on behalf of the core, and brings its answers back to the loop.
type durable struct {
	e *Engine
	j Journal
}

// Claim implements core.Claimer.
func (d durable) Claim(_ core.Instant, cl core.Claim) core.Verdict {
	d.j.Claim(cl, func(v core.Verdict) {
		d.e.post(func() { d.e.loop.answered(func(core.Instant) { d.e.loop.claimDecided(byJournal, cl, v) }) })
	})
	return core.Pending
}

// MarkVotes implements core.VoteMarker.
func (d durable) MarkVotes(_ core.Instant, m core.VoteMark) {
	d.j.Mark(m, func(ok bool) {
		d.e.post(func() { d.e.loop.answered(func(now core.Instant) { d.e.loop.m.VotesMarked(now, m, ok) }) })
	})
}

// SettleVotes implements core.VoteMarker.
func (d durable) SettleVotes(_ core.Instant, m core.VoteMark) { d.j.Settle(m) }

// answered hands an answer of the journal to the core.
func (lp *loop) answered(tell func(core.Instant)) {
	if lp.stopped {
		return
	}
	lp.begin()
	tell(lp.now)
	lp.pump()
}
