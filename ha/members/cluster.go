package members

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxState (bytes) bounds what is carried for the caller at a time.
	maxState = 256 << 10
	// maxPacket (bytes) is what surely fits into a packet together with what gossip adds; larger news go
	// by TCP.
	maxPacket = 1100
	// reloadEvery is how often the key file is looked at.
	reloadEvery = 5 * time.Second
	// complainEvery is how often the same complaint is logged.
	complainEvery = time.Minute
)

// Seed is a configured member and its gossip address (host:port).
type Seed struct{ Name, Address string }

// Options say how to take part.
type Options struct {
	// Name is this member's; Members are all of them.
	Name    string
	Members []Seed
	// Bind is the address to listen on (UDP and TCP). If its host is a wildcard, the configured address of
	// this member is what the others are told.
	Bind string
	// KeyFile holds the gossip keys.
	KeyFile string
	Preset  Preset
	Meta    Meta
	Carried Carried
	// OnEvent is told what changes, one event after the other; it should not block.
	OnEvent func(Event)
	// Logger takes what an operator should know; nil takes slog.Default.
	Logger *slog.Logger

	transport memberlist.Transport // tests
}

// Cluster is a member's view of the cluster. Its methods may be called from any goroutine.
type Cluster struct {
	o          Options
	log        *slog.Logger
	list       *memberlist.Memberlist
	queue      *memberlist.TransmitLimitedQueue
	ring       *memberlist.Keyring
	configured map[string]string

	stop    context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	once    sync.Once
	update  chan struct{} // metadata changed
	reload  chan struct{}
	news    chan struct{} // events wait
	mail    chan []byte   // news too large for a packet
	lookups func(ctx context.Context, host string) ([]net.IPAddr, error)

	mu     sync.Mutex
	meta   Meta
	view   map[string]*Member
	events []Event
	loud   map[string]time.Time
}

// Join begins to take part: it listens, and looks for the others until they are there. It does not wait
// for them. The error is about the options, the keys or the address.
func Join(o Options) (*Cluster, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	ring, err := loadKeys(o.KeyFile)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		o: o, log: o.Logger, ring: ring, configured: map[string]string{}, meta: o.Meta, view: map[string]*Member{},
		update: make(chan struct{}, 1), reload: make(chan struct{}, 1), news: make(chan struct{}, 1), mail: make(chan []byte, 16),
		lookups: net.DefaultResolver.LookupIPAddr, loud: map[string]time.Time{},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	now := time.Now()
	for _, m := range o.Members {
		if _, twice := c.configured[m.Name]; twice {
			return nil, fmt.Errorf("member %s is given twice", m.Name)
		}
		c.configured[m.Name] = m.Address
		if m.Name != o.Name {
			c.view[m.Name] = &Member{Name: m.Name, Address: m.Address, State: Unknown, Since: now}
		}
	}
	if _, ok := c.configured[o.Name]; !ok {
		return nil, fmt.Errorf("%q is not among the members", o.Name)
	}
	conf, err := c.config()
	if err != nil {
		return nil, err
	}
	c.queue = &memberlist.TransmitLimitedQueue{NumNodes: func() int { return len(o.Members) }, RetransmitMult: conf.RetransmitMult}
	// Events may come before Create returns: whoever waits for them comes first.
	c.wg.Add(1)
	go c.tell()
	if c.list, err = memberlist.Create(conf); err != nil {
		c.stop()
		c.wg.Wait()
		return nil, fmt.Errorf("join gossip on %s: %w", o.Bind, err)
	}
	c.wg.Add(3)
	go c.work()
	go c.seek()
	go c.post()
	return c, nil
}

func (c *Cluster) config() (*memberlist.Config, error) {
	conf := memberlist.DefaultLANConfig()
	c.o.Preset.apply(conf)
	conf.Name, conf.Keyring, conf.Logger = c.o.Name, c.ring, newLogger(c.log)
	d := delegate{c}
	conf.Delegate, conf.Events, conf.Alive, conf.Ping, conf.Conflict = d, d, d, d, d
	if c.o.transport != nil {
		conf.Transport = c.o.transport
		return conf, nil
	}
	host, port, err := splitAddress(c.o.Bind)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", c.o.Bind, err)
	}
	ip := net.ParseIP(host)
	switch {
	case host == "":
		ip = net.IPv4zero
	case ip == nil:
		return nil, fmt.Errorf("gossip address %q: an IP address is needed to listen on", c.o.Bind)
	}
	conf.BindAddr, conf.BindPort, conf.AdvertisePort = ip.String(), port, port
	if ip.IsUnspecified() {
		if conf.AdvertiseAddr, conf.AdvertisePort, err = c.advertised(); err != nil {
			return nil, err
		}
	}
	return conf, nil
}

