package core

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"bprelay/dedup"
	"bprelay/p2pwire"
)

// ClusterRole is what a relay is among those that stand for the same producers.
type ClusterRole uint8

// The roles.
const (
	// ClusterAlone: there is no cluster; the relay does what an active does.
	ClusterAlone ClusterRole = iota
	// ClusterStandby: another relay lets blocks out, or none is known to. This one judges and keeps what
	// its nodes send, and lets out only what the cluster has claimed.
	ClusterStandby
	// ClusterActive: this relay claims slots and lets blocks out.
	ClusterActive
	numClusterRoles
)

var clusterRoleNames = [numClusterRoles]string{"alone", "standby", "active"}

// String is the role's name in logs, metrics and JSON.
func (r ClusterRole) String() string { return nameOf(clusterRoleNames[:], uint8(r)) }

// MarshalText makes it readable in JSON.
func (r ClusterRole) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role by its name.
func (r *ClusterRole) UnmarshalText(text []byte) error {
	i, err := indexOf(clusterRoleNames[:], text)
	*r = ClusterRole(i)
	return err
}

// Cluster is told what the other relays of a cluster have to know. Its methods are called on the loop in
// the middle of an event: they must neither block nor call back. Answers come later, through
// SetClusterRole, Adopt, AdoptBlock, ApplyLead and ClaimDecided.
type Cluster interface {
	// Holds tells that the relay has the bytes of a block of ours.
	Holds(now Instant, cl Claim)
	// Echo tells that the network has a block of ours: it was verified, and came from there, was built
	// upon there, or was voted for; or a peer answered a time message that was written to it behind the block.
	// It may come more than once.
	Echo(now Instant, cl Claim)
	// Candidate tells that a standby holds a block that it would claim. It is told of the first of a slot.
	Candidate(now Instant, cl Claim)
	// Due tells that the block of an own slot should leave the first of our nodes now. It comes once a slot,
	// in rising order, as far as the schedule is known.
	Due(now Instant, producer p2pwire.Name, slot p2pwire.Slot)
	// Missed tells a standby's driver that a slot of ours should have had its block by Config.EchoWait
	// ago, and that this relay neither let one out nor saw one. It comes once a slot, in rising order.
	Missed(now Instant, producer p2pwire.Name, slot p2pwire.Slot)
	// Answered tells that the network answered a Probe.
	Answered(now Instant, probe uint64)
	// LeadChanged hands out what ApplyLead of the others takes, whenever it changed on the active.
	LeadChanged(now Instant, state []byte)
}

// ClusterStatus is a relay's place among others.
type ClusterStatus struct {
	Role ClusterRole `json:"role"`
	// Epoch numbers reigns, Reason is why it has its role, and SinceNs for how long.
	Epoch   uint64 `json:"epoch"`
	Reason  Reason `json:"reason"`
	SinceNs int64  `json:"since_ns"`
	// Linked: there is a link to another relay.
	Linked bool `json:"linked"`
	// Takeovers is how often this relay became active.
	Takeovers uint64 `json:"takeovers"`
	// Answers is how long the cluster took to answer a claim; the engine fills it in.
	Answers Histogram `json:"answers"`
}

// ClusterFacts is what a member knows of its cluster beside its own role.
type ClusterFacts struct {
	// Mode is pair or quorum.
	Mode    string          `json:"mode"`
	Members []ClusterMember `json:"members"`
	// Epoch is that of the present reign, whoever reigns; 0 if it is only known of this relay's own.
	Epoch uint64 `json:"epoch"`
	// Term and Leads are raft's, in a quorum.
	Term  uint64 `json:"term"`
	Leads bool   `json:"leads"`
}

// ClusterMember is another member as gossip has it.
type ClusterMember struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
}

// cluster is this relay's place among others.
type cluster struct {
	role   ClusterRole
	epoch  uint64
	why    Reason
	since  time.Duration
	linked bool // to the active relay

	takeovers uint64

	due     p2pwire.Slot  // own slots up to here were told as due
	checked p2pwire.Slot  // own slots up to here had their block, or were told as missed
	waiting *block        // the candidate told last
	fresh   time.Duration // within which a session must have been heard of to get what leaves alone
	overdue []SessionID
	asked   uint64        // the number of the last question put to the network
	probe   uint64        // the same; 0: it was answered
	probed  time.Duration // when
	proof   time.Duration // when it was answered by a session that knows no more than this relay, 0: not yet
	told    string        // the lead's state as it was told last
}

