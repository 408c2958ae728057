package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bprelay/relay/core"
)

// relayOutage is a relay that was killed, until it is a standby again.
type relayOutage struct {
	relay   *child
	until   int64 // when it is to be started
	started int64 // when it was; 0: not yet
	seen    bool  // it listens
}

// startAgain is how long after a relay ended by itself it is started again.
const startAgain = int64(500 * time.Millisecond)

var errNobody = errors.New("no relay answers")

// survey asks all relays, and returns what the active one says; of two that call themselves active it is
// the one of the later reign, and if none does, it is any.
func (d *director) survey(ctx context.Context) (relayStatus, error) {
	now := time.Now().UnixNano()
	var best *relayStatus
	for _, x := range d.net.relays {
		delete(d.relays, x.name())
		if !x.up() {
			continue
		}
		st, err := d.ask(ctx, x)
		if err != nil {
			continue // it is starting, or was just killed
		}
		d.relays[x.name()] = st
		d.latency.look(x.name(), st.added, st.active())
		d.tally.learn(x.name(), st.takeover)
		d.knows[x.name()] = d.knows[x.name()] || knowsSchedule(st.takeover, now, &d.plan)
		if best == nil || st.active() && (!best.active() || st.cluster.Epoch > best.cluster.Epoch) {
			best = &st
		}
	}
	if best == nil {
		return relayStatus{}, errNobody
	}
	return *best, nil
}

// role hears that a relay became active or standby.
func (d *director) role(n news) {
	if n.role == core.ClusterActive {
		d.tally.becomes(n.relay)
	}
	d.view.event(n.wall, "%s is %s, epoch %d (%s)", n.relay, n.role, n.epoch, n.reason)
}

// activeRelay is the one of several that is active, nil if none is known to be up and active.
func (d *director) activeRelay() *child {
	i := slices.IndexFunc(d.net.cluster, func(c *child) bool {
		st, answered := d.relays[c.id]
		return c.id == d.tally.reigns && answered && c.up() && st.active()
	})
	if i < 0 {
		return nil
	}
	return d.net.cluster[i]
}

// unreadyRelay says why the kill of a relay would show nothing yet; empty if it would.
func (d *director) unreadyRelay(victim *child) string {
	for _, c := range d.net.cluster {
		if c == victim {
			continue
		}
		st, answered := d.relays[c.id]
		switch {
		case !answered || st.cluster == nil:
			return c.id + " is not there"
		case !st.cluster.Linked:
			return c.id + " has no link to it"
		case st.peers == 0:
			return c.id + " sees no network"
		case !d.knows[c.id]:
			return c.id + " does not know the schedule yet"
		}
	}
	return ""
}

// killRelay ends a relay's process.
func (d *director) killRelay(k kill, victim *child) {
	now := time.Now().UnixNano()
	victim.kill()
	d.relayKills = append(d.relayKills, now)
	d.summary.RelayKills++
	d.view.event(now, "KILL %s, the active relay: %s", victim.id, k.where(now))
	d.died(victim, now+int64(k.down))
}

func (d *director) died(c *child, until int64) {
	d.tally.died(c.id)
	delete(d.knows, c.id)
	delete(d.relays, c.id)
	d.gone = append(d.gone, &relayOutage{relay: c, until: until})
}

// tend starts members whose time has come, and sees whether they are part of the cluster again. One that ended
// by itself is started, too; a promise is broken all the same.
func (d *director) tend(now int64) {
	if d.ending {
		return
	}
	for _, c := range d.net.members {
		if !c.up() && !slices.ContainsFunc(d.gone, func(out *relayOutage) bool { return out.relay == c }) {
			d.summary.crashed(c)
			d.view.event(now, "%s ended by itself: %s", c.id, c.lastWords())
			d.died(c, now+startAgain)
		}
	}
	d.gone = slices.DeleteFunc(d.gone, func(out *relayOutage) bool { return d.back(out, now) })
}

// back goes on with an outage, and tells whether it is over.
func (d *director) back(out *relayOutage, now int64) bool {
	c := out.relay
	switch {
	case out.started == 0 && now < out.until:
	case out.started == 0 || !c.up():
		// Its address may be taken: the kernel lent it to a connection. Then the process has ended again.
		if out.started > 0 && now < out.until {
			break
		}
		if c.start() != nil {
			break
		}
		if out.started == 0 {
			out.started = now
			d.view.event(now, "start %s again", c.id)
		}
		out.until, out.seen = now+startAgain, false
	case !out.seen:
		if out.seen = c.listens(); out.seen && c.id != witnessName {
			d.net.connectObserver(c)
		}
	case c.id == witnessName:
		return true
	default:
		st, answered := d.relays[c.id]
		if !answered || st.cluster == nil || !st.cluster.Linked || st.peers == 0 {
			break
		}
		d.view.event(now, "%s is part of the cluster again, %d ms after its start", c.id, (now-out.started)/int64(time.Millisecond))
		return true
	}
	return false
}

// standings are the relays at a glance, if there are several.
func (d *director) standings() (states []string) {
	for _, c := range d.net.cluster {
		st, answered := d.relays[c.id]
		switch {
		case !c.up():
			states = append(states, red+c.id+" down"+plain)
		case !answered || st.cluster == nil:
			states = append(states, c.id+" starts")
		case st.active():
			states = append(states, fmt.Sprintf("%s%s active%s", bold, c.id, plain))
		default:
			states = append(states, c.id+" standby")
		}
	}
	return states
}
