package core

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
)

// LatencyBounds are the upper bounds (ns) of the added-latency histogram; one more bucket is open.
var LatencyBounds = [...]int64{
	10e3, 25e3, 50e3, 75e3, 100e3, 150e3, 200e3, 300e3, 500e3, 750e3,
	1e6, 2e6, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6,
}

// Histogram counts durations by LatencyBounds.
type Histogram struct {
	Buckets [len(LatencyBounds) + 1]uint64 `json:"buckets"`
	Count   uint64                         `json:"count"`
	SumNs   int64                          `json:"sum_ns"`
}

// Observe counts a duration.
func (h *Histogram) Observe(d time.Duration) { h.observe(int64(d)) }

func (h *Histogram) observe(ns int64) {
	i, _ := slices.BinarySearch(LatencyBounds[:], ns)
	h.Buckets[i]++
	h.Count++
	h.SumNs += ns
}

// Quantile is the upper bound (ns) of the bucket that holds the q-th part; 0 without data.
func (h *Histogram) Quantile(q float64) int64 {
	if h.Count == 0 {
		return 0
	}
	want := uint64(q*float64(h.Count-1)) + 1
	var sum uint64
	for i, n := range h.Buckets {
		sum += n
		if sum >= want {
			if i < len(LatencyBounds) {
				return LatencyBounds[i]
			}
			break
		}
	}
	return LatencyBounds[len(LatencyBounds)-1]
}

// TypeCounts counts frames and bytes by message type.
type TypeCounts struct {
	Frames [p2pwire.NumTypes]uint64
	Bytes  [p2pwire.NumTypes]uint64
}

// MarshalJSON writes the types that occurred by nodeos' message names.
func (t TypeCounts) MarshalJSON() ([]byte, error) {
	type count struct {
		Frames uint64 `json:"frames"`
		Bytes  uint64 `json:"bytes"`
	}
	m := map[string]count{}
	for i, n := range t.Frames {
		if n > 0 {
			m[p2pwire.Type(i).String()] = count{n, t.Bytes[i]}
		}
	}
	return json.Marshal(m)
}

// ByReason counts by Reason; in JSON only what occurred.
type ByReason [numReasons]uint64

// MarshalJSON writes the non-zero counts by reason name.
func (b ByReason) MarshalJSON() ([]byte, error) {
	m := map[string]uint64{}
	for r, n := range b {
		if n > 0 {
			m[Reason(r).String()] = n
		}
	}
	return json.Marshal(m)
}

// ByOutcome counts judged slots by Outcome.
type ByOutcome [numOutcomes]uint64

// MarshalJSON writes the counts by outcome name.
func (b ByOutcome) MarshalJSON() ([]byte, error) {
	m := map[string]uint64{}
	for _, o := range Outcomes() {
		m[o.String()] = b[o]
	}
	return json.Marshal(m)
}

// BySide holds one value per Side, which is its index.
type BySide[T any] [Network + 1]T

// MarshalJSON writes the values by the sides' names.
func (b BySide[T]) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]T{Internal.String(): b[Internal], Network.String(): b[Network]})
}

// Stats are the relay's counters since its start.
type Stats struct {
	In           BySide[TypeCounts] `json:"in"`
	Out          BySide[TypeCounts] `json:"out"`
	OwnForwarded uint64             `json:"own_forwarded"`
	OwnWithheld  ByReason           `json:"own_withheld"`
	// OwnMissed counts slots of our rounds for which nothing went out, since the start. A round of
	// which no block came from any node is not noticed.
	OwnMissed uint64 `json:"own_missed"`
	// OwnLate counts own blocks that went out later than due, and after their timestamp.
	OwnLate uint64 `json:"own_late"`
	// Lead is by how much the block that got its slot came before the next node's for it.
	Lead         Histogram      `json:"lead"`
	OwnHeld      ByReason       `json:"own_held"`
	OwnSlots     ByOutcome      `json:"own_slots"`
	Conflicts    uint64         `json:"conflicts"`
	Dropped      ByReason       `json:"dropped"`
	Closed       ByReason       `json:"closed"`
	Alarms       ByReason       `json:"alarms"`
	Blamed       uint64         `json:"blamed"`
	Refused      uint64         `json:"refused"`
	DialsFailed  BySide[uint64] `json:"dials_failed"`
	AddedLatency Histogram      `json:"added_latency"`
	// ClaimWait is from the question for a slot to its answer, by whoever has a say: journal, cluster.
	ClaimWait Histogram `json:"claim_wait"`
}

