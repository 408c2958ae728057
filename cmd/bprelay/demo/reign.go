package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// reign is what the relay last said of who leads and who is held. In race it stays empty.
type reign struct {
	status core.TakeoverStatus
	// knows is true as soon as the relay has told when our next round is before there was a block of it.
	knows bool
	shown string // the standing of all, as it was shown
	draft string // as it was at the last look
}

func (r *reign) race() bool { return r.status.Mode == core.TakeoverRace }

// learn takes over a status.
func (r *reign) learn(t core.TakeoverStatus, now int64, p *plan) {
	r.status = t
	r.knows = r.knows || knowsSchedule(t, now, p)
}

// knowsSchedule tells whether a relay can know when our next round is from the schedule only.
func knowsSchedule(t core.TakeoverStatus, now int64, p *plan) bool {
	return t.NextRunInNs > 0 && p.producerAt(p2pwire.SlotAt(now)) != ours && p.producerAt(p2pwire.SlotAt(now)+1) != ours
}

// standing is how a node stands, in a word or two; empty if there is nothing to say.
func (r *reign) standing(node string) string {
	i := slices.IndexFunc(r.status.Nodes, func(n core.NodeStatus) bool { return n.Node == node })
	if r.race() || i < 0 {
		return ""
	}
	switch n := r.status.Nodes[i]; n.State {
	case core.NodeAbsent:
		return "absent"
	case core.NodeFree:
		if n.Role == core.RoleFinalizer {
			return "votes"
		}
		return "free"
	case core.NodeLead:
		return "leads"
	case core.NodeArming:
		return "held, arming"
	case core.NodeArmed:
		return "held, armed"
	case core.NodeNotReady:
		return "held, not ready: " + n.Why
	default:
		return "cannot be held: " + n.Why
	}
}

// news is the standing of all nodes if it is another than the one shown last, else empty. What lasts
// for one look only, such as being one block behind, is not shown.
func (r *reign) news() string {
	var parts []string
	for _, n := range r.status.Nodes {
		if s := r.standing(n.Node); s != "" {
			parts = append(parts, n.Node+" "+s)
		}
	}
	now := strings.Join(parts, "; ")
	steady := now == r.draft
	r.draft = now
	if !steady || now == r.shown {
		return ""
	}
	r.shown = now
	return now
}

// unready says why a kill would show nothing yet; empty if it would.
func (r *reign) unready(victim string) string {
	if r.race() {
		return ""
	}
	if !r.knows {
		return "the relay does not know the schedule yet"
	}
	for _, n := range r.status.Nodes {
		if n.Node != victim && (n.State == core.NodeArmed || n.State == core.NodeLead) {
			return ""
		}
	}
	return "no other node could take over"
}

// look asks the relay who leads and who is held, and shows what changed.
func (d *director) look(ctx context.Context, now int64) {
	if d.o.Takeover == takeoverRace && d.o.Relays == 1 {
		return
	}
	st, err := d.survey(ctx)
	if err != nil {
		return // the panel shows what was
	}
	d.reign.learn(st.takeover, now, &d.plan)
	if !d.reign.race() {
		d.lead = st.takeover.Lead
	}
	if s := d.reign.news(); s != "" {
		d.view.event(now, "%s", s)
	}
}

// appointed keeps an appointment, unless that would only show that nobody could take over: then it is
// put off or dropped.
func (d *director) appointed(ctx context.Context, k kill, now int64) {
	d.look(ctx, now)
	victim, relay := d.victim(), d.activeRelay()
	name, why := "", ""
	if d.o.Kill.relay() {
		if relay == nil {
			return
		}
		name, why = relay.id, d.unreadyRelay(relay)
	}
	if d.o.Kill != KillRelay {
		if victim == nil {
			return
		}
		name = victim.cfg.Name
		if why == "" {
			why = d.reign.unready(name)
		}
	}
	switch {
	case why != "" && !d.o.eager:
		if !d.plan.putOff(k) {
			d.view.event(now, "%s lives: %s", name, why)
		}
		return
	case d.o.Kill.relay():
		d.killRelay(k, relay)
	}
	if d.o.Kill != KillRelay {
		d.kill(k, victim)
	}
}

// teller names the relay that tells, if there are two.
func (n *news) teller() string {
	if n.relay == "" {
		return ""
	}
	return n.relay + ": "
}

// lead tells of another lead.
func (n *news) lead() string {
	if n.detail == "" {
		return fmt.Sprintf("%s (%s)", n.node, n.reason)
	}
	return fmt.Sprintf("%s, %s does not (%s)", n.node, n.detail, n.reason)
}

// alarm tells of an alarm: about a block, or about something else.
func (n *news) alarm() string {
	if n.id.IsZero() && n.detail != "" {
		return fmt.Sprintf("%s: %s", n.reason, n.detail)
	}
	return fmt.Sprintf("%s: %s %s", n.reason, n.producer, n.id.Short())
}
