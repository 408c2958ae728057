package core

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// lanes is a set of ready sessions, one bit each.
type lanes [maxLanes / 64]uint64

func (l *lanes) set(i int)      { l[i/64] |= 1 << (i % 64) }
func (l *lanes) clear(i int)    { l[i/64] &^= 1 << (i % 64) }
func (l *lanes) has(i int) bool { return l[i/64]&(1<<(i%64)) != 0 }

// meets tells whether the sets have a session in common.
func (l *lanes) meets(o *lanes) bool {
	return l[0]&o[0]|l[1]&o[1]|l[2]&o[2]|l[3]&o[3] != 0
}

// lanesOf is the set of one session.
func lanesOf(s *session) (l lanes) {
	l.set(s.lane)
	return l
}

// block is what is known of one block id. Without a frame it is a stub: a head or root that a
// handshake named.
type block struct {
	id, prev  p2pwire.ID
	num       uint32
	slot      p2pwire.Slot
	producer  p2pwire.Name
	savanna   bool
	qcNum     uint32 // block claimed by the header's finality extension, 0 if none
	confirmed uint16 // legacy: how many blocks below this one it confirms
	frame     *buf

	own      bool // a candidate of one of our nodes
	public   bool // the network has it, or it was claimed
	claimed  bool // its slot is ours
	verified bool // its id is genuine: signed by a known key, or vouched for
	taken    bool // one of our nodes has it: it named it as its head, voted for it or built on it
	signed   bool // its signature is of a known key of its producer
	survived bool // a node made or took this very payload
	echoed   bool // own: a network peer sent something under this id before our node did
	shown    bool // own: what it sent were the very bytes of our node
	held     bool
	withheld bool
	followed bool // another node's candidate for its slot has come
	pending  bool // its claim is being decided elsewhere
	base     bool // the root of the peer we learned the chain from: all else links to it
	counted  bool // it waits for its parent, see Core.orphan
	linked   bool // its ancestry is known down to a stub or the ring's end
	why      Reason

	node     string // own: the node that sent it first
	by       signing
	source   SessionID
	payloads uint8 // different payloads seen under this id
	has      lanes // sessions that have it
	sent     lanes // own: nodes that made it
	given    lanes // nodes that were sent this very payload, or sent it
	arrived  time.Duration
	left     time.Duration // claimed: when it was queued for the network
	voted    time.Duration // when a foreign finalizer's vote for it came last, 0: none did
	waits    time.Duration // own: Mono until which it waits for a preferred node's, once it did
	until    int64         // held: Wall at which it is judged again at the latest
	armed    time.Duration // held: Mono at which its timer is due
	gap      bool          // held: its parent was unknown
	reached  bool          // in a cluster: a network peer has it
	alone    time.Duration // Mono until which it may leave by this relay's word alone; 0: it may at any time
	retry    time.Duration // its claim failed: when it may be asked for again
}

func (b *block) stub() bool { return b.frame == nil && !b.own }

// blockTable keeps recent blocks, oldest arrival out first, within a count and a byte bound.
type blockTable struct {
	byID     map[p2pwire.ID]*block
	fifo     []*block // ring
	head, n  int
	bytes    int
	maxBytes int
	free     []*block
}

func (t *blockTable) init(count, bytes int) {
	t.byID = make(map[p2pwire.ID]*block, count+count/2)
	t.fifo = make([]*block, count)
	t.maxBytes = bytes
}

func (t *blockTable) get(id p2pwire.ID) *block { return t.byID[id] }

func (t *blockTable) at(i int) *block { return t.fifo[(t.head+i)%len(t.fifo)] }

func (t *blockTable) clearLane(lane int) {
	for i := range t.n {
		t.at(i).has.clear(lane)
		t.at(i).sent.clear(lane)
		t.at(i).given.clear(lane)
	}
}

// insert makes room and adds an entry for id, which must not be in the table.
func (c *Core) insert(id p2pwire.ID) *block {
	t := &c.blocks
	for t.n == len(t.fifo) || (t.n > 1 && t.bytes > t.maxBytes) {
		c.evict()
	}
	var b *block
	if n := len(t.free); n > 0 {
		b, t.free = t.free[n-1], t.free[:n-1]
	} else {
		b = new(block)
	}
	*b = block{id: id, num: id.Num(), arrived: c.now.Mono}
	t.byID[id] = b
	t.fifo[(t.head+t.n)%len(t.fifo)] = b
	t.n++
	return b
}