// advertised is where the others reach this member.
func (c *Cluster) advertised() (string, int, error) {
	address := c.configured[c.o.Name]
	host, port, err := splitAddress(address)
	if err != nil {
		return "", 0, fmt.Errorf("own gossip address %q: %w", address, err)
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Preset.TCPTimeout)
	defer cancel()
	ips, err := c.lookups(ctx, host)
	if err != nil || len(ips) == 0 {
		return "", 0, fmt.Errorf("look up own gossip address %q: %w", address, err)
	}
	return ips[0].IP.String(), port, nil
}

func splitAddress(text string) (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	return host, int(n), err
}

// SetMeta changes what the others are told.
func (c *Cluster) SetMeta(m Meta) {
	c.mu.Lock()
	m.Leaving = c.meta.Leaving
	same := m == c.meta
	c.meta = m
	c.mu.Unlock()
	if !same {
		poke(c.update)
	}
}

// Broadcast sends news to all members there are; later news of the same name take the place of those
// still waiting. Who is not there will get it by Carried.Local.
func (c *Cluster) Broadcast(name string, b []byte) {
	switch {
	case len(b) <= maxPacket:
		c.queue.QueueBroadcast(&news{name, slices.Clone(b)})
	case len(b) <= maxState:
		select {
		case c.mail <- slices.Clone(b):
		default: // the next one, or the next comparison, brings it
		}
	}
}

// Reload reads the key file now. What it finds is logged.
func (c *Cluster) Reload() { poke(c.reload) }

// Members returns what is known of the others, in the order of their names.
func (c *Cluster) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Member, 0, len(c.view))
	for _, name := range slices.Sorted(maps.Keys(c.view)) {
		list = append(list, *c.view[name])
	}
	return list
}

// Leave says good-bye and ends. ctx bounds the saying.
func (c *Cluster) Leave(ctx context.Context) {
	c.once.Do(func() {
		c.mu.Lock()
		c.meta.Leaving = true
		c.mu.Unlock()
		bound := time.Second
		if end, ok := ctx.Deadline(); ok {
			bound = max(time.Until(end)/2, time.Millisecond)
		}
		// That it ends in good order goes out first: then the others can tell it from a death.
		if err := errors.Join(c.list.UpdateNode(bound), c.list.Leave(bound)); err != nil {
			c.log.Info("not everybody was told that this member leaves", "error", err)
		}
		c.end()
	})
}

// Stop ends without a word: to the others it is a death.
func (c *Cluster) Stop() { c.once.Do(c.end) }

func (c *Cluster) end() {
	c.stop()
	if err := c.list.Shutdown(); err != nil {
		c.log.Warn("end gossip", "error", err)
	}
	c.wg.Wait()
}

// note takes what memberlist says of a member.
func (c *Cluster) note(n *memberlist.Node, state State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.view[n.Name]
	if m == nil {
		return // ourselves
	}
	m.Address, m.Meta = n.Address(), decodeMeta(n.Meta)
	if state == Alive {
		m.heard = time.Now()
	}
	c.change(m, state)
}

// heard takes an answer.
func (c *Cluster) heard(name string, rtt time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.view[name]
	if m == nil {
		return
	}
	m.RTT, m.heard = rtt, time.Now()
	if m.State == Suspect {
		c.change(m, Alive)
	}
}

// suspect looks for members that did not answer lately.
func (c *Cluster) suspect(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := time.Duration(2*len(c.view)+1) * c.o.Preset.ProbeInterval // see the formula, and one for the answer
	for _, m := range c.view {
		if m.State == Alive && now.Sub(m.heard) > most {
			c.change(m, Suspect)
		}
	}
}

