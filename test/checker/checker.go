package checker

import (
	"fmt"
	"slices"

	"bprelay/p2pwire"
)

// Config says what to judge by.
type Config struct {
	// Own are the producers whose blocks the relay arbitrates.
	Own []p2pwire.Name
	// Schedule is the active schedule, 12 slots each, in order.
	Schedule []p2pwire.Name
	// OwnKeys are the finalizer keys whose votes must obey the vote rule; nil
	// means every key that is seen.
	OwnKeys [][p2pwire.FinalizerKeySize]byte
	// Copies is how often one block may come on a stream, in whatever order; 0 means once, behind its
	// parent.
	Copies int
	// Irreversible, if not nil, tells the number of the last block that is irreversible at a legacy block:
	// branches go by that before they go by height.
	Irreversible func(p2pwire.ID) uint32
	// OnBlock, if not nil, is told about every block as it is read.
	OnBlock func(Seen)
}

// Seen is a block as one stream brought it.
type Seen struct {
	Wall   int64 // time given to Feed, unix ns
	Stream string
	Block  p2pwire.Block // its body is only valid during the call
	Own    bool
	First  bool // on any stream
	IDs    int  // distinct ids seen for its producer and slot, this one included
}

// Rule names what a violation broke.
type Rule string

// The rules. Those about own producers hold over all streams together, the
// others for each stream.
const (
	// RuleOneBlockPerSlot: at most one block id per own producer and slot (I1).
	RuleOneBlockPerSlot Rule = "one_block_per_slot"
	// RuleParentsFirst: a block never follows its own child.
	RuleParentsFirst Rule = "parents_first"
	// RuleOnce: a block, or a vote, is not sent twice on a stream.
	RuleOnce Rule = "once"
	// RuleVoteOrder: per finalizer key, strictly rising block timestamps (I4).
	RuleVoteOrder Rule = "vote_order"
	// RuleFraming: only well-formed frames.
	RuleFraming Rule = "framing"
)

// Violation is one breach.
type Violation struct {
	Rule   Rule   `json:"rule"`
	Wall   int64  `json:"wall_ns"`
	Stream string `json:"stream"`
	What   string `json:"what"`
}

func (v Violation) String() string {
	return fmt.Sprintf("%s on %s: %s", v.Rule, v.Stream, v.What)
}

// slotKey names a slot of a producer.
type slotKey struct {
	producer p2pwire.Name
	slot     p2pwire.Slot
}

// sighting is what is remembered of a block.
type sighting struct {
	id, previous p2pwire.ID
	producer     p2pwire.Name
	slot         p2pwire.Slot
	num          uint32
	savanna      bool
	qcNum        uint32 // block its header claims a certificate for
	first, sent  int64  // wall
	adrift       bool   // own: it came without its parent, to a peer that says it has that
}

// Checker collects; it is not safe for concurrent use.
type Checker struct {
	cfg        Config
	own        map[p2pwire.Name]bool
	ownKeys    map[[p2pwire.FinalizerKeySize]byte]bool
	streams    map[string]*stream
	order      []*stream
	slots      map[slotKey][]p2pwire.ID
	blocks     map[p2pwire.ID]*sighting
	network    map[p2pwire.ID]*sighting // what Network told
	rivals     []*sighting              // the same, in order
	restarts   []int64
	best       *sighting // newest by slot
	violations []Violation
	counts     map[p2pwire.Type]int
}

// New makes a checker.
func New(cfg Config) *Checker {
	c := &Checker{
		cfg:     cfg,
		own:     map[p2pwire.Name]bool{},
		ownKeys: map[[p2pwire.FinalizerKeySize]byte]bool{},
		streams: map[string]*stream{},
		slots:   map[slotKey][]p2pwire.ID{},
		blocks:  map[p2pwire.ID]*sighting{},
		network: map[p2pwire.ID]*sighting{},
		counts:  map[p2pwire.Type]int{},
	}
	for _, p := range cfg.Own {
		c.own[p] = true
	}
	for _, k := range cfg.OwnKeys {
		c.ownKeys[k] = true
	}
	return c
}

// Feed takes what a peer received on a stream, cut anywhere; data is not kept.
// now is unix nanoseconds.
func (c *Checker) Feed(now int64, peer string, data []byte) { c.FeedSent(now, now, peer, data) }

// FeedSent is Feed for bytes that are known to have left at the time sent (unix ns).
func (c *Checker) FeedSent(now, sent int64, peer string, data []byte) {
	s := c.stream(peer)
	s.sent = sent
	s.feed(c, now, data)
}

func (c *Checker) stream(peer string) *stream {
	s := c.streams[peer]
	if s == nil {
		s = newStream(peer)
		c.streams[peer] = s
		c.order = append(c.order, s)
	}
	return s
}

// Asked tells that at now (unix ns, on the sender's side) the peer of a stream said that it lacks
// something: what it was sent until then may come again.
func (c *Checker) Asked(now int64, peer string) {
	if s := c.streams[peer]; s != nil {
		s.asked = now
		for id := range s.blocks {
			s.again[id]++
		}
		clear(s.parents)
	}
}

// Violations returns the breaches found so far, but for those of the order of votes, which
// [Checker.Report] adds.
func (c *Checker) Violations() []Violation { return c.violations }

// Blocks tells which own blocks of a slot were seen, in order.
func (c *Checker) Blocks(producer p2pwire.Name, slot p2pwire.Slot) []p2pwire.ID {
	return c.slots[slotKey{producer, slot}]
}

// Left tells when a block that was seen had left (unix ns).
func (c *Checker) Left(id p2pwire.ID) (sent int64, ok bool) {
	if b := c.blocks[id]; b != nil {
		return b.sent, true
	}
	return 0, false
}

func (c *Checker) violate(rule Rule, now int64, s *stream, format string, args ...any) {
	c.violations = append(c.violations, Violation{Rule: rule, Wall: now, Stream: s.name, What: fmt.Sprintf(format, args...)})
}

// block records a block over all streams and returns how many ids its slot has.
func (c *Checker) block(now int64, s *stream, b p2pwire.Block) (first bool, ids int) {
	key := slotKey{b.Producer, b.Slot}
	known := c.slots[key]
	if !slices.Contains(known, b.ID) {
		known = append(known, b.ID)
		c.slots[key] = known
		if len(known) > 1 && c.own[b.Producer] {
			c.violate(RuleOneBlockPerSlot, now, s, "%s slot %d (index %d): %s after %s", b.Producer, b.Slot, b.Slot.Index(), b.ID.Short(), known[0].Short())
		}
	}
	if seen := c.blocks[b.ID]; seen != nil {
		if seen.adrift {
			c.lineage(now, s, seen) // with its parent, or to someone who lacks that
		}
		return false, len(known)
	}
	seen := newSighting(now, s.sent, b)
	c.blocks[b.ID] = seen
	if c.own[b.Producer] {
		c.lineage(now, s, seen)
	}
	if c.best == nil || seen.slot >= c.best.slot {
		c.best = seen
	}
	return true, len(known)
}
