package simnet

import (
	"math/rand/v2"
	"time"

	"bprelay/p2pwire"
)

// Node is a simulated nodeos. It implements [Endpoint]; its other methods are
// the node's APIs (producer_api, net_api, chain_api) and may be called between
// events. It is not safe for concurrent use.
type Node struct {
	cfg   Config
	chain *Chain
	host  Host
	now   Instant // of the last event
	rng   *rand.Rand
	id    p2pwire.ID // node_id, new with every process

	// chain
	db         *forkDB
	head       *block // applied
	log        []logged
	scratch    p2pwire.Scratch
	producers  map[p2pwire.Name]bool
	finalizers []*finalizer
	tracker    voteTracker
	watermarks map[p2pwire.Name]watermark
	prod       production
	pool       trxPool
	cpuNonce   uint64

	// net
	voteThreads  int
	peers        []*peer // connected and dialled ones, in creation order
	byConn       map[ConnID]*peer
	serial       uint32
	sync         syncState
	peerBlocks   map[p2pwire.ID]map[uint32]bool // which connection serials are known to have a block
	peerTrx      map[p2pwire.ID]*knownTrx
	voteQueue    map[p2pwire.ID][]queuedVote
	posted       []func(now Instant)
	lastReceived int64 // wall time of the last block message from anyone

	// timers, Mono
	keepAliveAt time.Duration
	expireAt    time.Duration
	monitorAt   time.Duration
}

// logged is an irreversible block as the block log has it.
type logged struct {
	id    p2pwire.ID
	frame []byte
}

// NewNode makes a node that has not started yet. It panics without a Chain and
// on names that are not EOSIO names.
func NewNode(cfg Config) *Node {
	cfg.setDefaults()
	n := &Node{
		cfg:         cfg,
		chain:       cfg.Chain,
		producers:   map[p2pwire.Name]bool{},
		watermarks:  map[p2pwire.Name]watermark{},
		byConn:      map[ConnID]*peer{},
		peerBlocks:  map[p2pwire.ID]map[uint32]bool{},
		peerTrx:     map[p2pwire.ID]*knownTrx{},
		voteQueue:   map[p2pwire.ID][]queuedVote{},
		voteThreads: cfg.VoteThreads,
	}
	mix := seedID("node/"+cfg.Name, cfg.Seed)
	n.cpuNonce = uint64(mix.Num())
	boots := uint64(0)
	if cfg.State != nil {
		boots = cfg.State.boots
	}
	n.id = seedID("node_id/"+cfg.Name, cfg.Seed, boots)
	n.rng = rand.New(rand.NewPCG(cfg.Seed, uint64(n.id.Num())))
	for _, p := range cfg.Producers {
		n.producers[mustName(p)] = true
	}
	n.tracker = newVoteTracker(n.chain, n.producers, cfg.ProductionPauseVoteTimeout)
	n.pool.init()
	n.restore(cfg.State)
	n.prod.enabled = cfg.EnableStaleProduction
	n.prod.paused = cfg.PauseOnStartup
	return n
}

// Start implements [Endpoint]: production begins and the peers are dialled.
func (n *Node) Start(now Instant, host Host) {
	n.now, n.host = now, host
	n.keepAliveAt = now.Mono + n.cfg.KeepAlive - n.jitter(100*time.Millisecond) // the timer is set some time before peers are dialled
	n.expireAt = now.Mono + expirePeriod
	n.monitorAt = now.Mono + n.cfg.ConnectionCleanupPeriod
	for _, addr := range n.cfg.Peers {
		n.Connect(addr)
	}
	n.scheduleProductionLoop(now)
	n.settle(now)
}

// expirePeriod is how often nodeos forgets old transaction and block records.
const expirePeriod = 3 * time.Second

