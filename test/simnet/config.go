package simnet

import (
	"time"

	"bprelay/p2pwire"
)

// Config is a node's configuration. Options carry nodeos' names in the comments;
// a zero duration or count means nodeos v1.2.2's default unless said otherwise.
type Config struct {
	Name    string // agent-name
	Chain   *Chain // required
	Seed    uint64 // for the node id and what differs between nodes; the name is mixed in
	Address string // p2p-listen-endpoint, announced in handshakes

	Peers     []string // p2p-peer-address, each "host:port[:blk|:trx]"
	Producers []string // producer-name; their keys are the chain's

	// Finalizers names the BLS keys of signature-provider, as in the policy. A
	// key outside the policy never votes.
	Finalizers []string

	EnableStaleProduction bool // enable-stale-production
	PauseOnStartup        bool // pause-on-startup

	// VoteThreads is vote-threads: zero means 4 with Producers or Finalizers,
	// none otherwise; negative means none: no votes in or out.
	VoteThreads int

	// ProductionPauseVoteTimeout is production-pause-vote-timeout-ms: zero means
	// 6 s, negative switches the mechanism off.
	ProductionPauseVoteTimeout time.Duration

	ProduceBlockOffset      time.Duration // produce-block-offset-ms, 450 ms
	MaxReversibleBlocks     uint32        // max-reversible-blocks, 3600
	KeepAlive               time.Duration // p2p-keepalive-interval-ms, 10 s
	ConnectionCleanupPeriod time.Duration // connection-cleanup-period, 30 s
	SyncFetchSpan           uint32        // sync-fetch-span, 1000
	TrxDedupExpire          time.Duration // p2p-dedup-cache-expire-time-sec, 10 s
	MaxNodesPerHost         int           // p2p-max-nodes-per-host; zero means no limit (nodeos: 1)
	MaxClients              int           // max-clients; zero means no limit (nodeos: 25)
	DisableBlockNack        bool          // p2p-disable-block-nack
	RefuseTransactions      bool          // p2p-accept-transactions = false

	// ProtocolVersion is what handshakes announce; zero means 11 (spring 1.2).
	ProtocolVersion uint16

	// MaxBlockTransactions makes a block with that many exhausted: it leaves at
	// once, however early. Zero means no limit.
	MaxBlockTransactions int

	// FlatCPU bills every transaction alike on all nodes, as happens under light
	// load where usage is clipped to the minimum. Otherwise the billed time of a
	// transaction differs from node to node.
	FlatCPU bool

	// EarliestBlock, if not zero, is the earliest block the node says it has
	// in notices (a truncated block log).
	EarliestBlock uint32

	// Trace, if not nil, is told about decisions. It must not call the node.
	Trace func(now Instant, e Event)

	// State, if not nil, is what the node restarts from; nil means genesis.
	State *State
}

func (c *Config) setDefaults() {
	setDefault(&c.ProductionPauseVoteTimeout, 6*time.Second)
	setDefault(&c.ProduceBlockOffset, 450*time.Millisecond)
	setDefault(&c.MaxReversibleBlocks, 3600)
	setDefault(&c.KeepAlive, 10*time.Second)
	setDefault(&c.ConnectionCleanupPeriod, 30*time.Second)
	setDefault(&c.SyncFetchSpan, 1000)
	setDefault(&c.TrxDedupExpire, 10*time.Second)
	setDefault(&c.ProtocolVersion, p2pwire.PVGossipBPPeers)
	setDefault(&c.EarliestBlock, 1)
	if c.VoteThreads == 0 && len(c.Producers)+len(c.Finalizers) > 0 {
		c.VoteThreads = 4
	}
	c.VoteThreads = max(c.VoteThreads, 0)
	c.ProductionPauseVoteTimeout = max(c.ProductionPauseVoteTimeout, 0)
	if c.Address == "" {
		c.Address = c.Name + ":9876"
	}
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
