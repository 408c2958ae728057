package sim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// ledger is the truth to judge by: what was made, what reached the relay, what reached others.
type ledger struct {
	made       map[p2pwire.ID]*made
	candidates map[p2pwire.Slot][]*candidate // own blocks the relay was given by our nodes
	votes      []*ownVote
	fresh      []*arrival // genuine blocks of the network as the relay first got them
	arrived    map[[32]byte]bool
	given      map[string]map[[32]byte]time.Duration   // node -> payloads it got from the relay
	left       map[string]map[p2pwire.ID]time.Duration // node -> when a block it got last had left the relay
	shown      []shown                                 // what our nodes showed to be on
	forged     map[p2pwire.ID]p2pwire.Slot             // own blocks another instance signed
	foreign    map[p2pwire.Slot]taken                  // own slots for which the relay was shown one of those
	starts     []relayStart
	roots      []root // what public nodes named as irreversible
	trx        int
	linksLost  int
	votesSeen  map[[32]byte]time.Duration // votes the network got, by payload, and when they had left
	lastVotes  map[[p2pwire.FinalizerKeySize]byte][]cast
	ownKeys    map[[p2pwire.FinalizerKeySize]byte]bool
	readers    map[string]*[]byte
}

// made is a block that a simulated node produced.
type made struct {
	id, previous p2pwire.ID
	slot         p2pwire.Slot
	by           []string
	num, qc      uint32        // qc: when the relay got it
	lib          uint32        // what is irreversible at it
	reached      time.Duration // when the relay first got it from the network; 0 is not yet
}

// candidate is an own block as the relay got it first.
type candidate struct {
	*made
	node string
	at   time.Duration
	wall int64 // the relay's clock then
}

// arrival is a network block as the relay got it first.
type arrival struct {
	*made
	digest [32]byte
	at     time.Duration
}

// relayStart is a start of the relay, until when slots were closed because of it, and up to which slot
// votes were, by the SHA-256 of their key.
type relayStart struct {
	at, fenced time.Duration
	voted      map[[32]byte]p2pwire.Slot
}

// root is the number of what was irreversible to a public node, when the relay was told.
type root struct {
	num uint32
	at  time.Duration
}

// shown is a block that a node of ours named, voted for or made, when the relay was told.
type shown struct {
	id p2pwire.ID
	at time.Duration
}

type taken struct {
	id p2pwire.ID
	at time.Duration
}

// ownVote is a vote of one of our nodes as the relay got it.
type ownVote struct {
	node   string
	block  p2pwire.ID
	key    [p2pwire.FinalizerKeySize]byte
	digest [32]byte
	at     time.Duration
}

// cast is a vote that the network got.
type cast struct {
	slot p2pwire.Slot
	left time.Duration
}

// watch sets up the ledger, the checkers and the taps.
func (x *play) watch(own []string) {
	l := &x.ledger
	*l = ledger{
		made: map[p2pwire.ID]*made{}, candidates: map[p2pwire.Slot][]*candidate{},
		arrived: map[[32]byte]bool{}, given: map[string]map[[32]byte]time.Duration{}, left: map[string]map[p2pwire.ID]time.Duration{},
		forged: map[p2pwire.ID]p2pwire.Slot{}, foreign: map[p2pwire.Slot]taken{}, votesSeen: map[[32]byte]time.Duration{},
		lastVotes: map[[p2pwire.FinalizerKeySize]byte][]cast{}, ownKeys: map[[p2pwire.FinalizerKeySize]byte]bool{},
		readers: map[string]*[]byte{},
	}
	for _, n := range x.ours() {
		l.given[n], l.left[n] = map[[32]byte]time.Duration{}, map[p2pwire.ID]time.Duration{}
	}
	var keys [][p2pwire.FinalizerKeySize]byte
	for _, p := range own {
		keys = append(keys, x.chain.FinalizerKey(p).Pub)
		l.ownKeys[keys[len(keys)-1]] = true
	}
	x.check = checker.New(checker.Config{Own: x.own, Schedule: x.chain.Producers(), OwnKeys: keys, Irreversible: func(id p2pwire.ID) uint32 {
		if m := l.made[id]; m != nil {
			return m.lib
		}
		return 0
	}})
	// A block may be tried again, and a damaged twin pass before the good one. The order shows in what the
	// nodes say, and of votes only the network's side is judged.
	x.inside = checker.New(checker.Config{Copies: 5, OwnKeys: make([][p2pwire.FinalizerKeySize]byte, 1)})
	x.w.Tap(x.delivered)
}

// frames calls f with each whole frame of a stream.
func (l *ledger) frames(stream string, data []byte, f func(p2pwire.Frame)) {
	buf := l.readers[stream]
	if buf == nil {
		buf = new([]byte)
		l.readers[stream] = buf
	}
	*buf = append(*buf, data...)
	rest := *buf
	for {
		frame, err := p2pwire.ParseFrame(rest)
		if err != nil || frame == nil {
			break
		}
		f(frame)
		rest = rest[len(frame):]
	}
	*buf = append((*buf)[:0], rest...)
}

