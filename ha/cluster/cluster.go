// Package cluster is a member's part in a cluster, put together: credentials, the way to the others, gossip,
// the record that each member publishes of itself, and the protocol that decides who is active: that of a pair
// (NewPair), or a majority's (NewQuorum).
//
//	c, err := cluster.NewPair(cfg)          // nothing runs yet; files are read
//	engineConfig.Cluster = c.Engine()       // before the engine is made
//	err = c.Start(relay.Status)             // when the engine runs
//	err = c.Handover(ctx, "", false)        // another relay becomes active
//	c.Close(ctx)                            // hands over, if it can, and ends; before the engine ends
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"bprelay/ha/creds"
	"bprelay/ha/duo"
	"bprelay/ha/link"
	"bprelay/ha/members"
	"bprelay/ha/pair"
	"bprelay/ha/quorum"
	"bprelay/relay/core"
	"bprelay/relay/engine"
)

// Member is one of the cluster.
type Member struct {
	Name string
	// Witness: it has no relay, only a voice.
	Witness bool
	// Link, Gossip and Admin are its addresses (host:port); Admin may be empty.
	Link, Gossip, Admin string
}

// Config says which cluster, and who of it this is.
type Config struct {
	// Name is this member's; Members are all, this one included.
	Name    string
	Members []Member
	// Priority is the member that may become active without ever having seen the other.
	Priority string
	Identity *creds.Identity
	// GossipKeyFile has the keys that encrypt gossip.
	GossipKeyFile string
	// ListenLink and ListenGossip are where to listen (host:port).
	ListenLink, ListenGossip string
	// Preset is local, lan or wan.
	Preset string
	// RTTMax is the longest healthy round trip between members of a quorum; 0: the preset's.
	RTTMax time.Duration
	// ClaimWait and EchoWait are instead of the preset's, if not 0.
	ClaimWait, EchoWait time.Duration
	Failback            bool
	// StateDir is where the last view of the cluster is kept, and what a quorum decided; optional in a pair.
	StateDir string
	// Version is the program's.
	Version string
	Logger  *slog.Logger
}

// Timing is the pair's timing by preset, with what was configured instead.
func (c *Config) Timing() (pair.Timing, error) {
	var t pair.Timing
	switch c.Preset {
	case "local":
		t = pair.Local()
	case "lan":
		t = pair.LAN()
	case "wan":
		t = pair.WAN()
	default:
		return t, fmt.Errorf("no preset %q: choose local, lan or wan", c.Preset)
	}
	if c.ClaimWait > 0 {
		t.ClaimWait, t.BidWait, t.Guard = c.ClaimWait, max(t.BidWait, c.ClaimWait), max(t.Guard, c.ClaimWait)
	}
	if c.EchoWait > 0 {
		t.EchoWait = c.EchoWait
	}
	return t, nil
}

// QuorumTiming is the quorum's timing by preset, or by the longest round trip that was configured.
func (c *Config) QuorumTiming() (quorum.Timing, error) {
	if c.RTTMax > 0 {
		return quorum.TimingFor(c.RTTMax)
	}
	return quorum.TimingOf(c.Preset)
}

// Pair is this relay's part in a pair. Its methods may be called from any goroutine.
type Pair struct {
	fleet
	duo    *duo.Member
	other  Member
	timing link.Timing

	acceptor *link.Acceptor
	link     *link.Link

	mu   sync.Mutex
	isUp bool
}

