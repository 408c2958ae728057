package config

import (
	"log/slog"
	"math"
	"slices"
	"time"

	"bprelay/p2pwire"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	// leastFrame is room for the largest frame nodeos accepts (8 MiB) and some more.
	leastFrame = p2pwire.MaxPayload + mib
)

// options describes every option of the file: this table is the one place where an option is defined.
func options() []option[Config] {
	return slices.Concat(relayOptions(), clusterOptions(), sideOptions())
}

// relayOptions are about the relay's work.
func relayOptions() []option[Config] {
	return []option[Config]{{
		path:    "chain_id",
		kind:    chainID(func(c *Config) *p2pwire.ID { return &c.ChainID }),
		example: "aca376f206b8fc25a6ed44dbdc66547c36c6c33e3a119ffbeaef943642f0e906",
		doc: "Chain the relay serves; a peer on another one is refused. If left out, it is learned from the " +
			"first own node that names it, and a node that the relay dials may take 10 s to do so.",
	}, {
		path: "agent_name",
		kind: agent(func(c *Config) *string { return &c.AgentName }),
		def:  "bprelay",
		doc:  "Name of the software announced in handshakes, like nodeos' agent-name.",
	}, {
		path: "takeover",
		kind: choice(func(c *Config) *Takeover { return &c.Takeover },
			string(TakeoverRace), string(TakeoverLeash), string(TakeoverAPI), string(TakeoverAuto)),
		def: string(TakeoverAuto),
		doc: "How one node takes over from another. race: all nodes produce, the relay lets one line of blocks " +
			"per run out and feeds the public chain to all of them. A node that dies loses the rest of its round, no more. " +
			"leash (Savanna): one node leads, the others get no votes of other producers' finalizers and pause by " +
			"themselves; when the lead fails, some votes make one of them produce the very next slot. api: the same by " +
			"pausing and resuming them through nodes[].api, on any chain. auto: leash if chain and nodes are found to allow " +
			"it, else api if all producing nodes have one, else race; `bprelay status` says which, and why.",
	}, {
		path: "takeover_grace",
		kind: duration(func(c *Config) *time.Duration { return &c.TakeoverGrace }, 0, 400*time.Millisecond),
		def:  "60ms",
		doc: "How long after it was due the lead's block is waited for before the next node is released (leash, api). Where " +
			"that would miss the slot, less is waited; never less than what a node's blocks are known to vary by. Raise it if " +
			"nodes are released though the lead is well.",
	}, {
		path: "vote_timeout",
		kind: duration(func(c *Config) *time.Duration { return &c.VoteTimeout }, 500*time.Millisecond, 10*time.Minute),
		def:  "6s",
		doc: "The nodes' production-pause-vote-timeout-ms: give all of them the same. A node stops producing this long and " +
			"about 1.4 s after its last votes. Less makes a held node quiet sooner after its start; more leaves more time to " +
			"switch keys when our finalizer is gone, and leash needs gaps between our rounds longer than that.",
	}, {
		path: "api_timeout",
		kind: duration(func(c *Config) *time.Duration { return &c.APITimeout }, 50*time.Millisecond, 10*time.Second),
		def:  "500ms",
		doc: "A call of a node's producer API that takes longer has failed, and what the node does is not known. Such a call " +
			"usually takes 1 or 2 ms.",
	}, {
		path: "failback",
		kind: boolean(func(c *Config) *bool { return &c.Failback }),
		def:  "false",
		doc: "Whether the producing node of the highest priority leads again, outside our rounds, as soon as it is back and " +
			"ready. If not, whoever took over goes on leading.",
	}, {
		path:     "producers",
		kind:     records(func(c *Config) *[]Producer { return &c.Producers }, producerOptions(), "name"),
		required: true,
		example: `
- name: aliceblockbp
  keys:
    - EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV
  #finalizer_keys: [PUB_BLS_FhHPqcLnZv-Pjwiz678ctUqLfEGQztNRoDsIDGg9LtVhdSMeFq8T5UI4APAQlnMRGhQ74La47Z7VgFyVbU7fHW0KYpO6WFhcAnKdZUl7FsWPIA1wPjTk8gCDaJej_C4Gonh4qA]`,
		doc: "Own producers: the accounts whose blocks our nodes sign and the relay arbitrates.",
	}, {
		path:     "nodes",
		kind:     records(func(c *Config) *[]Node { return &c.Nodes }, nodeOptions(), ""),
		required: true,
		example: `
- name: node-a
  dial: 10.0.0.11:9876
  role: producer
  priority: 2
- name: node-b
  dial: 10.0.0.12:9876
  role: producer
  priority: 1
- name: node-f
  dial: 10.0.0.13:9876
  role: finalizer`,
		doc: "Our nodeos, each of which has this relay (or relay pair) as its only peer. Let the relay dial them: " +
			"it comes back at once after a lost link, nodeos only after up to connection-cleanup-period (30 s).",
	}, {
		path: "prefer_wait",
		kind: duration(func(c *Config) *time.Duration { return &c.PreferWait }, 0, 200*time.Millisecond),
		def:  "0s",
		doc: "How long, at the start of our round, a block waits for that of a node of higher priority (at equal priority: " +
			"of finalizer_node) that took part in our last round. It never waits to within 10 ms of its timestamp, and what " +
			"comes behind its due time waits the less; within a round there is nothing to choose. 0: the first one goes out at once.",
	}, {
		path:    "finalizer_node",
		kind:    label(func(c *Config) *string { return &c.FinalizerNode }),
		example: "node-f",
		doc: "Name of the node whose finality votes go out, as long as it is connected and not 2 slots behind; else those of " +
			"whoever votes first. Set it if several nodes have the same finalizer key; best is a node of its own without the " +
			"producer key, for it votes for whichever block goes out. A producing node votes for its own branch only, " +
			"so with prefer_wait its blocks are preferred to those of nodes of equal priority.",
	}, {
		path: "network.peers",
		kind: records(func(c *Config) *[]Peer { return &c.Network.Peers }, peerOptions(), "dial"),
		example: `
- name: bp-north
  dial: p2p.north.example:9876
- p2p.south.example:9876`,
		doc: "Peers of the network that the relay dials, as mappings or plain host:port. They should be producers or " +
			"have vote-threads set: another nodeos carries no votes. Take several, in different places.",
	}, {
		path:    "listen.internal",
		kind:    listen(func(c *Config) *string { return &c.Listen.Internal }),
		example: "10.0.0.1:9877",
		doc: "Address on which own nodes may connect. Whoever is accepted here counts as our node, so nobody else " +
			"should be able to reach it. If left out, the relay only dials its nodes.",
	}, {
		path:    "listen.network",
		kind:    listen(func(c *Config) *string { return &c.Listen.Network }),
		example: "0.0.0.0:9876",
		doc:     "Address on which peers of the network may connect. If left out, the relay only dials them.",
	}, {
		path:    "listen.p2p_server_address",
		kind:    dial(func(c *Config) *string { return &c.Listen.P2PServerAddress }),
		example: "p2p.alice.example:9876",
		doc: "Address announced in handshakes, like nodeos' p2p-server-address. If left out, listen.network is " +
			"announced, or bprelay:0 without one.",
	}, {
		path:    "p2p.peer_private_key_file",
		kind:    file(func(c *Config) *string { return &c.P2P.PeerPrivateKeyFile }),
		example: "peer.key",
		doc: "File that holds the K1 private key (WIF or PVT_K1_) which signs our handshakes, for peers and nodes that " +
			"ask for one of their peer-key list. Nobody but its owner may have access to it (chmod 600). A relative path " +
			"counts from this file's directory. If left out, handshakes are not signed.",
	}, {
		path:    "p2p.allowed_peer_keys",
		kind:    keys(func(c *Config) *[]p2pwire.PublicKey { return &c.P2P.AllowedPeerKeys }),
		example: "[EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV]",
		doc: "Public keys (K1 or R1) of network peers: one that does not sign its handshake by one of them is refused, " +
			"whoever dialled. If empty, every peer is welcome.",
	}, {
		path: "p2p.keepalive",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.Keepalive }, 500*time.Millisecond, 5*time.Second),
		def:  "3s",
		doc: "How often the relay sends a time message of its own. nodeos closes an incoming connection on which " +
			"nothing came for 10 s.",
	}, {
		path: "p2p.handshake_timeout",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.HandshakeTimeout }, time.Second, time.Minute),
		def:  "15s",
		doc: "A connection without a handshake for this long is closed. Below 11 s a node that was dialled without a " +
			"known chain_id is cut off before its first word.",
	}, {
		path: "p2p.idle_timeout",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.IdleTimeout }, time.Second, 10*time.Minute),
		def:  "30s",
		doc:  "A session from which nothing came for this long is closed. A quiet nodeos sends a time message every 10 s.",
	}, {
		path: "p2p.dial_timeout",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.DialTimeout }, 100*time.Millisecond, time.Minute),
		def:  "3s",
		doc:  "A dial (name resolution and TCP connect) that takes longer has failed.",
	}, {
		path: "p2p.redial_node.min",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.RedialNode.Min }, time.Millisecond, time.Minute),
		def:  "50ms",
		doc: "Wait before an own node is dialled again after a failure; it doubles with each further one. A node whose " +
			"session was lost is dialled at once first: only when that fails it counts as dead.",
	}, {
		path: "p2p.redial_node.max",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.RedialNode.Max }, time.Millisecond, time.Hour),
		def:  "1s",
		doc:  "Longest wait before an own node is dialled again.",
	}, {
		path: "p2p.redial_node.jitter",
		kind: fraction(func(c *Config) *float64 { return &c.P2P.RedialNode.Jitter }),
		def:  "0",
		doc:  "Part of each wait that is varied at random, up or down.",
	}, {
		path: "p2p.redial_network.min",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.RedialNetwork.Min }, time.Millisecond, time.Minute),
		def:  "1s",
		doc:  "Wait before a network peer is dialled again; it doubles with each failure.",
	}, {
		path: "p2p.redial_network.max",
		kind: duration(func(c *Config) *time.Duration { return &c.P2P.RedialNetwork.Max }, time.Millisecond, time.Hour),
		def:  "30s",
		doc:  "Longest wait before a network peer is dialled again.",
	}, {
		path: "p2p.redial_network.jitter",
		kind: fraction(func(c *Config) *float64 { return &c.P2P.RedialNetwork.Jitter }),
		def:  "0.2",
		doc:  "Part of each wait that is varied at random, up or down, so that peers are not dialled in step.",
	}, {
		path: "p2p.transactions",
		kind: choice(func(c *Config) *Transactions { return &c.P2P.Transactions },
			string(TransactionsBoth), string(TransactionsIn), string(TransactionsOut), string(TransactionsOff)),
		def: string(TransactionsBoth),
		doc: "Which way transactions are carried: in is from the network to the nodes, out from the nodes to the network. " +
			"Blocks are not affected.",
	}, {
		path: "p2p.max_clients",
		kind: count(func(c *Config) *int { return &c.P2P.MaxClients }, 0, 100000),
		def:  "25",
		doc:  "Most network peers accepted on listen.network at a time, like nodeos' max-clients; 0 accepts none.",
	}, {
		path: "p2p.max_unhandshaked",
		kind: count(func(c *Config) *int { return &c.P2P.MaxUnhandshaked }, 1, 100000),
		def:  "256",
		doc: "Most connections at a time that have not sent a handshake yet. Raising it costs 64 KiB of " +
			"limits.reassembly_bytes for each that holds a partial frame.",
	}, {
		path: "limits.memory",
		kind: size(func(c *Config) *int { return &c.Limits.Memory }, leastFrame, 256*gib),
		def:  "512MiB",
		doc: "Bound on the outbound queues of all sessions together. Over it transactions are dropped first, " +
			"then sessions are closed.",
	}, {
		path: "limits.queue_bytes",
		kind: size(func(c *Config) *int { return &c.Limits.QueueBytes }, leastFrame, 64*gib),
		def:  "32MiB",
		doc:  "Bound on a session's queue of blocks, votes and control messages; over it the session is closed as too slow.",
	}, {
		path: "limits.sync_queue_bytes",
		kind: size(func(c *Config) *int { return &c.Limits.SyncQueueBytes }, leastFrame, 64*gib),
		def:  "64MiB",
		doc:  "Bound on a session's queue of blocks that it asked for or lacks; over it the session is closed.",
	}, {
		path: "limits.trx_queue_bytes",
		kind: size(func(c *Config) *int { return &c.Limits.TrxQueueBytes }, 64<<10, 64*gib),
		def:  "8MiB",
		doc:  "Bound on a session's queue of transactions; over it new ones are dropped for that session.",
	}, {
		path: "limits.ring_blocks",
		kind: count(func(c *Config) *int { return &c.Limits.RingBlocks }, 16, 1<<20),
		def:  "2048",
		doc: "Recent public blocks kept to serve those who lack some (2048 blocks are 17 minutes). A node further behind " +
			"is served from a network peer.",
	}, {
		path: "limits.ring_bytes",
		kind: size(func(c *Config) *int { return &c.Limits.RingBytes }, leastFrame, 256*gib),
		def:  "256MiB",
		doc:  "Bound on the size of these blocks; the oldest go first.",
	}, {
		path: "limits.reassembly_bytes",
		kind: size(func(c *Config) *int { return &c.Limits.ReassemblyBytes }, leastFrame, 64*gib),
		def:  "64MiB",
		doc:  "Bound on the partial frames of all sessions together.",
	}, {
		path: "limits.dedup_entries",
		kind: count(func(c *Config) *int { return &c.Limits.DedupEntries }, 1024, 1<<28),
		def:  "131072",
		doc: "Most messages remembered in order not to pass them on twice, at up to 72 bytes each. Cover " +
			"limits.dedup_age at the usual rate of transactions and votes.",
	}, {
		path: "limits.dedup_age",
		kind: duration(func(c *Config) *time.Duration { return &c.Limits.DedupAge }, time.Second, 24*time.Hour),
		def:  "2m",
		doc:  "How long a message is remembered.",
	}, {
		path: "max_future",
		kind: duration(func(c *Config) *time.Duration { return &c.MaxFuture }, time.Second, 7*time.Second),
		def:  "7s",
		doc: "How long before its timestamp a block may come. Good blocks come up to 6 s early at a round's end; nodeos " +
			"itself tolerates 7 s.",
	}, {
		path: "clock_limit",
		kind: duration(func(c *Config) *time.Duration { return &c.ClockLimit }, 20*time.Millisecond, 5*time.Second),
		def:  "100ms",
		doc: "How far the relay's clock may be from the median of our nodes and the peers we dial. Beyond, there is an alarm, " +
			"nothing is decided by due time, and slots are judged by that median if most of our nodes agree with it. A clock kept by " +
			"NTP is within a few ms; lower values may blame the clock for a route that is slower one way than the other.",
	}, {
		path: "start_fence",
		kind: duration(func(c *Config) *time.Duration { return &c.StartFence }, time.Second, time.Hour),
		def:  "7s",
		doc: "After a start, slots up to this far ahead are closed to our blocks, unless the block extends what the " +
			"network is known to have: before the restart another block may have been let out for them. Not below max_future.",
	}, {
		path:    "state_dir",
		kind:    directory(func(c *Config) *string { return &c.StateDir }),
		example: "/var/lib/bprelay",
		doc: "Directory for the claim journal, made if it is missing: what goes out is recorded there first, so that a " +
			"restart within our round loses nothing. One relay has it at a time. Put it on a local disk (an fsync per " +
			"block). A relative path counts from this file's directory. If left out, nothing is kept, and start_fence " +
			"holds after every start. Needs chain_id.",
	}, {
		path: "journal",
		kind: choice(func(c *Config) *JournalMode { return &c.Journal }, string(JournalRelaxed), string(JournalStrict)),
		def:  string(JournalRelaxed),
		doc: "What happens while the disk does not take the journal. relaxed: blocks go on going out, with an alarm, and the " +
			"next start has the start fence. strict: no block of ours goes out until the disk works again.",
	}, {
		path: "late_grace",
		kind: duration(func(c *Config) *time.Duration { return &c.LateGrace }, 0, 6*time.Second),
		def:  "500ms",
		doc:  "How long after the end of its round an own block may still be let out.",
	}}
}

