package simnet

import (
	"bytes"
	"slices"
	"time"

	"bprelay/p2pwire"
)

// Limits of nodeos' vote processor.
const (
	voteQueueTime   = 5 * time.Second // how long a vote waits for its block
	maxVotesPerConn = 2500            // unprocessed ones
	recentBlock     = 30e9            // ns; older blocks are not voted for
)

// unknownFinalizer is the policy index of a key that is not in the policy.
const unknownFinalizer = -1

// ballot collects the votes for one block.
type ballot struct {
	strong, weak uint64
	strongWeight uint64
	weakWeight   uint64
	sigs         [][p2pwire.FinalizerSigSize]byte // by policy index; zero where none
}

func (c *Chain) newBallot() *ballot {
	return &ballot{sigs: make([][p2pwire.FinalizerSigSize]byte, len(c.finalizers))}
}

func (v *ballot) add(index int, strong bool, weight uint64, sig []byte) {
	copy(v.sigs[index][:], sig)
	if strong {
		v.strong |= 1 << index
		v.strongWeight += weight
		return
	}
	v.weak |= 1 << index
	v.weakWeight += weight
}

func (v *ballot) has(index int) bool { return (v.strong|v.weak)>>index&1 == 1 }

// certificate returns the QC the votes make, nil when they make none: strong by
// strong votes alone, else weak by both kinds. nodeos waits a little before it
// settles for a weak one; here a weak one is taken as soon as it is there and
// gives way to a strong one.
func (c *Chain) certificate(num uint32, v *ballot) *certificate {
	if v == nil {
		return nil
	}
	q := &certificate{num: num}
	switch {
	case v.strongWeight >= c.threshold:
		q.strong = v.strong
	case v.strongWeight+v.weakWeight >= c.threshold:
		q.strong, q.weak = v.strong, v.weak
	default:
		return nil
	}
	c.aggregate(q, func(i int) []byte { return v.sigs[i][:] })
	return q
}

// aggregate stands for BLS aggregation: the exclusive or of the signatures.
func (c *Chain) aggregate(q *certificate, sig func(i int) []byte) {
	for i := range c.finalizers {
		if (q.strong|q.weak)>>i&1 == 0 {
			continue
		}
		for j, b := range sig(i)[:sigBody] {
			q.sig[j] ^= b
		}
	}
	sealPoint(&q.sig)
}

// verifyQC recomputes the aggregate and the weight.
func (c *Chain) verifyQC(id p2pwire.ID, q *certificate) bool {
	if q.strong&q.weak != 0 || (q.strong|q.weak)>>len(c.finalizers) != 0 || q.num != id.Num() {
		return false
	}
	weight := uint64(0)
	for i, w := range c.weights {
		if (q.strong|q.weak)>>i&1 == 1 {
			weight += w
		}
	}
	if weight < c.threshold {
		return false
	}
	want := &certificate{strong: q.strong, weak: q.weak}
	c.aggregate(want, func(i int) []byte {
		s := c.finalizers[i].Sign(id, q.strong>>i&1 == 1)
		return s[:]
	})
	return want.sig == q.sig
}

// integrateQC stores a certificate a block carries at the block it is for.
func (n *Node) integrateQC(b *block, qc *certificate) {
	if qc == nil {
		return
	}
	claimed := b.parent.ancestor(qc.num)
	if claimed == nil {
		return
	}
	if claimed.received == nil || !claimed.received.isStrong() && qc.isStrong() {
		claimed.received = qc
	}
	if qc.isStrong() {
		n.updateSafety(claimed, qc)
	}
}

// bestQC returns the certificate for the block nearest to head that says more
// than head's own claim, and that claim otherwise.
func (n *Node) bestQC(head *block) (p2pwire.QCClaim, *certificate) {
	for b := head; b != nil && b.num >= head.qc.Num; b = b.parent {
		q := n.chain.certificate(b.num, b.votes)
		if r := b.received; r != nil && (q == nil || !q.isStrong() && r.isStrong()) {
			q = r
		}
		if q == nil {
			continue
		}
		if b.num > head.qc.Num || q.isStrong() && !head.qc.Strong {
			return p2pwire.QCClaim{Num: b.num, Strong: q.isStrong()}, q
		}
		break
	}
	return head.qc, nil
}