// NewPair makes this relay's part of a pair.
func NewPair(cfg Config) (*Pair, error) {
	c := &Pair{}
	if err := c.fleet.init(cfg); err != nil {
		return nil, err
	}
	self := slices.IndexFunc(cfg.Members, func(m Member) bool { return m.Name == cfg.Name })
	if len(cfg.Members) != 2 {
		return nil, fmt.Errorf("a pair has two members, not %d", len(cfg.Members))
	}
	c.other = cfg.Members[1-self]
	timing, err := cfg.Timing()
	if err != nil {
		return nil, err
	}
	if c.timing, err = link.Preset(cfg.Preset); err != nil {
		return nil, err
	}
	c.duo, err = duo.New(duo.Config{
		Pair: pair.Config{
			Member: cfg.Name, Peer: c.other.Name, Incarnation: uint64(time.Now().UnixNano()),
			Priority: cfg.Priority == cfg.Name, Failback: cfg.Failback, Timing: timing,
		},
		Logger: c.log,
	}, 0)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Engine is what the relay's engine asks.
func (c *Pair) Engine() engine.Cluster { return c.duo }

// Start opens the link and joins the gossip. status tells what the relay knows of itself, for its record; it
// is called from a goroutine. After an error nothing is left running.
func (c *Pair) Start(status func(context.Context) (core.Status, error)) (err error) {
	defer func() {
		if err != nil {
			_ = c.end(context.Background()) // nothing was published yet
		}
	}()
	if c.acceptor, err = link.Listen(link.ListenConfig{Address: c.cfg.ListenLink, Identity: c.cfg.Identity, Logger: c.log}); err != nil {
		return err
	}
	if c.link, err = link.Open(link.Config{
		Identity: c.cfg.Identity, Peer: c.other.Name, Dial: c.other.Link, Acceptor: c.acceptor, Timing: c.timing, Logger: c.log,
	}, link.Handler{Up: c.linkUp, Down: c.linkDown, Message: c.message}); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	c.duo.Use(c.link.SendOn)
	return c.fleet.start(status, c.hint, func() map[string]bool { return map[string]bool{c.other.Name: c.Linked()} })
}

func (c *Pair) linkUp(connection uint64) {
	c.setUp(true)
	c.duo.Up(connection)
}

func (c *Pair) linkDown(why link.Reason) {
	c.setUp(false)
	c.duo.Down(string(why))
}

func (c *Pair) setUp(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isUp = up
}

func (c *Pair) message(b []byte) {
	if err := c.duo.Message(b); err != nil {
		c.log.Error("message of the other relay", "member", c.other.Name, "error", err)
	}
}

// hint passes on what gossip thinks of the other relay.
func (c *Pair) hint(e members.Event) {
	if e.Member.Name != c.other.Name || e.Was == e.Member.State {
		return
	}
	h := pair.HintUnknown
	switch e.Member.State {
	case members.Alive:
		h = pair.HintAlive
	case members.Suspect:
		h = pair.HintSuspect
	case members.Dead, members.Left:
		h = pair.HintDead
	}
	c.duo.Hint(h)
}

// Vote is refused: there is none.
func (c *Pair) Vote(context.Context, string, bool) error {
	return fmt.Errorf("%w: in a pair nobody votes", core.ErrNotPossible)
}

// Facts are what there is to know besides the role.
func (c *Pair) Facts() core.ClusterFacts { return core.ClusterFacts{Mode: "pair", Members: c.up()} }

// Linked tells whether there is a link to the other relay.
func (c *Pair) Linked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isUp
}

// Handover makes the other relay active: outside our run, or at once if now. The error matches
// core.ErrNotPossible if this relay is not active, or the other one cannot be; after ctx's end it may still
// come about.
func (c *Pair) Handover(ctx context.Context, to string, now bool) error {
	if to != "" && to != c.other.Name {
		return fmt.Errorf("%w: %s is not the other relay, that is %s", core.ErrNotPossible, to, c.other.Name)
	}
	done := make(chan error, 1)
	c.duo.Handover(now, done)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("handover not confirmed: %w", ctx.Err())
	}
}

// Close hands over, if this relay is active and there is another one, and ends. It comes before the engine's
// end, whose loop it needs. ctx bounds it.
func (c *Pair) Close(ctx context.Context) error {
	stopped := make(chan struct{})
	c.duo.Stop(stopped)
	var err error
	select {
	case <-stopped:
	case <-ctx.Done():
		err = fmt.Errorf("cluster: %w", ctx.Err())
	}
	return errors.Join(err, c.end(ctx))
}

func (c *Pair) end(ctx context.Context) error {
	err := c.fleet.end(ctx)
	if c.link != nil {
		c.link.Close(ctx)
	}
	if c.acceptor != nil {
		c.acceptor.Close()
	}
	return err
}
