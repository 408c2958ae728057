// Package core is the relay's state machine: which block goes out, and what reaches whom.
//
// It does no I/O: no sockets, goroutines, locks or clock of its own. A driver (the event loop in
// production, a simulation or a fuzzer in tests) feeds it with events and carries out its effects:
//
//	id, err := c.Open(now, info)     // a TCP connection is up
//	c.Data(now, id, bytes)           // bytes arrived, cut anywhere
//	c.Closed(now, id, err)           // the connection is gone
//	c.Tick(now)                      // c.NextTimer() has come
//
// and after each of them, in the same pass:
//
//	for _, id := range c.Writable(nil) {
//		conn(id).Writev(c.Take(now, id, max, nil))
//		c.Done(id)
//	}
//	for _, j := range c.Jobs(nil) { go func() { j.Run(scratch); onLoop(func() { c.JobDone(now, j) }) }() }
//	for _, r := range c.CloseRequests(nil) { conn(r.ID).Close() }
//
// Time comes in as an argument. Everything is bounded: sessions, queues, reassembly, blocks kept,
// votes held, digests remembered.
package core

import (
	"errors"
	"math/rand/v2"
	"time"

	"bprelay/dedup"
	"bprelay/p2pwire"
)

// Instant is one moment on both clocks a relay needs.
type Instant struct {
	// Mono is the monotonic time since an arbitrary start; all timers run on it.
	Mono time.Duration
	// Wall is the system clock, ns since the Unix epoch; slots and time messages use it.
	Wall int64
}

// Side tells which world a session belongs to.
type Side uint8

const (
	// Internal is a session with one of our own nodeos.
	Internal Side = iota + 1
	// Network is a session with a peer of the outside world.
	Network
)

// String is the side's name as it stands in logs and metric labels.
func (s Side) String() string {
	switch s {
	case Internal:
		return "internal"
	case Network:
		return "network"
	}
	return "unknown"
}

// MarshalText makes sides readable in JSON and logs.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SessionID names one session; it is never used twice while the process lives, 0 is none.
type SessionID uint32

// SessionInfo is what the driver knows of a new connection.
type SessionInfo struct {
	Side Side
	// Dialled is true when the relay opened the connection.
	Dialled bool
	// Name is the configured name of the peer, empty for an accepted connection nobody named.
	Name string
	// Remote is the other end as ip:port.
	Remote string
	// Priority orders internal nodes; the larger is preferred.
	Priority int
}

// CloseRequest asks the driver to end a session by closing TCP. The driver answers with Closed.
type CloseRequest struct {
	ID     SessionID
	Reason Reason
	// RetryAfter is how long a dialled peer should be left alone; 0 means the normal redial policy.
	RetryAfter time.Duration
}

// Errors Open can return: the driver closes the socket at once.
var (
	ErrTooManySessions = errors.New("too many sessions")
	ErrBanned          = errors.New("address is shut out after harmful messages")
	ErrStopping        = errors.New("relay is shutting down")
)

// Core is the relay's state. It is not safe for concurrent use: one loop owns it.
type Core struct {
	cfg     Config
	obs     Observer
	rng     *rand.ChaCha8
	now     Instant
	started Instant
	stop    bool

	pool     bufPool
	sessions map[SessionID]*session
	lastID   SessionID
	byLane   [maxLanes]*session
	internal []*session // handshaken, in the order they became ready
	network  []*session // handshaken, in the order they became ready
	rxBytes  int        // bytes of partial frames held
	queued   int        // bytes queued on all sessions
	young    int        // sessions without a handshake
	inbound  int        // accepted network sessions
	writable []*session
	closing  []CloseRequest
	ended    []*session               // closing, not yet forgotten
	bans     map[string]time.Duration // remote host -> Mono until which it is refused
	failures map[string]int           // banKey -> catch-ups that a peer served badly

	chainID  p2pwire.ID
	window   *dedup.Window
	harmful  *dedup.Window // blocks that made a node close its link
	appealed *dedup.Window // those of them that were tried once more
	claims   *dedup.Slots
	doubts   doubts // of restored claims, in a cluster
	claimer  Claimer
	pending  *block        // the candidate whose claim is being decided
	asked    time.Duration // since when
	own      map[p2pwire.Name]*producer
	learned  map[p2pwire.Name]*p2pwire.AuthorityVerifier
	// finalizers are the configured keys of our finalizers.
	finalizers map[[p2pwire.FinalizerKeySize]byte]struct{}

	blocks  blockTable
	head    *block // public head: best verified public block, nil until one is known
	lineage lineage
	held    []*block // candidates waiting for a parent, the fence or their slot's end
	boot    bootstrap
	canary  canaries
	votes   voteBook
	clock   clock
	timing  timing
	slots   slotBook
	reign   takeover
	ha      cluster
	timers  timerHeap
	scratch p2pwire.Scratch
	jobs    []*Job
	done    *Job // the job whose frame is being handled
	stats   Stats
	event   Event
	path    []*block // scratch of deliver

	irreversibles irreversibles
}

// New makes a core that knows nothing but Config.Restored. now starts the fence: slots up to start
// plus Config.StartFence are closed to new ids unless the network's head is known first hand, or a
// complete journal says otherwise.
func New(cfg Config, now Instant) (*Core, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Producers) == 0 {
		return nil, errors.New("no producers: there is nothing to arbitrate")
	}
	c := &Core{
		cfg: cfg, obs: cfg.Observer, now: now, started: now, chainID: cfg.ChainID,
		rng:      rand.NewChaCha8(cfg.Seed),
		sessions: make(map[SessionID]*session),
		bans:     make(map[string]time.Duration),
		failures: make(map[string]int),
		window:   dedup.NewWindow(cfg.DedupEntries, cfg.DedupAge),
		harmful:  dedup.NewWindow(harmfulEntries, harmfulAge),
		appealed: dedup.NewWindow(harmfulEntries, harmfulAge),
		claims:   dedup.NewSlots(cfg.ClaimEntries),
		own:      make(map[p2pwire.Name]*producer),
		learned:  make(map[p2pwire.Name]*p2pwire.AuthorityVerifier),

		finalizers: make(map[[p2pwire.FinalizerKeySize]byte]struct{}),
	}
	for _, p := range cfg.Producers {
		for _, k := range p.FinalizerKeys {
			c.finalizers[k] = struct{}{}
		}
		op, err := newProducer(&p)
		if err != nil {
			return nil, err
		}
		op.fence = now.Wall + int64(cfg.StartFence)
		c.own[p.Name] = op
	}
	c.claimer = cfg.Claimer
	if c.claimer == nil {
		c.claimer = memoryClaims{c.claims}
	}
	if c.obs == nil {
		c.obs = nopObserver{}
	}
	c.pool.limit = cfg.PoolBytes
	c.blocks.init(cfg.RingBlocks, cfg.RingBytes)
	c.canary.init()
	c.votes.init(cfg.Restored.Votes)
	c.clock.init(now)
	c.timing.nodes = make(map[string]*pace)
	c.slots.init()
	c.boot.init(c)
	c.reign.init(c)
	c.restore(&cfg.Restored)
	c.initCluster()
	return c, nil
}

// Shutdown stops taking input; what is queued may still be taken and written. No more votes leave.
func (c *Core) Shutdown(now Instant) {
	c.now = now
	c.stop = true
	c.votes.settle(c)
}

// Queued is the number of bytes waiting in all outbound queues.
func (c *Core) Queued() int { return c.queued }