// sideOptions are about what stands beside it.
func sideOptions() []option[Config] {
	return []option[Config]{{
		path: "admin.listen",
		kind: listenOrOff(func(c *Config) *string { return &c.Admin.Listen }),
		def:  DefaultAdmin,
		doc: "Address of the HTTP side: /metrics, /livez, /readyz, /status, /slots, and the commands drain, undrain and lead. It asks " +
			"for no password: keep it on loopback or a private network. off switches it off.",
	}, {
		path:    "hooks.on_lead_change",
		kind:    command(func(c *Config) *[]string { return &c.Hooks.OnLeadChange }),
		example: "[/usr/local/bin/bprelay-hook, lead]",
		doc: "Command run when another node leads: program and arguments, without a shell. A name without a slash is looked " +
			"up in PATH; a relative path counts from this file's directory. README.md lists the environment it gets.",
	}, {
		path:    "hooks.on_finalizer_silent",
		kind:    command(func(c *Config) *[]string { return &c.Hooks.OnFinalizerSilent }),
		example: "[/usr/local/bin/bprelay-hook, finalizer]",
		doc: "Command run when no vote of our own producer's finalizer was seen for a while: our producers will stop " +
			"vote_timeout and 1 s after its last one. Let it activate another finalizer key on the chain.",
	}, {
		path:    "hooks.on_role_change",
		kind:    command(func(c *Config) *[]string { return &c.Hooks.OnRoleChange }),
		example: "[/usr/local/bin/bprelay-hook, role]",
		doc:     "Command run when this relay became active or standby in its cluster.",
	}, {
		path: "hooks.timeout",
		kind: duration(func(c *Config) *time.Duration { return &c.Hooks.Timeout }, 100*time.Millisecond, 10*time.Minute),
		def:  "30s",
		doc:  "A hook that runs longer is ended, together with what it started.",
	}, {
		path: "log.level",
		kind: logLevel(func(c *Config) *slog.Level { return &c.Log.Level }),
		def:  "info",
		doc: "Least level that is logged. error: a human is needed now; warn: degraded; info: roles and sessions; " +
			"debug: single messages.",
	}, {
		path: "log.format",
		kind: choice(func(c *Config) *LogFormat { return &c.Log.Format }, string(LogText), string(LogJSON)),
		def:  string(LogText),
		doc:  "Form of a log line.",
	}}
}

