package main

import (
	"fmt"
	"log/slog"
	"time"

	"bprelay/config"
	"bprelay/ha/journal"
	"bprelay/p2pwire"
	"bprelay/relay"
	"bprelay/relay/core"
)

// openJournal opens the claim journal the configuration asks for, and lets the relay start from what
// it knows. Without state_dir there is none: nil.
func openJournal(cfg *config.Config, o *relay.Options, log *slog.Logger) (*journal.Journal, error) {
	if cfg.StateDir == "" {
		return nil, nil
	}
	opts := journal.Options{
		Dir: cfg.StateDir, Strict: cfg.Journal == config.JournalStrict, Logger: log,
		Identity: journal.Identity{
			Chain: cfg.ChainID, Fence: uint32(p2pwire.SlotAt(time.Now().UnixNano() + int64(cfg.StartFence))),
		},
	}
	for _, p := range cfg.Producers {
		opts.Producers = append(opts.Producers, uint64(p.Name))
	}
	j, history, err := journal.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	o.Engine.Core.Restored = restored(history)
	o.Engine.Journal = claimJournal{j}
	return j, nil
}

func restored(h *journal.History) core.Restored {
	r := core.Restored{
		Floor: p2pwire.Slot(h.Floor), Complete: h.Complete, Fences: make(map[p2pwire.Name]p2pwire.Slot, len(h.Fences)),
	}
	for _, c := range h.Claims {
		cl := core.Claim{Producer: p2pwire.Name(c.Producer), Slot: p2pwire.Slot(c.Slot), ID: c.ID, Foreign: c.Foreign}
		if r.Claims = append(r.Claims, cl); c.Agreed {
			r.Agreed = append(r.Agreed, cl)
		}
	}
	for _, m := range h.Marks {
		r.Votes = append(r.Votes, core.VoteMark{Key: m.Key, Slot: p2pwire.Slot(m.Slot)})
	}
	for name, slot := range h.Fences {
		r.Fences[p2pwire.Name(name)] = p2pwire.Slot(slot)
	}
	return r
}

// claimJournal speaks to a journal in the core's words.
type claimJournal struct{ j *journal.Journal }

// Claim implements engine.Journal.
func (c claimJournal) Claim(cl core.Claim, agreed bool, done func(core.Verdict)) {
	c.j.Claim(entryOf(cl, agreed), func(r journal.Result) { done(verdict(r)) })
}

// Agree implements engine.Journal.
func (c claimJournal) Agree(cl core.Claim) { c.j.Agree(entryOf(cl, true)) }

func entryOf(cl core.Claim, agreed bool) journal.Claim {
	return journal.Claim{Producer: uint64(cl.Producer), Slot: uint32(cl.Slot), ID: cl.ID, Foreign: cl.Foreign, Agreed: agreed}
}

// verdict allows a block out if it is on disk, or if the operator said that memory will do.
func verdict(r journal.Result) core.Verdict {
	switch r {
	case journal.Recorded, journal.Remembered:
		return core.Approved
	case journal.Taken:
		return core.Denied
	}
	return core.Failed
}

// Mark implements engine.Journal.
func (c claimJournal) Mark(m core.VoteMark, done func(bool)) {
	c.j.Mark(mark(m), func(r journal.Result) { done(verdict(r) == core.Approved) })
}

// Settle implements engine.Journal.
func (c claimJournal) Settle(m core.VoteMark) { c.j.Settle(mark(m)) }

func mark(m core.VoteMark) journal.Mark { return journal.Mark{Key: m.Key, Slot: uint32(m.Slot)} }

// Status implements engine.Journal.
func (c claimJournal) Status() core.JournalStatus {
	s := c.j.Status()
	out := core.JournalStatus{
		Dir: s.Dir, Mode: string(config.JournalRelaxed), Complete: s.Complete, CompleteAtStart: s.WasComplete, Fault: s.Fault,
		Bytes: s.Bytes, Errors: s.Errors, Unrecorded: s.Unrecorded,
		Writes: core.JournalWrites{Counts: s.Syncs[:], Sum: s.SyncSum.Seconds()},
	}
	if s.Strict {
		out.Mode = string(config.JournalStrict)
	}
	for _, bound := range journal.SyncBounds {
		out.Writes.UpTo = append(out.Writes.UpTo, bound.Seconds())
	}
	return out
}
