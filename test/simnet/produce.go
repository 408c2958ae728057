package simnet

import (
	"encoding/binary"

	"bprelay/p2pwire"
)

// slotNs is the block interval in nanoseconds.
const slotNs = int64(p2pwire.SlotDuration)

// production is the producer plugin's state.
type production struct {
	enabled   bool // enable-stale-production, or a fresh block was applied
	paused    bool // producer API
	producing bool // pending_block_mode::producing
	building  bool // a pending block exists
	slot      p2pwire.Slot
	deadline  int64 // of the pending block, wall ns
	wake      int64 // the one production timer, wall ns; 0 is off
	produce   bool  // what the timer does: produce the block, or run the loop
}

// watermark is the highest block number and slot seen applied with an own
// producer's name. Legacy blocks only, and in memory only.
type watermark struct {
	num  uint32
	slot p2pwire.Slot
}

type startResult uint8

const (
	startSucceeded startResult = iota
	startWaitingForProduction
)

// effort is the time a block of a round gets: 500 ms less a twelfth of
// produce-block-offset-ms.
func (n *Node) effort() int64 {
	return slotNs - int64(n.cfg.ProduceBlockOffset)/p2pwire.RoundSlots
}

// deadlineOf is block_timing_util::calculate_producing_block_deadline: block i
// of a round leaves (i+1)*(500ms-effort) before its timestamp.
func (n *Node) deadlineOf(slot p2pwire.Slot) int64 {
	first := slot - p2pwire.Slot(slot.Index())
	return (first - 1).Time() + int64(slot.Index()+1)*n.effort()
}

// pendingSlot is the next slot after the head and, on producers, after now.
func (n *Node) pendingSlot(now Instant) p2pwire.Slot {
	if len(n.producers) == 0 {
		return n.head.slot + 1
	}
	return max(n.head.slot, p2pwire.SlotAt(now.Wall)) + 1
}

// scheduleProductionLoop is the producer plugin's main step: start a block,
// produced or speculative, and set the timer for what comes next.
func (n *Node) scheduleProductionLoop(now Instant) {
	n.prod.wake, n.prod.produce = 0, false
	result := n.startBlock(now)
	switch {
	case result == startWaitingForProduction:
		// The timer is set already.
	case len(n.producers) == 0:
		n.prod.producing = false
	case n.prod.producing:
		n.prod.produce = true
		n.prod.wake = now.Wall
		if n.prod.deadline > now.Wall && !n.exhausted() {
			n.prod.wake = n.prod.deadline
		}
	default:
		n.prod.wake = n.producerWakeUp(n.prod.slot)
		if now.Wall > n.prod.wake {
			n.prod.wake = n.prod.deadline
		}
	}
}

// producerWakeUp is calculate_producer_wake_up_time: the start of the first own
// slot after slot.
func (n *Node) producerWakeUp(slot p2pwire.Slot) int64 {
	schedule := p2pwire.Slot(len(n.chain.producers) * p2pwire.RoundSlots)
	for s := slot + 1; s <= slot+schedule; s++ {
		if n.producers[n.chain.ProducerAt(s)] {
			return (s - 1).Time()
		}
	}
	return 0
}

// startBlock is producer_plugin_impl::start_block.
func (n *Node) startBlock(now Instant) startResult {
	n.prod.building = false
	if len(n.producers) == 0 {
		n.applyBlocks(now)
	}
	if r := n.pendingMode(now); r != startSucceeded {
		return r
	}
	if !n.prod.producing && len(n.producers) > 0 && n.applyBlocks(now) {
		if r := n.pendingMode(now); r != startSucceeded {
			return r
		}
	}
	n.prod.building = true
	return startSucceeded
}

// pendingMode is determine_pending_block_mode: produce, speculate or wait.
func (n *Node) pendingMode(now Instant) startResult {
	slot := n.pendingSlot(now)
	producer := n.chain.ProducerAt(slot)
	n.prod.slot = slot
	reason := ""
	if n.producers[producer] {
		reason = n.whyNotProduce(now, producer, slot)
	}
	n.prod.producing = n.producers[producer] && reason == ""
	if reason != "" {
		n.emit(now, Event{Kind: EventNotProducing, Slot: slot, Reason: reason})
	}
	if n.prod.producing && slot.Index() == 0 && now.Wall < slot.Time()-slotNs {
		n.prod.wake = slot.Time() - slotNs
		return startWaitingForProduction
	}
	n.prod.deadline = n.deadlineOf(slot)
	if !n.prod.producing && now.Wall+slotNs > n.prod.deadline {
		n.prod.deadline = now.Wall + slotNs
	}
	return startSucceeded
}

func (n *Node) whyNotProduce(now Instant, producer p2pwire.Name, slot p2pwire.Slot) string {
	switch {
	case !n.prod.enabled:
		return "stale production not enabled"
	case n.prod.paused:
		return "production is explicitly paused"
	}
	if reason := n.tracker.paused(now.Wall); reason != "" {
		return reason
	}
	if n.head.num-n.db.root.num > n.cfg.MaxReversibleBlocks {
		return "max-reversible-blocks reached"
	}
	if w, ok := n.watermarks[producer]; ok {
		switch {
		case w.num > n.head.num:
			return "signed a block at a higher block number"
		case w.slot >= slot:
			return "signed a block at the next block time or later"
		}
	}
	return ""
}