var errNoBlock = errors.New("not one whole signed_block frame")

// clusterStep is how often a standby looks for own slots at least, while none is known to come.
const clusterStep = 500 * time.Millisecond

func (c *Core) initCluster() {
	if c.cfg.Cluster == nil {
		return
	}
	c.ha.role, c.ha.why, c.ha.since = ClusterStandby, ReasonActiveStart, c.now.Mono
	c.ha.checked = p2pwire.SlotAt(c.now.Wall)
	c.ha.due = c.ha.checked
	c.timers.add(c.now.Mono+clusterStep, timer{kind: timerCluster})
}

// follows tells whether own blocks leave by the word of another relay only.
func (c *Core) follows() bool { return c.ha.role == ClusterStandby }

// decided tells whether the slot of a candidate that fits has its block: it is the candidate then.
func (c *Core) decided(e *block) bool {
	_, ok := c.claims.Get(uint64(e.producer), uint32(e.slot))
	doubted, _ := c.inDoubt(e.producer, e.slot)
	return ok && !doubted
}

// SetClusterRole makes the relay active or standby, with the epoch of that reign, and tells why. An active judges at once
// what it kept so far, the earlier slot first.
func (c *Core) SetClusterRole(now Instant, role ClusterRole, epoch uint64, why Reason) {
	c.enter(now)
	defer c.settle()
	if c.cfg.Cluster == nil || role == c.ha.role && epoch == c.ha.epoch && why == c.ha.why {
		return
	}
	was := c.ha.role
	c.ha.epoch, c.ha.why, c.ha.told = epoch, why, ""
	if role == ClusterStandby && was == ClusterStandby {
		return // it follows, whoever it is
	}
	c.note(Event{Kind: EventRole, Reason: why, Role: role, Epoch: epoch})
	if role == was {
		return
	}
	c.ha.role, c.ha.since = role, c.now.Mono
	if role == ClusterActive {
		c.ha.takeovers++
		for _, e := range c.held {
			e.retry = 0 // what failed did so in another reign
		}
	}
	for _, n := range c.reign.nodes {
		n.wish, n.asking, n.said = wishNone, false, saidNothing // another relay may have asked for something else meanwhile
	}
	c.lineage.recheck = true
	c.stepSoon()
}

// ClusterLink tells whether there is a link to the active relay. While there is none, a standby releases a
// node by itself when the lead is gone: if the active is gone with it, the block is there when it is missed;
// if it is not, it releases the same node.
func (c *Core) ClusterLink(now Instant, up bool) {
	c.enter(now)
	defer c.settle()
	if c.ha.linked = up; up {
		return
	}
	if l := c.reign.find(c.reign.lead); l != nil && l.s == nil {
		c.leadDown(l)
	}
}

// ClusterAlarm tells a human what the cluster's protocol noticed; cl is the claim it is about, if any.
func (c *Core) ClusterAlarm(now Instant, why Reason, cl Claim, detail string) {
	c.enter(now)
	c.stats.Alarms[why]++
	c.note(Event{Kind: EventAlarm, Reason: why, Producer: cl.Producer, Slot: cl.Slot, Num: cl.ID.Num(), ID: cl.ID, Detail: detail})
}

// Adopt takes over a claim that another relay of the cluster made. A block that is here goes to this
// relay's network sessions as well; one that is not does as soon as its bytes come from a node or through
// AdoptBlock. It tells whether the bytes are here; an error means that the slot has another block here:
// that cannot be mended any more, and is an alarm.
func (c *Core) Adopt(now Instant, cl Claim) (held bool, err error) {
	c.enter(now)
	defer c.settle()
	switch c.bookOutside(cl) {
	case dedup.BelowFloor:
		return false, nil
	case dedup.Claimed:
		c.record(cl)
	case dedup.Taken:
		id, _ := c.claims.Get(uint64(cl.Producer), uint32(cl.Slot))
		mine := p2pwire.ID(id)
		c.stats.Alarms[ReasonDoubleClaim]++
		c.note(Event{
			Kind: EventAlarm, Reason: ReasonDoubleClaim, Producer: cl.Producer, Slot: cl.Slot, Num: cl.ID.Num(), ID: cl.ID,
			Detail: "here the slot belongs to " + mine.String(),
		})
		return false, fmt.Errorf("slot %d of %s belongs to %s here, not to %s", cl.Slot, cl.Producer, mine, cl.ID)
	}
	c.slotRecord(cl.Producer, cl.Slot)
	e := c.blocks.get(cl.ID)
	if e == nil {
		e = c.insert(cl.ID)
	}
	c.adopt(e, cl)
	return e.frame != nil, nil
}

