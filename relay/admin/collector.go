package admin

import (
	"context"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// collector turns one status into samples. The relay counts in plain integers of its own; they are
// copied when somebody scrapes, so metrics cost the event loop nothing in between.
type collector struct {
	families *families
	source   Source
	version  string
	logDrops func() uint64
	cluster  Cluster // nil: none
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.families.list() {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	out := samples{ch, c.families}
	out.add(out.build, 1, c.version, runtime.Version())
	st, err := c.source.Status(context.Background()) // bounded by the source, see shared
	if err != nil {
		out.add(out.up, 0)
		return
	}
	out.add(out.up, 1)
	if c.logDrops != nil {
		out.add(out.logDrops, float64(c.logDrops()))
	}
	out.state(&st)
	out.takeover(&st.Takeover)
	out.bySide(st.Sessions)
	out.counts(&st.Stats)
	out.histogram(out.claimWait, &st.Stats.ClaimWait)
	if st.Journal != nil {
		out.journal(st.Journal)
	}
	if st.Cluster != nil && c.cluster != nil {
		out.cluster(st.Cluster, c.cluster.Facts())
	}
}

// samples sends samples to a scrape.
type samples struct {
	ch chan<- prometheus.Metric
	*families
}

func (s samples) add(m *metric, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

func (s samples) flag(m *metric, on bool, labels ...string) {
	v := 0.0
	if on {
		v = 1
	}
	s.add(m, v, labels...)
}

func (s samples) state(st *core.Status) {
	s.add(s.uptime, time.Duration(st.UptimeNs).Seconds())
	s.flag(s.starting, st.Starting)
	if st.FencedUntil > 0 {
		s.add(s.fenced, slotSeconds(st.FencedUntil))
	}
	if b := st.PublicHead; b != nil {
		s.add(s.headNumber, float64(b.Num))
		s.add(s.headTime, slotSeconds(b.Slot))
	}
	if b := st.LastClaimed; b != nil {
		s.add(s.claimedNumber, float64(b.Num))
		s.add(s.claimedTime, slotSeconds(b.Slot))
	}
	if st.Lead != "" {
		s.add(s.lead, 1, st.Lead)
	}
	if st.Clock.Known {
		s.add(s.clockOffset, time.Duration(st.Clock.AheadNs).Seconds())
	}
	s.add(s.clockSources, float64(st.Clock.Sources))
	s.flag(s.clockTrusted, st.Clock.Trusted)
	for _, n := range st.Nodes {
		s.add(s.arrival, time.Duration(n.ArrivalNs).Seconds(), n.Node)
		for i, due := range n.DueNs {
			s.add(s.due, time.Duration(due).Seconds(), n.Node, strconv.Itoa(i))
		}
	}
	s.add(s.partialBytes, float64(st.PartialBytes))
	s.add(s.bufferedBytes, float64(st.BufferedBytes))
	s.add(s.blocks, float64(st.Blocks))
	s.add(s.blockBytes, float64(st.BlockBytes))
	s.add(s.heldBlocks, float64(st.HeldBlocks))
	s.add(s.heldVotes, float64(st.HeldVotes))
}

func slotSeconds(s p2pwire.Slot) float64 { return float64(s.Time()) / float64(time.Second) }

func (s samples) bySide(list []core.SessionStatus) {
	type sums struct{ ready, young, queued int }
	by := map[string]*sums{}
	for _, side := range sides {
		by[side.String()] = &sums{}
	}
	nodes := map[string]float64{}
	for i := range list {
		t := &list[i]
		sum := by[t.Side]
		if sum == nil {
			continue
		}
		if t.Ready {
			sum.ready++
		} else {
			sum.young++
		}
		sum.queued += t.QueuedBytes
		// One sample a node, whatever it dials from: only nodes we named have a bounded number.
		if t.Side == core.Internal.String() && t.Ready && t.Name != t.Remote {
			nodes[t.Name] = time.Duration(t.RTTNs).Seconds()
		}
	}
	for _, side := range sides {
		name := side.String()
		s.add(s.sessions, float64(by[name].ready), name, "ready")
		s.add(s.sessions, float64(by[name].young), name, "handshaking")
		s.add(s.queueBytes, float64(by[name].queued), name)
	}
	for node, rtt := range nodes {
		s.add(s.rtt, rtt, node)
	}
}

var sides = []core.Side{core.Internal, core.Network}

func (s samples) counts(st *core.Stats) {
	for _, side := range sides {
		s.traffic(side, "in", &st.In[side])
		s.traffic(side, "out", &st.Out[side])
		s.add(s.dialsFailed, float64(st.DialsFailed[side]), side.String())
	}
	s.add(s.own, float64(st.OwnForwarded), "forwarded", core.ReasonClaimed.String())
	s.byReason(s.own, &st.OwnWithheld, "withheld")
	s.byReason(s.own, &st.OwnHeld, "held")
	s.add(s.missed, float64(st.OwnMissed))
	s.add(s.late, float64(st.OwnLate))
	for _, o := range core.Outcomes() {
		s.add(s.ownSlots, float64(st.OwnSlots[o]), o.String())
	}
	s.add(s.conflicts, float64(st.Conflicts))
	s.byReason(s.dropped, &st.Dropped)
	s.byReason(s.closed, &st.Closed)
	s.byReason(s.alarms, &st.Alarms)
	s.add(s.blamed, float64(st.Blamed))
	s.add(s.refused, float64(st.Refused))
	s.histogram(s.latency, &st.AddedLatency)
	s.histogram(s.ahead, &st.Lead)
}

// traffic gives all types, zero ones too: their number is small and fixed, and a counter that is
// there from the start shows its first increase.
func (s samples) traffic(side core.Side, direction string, t *core.TypeCounts) {
	for i := range p2pwire.NumTypes {
		name := p2pwire.Type(i).String()
		s.add(s.frames, float64(t.Frames[i]), side.String(), direction, name)
		s.add(s.bytes, float64(t.Bytes[i]), side.String(), direction, name)
	}
}

// byReason gives only what occurred: most reasons never apply to most families.
func (s samples) byReason(m *metric, counts *core.ByReason, labels ...string) {
	for r, n := range counts {
		if n > 0 {
			s.add(m, float64(n), append(labels[:len(labels):len(labels)], core.Reason(r).String())...)
		}
	}
}

func (s samples) histogram(m *metric, h *core.Histogram) {
	buckets := make(map[float64]uint64, len(core.LatencyBounds))
	var sum uint64
	for i, bound := range core.LatencyBounds {
		sum += h.Buckets[i]
		buckets[time.Duration(bound).Seconds()] = sum
	}
	s.ch <- prometheus.MustNewConstHistogram(m.desc, h.Count, time.Duration(h.SumNs).Seconds(), buckets)
}

func (s samples) journal(j *core.JournalStatus) {
	s.flag(s.journalComplete, j.Complete)
	s.flag(s.journalAtStart, j.CompleteAtStart)
	s.add(s.journalBytes, float64(j.Bytes))
	s.add(s.journalErrors, float64(j.Errors))
	s.add(s.journalUnrecorded, float64(j.Unrecorded))
	buckets := make(map[float64]uint64, len(j.Writes.UpTo))
	var sum uint64
	for i, n := range j.Writes.Counts {
		sum += n
		if i < len(j.Writes.UpTo) {
			buckets[j.Writes.UpTo[i]] = sum
		}
	}
	s.ch <- prometheus.MustNewConstHistogram(s.journalWrite.desc, sum, j.Writes.Sum, buckets)
}
