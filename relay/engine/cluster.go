package engine

import (
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// Cluster is the relay's place among others: with them it decides who is active and which block has a
// slot. All methods are called on the loop and must not block.
type Cluster interface {
	core.Claimer
	core.Cluster
	// Durable tells that what is approved is on disk by then: a journal is told, and not waited for.
	Durable() bool
	// Restored is called once, first of all, with what a journal knows of an earlier life.
	Restored(r *core.Restored)
	// Attach is called once, before anything else, with the host that Pump gets, too. wake, which any
	// goroutine may call, brings about a call of Pump.
	Attach(h ClusterHost, wake func())
	// Gap tells that the loop stood still, by how much longer than it meant to. It comes first thing
	// afterwards, before anything that arrived meanwhile is read.
	Gap(now core.Instant, d time.Duration)
	// Pump lets it act on the core, at the end of every event, and returns when (Instant.Mono) it wants
	// to be called again at the latest.
	Pump(now core.Instant, h ClusterHost) time.Duration
}

// ClusterHost is what a Cluster may do with the core, in Pump; BlockBytes at any time on the loop.
type ClusterHost interface {
	SetClusterRole(now core.Instant, role core.ClusterRole, epoch uint64, why core.Reason)
	ClusterLink(now core.Instant, up bool)
	ClusterAlarm(now core.Instant, why core.Reason, cl core.Claim, detail string)
	Adopt(now core.Instant, cl core.Claim) (held bool, err error)
	AdoptBlock(now core.Instant, cl core.Claim, frame []byte) error
	ApplyLead(now core.Instant, state []byte) error
	ClaimDecided(now core.Instant, cl core.Claim, v core.Verdict)
	Alone(now core.Instant, cl core.Claim, until, heardWithin time.Duration)
	Free(now core.Instant, cl core.Claim)
	Probe(now core.Instant, n uint64)
	Overdue(dst []core.SessionID) []core.SessionID
	BlockBytes(id p2pwire.ID) []byte
	Health(now core.Instant, within time.Duration) (network, nodes int, inRun bool, untilRun time.Duration)
}

var _ ClusterHost = (*core.Core)(nil)

// gapFrom is how much later than it meant to a loop must go on for that to be a gap.
const gapFrom = 100 * time.Millisecond

// joinCluster makes the core ask the cluster, and the journal if there is one.
func (e *Engine) joinCluster() {
	cl := e.cfg.Cluster
	var j ClaimJournal
	if e.cfg.Journal != nil {
		j = durable{e, e.cfg.Journal}
	}
	e.cfg.Core.Cluster, e.cfg.Core.Claimer = cl, NewJoint(j, cl)
	cl.Restored(&e.cfg.Core.Restored)
}

// attachCluster gives the cluster the loop.
func (e *Engine) attachCluster(m ClusterHost) {
	e.loop.cluster, e.loop.host = e.cfg.Cluster, m
	e.loop.joint, _ = e.cfg.Core.Claimer.(*Joint)
	e.loop.host = e.loop.joint.Host(m)
	e.cfg.Cluster.Attach(e.loop.host, func() {
		e.post(func() {
			if !e.loop.stopped {
				e.loop.begin()
				e.loop.pump()
			}
		})
	})
}

// askCluster lets the cluster act at the end of an event, and notes when it wants to again.
func (lp *loop) askCluster() {
	if lp.cluster == nil {
		return
	}
	lp.clusterAt = lp.cluster.Pump(lp.now, lp.host)
	lp.ids = lp.m.Overdue(lp.ids[:0])
	for _, id := range lp.ids {
		k := lp.links[id]
		if k == nil || len(k.rest) == 0 && k.conn.OutboundBuffered() == 0 && unacknowledged(k.conn.Fd()) == 0 {
			continue
		}
		lp.log.Warn("network session broken: it has not taken in time what left by this relay's word alone", "remote", k.info.Remote)
		_ = k.conn.SetLinger(0)
		if err := lp.self.Close(k.conn); err != nil {
			lp.log.Warn("close connection", "remote", k.info.Remote, "error", err)
		}
	}
}

// watchGap tells the cluster when the loop goes on later than it should have.
func (lp *loop) watchGap() {
	if lp.cluster == nil || lp.alarm == nil {
		return
	}
	if d := lp.now.Mono - lp.alarm.at; lp.alarm.at != never && d >= gapFrom {
		lp.alarm.fired() // once for each
		lp.cluster.Gap(lp.now, d)
	}
}