// voteFrame writes a vote_message.
func voteFrame(id p2pwire.ID, strong bool, key [p2pwire.FinalizerKeySize]byte, sig [p2pwire.FinalizerSigSize]byte) []byte {
	return p2pwire.AppendRawFrame(nil, p2pwire.TypeVote, p2pwire.AppendVote(nil, id, strong, key, sig))
}

// VoteFrame builds the frame of a valid vote of the chain's key called name.
func (c *Chain) VoteFrame(name string, id p2pwire.ID, strong bool) []byte {
	k := c.FinalizerKey(name)
	return voteFrame(id, strong, k.Pub, k.Sign(id, strong))
}

// aggregateVote counts a checked vote; false means the key was counted before.
func (n *Node) aggregateVote(now Instant, b *block, index int, strong bool, sig []byte) bool {
	if b.votes == nil {
		b.votes = n.chain.newBallot()
	}
	if b.votes.has(index) {
		return false
	}
	b.votes.add(index, strong, n.chain.weights[index], sig)
	return true
}

// queuedVote is a vote whose block is not there yet.
type queuedVote struct {
	frame []byte
	conn  *peer
	until time.Duration
}

// receiveVote is process_next_vote_message and the vote processor behind it.
func (n *Node) receiveVote(now Instant, c *peer, frame []byte) {
	if n.voteThreads == 0 {
		return
	}
	v, err := p2pwire.ParseVote(frame[p2pwire.PrefixLen+1:])
	if err != nil || !isPoint(v.Signature()) {
		n.exception(now, c, "vote does not unpack")
		return
	}
	if v.BlockID.Num() <= n.db.root.num {
		return
	}
	b := n.db.get(v.BlockID)
	if b == nil {
		c.monitor.rejected(now)
		if c.queuedVotes++; c.queuedVotes > maxVotesPerConn {
			n.exception(now, c, "too many unprocessed votes")
			return
		}
		n.voteQueue[v.BlockID] = append(n.voteQueue[v.BlockID], queuedVote{frame: frame, conn: c, until: now.Mono + voteQueueTime})
		return
	}
	n.processVote(now, c, b, v, frame)
}

func (n *Node) processVote(now Instant, c *peer, b *block, v p2pwire.Vote, frame []byte) {
	index, known := n.chain.byPub[[p2pwire.FinalizerKeySize]byte(v.FinalizerKey())]
	switch {
	case !known:
		n.exception(now, c, "unknown finalizer key")
		return
	case b.votes != nil && b.votes.has(index):
		return // duplicate, found before the signature is looked at
	}
	want := n.chain.finalizers[index].Sign(v.BlockID, v.Strong)
	if !bytes.Equal(want[:], v.Signature()) {
		n.exception(now, c, "invalid vote signature")
		return
	}
	n.aggregateVote(now, b, index, v.Strong, v.Signature())
	n.voteSeen(now, index)
	n.broadcastVote(c, frame)
}

// notifyNewBlock processes the votes that came before their block.
func (n *Node) notifyNewBlock(now Instant, b *block) {
	queue := n.voteQueue[b.id]
	if queue == nil {
		return
	}
	delete(n.voteQueue, b.id)
	for _, q := range queue {
		q.conn.queuedVotes--
		if v, err := p2pwire.ParseVote(q.frame[p2pwire.PrefixLen+1:]); err == nil && now.Mono <= q.until {
			n.processVote(now, q.conn, b, v, q.frame)
		}
	}
}

// expireVotes drops what waited too long for its block.
func (n *Node) expireVotes(now Instant) {
	for id, queue := range n.voteQueue {
		left := slices.DeleteFunc(queue, func(q queuedVote) bool {
			if now.Mono > q.until {
				q.conn.queuedVotes--
				return true
			}
			return false
		})
		if len(left) == 0 {
			delete(n.voteQueue, id)
		} else {
			n.voteQueue[id] = left
		}
	}
}

// broadcastVote sends a vote to all current block peers that understand it,
// but not back to its source.
func (n *Node) broadcastVote(from *peer, frame []byte) {
	if n.sync.state == libCatchup || n.voteThreads == 0 {
		return
	}
	for _, c := range n.peers {
		if c != from && c.current() && c.sendsBlocks() && p2pwire.TypeVote.SendableTo(c.pv) {
			n.sendFrame(c, frame)
		}
	}
}
