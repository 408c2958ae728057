package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// A key pair made for these tests: sha256 of a text.
const (
	testPublic = "EOS8BN4hUv4zYtxHfroa3NYzv2yDsSzd34i9uZaX2SSoANrYUugY7"
	testR1     = "PUB_R1_6EPHFSKVYHBjQgxVGQPrwCxTg7BbZ69H9i4gztN9deKTEXYne4"
	// testFinalizer was made by spring-util v1.2.2.
	testFinalizer = "PUB_BLS_FhHPqcLnZv-Pjwiz678ctUqLfEGQztNRoDsIDGg9LtVhdSMeFq8T5UI4APAQlnMRGhQ74La47Z7VgFyVbU7fHW0KYpO6WFhcAnKdZUl7FsWPIA1wPjTk8gCDaJej_C4Gonh4qA"
	testPrivate   = "5Jr6hCMq4K7UqsTr1PTHRVJxPhk935CH68wgDZsceXQakL8MjKx"
)

// least is the shortest valid file.
const least = `
producers: [alice]
nodes:
  - {name: a, dial: "10.0.0.1:9876"}
network:
  peers: ["p2p.example:9876"]
`

func mustParse(t *testing.T, text string, env ...string) *Config {
	t.Helper()
	c, warnings, err := Parse("relay.yaml", []byte(text), env)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 0 {
		t.Errorf("warnings: %v", warnings)
	}
	return c
}

