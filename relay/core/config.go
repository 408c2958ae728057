package core

import (
	"time"

	"bprelay/p2pwire"
)

// Producer is an own producer: an account whose blocks are arbitrated.
type Producer struct {
	Name p2pwire.Name
	// Keys are block signing keys each of which suffices alone.
	Keys []p2pwire.PublicKey
	// Authority is who signs if that takes weighted keys; instead of Keys. Without either, signatures
	// are not checked.
	Authority p2pwire.Authority
	// FinalizerKeys are the BLS public keys of its finalizers, as they stand in votes (affine, little endian).
	// What votes by one of them is ours. Of another key, who brings its votes first tells: one by which our
	// nodes vote is ours, too, with an alarm (finalizer_unlisted) where any are given. In a cluster nobody can
	// tell, since nodes have another relay as well: there no other key counts as ours.
	FinalizerKeys [][p2pwire.FinalizerKeySize]byte
}

// Direction says which way transactions are carried.
type Direction uint8

const (
	// Both carries transactions both ways.
	Both Direction = iota
	// In carries them from the network to the nodes only.
	In
	// Out carries them from the nodes to the network only.
	Out
	// Off carries none.
	Off
)

// Config is everything the core can be told. Zero fields take the defaults named.
type Config struct {
	// ChainID pins the chain; zero means it is learned from the first own node.
	ChainID p2pwire.ID
	// Producers are the own producers; at least one.
	Producers []Producer
	// Nodes are the configured nodes. One that connects without standing here counts as RoleBoth.
	Nodes []NodeConfig
	// Takeover says how they take over from each other.
	Takeover TakeoverConfig
	// P2PAddress and Agent are announced in handshakes ("bprelay:0", "bprelay").
	P2PAddress, Agent string
	// PV is the protocol version announced; 9 gives votes and always full blocks.
	PV uint16
	// PeerKey signs our handshakes; nil sends an empty key and signature.
	PeerKey *p2pwire.K1Private
	// AllowedPeerKeys are the keys a network peer must show; none means any peer is welcome.
	AllowedPeerKeys []p2pwire.PublicKey
	// Transactions says which way they are carried.
	Transactions Direction

	// Keepalive is the period of our own time messages (3 s).
	Keepalive time.Duration
	// HandshakeTimeout closes a connection that has not sent a handshake (15 s: a nodeos that was
	// dialled without a known chain id speaks only after its 10 s tick).
	HandshakeTimeout time.Duration
	// IdleTimeout closes a session from which nothing came (30 s).
	IdleTimeout time.Duration
	// StartFence is how far beyond the start slots are closed to new ids (7 s).
	StartFence time.Duration
	// MaxFuture is how early a block may come; nodeos tolerates 7 s.
	MaxFuture time.Duration
	// LateGrace is how long after the end of its round an own block may still leave (500 ms).
	LateGrace time.Duration
	// PreferWait is how long a candidate at a run's start waits for that of a node of higher priority
	// (0: not at all).
	PreferWait time.Duration
	// FinalizerNode is the internal node whose votes go out while it is there and keeps up; at equal
	// priority its candidates are preferred. Empty: whoever votes first.
	FinalizerNode string
	// ClockLimit is how far the system clock may be from that of our nodes and the peers we dial
	// before it is not believed (100 ms).
	ClockLimit time.Duration
	// SurviveAfter is how long a node must keep its session after a block to vouch for it (100 ms).
	SurviveAfter time.Duration
	// BlameBan is the first time a source of harmful messages is shut out; it doubles (60 s).
	BlameBan time.Duration

	// MaxClients bounds accepted network sessions (25), MaxYoung sessions without handshake (256).
	MaxClients, MaxYoung int
	// QueueBytes bounds a session's queue of blocks, votes and control (32 MiB); over it the session closes.
	QueueBytes int
	// SyncQueueBytes bounds a session's queue of catch-up blocks (64 MiB).
	SyncQueueBytes int
	// TrxQueueBytes bounds a session's transactions (8 MiB); over it transactions are dropped.
	TrxQueueBytes int
	// MemoryBytes bounds the queues of all sessions together (512 MiB).
	MemoryBytes int
	// ReassemblyBytes bounds partial frames of all sessions together (64 MiB).
	ReassemblyBytes int
	// YoungFrameBytes bounds a frame before the handshake (64 KiB).
	YoungFrameBytes int
	// PoolBytes is how much freed memory is kept for reuse (64 MiB).
	PoolBytes int
	// RingBlocks and RingBytes bound the blocks kept (2048, 256 MiB).
	RingBlocks, RingBytes int
	// DedupEntries and DedupAge bound the window of digests (1<<17, 2 min).
	DedupEntries int
	DedupAge     time.Duration
	// ClaimEntries bounds the claim book (4096 slots).
	ClaimEntries int

	// Claimer decides claims; nil keeps them in memory (standalone).
	Claimer Claimer
	// Cluster is told what other relays of a cluster have to know; nil: there are none. With it, the relay
	// is a standby until SetClusterRole says otherwise.
	Cluster Cluster
	// EchoWait is how long after it was due a standby waits for the network to show a block of ours
	// (250 ms); it is of no use beyond 450 ms.
	EchoWait time.Duration
	// VoteMarker keeps the order of votes across restarts; nil keeps it in memory.
	VoteMarker VoteMarker
	// Restored is what a journal knows from before; the zero value is nothing.
	Restored Restored
	// Observer is told of decisions; nil tells nobody.
	Observer Observer
	// Seed makes node ids; a driver in production fills it from a secure source.
	Seed [32]byte
}

func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if c.P2PAddress == "" {
		c.P2PAddress = "bprelay:0"
	}
	if c.Agent == "" {
		c.Agent = "bprelay"
	}
	if c.PV == 0 {
		c.PV = 9
	}
	c.Takeover.setDefaults()
	dur(&c.Keepalive, 3*time.Second)
	dur(&c.HandshakeTimeout, 15*time.Second)
	dur(&c.IdleTimeout, 30*time.Second)
	dur(&c.StartFence, 7*time.Second)
	dur(&c.MaxFuture, 7*time.Second)
	dur(&c.LateGrace, 500*time.Millisecond)
	dur(&c.ClockLimit, 100*time.Millisecond)
	dur(&c.SurviveAfter, 100*time.Millisecond)
	dur(&c.BlameBan, time.Minute)
	dur(&c.EchoWait, 250*time.Millisecond)
	dur(&c.DedupAge, 2*time.Minute)
	def(&c.MaxClients, 25)
	def(&c.MaxYoung, 256)
	def(&c.QueueBytes, 32<<20)
	def(&c.SyncQueueBytes, 64<<20)
	def(&c.TrxQueueBytes, 8<<20)
	def(&c.MemoryBytes, 512<<20)
	def(&c.ReassemblyBytes, 64<<20)
	def(&c.YoungFrameBytes, 64<<10)
	def(&c.PoolBytes, 64<<20)
	def(&c.RingBlocks, 2048)
	def(&c.RingBytes, 256<<20)
	def(&c.DedupEntries, 1<<17)
	def(&c.ClaimEntries, 4096)
	return c
}
