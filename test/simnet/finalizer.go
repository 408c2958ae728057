package simnet

import (
	"bprelay/p2pwire"
)

// blockRef is nodeos' block_ref.
type blockRef struct {
	id   p2pwire.ID
	slot p2pwire.Slot
}

// finalizer is one voting key with its safety information (safety.dat).
type finalizer struct {
	key             FinalizerKey
	index           int // in the policy, or unknownFinalizer
	lastVote        blockRef
	lock            blockRef
	otherBranchSlot p2pwire.Slot
	voted           bool // since the start of the process
}

// decide is finalizer::decide_vote.
func (f *finalizer) decide(b *block) (vote, strong bool) {
	if f.lastVote.slot != 0 && b.slot <= f.lastVote.slot {
		return false, false
	}
	claimed := blockRef{slot: b.qcSlot}
	if a := b.ancestor(b.qc.Num); a != nil {
		claimed.id = a.id
	}
	if claimed.slot <= f.lock.slot && !b.extends(f.lock.id) {
		return false, false
	}
	switch {
	case f.lastVote.slot <= claimed.slot:
		strong = true
	case b.extends(f.lastVote.id):
		strong = f.otherBranchSlot <= claimed.slot
	default:
		f.otherBranchSlot = f.lastVote.slot
	}
	if strong {
		f.otherBranchSlot = 0
		if claimed.slot > f.lock.slot {
			f.lock = claimed
		}
	}
	f.lastVote = blockRef{id: b.id, slot: b.slot}
	f.voted = true
	return true, strong
}

// updateSafety is my_finalizers.maybe_update_fsi: before its first vote since
// the start, a key learns of its votes from strong certificates.
func (n *Node) updateSafety(claimed *block, qc *certificate) {
	for _, f := range n.finalizers {
		if f.voted || f.index == unknownFinalizer || qc.strong>>f.index&1 == 0 || claimed.slot <= f.lastVote.slot {
			continue
		}
		if claimed.qcSlot > f.lock.slot {
			if a := claimed.ancestor(claimed.qc.Num); a != nil {
				f.lock = blockRef{id: a.id, slot: a.slot}
			}
		}
		f.lastVote = blockRef{id: claimed.id, slot: claimed.slot}
	}
}

// considerVoting votes with every key the rules allow: for a recent proper
// Savanna block whose QC-claimed block was validated here.
func (n *Node) considerVoting(now Instant, b *block) {
	if n.chain.cfg.Mode != Savanna || len(n.finalizers) == 0 || b.slot.Time()+recentBlock < now.Wall {
		return
	}
	if a := b.ancestor(b.qc.Num); a == nil || !a.validated {
		return
	}
	for _, f := range n.finalizers {
		if f.index == unknownFinalizer {
			continue // not in the policy: nodeos does not vote with it
		}
		vote, strong := f.decide(b)
		if !vote {
			continue
		}
		sig := f.key.Sign(b.id, strong)
		if n.aggregateVote(now, b, f.index, strong, sig[:]) {
			n.voteSeen(now, f.index)
		}
		frame := voteFrame(b.id, strong, f.key.Pub, sig)
		n.emit(now, Event{Kind: EventVoted, ID: b.id, Slot: b.slot, Strong: strong})
		n.broadcastVote(nil, frame)
	}
}