func producerOptions() []option[Producer] {
	return []option[Producer]{{
		path:     "name",
		kind:     account(func(p *Producer) *p2pwire.Name { return &p.Name }),
		required: true,
		doc:      "Account name, as in nodeos' producer-name.",
	}, {
		path: "keys",
		kind: keys(func(p *Producer) *[]p2pwire.PublicKey { return &p.Keys }),
		doc: "Its block signing keys (K1 or R1), each of which suffices alone: old and new ones during a change. Without keys " +
			"or authority signatures are not checked, and a block signed by somebody else with this name is not told from ours.",
	}, {
		path: "authority.threshold",
		kind: number(func(p *Producer) *uint32 { return &p.Authority.Threshold }, 1, math.MaxInt32),
		doc: "Only for a producer whose blocks several keys sign together (block_signing_authority_v0): the weight that " +
			"a block's signatures must reach. Instead of keys.",
	}, {
		path: "authority.keys",
		kind: records(func(p *Producer) *[]p2pwire.KeyWeight { return &p.Authority.Keys }, keyWeightOptions(), ""),
		doc:  "Its keys with their weights, each as {key: EOS..., weight: 1}.",
	}, {
		path: "finalizer_keys",
		kind: list("BLS public keys", func(p *Producer) *[][p2pwire.FinalizerKeySize]byte { return &p.FinalizerKeys }, parseFinalizerKey),
		doc: "The keys of its finalizers (Savanna), of all hosts, as registered by regfinkey: PUB_BLS_... . By them the relay tells " +
			"votes of ours from those that hold other nodes back. In a cluster they are needed for takeover leash, since there " +
			"our nodes pass on the votes of others; a single relay finds out by itself.",
	}}
}

