package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"bprelay/ha/creds"
	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// relayNames are the two relays of a pair; the first one is active unless something speaks against it.
var relayNames = []string{relayName + "1", relayName + "2"}

// startPair makes the credentials and the configuration of two relays, as an operator would, and starts
// them.
func (n *network) startPair(ctx context.Context, o Options, d *desk) error {
	dir := o.Dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "bprelay-demo-")
		if err != nil {
			return err
		}
		dir, n.tmp = tmp, tmp
	}
	keys := filepath.Join(dir, "credentials")
	if err := os.RemoveAll(keys); err != nil {
		return err
	}
	if _, err := creds.Create(creds.Plan{Dir: keys, Members: relayNames}); err != nil {
		return fmt.Errorf("make credentials: %w", err)
	}
	const each = 4 // addresses of a relay
	ports, err := freeAddresses(each * len(relayNames))
	if err != nil {
		return fmt.Errorf("look for free ports: %w", err)
	}
	var members []map[string]string
	for i, name := range relayNames {
		p := ports[each*i:]
		c := &child{
			id: name, config: filepath.Join(dir, name+".yaml"), log: filepath.Join(dir, name+".log"),
			network: p[2], ask: p[3], command: o.RelayCommand, desk: d,
		}
		if i == 0 && o.Admin != "" {
			c.ask = o.Admin
		}
		n.pair, n.relays = append(n.pair, c), append(n.relays, c)
		members = append(members, map[string]string{"name": name, "link": p[0], "gossip": p[1]})
	}
	for _, c := range n.pair {
		text, err := yaml.Marshal(n.configuration(o, c, members, keys))
		if err != nil {
			return fmt.Errorf("configuration of %s: %w", c.id, err)
		}
		if err := os.WriteFile(c.config, text, 0o600); err != nil {
			return err
		}
		if err := c.start(); err != nil {
			return err
		}
	}
	return n.waitForPair(ctx)
}

// configuration is what a relay's file says.
func (n *network) configuration(o Options, c *child, members []map[string]string, keys string) map[string]any {
	producer := map[string]any{"name": ours, "keys": []string{n.chain.ProducerKey(ours).String()}}
	if o.mode() == simnet.Savanna {
		producer["finalizer_keys"] = []string{p2pwire.FinalizerKeyText(n.chain.FinalizerKey(ours).Pub)}
	}
	var nodes []map[string]string
	for _, x := range n.all() {
		node := map[string]string{"name": x.cfg.Name, "dial": x.cfg.Address, "role": "both"}
		switch {
		case x == n.voter:
			node["role"] = "finalizer"
		case o.Takeover != takeoverRace:
			node["role"] = "producer"
		}
		if x.url != "" {
			node["api"] = x.url
		}
		nodes = append(nodes, node)
	}
	var peers []map[string]string
	for _, x := range n.outside {
		peers = append(peers, map[string]string{"name": x.cfg.Name, "dial": x.cfg.Address})
	}
	file := map[string]any{
		"chain_id": n.chain.ID().String(), "takeover": o.Takeover, "producers": []any{producer}, "nodes": nodes,
		"network": map[string]any{"peers": peers}, "listen": map[string]any{"network": c.network},
		"admin": map[string]any{"listen": c.ask},
		"cluster": map[string]any{
			"mode": "pair", "name": c.id, "members": members, "priority_member": relayNames[0], "preset": "local",
			"gossip_key_file": filepath.Join(keys, creds.GossipFile),
			"credentials": map[string]string{
				"ca": filepath.Join(keys, creds.CAFile), "cert": filepath.Join(keys, creds.CertFile(c.id)), "key": filepath.Join(keys, creds.KeyFile(c.id)),
			},
		},
	}
	if o.Takeover != takeoverRace && o.Takeover != takeoverAPI {
		file["vote_timeout"] = voteTimeout.String()
	}
	return file
}

// pairTimeout bounds the start of two processes.
const pairTimeout = 20 * time.Second

func (n *network) waitForPair(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pairTimeout, errors.New("a relay does not start"))
	defer cancel()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		all := true
		for _, c := range n.pair {
			if !c.up() {
				return fmt.Errorf("%s ended: %s", c.id, c.lastWords())
			}
			all = all && c.listens()
		}
		if all {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the relays: %w", context.Cause(ctx))
		}
	}
}

// freeAddresses are addresses on loopback whose ports nobody uses, for TCP and UDP.
func freeAddresses(n int) (list []string, err error) {
	for len(list) < n {
		l, err := net.Listen("tcp", loopback)
		if err != nil {
			return nil, err
		}
		defer l.Close() // none is found twice
		u, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil {
			continue // it is free for TCP only
		}
		defer func() { _ = u.Close() }() // the same
		list = append(list, l.Addr().String())
	}
	return list, nil
}
