package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
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

	outages   []*outage
	comebacks []*comeback
	killTimes []int64
	lead      string // node that leads; in race the one whose blocks go out
	nonce     uint64
	trxAt     int64
	panelAt   int64
	summary   Summary
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
	}
	d.view.line(bold, "bprelay demo: %s, %d network producers, %s on %d nodes behind the relay, takeover %s, kill %s, seed %d",
		o.Chain, len(p.others), ours, o.Nodes, o.Takeover, o.Kill, o.Seed)
	d.view.line("", "our first round begins in %.1f s; a line per slot: when, whose, block, early (-) or late (+)",
		float64(p.first.Time()-began.UnixNano())/1e9)
	if d.net, err = build(ctx, o, p, d.desk); err != nil {
		return nil, err
	}
	defer d.net.close(ctx)
	d.run(ctx, time.Duration(p.end-time.Now().UnixNano()))
	last := p2pwire.SlotAt(time.Now().UnixNano())
	d.plan.kills, d.outages = nil, nil
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
		switch n.event {
		case core.EventAlarm:
			d.view.event(n.wall, "ALARM %s", n.alarm())
			return
		case core.EventBlamed:
			d.view.event(n.wall, "blamed: %s", n.node)
			return
		case core.EventLead:
			d.lead = n.node
			if d.o.Takeover != takeoverRace && n.reason != core.ReasonNone {
				d.view.event(n.wall, "LEAD %s", n.lead())
			}
			return
		case core.EventTakeover:
			d.view.event(n.wall, "takeover %s", n.detail)
			return
		}
	}
	r := d.ledger.apply(n)
	switch {
	case n.kind == decided && n.event == core.EventClaimed:
		if d.reign.race() {
			d.lead = r.winner
		}
		if st, err := d.status(ctx); err == nil {
			r.added = d.latency.look(st.Stats.AddedLatency)
		}
	case n.kind == seen && r.announced:
		d.view.event(n.wall, "late: %s of %s %d/%d, %.0f ms after its timestamp", n.id.Short(), r.producer, r.slot.Index()+1,
			p2pwire.RoundSlots, float64(n.wall-r.slot.Time())/1e6)
	}
}

func (d *director) status(ctx context.Context) (core.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	return d.net.relay.Status(ctx)
}

func (d *director) tick(ctx context.Context, now int64) {
	for len(d.plan.kills) > 0 && d.plan.kills[0].at <= now {
		k := d.plan.kills[0]
		d.plan.kills = d.plan.kills[1:]
		d.appointed(ctx, k, now)
	}
	d.restart(now)
	d.welcome(now)
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
	where := "outside our round"
	if k.inRound {
		where = fmt.Sprintf("in our round, at slot %d/%d", (p2pwire.SlotAt(now)+1).Index()+1, p2pwire.RoundSlots)
		d.summary.KillsInRound++
	}
	who := victim.cfg.Name
	if who == d.lead {
		who += ", which leads"
	}
	d.view.event(now, "KILL %s: %s", who, where)
	d.outages = append(d.outages, &outage{node: victim, until: now + int64(k.down)})
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
	lat := d.latency.summary()
	left := max(0, time.Duration(d.plan.end-now)).Round(time.Second)
	return []string{
		strings.Repeat("─", 100),
		fmt.Sprintf("%s   %s to go", strings.Join(states, "   "), left),
		fmt.Sprintf("our slots: %d public, %d with two blocks   kills: %d%s   relay: p50 %.0f µs, p99 %.0f µs",
			d.ledger.public, d.ledger.double, d.summary.Kills, releases, lat.P50, lat.P99),
	}
}

// finish takes the relay's counts, ends everything, and has the checker judge.
func (d *director) finish(ctx context.Context, last p2pwire.Slot, took time.Duration) (*Summary, error) {
	st, err := d.status(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask relay for its status: %w", err)
	}
	d.net.close(ctx)
	d.latency.look(st.Stats.AddedLatency)
	s := &d.summary
	s.Seed, s.Duration, s.Chain, s.Takeover, s.Nodes, s.Kill = d.o.Seed, tenths(took.Seconds()), d.o.Chain, d.o.Takeover, d.o.Nodes, d.o.Kill
	s.Won, s.AddedLatency = d.ledger.won, d.latency.summary()
	s.SiblingsSigned = d.desk.signed.count()
	s.count(&st.Stats, &st.Takeover)
	othersDue := 0
	for slot := d.plan.first; slot <= last; slot++ {
		if d.plan.producerAt(slot) != ours {
			othersDue++
		}
	}
	s.judge(d.net.check.Report(d.plan.first, last, d.killTimes), othersDue)
	now := time.Now().UnixNano()
	for _, c := range d.comebacks {
		if now-c.since > int64(catchUpLimit) {
			s.broken("%s has not caught up in %v", c.node.cfg.Name, catchUpLimit)
		}
	}
	s.OK = len(s.Broken) == 0
	return s, nil
}
