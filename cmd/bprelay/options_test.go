package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bprelay/config"
	"bprelay/relay/core"
	"bprelay/relay/hooks"
)

// every has each option that reaches the relay at a value that is neither the default nor the
// default of the core or the engine.
const every = `
chain_id: 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
agent_name: an-agent
takeover: api
takeover_grace: 61ms
vote_timeout: 7s
api_timeout: 501ms
failback: true
producers:
  - name: bpalpha
    keys: [EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV]
  - name: bpgroup
    authority: {threshold: 2, keys: [{key: EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV, weight: 2}]}
nodes:
  - {name: node-a, dial: "10.0.0.11:9876", priority: 7, role: producer, api: "10.0.0.11:8888"}
  - {name: node-b, from: [10.0.0.12], role: finalizer}
network:
  peers: ["peer.example:9876", {name: px, dial: "192.0.2.7:9877"}]
listen: {internal: "10.0.0.1:9876", network: "10.0.0.1:9877", p2p_server_address: "relay.example:9877"}
p2p:
  allowed_peer_keys: [EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV]
  keepalive: 2s
  handshake_timeout: 16s
  idle_timeout: 31s
  dial_timeout: 4s
  redial_node: {min: 60ms, max: 3s}
  redial_network: {min: 5s, max: 40s}
  transactions: out
  max_clients: 26
  max_unhandshaked: 257
limits:
  memory: 513MiB
  queue_bytes: 33MiB
  sync_queue_bytes: 65MiB
  trx_queue_bytes: 9MiB
  ring_blocks: 2049
  ring_bytes: 257MiB
  reassembly_bytes: 66MiB
  dedup_entries: 131073
  dedup_age: 3m
prefer_wait: 21ms
finalizer_node: node-b
clock_limit: 101ms
max_future: 6s
start_fence: 8s
late_grace: 501ms
admin: {listen: "127.0.0.1:1234"}
hooks: {on_lead_change: [lead, "1"], on_finalizer_silent: [silent], on_role_change: [role], timeout: 31s}
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("test.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestOptionsArrive(t *testing.T) {
	cfg := parse(t, every)
	o, err := relayOptions(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := core.Config{
		ChainID: cfg.ChainID, P2PAddress: "relay.example:9877", Agent: "an-agent",
		Producers: []core.Producer{
			{Name: cfg.Producers[0].Name, Keys: cfg.Producers[0].Keys},
			{Name: cfg.Producers[1].Name, Authority: cfg.Producers[1].Authority},
		},
		AllowedPeerKeys: cfg.P2P.AllowedPeerKeys, Transactions: core.Out,
		Keepalive: 2 * time.Second, HandshakeTimeout: 16 * time.Second, IdleTimeout: 31 * time.Second,
		StartFence: 8 * time.Second, MaxFuture: 6 * time.Second, LateGrace: 501 * time.Millisecond,
		PreferWait: 21 * time.Millisecond, FinalizerNode: "node-b", ClockLimit: 101 * time.Millisecond,
		MaxClients: 26, MaxYoung: 257,
		QueueBytes: 33 << 20, SyncQueueBytes: 65 << 20, TrxQueueBytes: 9 << 20, MemoryBytes: 513 << 20,
		ReassemblyBytes: 66 << 20, RingBlocks: 2049, RingBytes: 257 << 20,
		DedupEntries: 131073, DedupAge: 3 * time.Minute,
		Nodes: []core.NodeConfig{
			{Name: "node-a", Role: core.RoleProducer, Priority: 7, API: true}, {Name: "node-b", Role: core.RoleFinalizer},
		},
		Takeover: core.TakeoverConfig{Mode: core.TakeoverAPI, Grace: 61 * time.Millisecond, VoteTimeout: 7 * time.Second, Failback: true},
	}
	if got := o.Engine.Core; !reflect.DeepEqual(got, want) {
		t.Errorf("core configuration\n got %+v\nwant %+v", got, want)
	}
	if len(want.Producers[0].Keys) != 1 || len(want.Producers[1].Authority.Keys) != 1 || len(want.AllowedPeerKeys) != 1 {
		t.Error("a key got lost")
	}
	e := o.Engine
	if e.ListenInternal != "10.0.0.1:9876" || e.ListenNetwork != "10.0.0.1:9877" || e.DialTimeout != 4*time.Second ||
		e.RedialNodeMin != 60*time.Millisecond || e.RedialNodeMax != 3*time.Second ||
		e.RedialNetworkMin != 5*time.Second || e.RedialNetworkMax != 40*time.Second || e.APITimeout != 501*time.Millisecond {
		t.Errorf("engine configuration %+v", e)
	}
	if len(e.Nodes) != 2 || e.Nodes[0].Name != "node-a" || e.Nodes[0].Dial != "10.0.0.11:9876" || e.Nodes[0].Priority != 7 ||
		e.Nodes[0].API != "http://10.0.0.11:8888" ||
		e.Nodes[1].Name != "node-b" || !slices.Equal(e.Nodes[1].From, []string{"10.0.0.12"}) {
		t.Errorf("nodes %+v", e.Nodes)
	}
	if len(e.Peers) != 2 || e.Peers[0].Dial != "peer.example:9876" || e.Peers[1].Name != "px" || e.Peers[1].Dial != "192.0.2.7:9877" {
		t.Errorf("peers %+v", e.Peers)
	}
	if want := (hooks.Config{OnLeadChange: []string{"lead", "1"}, OnFinalizerSilent: []string{"silent"}, OnRoleChange: []string{"role"}, Timeout: 31 * time.Second}); !reflect.DeepEqual(o.Hooks, want) {
		t.Errorf("hooks %+v", o.Hooks)
	}
	if o.AdminListen != "127.0.0.1:1234" || o.Version == "" {
		t.Errorf("admin %q, version %q", o.AdminListen, o.Version)
	}
}

// TestZeroIsNotDefault: values that mean "none" in the file must not come out as the core's default.
func TestZeroIsNotDefault(t *testing.T) {
	cfg := parse(t, every)
	cfg.LateGrace, cfg.TakeoverGrace, cfg.P2P.MaxClients = 0, 0, 0
	o, err := relayOptions(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if g := o.Engine.Core.LateGrace; g <= 0 || g > time.Microsecond {
		t.Errorf("late_grace 0 became %v", g)
	}
	if g := o.Engine.Core.Takeover.Grace; g <= 0 || g > time.Microsecond {
		t.Errorf("takeover_grace 0 became %v", g)
	}
	if o.Engine.ListenNetwork != "" {
		t.Error("max_clients 0, and still it listens for network peers")
	}
}

// TestEveryDirection: a direction that is not mapped would silently become "both".
func TestEveryDirection(t *testing.T) {
	for text, want := range map[config.Transactions]core.Direction{"both": core.Both, "in": core.In, "out": core.Out, "off": core.Off} {
		if got, ok := directions[text]; !ok || got != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
}

// TestEveryWayAndRole: one that is not mapped would silently become the first.
func TestEveryWayAndRole(t *testing.T) {
	for _, o := range config.Options() {
		if o.Path == "takeover" {
			for from, to := range takeovers {
				if to.String() != string(from) || !strings.Contains(o.Kind, to.String()) {
					t.Errorf("takeover %s became %s, of %q", from, to, o.Kind)
				}
			}
			if n := len(takeovers); strings.Count(o.Kind, ",")+2 != n {
				t.Errorf("%d of %q are mapped", n, o.Kind)
			}
		}
		for _, f := range o.Fields {
			if o.Path != "nodes" || f.Path != "role" {
				continue
			}
			for from, to := range roles {
				if to.String() != string(from) {
					t.Errorf("role %s became %s", from, to)
				}
			}
			if n := len(roles); strings.Count(f.Kind, ",")+2 != n {
				t.Errorf("%d of %q are mapped", n, f.Kind)
			}
		}
	}
}

// TestHookVariables: what a hook gets must not read as overrides of options when it calls bprelay.
func TestHookVariables(t *testing.T) {
	var env []string
	for _, name := range hooks.Variables() {
		env = append(env, name+"=x")
		for _, o := range config.Options() {
			if o.Env == name {
				t.Errorf("%s is an option's", name)
			}
		}
	}
	if _, warnings, err := config.Parse("test.yaml", []byte(small), env); err != nil || len(warnings) != 0 || len(env) == 0 {
		t.Errorf("%v, %v", warnings, err)
	}
}
