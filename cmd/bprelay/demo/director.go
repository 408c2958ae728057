package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// director runs the show: one goroutine that reads the news, keeps the appointments, sends
// transactions and shows what happens.
type director struct {
	o       Options
	plan    plan
	rng     *rand.Rand
	net     *network
	desk    *desk
	ledger  *ledger
	view    *view
	latency latencies
	reign   reign
	tally   *tally                 // of several relays
	relays  map[string]relayStatus // as they were at the last look; without those that did not answer
	knows   map[string]bool        // relays that know when our next round is

	outages    []*outage
	comebacks  []*comeback
	gone       []*relayOutage
	ending     bool
	killTimes  []int64
	relayKills []int64 // of an active relay
	lead       string  // node that leads; in race the one whose blocks go out
	nonce      uint64
	trxAt      int64
	panelAt    int64
	summary    Summary
}

// outage is a node that is down.
type outage struct {
	node  *node
	until int64
}

// comeback is a node that was started again and has not yet caught up.
type comeback struct {
	node  *node
	since int64
}

const (
	beat        = 20 * time.Millisecond  // of the director
	trxEvery    = 150 * time.Millisecond // at one of the producers or nodes
	panelEvery  = 200 * time.Millisecond
	drain       = 500 * time.Millisecond // for late blocks at the end
	statusLimit = 2 * time.Second
	// catchUpLimit is when a node that has not caught up breaks a promise; normal is a few ms.
	catchUpLimit = 10 * time.Second
)

// Run runs the demo until its time is over or ctx ends, and sums it up. The error is about what
// kept it from running; broken promises are in the summary. Nothing is left running.
func Run(ctx context.Context, o Options) (*Summary, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0xde30))
	began := time.Now()
	p := newPlan(began.UnixNano(), o, rng)
	d := &director{
		o: o, plan: p, rng: rng, desk: newDesk(), ledger: newLedger(p),
		view: &view{w: o.View, terminal: o.Terminal}, trxAt: began.UnixNano(),
		tally: newTally(), relays: map[string]relayStatus{}, knows: map[string]bool{},
	}
	behind := "the relay"
	if o.Relays > 1 {
		behind = fmt.Sprintf("%s, a %s (preset %s)", strings.Join(memberNames(o), ", "), o.Mode, o.Preset)
	}
	d.view.line(bold, "bprelay demo: %s, %d network producers, %s on %d nodes behind %s, takeover %s, kill %s, seed %d",
		o.Chain, len(p.others), ours, o.Nodes, behind, o.Takeover, o.Kill, o.Seed)
	d.view.line("", "our first round begins in %.1f s; a line per slot: when, whose, block, early (-) or late (+)",
		float64(p.first.Time()-began.UnixNano())/1e9)
	if d.net, err = build(ctx, o, p, d.desk); err != nil {
		return nil, err
	}
	defer d.net.close(ctx)
	for _, c := range d.net.cluster {
		d.view.line("", "%s: bprelay status --admin %s", c.id, c.ask)
	}
	d.run(ctx, time.Duration(p.end-time.Now().UnixNano()))
	last := p2pwire.SlotAt(time.Now().UnixNano())
	d.plan.kills, d.outages, d.ending = nil, nil, true
	d.run(context.WithoutCancel(ctx), drain)
	d.view.show()
	return d.finish(context.WithoutCancel(ctx), last, time.Since(began)-drain)
}