// adopt makes a block that has its slot part of the lineage, and lets it out here if it can be.
func (c *Core) adopt(e *block, cl Claim) {
	if e.claimed {
		return
	}
	if e.withheld && e.frame == nil {
		e.withheld, e.own = false, false // only its id is known again
	}
	if e.stub() {
		e.slot, e.producer = cl.Slot, cl.Producer
	}
	if t := c.lineage.tip; t == nil || c.lineage.dead || e.slot > t.slot {
		c.lineage.tip, c.lineage.dead = e, false
	}
	if e.frame != nil && !e.held && e.public && (e.own || e.survived) {
		c.forward(e, nil) // the network showed it before the claim came
	}
	c.lineage.recheck = true
}

// AdoptBlock takes the bytes (a whole signed_block frame) of a block that another relay of the cluster
// claimed and this one lacks.
func (c *Core) AdoptBlock(now Instant, cl Claim, frame []byte) error {
	c.enter(now)
	defer c.settle()
	f, err := p2pwire.ParseFrame(frame)
	switch {
	case err != nil:
		return fmt.Errorf("block %s: %w", cl.ID, err)
	case len(f) != len(frame) || f.Type() != p2pwire.TypeSignedBlock:
		return fmt.Errorf("block %s: %w", cl.ID, errNoBlock)
	}
	v, err := p2pwire.ParseBlock(f.Body())
	if err != nil {
		return fmt.Errorf("block %s: %w", cl.ID, err)
	}
	if v.ID != cl.ID || v.Producer != cl.Producer || v.Slot != cl.Slot {
		return fmt.Errorf("block %s of slot %d of %s: the bytes are of block %s of slot %d of %s", cl.ID, cl.Slot, cl.Producer, v.ID, v.Slot, v.Producer)
	}
	if err := c.checkBlock(&v); err != nil {
		return fmt.Errorf("block %s: %w", cl.ID, err)
	}
	op := c.own[v.Producer]
	if id, ok := c.claims.Get(uint64(cl.Producer), uint32(cl.Slot)); op == nil || !ok || id != cl.ID {
		return fmt.Errorf("block %s: slot %d of %s is not claimed for it", cl.ID, cl.Slot, cl.Producer)
	}
	e := c.blocks.get(cl.ID)
	if e == nil {
		e = c.insert(cl.ID)
	}
	if e.frame != nil && (e.own || e.survived || e.signed) {
		return nil // it came meanwhile
	}
	e.fill(&v)
	c.setFrame(e, c.keep(f, nil))
	e.payloads, e.linked, e.own = maxPayloads, false, true
	e.by = signing{verdict: sigUnchecked} // the relay that claimed it has judged
	if op.authority != nil && v.Savanna && op.authority.Verify(&v) {
		e.by.verdict = sigGood
	}
	c.adopt(e, cl)
	c.decide(e, nil)
	return nil
}

// BlockBytes is the frame of a block of ours, nil if it is not here; it is valid until the next event.
func (c *Core) BlockBytes(id p2pwire.ID) []byte {
	e := c.blocks.get(id)
	if e == nil || e.frame == nil || !e.own && !e.survived {
		return nil
	}
	return e.frame.b
}

// Alone restricts a block that no other relay knows to be claimed: it goes only to network sessions that
// were heard of within a time, and only until a moment (Instant.Mono). Whoever was given it and has not
// acknowledged it by then is named by Overdue: what a dead link still holds may come out of it when nobody
// expects it any more. It comes before the claim is approved, or once more when its time was up.
func (c *Core) Alone(now Instant, cl Claim, until, heardWithin time.Duration) {
	c.enter(now)
	defer c.settle()
	e := c.blocks.get(cl.ID)
	if e == nil || e.claimed && e.alone == 0 {
		return // it may go anywhere
	}
	e.alone, c.ha.fresh = max(until, 1), heardWithin
	c.timers.add(until, timer{kind: timerAlone})
	if e.claimed {
		for _, s := range slices.Clone(c.network) {
			c.deliverOwn(s, e)
		}
	}
}

