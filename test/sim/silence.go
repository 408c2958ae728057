package sim

import (
	"crypto/sha256"
	"slices"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

const (
	fence     = 7500 * time.Millisecond // the start fence and the slot it ends in
	lateGrace = 500 * time.Millisecond
	maxFuture = 7 * time.Second
)

// judgeSlot asks of an own slot that is not public whether it could have been saved.
func (x *play) judgeSlot(slot p2pwire.Slot) {
	if ids := x.check.Blocks(x.chain.ProducerAt(slot), slot); len(ids) > 0 {
		x.judgeStart(slot, ids[0])
		return
	}
	if _, taken := x.ledger.foreign[slot]; taken || len(x.ledger.forged) > 0 {
		return // another instance is at work: whatever it makes of the chain
	}
	for _, c := range x.ledger.candidates[slot] {
		if why := x.unsaved(c); why == "" {
			x.breach(RuleSilence, "slot %s: %s of %s came at %s and never went out", x.slot(slot), c.id.Short(), c.node, duration(c.at))
			return
		}
	}
	x.judgeLost(slot)
}

// unsaved says why a candidate that was not let out was rightly so; "" if there is no reason.
func (x *play) unsaved(c *candidate) string {
	late := x.knownEnd(c).Time() + int64(lateGrace)
	due := x.mono(c.slot.Time())
	// What the relay may still need: its loop, and for what is not next door nothing more.
	end := c.at + 500*time.Millisecond
	switch {
	case c.wall > late-int64(100*time.Millisecond):
		return "too late"
	case c.slot.Time()-c.wall > int64(maxFuture-500*time.Millisecond):
		return "too early"
	case !x.sameRelay(c.at, end):
		return "the relay died"
	case due <= x.relayStart(c.at).fenced:
		return "start fence"
	case !x.health.well(c.at, end, "disk"):
		return "the disk failed"
	case !x.uplink(c.at-time.Second, end) && !x.uplinkLater(c.at, x.mono(late)-lateGrace):
		return "no uplink"
	case end > x.w.Now().Mono:
		return "the end"
	case x.overtaken(c):
		return "the network went on while its claim was written"
	case x.pastBefore(c):
		return "it was below what the network named as irreversible when the relay first reached it"
	case x.builtOver(c):
		return "the next producer had begun on its parent"
	case x.filled(c):
		return "it left out slots that were still to come, and came"
	}
	base, clear := x.base(c)
	switch {
	case !clear:
		return "fork"
	case base != c.previous:
		return "another parent"
	}
	return ""
}

// runEnd is the first slot behind a slot's round that is another producer's.
func (x *play) runEnd(slot p2pwire.Slot) p2pwire.Slot {
	end := slot - p2pwire.Slot(slot.Index()) + p2pwire.RoundSlots
	for x.isOwn(x.chain.ProducerAt(end)) && end.Time() <= x.w.Now().Wall {
		end += p2pwire.RoundSlots
	}
	return end
}

// knownEnd is runEnd as far as a relay can know soon after it got a candidate: the rounds of ours behind that
// one's own are those of which it got a candidate, or all if it has learned the schedule.
func (x *play) knownEnd(c *candidate) p2pwire.Slot {
	end, run := c.slot-p2pwire.Slot(c.slot.Index())+p2pwire.RoundSlots, x.runEnd(c.slot)
	const soon = 900 * time.Millisecond // a late one may wait for a second
	start := x.relayStart(c.at).at
	if x.learned(start, c.at) {
		return run
	}
	for ; end < run; end += p2pwire.RoundSlots {
		had := false
		for slot := end; slot < end+p2pwire.RoundSlots && !had; slot++ {
			had = slices.ContainsFunc(x.ledger.candidates[slot], func(o *candidate) bool { return o.at >= start && o.at < c.at+soon })
		}
		if !had {
			break
		}
	}
	return end
}

// learned tells whether a relay that was started at one time must know the schedule at another: it was shown
// blocks of each round while all of them came twice, and the first one once more.
func (x *play) learned(start, at time.Duration) bool {
	shown := map[uint32]bool{}
	for _, a := range x.ledger.fresh {
		if a.at >= start && a.at < at {
			shown[a.slot.Round()] = true
		}
	}
	for slot, list := range x.ledger.candidates {
		for _, c := range list {
			if left, ok := x.check.Left(c.id); ok && x.mono(left) >= start && x.mono(left) < at {
				shown[slot.Round()] = true
			}
		}
	}
	for round := range shown {
		all := true
		for i := range uint32(2*len(x.s.Layout) + 1) {
			all = all && shown[round+i]
		}
		if all {
			return true
		}
	}
	return false
}

// tooLate: what the relay lets out late must not get into another producer's slots. It may judge by a clock that
// is off by as much as it believes.
func (x *play) tooLate(wall int64, slot p2pwire.Slot, id p2pwire.ID) {
	const believed = 100 * time.Millisecond
	if end := x.runEnd(slot); wall > end.Time()+int64(lateGrace+believed) && x.health.well(x.w.Now().Mono, x.w.Now().Mono, "relay") {
		x.breach(RuleLate, "%s of slot %s was let out when the slots from %s on were another producer's", id.Short(), x.slot(slot), x.slot(end))
	}
}

// overtaken tells whether a later block of another producer was there before a candidate's claim, behind
// another one, was on disk.
func (x *play) overtaken(c *candidate) bool {
	return slices.ContainsFunc(x.ledger.fresh, func(a *arrival) bool {
		return x.s.Journal > 0 && a.slot > c.slot && a.at <= c.at+2*x.s.Journal+10*time.Millisecond
	})
}

// pastBefore tells whether a candidate came before the relay had heard from the network since its start, and what that
// named as irreversible then was as high: there it links to nothing.
func (x *play) pastBefore(c *candidate) bool {
	start := x.relayStart(c.at).at
	for _, r := range x.ledger.roots {
		if r.at >= start {
			return r.at >= c.at && r.num >= c.num
		}
	}
	return false
}

// builtOver tells whether another producer's block for a later slot, of which the time had begun, was
// there before a candidate and has the same parent as that, or builds on it: its producer goes on there.
func (x *play) builtOver(c *candidate) bool {
	return slices.ContainsFunc(x.ledger.fresh, func(a *arrival) bool {
		if a.slot <= c.slot || a.at > c.at || (a.slot-1).Time() > c.wall {
			return false
		}
		m := a.made
		for m != nil && m.num > c.num {
			m = x.ledger.made[m.previous]
		}
		return m != nil && m.previous == c.previous
	})
}

// filled tells whether a candidate came before the time of the slot before its own, which it leaves out, and
// one that it leaves out got its block before its time: it had come from a clock that was ahead, and was to
// wait.
func (x *play) filled(c *candidate) bool {
	parent := x.ledger.made[c.previous]
	if parent == nil || parent.slot+1 >= c.slot || (c.slot-1).Time() <= c.wall {
		return false
	}
	return slices.ContainsFunc(x.ledger.fresh, func(a *arrival) bool {
		return a.slot > parent.slot && a.slot < c.slot && a.at > c.at && a.at < x.mono(c.slot.Time())
	})
}

func (x *play) mono(wall int64) time.Duration { return time.Duration(wall - x.chain.GenesisTime()) }

func (x *play) relayStart(at time.Duration) (start relayStart) {
	for _, s := range x.ledger.starts {
		if s.at <= at {
			start = s
		}
	}
	return start
}

// sameRelay tells whether one relay process lived all that time.
func (x *play) sameRelay(from, to time.Duration) bool {
	for _, f := range x.s.Faults {
		if (f.Kind == Kill || f.Kind == Torn) && f.A == "relay" && f.At >= from && f.At <= to {
			return false
		}
	}
	return true
}

// uplinkLater tells whether there was a good way to the network for a while before the end.
func (x *play) uplinkLater(from, end time.Duration) bool {
	const while = 300 * time.Millisecond
	for at := from; at+while <= end; at += 50 * time.Millisecond {
		if x.uplink(at, at+while) {
			return true
		}
	}
	return false
}

// base is the block a candidate had to build on when the relay got it: the last own block of the run,
// or else the best block the network had shown; clear is false when that can be argued about.
func (x *play) base(c *candidate) (id p2pwire.ID, clear bool) {
	genesis := x.chain.GenesisTime()
	for s := c.slot + 1; x.isOwn(x.chain.ProducerAt(s)) && s < c.slot+2*p2pwire.RoundSlots; s++ {
		for _, later := range x.check.Blocks(x.chain.ProducerAt(s), s) {
			if sent, _ := x.check.Left(later); sent <= genesis+int64(c.at) {
				return id, false // the run had gone on
			}
		}
	}
	until := genesis + int64(c.at+time.Second)
	for s := c.slot - 1; x.isOwn(x.chain.ProducerAt(s)) && s+2*p2pwire.RoundSlots > c.slot; s-- {
		ids := x.check.Blocks(x.chain.ProducerAt(s), s)
		if len(ids) == 0 {
			continue
		}
		sent, _ := x.check.Left(ids[0])
		if x.check.Overtaken(ids[0], genesis+int64(c.at-500*time.Millisecond)) {
			break // the lineage was over
		}
		switch {
		case x.check.Overtaken(ids[0], until):
			return id, false
		case sent > genesis+int64(c.at):
			return id, false // the parent went out later than its child came
		case x.relayStart(c.at).at > time.Duration(sent-genesis):
			return id, false // this relay may not know it
		}
		return ids[0], true
	}
	// The start of a run.
	var best *made
	var all []*made
	for _, m := range x.ledger.made {
		at := m.reached
		if x.isOwn(x.chain.ProducerAt(m.slot)) {
			if sent, ok := x.check.Left(m.id); ok && at == 0 {
				at = time.Duration(sent - genesis)
			}
		}
		if at == 0 || at > c.at || m.slot >= c.slot {
			continue
		}
		all = append(all, m)
		if best == nil || x.better(m, best) {
			best = m
		}
	}
	return idOf(best), best != nil && !slices.ContainsFunc(all, func(m *made) bool { return m != best && !x.better(best, m) })
}

func idOf(m *made) p2pwire.ID {
	if m == nil {
		return p2pwire.ID{}
	}
	return m.id
}

// better is the fork choice of the mode. In legacy it may be neither: what is irreversible goes first there, and
// a relay that has not seen the whole schedule yet knows only the height.
func (x *play) better(a, b *made) bool {
	if x.chain.Mode() == simnet.Legacy {
		return a.lib >= b.lib && (a.num > b.num || a.num == b.num && string(a.id[:]) > string(b.id[:]))
	}
	switch {
	case a.qc != b.qc:
		return a.qc > b.qc
	case a.slot != b.slot:
		return a.slot > b.slot
	}
	return string(a.id[:]) > string(b.id[:])
}

// judgeStart: a run begins on the best block that the relay had, when the block that begins it was
// started, and for long enough to give it to the node. b is the own block of the slot that is public.
func (x *play) judgeStart(slot p2pwire.Slot, id p2pwire.ID) {
	b := x.ledger.made[id]
	if b == nil || x.isOwn(x.chain.ProducerAt(slot-1)) || slot.Index() != 0 || len(x.ledger.forged) > 0 {
		return
	}
	begun := x.mono(slot.Time()) - 500*time.Millisecond
	for _, name := range b.by {
		if !x.health.node(begun-4*time.Second, begun, name) {
			return
		}
	}
	parent := x.ledger.made[b.previous]
	for _, a := range x.ledger.fresh {
		if a.at >= settled && a.at+handOver <= begun && (parent == nil || x.better(a.made, parent)) && x.nodes["net0"].HasBlock(a.id) && !x.chosenOver(b, a, begun) {
			x.breach(RuleStart, "slot %s: %s is on %s, and %s had come at %s", x.slot(slot), id.Short(), b.previous.Short(), a.id.Short(), duration(a.at))
			return
		}
	}
}

// chosenOver tells whether a legacy node that made a block had an arrival by a time: it knows better
// which branch is better, by what is irreversible in it.
func (x *play) chosenOver(b *made, a *arrival, by time.Duration) bool {
	return x.s.Mode == simnet.Legacy && slices.ContainsFunc(b.by, func(name string) bool {
		got, ok := x.ledger.given[name][a.digest]
		return ok && got <= by
	})
}

// handOver is what the relay may take to try a block and give it to all nodes.
const handOver = 300 * time.Millisecond

// judgeLost: with nothing wrong since a little before the run began, every slot of it must be public.
func (x *play) judgeLost(slot p2pwire.Slot) {
	run := slot
	for x.isOwn(x.chain.ProducerAt(run-1)) && run.Time() > x.chain.GenesisTime() && slot-run < 2*p2pwire.RoundSlots {
		run-- // of one without end no more counts: whoever does not recover loses more
	}
	from, to := x.mono(run.Time())-2*time.Second, x.mono(slot.Time())+500*time.Millisecond
	machines := []string{"relay", "disk"}
	for _, name := range x.ours() {
		machines = append(machines, name, name+"-relay")
	}
	if x.mono(slot.Time()) <= x.relayStart(to).fenced || !x.health.well(from, to, machines...) || !x.uplink(from, to) {
		return
	}
	// With a partition in the network two chains may be right.
	for _, a := range x.public() {
		if !x.health.well(from-2*time.Second, to, a, a+"-relay", a+"-net0", a+"-net1") {
			return
		}
	}
	if x.s.Mode == simnet.Legacy && slices.ContainsFunc(x.ledger.candidates[slot], func(c *candidate) bool { return x.privateSince(c) < from }) {
		return // nodes that lost slots before prefer their longer branch
	}
	if slices.ContainsFunc(x.ours(), func(name string) bool { return x.nodes[name] != nil && x.privateLonger(x.nodes[name]) }) {
		return // nor do they produce when they were started on it
	}
	if !slices.ContainsFunc(x.ledger.fresh, func(a *arrival) bool { return a.at >= from-4*time.Second && a.at <= to }) && len(x.own) < len(x.s.Layout) {
		return // the network stands still: who began on an old state does not produce
	}
	if len(x.own) == len(x.s.Layout) && len(x.ledger.candidates[slot]) == 0 {
		return // a node that does not know the head as new does not produce, and nobody makes a new one for it
	}
	x.breach(RuleLost, "slot %s: nothing was wrong", x.slot(slot))
}

// privateSince tells when the branch of a candidate that the network does not have began.
func (x *play) privateSince(c *candidate) time.Duration {
	since := x.mono(c.slot.Time())
	for m := c.made; m != nil && x.isOwn(x.chain.ProducerAt(m.slot)); m = x.ledger.made[m.previous] {
		if _, left := x.check.Left(m.id); left {
			break
		}
		since = x.mono(m.slot.Time())
	}
	return since
}

// judgeVotes: a vote for a public block leaves, if no newer one of its key did before.
func (x *play) judgeVotes() {
	genesis := x.chain.GenesisTime()
	odd := map[string]bool{} // voters whose last vote was for a block that stayed inside
	for _, v := range x.ledger.votes {
		m := x.ledger.made[v.block]
		if m == nil {
			continue
		}
		public := m.reached
		if x.isOwn(x.chain.ProducerAt(m.slot)) {
			sent, ok := x.check.Left(v.block)
			if !ok {
				odd[v.node+string(v.key[:])] = true
				continue
			}
			public = time.Duration(sent - genesis)
		}
		if public == 0 || public > v.at+4*time.Second {
			continue
		}
		if voter := v.node + string(v.key[:]); odd[voter] {
			delete(odd, voter)
			continue // it has to agree with the public chain once before it speaks
		}
		due := max(public, v.at)
		if _, left := x.ledger.votesSeen[v.digest]; left || x.superseded(v, m.slot, due+time.Second) {
			continue
		}
		if !x.sameRelay(v.at, due+500*time.Millisecond) || !x.uplink(min(public, v.at)-time.Second, due+time.Second) || due+time.Second > x.w.Now().Mono {
			continue
		}
		if x.relayStart(v.at).at > public {
			continue // it may take what it learns when it learns it
		}
		if x.markedBefore(v, m.slot) || !x.health.well(v.at-time.Second, due+time.Second, "disk") {
			continue // a vote leaves when its mark is written, or the journal is given up
		}
		x.breach(RuleVoteLost, "vote of %s for %s of slot %s came at %s and never went out", v.node, v.block.Short(), x.slot(m.slot), duration(v.at))
		return
	}
}

// voteReserve is how many slots behind the last vote a relay that journals may close to votes when it is
// killed: its mark reaches that far.
const voteReserve = 4

// markedBefore tells whether a vote may be one that left before the relay was started, as far as its
// journal knows: full blocks are made, and voted for, seconds before their time.
func (x *play) markedBefore(v *ownVote, slot p2pwire.Slot) bool {
	start, last := x.relayStart(v.at), p2pwire.Slot(0)
	for _, w := range x.ledger.votes {
		if m := x.ledger.made[w.block]; m != nil && w.key == v.key && w.at < start.at {
			last = max(last, m.slot)
		}
	}
	return slot <= min(start.voted[sha256.Sum256(v.key[:])], last+voteReserve)
}

// superseded tells whether another vote of the key had left, or another node's may be preferred.
func (x *play) superseded(v *ownVote, slot p2pwire.Slot, until time.Duration) bool {
	margin := p2pwire.Slot(1)
	if x.s.Nodes == 1 {
		margin = 0
	}
	for _, c := range x.ledger.lastVotes[v.key] {
		if c.left <= until && c.slot+margin >= slot {
			return true
		}
	}
	return false
}
