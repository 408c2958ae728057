package main

import (
	"bprelay/config"
	"bprelay/relay"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/relay/hooks"
)

// relayOptions turns a configuration into a relay's options. It reads the peer key's file; the error
// is about that.
func relayOptions(cfg *config.Config) (relay.Options, error) {
	key, err := cfg.P2P.ReadPeerPrivateKey()
	if err != nil {
		return relay.Options{}, err
	}
	o := relay.Options{
		Engine: engine.Config{
			Core:                coreConfig(cfg),
			ListenInternal:      cfg.Listen.Internal,
			ListenNetwork:       cfg.Listen.Network,
			DialTimeout:         cfg.P2P.DialTimeout,
			RedialNodeMin:       cfg.P2P.RedialNode.Min,
			RedialNodeMax:       cfg.P2P.RedialNode.Max,
			RedialNodeJitter:    cfg.P2P.RedialNode.Jitter,
			RedialNetworkMin:    cfg.P2P.RedialNetwork.Min,
			RedialNetworkMax:    cfg.P2P.RedialNetwork.Max,
			RedialNetworkJitter: cfg.P2P.RedialNetwork.Jitter,
			APITimeout:          cfg.APITimeout,
		},
		Hooks: hooks.Config{
			OnLeadChange:      cfg.Hooks.OnLeadChange,
			OnFinalizerSilent: cfg.Hooks.OnFinalizerSilent,
			OnRoleChange:      cfg.Hooks.OnRoleChange,
			Timeout:           cfg.Hooks.Timeout,
		},
		AdminListen: cfg.Admin.Listen,
		Version:     version(),
	}
	o.Engine.Core.PeerKey = key
	if cfg.P2P.MaxClients == 0 {
		o.Engine.ListenNetwork = "" // nobody would be let in
	}
	for _, n := range cfg.Nodes {
		o.Engine.Nodes = append(o.Engine.Nodes, engine.Target{Name: n.Name, Dial: n.Dial, From: n.From, Priority: n.Priority, API: n.API})
	}
	for _, p := range cfg.Network.Peers {
		o.Engine.Peers = append(o.Engine.Peers, engine.Target{Name: p.Name, Dial: p.Dial})
	}
	return o, nil
}

func coreConfig(cfg *config.Config) core.Config {
	c := core.Config{
		ChainID:          cfg.ChainID,
		P2PAddress:       cfg.Listen.P2PServerAddress,
		Agent:            cfg.AgentName,
		AllowedPeerKeys:  cfg.P2P.AllowedPeerKeys,
		Transactions:     directions[cfg.P2P.Transactions],
		Keepalive:        cfg.P2P.Keepalive,
		HandshakeTimeout: cfg.P2P.HandshakeTimeout,
		IdleTimeout:      cfg.P2P.IdleTimeout,
		PreferWait:       cfg.PreferWait,
		FinalizerNode:    cfg.FinalizerNode,
		ClockLimit:       cfg.ClockLimit,
		StartFence:       cfg.StartFence,
		MaxFuture:        cfg.MaxFuture,
		LateGrace:        max(cfg.LateGrace, 1), // the core takes 0 for "default"; 1 ns is none
		MaxClients:       cfg.P2P.MaxClients,
		MaxYoung:         cfg.P2P.MaxUnhandshaked,
		QueueBytes:       cfg.Limits.QueueBytes,
		SyncQueueBytes:   cfg.Limits.SyncQueueBytes,
		TrxQueueBytes:    cfg.Limits.TrxQueueBytes,
		MemoryBytes:      cfg.Limits.Memory,
		ReassemblyBytes:  cfg.Limits.ReassemblyBytes,
		RingBlocks:       cfg.Limits.RingBlocks,
		RingBytes:        cfg.Limits.RingBytes,
		DedupEntries:     cfg.Limits.DedupEntries,
		DedupAge:         cfg.Limits.DedupAge,
		Takeover: core.TakeoverConfig{
			Mode:        takeovers[cfg.Takeover],
			Grace:       max(cfg.TakeoverGrace, 1), // as with LateGrace
			VoteTimeout: cfg.VoteTimeout,
			Failback:    cfg.Failback,
		},
	}
	for _, n := range cfg.Nodes {
		c.Nodes = append(c.Nodes, core.NodeConfig{Name: n.Name, Role: roles[n.Role], Priority: n.Priority, API: n.API != ""})
	}
	for _, p := range cfg.Producers {
		c.Producers = append(c.Producers, core.Producer{Name: p.Name, Keys: p.Keys, Authority: p.Authority, FinalizerKeys: p.FinalizerKeys})
	}
	return c
}

var directions = map[config.Transactions]core.Direction{
	config.TransactionsBoth: core.Both,
	config.TransactionsIn:   core.In,
	config.TransactionsOut:  core.Out,
	config.TransactionsOff:  core.Off,
}

var takeovers = map[config.Takeover]core.Takeover{
	config.TakeoverRace:  core.TakeoverRace,
	config.TakeoverLeash: core.TakeoverLeash,
	config.TakeoverAPI:   core.TakeoverAPI,
	config.TakeoverAuto:  core.TakeoverAuto,
}

var roles = map[config.Role]core.Role{
	config.RoleBoth:      core.RoleBoth,
	config.RoleProducer:  core.RoleProducer,
	config.RoleFinalizer: core.RoleFinalizer,
	config.RoleVerifier:  core.RoleVerifier,
}
