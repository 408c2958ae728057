package config

import (
	"log/slog"
	"time"

	"bprelay/p2pwire"
)

// Config is a validated configuration: every option has its value or its default, and the checks
// across options have passed. See options.go for what each one means.
type Config struct {
	// ChainID is zero if it is to be learned from the own nodes.
	ChainID   p2pwire.ID
	AgentName string
	Takeover  Takeover
	// TakeoverGrace is how long after it was due a block of the lead node is waited for.
	TakeoverGrace time.Duration
	// VoteTimeout is the nodes' production-pause-vote-timeout-ms, in whole milliseconds.
	VoteTimeout time.Duration
	// APITimeout bounds one call of a node's producer API.
	APITimeout time.Duration
	// Failback makes the node of the highest priority lead again when it is back.
	Failback  bool
	Producers []Producer
	Nodes     []Node
	Network   Network
	Listen    Listen
	P2P       P2P
	Limits    Limits

	// PreferWait is how long a candidate waits for that of a node of higher priority.
	PreferWait time.Duration
	// FinalizerNode is the name of one of Nodes; empty if none is chosen.
	FinalizerNode string

	ClockLimit time.Duration
	// StateDir is the directory of the claim journal; empty: none. [Load] makes it absolute.
	StateDir string
	Journal  JournalMode

	StartFence time.Duration
	MaxFuture  time.Duration
	LateGrace  time.Duration

	Cluster Cluster

	Admin Admin
	Hooks Hooks
	Log   Log
}

// Takeover is the way a node's production is taken over by another.
type Takeover string

// The ways.
const (
	TakeoverRace  Takeover = "race"  // all nodes produce, one lineage per run goes out
	TakeoverLeash Takeover = "leash" // one leads, the others pause for want of votes
	TakeoverAPI   Takeover = "api"   // one leads, the others are paused by the producer API
	TakeoverAuto  Takeover = "auto"  // what the chain and the nodes allow, decided at run time
)

// Role is what a node is there for.
type Role string

// The roles.
const (
	RoleBoth      Role = "both"      // the producer's key, and maybe a finalizer's
	RoleProducer  Role = "producer"  // the producer's key only
	RoleFinalizer Role = "finalizer" // votes, never produces
	RoleVerifier  Role = "verifier"  // no keys
)

// Producer is an own producer: an account whose blocks are arbitrated.
type Producer struct {
	Name p2pwire.Name
	// Keys are its block signing keys, each of which suffices alone; none if they are not known here.
	Keys []p2pwire.PublicKey
	// Authority is instead of Keys for a producer whose blocks several keys sign; zero if there is none.
	Authority p2pwire.Authority
	// FinalizerKeys are the BLS public keys of its finalizers, as they stand in votes.
	FinalizerKeys [][p2pwire.FinalizerKeySize]byte
}

// Node is one of our nodeos, a session of the internal side.
type Node struct {
	Name string
	// Dial is its host:port, empty if only the node dials.
	Dial string
	// From lists the IP addresses or host names it may dial from.
	From     []string
	Priority int
	Role     Role
	// API is the URL of its producer API, without a path; empty if there is none.
	API string
}

// Produces reports whether the node may lead.
func (n *Node) Produces() bool { return n.Role == RoleBoth || n.Role == RoleProducer }

// DialsUs reports whether the node is expected to dial the relay's internal listener.
func (n *Node) DialsUs() bool { return len(n.From) > 0 || n.Dial == "" }

// Network is the outside world.
type Network struct {
	Peers []Peer
}

// Peer is a peer of the network that the relay dials.
type Peer struct {
	// Name is the address if no name was given.
	Name string
	// Dial is its host:port.
	Dial string
}

// Listen holds the addresses (host:port) the relay accepts p2p connections on; empty: none.
type Listen struct {
	Internal string
	Network  string
	// P2PServerAddress is what handshakes announce.
	P2PServerAddress string
}

// P2P is how sessions are held.
type P2P struct {
	// PeerPrivateKeyFile is the file with the key that signs our handshakes; empty: unsigned. [Load]
	// makes it absolute.
	PeerPrivateKeyFile string
	// PeerPublicKey belongs to it; filled in by [Load], not by [Parse]. Zero without a key file.
	PeerPublicKey p2pwire.PublicKey
	// AllowedPeerKeys are the keys by which a network peer must sign its handshake; empty: any peer.
	AllowedPeerKeys []p2pwire.PublicKey

	Keepalive        time.Duration
	HandshakeTimeout time.Duration
	IdleTimeout      time.Duration
	DialTimeout      time.Duration
	RedialNode       Redial
	RedialNetwork    Redial
	Transactions     Transactions
	MaxClients       int
	MaxUnhandshaked  int
}

// Redial is a back-off: Min after the first failure, doubled with each up to Max. Every wait is
// varied at random by up to the fraction Jitter of it, up or down.
type Redial struct {
	Min    time.Duration
	Max    time.Duration
	Jitter float64
}

// Transactions says which way transactions are carried.
type Transactions string

// The directions, as seen from our nodes.
const (
	TransactionsBoth Transactions = "both"
	TransactionsIn   Transactions = "in"  // from the network to the nodes only
	TransactionsOut  Transactions = "out" // from the nodes to the network only
	TransactionsOff  Transactions = "off"
)

// Limits bounds the relay's memory. Sizes are in bytes.
type Limits struct {
	QueueBytes      int
	SyncQueueBytes  int
	TrxQueueBytes   int
	Memory          int
	RingBlocks      int
	RingBytes       int
	ReassemblyBytes int
	DedupEntries    int
	DedupAge        time.Duration
}

// JournalMode says what happens while the disk does not take the journal.
type JournalMode string

// The modes.
const (
	JournalRelaxed JournalMode = "relaxed" // go on in memory
	JournalStrict  JournalMode = "strict"  // let nothing of ours out
)

// DefaultAdmin is the address of the admin server where nothing else is configured.
const DefaultAdmin = "127.0.0.1:8765"

// Admin is the HTTP side: metrics, health, status, slots.
type Admin struct {
	// Listen is a host:port, empty if switched off.
	Listen string
}

// Hooks are commands of the operator: a program and its arguments, run without a shell. Empty: none.
// [Load] makes a relative path of a program absolute.
type Hooks struct {
	OnLeadChange      []string
	OnFinalizerSilent []string
	OnRoleChange      []string
	// Timeout bounds one run.
	Timeout time.Duration
}

// Log is how the relay logs.
type Log struct {
	Level  slog.Level
	Format LogFormat
}

// LogFormat is the form of a log line.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)
