package config

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// check looks at what concerns more than one option. Where an option is wrong by itself, checks that
// would only say so again are left out.
func (d *decoder) check(c *Config) {
	d.checkCluster(c)
	if c.Cluster.Witness() {
		d.excuseWitness()
	} else {
		d.checkLinks(c)
	}
	d.checkNames(c)
	d.checkPreference(c)
	d.checkTakeover(c)
	d.checkAuthorities(c)
	d.checkListeners(c)
	d.checkTimes(c)
	d.checkJournal(c)
	d.checkLimits(&c.Limits)
}

// good reports whether nothing at, below or above the paths has failed.
func (d *decoder) good(paths ...string) bool {
	for _, e := range d.errs {
		for _, path := range paths {
			if within(e.Path, path) || within(path, e.Path) {
				return false
			}
		}
	}
	return true
}

// within reports whether path is outer or something in it.
func within(path, outer string) bool {
	rest, in := strings.CutPrefix(path, outer)
	return in && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// fail reports a value that is right by itself and wrong beside another one.
func (d *decoder) fail(path, given string, problem *invalid) {
	m := d.place(path)
	d.errs = append(d.errs, &Error{
		Source: m.source, Line: m.line, Path: path, Given: redact(given), Problem: problem.problem, Want: problem.want,
	})
}

// warn reports what works, but is likely not meant.
func (d *decoder) warn(path, text string, args ...any) {
	m := d.place(path)
	d.warnings = append(d.warnings, Warning{Source: m.source, Line: m.line, Path: path, Text: fmt.Sprintf(text, args...)})
}

// place returns where an option was given; of one that was not, only the file is known.
func (d *decoder) place(path string) mark {
	if m, given := d.marks[path]; given {
		return m
	}
	return mark{source: d.source}
}

// checkNames wants each name and each address once.
func (d *decoder) checkNames(c *Config) {
	if d.good("producers") {
		if len(c.Producers) == 0 && d.marks["producers"] != (mark{}) {
			d.fail("producers", "", bad("give at least one own producer", "is empty"))
		}
		once := d.once("is given twice, as %s too", "remove one")
		for i, p := range c.Producers {
			once(fmt.Sprintf("producers[%d]", i), ".name", p.Name.String())
		}
	}
	if !d.good("nodes", "network.peers") {
		return
	}
	if len(c.Nodes) == 0 && d.marks["nodes"] != (mark{}) {
		d.fail("nodes", "", bad("give at least one node", "is empty"))
	}
	name := d.once("is the name of %s too", "give each node and peer a name of its own")
	address := d.once("is dialled as %s too", "give each address once, as a node or as a peer")
	for i, n := range c.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		name(path, ".name", n.Name)
		address(path, ".dial", n.Dial)
	}
	for i, p := range c.Network.Peers {
		path := fmt.Sprintf("network.peers[%d]", i)
		if p.Name != p.Dial {
			name(path, ".name", p.Name)
		}
		address(path, ".dial", p.Dial)
	}
}

// checkPreference wants finalizer_node to be there, and a choice where one is waited for.
func (d *decoder) checkPreference(c *Config) {
	if !d.good("nodes", "finalizer_node", "prefer_wait") {
		return
	}
	equal, found := true, c.FinalizerNode == ""
	for _, n := range c.Nodes {
		equal = equal && n.Priority == c.Nodes[0].Priority
		found = found || n.Name == c.FinalizerNode
	}
	if !found {
		d.fail("finalizer_node", c.FinalizerNode, bad("give the name of one of nodes", "is the name of no node"))
	}
	if c.PreferWait > 0 && equal && c.FinalizerNode == "" {
		d.warn("prefer_wait", "all nodes have the same priority: nobody is waited for")
	}
}

// once returns a function that fails for a value it was called with before.
func (d *decoder) once(problem, want string) func(record, field, value string) {
	seen := map[string]string{}
	return func(record, field, value string) {
		if value == "" {
			return
		}
		folded := strings.ToLower(value)
		if first, twice := seen[folded]; twice {
			d.fail(record+field, value, bad(want, problem, first))
			return
		}
		seen[folded] = record
	}
}

// checkLinks wants a way between the relay and each node, and to the network.
func (d *decoder) checkLinks(c *Config) {
	if d.good("listen", "network.peers", "p2p.max_clients") {
		d.checkNetwork(c)
	}
	if !d.good("listen", "nodes") {
		return
	}
	open := ""
	for i, n := range c.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		switch {
		case c.Listen.Internal == "" && len(n.From) > 0:
			d.fail(path+".from", strings.Join(n.From, ", "), bad("set listen.internal too, or remove it", "cannot connect without listen.internal"))
		case c.Listen.Internal == "" && n.Dial == "":
			d.fail(path, n.Name, bad("give dial, or from together with listen.internal", "has no way to the relay"))
		case n.DialsUs() && len(n.From) == 0:
			open = path
		}
	}
	if open != "" {
		d.warn(open, "has neither dial nor from: whoever reaches listen.internal (%s) counts as our node", c.Listen.Internal)
	}
	if c.Listen.Internal != "" && !anyDialsUs(c.Nodes) {
		d.warn("listen.internal", "no node has from: every connection to it will be refused")
	}
	d.checkFrom(c)
}

func (d *decoder) checkNetwork(c *Config) {
	switch {
	case len(c.Network.Peers) > 0:
	case c.Listen.Network == "":
		d.fail("network.peers", "", bad("give peers to dial, or listen.network for them to connect to", "the relay has no way to the network"))
	case c.P2P.MaxClients == 0:
		d.fail("p2p.max_clients", "0", bad("give at least 1, or network.peers to dial", "leaves the relay no way to the network"))
	}
}

