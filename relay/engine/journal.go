package engine

import "bprelay/relay/core"

// Journal makes claims and vote marks durable. Its methods are called on the loop and must not block;
// done is called at most once, from any goroutine. agreed and Agree: see ClaimJournal.
type Journal interface {
	Claim(cl core.Claim, agreed bool, done func(core.Verdict))
	Agree(cl core.Claim)
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
func (d durable) Claim(now core.Instant, cl core.Claim) core.Verdict { return d.Record(now, cl, false) }

// Record implements ClaimJournal.
func (d durable) Record(_ core.Instant, cl core.Claim, agreed bool) core.Verdict {
	d.j.Claim(cl, agreed, func(v core.Verdict) {
		d.e.post(func() { d.e.loop.answered(func(core.Instant) { d.e.loop.journalled(cl, v) }) })
	})
	return core.Pending
}

// Agree implements ClaimJournal.
func (d durable) Agree(_ core.Instant, cl core.Claim) { d.j.Agree(cl) }

// MarkVotes implements core.VoteMarker.
func (d durable) MarkVotes(_ core.Instant, m core.VoteMark) {
	d.j.Mark(m, func(ok bool) {
		d.e.post(func() { d.e.loop.answered(func(now core.Instant) { d.e.loop.m.VotesMarked(now, m, ok) }) })
	})
}

// SettleVotes implements core.VoteMarker.
func (d durable) SettleVotes(_ core.Instant, m core.VoteMark) { d.j.Settle(m) }

// journalled takes the journal's answer to a claim.
func (lp *loop) journalled(cl core.Claim, v core.Verdict) {
	last := true
	if lp.joint != nil {
		v, last = lp.joint.Journalled(lp.now, cl, v)
	}
	if last {
		lp.m.ClaimDecided(lp.now, cl, v)
	}
}

// answered hands an answer of the journal to the core.
func (lp *loop) answered(tell func(core.Instant)) {
	if lp.stopped {
		return
	}
	lp.begin()
	tell(lp.now)
	lp.pump()
}
