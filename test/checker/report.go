package checker

import (
	"fmt"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// Report is the verdict over a range of slots. Slots are counted for own
// producers only.
type Report struct {
	SlotsDue         int `json:"slots_due"`
	SlotsPublic      int `json:"slots_public"`        // at least one block seen
	SlotsDouble      int `json:"slots_double"`        // more than one distinct block seen
	SlotsLostInRound int `json:"slots_lost_in_round"` // not seen, in the round of a kill
	SlotsLostOutside int `json:"slots_lost_outside"`  // not seen otherwise
	SlotsOrphaned    int `json:"slots_orphaned"`      // seen, but not on the chain of the newest block

	OthersDouble int `json:"others_double"` // slots of other producers with more than one block
	OthersLost   int `json:"others_lost"`   // slots of other producers without a block

	Blocks      int         `json:"blocks"` // distinct, of all producers
	Votes       int         `json:"votes"`
	VotesUnseen int         `json:"votes_unseen"` // own votes whose block was never seen
	Slots       []SlotState `json:"-"`            // every own slot that was due
	Violations  []Violation `json:"violations"`
}

// SlotState is what became of one own slot.
type SlotState struct {
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	IDs      []p2pwire.ID
	First    time.Duration // when the first block came, relative to the slot's timestamp
	Orphaned bool
	InKill   bool // in the round of a kill
}

// OK reports that no rule was broken.
func (r Report) OK() bool { return len(r.Violations) == 0 }

// Report judges the slots from first to last, both included. kills are the wall
// times (unix ns) at which a node was killed: slots missing in the own round
// that was being produced at such a time count as lost in round. A round is
// being produced from 500 ms before its first timestamp to its last one.
func (c *Checker) Report(first, last p2pwire.Slot, kills []int64) Report {
	r := Report{
		Blocks:     len(c.blocks),
		Votes:      c.counts[p2pwire.TypeVote],
		Violations: slices.Clone(c.violations),
	}
	main := c.mainChain()
	killed := killedRounds(kills)
	for slot := first; slot <= last; slot++ {
		producer := c.producerAt(slot)
		ids := c.slots[slotKey{producer, slot}]
		if !c.own[producer] {
			switch {
			case len(ids) == 0:
				r.OthersLost++
			case len(ids) > 1:
				r.OthersDouble++
			}
			continue
		}
		r.add(c, SlotState{Producer: producer, Slot: slot, IDs: ids, InKill: killed[slot.Round()]}, main)
	}
	for _, s := range c.order {
		breaches, unseen := s.checkVotes(c)
		r.Violations = append(r.Violations, breaches...)
		r.VotesUnseen += unseen
	}
	slices.SortStableFunc(r.Violations, less)
	return r
}

func (r *Report) add(c *Checker, s SlotState, main map[p2pwire.ID]bool) {
	r.SlotsDue++
	switch {
	case len(s.IDs) > 0:
		r.SlotsPublic++
		s.First = time.Duration(c.blocks[s.IDs[0]].first - s.Slot.Time())
		if s.Orphaned = !slices.ContainsFunc(s.IDs, func(id p2pwire.ID) bool { return main[id] }); s.Orphaned {
			r.SlotsOrphaned++
		}
		if len(s.IDs) > 1 {
			r.SlotsDouble++
		}
	case s.InKill:
		r.SlotsLostInRound++
	default:
		r.SlotsLostOutside++
	}
	r.Slots = append(r.Slots, s)
}

func (c *Checker) producerAt(slot p2pwire.Slot) p2pwire.Name {
	n := p2pwire.Slot(len(c.cfg.Schedule))
	if n == 0 {
		return 0
	}
	return c.cfg.Schedule[slot%(n*p2pwire.RoundSlots)/p2pwire.RoundSlots]
}

// mainChain is the newest block with its ancestors.
func (c *Checker) mainChain() map[p2pwire.ID]bool {
	main := map[p2pwire.ID]bool{}
	for b := c.best; b != nil; b = c.blocks[b.previous] {
		main[b.id] = true
	}
	return main
}

// killedRounds gives the round that was being produced at each kill: the next
// one's first block is under way during the last slot's 500 ms.
func killedRounds(kills []int64) map[uint32]bool {
	rounds := map[uint32]bool{}
	for _, wall := range kills {
		rounds[(p2pwire.SlotAt(wall) + 1).Round()] = true
	}
	return rounds
}

func describeVotes(key [p2pwire.FinalizerKeySize]byte, b *sighting, lastID p2pwire.ID, last p2pwire.Slot) string {
	return fmt.Sprintf("%x voted for %s of slot %d after %s of slot %d", key[:4], b.id.Short(), b.slot, lastID.Short(), last)
}