// Free ends what Alone began: another relay has the block as well, or the network does.
func (c *Core) Free(now Instant, cl Claim) {
	c.enter(now)
	defer c.settle()
	e := c.blocks.get(cl.ID)
	if e == nil || e.alone == 0 {
		return
	}
	e.alone = 0
	if t := c.lineage.tip; t != nil && c.extends(t, e) {
		e = t // with what was built on it meanwhile
	}
	for _, s := range slices.Clone(c.network) {
		c.deliverOwn(s, e)
	}
}

// aloneDue notes whom to watch over blocks that were let out alone and whose time is up. A session that
// has one in its queue is ended, which empties it.
func (c *Core) aloneDue() {
	for i := range c.blocks.n {
		e := c.blocks.at(i)
		if e.alone == 0 || e.alone == spent || c.now.Mono < e.alone {
			continue
		}
		e.alone = spent
		for _, s := range slices.Clone(c.network) {
			switch {
			case !e.has.has(s.lane) || s.closing:
			case s.out[queueGeneral].bytes > 0 || s.out[queueSync].bytes > 0:
				c.end(s, ReasonUnheard)
			default:
				c.ha.overdue = append(c.ha.overdue, s.id)
			}
		}
	}
}

// spent is the alone of a block whose time is up.
const spent = time.Duration(-1)

// Overdue appends the sessions to dst that must have acknowledged everything written to them: the driver
// breaks (RST) those that have not.
func (c *Core) Overdue(dst []SessionID) []SessionID {
	dst = append(dst, c.ha.overdue...)
	c.ha.overdue = c.ha.overdue[:0]
	return dst
}

// Probe asks every network session for a sign of life, under a number that rises. Cluster.Answered is told
// it with the first that answers, behind everything that came before on that session. With the number of the
// last time, only those are asked that were not yet: a second question would make the answer to the first
// worthless.
func (c *Core) Probe(now Instant, n uint64) {
	c.enter(now)
	defer c.settle()
	if n < c.ha.asked || n == c.ha.asked && c.ha.probe == 0 {
		return // it was answered
	}
	again := n == c.ha.asked
	if !again {
		c.ha.asked, c.ha.probe, c.ha.probed, c.ha.proof = n, n, c.now.Mono, 0
	}
	for _, s := range slices.Clone(c.network) {
		if !s.closing && !(again && s.pingAt >= c.ha.probed) {
			c.ping(s)
		}
	}
}

// answered notes that a session answered a time message made at a moment.
func (c *Core) answered(s *session, asked time.Duration) {
	if c.cfg.Cluster == nil || s.info.Side != Network {
		return
	}
	if e := c.blocks.get(s.took); !s.took.IsZero() && asked >= s.tookAt {
		s.took = p2pwire.ID{}
		for ; e != nil && e.claimed && !e.reached; e = c.blocks.get(e.prev) {
			e.reached = true
			c.echoed(e)
		}
	}
}

// proofWait is how long an answer waits at most for the trial of what the network showed before it.
const proofWait = 250 * time.Millisecond

// probeDue tells the cluster that the network answered a Probe, when all is known that it showed before. A
// session that has only just come up answers for what it named as its head; and a block of ours whose bytes
// nobody has vouched for yet (legacy) may be what the other relay let out.
func (c *Core) probeDue() {
	k := &c.ha
	if !slices.ContainsFunc(c.network, func(s *session) bool {
		return !s.closing && s.answers && s.heard >= k.probed && c.knowsHead(s)
	}) {
		return
	}
	if k.proof == 0 {
		k.proof = max(c.now.Mono, 1)
		c.timers.add(k.proof+proofWait, timer{kind: timerProbe})
	}
	if c.now.Mono < k.proof+proofWait && c.ownOnTrial() {
		return
	}
	n := k.probe
	k.probe = 0
	c.cfg.Cluster.Answered(c.now, n)
}

