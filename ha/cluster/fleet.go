package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bprelay/ha/members"
	"bprelay/ha/record"
	"bprelay/relay/core"
)

const (
	// publishEvery is how often a member's record is made anew.
	publishEvery = time.Second
	// rereadEvery is how often its credentials are read again, remindEvery how often somebody is told that they
	// end soon.
	rereadEvery = 5 * time.Second
	remindEvery = time.Hour
)

// fleet is what every member has to do with all others, whoever decides: gossip, and records.
type fleet struct {
	cfg    Config
	log    *slog.Logger
	self   Member
	preset members.Preset

	store  *record.Store
	gossip *members.Cluster
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// The rest belongs to the publishing goroutine.
	role     core.ClusterStatus // as it was told last
	reread   time.Time
	reminded time.Time
	trouble  string // why the credentials cannot be read again, as it was told last
}

func (f *fleet) init(cfg Config) (err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	f.cfg, f.log, f.cancel = cfg, cfg.Logger, func() {}
	i := slices.IndexFunc(cfg.Members, func(m Member) bool { return m.Name == cfg.Name })
	if i < 0 {
		return fmt.Errorf("%q is not among the members", cfg.Name)
	}
	f.self = cfg.Members[i]
	f.preset, err = members.PresetOf(cfg.Preset)
	return err
}

// start joins the gossip and publishes this member's record. links tells of each other member whether there is
// a link to it.
func (f *fleet) start(status func(context.Context) (core.Status, error), changed func(members.Event), links func() map[string]bool) (err error) {
	o := record.Options{Identity: f.cfg.Identity, Logger: f.log}
	var seeds []members.Seed
	for _, m := range f.cfg.Members {
		o.Members = append(o.Members, m.Name)
		seeds = append(seeds, members.Seed{Name: m.Name, Address: m.Gossip})
	}
	if f.cfg.StateDir != "" {
		o.Path = filepath.Join(f.cfg.StateDir, "cluster.json")
	}
	if f.store, err = record.Open(o); err != nil {
		return fmt.Errorf("cluster records: %w", err)
	}
	if f.gossip, err = members.Join(members.Options{
		Name: f.cfg.Name, Members: seeds, Bind: f.cfg.ListenGossip, KeyFile: f.cfg.GossipKeyFile, Preset: f.preset,
		Meta:    members.Meta{Role: core.ClusterStandby.String(), Link: f.self.Link, Admin: f.self.Admin},
		Carried: members.Carried{Receive: f.store.Receive, Merge: f.store.Merge, Local: f.store.Local},
		OnEvent: changed, Logger: f.log,
	}); err != nil {
		return err
	}
	f.store.SetBroadcast(f.gossip.Broadcast)
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.wg.Go(func() { f.publish(ctx, status, links) })
	return nil
}

// publish keeps this member's record up to date.
func (f *fleet) publish(ctx context.Context, status func(context.Context) (core.Status, error), links func() map[string]bool) {
	t := time.NewTicker(publishEvery)
	defer t.Stop()
	for {
		if st, err := status(ctx); err == nil {
			f.say(&st, links())
		}
		f.renew(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// renew reads the credentials again, if they were renewed, and says when they end soon.
func (f *fleet) renew(now time.Time) {
	if now.Sub(f.reread) < rereadEvery {
		return
	}
	f.reread = now
	changed, err := f.cfg.Identity.Reload()
	switch {
	case err != nil && err.Error() != f.trouble:
		f.trouble = err.Error()
		f.log.Error("credentials cannot be read again: what was read before counts on", "error", err)
	case err == nil:
		f.trouble = ""
	}
	if changed {
		f.reminded = time.Time{}
		f.log.Info("credentials were read again, and count from the next connection on", "expires", f.cfg.Identity.Expires().Format(time.DateOnly))
	}
	if alarm := f.cfg.Identity.Alarm(now); alarm != "" && now.Sub(f.reminded) >= remindEvery {
		f.reminded = now
		f.log.Error("credentials end soon", "alarm", alarm)
	}
}

// say publishes a record.
func (f *fleet) say(st *core.Status, links map[string]bool) {
	r := record.Status{
		Role: "witness", Version: f.cfg.Version, Link: f.self.Link, Admin: f.self.Admin, Gossip: f.self.Gossip,
		Lead: st.Takeover.Lead, Links: links,
		Counters: map[string]uint64{
			"own_forwarded": st.Stats.OwnForwarded, "conflicts": st.Stats.Conflicts, "own_missed": st.Stats.OwnMissed,
			"lead_changes": st.Takeover.LeadChanges,
		},
	}
	if h := st.PublicHead; h != nil {
		r.Public = record.Block{Number: h.Num, ID: h.ID}
	}
	if c := st.Cluster; c != nil {
		r.Role, r.Epoch, r.Reason = c.Role.String(), c.Epoch, c.Reason.String()
		if f.role.Role != c.Role || f.role.Epoch != c.Epoch {
			f.gossip.SetMeta(members.Meta{Role: r.Role, Epoch: r.Epoch, Link: f.self.Link, Admin: f.self.Admin})
		}
		f.role = *c
	}
	for _, n := range st.Takeover.Nodes {
		r.Nodes = append(r.Nodes, record.Node{Name: n.Node, State: string(n.State)})
	}
	for _, s := range st.Sessions {
		if s.Side == core.Network.String() && s.Ready {
			r.Peers++
		}
	}
	for why, n := range st.Stats.Alarms {
		if n > 0 {
			r.Alarms = append(r.Alarms, core.Reason(why).String())
		}
	}
	if err := f.store.Publish(r); err != nil {
		f.log.Error("cluster record", "error", err)
	}
}

// up are the other members, as gossip has them.
func (f *fleet) up() (list []core.ClusterMember) {
	if f.gossip == nil {
		return nil // not started
	}
	for _, m := range f.gossip.Members() {
		if m.Name != f.cfg.Name {
			list = append(list, core.ClusterMember{Name: m.Name, Up: m.State == members.Alive || m.State == members.Suspect})
		}
	}
	return list
}

// View is all that is known of the members: a record.View.
func (f *fleet) View() any { return f.store.View() }

func (f *fleet) end(ctx context.Context) (err error) {
	f.cancel()
	f.wg.Wait()
	if f.gossip != nil {
		f.gossip.Leave(ctx)
	}
	if f.store != nil {
		err = f.store.Close(ctx)
	}
	return err
}