// Tick implements [Endpoint].
func (n *Node) Tick(now Instant) {
	n.now = now
	if now.Mono >= n.expireAt {
		n.expireAt = now.Mono + expirePeriod
		n.expireRecords(now)
	}
	if now.Mono >= n.keepAliveAt {
		// nodeos sets the timer anew in its handler, so the ticks drift a little: a
		// near peer that speaks only when pinged is found silent sooner or later.
		n.keepAliveAt = now.Mono + n.cfg.KeepAlive + n.jitter(200*time.Microsecond)
		for _, c := range n.snapshotPeers() {
			if c.open {
				n.checkHeartbeat(now, c)
			}
		}
	}
	if now.Mono >= n.monitorAt {
		n.connectionMonitor(now)
	}
	for _, c := range n.snapshotPeers() {
		if c.open && c.syncDeadline != 0 && now.Mono >= c.syncDeadline {
			n.syncTimeout(now, c)
		}
	}
	n.settle(now)
	if n.prod.wake != 0 && now.Wall >= n.prod.wake {
		n.productionTimer(now)
	}
	n.settle(now)
}

// NextTimer implements [Endpoint].
func (n *Node) NextTimer() time.Duration {
	next := min(n.keepAliveAt, n.expireAt, n.monitorAt)
	for _, c := range n.peers {
		if c.open && c.syncDeadline != 0 {
			next = min(next, c.syncDeadline)
		}
	}
	if n.prod.wake != 0 {
		next = min(next, n.now.Mono+time.Duration(max(n.prod.wake-n.now.Wall, 0)))
	}
	return next
}

func (n *Node) jitter(most time.Duration) time.Duration {
	return time.Duration(n.rng.Int64N(int64(most)))
}

// post runs f after the message or event being handled: what nodeos posts to a
// strand or to the main thread.
func (n *Node) post(f func(now Instant)) { n.posted = append(n.posted, f) }

// settle runs what was posted, and what that posts.
func (n *Node) settle(now Instant) {
	for len(n.posted) > 0 {
		f := n.posted[0]
		n.posted = n.posted[1:]
		f(now)
	}
}

func (n *Node) snapshotPeers() []*peer { return append([]*peer(nil), n.peers...) }

// Ref names a block of the chain by number, id and timestamp.
type Ref struct {
	Num  uint32
	ID   p2pwire.ID
	Slot p2pwire.Slot
}

func ref(b *block) Ref { return Ref{Num: b.num, ID: b.id, Slot: b.slot} }

// Head returns the applied head.
func (n *Node) Head() Ref { return ref(n.head) }

// Root returns the last irreversible block.
func (n *Node) Root() Ref { return ref(n.db.root) }

// ForkHead returns the head of the best branch of the fork database; what
// handshakes call head.
func (n *Node) ForkHead() Ref { return ref(n.db.best) }

// ID returns the node_id of this process.
func (n *Node) ID() p2pwire.ID { return n.id }

// Name returns the configured name.
func (n *Node) Name() string { return n.cfg.Name }

// HasBlock reports whether the block is in the fork database or the log.
func (n *Node) HasBlock(id p2pwire.ID) bool {
	if n.db.get(id) != nil {
		return true
	}
	num := id.Num()
	return num >= 1 && int(num) <= len(n.log) && n.log[num-1].id == id
}

// OnChain reports whether the block is irreversible or on the applied branch.
func (n *Node) OnChain(id p2pwire.ID) bool {
	if n.head.extends(id) {
		return true
	}
	num := id.Num()
	return num >= 1 && int(num) <= len(n.log) && n.log[num-1].id == id
}

// ChainIDs returns the ids of the applied branch from block number from on.
func (n *Node) ChainIDs(from uint32) []p2pwire.ID {
	var ids []p2pwire.ID
	for num := max(from, 1); num <= n.head.num; num++ {
		id, _ := n.idForNum(n.head, num)
		ids = append(ids, id)
	}
	return ids
}

// idForNum returns the id of block num on the branch of tip, the log included.
func (n *Node) idForNum(tip *block, num uint32) (p2pwire.ID, bool) {
	if num >= 1 && int(num) <= len(n.log) {
		return n.log[num-1].id, true
	}
	if b := tip.ancestor(num); b != nil {
		return b.id, true
	}
	return p2pwire.ID{}, false
}

// frameForNum returns the frame of block num on the best branch.
func (n *Node) frameForNum(num uint32) []byte {
	if num < n.cfg.EarliestBlock {
		return nil
	}
	if num >= 1 && int(num) <= len(n.log) {
		return n.log[num-1].frame
	}
	if b := n.db.best.ancestor(num); b != nil {
		return b.frame
	}
	return nil
}