// knowsHead tells whether what a network session named as its head last is known here, and asks for it if not.
func (c *Core) knowsHead(s *session) bool {
	if c.head == nil || s.headNum <= c.head.num {
		return true
	}
	if b := c.blocks.get(s.headID); b != nil && !b.stub() {
		return true
	}
	c.fetchGap(s, s.headID)
	return false
}

// ownOnTrial tells whether the network showed a block for an own slot that nobody has yet, and that is not
// known to be good or bad.
func (c *Core) ownOnTrial() bool {
	for i := range c.blocks.n {
		x := c.blocks.at(i)
		if x.public && !x.verified && x.frame != nil && c.own[x.producer] != nil && c.earliest() <= c.lateLimit(x.slot) {
			if _, ok := c.claims.Get(uint64(x.producer), uint32(x.slot)); !ok {
				return true
			}
		}
	}
	return false
}

// Health is how many network sessions were heard of within a time, how many of our producing nodes are
// connected and keep up, and whether one of our runs is under way and else how long it is until the next; a
// schedule that is not known means an hour.
func (c *Core) Health(now Instant, within time.Duration) (network, nodes int, inRun bool, untilRun time.Duration) {
	c.enter(now)
	for _, s := range c.network {
		if !s.closing && c.since(s.lastRecv) <= within {
			network++
		}
	}
	for _, n := range c.reign.nodes {
		if n.s != nil && c.ails(n) == "" {
			nodes++
		}
	}
	inRun, untilRun = c.run()
	return network, nodes, inRun, untilRun
}

// clusterDue tells which own slots are due, and which had no block in time.
func (c *Core) clusterDue() {
	next := c.now.Mono + clusterStep
	for {
		slot, at, ok := c.ownAfter(c.ha.due)
		if !ok || c.now.Mono < at {
			next = min(next, at)
			break
		}
		c.ha.due = slot
		c.cfg.Cluster.Due(c.now, c.slots.rounds.known(slot.Round()).producer, slot)
	}
	for {
		slot, at, ok := c.ownAfter(c.ha.checked)
		if at += c.cfg.EchoWait; !ok || c.now.Mono < at {
			next = min(next, at)
			break
		}
		c.ha.checked = slot
		producer := c.slots.rounds.known(slot.Round()).producer
		if c.follows() && !c.served(producer, slot) {
			c.cfg.Cluster.Missed(c.now, producer, slot)
		}
	}
	c.timers.add(next, timer{kind: timerCluster})
}

// ownAfter is the first own slot behind one, as far as the schedule is known, and when (Mono) it is due.
func (c *Core) ownAfter(slot p2pwire.Slot) (next p2pwire.Slot, at time.Duration, ok bool) {
	next = slot + 1
	if !c.ourSlot(next) {
		if next, ok = c.ownRoundFrom(next.Round() + 1); !ok {
			return 0, never, false
		}
	}
	return next, c.mono(next.Time()) + time.Duration(c.slotDue(next)), true
}

const never = time.Duration(math.MaxInt64 / 2)

// served tells whether a block for an own slot left here, or is known to be public.
func (c *Core) served(producer p2pwire.Name, slot p2pwire.Slot) bool {
	if id, ok := c.claims.Get(uint64(producer), uint32(slot)); ok {
		e := c.blocks.get(id)
		doubted, _ := c.inDoubt(producer, slot)
		return e == nil && !doubted || e != nil && (e.claimed || e.public && e.verified)
	}
	for i := range c.blocks.n {
		if x := c.blocks.at(i); x.slot == slot && x.producer == producer && x.public && x.verified {
			return true
		}
	}
	return false
}

// proves asks a network peer that was just given a block of ours for a sign of life: its answer shows that
// it has the block.
func (c *Core) proves(s *session, e *block) {
	if c.cfg.Cluster != nil {
		s.took, s.tookAt = e.id, c.now.Mono
		c.ping(s)
	}
}

// candidate tells the cluster of a block that waits for this relay to become active.
func (c *Core) candidate(e *block) {
	if w := c.ha.waiting; w != nil && w.held && w.why == ReasonStandby && w.slot <= e.slot {
		return
	}
	c.ha.waiting = e
	c.cfg.Cluster.Candidate(c.now, e.claim())
}