// stream names the relay's connection with a machine.
func stream(name string, conn simnet.ConnID) string { return fmt.Sprintf("%s/%d", name, conn) }

// traced takes what a node decided.
func (x *play) traced(name string, e simnet.Event) {
	ours := strings.HasPrefix(name, "bp")
	switch e.Kind {
	case simnet.EventProduced:
		m := x.ledger.made[e.ID]
		if m == nil {
			m = &made{id: e.ID, previous: e.Previous, slot: e.Slot, num: e.ID.Num(), lib: e.LIB}
			x.ledger.made[e.ID] = m
		}
		m.by = append(m.by, name)
		x.say("%s: made %s on %s, slot %s", name, e.ID.Short(), e.Previous.Short(), x.slot(e.Slot))
	case simnet.EventClosed:
		x.say("%s: closed a link: %s", name, e.Reason)
		if ours && e.Reason != "closed by peer" && e.Reason != "connect failed" {
			x.ledger.linksLost++
			x.health.ill(name+"-relay", x.w.Now().Mono, x.w.Now().Mono, afterReset)
		}
	case simnet.EventSwitched:
		x.say("%s: switches to %s, %d blocks undone", name, e.ID.Short(), e.Count)
	case simnet.EventNotProducing:
		if ours {
			x.say("%s: does not produce slot %s: %s", name, x.slot(e.Slot), e.Reason)
		}
	case simnet.EventUnlinkable:
		x.say("%s: cannot link %s", name, e.ID.Short())
		if m := x.ledger.made[e.ID]; ours && m != nil && !x.deadTo(name, m) {
			x.breach(string(checker.RuleParentsFirst), "%s got %s of slot %s without its parent", name, e.ID.Short(), x.slot(e.Slot))
		}
	case simnet.EventGoAwaySent, simnet.EventGoAway, simnet.EventRedialSkip:
		x.say("%s: %s", name, e)
	}
}

// deadTo tells whether a block that a node could not link is on a branch that the node has left for good,
// what is irreversible there being on another: the node forgets such a branch, and links nothing to it any
// more. What others go on building there is not the relay's to judge. Blocks of ours it should not have let
// out, but for one that was held back, or left before any node of ours showed where it is: what the network
// sends is nothing to go by until one of them did.
func (x *play) deadTo(name string, m *made) bool {
	n := x.nodes[name]
	root := n.Root()
	if b := x.ledger.below(m.id, root.Num); b == nil || n.OnChain(b.id) {
		return false
	}
	if !x.isOwn(x.chain.ProducerAt(m.slot)) || x.s.Takeover != core.TakeoverRace {
		return true
	}
	sent := x.ledger.left[name][m.id]
	return !slices.ContainsFunc(x.ledger.shown, func(s shown) bool {
		b := x.ledger.below(s.id, root.Num)
		return s.at <= sent && b != nil && b.id == root.ID
	})
}

// below is the block of a number, or the next lower one, that a block builds on, or itself; nil if that is not
// known.
func (l *ledger) below(id p2pwire.ID, num uint32) *made {
	m := l.made[id]
	for m != nil && m.num > num {
		m = l.made[m.previous]
	}
	return m
}

// read takes what the relay's core got.
func (x *play) read(now core.Instant, remote string, conn simnet.ConnID, chunk []byte) {
	from := nameOf(remote)
	x.ledger.frames(">"+stream(from, conn), chunk, func(f p2pwire.Frame) {
		if h, err := p2pwire.DecodeHandshake(f.Body()); f.Type() == p2pwire.TypeHandshake && err == nil {
			x.check.Root(stream(from, conn), h.RootNum)
			if slices.Contains(x.public(), from) {
				x.ledger.roots = append(x.ledger.roots, root{h.RootNum, now.Mono})
			}
			x.shows(now, from, h.HeadID)
		}
		switch f.Type() {
		case p2pwire.TypeHandshake, p2pwire.TypeRequest, p2pwire.TypeSyncRequest:
			for _, c := range []*checker.Checker{x.check, x.inside} {
				c.Asked(now.Wall, stream(from, conn))
			}
		case p2pwire.TypeSignedBlock:
			if b, err := p2pwire.ParseBlock(f.Body()); err == nil {
				x.readBlock(now, from, b, f)
				x.shows(now, from, b.ID)
			}
		case p2pwire.TypeVote:
			v, err := p2pwire.ParseVote(f.Body())
			if err != nil || x.nodes[from] == nil || !strings.HasPrefix(from, "bp") {
				return
			}
			x.shows(now, from, v.BlockID)
			if key := [p2pwire.FinalizerKeySize]byte(v.FinalizerKey()); x.ledger.ownKeys[key] {
				x.ledger.votes = append(x.ledger.votes, &ownVote{node: from, block: v.BlockID, key: key, digest: sha256.Sum256(f.Payload()), at: now.Mono})
			}
		}
	})
}

