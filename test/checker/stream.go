package checker

import (
	"bytes"
	"crypto/sha256"

	"bprelay/p2pwire"
)

// stream is one connection's bytes towards a peer.
type stream struct {
	name    string
	buf     []byte
	sent    int64 // when what is being fed had left
	asked   int64 // when the peer said last that it lacks something
	broken  bool
	root    uint32                    // the highest number of a root the peer named
	blocks  map[p2pwire.ID]int        // sent on this stream, how often
	again   map[p2pwire.ID]int        // how often it may come again: the peer lacked something since
	parents map[p2pwire.ID]p2pwire.ID // parent not sent before -> the child that came first
	votes   map[[32]byte]bool         // digests of the votes sent
	byKey   map[[p2pwire.FinalizerKeySize]byte][]castVote
}

// castVote is a vote in order of arrival; its block may come later.
type castVote struct {
	wall  int64
	block p2pwire.ID
}

func newStream(name string) *stream {
	return &stream{
		name:    name,
		blocks:  map[p2pwire.ID]int{},
		again:   map[p2pwire.ID]int{},
		parents: map[p2pwire.ID]p2pwire.ID{},
		votes:   map[[32]byte]bool{},
		byKey:   map[[p2pwire.FinalizerKeySize]byte][]castVote{},
	}
}

func (s *stream) feed(c *Checker, now int64, data []byte) {
	if s.broken {
		return
	}
	s.buf = append(s.buf, data...)
	rest := s.buf
	for {
		frame, err := p2pwire.ParseFrame(rest)
		if err != nil {
			s.broken = true
			c.violate(RuleFraming, now, s, "%v", err)
			break
		}
		if frame == nil {
			break
		}
		rest = rest[len(frame):]
		c.counts[frame.Type()]++
		s.frame(c, now, frame)
	}
	s.buf = append(s.buf[:0], rest...)
}

func (s *stream) frame(c *Checker, now int64, frame p2pwire.Frame) {
	switch frame.Type() {
	case p2pwire.TypeSignedBlock:
		b, err := p2pwire.ParseBlock(frame.Body())
		if err != nil {
			c.violate(RuleFraming, now, s, "%v", err)
			return
		}
		s.block(c, now, b)
	case p2pwire.TypeVote:
		v, err := p2pwire.ParseVote(frame.Body())
		if err != nil {
			c.violate(RuleFraming, now, s, "%v", err)
			return
		}
		s.vote(c, now, v)
	}
}

func (s *stream) block(c *Checker, now int64, b p2pwire.Block) {
	copies := max(c.cfg.Copies, 1)
	switch child, late := s.parents[b.ID]; {
	case s.again[b.ID] > 0:
		s.again[b.ID]--
	case s.blocks[b.ID] >= copies:
		c.violate(RuleOnce, now, s, "block %s again", b.ID.Short())
	case late && copies == 1:
		c.violate(RuleParentsFirst, now, s, "block %s after its child %s", b.ID.Short(), child.Short())
	}
	if s.blocks[b.ID]++; s.blocks[b.ID] == 1 && s.asked > 0 && s.sent <= s.asked {
		s.again[b.ID]++ // it was on its way then
	}
	if s.blocks[b.Previous] == 0 && (s.asked == 0 || s.sent > s.asked) {
		s.parents[b.Previous] = b.ID
	}
	first, ids := c.block(now, s, b)
	if c.cfg.OnBlock != nil {
		c.cfg.OnBlock(Seen{Wall: now, Stream: s.name, Block: b, Own: c.own[b.Producer], First: first, IDs: ids})
	}
}

func (s *stream) vote(c *Checker, now int64, v p2pwire.Vote) {
	key := [p2pwire.FinalizerKeySize]byte(v.FinalizerKey())
	if len(c.ownKeys) > 0 && !c.ownKeys[key] {
		return
	}
	digest := sha256.Sum256(v.Body())
	if s.votes[digest] {
		c.violate(RuleOnce, now, s, "vote of %x for %s again", key[:4], v.BlockID.Short())
		return
	}
	s.votes[digest] = true
	s.byKey[key] = append(s.byKey[key], castVote{wall: now, block: v.BlockID})
}

// checkVotes judges the order of the votes whose blocks are known, and counts
// those whose block never came.
func (s *stream) checkVotes(c *Checker) (breaches []Violation, unseen int) {
	for key, votes := range s.byKey {
		last, lastID := p2pwire.Slot(0), p2pwire.ID{}
		for _, v := range votes {
			b := c.blocks[v.block]
			if b == nil {
				unseen++
				continue
			}
			if b.slot <= last {
				breaches = append(breaches, Violation{Rule: RuleVoteOrder, Wall: v.wall, Stream: s.name, What: describeVotes(key, b, lastID, last)})
				continue
			}
			last, lastID = b.slot, b.id
		}
	}
	return breaches, unseen
}

func less(a, b Violation) int {
	if a.Wall != b.Wall {
		if a.Wall < b.Wall {
			return -1
		}
		return 1
	}
	return bytes.Compare([]byte(a.What), []byte(b.What))
}