func anyDialsUs(nodes []Node) bool {
	for i := range nodes {
		if nodes[i].DialsUs() {
			return true
		}
	}
	return false
}

// checkFrom warns of nodes that cannot be told apart by where they connect from.
func (d *decoder) checkFrom(c *Config) {
	owner := map[string]string{}
	for i, n := range c.Nodes {
		for j, host := range n.From {
			host = strings.ToLower(host)
			if first, shared := owner[host]; shared {
				d.warn(fmt.Sprintf("nodes[%d].from[%d]", i, j), "%s is in the list of %s too: connections from there go by that name", host, first)
				continue
			}
			owner[host] = n.Name
		}
	}
}

// checkListeners wants an address for each listener, and none of the relay's own among those dialled.
func (d *decoder) checkListeners(c *Config) {
	if !d.good("listen", "admin.listen") {
		return
	}
	listeners := []struct{ path, address string }{
		{"listen.internal", c.Listen.Internal},
		{"listen.network", c.Listen.Network},
		{"admin.listen", c.Admin.Listen},
	}
	for i, a := range listeners {
		for _, b := range listeners[:i] {
			if overlap(a.address, b.address) {
				d.fail(a.path, a.address, bad("give it another port or address", "is taken by %s (%s)", b.path, b.address))
				break
			}
		}
	}
	if d.good("nodes", "network.peers") {
		for i, n := range c.Nodes {
			d.notOurs(c, fmt.Sprintf("nodes[%d].dial", i), n.Dial)
		}
		for i, p := range c.Network.Peers {
			d.notOurs(c, fmt.Sprintf("network.peers[%d].dial", i), p.Dial)
		}
	}
	if host, _, err := net.SplitHostPort(c.Admin.Listen); err == nil && !isLoopback(host) {
		d.warn("admin.listen", "%s can be reached from outside this host and asks for no password", c.Admin.Listen)
	}
}

func (d *decoder) notOurs(c *Config, path, address string) {
	host, _, _ := net.SplitHostPort(address)
	for _, own := range []string{c.Listen.Internal, c.Listen.Network} {
		// A wildcard listener takes this port on every address of this host, of which only loopback is known.
		if strings.EqualFold(address, own) && own != "" || isLoopback(host) && overlap(address, own) {
			d.fail(path, address, bad("give the address of the other side", "is an address this relay listens on itself"))
			return
		}
	}
}

// overlap reports whether one host cannot listen on both.
func overlap(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || strings.Trim(portA, "0") == "" {
		return false
	}
	if isWildcard(hostA) || isWildcard(hostB) || strings.EqualFold(hostA, hostB) {
		return true
	}
	// localhost is 127.0.0.1, [::1] or both.
	return isLoopback(hostA) && isLoopback(hostB) && (strings.EqualFold(hostA, "localhost") || strings.EqualFold(hostB, "localhost"))
}

func (d *decoder) checkTimes(c *Config) {
	if d.good("start_fence", "max_future") && c.StartFence < c.MaxFuture {
		d.fail("start_fence", formatDuration(c.StartFence), bad("give at least max_future ("+formatDuration(c.MaxFuture)+")",
			"is shorter than max_future: a block let out early before a restart could get a second one for its slot"))
	}
	if d.good("p2p.keepalive", "p2p.idle_timeout") && c.P2P.IdleTimeout <= c.P2P.Keepalive {
		d.fail("p2p.idle_timeout", formatDuration(c.P2P.IdleTimeout), bad("give more than p2p.keepalive ("+formatDuration(c.P2P.Keepalive)+")",
			"ends a session before the other side was asked anything"))
	} else if d.good("p2p.idle_timeout") && c.P2P.IdleTimeout <= 10*time.Second {
		d.warn("p2p.idle_timeout", "a quiet nodeos sends a message every 10s only: good sessions will be closed")
	}
	if d.good("p2p.handshake_timeout", "chain_id") && c.ChainID.IsZero() && c.P2P.HandshakeTimeout < 11*time.Second {
		d.warn("p2p.handshake_timeout", "without chain_id a dialled node may need 10s for its first message: set chain_id, or at least 11s")
	}
	for _, r := range []struct {
		path string
		Redial
	}{{"p2p.redial_node", c.P2P.RedialNode}, {"p2p.redial_network", c.P2P.RedialNetwork}} {
		if d.good(r.path) && r.Min > r.Max {
			d.fail(r.path+".min", formatDuration(r.Min), bad("give at most that, or raise max", "is longer than max (%s)", formatDuration(r.Max)))
		}
	}
}

// checkJournal wants a chain for the journal to belong to: it must not be taken for another one's.
func (d *decoder) checkJournal(c *Config) {
	if !d.good("state_dir", "chain_id", "journal") {
		return
	}
	switch {
	case c.StateDir == "" && c.Journal == JournalStrict:
		d.warn("journal", "strict has no effect without state_dir")
	case c.StateDir != "" && c.ChainID.IsZero() && !c.Cluster.Witness(): // which has no journal
		d.fail("state_dir", c.StateDir, bad("give chain_id too, or remove it", "is for a journal, which belongs to one chain: chain_id is missing"))
	}
}

func (d *decoder) checkLimits(l *Limits) {
	if !d.good("limits") {
		return
	}
	for _, part := range []struct {
		path string
		size int
	}{
		{"limits.queue_bytes", l.QueueBytes},
		{"limits.sync_queue_bytes", l.SyncQueueBytes},
		{"limits.trx_queue_bytes", l.TrxQueueBytes},
	} {
		if part.size > l.Memory {
			d.fail(part.path, formatBytes(part.size), bad("give at most that, or raise limits.memory",
				"is more than limits.memory (%s), which bounds all queues together", formatBytes(l.Memory)))
		}
	}
}
