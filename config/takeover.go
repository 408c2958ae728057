package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// leastVoteTimeout is below what a peer of the network may be away for without harm.
const leastVoteTimeout = 2 * time.Second

// checkTakeover looks at who may lead, and at what the chosen way needs of the nodes.
func (d *decoder) checkTakeover(c *Config) {
	if d.good("vote_timeout") && c.VoteTimeout%time.Millisecond != 0 {
		d.fail("vote_timeout", c.VoteTimeout.String(), bad("give whole milliseconds", "cannot be given to nodeos, whose option counts milliseconds"))
	}
	if !d.good("nodes") || len(c.Nodes) == 0 {
		return
	}
	producing := 0
	for i := range c.Nodes {
		if c.Nodes[i].Produces() {
			producing++
		}
	}
	if producing == 0 {
		d.fail("nodes", "", bad("give at least one the role producer or both", "has finalizers and verifiers only: no block of ours would ever be made"))
		return
	}
	d.checkAPIs(c)
	d.checkVoters(c)
	if !d.good("takeover") {
		return
	}
	led := c.Takeover != TakeoverRace
	if leash := c.Takeover == TakeoverLeash || c.Takeover == TakeoverAuto; leash && producing > 1 && d.good("vote_timeout") && c.VoteTimeout < leastVoteTimeout {
		d.warn("vote_timeout", "%s is short for a leash: the lead stops as well when the network's votes stay away for that long and about 1 s, "+
			"as when a peer is restarted; 2s or more is safe, 6s is nodeos' default", formatDuration(c.VoteTimeout))
	}
	if producing == 1 && (c.Takeover == TakeoverLeash || c.Takeover == TakeoverAPI) {
		d.warn("takeover", "%s has no effect: only one node produces, and nobody can take over from it", c.Takeover)
	}
	if led && producing > 1 {
		d.checkLeadHost(c)
	}
	if d.good("failback") && c.Failback {
		d.checkFailback(c, led && producing > 1)
	}
	if d.good("hooks") && len(c.Hooks.OnLeadChange) > 0 && !led {
		d.warn("hooks.on_lead_change", "with takeover race no node leads: it never runs")
	}
}

// checkAPIs wants the addresses of producer APIs where they are needed, each of them once and private.
func (d *decoder) checkAPIs(c *Config) {
	once := d.once("is the API of %s too", "give the one of this node: pausing one would pause the other")
	p2p := map[string]string{}
	for i, n := range c.Nodes {
		if n.Dial != "" {
			p2p[strings.ToLower(n.Dial)] = fmt.Sprintf("nodes[%d].dial", i)
		}
	}
	var without []string
	for i := range c.Nodes {
		n, path := &c.Nodes[i], fmt.Sprintf("nodes[%d]", i)
		if n.API == "" {
			if n.Produces() {
				without = append(without, fmt.Sprintf("%s (%s)", path, n.Name))
			}
			continue
		}
		once(path, ".api", n.API)
		u, err := url.Parse(n.API)
		if err != nil {
			continue // cannot be: parseAPI made it
		}
		if where, taken := p2p[u.Host]; taken {
			d.fail(path+".api", n.API, bad("give the address of nodeos' http-server-address", "is a p2p address: %s", where))
		}
		if isPublic(u.Hostname()) {
			d.warn(path+".api", "%s is a public address: whoever reaches it can stop the node; nodeos asks for no password", u.Host)
		}
	}
	if c.Takeover == TakeoverAPI && len(without) > 0 && d.good("takeover") {
		d.fail("takeover", string(c.Takeover), bad("give each of them nodes[].api, or choose auto",
			"needs the producer API of every producing node, and there is none of %s", strings.Join(without, ", ")))
	}
}