// run keeps things going for a while.
func (d *director) run(ctx context.Context, length time.Duration) {
	over := time.NewTimer(length)
	defer over.Stop()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case n := <-d.desk.queue:
			d.hear(ctx, n)
		case now := <-ticker.C:
			d.tick(ctx, now.UnixNano())
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (d *director) hear(ctx context.Context, n news) {
	if n.kind == decided {
		d.tally.count(n)
		switch n.event {
		case core.EventAlarm:
			d.view.event(n.wall, "ALARM %s%s", n.teller(), n.alarm())
			return
		case core.EventBlamed:
			d.view.event(n.wall, "blamed: %s%s", n.teller(), n.node)
			return
		case core.EventRole:
			d.role(n)
			return
		case core.EventLead:
			if n.reason == core.ReasonLeadFollowed {
				return // it was told by the active relay
			}
			d.lead = n.node
			if d.o.Takeover != takeoverRace && n.reason != core.ReasonNone {
				d.view.event(n.wall, "LEAD %s", n.lead())
			}
			return
		case core.EventTakeover:
			if n.relay == d.tally.reigns {
				d.view.event(n.wall, "takeover %s", n.detail)
			}
			return
		}
	}
	r := d.ledger.apply(n)
	switch {
	case n.kind == decided && n.event == core.EventClaimed:
		if d.reign.race() {
			d.lead = r.winner
		}
		for _, x := range d.net.relays {
			if n.relay != "" && (n.relay != x.name() || n.relay != d.tally.reigns) {
				continue
			}
			if st, err := d.ask(ctx, x); err == nil {
				r.added = d.latency.look(x.name(), st.added, st.active())
			}
		}
	case n.kind == seen && r.announced:
		d.view.event(n.wall, "late: %s of %s %d/%d, %.0f ms after its timestamp", n.id.Short(), r.producer, r.slot.Index()+1,
			p2pwire.RoundSlots, float64(n.wall-r.slot.Time())/1e6)
	}
}

func (d *director) ask(ctx context.Context, r relayEnd) (relayStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	return r.status(ctx)
}

func (d *director) tick(ctx context.Context, now int64) {
	for len(d.plan.kills) > 0 && d.plan.kills[0].at <= now {
		k := d.plan.kills[0]
		d.plan.kills = d.plan.kills[1:]
		d.appointed(ctx, k, now)
	}
	d.restart(now)
	d.welcome(now)
	d.tend(now)
	if now >= d.trxAt {
		d.trxAt = now + int64(trxEvery)
		d.transact(now)
	}
	for _, r := range d.ledger.due(now) {
		d.view.slot(r)
	}
	if now >= d.panelAt {
		d.panelAt = now + int64(panelEvery)
		d.ledger.forget(now)
		d.look(ctx, now)
		d.view.show(d.panel(now)...)
	}
}

// victim is the node that leads, or any that is up; nil if none is. Without the one that votes for our
// producer all would stop: it lives.
func (d *director) victim() *node {
	var alive []*node
	var victim *node
	for _, x := range d.net.nodes {
		if x.up() {
			alive = append(alive, x)
			if x.cfg.Name == d.lead {
				victim = x
			}
		}
	}
	if len(alive) == 0 {
		return nil
	}
	if random := alive[d.rng.IntN(len(alive))]; victim == nil || d.o.Kill == KillRandom {
		victim = random
	}
	return victim
}

func (d *director) kill(k kill, victim *node) {
	now := time.Now().UnixNano()
	victim.kill()
	d.killTimes = append(d.killTimes, now)
	d.summary.Kills++
	if k.inRound {
		d.summary.KillsInRound++
	}
	who := victim.cfg.Name
	if who == d.lead {
		who += ", which leads"
	}
	d.view.event(now, "KILL %s: %s", who, k.where(now))
	d.outages = append(d.outages, &outage{node: victim, until: now + int64(k.down)})
}

// where says when in the schedule it is.
func (k *kill) where(now int64) string {
	if k.inRound {
		return fmt.Sprintf("in our round, at slot %d/%d", (p2pwire.SlotAt(now)+1).Index()+1, p2pwire.RoundSlots)
	}
	return "outside our round"
}

// restart starts the nodes whose time has come. An address that is taken is tried again.
func (d *director) restart(now int64) {
	var still []*outage
	for _, out := range d.outages {
		if now < out.until || out.node.restart() != nil {
			still = append(still, out)
			continue
		}
		d.summary.Restarts++
		d.view.event(now, "start %s again", out.node.cfg.Name)
		d.comebacks = append(d.comebacks, &comeback{node: out.node, since: now})
	}
	d.outages = still
}

// welcome looks whether those that came back follow the public chain.
func (d *director) welcome(now int64) {
	var still []*comeback
	for _, c := range d.comebacks {
		best := d.ledger.best
		if best == nil || !c.node.follows(best.ids[0]) {
			if c.node.up() {
				still = append(still, c)
			}
			continue
		}
		took := time.Duration(now - c.since)
		d.summary.CaughtUp++
		d.summary.SlowestReturn = max(d.summary.SlowestReturn, tenths(took.Seconds()*1e3))
		d.view.event(now, "%s has caught up through the relay: %s, %d ms after its start", c.node.cfg.Name, best.ids[0].Short(), took.Milliseconds())
	}
	d.comebacks = still
}

// transact pushes a transaction at one of the network's producers or of our nodes.
func (d *director) transact(now int64) {
	i := d.rng.IntN(len(d.net.outside) + len(d.net.nodes))
	var to *node
	if i < len(d.net.outside) {
		to = d.net.outside[i]
	} else if to = d.net.nodes[i-len(d.net.outside)]; !to.up() {
		return
	}
	d.nonce++
	d.summary.Transactions++
	const life = 60 // seconds
	frame, _ := d.net.chain.Transaction(d.nonce, uint32(now/1e9)+life)
	to.push(frame)
}

// panel is the state at a glance.
func (d *director) panel(now int64) []string {
	var states []string
	for _, x := range d.net.all() {
		name, standing := x.cfg.Name, d.reign.standing(x.cfg.Name)
		switch {
		case !x.up():
			states = append(states, red+name+" down"+plain)
		case name == d.lead:
			states = append(states, bold+name+" leads"+plain)
		case standing != "":
			states = append(states, name+" "+standing)
		default:
			states = append(states, name+" up")
		}
	}
	releases := ""
	if !d.reign.race() {
		releases = fmt.Sprintf("   releases: %d", d.reign.status.Releases)
	}
	states = append(states, d.standings()...)
	kills := fmt.Sprint(d.summary.Kills)
	if d.summary.RelayKills > 0 {
		kills += fmt.Sprintf(" and %d relays", d.summary.RelayKills)
	}
	lat := d.latency.summary()
	left := max(0, time.Duration(d.plan.end-now)).Round(time.Second)
	return []string{
		strings.Repeat("─", 100),
		fmt.Sprintf("%s   %s to go", strings.Join(states, "   "), left),
		fmt.Sprintf("our slots: %d public, %d with two blocks   kills: %s%s   relay: p50 %.0f µs, p99 %.0f µs",
			d.ledger.public, d.ledger.double, kills, releases, lat.P50, lat.P99),
	}
}

// finish takes the relay's counts, ends everything, and has the checker judge.
func (d *director) finish(ctx context.Context, last p2pwire.Slot, took time.Duration) (*Summary, error) {
	st, err := d.survey(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask relay for its status: %w", err)
	}
	d.net.close(ctx)
	s := &d.summary
	s.Seed, s.Duration, s.Chain, s.Takeover, s.Nodes, s.Kill = d.o.Seed, tenths(took.Seconds()), d.o.Chain, d.o.Takeover, d.o.Nodes, d.o.Kill
	s.Relays, s.Cluster, s.Preset, s.Won, s.AddedLatency = d.o.Relays, d.o.Mode, d.o.Preset, d.ledger.won, d.latency.summary()
	s.SiblingsSigned = d.desk.signed.count()
	s.Mode, s.Why = st.takeover.Mode.String(), st.takeover.Why
	if st.stats != nil {
		s.count(st.stats, &st.takeover)
	} else {
		d.tally.sum(s)
	}
	othersDue := 0
	for slot := d.plan.first; slot <= last; slot++ {
		if d.plan.producerAt(slot) != ours {
			othersDue++
		}
	}
	report := d.net.check.Report(d.plan.first, last, slices.Concat(d.killTimes, d.relayKills))
	s.judge(report, othersDue)
	s.TakeoverMs = succession(report.Slots, d.relayKills)
	now := time.Now().UnixNano()
	for _, c := range d.comebacks {
		if now-c.since > int64(catchUpLimit) {
			s.broken("%s has not caught up in %v", c.node.cfg.Name, catchUpLimit)
		}
	}
	for _, out := range d.gone {
		if out.started > 0 && now-out.started > int64(catchUpLimit) {
			s.broken("%s was no standby %v after its start", out.relay.id, catchUpLimit)
		}
	}
	s.OK = len(s.Broken) == 0
	return s, nil
}
