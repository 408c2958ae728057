package engine

import (
	"time"

	"bprelay/relay/core"
)

// Joint asks a cluster, and then the journal, if there is one: a claim stands when both approve. Not at once: what the journal
// has is believed after a restart, and a claim that the cluster gave to another block must not be. It is the
// core's Claimer; a simulation uses it as the engine does.
type Joint struct {
	journal ClaimJournal // no journal: nil
	cluster core.Claimer
	durable bool // Cluster.Durable
	asked   time.Duration
	answers core.Histogram // how long the cluster took
	open    core.Claim     // under way
	granted bool           // the cluster approved: the journal's answer is waited for
	alone   bool           // nobody else agreed to it
}

// ClaimJournal makes claims durable; agreed says that the cluster agreed to it or decided it, and is not to
// be forgotten either. Its answers go to Journalled.
type ClaimJournal interface {
	Record(now core.Instant, cl core.Claim, agreed bool) core.Verdict
	// Agree tells that the cluster agreed, after all, to what was recorded without its agreement. It may be
	// written with what comes next.
	Agree(now core.Instant, cl core.Claim)
}

// NewJoint joins a journal, nil if there is none, and a cluster.
func NewJoint(journal ClaimJournal, cluster Cluster) *Joint {
	return &Joint{journal: journal, cluster: cluster, durable: cluster.Durable()}
}

// Claim implements core.Claimer. The core asks for one claim at a time, a failed one again after a while.
func (j *Joint) Claim(now core.Instant, cl core.Claim) core.Verdict {
	if cl.Foreign {
		if j.durable || j.journal == nil {
			j.cluster.Claim(now, cl)
		} // else the cluster knows it by its echo
		if j.journal != nil {
			j.journal.Record(now, cl, false)
		}
		return core.Pending
	}
	j.open, j.granted, j.alone, j.asked = cl, false, false, now.Mono
	v, _ := j.answer(now, byCluster, cl, j.cluster.Claim(now, cl))
	return v
}

// Record implements core.ClaimRecorder: nothing waits for the journal's answer.
func (j *Joint) Record(now core.Instant, cl core.Claim) {
	if j.journal != nil {
		j.journal.Record(now, cl, true)
	}
}

// Journalled takes the journal's answer; false means that the core is not to be told, or not yet.
func (j *Joint) Journalled(now core.Instant, cl core.Claim, v core.Verdict) (core.Verdict, bool) {
	return j.answer(now, byJournal, cl, v)
}

// Who answered.
const (
	byJournal = iota
	byCluster
)

// answer takes an answer to what is under way; false means that none follows from it yet, or any more.
func (j *Joint) answer(now core.Instant, by int, cl core.Claim, v core.Verdict) (core.Verdict, bool) {
	if cl != j.open || j.granted != (by == byJournal) {
		return v, j.journal == nil // the core knows what to make of it
	}
	if by == byCluster && v != core.Pending {
		j.answers.Observe(now.Mono - j.asked)
	}
	if by == byCluster && v == core.Approved && j.journal != nil {
		if v = j.journal.Record(now, cl, !j.alone); j.durable {
			v = core.Approved
		}
		j.granted = true
	}
	if v == core.Pending {
		return v, false
	}
	j.open = core.Claim{}
	return v, true
}

// Host is the core as the cluster may use it: its answers come by the journal.
func (j *Joint) Host(h ClusterHost) ClusterHost { return jointHost{h, j} }

type jointHost struct {
	ClusterHost
	j *Joint
}

// ClaimDecided implements ClusterHost.
func (h jointHost) ClaimDecided(now core.Instant, cl core.Claim, v core.Verdict) {
	if v, last := h.j.answer(now, byCluster, cl, v); last {
		h.ClusterHost.ClaimDecided(now, cl, v)
	}
}

// Alone implements ClusterHost. It comes before the claim is approved, or once more later.
func (h jointHost) Alone(now core.Instant, cl core.Claim, until, heardWithin time.Duration) {
	if cl == h.j.open && !h.j.granted {
		h.j.alone = true
	}
	h.ClusterHost.Alone(now, cl, until, heardWithin)
}

// Free implements ClusterHost: what had left alone is known elsewhere.
func (h jointHost) Free(now core.Instant, cl core.Claim) {
	if h.j.journal != nil {
		h.j.journal.Agree(now, cl)
	}
	h.ClusterHost.Free(now, cl)
}
