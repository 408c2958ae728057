package simnet

import (
	"errors"
	"fmt"
	"slices"

	"bprelay/p2pwire"
)

// block is a block with the chain state at it.
type block struct {
	id       p2pwire.ID
	num      uint32
	slot     p2pwire.Slot
	producer p2pwire.Name
	parent   *block // nil for the root once older blocks were dropped
	frame    []byte // whole wire frame; nil for genesis
	trx      []includedTrx

	validated bool // applied once
	inDB      bool // still in the fork database, or its root

	lib uint32 // last irreversible block, as far as this header tells

	// Savanna.
	qc       p2pwire.QCClaim // latest claim on this branch
	qcSlot   p2pwire.Slot    // timestamp of the claimed block
	received *certificate    // best certificate some block carried for this one
	votes    *ballot

	legacy *legacyState
}

// legacyState is block_header_state_legacy's DPoS part; slices are by schedule
// index.
type legacyState struct {
	confirmCount []uint8
	proposedIRB  uint32
	impliedIRB   []uint32
	lastProduced []uint32
}

// next is block_header_state_legacy::next.
func (s *legacyState) next(num uint32, producer, producers int, confirmed uint16) (*legacyState, uint32, error) {
	if last := s.lastProduced[producer]; last != 0 && last >= num-uint32(confirmed) {
		return nil, 0, errors.New("producer double-confirming known range")
	}
	n := &legacyState{
		confirmCount: append(slices.Clone(s.confirmCount), uint8(producers*2/3+1)),
		proposedIRB:  s.proposedIRB,
		impliedIRB:   slices.Clone(s.impliedIRB),
		lastProduced: slices.Clone(s.lastProduced),
	}
	size := len(n.confirmCount)
	for i, left := size-1, int(confirmed)+1; i >= 0 && left > 0; i, left = i-1, left-1 {
		n.confirmCount[i]--
		if n.confirmCount[i] == 0 {
			n.proposedIRB = num - uint32(size-1-i)
			n.confirmCount = slices.Clone(n.confirmCount[i+1:])
			break
		}
	}
	// calc_dpos_last_irreversible works on the parent's values.
	implied := slices.Clone(s.impliedIRB)
	implied[producer] = s.proposedIRB
	sorted := slices.Clone(implied)
	slices.Sort(sorted)
	n.impliedIRB = implied
	n.lastProduced[producer] = num
	return n, sorted[(len(sorted)-1)/3], nil
}

// errUnlinkable: the parent is not in the fork database. Everything else that
// newBlock reports makes nodeos close the connection at once.
var errUnlinkable = errors.New("unlinkable block")

// parse reads and checks what needs no parent.
func (n *Node) parseBlock(view p2pwire.Block, frame []byte) (*block, *certificate, error) {
	if view.Savanna != (n.chain.cfg.Mode == Savanna) || view.Savanna != view.HasQC || view.NewProducers {
		return nil, nil, errors.New("block of another mode")
	}
	if err := view.Check(&n.scratch); err != nil {
		return nil, nil, err
	}
	sigEnd := view.HeaderEnd + len(view.Signature())
	trx, qc, err := readTail(view.Body()[sigEnd:])
	if err != nil {
		return nil, nil, err
	}
	return &block{
		id: view.ID, num: view.Num, slot: view.Slot, producer: view.Producer,
		frame: frame, trx: trx, qc: view.QC,
	}, qc, nil
}

// accept is controller::accept_block: header validation against the parent and
// insertion into the fork database, before anything is executed.
func (n *Node) accept(now Instant, view p2pwire.Block, frame []byte) (b *block, added bool, err error) {
	if len(n.producers) > 0 && view.Slot.Time() >= now.Wall+futureTolerance {
		return nil, false, errors.New("block from the future")
	}
	if known := n.db.get(view.ID); known != nil {
		return known, false, nil
	}
	parent := n.db.get(view.Previous)
	if parent == nil {
		return nil, false, errUnlinkable
	}
	b, qc, err := n.parseBlock(view, frame)
	if err != nil {
		return nil, false, err
	}
	if err := n.chain.link(b, parent, view.Confirmed, qc); err != nil {
		return nil, false, err
	}
	if n.chain.ProducerAt(b.slot) != b.producer {
		return nil, false, fmt.Errorf("wrong producer %s for slot %d", b.producer, b.slot)
	}
	digest := n.chain.signingDigest(view.Header(), view.ID, view.Previous)
	if !n.chain.signedBy(b.producer, b.slot, digest, view.Signature()) {
		return nil, false, errors.New("block is not signed with expected key")
	}
	n.integrateQC(b, qc)
	n.considerVoting(now, b)
	n.db.add(b)
	return b, true, nil
}

// link sets the state that follows from the parent's and checks the claims.
func (c *Chain) link(b, parent *block, confirmed uint16, qc *certificate) error {
	if b.slot <= parent.slot {
		return errors.New("block is not later than its parent")
	}
	b.parent = parent
	if c.cfg.Mode == Legacy {
		index := slices.Index(c.producers, b.producer)
		if index < 0 {
			return fmt.Errorf("unknown producer %s", b.producer)
		}
		if uint32(confirmed) >= b.num {
			return errors.New("confirms blocks before genesis")
		}
		state, lib, err := parent.legacy.next(b.num, index, len(c.producers), confirmed)
		b.legacy, b.lib = state, max(lib, parent.lib)
		return err
	}
	return c.linkSavanna(b, parent, qc)
}

func (c *Chain) linkSavanna(b, parent *block, qc *certificate) error {
	b.lib, b.qcSlot = parent.lib, parent.qcSlot
	if b.qc == parent.qc {
		if qc != nil {
			return errors.New("quorum certificate without a newer claim")
		}
		return nil
	}
	newer := b.qc.Num > parent.qc.Num || b.qc.Num == parent.qc.Num && b.qc.Strong && !parent.qc.Strong
	if !newer || qc == nil || qc.num != b.qc.Num || qc.isStrong() != b.qc.Strong {
		return errors.New("invalid QC claim")
	}
	claimed := parent.ancestor(b.qc.Num)
	if claimed == nil {
		return errors.New("QC claim for a block not on this branch")
	}
	if !c.verifyQC(claimed.id, qc) {
		return errors.New("quorum certificate does not verify")
	}
	b.qcSlot = claimed.slot
	if b.qc.Strong && claimed.qc.Strong {
		b.lib = max(b.lib, claimed.qc.Num)
	}
	return nil
}

// ancestor returns the block with that number on b's branch, b included; nil
// when it is above b or below what is kept.
func (b *block) ancestor(num uint32) *block {
	for ; b != nil && b.num > num; b = b.parent {
	}
	if b == nil || b.num != num {
		return nil
	}
	return b
}

// extends reports whether id is b or one of its kept ancestors.
func (b *block) extends(id p2pwire.ID) bool {
	a := b.ancestor(id.Num())
	return a != nil && a.id == id
}