func (st *Stats) countIn(side Side, t p2pwire.Type, n int) {
	st.In[side].Frames[t]++
	st.In[side].Bytes[t] += uint64(n)
}

func (st *Stats) countOut(side Side, frame []byte) {
	// A frame we made or checked: its index is the byte behind the prefix.
	t := frame[p2pwire.PrefixLen]
	st.Out[side].Frames[t]++
	st.Out[side].Bytes[t] += uint64(len(frame))
}

// SessionStats are one session's counters.
type SessionStats struct {
	BytesIn   uint64 `json:"bytes_in"`
	BytesOut  uint64 `json:"bytes_out"`
	FramesIn  uint64 `json:"frames_in"`
	FramesOut uint64 `json:"frames_out"`
	Dropped   uint64 `json:"dropped"`
}

// SessionStatus describes one session.
type SessionStatus struct {
	ID          SessionID    `json:"id"`
	Side        string       `json:"side"`
	Name        string       `json:"name"`
	Remote      string       `json:"remote"`
	Dialled     bool         `json:"dialled"`
	Ready       bool         `json:"ready"`
	PV          uint16       `json:"protocol_version"`
	Agent       string       `json:"agent"`
	P2PAddress  string       `json:"p2p_address"`
	HeadNum     uint32       `json:"head_num"`
	RootNum     uint32       `json:"root_num"`
	RTTNs       int64        `json:"rtt_ns"`
	OffsetNs    int64        `json:"clock_offset_ns"`
	QueuedBytes int          `json:"queued_bytes"`
	Syncing     bool         `json:"syncing"`
	Lead        bool         `json:"lead"`
	Stats       SessionStats `json:"stats"`
}

// BlockRef names a block.
type BlockRef struct {
	Num      uint32       `json:"num"`
	ID       string       `json:"id"`
	Slot     p2pwire.Slot `json:"slot"`
	Producer string       `json:"producer"`
}

// Status is a copy of what the relay knows of itself.
type Status struct {
	ChainID     string          `json:"chain_id"`
	UptimeNs    int64           `json:"uptime_ns"`
	Starting    bool            `json:"starting"`
	FencedUntil p2pwire.Slot    `json:"fenced_until_slot"`
	PublicHead  *BlockRef       `json:"public_head"`
	LastClaimed *BlockRef       `json:"last_claimed"`
	Lead        string          `json:"lead"`
	Sessions    []SessionStatus `json:"sessions"`
	Nodes       []NodeTiming    `json:"nodes"`
	Takeover    TakeoverStatus  `json:"takeover"`
	// Cluster is this relay's place among others; nil if it is alone.
	Cluster       *ClusterStatus `json:"cluster,omitempty"`
	Blocks        int            `json:"blocks"`
	BlockBytes    int            `json:"block_bytes"`
	HeldBlocks    int            `json:"held_blocks"`
	HeldVotes     int            `json:"held_votes"`
	QueuedBytes   int            `json:"queued_bytes"`
	PartialBytes  int            `json:"partial_bytes"`
	BufferedBytes int            `json:"buffered_bytes"`
	Clock         ClockStatus    `json:"clock"`
	Stats         Stats          `json:"stats"`
	// Journal is filled in by whoever runs one; nil without a journal.
	Journal *JournalStatus `json:"journal,omitempty"`
}

// JournalStatus is how a claim journal stands.
type JournalStatus struct {
	Dir  string `json:"dir"`
	Mode string `json:"mode"`
	// Complete: a restart now would know every claim. CompleteAtStart is what this start found, and
	// Fault why it did not.
	Complete        bool   `json:"complete"`
	CompleteAtStart bool   `json:"complete_at_start"`
	Fault           string `json:"fault,omitempty"`
	Bytes           int64  `json:"bytes"`
	// Errors counts failed writes, Unrecorded the claims and marks that were answered without one.
	Errors     uint64        `json:"errors"`
	Unrecorded uint64        `json:"unrecorded"`
	Writes     JournalWrites `json:"writes"`
}