func mustName(t *testing.T, s string) p2pwire.Name {
	t.Helper()
	name, err := p2pwire.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func mustKey(t *testing.T, s string) p2pwire.PublicKey {
	t.Helper()
	key, err := p2pwire.ParsePublicKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// leastConfig is what least means: all defaults, written out here a second time on purpose.
func leastConfig(t *testing.T) *Config {
	return &Config{
		AgentName: "bprelay",
		Takeover:  TakeoverAuto,
		Producers: []Producer{{Name: mustName(t, "alice")}},
		Nodes:     []Node{{Name: "a", Dial: "10.0.0.1:9876", Role: RoleBoth}},
		Network:   Network{Peers: []Peer{{Name: "p2p.example:9876", Dial: "p2p.example:9876"}}},
		Listen:    Listen{P2PServerAddress: "bprelay:0"},
		P2P: P2P{
			Keepalive:        3 * time.Second,
			HandshakeTimeout: 15 * time.Second,
			IdleTimeout:      30 * time.Second,
			DialTimeout:      3 * time.Second,
			RedialNode:       Redial{Min: 50 * time.Millisecond, Max: time.Second},
			RedialNetwork:    Redial{Min: time.Second, Max: 30 * time.Second, Jitter: 0.2},
			Transactions:     TransactionsBoth,
			MaxClients:       25,
			MaxUnhandshaked:  256,
		},
		Limits: Limits{
			QueueBytes:      32 << 20,
			SyncQueueBytes:  64 << 20,
			TrxQueueBytes:   8 << 20,
			Memory:          512 << 20,
			RingBlocks:      2048,
			RingBytes:       256 << 20,
			ReassemblyBytes: 64 << 20,
			DedupEntries:    131072,
			DedupAge:        2 * time.Minute,
		},
		TakeoverGrace: 60 * time.Millisecond,
		VoteTimeout:   6 * time.Second,
		APITimeout:    500 * time.Millisecond,
		Hooks:         Hooks{Timeout: 30 * time.Second},

		ClockLimit: 100 * time.Millisecond,
		Journal:    JournalRelaxed,
		StartFence: 7 * time.Second,
		MaxFuture:  7 * time.Second,
		LateGrace:  500 * time.Millisecond,
		Cluster: Cluster{
			Mode: ClusterStandalone, Preset: ClusterLAN,
		},
		Admin: Admin{Listen: "127.0.0.1:8765"},
		Log:   Log{Level: slog.LevelInfo, Format: LogText},
	}
}

func TestDefaults(t *testing.T) {
	if got, want := mustParse(t, least), leastConfig(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEveryOptionIsSet(t *testing.T) {
	const text = `
chain_id: ACA376f206b8fc25a6ed44dbdc66547c36c6c33e3a119ffbeaef943642f0e906
agent_name: "Alice's relay"
takeover: leash
takeover_grace: 45ms
vote_timeout: 7500ms
api_timeout: 250ms
failback: true
producers:
  - name: alice
    keys: [` + testPublic + `]
    finalizer_keys: [` + testFinalizer + `]
  - {name: bob.x, finalizer_keys: [` + testFinalizer + `]}
  - name: carol
    authority:
      threshold: 3
      keys:
        - {key: ` + testPublic + `, weight: 2}
        - {key: ` + testR1 + `, weight: 1}
    finalizer_keys: [` + testFinalizer + `]
nodes:
  - name: a
    dial: "[fd00::1]:9876"
    from: [10.0.0.1, node-a, "fd00::1"]
    priority: -3
    role: producer
    api: "https://[FD00::1]"
  - name: b
    from: [10.0.0.2]
    role: finalizer
    api: node-B:8888
  - {name: c, from: [10.0.0.3], priority: -4}
  - {name: d, from: [10.0.0.4], role: verifier}
network:
  peers:
    - {name: north, dial: "north.example:9876"}
    - south.example:9876
listen:
  internal: 10.0.0.9:9877
  network: :9876
  p2p_server_address: p2p.alice.example:9876
p2p:
  peer_private_key_file: /run/secrets/peer.key
  allowed_peer_keys: [` + testPublic + `]
  keepalive: 2500ms
  handshake_timeout: 12s
  idle_timeout: 1m30s
  dial_timeout: 1s
  redial_node: {min: 10ms, max: 2s, jitter: 0.5}
  redial_network: {min: 2s, max: 1m, jitter: 1}
  transactions: in
  max_clients: 7
  max_unhandshaked: 8
limits:
  memory: 1GiB
  queue_bytes: 10 MiB
  sync_queue_bytes: 20MB
  trx_queue_bytes: 100KiB
  ring_blocks: 100
  ring_bytes: 1.5GiB
  reassembly_bytes: 9437184B
  dedup_entries: 2048
  dedup_age: 30s
prefer_wait: 25ms
finalizer_node: b
clock_limit: 50ms
state_dir: /var/lib/relay
journal: strict
start_fence: 8s
max_future: 6500ms
late_grace: 0s
cluster:
  mode: quorum
  name: r1
  members:
    - {name: r1, link: "r1.example:9870", gossip: "10.0.0.9:7946", admin: "r1.example:8765"}
    - {name: r2, link: "10.0.0.8:9870", gossip: "10.0.0.8:7946"}
    - {name: w, link: "10.0.0.7:9870", gossip: "10.0.0.7:7946", role: witness}
  priority_member: r2
  listen_link: 0.0.0.0:9871
  listen_gossip: 10.0.0.9:7947
  credentials: {ca: /c/ca.crt, cert: /c/r1.crt, key: /c/r1.key}
  gossip_key_file: /c/keys
  preset: wan
  rtt_max: 90ms
  claim_wait: 250ms
  echo_wait: 400ms
  agent_check: 10.0.0.9:8766
  failback: true
admin: {listen: off}
hooks:
  on_lead_change: [/bin/lead, --all, "a b", --all, ""]
  on_finalizer_silent: [switch-keys]
  on_role_change: [role]
  timeout: 1m30s
log: {level: debug, format: json}
`
	key := mustKey(t, testPublic)
	finalizer, err := p2pwire.ParseFinalizerKey(testFinalizer)
	if err != nil {
		t.Fatal(err)
	}
	finalizers := [][p2pwire.FinalizerKeySize]byte{finalizer}
	want := &Config{
		AgentName: "Alice's relay",
		Takeover:  TakeoverLeash,
		Producers: []Producer{{Name: mustName(t, "alice"), Keys: []p2pwire.PublicKey{key}, FinalizerKeys: finalizers},
			{Name: mustName(t, "bob.x"), FinalizerKeys: finalizers},
			{Name: mustName(t, "carol"), FinalizerKeys: finalizers, Authority: p2pwire.Authority{Threshold: 3, Keys: []p2pwire.KeyWeight{
				{Key: key, Weight: 2}, {Key: mustKey(t, testR1), Weight: 1}}}}},
		Nodes: []Node{
			{Name: "a", Dial: "[fd00::1]:9876", From: []string{"10.0.0.1", "node-a", "fd00::1"}, Priority: -3, Role: RoleProducer, API: "https://[fd00::1]:443"},
			{Name: "b", From: []string{"10.0.0.2"}, Role: RoleFinalizer, API: "http://node-b:8888"},
			{Name: "c", From: []string{"10.0.0.3"}, Priority: -4, Role: RoleBoth},
			{Name: "d", From: []string{"10.0.0.4"}, Role: RoleVerifier},
		},
		Network: Network{Peers: []Peer{{"north", "north.example:9876"}, {"south.example:9876", "south.example:9876"}}},
		Listen:  Listen{"10.0.0.9:9877", ":9876", "p2p.alice.example:9876"},
		P2P: P2P{
			PeerPrivateKeyFile: "/run/secrets/peer.key",
			AllowedPeerKeys:    []p2pwire.PublicKey{key},
			Keepalive:          2500 * time.Millisecond,
			HandshakeTimeout:   12 * time.Second,
			IdleTimeout:        90 * time.Second,
			DialTimeout:        time.Second,
			RedialNode:         Redial{10 * time.Millisecond, 2 * time.Second, 0.5},
			RedialNetwork:      Redial{2 * time.Second, time.Minute, 1},
			Transactions:       TransactionsIn,
			MaxClients:         7,
			MaxUnhandshaked:    8,
		},
		Limits: Limits{
			Memory: 1 << 30, QueueBytes: 10 << 20, SyncQueueBytes: 20e6, TrxQueueBytes: 100 << 10,
			RingBlocks: 100, RingBytes: 3 << 29, ReassemblyBytes: 9 << 20, DedupEntries: 2048, DedupAge: 30 * time.Second,
		},
		PreferWait:    25 * time.Millisecond,
		FinalizerNode: "b",

		TakeoverGrace: 45 * time.Millisecond,
		VoteTimeout:   7500 * time.Millisecond,
		APITimeout:    250 * time.Millisecond,
		Failback:      true,
		Hooks: Hooks{
			OnLeadChange: []string{"/bin/lead", "--all", "a b", "--all", ""}, OnFinalizerSilent: []string{"switch-keys"}, OnRoleChange: []string{"role"},
			Timeout: 90 * time.Second,
		},

		ClockLimit: 50 * time.Millisecond,
		StateDir:   "/var/lib/relay", Journal: JournalStrict,
		StartFence: 8 * time.Second,
		MaxFuture:  6500 * time.Millisecond,
		Cluster: Cluster{
			Mode: ClusterQuorum, Name: "r1",
			Members: []ClusterMember{
				{Name: "r1", Link: "r1.example:9870", Gossip: "10.0.0.9:7946", Admin: "r1.example:8765", Role: MemberRelay},
				{Name: "r2", Link: "10.0.0.8:9870", Gossip: "10.0.0.8:7946", Role: MemberRelay},
				{Name: "w", Link: "10.0.0.7:9870", Gossip: "10.0.0.7:7946", Role: MemberWitness},
			},
			PriorityMember: "r2", ListenLink: "0.0.0.0:9871", ListenGossip: "10.0.0.9:7947",
			CA: "/c/ca.crt", Cert: "/c/r1.crt", Key: "/c/r1.key", GossipKeyFile: "/c/keys", Preset: ClusterWAN,
			RTTMax: 90 * time.Millisecond, ClaimWait: 250 * time.Millisecond, EchoWait: 400 * time.Millisecond, AgentCheck: "10.0.0.9:8766", Failback: true,
		},
		Log: Log{Level: slog.LevelDebug, Format: LogJSON},
	}
	want.ChainID, _ = p2pwire.ParseID("aca376f206b8fc25a6ed44dbdc66547c36c6c33e3a119ffbeaef943642f0e906")
	if got := mustParse(t, text); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// The file above is to name every option there is.
	for _, o := range Options() {
		key := o.Path[strings.LastIndex(o.Path, ".")+1:]
		if !strings.Contains(text, key+":") {
			t.Errorf("%s is not tested", o.Path)
		}
	}
}

func TestAnnouncedAddress(t *testing.T) {
	c := mustParse(t, least+"listen: {network: '0.0.0.0:9876'}\n")
	if c.Listen.P2PServerAddress != "0.0.0.0:9876" {
		t.Errorf("announces %q", c.Listen.P2PServerAddress)
	}
}

func TestEmptySectionsCountAsNotGiven(t *testing.T) {
	text := least + "listen:\np2p:\n  redial_node:\n  allowed_peer_keys:\nadmin: ~\n"
	if got, want := mustParse(t, text), leastConfig(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestOptionsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	var walk func(prefix string, list []Option)
	walk = func(prefix string, list []Option) {
		for _, o := range list {
			path := prefix + o.Path
			if seen[path] {
				t.Errorf("%s is there twice", path)
			}
			seen[path] = true
			if o.Kind == "" || !strings.HasSuffix(o.Doc, ".") {
				t.Errorf("%s is not described: kind %q, doc %q", path, o.Kind, o.Doc)
			}
			if o.Required && o.Default != "" {
				t.Errorf("%s is required and has a default", path)
			}
			if prefix == "" && o.Env != "BPRELAY_"+strings.ReplaceAll(strings.ToUpper(path), ".", "_") {
				t.Errorf("%s: variable %q", path, o.Env)
			}
			walk(path+"[].", o.Fields)
		}
	}
	walk("", Options())
	for _, path := range []string{"chain_id", "p2p.redial_node.min", "nodes", "nodes[].dial", "network.peers[].dial"} {
		if !seen[path] {
			t.Errorf("%s is missing", path)
		}
	}
}

// writeFiles puts a configuration, and a peer key of the given mode, into a new directory and returns
// the configuration's path.
func writeFiles(t *testing.T, text, key string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "peer.key"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "peer.key"), mode); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