// maxPinned is how many pinned entries are passed over in the search for one to evict.
const maxPinned = 256

// evict takes the oldest entry out; the public head, the lineage's tip and held candidates go
// round instead.
func (c *Core) evict() {
	t := &c.blocks
	for range min(t.n, maxPinned) {
		b := t.fifo[t.head]
		t.fifo[t.head] = nil
		t.head = (t.head + 1) % len(t.fifo)
		t.n--
		if b == c.head || b == c.lineage.tip || b.held || c.onTrial(b.frame) {
			t.fifo[(t.head+t.n)%len(t.fifo)] = b
			t.n++
			continue
		}
		c.discard(b)
		return
	}
	// The oldest are all pinned, which only a flood can do: the very oldest gives way.
	b := t.fifo[t.head]
	for range t.n {
		if b != c.head && b != c.lineage.tip {
			break
		}
		t.fifo[t.head] = nil
		t.head = (t.head + 1) % len(t.fifo)
		t.fifo[(t.head+t.n-1)%len(t.fifo)] = b
		b = t.fifo[t.head]
	}
	t.fifo[t.head] = nil
	t.head = (t.head + 1) % len(t.fifo)
	t.n--
	c.unhold(b)
	c.discard(b)
}

func (c *Core) discard(b *block) {
	t := &c.blocks
	delete(t.byID, b.id)
	if b.counted {
		c.boot.orphans--
	}
	c.setFrame(b, nil)
	c.canary.forgetBlock(c, b)
	if c.head == b {
		c.head = nil
		for i := range t.n {
			if x := t.at(i); x.verified && x.public && x.linked && c.better(x, c.head) {
				c.head = x
			}
		}
	}
	if c.lineage.tip == b {
		c.lineage.tip = nil
	}
	t.free = append(t.free, b)
}

// remove takes an entry out of the middle of the table.
func (c *Core) remove(b *block) {
	t := &c.blocks
	for i := range t.n {
		if t.at(i) != b {
			continue
		}
		for j := i; j < t.n-1; j++ {
			t.fifo[(t.head+j)%len(t.fifo)] = t.at(j + 1)
		}
		t.fifo[(t.head+t.n-1)%len(t.fifo)] = nil
		t.n--
		c.discard(b)
		return
	}
}

// removeTree takes an entry out, and what builds on it and was not proven good.
func (c *Core) removeTree(e *block) {
	id := e.id
	c.remove(e)
	for i := 0; i < c.blocks.n; i++ {
		if x := c.blocks.at(i); x.prev == id && !x.own && !x.verified && x.frame != nil {
			c.removeTree(x)
			i = -1
		}
	}
}

// setFrame gives the entry its bytes (taking over the reference), or takes them.
func (c *Core) setFrame(b *block, f *buf) {
	if b.frame != nil {
		c.blocks.bytes -= len(b.frame.b)
		c.pool.release(b.frame)
	}
	b.frame, b.given = f, lanes{}
	if f != nil {
		c.blocks.bytes += len(f.b)
	}
}

// fill copies what the header says into the entry.
func (b *block) fill(v *p2pwire.Block) {
	b.prev, b.slot, b.producer, b.savanna = v.Previous, v.Slot, v.Producer, v.Savanna
	b.qcNum, b.confirmed = 0, v.Confirmed
	if v.HasQC {
		b.qcNum = v.QC.Num
	}
}

// has tells whether a session is known to have a block: by its bit, or below the root it named.
func (s *session) has(b *block) bool {
	return b.has.has(s.lane) || b.num <= s.rootNum
}

// markChain notes that a session has a block and so all its ancestors.
func (c *Core) markChain(s *session, b *block) {
	for b != nil && !b.has.has(s.lane) {
		b.has.set(s.lane)
		b = c.blocks.get(b.prev)
	}
}

