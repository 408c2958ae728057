package main

import (
	"context"
	"fmt"
	"log/slog"

	"bprelay/config"
	"bprelay/ha/cluster"
	"bprelay/relay"
)

// joinCluster gives a relay its part in a cluster, if there is one.
func joinCluster(cfg *config.Config, o *relay.Options, log *slog.Logger) error {
	if !cfg.Cluster.Clustered() {
		return nil
	}
	cc, err := clusterConfig(cfg, log)
	if err != nil {
		return misused(err)
	}
	o.AgentListen = cfg.Cluster.AgentCheck
	if cfg.Cluster.Mode == config.ClusterQuorum {
		q, err := cluster.NewQuorum(cc)
		if err != nil {
			return failed(err)
		}
		o.Cluster = q
		o.Engine.Core.EchoWait = cc.EchoWait // 0: the core's own
		return nil
	}
	timing, err := cc.Timing()
	if err != nil {
		return misused(err)
	}
	p, err := cluster.NewPair(cc)
	if err != nil {
		return misused(fmt.Errorf("cluster: %w", err))
	}
	o.Cluster = p
	o.Engine.Core.EchoWait = timing.EchoWait
	return nil
}

// runWitness is one witness's life, from a valid configuration to ctx's end.
func runWitness(ctx context.Context, cfg *config.Config, log *slog.Logger, w watcher) error {
	cc, err := clusterConfig(cfg, log)
	if err != nil {
		return misused(err)
	}
	q, err := cluster.NewQuorum(cc)
	if err != nil {
		return failed(err)
	}
	if err := q.Start(nil); err != nil {
		return failed(err)
	}
	log.Info("witness started", "member", cc.Name, "link", cc.ListenLink, "gossip", cc.ListenGossip)
	if w != nil {
		w.Started()
	}
	<-ctx.Done()
	log.Info("signal received, ending")
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := q.Close(bounded); err != nil {
		log.Warn("not everything ended cleanly", "error", err)
	}
	return nil
}

// clusterConfig is what a member needs, credentials read.
func clusterConfig(cfg *config.Config, log *slog.Logger) (cluster.Config, error) {
	c := clusterOptions(cfg)
	me, err := checkCredentials(&cfg.Cluster)
	if err != nil {
		return c, err
	}
	c.Identity, c.Logger, c.Version = me, log, version()
	return c, nil
}

// clusterOptions is the configuration's part of it.
func clusterOptions(cfg *config.Config) cluster.Config {
	cl := &cfg.Cluster
	c := cluster.Config{
		Name: cl.Name, Priority: cl.PriorityMember, GossipKeyFile: cl.GossipKeyFile,
		ListenLink: cl.ListenLink, ListenGossip: cl.ListenGossip, Preset: string(cl.Preset), RTTMax: cl.RTTMax,
		ClaimWait: cl.ClaimWait, EchoWait: cl.EchoWait, Failback: cl.Failback, StateDir: cfg.StateDir,
	}
	for _, m := range cl.Members {
		c.Members = append(c.Members, cluster.Member{
			Name: m.Name, Link: m.Link, Gossip: m.Gossip, Admin: m.Admin, Witness: m.Role == config.MemberWitness,
		})
	}
	return c
}