func keyWeightOptions() []option[p2pwire.KeyWeight] {
	return []option[p2pwire.KeyWeight]{{
		path:     "key",
		kind:     scalar("public key", func(k *p2pwire.KeyWeight) *p2pwire.PublicKey { return &k.Key }, parseKey),
		required: true,
		doc:      "Public key (K1 or R1).",
	}, {
		path:     "weight",
		kind:     number(func(k *p2pwire.KeyWeight) *uint16 { return &k.Weight }, 1, math.MaxUint16),
		required: true,
		doc:      "What its signature counts.",
	}}
}

func nodeOptions() []option[Node] {
	return []option[Node]{{
		path:     "name",
		kind:     label(func(n *Node) *string { return &n.Name }),
		required: true,
		doc:      "Name in logs, metrics and commands.",
	}, {
		path: "dial",
		kind: dial(func(n *Node) *string { return &n.Dial }),
		doc:  "Address of its p2p-listen-endpoint, for the relay to dial.",
	}, {
		path: "from",
		kind: hosts(func(n *Node) *[]string { return &n.From }),
		doc: "Addresses from which it may connect to listen.internal. A node with neither dial nor from may connect from " +
			"anywhere; if there is none, an address that is in no node's list is refused.",
	}, {
		path: "priority",
		kind: count(func(n *Node) *int { return &n.Priority }, math.MinInt16, math.MaxInt16),
		def:  "0",
		doc: "Which node leads if there is a choice: the highest's. With takeover race, whose block goes out at the start of " +
			"our round; see prefer_wait.",
	}, {
		path: "role",
		kind: choice(func(n *Node) *Role { return &n.Role },
			string(RoleBoth), string(RoleProducer), string(RoleFinalizer), string(RoleVerifier)),
		def: string(RoleBoth),
		doc: "What it is there for. producer: it has the producer's key only. finalizer: it has the finalizer's key, votes " +
			"and never produces. both: it has the producer's key and maybe a finalizer's. verifier: it has no keys, and with " +
			"vote-threads over 0 it sees suspicious messages first. Best are producers and one finalizer.",
	}, {
		path: "api",
		kind: api(func(n *Node) *string { return &n.API }),
		doc: "Where its producer_api_plugin can be reached, for takeover api. Whoever reaches it can stop the node: it must be " +
			"a private address.",
	}}
}

func peerOptions() []option[Peer] {
	return []option[Peer]{{
		path: "name",
		kind: label(func(p *Peer) *string { return &p.Name }),
		doc:  "Name in logs and metrics; the address if left out.",
	}, {
		path:     "dial",
		kind:     dial(func(p *Peer) *string { return &p.Dial }),
		required: true,
		doc:      "Its host:port.",
	}}
}
