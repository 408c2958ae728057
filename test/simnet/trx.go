package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// poolTrx is an executed transaction that may go into a block.
type poolTrx struct {
	id         p2pwire.ID
	body       []byte // packed_transaction
	expiration int64  // unix ns
}

// trxPool is the unapplied transaction queue and the record of what the applied
// branch holds.
type trxPool struct {
	queue   []*poolTrx // oldest first
	byID    map[p2pwire.ID]*poolTrx
	onChain map[p2pwire.ID]p2pwire.Slot // on the applied branch; forgotten after an hour
}

func (p *trxPool) init() {
	p.byID = map[p2pwire.ID]*poolTrx{}
	p.onChain = map[p2pwire.ID]p2pwire.Slot{}
}

func (p *trxPool) add(t *poolTrx) {
	if p.byID[t.id] == nil {
		p.byID[t.id] = t
		p.queue = append(p.queue, t)
	}
}

// pending returns what a block for slot would hold, at most limit (0: all).
func (p *trxPool) pending(slot p2pwire.Slot, limit int) []*poolTrx {
	var out []*poolTrx
	for _, t := range p.queue {
		if limit > 0 && len(out) == limit {
			break
		}
		if _, done := p.onChain[t.id]; !done && t.expiration > slot.Time() {
			out = append(out, t)
		}
	}
	return out
}

func (p *trxPool) applied(b *block) {
	for _, t := range b.trx {
		p.onChain[t.id] = b.slot
	}
}

// undone returns a block's transactions to the queue.
func (p *trxPool) undone(b *block) {
	for _, t := range b.trx {
		delete(p.onChain, t.id)
		if t.body != nil {
			p.add(&poolTrx{id: t.id, body: t.body, expiration: expirationOf(t.body)})
		}
	}
}

func (p *trxPool) expire(wall int64) {
	p.queue = slices.DeleteFunc(p.queue, func(t *poolTrx) bool {
		if t.expiration > wall {
			return false
		}
		delete(p.byID, t.id)
		return true
	})
	for id, slot := range p.onChain {
		if slot.Time() < wall-int64(time.Hour) {
			delete(p.onChain, id)
		}
	}
}

// expirationOf reads a packed_transaction body's expiration, unix ns.
func expirationOf(body []byte) int64 {
	_, trx, _ := (&tail{buf: body}).transaction()
	if len(trx) < 4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(trx)) * int64(time.Second)
}

// knownTrx is dispatch_manager's local_txns entry for one id.
type knownTrx struct {
	peers   map[uint32]bool
	expires int64
}

// trxKnown notes that a connection has a transaction and reports whether
// anyone was known to have it before. Serial 0 stands for this node.
func (n *Node) trxKnown(now Instant, id p2pwire.ID, serial uint32, expiration int64) (any, added bool) {
	k := n.peerTrx[id]
	any = k != nil
	if k == nil {
		k = &knownTrx{peers: map[uint32]bool{}}
		k.expires = min(expiration, now.Wall+int64(n.cfg.TrxDedupExpire))
		n.peerTrx[id] = k
	}
	added = !k.peers[serial]
	k.peers[serial] = true
	return any, added
}

// receiveTrx is process_next_trx_message.
func (n *Node) receiveTrx(now Instant, c *peer, frame []byte) {
	if n.cfg.RefuseTransactions || n.sync.state == libCatchup {
		return
	}
	t, err := p2pwire.ParseTransaction(frame[p2pwire.PrefixLen+1:], &n.scratch)
	if err != nil {
		n.exception(now, c, "transaction does not unpack")
		return
	}
	expiration := int64(t.Expiration) * int64(time.Second)
	have, _ := n.trxKnown(now, t.ID, c.serial, expiration)
	if have {
		return
	}
	n.executeTrx(now, t.ID, frame, expiration)
}

// PushTransaction is /v1/chain/send_transaction: frame is a whole
// packed_transaction frame. A bad one is reported through Trace only.
func (n *Node) PushTransaction(now Instant, frame []byte) {
	n.now = now
	if t, err := p2pwire.ParseTransaction(frame[p2pwire.PrefixLen+1:], &n.scratch); err == nil {
		n.executeTrx(now, t.ID, frame, int64(t.Expiration)*int64(time.Second))
	}
	n.settle(now)
}

// executeTrx runs a transaction that is new here: a good one is queued for
// blocks and broadcast, a bad one is forgotten, its record kept.
func (n *Node) executeTrx(now Instant, id p2pwire.ID, frame []byte, expiration int64) {
	body := frame[p2pwire.PrefixLen+1:]
	if reason := badTrx(now, id, body, expiration); reason != "" {
		n.emit(now, Event{Kind: EventBadTrx, ID: id, Reason: reason})
		return
	}
	if _, done := n.pool.onChain[id]; done || n.pool.byID[id] != nil {
		n.emit(now, Event{Kind: EventBadTrx, ID: id, Reason: "duplicate transaction"})
		return
	}
	n.pool.add(&poolTrx{id: id, body: body, expiration: expiration})
	n.emit(now, Event{Kind: EventTrx, ID: id})
	for _, c := range n.peers {
		if c.current() && c.kind != p2pwire.KindBlocks {
			if _, added := n.trxKnown(now, id, c.serial, expiration); added {
				n.sendFrame(c, frame)
			}
		}
	}
	n.trxExecuted(now)
}

// trxExecuted lets production react: an exhausted block leaves at once, and a
// speculative block past its deadline is restarted, which re-checks whether the
// node may produce.
func (n *Node) trxExecuted(now Instant) {
	switch {
	case len(n.producers) == 0 || !n.prod.building:
	case n.prod.producing && n.exhausted():
		n.prod.wake = now.Wall
	case !n.prod.producing && now.Wall > n.prod.deadline:
		n.scheduleProductionLoop(now)
	}
}

func badTrx(now Instant, id p2pwire.ID, body []byte, expiration int64) string {
	_, packed, compressed := (&tail{buf: body}).transaction()
	sig := trxSignature(id)
	switch {
	case expiration <= now.Wall:
		return "expired transaction"
	case expiration > now.Wall+int64(time.Hour):
		return "transaction expires too late"
	case compressed || p2pwire.ID(sha256.Sum256(packed)) != id || len(body) < 67 || body[0] != 1 || [66]byte(body[1:67]) != sig:
		return "bad signature"
	}
	return ""
}