// change enters a member's state ("": as it was) and queues the event. The lock is held.
func (c *Cluster) change(m *Member, state State) {
	was := m.State
	if state != "" && state != was {
		m.State, m.Since = state, time.Now()
	}
	c.events = append(c.events, Event{*m, was})
	poke(c.news)
}

// complain logs an error, the same not more than once a minute.
func (c *Cluster) complain(text string, args ...any) {
	c.mu.Lock()
	now := time.Now()
	tell := now.Sub(c.loud[text]) >= complainEvery
	if tell {
		c.loud[text] = now
	}
	c.mu.Unlock()
	if tell {
		c.log.Error(text, args...)
	}
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// tell is the goroutine that hands out events.
func (c *Cluster) tell() {
	defer c.wg.Done()
	for {
		select {
		case <-c.news:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		events := c.events
		c.events = nil
		c.mu.Unlock()
		for _, e := range events {
			if e.Was != e.Member.State {
				c.log.Info("member", "name", e.Member.Name, "state", string(e.Member.State), "was", string(e.Was), "address", e.Member.Address)
			}
			if c.o.OnEvent != nil {
				c.o.OnEvent(e)
			}
		}
	}
}

// work is the goroutine that does what memberlist takes its time for.
func (c *Cluster) work() {
	defer c.wg.Done()
	look := time.NewTicker(c.o.Preset.ProbeInterval)
	defer look.Stop()
	keys := time.NewTicker(reloadEvery)
	defer keys.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.update:
			if err := c.list.UpdateNode(time.Second); err != nil && c.ctx.Err() == nil {
				c.log.Debug("metadata was not heard by all", "error", err)
			}
		case now := <-look.C:
			c.suspect(now)
		case <-keys.C:
			c.rekey()
		case <-c.reload:
			c.rekey()
		}
	}
}

func (c *Cluster) rekey() {
	changed, err := changeKeys(c.ring, c.o.KeyFile)
	switch {
	case err != nil:
		c.complain("gossip keys cannot be read again: the old ones stay", "error", err)
	case changed:
		c.log.Info("gossip keys changed", "keys", len(c.ring.GetKeys()))
	}
}

// seek is the goroutine that looks for members that are not there.
func (c *Cluster) seek() {
	defer c.wg.Done()
	wait := time.Duration(0)
	for {
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
			return
		}
		wait = c.o.Preset.Rejoin + rand.N(c.o.Preset.Rejoin/4+1)
		for _, m := range c.Members() {
			if m.State == Alive || m.State == Suspect || c.ctx.Err() != nil {
				continue
			}
			if err := c.meet(m.Name); err != nil {
				c.log.Debug("member is not there", "name", m.Name, "error", err)
			}
		}
	}
}

// meet asks a member for its state. Names are looked up every time: it may have moved.
func (c *Cluster) meet(name string) error {
	host, port, err := net.SplitHostPort(c.configured[name])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Preset.TCPTimeout)
	defer cancel()
	ips := []net.IPAddr{{IP: net.ParseIP(host)}}
	if ips[0].IP == nil {
		if ips, err = c.lookups(ctx, host); err != nil {
			return err
		}
	}
	for _, ip := range ips {
		err = c.patiently(func() error {
			_, err := c.list.Join([]string{name + "/" + net.JoinHostPort(ip.IP.String(), port)})
			return err
		})
		if err == nil {
			return nil
		}
	}
	return err
}

// post is the goroutine that sends news too large for a packet.
func (c *Cluster) post() {
	defer c.wg.Done()
	for {
		var b []byte
		select {
		case b = <-c.mail:
		case <-c.ctx.Done():
			return
		}
		for _, m := range c.Members() {
			if m.State != Alive && m.State != Suspect {
				continue
			}
			if err := c.send(&m, b); err != nil {
				c.log.Debug("news were not sent", "name", m.Name, "error", err)
			}
		}
	}
}

// send brings news to one member by TCP.
func (c *Cluster) send(m *Member, b []byte) error {
	host, port, err := splitAddress(m.Address)
	if err != nil {
		return err
	}
	return c.patiently(func() error {
		return c.list.SendReliable(&memberlist.Node{Name: m.Name, Addr: net.ParseIP(host), Port: uint16(port)}, b)
	})
}

// patiently does what takes up to TCPTimeout, and is not waited for when this member ends.
func (c *Cluster) patiently(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}
