package config

import (
	"fmt"
	"net"
	"net/url"

	"bprelay/p2pwire"
)

// NodeosConfig is what a node's nodeos config.ini needs to go with this relay.
type NodeosConfig struct {
	// Node is the node's name.
	Node string
	// Lines are lines of config.ini: settings, and before each the reason as a comment.
	Lines []string
}

// What stands for an address that only the operator knows.
const (
	relayHost = "RELAY-HOST"
	nodeHost  = "PRIVATE-ADDRESS"
)

// NodeosLines returns the nodeos settings that belong to this configuration, for each node.
// Option names are those of Spring 1.x; lines that Leap does not know say so.
func (c *Config) NodeosLines() []NodeosConfig {
	list := make([]NodeosConfig, len(c.Nodes))
	for i := range c.Nodes {
		list[i] = NodeosConfig{Node: c.Nodes[i].Name, Lines: c.nodeosLines(&c.Nodes[i])}
	}
	return list
}

func (c *Config) nodeosLines(n *Node) []string {
	var lines []string
	add := func(reason string, settings ...string) {
		lines = append(append(lines, "# "+reason), settings...)
	}
	if n.Dial != "" {
		host, port, _ := net.SplitHostPort(n.Dial)
		if net.ParseIP(host) == nil {
			host = "0.0.0.0"
		}
		add("The relay dials this node here. Nobody but the relay should be able to reach it.",
			"p2p-listen-endpoint = "+net.JoinHostPort(host, port))
		add("The default of 1 refuses a second connection from one address without a word: a relay pair behind one "+
			"address, or a new link while the broken one still counts.",
			"p2p-max-nodes-per-host = 4")
	}
	if n.DialsUs() {
		host, port, _ := net.SplitHostPort(c.Listen.Internal)
		reason := "The relay is the node's only peer: remove every other p2p-peer-address but those of its twin."
		if isWildcard(host) {
			host = relayHost
			reason += " " + relayHost + " is the address at which this node reaches the relay."
		}
		add(reason, "p2p-peer-address = "+net.JoinHostPort(host, port))
		add("A lost link is dialled again only after up to this many seconds; the default is 30, five rounds.",
			"connection-cleanup-period = 2")
	} else {
		add("The relay dials: no p2p-peer-address at all, a direct peer would see the node's blocks past the relay.")
	}
	add("Votes are neither taken nor given with 0, the default of a node without producer-name. (Spring; Leap does not know it.)",
		"vote-threads = 4")
	add("Must not be set: other producers would connect to this node directly, past the relay.",
		"# p2p-auto-bp-peer =", "# p2p-bp-gossip-endpoint =")
	c.addKeys(add)
	addRole(n, add)
	if n.Produces() {
		c.addProduction(n, add)
	}
	addAPI(n, add)
	return lines
}

// addRole says which keys belong to the node.
func addRole(n *Node, add func(reason string, settings ...string)) {
	switch n.Role {
	case RoleProducer:
		add("Role producer: the block signing key (K1 or R1) only. The finalizer's key is on a node of its own, whose votes reach whoever leads.",
			"# producer-name = (ours)", "# signature-provider = PUB_K1_...=KEY:PVT_K1_...")
	case RoleFinalizer:
		add("Role finalizer: the finalizer's key and no producer-name. It votes for whatever is public, and when it is gone all our "+
			"producers stop. (Spring.)",
			"# signature-provider = PUB_BLS_...=KEY:PVT_BLS_...")
	case RoleVerifier:
		add("Role verifier: no keys at all.", "# producer-name =", "# signature-provider =")
	default:
		add("Role both: a finalizer's key must not be on two nodes. Better are nodes with the block signing key only, and one "+
			"of role finalizer.",
			"# producer-name = (ours)", "# signature-provider = PUB_K1_...=KEY:PVT_K1_...")
	}
}

// addProduction adds what makes a producing node stop and start as the relay counts on.
func (c *Config) addProduction(n *Node, add func(reason string, settings ...string)) {
	reason := "vote_timeout: a node that gets no votes for this long, and 1 s more, stops producing: when the relay is down, that is right."
	switch c.Takeover {
	case TakeoverLeash, TakeoverAuto:
		reason += " A held node gets none and pauses by it: with 0 it could not be held."
	}
	add(reason+" (Spring; Leap does not know it.)", fmt.Sprintf("production-pause-vote-timeout-ms = %d", c.VoteTimeout.Milliseconds()))
	if c.Takeover == TakeoverAPI {
		add("A node that just started must not produce before the relay knows who leads. The relay resumes the one that does, "+
			"and others when in doubt; without a relay, resume it by hand: POST /v1/producer/resume.",
			"pause-on-startup = true")
	} else {
		add("Must not be set: the relay resumes a node that starts paused only where it has its API (nodes[].api).", "# pause-on-startup =")
	}
	add("Leave it off: a node that is behind or cut off would produce on a chain of its own.", "# enable-stale-production = false")
}

// addAPI adds the producer API where it is used.
func addAPI(n *Node, add func(reason string, settings ...string)) {
	u, err := url.Parse(n.API)
	if n.API == "" || err != nil || !n.Produces() {
		return
	}
	listen := u.Host
	settings := []string{"plugin = eosio::producer_api_plugin"}
	if net.ParseIP(u.Hostname()) == nil {
		listen = net.JoinHostPort(nodeHost, u.Port())
		settings = append(settings, "http-alias = "+u.Host)
	}
	add("The relay pauses and resumes the node here (nodes[].api). It asks for no password: nobody but the relay may reach it. If this "+
		"node serves HTTP to others, set http-server-address = http-category-address and give producer_rw a private http-category-address of its own.",
		append(settings, "http-server-address = "+listen)...)
}

// addKeys adds the settings by which the node knows the relay by its key.
func (c *Config) addKeys(add func(reason string, settings ...string)) {
	if c.P2P.PeerPrivateKeyFile == "" {
		return
	}
	key := "(the public key of " + c.P2P.PeerPrivateKeyFile + ")"
	if c.P2P.PeerPublicKey != (p2pwire.PublicKey{}) {
		key = c.P2P.PeerPublicKey.String()
	}
	add("Only the relay may connect: it signs its handshakes by the key of p2p.peer_private_key_file.",
		"allowed-connection = specified", fmt.Sprintf("peer-key = %q", key))
}
