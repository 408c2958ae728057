package hooks

import (
	"strconv"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// What happened, as BPRELAY_EVENT says it.
const (
	LeadChange      = "lead_change"
	FinalizerSilent = "finalizer_silent"
	RoleChange      = "role_change"
)

// event is what a hook is told.
type event struct {
	name           string
	node, previous string
	reason         core.Reason
	detail         string
	producer       p2pwire.Name
	wall           int64
	role           core.ClusterRole
	epoch          uint64
}

// variables are the environment, in the order of the documentation.
var variables = []struct {
	name  string
	value func(e *event) string
}{
	{"BPRELAY_EVENT", func(e *event) string { return e.name }},
	{"BPRELAY_NODE", func(e *event) string { return e.node }},
	{"BPRELAY_PREVIOUS_NODE", func(e *event) string { return e.previous }},
	{"BPRELAY_REASON", func(e *event) string {
		if e.reason == core.ReasonNone {
			return ""
		}
		return e.reason.String()
	}},
	{"BPRELAY_DETAIL", func(e *event) string {
		if e.detail == "" && e.reason != core.ReasonNone {
			return e.reason.Help()
		}
		return e.detail
	}},
	{"BPRELAY_PRODUCER", func(e *event) string {
		if e.producer == 0 {
			return ""
		}
		return e.producer.String()
	}},
	{"BPRELAY_ROLE", func(e *event) string {
		if e.role == core.ClusterAlone {
			return ""
		}
		return e.role.String()
	}},
	{"BPRELAY_EPOCH", func(e *event) string {
		if e.role == core.ClusterAlone {
			return ""
		}
		return strconv.FormatUint(e.epoch, 10)
	}},
	{"BPRELAY_TIME", func(e *event) string { return time.Unix(0, e.wall).UTC().Format("2006-01-02T15:04:05.000Z07:00") }},
}

// Variables are the names of the environment variables that a hook gets.
func Variables() []string {
	names := make([]string, len(variables))
	for i, v := range variables {
		names[i] = v.name
	}
	return names
}

// environment is what the hook gets on top of the relay's own.
func (e *event) environment() []string {
	env := make([]string, len(variables))
	for i, v := range variables {
		env[i] = v.name + "=" + v.value(e)
	}
	return env
}

// LeadChanged tells whether e says that another node leads. While all nodes produce, the same kind of
// event names the node whose block went out last, which changes from block to block, without a reason.
func LeadChanged(e *core.Event) bool {
	return e.Kind == core.EventLead && (e.Reason != core.ReasonNone || e.Detail != "")
}

// eventOf tells whether a hook is about what happened.
func eventOf(now core.Instant, e *core.Event) (event, bool) {
	to := event{node: e.Node, reason: e.Reason, producer: e.Producer, wall: now.Wall}
	switch e.Kind {
	case core.EventLead:
		if !LeadChanged(e) {
			return to, false
		}
		to.name, to.previous = LeadChange, e.Detail
	case core.EventAlarm:
		if e.Reason.String() != FinalizerSilent {
			return to, false
		}
		to.name, to.detail = FinalizerSilent, e.Detail
	case core.EventRole:
		to.name, to.role, to.epoch = RoleChange, e.Role, e.Epoch
	default:
		return to, false
	}
	return to, true
}