// echoed tells the cluster that the network has a block of ours.
func (c *Core) echoed(e *block) {
	if c.cfg.Cluster != nil {
		c.cfg.Cluster.Echo(c.now, e.claim())
	}
}

// leadState is what the relays of a cluster have to agree upon about lead and held nodes, and what a relay
// that was just started would take long to learn.
type leadState struct {
	Mode    Takeover   `json:"mode"`
	Why     string     `json:"why"`
	Chosen  bool       `json:"chosen"`
	Known   bool       `json:"known"`
	Lead    string     `json:"lead,omitempty"`
	Wanted  string     `json:"wanted,omitempty"`
	Drained []string   `json:"drained,omitempty"`
	Votes   []voteMark `json:"votes,omitempty"`
	// Period is every how many rounds the schedule begins anew, 0 if that is not known, and Rounds our next
	// ones.
	Period uint32      `json:"period,omitempty"`
	Rounds []roundMark `json:"rounds,omitempty"`
}

// voteMark is how far the votes of a finalizer of ours have left.
type voteMark struct {
	Key  string       `json:"key"` // SHA-256 of the key, hex
	Slot p2pwire.Slot `json:"slot"`
}

// tellLead hands out what changed about lead and held nodes.
func (c *Core) tellLead() {
	if c.ha.role != ClusterActive {
		return
	}
	t := &c.reign
	st := leadState{Mode: t.mode, Why: t.why, Chosen: t.chosen, Known: t.known, Lead: t.lead, Wanted: t.wanted}
	for _, n := range t.nodes {
		if n.drained {
			st.Drained = append(st.Drained, n.cfg.Name)
		}
	}
	for _, k := range c.votes.keys {
		st.Votes = append(st.Votes, voteMark{hex.EncodeToString(k.id[:]), k.last})
	}
	st.Period, st.Rounds = c.slots.rounds.period, c.ownRounds()
	slices.SortFunc(st.Votes, func(a, b voteMark) int { return strings.Compare(a.Key, b.Key) })
	text, err := json.Marshal(st)
	if err != nil || string(text) == c.ha.told {
		return // names and numbers always encode
	}
	c.ha.told = string(text)
	c.cfg.Cluster.LeadChanged(c.now, text)
}

// ApplyLead makes a standby hold the nodes that the active holds. An error names what of the state cannot
// be read.
func (c *Core) ApplyLead(now Instant, state []byte) error {
	c.enter(now)
	defer c.settle()
	var st leadState
	if err := json.Unmarshal(state, &st); err != nil {
		return fmt.Errorf("state of the lead: %w", err)
	}
	if !c.follows() {
		return nil
	}
	for _, m := range st.Votes {
		var id [32]byte
		if b, err := hex.DecodeString(m.Key); err != nil || copy(id[:], b) != len(id) || len(b) != len(id) {
			return fmt.Errorf("state of the lead: votes: key %q", m.Key)
		}
		c.votes.leftElsewhere(id, m.Slot)
	}
	if err := c.learnRounds(st.Period, st.Rounds); err != nil {
		return fmt.Errorf("state of the lead: %w", err)
	}
	t := &c.reign
	if st.Mode != t.mode || st.Chosen != t.chosen {
		t.mode, t.why, t.chosen = st.Mode, st.Why, st.Chosen
		c.note(Event{Kind: EventTakeover, Detail: st.Mode.String() + ": " + st.Why})
	}
	changed := st.Lead != t.lead
	if t.known = st.Known; changed {
		t.past[t.nextPast] = leadChange{at: c.wall(), node: st.Lead, previous: t.lead, why: ReasonLeadFollowed}
		t.nextPast = (t.nextPast + 1) % len(t.past)
		c.note(Event{Kind: EventLead, Reason: ReasonLeadFollowed, Side: Internal, Node: st.Lead, Detail: t.lead})
	}
	t.lead, t.wanted = st.Lead, st.Wanted
	for _, n := range t.nodes {
		n.drained = slices.Contains(st.Drained, n.cfg.Name)
		if !n.cfg.Role.produces() {
			continue
		}
		if held := t.on() && n.cfg.Name != t.lead; held != n.held {
			c.setHeld(n, held)
		}
		if !n.held && n.s != nil && !n.back.IsZero() {
			c.giveBack(n)
		}
	}
	return nil
}