// checkVoters wants finalizer_node to be one that votes, and somebody to vote for our producers.
func (d *decoder) checkVoters(c *Config) {
	voters := false
	for i := range c.Nodes {
		n := &c.Nodes[i]
		voters = voters || n.Role == RoleBoth || n.Role == RoleFinalizer
		if !d.good("finalizer_node") || n.Name != c.FinalizerNode {
			continue
		}
		switch n.Role {
		case RoleVerifier:
			d.fail("finalizer_node", n.Name, bad("give a node of role finalizer or both", "is a verifier, which has no keys"))
		case RoleProducer:
			d.fail("finalizer_node", n.Name, bad("give a node of role finalizer or both", "has the role producer: no finalizer key"))
		}
	}
	if !voters {
		d.warn("nodes", "none has the role finalizer or both: on a Savanna chain our producers stop vote_timeout (%s) after the last vote "+
			"of our finalizer, which must come from elsewhere", formatDuration(c.VoteTimeout))
	}
}

// checkLeadHost warns of a node that is to lead beside the relay that is to be active: one dead host would take both.
func (d *decoder) checkLeadHost(c *Config) {
	if !d.good("listen", "cluster") {
		return
	}
	best := c.bestPriority()
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if !n.Produces() || n.Priority != best {
			continue
		}
		path := fmt.Sprintf("nodes[%d]", i)
		switch p := c.Cluster.member(c.Cluster.PriorityMember); {
		case c.Cluster.Mode == ClusterPair && p != nil:
			if c.besideMember(n, p) {
				d.warn(path, "%s may lead and is on the host of %s, the relay that is active as a rule: when the host dies, both are gone. "+
					"Give a node on another host a higher priority, or make the other relay the priority_member", n.Name, p.Name)
				return
			}
		case c.besideRelay(n):
			d.warn(path, "%s is on the relay's host and may lead: when the host dies, both are gone. "+
				"Give a node on another host a higher priority", n.Name)
			return
		}
	}
}

// besideMember reports whether a node is on the host of a relay of the cluster, as far as the addresses tell.
func (c *Config) besideMember(n *Node, m *ClusterMember) bool {
	if m.Name == c.Cluster.Name && c.besideRelay(n) {
		return true
	}
	hosts := slices.Clone(n.From)
	if host, _, err := net.SplitHostPort(n.Dial); err == nil {
		hosts = append(hosts, host)
	}
	for _, a := range []string{m.Link, m.Gossip, m.Admin} {
		host, _, err := net.SplitHostPort(a)
		if err == nil && slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) && !isLoopback(h) }) {
			return true
		}
	}
	return false
}

// checkFailback wants somebody to go back to.
func (d *decoder) checkFailback(c *Config, led bool) {
	best, n := c.bestPriority(), 0
	for i := range c.Nodes {
		if c.Nodes[i].Produces() && c.Nodes[i].Priority == best {
			n++
		}
	}
	switch {
	case !led:
		d.warn("failback", "has no effect: no node ever takes over from another")
	case n > 1:
		d.warn("failback", "%d producing nodes share the highest priority: there is none to go back to", n)
	}
}

// bestPriority is the highest one of a producing node.
func (c *Config) bestPriority() int {
	best, found := 0, false
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Produces() && (!found || n.Priority > best) {
			best, found = n.Priority, true
		}
	}
	return best
}

// besideRelay reports whether a node is on the relay's host, as far as its address tells.
func (c *Config) besideRelay(n *Node) bool {
	host, _, err := net.SplitHostPort(n.Dial)
	if err != nil {
		return len(n.From) > 0 && isLoopback(n.From[0])
	}
	if isLoopback(host) {
		return true
	}
	for _, own := range []string{c.Listen.Internal, c.Listen.Network, c.Admin.Listen} {
		if h, _, err := net.SplitHostPort(own); err == nil && h != "" && strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

// isPublic reports whether host is an IP address that anybody may route to; of a name it is not known.
func isPublic(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.Unmap()
	shared := netip.MustParsePrefix("100.64.0.0/10") // carriers and overlay networks, RFC 6598
	return !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !shared.Contains(a)
}
