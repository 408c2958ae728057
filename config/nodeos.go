package config

import (
	"fmt"
	"net"

	"bprelay/p2pwire"
)

// NodeosConfig is what a node's nodeos config.ini needs to go with this relay.
type NodeosConfig struct {
	// Node is the node's name.
	Node string
	// Lines are lines of config.ini: settings, and before each the reason as a comment.
	Lines []string
}

// relayHost stands for an address that only the operator knows.
const relayHost = "RELAY-HOST"

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
	add("Leave at its default (6000). A node that gets no votes for this long stops producing: when the relay is down, "+
		"that is right. 0 would switch it off. (Spring; Leap does not know it.)",
		"# production-pause-vote-timeout-ms = 6000")
	return lines
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