// shows notes what a node of ours lets the relay know of where it is.
func (x *play) shows(now core.Instant, from string, id p2pwire.ID) {
	if x.ledger.given[from] != nil {
		x.ledger.shown = append(x.ledger.shown, shown{id, now.Mono})
	}
}

func (x *play) readBlock(now core.Instant, from string, b p2pwire.Block, f p2pwire.Frame) {
	l := &x.ledger
	m := l.made[b.ID]
	if _, forged := l.forged[b.ID]; forged {
		x.check.Network(x.w.Now().Wall, b) // genuine, whoever made it
	}
	if slot, forged := l.forged[b.ID]; forged && x.s.Keys && b.Savanna && slot.Time() < now.Wall+int64(6*time.Second) {
		if _, known := l.foreign[slot]; !known {
			l.foreign[slot] = taken{b.ID, now.Mono}
		}
	}
	if from == "evil" || m == nil {
		return
	}
	m.qc = b.QC.Num
	ours := x.isOwn(b.Producer)
	switch {
	case !strings.HasPrefix(from, "bp"):
		if m.reached == 0 {
			m.reached = max(now.Mono, 1)
			x.check.Network(x.w.Now().Wall, b)
		}
		digest := sha256.Sum256(f.Payload())
		if !ours && !l.arrived[digest] {
			l.arrived[digest] = true
			l.fresh = append(l.fresh, &arrival{made: m, digest: digest, at: now.Mono})
		}
	case ours:
		for _, c := range l.candidates[b.Slot] {
			if c.id == b.ID && now.Mono-c.at < time.Second {
				return
			}
		}
		l.candidates[b.Slot] = append(l.candidates[b.Slot], &candidate{made: m, node: from, at: now.Mono, wall: now.Wall})
	}
}

func (x *play) isOwn(p p2pwire.Name) bool {
	for _, o := range x.own {
		if o == p {
			return true
		}
	}
	return false
}

// delivered takes what reached a machine.
func (x *play) delivered(now simnet.Instant, d simnet.Delivery) {
	if d.From == addr("relay") {
		to, wall := nameOf(d.To), x.w.Now().Wall-int64(x.w.Now().Mono)
		stream := stream(to, d.Conn)
		if given := x.ledger.given[to]; given != nil {
			x.inside.Feed(now.Wall, stream, d.Data)
			x.ledger.frames(stream, d.Data, func(f p2pwire.Frame) {
				if f.Type() != p2pwire.TypeSignedBlock {
					return
				}
				digest := sha256.Sum256(f.Payload())
				if _, had := given[digest]; !had {
					given[digest] = now.Mono
				}
				if b, err := p2pwire.ParseBlock(f.Body()); err == nil {
					x.ledger.left[to][b.ID] = d.Sent
					x.say("%s gets %s", to, b.ID.Short())
				}
			})
		} else {
			x.check.FeedSent(now.Wall, wall+int64(d.Sent), stream, d.Data)
			x.ledger.frames(stream, d.Data, func(f p2pwire.Frame) { x.networkGot(d, f) })
		}
		x.stopAtBreach()
		return
	}
	if x.evil != nil && d.To == addr("obs") {
		x.ledger.frames("obs<"+stream(nameOf(d.From), d.Conn), d.Data, x.evil.see)
	}
}

// networkGot takes a frame that the network got from the relay.
func (x *play) networkGot(d simnet.Delivery, f p2pwire.Frame) {
	l := &x.ledger
	switch f.Type() {
	case p2pwire.TypeSignedBlock:
		b, err := p2pwire.ParseBlock(f.Body())
		if err != nil || !x.isOwn(b.Producer) {
			return
		}
		if other, ok := l.foreign[b.Slot]; ok && other.id != b.ID && d.Sent > other.at {
			x.breach(string(checker.RuleOneBlockPerSlot), "%s of slot %s went out after another instance's %s was shown", b.ID.Short(), x.slot(b.Slot), other.id.Short())
		}
	case p2pwire.TypeVote:
		v, err := p2pwire.ParseVote(f.Body())
		if err != nil {
			return
		}
		digest := sha256.Sum256(f.Payload())
		if _, seen := l.votesSeen[digest]; seen {
			return
		}
		l.votesSeen[digest] = d.Sent
		slot, known := l.forged[v.BlockID]
		if m := l.made[v.BlockID]; m != nil {
			slot, known = m.slot, true
		}
		if known {
			key := [p2pwire.FinalizerKeySize]byte(v.FinalizerKey())
			l.lastVotes[key] = append(l.lastVotes[key], cast{slot, d.Sent})
		}
	}
}