// productionTimer is the production timer going off.
func (n *Node) productionTimer(now Instant) {
	produce := n.prod.produce && n.prod.producing && n.prod.building
	n.prod.wake = 0
	if produce {
		n.produceBlock(now)
	}
	n.scheduleProductionLoop(now)
}

// exhausted reports whether the pending block is full.
func (n *Node) exhausted() bool {
	limit := n.cfg.MaxBlockTransactions
	return limit > 0 && len(n.pool.pending(n.prod.slot, limit)) >= limit
}

// produceBlock assembles, signs, commits and announces the pending block.
func (n *Node) produceBlock(now Instant) {
	parent, slot := n.head, n.prod.slot
	producer := n.chain.ProducerAt(slot)
	builder := p2pwire.BlockBuilder{
		Slot: slot, Producer: producer, Previous: parent.id,
		ActionMRoot: actionRoot(parent.id, slot),
		Signer:      n.chain.keyAt(producer, slot),
		Digest: func(headerBytes []byte, id p2pwire.ID) p2pwire.ID {
			return n.chain.signingDigest(headerBytes, id, parent.id)
		},
		ScheduleVersion: 1,
	}
	b := &block{num: parent.num + 1, slot: slot, producer: producer}
	var qc *certificate
	if n.chain.cfg.Mode == Savanna {
		b.qc, qc = n.bestQC(parent)
		builder.QC, builder.ScheduleVersion = &b.qc, p2pwire.ScheduleVersionSavanna
		if qc != nil {
			data := qc.append(nil, len(n.chain.finalizers))
			builder.BlockExtensions = append(builder.BlockExtensions, p2pwire.QCExtension(data))
		}
	} else {
		builder.Confirmed = n.blocksToConfirm(parent, producer)
	}
	for _, t := range n.pool.pending(slot, n.cfg.MaxBlockTransactions) {
		builder.Receipts = append(builder.Receipts, p2pwire.Receipt{CPU: n.billedCPU(t.id), Net: uint32(len(t.body)+7) / 8, Trx: t.body})
		b.trx = append(b.trx, includedTrx{id: t.id, body: t.body})
	}
	body, id := builder.AppendBlock(nil)
	n.chain.signedHere(body, producer)
	b.id, b.frame = id, p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body)
	if err := n.chain.link(b, parent, builder.Confirmed, qc); err != nil {
		n.emit(now, Event{Kind: EventNotProducing, Slot: slot, Reason: err.Error()})
		return
	}
	n.integrateQC(b, qc)
	n.emit(now, Event{Kind: EventProduced, ID: id, Slot: slot, Previous: parent.id, Count: len(b.trx), LIB: b.lib})
	if n.db.get(id) == nil {
		n.db.add(b)
	} else {
		b = n.db.get(id) // a sibling made the very same block and it is here already
	}
	n.commit(now, b)
	n.broadcastBlock(now, b)
	n.notifyNewBlock(now, b)
	n.considerVoting(now, b)
	n.logIrreversible(now)
}

// actionRoot stands for the parts of a header that the chain state fixes.
func actionRoot(previous p2pwire.ID, slot p2pwire.Slot) p2pwire.ID {
	return seedID("action", uint64(slot), binary.BigEndian.Uint64(previous[8:16]), uint64(previous.Num()))
}

// blocksToConfirm is what a legacy producer may confirm: everything after its
// watermark; nothing when it does not know what it signed last.
func (n *Node) blocksToConfirm(parent *block, producer p2pwire.Name) uint16 {
	w, ok := n.watermarks[producer]
	if !ok || w.num >= parent.num {
		return 0
	}
	return uint16(min(parent.num-w.num, parent.num-parent.lib, 1<<16-1))
}

// Pause is /v1/producer/pause: it takes effect when the next block starts.
func (n *Node) Pause() { n.prod.paused = true }

// Resume is /v1/producer/resume: the vote tracker is reset, too, and the
// production loop runs at once.
func (n *Node) Resume(now Instant) {
	n.now = now
	n.prod.paused = false
	n.tracker.forceUnpause()
	if !n.prod.producing {
		n.scheduleProductionLoop(now)
	}
	n.settle(now)
}

// Paused is /v1/producer/paused: by the API or by missing votes.
func (n *Node) Paused(now Instant) bool { return n.prod.paused || n.tracker.paused(now.Wall) != "" }

// Producing reports whether the node is in producing mode: in an own round,
// building on its own branch.
func (n *Node) Producing() bool { return n.prod.producing }

// billedCPU is a transaction's cpu_usage_us: measured, so different on every
// node, unless clipped to the minimum.
func (n *Node) billedCPU(id p2pwire.ID) uint32 {
	const minimum = 100
	if n.cfg.FlatCPU {
		return minimum
	}
	mix := binary.LittleEndian.Uint64(id[8:]) ^ n.cpuNonce*0x9e3779b97f4a7c15
	return minimum + 1 + uint32(mix>>33%1000)
}

var _ Endpoint = (*Node)(nil)