// JournalWrites counts writes to disk, fsync included, by how long they took.
type JournalWrites struct {
	UpTo   []float64 `json:"up_to_seconds"` // upper bounds of the buckets; one more is open
	Counts []uint64  `json:"counts"`
	Sum    float64   `json:"sum_seconds"`
}

func ref(b *block) *BlockRef {
	if b == nil {
		return nil
	}
	return &BlockRef{Num: b.num, ID: b.id.String(), Slot: b.slot, Producer: b.producer.String()}
}

// Snapshot copies the state for /status and metrics. It allocates: not for the hot path.
func (c *Core) Snapshot(now Instant) Status {
	c.now = now
	st := Status{
		ChainID: c.chainID.String(), UptimeNs: int64(now.Mono - c.started.Mono),
		Starting: !c.boot.done, FencedUntil: c.fencedUntil(),
		PublicHead: ref(c.head), LastClaimed: ref(c.lineage.tip), Lead: c.lineage.lead,
		Blocks: len(c.blocks.byID), BlockBytes: c.blocks.bytes,
		HeldBlocks: len(c.held), HeldVotes: len(c.votes.waiting),
		QueuedBytes: c.queued, PartialBytes: c.rxBytes, BufferedBytes: c.pool.live,
		Clock: c.clockStatus(), Nodes: c.nodeTimings(), Takeover: c.takeoverStatus(),
		Stats: c.stats,
	}
	if c.cfg.Cluster != nil {
		st.Cluster = &ClusterStatus{Role: c.ha.role, Epoch: c.ha.epoch, Reason: c.ha.why, SinceNs: int64(c.since(c.ha.since)), Linked: c.ha.linked, Takeovers: c.ha.takeovers}
	}
	for _, s := range c.sessions {
		st.Sessions = append(st.Sessions, SessionStatus{
			ID: s.id, Side: s.info.Side.String(), Name: s.Name(), Remote: s.info.Remote,
			Dialled: s.info.Dialled, Ready: s.ready, PV: s.pv, Agent: s.agent, P2PAddress: s.address,
			HeadNum: c.knownHead(s), RootNum: s.rootNum, RTTNs: int64(s.rtt), OffsetNs: int64(s.offset),
			QueuedBytes: s.pending(), Syncing: s.sync != nil,
			Lead:  s.info.Side == Internal && s.Name() == c.lineage.lead,
			Stats: s.stats,
		})
	}
	slices.SortFunc(st.Nodes, func(a, b NodeTiming) int { return strings.Compare(a.Node, b.Node) })
	slices.SortFunc(st.Sessions, func(a, b SessionStatus) int {
		if d := strings.Compare(a.Side, b.Side); d != 0 {
			return d
		}
		return int(a.ID) - int(b.ID)
	})
	return st
}

// knownHead is the number of the newest block that the other end is known to have: it said so, sent it, or was sent it.
func (c *Core) knownHead(s *session) uint32 {
	if !s.ready {
		return s.headNum
	}
	e := c.head
	if t := c.lineage.tip; t != nil && (e == nil || t.num > e.num) {
		e = t
	}
	for e != nil && e.num > s.headNum && !s.has(e) {
		e = c.blocks.get(e.prev)
	}
	if e == nil {
		return s.headNum
	}
	return max(s.headNum, e.num)
}

// alarm counts and tells something a human should look at.
func (c *Core) alarm(why Reason, s *session, b *block) {
	c.stats.Alarms[why]++
	c.slotAlarm(why, b)
	c.noteBlock(EventAlarm, why, s, b)
}

func (c *Core) drop(s *session, why Reason) {
	c.stats.Dropped[why]++
	s.stats.Dropped++
}

// since is the time from then to now on the monotonic clock.
func (c *Core) since(then time.Duration) time.Duration { return c.now.Mono - then }