// extends tells whether b is a or one of its descendants.
func (c *Core) extends(b, a *block) bool {
	for b != nil && b.num > a.num {
		b = c.blocks.get(b.prev)
	}
	return b == a
}

// fork is the newest common ancestor of two blocks that the table knows, nil if there is none.
func (c *Core) fork(a, b *block) *block {
	for a != b && a != nil && b != nil {
		if a.num > b.num {
			a = c.blocks.get(a.prev)
		} else {
			b = c.blocks.get(b.prev)
		}
	}
	if a != b {
		return nil
	}
	return a
}

// setVerified records that a public block and so its public ancestors are good.
func (c *Core) setVerified(b *block) {
	if !b.public || !b.linked {
		return
	}
	// What the keys known here do not tell, our nodes do; but they do not look at what is irreversible,
	// and only about a block as high as the head one can be sure that it is not.
	judged := !b.signed && (c.head == nil || b.num >= c.head.num)
	var ours []*block
	for x := b; x != nil && x.public && !x.verified; x = c.blocks.get(x.prev) {
		x.verified = true
		if judged && c.own[x.producer] != nil && !x.own && !x.signed && x.frame != nil {
			ours = append(ours, x)
		}
		c.slotPublic(x)
		if p := c.blocks.get(x.prev); p != nil && p.claimed && !x.claimed {
			c.slotEcho(p, EchoBuiltOn, x.arrived)
		}
	}
	for i := len(ours) - 1; i >= 0; i-- {
		c.foreignOwn(nil, ours[i]) // a standby may let it out: parents first
	}
	c.advance(b)
}

// advance moves the public head to a verified block if it is better. While a node of ours can say what it
// thinks of it a signature alone does not: whoever has the key of a producer, or had it once, can sign
// what no node would build on.
func (c *Core) advance(b *block) {
	if !b.survived && !b.taken && !b.own && slices.ContainsFunc(c.internal, func(s *session) bool { return !s.closing && s.sync == nil }) {
		return
	}
	if c.better(b, c.head) {
		c.head = b
		c.lineage.recheck = true
		c.roundPublic(b)
		c.noteBlock(EventPublic, ReasonNone, nil, b)
	}
	c.checkLineage(b)
}

// vouch records that nodes of ours took a block: its id and its ancestors' are genuine, and so are the
// bytes of those that they have from here.
func (c *Core) vouch(b *block, by *lanes) {
	if !b.public {
		return
	}
	b.taken = true
	for x := b; x != nil && x.public && !x.survived; x = c.blocks.get(x.prev) {
		if x.given.meets(by) {
			x.survived = true
		} else if x.verified {
			break
		}
	}
	c.setVerified(b)
}

// link sets a public block's linked flag when its parent has it, or one of our nodes named it, and
// passes it on to the children that waited. Each newly linked block is handed to then. What the network has
// built on a block of ours that was kept inside is linked, too: that left before this relay was started, and
// the node that made it has it.
func (c *Core) link(b *block, then func(*block)) {
	p := c.blocks.get(b.prev)
	if b.linked || !(b.taken || b.base || (p != nil && (p.linked || p.withheld && b.source != 0))) {
		return
	}
	if b.counted {
		b.counted = false
		c.boot.orphans--
	}
	b.linked = true
	then(b)
	c.linkChildren(b, then)
}

// linkChildren links what waited for a linked block.
func (c *Core) linkChildren(b *block, then func(*block)) {
	if c.boot.orphans == 0 {
		return
	}
	for i := 0; i < c.blocks.n; i++ {
		if x := c.blocks.at(i); x.counted && x.prev == b.id {
			c.link(x, then)
		}
	}
}

// orphan notes that a public block waits for its parent.
func (c *Core) orphan(b *block) {
	if !b.counted {
		b.counted = true
		c.boot.orphans++
	}
}

// stub makes an entry for a block that a handshake named, if there is none. It is not linked: what
// builds on it waits for its bytes, unless one of our nodes has it.
func (c *Core) stub(id p2pwire.ID) *block {
	if id.IsZero() {
		return nil
	}
	if b := c.blocks.get(id); b != nil {
		return b
	}
	return c.insert(id)
}
