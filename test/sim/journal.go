package sim

import (
	"slices"
	"time"

	"bprelay/ha/journal"
	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// journalRecord is the size of a journal's records: without whole records at its end a file looks
// complete. No journal can survive a disk that does that.
const journalRecord = 64

// StateDir is a relay's state directory in virtual time: it outlives the relay, and holds the bytes of a
// real journal. It is the relay's core.Claimer and core.VoteMarker.
type StateDir struct {
	// Latency is how long a write takes until it is on disk. One is under way at a time; what comes
	// meanwhile goes with the next one.
	Latency time.Duration
	// Failing makes every write fail, which the relay is told after Latency (journal: strict).
	Failing bool
	// Torn is how many bytes are missing at the end of the file when the relay starts for the second
	// time: a disk that loses what it said it had.
	Torn int
	// Stop, if not nil, is asked twice about what is to be written: before the disk has it, and behind, before the
	// relay is told. If it says so the disk does nothing any more: the relay is about to be killed.
	Stop func(onDisk bool) bool
	// Starts counts the starts, Complete those that found a complete journal.
	Starts, Complete int
	// Whole: the last start found a complete journal.
	Whole bool
	// Voted are the vote marks that the last start found.
	Voted map[[32]byte]p2pwire.Slot

	data    []byte // on disk
	ledger  *journal.Ledger
	waiting []entry
	writing []entry
	done    time.Duration // when the present write is on disk
	later   []core.Claim  // agreed to after all: goes with the next write
	beat    time.Duration
	stopped bool
}

// entry is a claim or a mark on its way to the disk.
type entry struct {
	claim  *core.Claim
	agreed bool
	mark   *core.VoteMark
}

// diskBeat is how often a running relay leaves a sign of life.
const diskBeat = 2 * time.Second

// start is the relay's start: what was under way is lost, the rest is read.
func (d *StateDir) start(now core.Instant, cfg *core.Config, fence time.Duration) core.Restored {
	d.waiting, d.writing, d.later, d.beat, d.stopped = nil, nil, nil, now.Mono+diskBeat, false
	if len(d.data) > 0 {
		d.data = d.data[:max(len(d.data)-d.Torn, 0)]
		d.Torn = 0
	}
	who := journal.Identity{Chain: cfg.ChainID, Fence: uint32(p2pwire.SlotAt(now.Wall + int64(fence)))}
	for _, p := range cfg.Producers {
		who.Producers = append(who.Producers, uint64(p.Name))
	}
	ledger, h, err := journal.Read(d.data, who, now.Wall)
	if err != nil {
		panic(err)
	}
	d.ledger = ledger
	d.Starts++
	if d.Whole = h.Complete; d.Whole {
		d.Complete++
	}
	d.data = ledger.Snapshot([32]byte{byte(d.Starts), byte(d.Starts >> 8)}, now.Wall)
	d.Voted = map[[32]byte]p2pwire.Slot{}
	r := core.Restored{Floor: p2pwire.Slot(h.Floor), Complete: h.Complete, Fences: map[p2pwire.Name]p2pwire.Slot{}}
	for _, c := range h.Claims {
		cl := core.Claim{Producer: p2pwire.Name(c.Producer), Slot: p2pwire.Slot(c.Slot), ID: c.ID, Foreign: c.Foreign}
		if r.Claims = append(r.Claims, cl); c.Agreed {
			r.Agreed = append(r.Agreed, cl)
		}
	}
	for _, m := range h.Marks {
		r.Votes = append(r.Votes, core.VoteMark{Key: m.Key, Slot: p2pwire.Slot(m.Slot)})
		d.Voted[m.Key] = max(d.Voted[m.Key], p2pwire.Slot(m.Slot))
	}
	for name, slot := range h.Fences {
		r.Fences[p2pwire.Name(name)] = p2pwire.Slot(slot)
	}
	return r
}

// Claim implements core.Claimer.
func (d *StateDir) Claim(now core.Instant, cl core.Claim) core.Verdict {
	return d.Record(now, cl, false)
}

// Record implements engine.ClaimJournal.
func (d *StateDir) Record(now core.Instant, cl core.Claim, agreed bool) core.Verdict {
	if !d.ledger.Claim(claimOf(cl, agreed)) {
		return core.Denied
	}
	d.ask(now, entry{claim: &cl, agreed: agreed})
	return core.Pending
}

// Agree implements engine.ClaimJournal.
func (d *StateDir) Agree(_ core.Instant, cl core.Claim) {
	if d.ledger.Agree(claimOf(cl, true)) {
		d.later = append(d.later, cl)
	}
}

func claimOf(cl core.Claim, agreed bool) journal.Claim {
	return journal.Claim{Producer: uint64(cl.Producer), Slot: uint32(cl.Slot), ID: cl.ID, Foreign: cl.Foreign, Agreed: agreed}
}

// MarkVotes implements core.VoteMarker.
func (d *StateDir) MarkVotes(now core.Instant, m core.VoteMark) {
	d.ledger.Mark(journal.Mark{Key: m.Key, Slot: uint32(m.Slot)})
	d.ask(now, entry{mark: &m})
}

// SettleVotes implements core.VoteMarker. Simulated relays are killed.
func (d *StateDir) SettleVotes(core.Instant, core.VoteMark) {}

func (d *StateDir) ask(now core.Instant, e entry) {
	d.waiting = append(d.waiting, e)
	d.write(now)
}

func (d *StateDir) write(now core.Instant) {
	if d.writing == nil && len(d.waiting) > 0 {
		d.writing, d.waiting, d.done = d.waiting, nil, now.Mono+d.Latency
	}
}

// next is when the disk has something to say.
func (d *StateDir) next() time.Duration {
	if d.writing != nil {
		return min(d.done, d.beat)
	}
	return d.beat
}

// due ends the write whose time has come, and tells the relay.
func (d *StateDir) due(now core.Instant, r *Relay) {
	if d.stopped {
		d.beat = now.Mono + time.Hour
		return
	}
	if now.Mono >= d.beat {
		d.beat = now.Mono + diskBeat
		if !d.Failing {
			d.data = d.ledger.AppendBeat(d.data, now.Wall)
		}
	}
	if d.writing == nil || now.Mono < d.done {
		return
	}
	written := d.writing
	d.writing = nil
	claims := slices.ContainsFunc(written, func(e entry) bool { return e.claim != nil })
	if d.stopped = claims && d.Stop != nil && d.Stop(false); d.stopped {
		return
	}
	v := core.Approved
	if d.Failing {
		v = core.Failed
	}
	if !d.Failing {
		for _, cl := range d.later {
			d.data = d.ledger.AppendClaim(d.data, claimOf(cl, true), now.Wall)
		}
		d.later = nil
	}
	for _, e := range written {
		switch {
		case d.Failing:
		case e.claim != nil:
			d.data = d.ledger.AppendClaim(d.data, claimOf(*e.claim, e.agreed), now.Wall)
		default:
			d.data = d.ledger.AppendMark(d.data, journal.Mark{Key: e.mark.Key, Slot: uint32(e.mark.Slot)}, now.Wall)
		}
	}
	if d.stopped = claims && d.Stop != nil && d.Stop(true); d.stopped {
		return
	}
	for _, e := range written {
		if e.claim != nil {
			r.journalled(*e.claim, v)
		} else {
			r.c.VotesMarked(now, *e.mark, !d.Failing)
		}
	}
	d.write(now)
}
