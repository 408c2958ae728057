package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"bprelay/ha/creds"
	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// witnessName is the member of a quorum that is no relay.
const witnessName = "witness"

// memberNames are the relays, of which the first one is active unless something speaks against it, and behind
// them the witness, if there is one.
func memberNames(o Options) (names []string) {
	for i := range o.Relays {
		names = append(names, fmt.Sprint(relayName, i+1))
	}
	if o.Mode == modeQuorum && o.Relays == 2 {
		names = append(names, witnessName)
	}
	return names
}

// startCluster makes the credentials and the configuration of several members, as an operator would, and
// starts them.
func (n *network) startCluster(ctx context.Context, o Options, d *desk) error {
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
	names := memberNames(o)
	if _, err := creds.Create(creds.Plan{Dir: keys, Members: names}); err != nil {
		return fmt.Errorf("make credentials: %w", err)
	}
	const each = 4 // addresses of a member
	ports, err := freeAddresses(each * len(names))
	if err != nil {
		return fmt.Errorf("look for free ports: %w", err)
	}
	var members []map[string]string
	for i, name := range names {
		p := ports[each*i:]
		c := &child{
			id: name, config: filepath.Join(dir, name+".yaml"), log: filepath.Join(dir, name+".log"),
			network: p[2], ask: p[3], command: o.RelayCommand, desk: d,
		}
		if i == 0 && o.Admin != "" {
			c.ask = o.Admin
		}
		member := map[string]string{"name": name, "link": p[0], "gossip": p[1], "admin": c.ask}
		if n.members = append(n.members, c); name == witnessName {
			member["role"] = "witness"
		} else {
			n.cluster, n.relays = append(n.cluster, c), append(n.relays, c)
		}
		members = append(members, member)
	}
	for _, c := range n.members {
		text, err := yaml.Marshal(n.configuration(o, c, members, keys, filepath.Join(dir, c.id)))
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
	return n.waitForMembers(ctx)
}

// configuration is what a member's file says.
func (n *network) configuration(o Options, c *child, members []map[string]string, keys, state string) map[string]any {
	cluster := map[string]any{
		"mode": o.Mode, "name": c.id, "members": members, "preset": o.Preset,
		"gossip_key_file": filepath.Join(keys, creds.GossipFile),
		"credentials": map[string]string{
			"ca": filepath.Join(keys, creds.CAFile), "cert": filepath.Join(keys, creds.CertFile(c.id)), "key": filepath.Join(keys, creds.KeyFile(c.id)),
		},
	}
	file := map[string]any{"cluster": cluster, "admin": map[string]any{"listen": c.ask}}
	if o.Mode == modeQuorum {
		file["state_dir"] = state
	}
	if c.id == witnessName {
		return file
	}
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
	file["chain_id"], file["takeover"] = n.chain.ID().String(), o.Takeover
	file["producers"], file["nodes"] = []any{producer}, nodes
	file["network"], file["listen"] = map[string]any{"peers": peers}, map[string]any{"network": c.network}
	if o.Takeover != takeoverRace && o.Takeover != takeoverAPI {
		file["vote_timeout"] = voteTimeout.String()
	}
	return file
}

// clusterTimeout bounds the start of all processes.
const clusterTimeout = 20 * time.Second

func (n *network) waitForMembers(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, clusterTimeout, errors.New("a member does not start"))
	defer cancel()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		all := true
		for _, c := range n.members {
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
			return fmt.Errorf("wait for the members: %w", context.Cause(ctx))
		}
	}
}

// freeAddresses are addresses on loopback whose ports nobody uses, for TCP and UDP. They lie below those that
// systems lend to connections, or one might be lent out before its process takes it.
func freeAddresses(n int) (list []string, err error) {
	const from, to = 15000, 32000
	for try := 0; len(list) < n; try++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(from+rand.IntN(to-from)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			if try > to-from {
				return nil, err
			}
			continue // it is taken
		}
		defer l.Close() // none is found twice
		u, err := net.ListenPacket("udp", address)
		if err != nil {
			continue // it is free for TCP only
		}
		defer func() { _ = u.Close() }() // the same
		list = append(list, address)
	}
	return list, nil
}
