package config

import (
	"errors"
	"strings"
	"testing"
)

// with returns least with extra lines; they begin on line 7.
func with(lines ...string) string { return least + strings.Join(lines, "\n") + "\n" }

// peers, nodes and producers return a valid file that has its list in the given form, the list's own
// key on line 4.
func peers(lines ...string) string {
	return "producers: [alice]\nnodes: [{name: a, dial: '10.0.0.1:9876'}]\nnetwork:\n  peers:\n" + strings.Join(lines, "\n") + "\n"
}

func nodes(lines ...string) string {
	return "producers: [alice]\nnetwork:\n  peers: ['p2p.example:9876']\nnodes:\n" + strings.Join(lines, "\n") + "\n"
}

func producers(lines ...string) string {
	return "nodes: [{name: a, dial: '10.0.0.1:9876'}]\nnetwork:\n  peers: ['p2p.example:9876']\nproducers:\n" + strings.Join(lines, "\n") + "\n"
}

// authority is a producer with the lines of an authority, the first of them on line 7.
func authority(lines ...string) string {
	return producers("  - name: alice", "    authority:", "      "+strings.Join(lines, "\n      "))
}

func TestErrors(t *testing.T) {
	const (
		durations = `give a number with a unit, such as 500ms, 3s or 1m30s`
		sizes     = `give a number with a unit, such as 64KiB, 32MiB or 1.5GiB`
		dials     = `give host:port, such as 10.0.0.11:9876, node-a:9876 or [fd00::1]:9876`
		listens   = `give host:port, such as 10.0.0.1:9876, or 0.0.0.0:9876 for all interfaces`
		accounts  = `give 1 to 12 of a-z, 1-5 and '.', not ending in '.'`
		publics   = `give a public key as PUB_K1_..., EOS... or PUB_R1_...`
		labels    = `give 1 to 32 of a-z, A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit`
		aHost     = `give an IP address or a host name, without a port`
		anAPI     = `give host:port, such as 10.0.0.11:8888, or http://10.0.0.11:8888`
		chains    = `give the chain_id of /v1/chain/get_info, or nothing to learn it from the own nodes`
	)
	for _, c := range []struct{ name, text, want string }{
		// The file as a whole.
		{"empty", "", `relay.yaml: producers: is missing; give one (list of mappings, or of plain values: account name)
relay.yaml: nodes: is missing; give one (list of mappings)
relay.yaml: network.peers: the relay has no way to the network; give peers to dial, or listen.network for them to connect to`},
		{"only comments", "# nothing\n---\n", `relay.yaml: producers: is missing; give one (list of mappings, or of plain values: account name)
relay.yaml: nodes: is missing; give one (list of mappings)
relay.yaml: network.peers: the relay has no way to the network; give peers to dial, or listen.network for them to connect to`},
		{"a list", "- a\n", `relay.yaml:1: the file is a list; give a mapping: producers, nodes, network and so on`},
		{"a word", "hello\n", `relay.yaml:1: the file is a single value; give a mapping: producers, nodes, network and so on`},
		{"no YAML", "producers: [alice\nnodes: x\n", `relay.yaml:1: not valid YAML: did not find expected ',' or ']'; look at this line and those next to it`},
		{"tab", "log:\n\tlevel: info\n", `relay.yaml:2: not valid YAML: found character that cannot start any token; look at this line and those next to it`},
		{"two documents", least + "---\n" + least, `relay.yaml:7: the file holds more than one YAML document; keep one`},
		{"two documents, second broken", least + "---\n[\n", `relay.yaml:8: not valid YAML: did not find expected node content; look at this line and those next to it`},

		// Keys.
		{"unknown section", with("metrics: {}"),
			`relay.yaml:7: metrics: unknown key; possible here: chain_id, agent_name, takeover, takeover_grace, vote_timeout, api_timeout, failback, producers, nodes, prefer_wait, finalizer_node, network, listen, p2p, limits, max_future, clock_limit, start_fence, state_dir, journal, late_grace, cluster, admin, hooks, log`},
		{"unknown key", with("p2p:", "  compression: on"),
			`relay.yaml:8: p2p.compression: unknown key; possible here: peer_private_key_file, allowed_peer_keys, keepalive, handshake_timeout, idle_timeout, dial_timeout, redial_node, redial_network, transactions, max_clients, max_unhandshaked`},
		{"misspelt", with("p2p: {keepalife: 3s}"), `relay.yaml:7: p2p.keepalife: unknown key; did you mean p2p.keepalive?`},
		{"misspelt in a subsection", with("p2p: {redial_node: {mim: 3s}}"), `relay.yaml:7: p2p.redial_node.mim: unknown key; did you mean p2p.redial_node.min?`},
		{"in the wrong place", with("queue_bytes: 32MiB"), `relay.yaml:7: queue_bytes: unknown key; did you mean limits.queue_bytes?`},
		{"a top key in a section", with("limits: {start_fence: 7s}"), `relay.yaml:7: limits.start_fence: unknown key; did you mean start_fence?`},
		{"nodeos' name", with("p2p-server-address: x"), `relay.yaml:7: p2p-server-address: unknown key; did you mean listen.p2p_server_address?`},
		{"nodeos' other name", with("max-clients: 4"), `relay.yaml:7: max-clients: unknown key; did you mean p2p.max_clients?`},
		{"a secret inline", with("p2p: {peer_private_key: " + testPrivate + "}"),
			`relay.yaml:7: p2p.peer_private_key: unknown key; did you mean p2p.peer_private_key_file?`},
		{"unknown in a record", nodes("  - {name: a, dial: '10.0.0.1:9876', prio: 1}"),
			`relay.yaml:5: nodes[0].prio: unknown key; possible here: name, dial, from, priority, role, api`},
		{"twice", with("log: {level: info}", "log: {level: warn}"), `relay.yaml:8: log: is given twice, first on line 7; keep one of the two`},
		{"twice in a section", with("log:", "  level: info", "  level: warn"), `relay.yaml:9: log.level: is given twice, first on line 8; keep one of the two`},
		{"a list as a key", with("? [a]", ": b"), `relay.yaml:7: has a key that is a list; give a plain word`},
		{"merge key", with("log: {<<: {level: info}}"), `relay.yaml:7: log.<<: unknown key; possible here: level, format`},

		// Forms.
		{"list for a value", with("agent_name: [a]"), `relay.yaml:7: agent_name: is a list; give a single value (text)`},
		{"mapping for a value", with("log: {level: {a: b}}"), `relay.yaml:7: log.level: is a mapping; give a single value (one of debug, info, warn or error)`},
		{"no value", with("agent_name:"), `relay.yaml:7: agent_name: has no value; give one (text) or remove the line`},
		{"alias", with("agent_name: &x name", "takeover: *x"), `relay.yaml:8: takeover: is a YAML alias; give a single value (one of race, leash, api or auto)`},
		{"value for a section", with("p2p: fast"), `relay.yaml:7: p2p: is a single value, not a section; give peer_private_key_file, allowed_peer_keys, keepalive, handshake_timeout, idle_timeout, dial_timeout, redial_node, redial_network, transactions, max_clients or max_unhandshaked, indented below it`},
		{"value for a section of one key", with("admin: ':8765'"), `relay.yaml:7: admin: is a single value, not a section; give listen, indented below it`},
		{"list for a section", with("log: [info]"), `relay.yaml:7: log: is a list, not a section; give level or format, indented below it`},
		{"value for a list", producers("  alice"), `relay.yaml:5: producers: "alice" is a single value, not a list; put each item on a line of its own that begins with '- '`},
		{"mapping for a list", producers("  name: alice"), `relay.yaml:5: producers: is a mapping, not a list; put each item on a line of its own that begins with '- '`},
		{"list for a record", nodes("  - [a]"), `relay.yaml:5: nodes[0]: is a list; give a mapping with name, dial, from, priority, role or api`},
		{"empty item", producers("  -"), `relay.yaml:5: producers[0]: is empty; give a mapping with name, keys, authority or finalizer_keys`},

		// Producers.
		{"no producers", "nodes: [{name: a, dial: '10.0.0.1:9876'}]\nnetwork: {peers: ['p:1']}\n",
			`relay.yaml: producers: is missing; give one (list of mappings, or of plain values: account name)`},
		{"producers without items", "producers:\nnodes: [{name: a, dial: '10.0.0.1:9876'}]\nnetwork: {peers: ['p:1']}\n",
			`relay.yaml:1: producers: is missing; give one (list of mappings, or of plain values: account name)`},
		{"empty producers", "producers: []\nnodes: [{name: a, dial: '10.0.0.1:9876'}]\nnetwork: {peers: ['p:1']}\n",
			`relay.yaml:1: producers: is empty; give at least one own producer`},
		{"capital letter", producers("  - Alice"), `relay.yaml:5: producers[0].name: "Alice" is not an EOSIO account name; ` + accounts},
		{"digit 6", producers("  - name: alice6"), `relay.yaml:5: producers[0].name: "alice6" is not an EOSIO account name; ` + accounts},
		{"long name", producers("  - abcdefghijklmn"), `relay.yaml:5: producers[0].name: "abcdefghijklmn" is not an EOSIO account name; ` + accounts},
		{"trailing dot", producers("  - alice."), `relay.yaml:5: producers[0].name: "alice." is not an EOSIO account name; ` + accounts},
		{"empty name", producers("  - ''"), `relay.yaml:5: producers[0].name: is not an EOSIO account name; ` + accounts},
		{"nameless", producers("  - keys: []"), `relay.yaml:5: producers[0].name: is missing; give one (account name)`},
		{"same producer twice", producers("  - alice", "  - name: alice"), `relay.yaml:6: producers[1].name: "alice" is given twice, as producers[0] too; remove one`},
		{"no key", producers("  - name: alice", "    keys: [EOS123]"), `relay.yaml:6: producers[0].keys[0]: "EOS123" is not a public key; ` + publics},
		{"bad checksum", producers("  - name: alice", "    keys:", "      - "+testPublic[:52]+"X"),
			`relay.yaml:7: producers[0].keys[0]: "` + testPublic[:52] + `X" is not a public key; ` + publics},
		{"private key as key", producers("  - name: alice", "    keys: ["+testPrivate+"]"),
			`relay.yaml:6: producers[0].keys[0]: "(a private key)" is not a public key; ` + publics + `, and treat the private key as disclosed`},
		{"R1 key", producers("  - name: alice", "    keys: [PUB_R1_6Ftxy]"),
			`relay.yaml:6: producers[0].keys[0]: "PUB_R1_6Ftxy" is not a public key; ` + publics},
		{"WebAuthn key", producers("  - name: alice", "    keys: [PUB_WA_6Ftxy]"),
			`relay.yaml:6: producers[0].keys[0]: "PUB_WA_6Ftxy" is a WebAuthn key: every nodeos closes a link over a block signed by one; ` + publics},
		{"same key twice", producers("  - name: alice", "    keys: ["+testPublic+", "+testPublic+"]"),
			`relay.yaml:6: producers[0].keys[1]: "` + testPublic + `" is the same as producers[0].keys[0]; remove one`},
		{"keys not a list", producers("  - name: alice", "    keys: "+testPublic),
			`relay.yaml:6: producers[0].keys: "` + testPublic + `" is a single value, not a list; put each item on a line of its own that begins with '- '`},

		// Authorities.
		{"threshold 0", authority("threshold: 0", "keys: [{key: "+testPublic+", weight: 1}]"),
			`relay.yaml:7: producers[0].authority.threshold: "0" is out of range; give a whole number from 1 to 2147483647`},
		{"weight 0", authority("threshold: 1", "keys: [{key: "+testPublic+", weight: 0}]"),
			`relay.yaml:8: producers[0].authority.keys[0].weight: "0" is out of range; give a whole number from 1 to 65535`},
		{"huge weight", authority("threshold: 1", "keys: [{key: "+testPublic+", weight: 65536}]"),
			`relay.yaml:8: producers[0].authority.keys[0].weight: "65536" is out of range; give a whole number from 1 to 65535`},
		{"no weight", authority("threshold: 1", "keys: [{key: "+testPublic+"}]"),
			`relay.yaml:8: producers[0].authority.keys[0].weight: is missing; give one (whole number, 1 to 65535)`},
		{"threshold out of reach", authority("threshold: 6", "keys: [{key: "+testPublic+", weight: 3}, {key: "+testR1+", weight: 2}]"),
			`relay.yaml:7: producers[0].authority.threshold: "6" is more than all weights together (5): no block could ever be signed; give at most that`},
		{"authority with a key twice", authority("threshold: 2", "keys: [{key: "+testPublic+", weight: 1}, {key: "+testPublic+", weight: 1}]"),
			`relay.yaml:8: producers[0].authority.keys[1].key: "` + testPublic + `" is given twice, as producers[0].authority.keys[0] too; remove one`},
		{"authority with a bad checksum", authority("threshold: 1", "keys: [{key: "+testPublic[:52]+"X, weight: 1}]"),
			`relay.yaml:8: producers[0].authority.keys[0].key: "` + testPublic[:52] + `X" is not a public key; ` + publics},
		{"WebAuthn key in an authority", authority("threshold: 1", "keys: [{key: PUB_WA_6Ftxy, weight: 1}]"),
			`relay.yaml:8: producers[0].authority.keys[0].key: "PUB_WA_6Ftxy" is a WebAuthn key: every nodeos closes a link over a block signed by one; ` + publics},
		{"private key in an authority", authority("threshold: 1", "keys: [{key: "+testPrivate+", weight: 1}]"),
			`relay.yaml:8: producers[0].authority.keys[0].key: "(a private key)" is not a public key; ` + publics + `, and treat the private key as disclosed`},
		{"keys and authority", producers("  - name: alice", "    keys: ["+testPublic+"]", "    authority: {threshold: 1, keys: [{key: "+testPublic+", weight: 1}]}"),
			`relay.yaml:6: producers[0].keys: stands beside an authority; keep keys if one of them signs alone, authority if several sign together`},
		{"authority without threshold", authority("keys: [{key: " + testPublic + ", weight: 1}]"),
			`relay.yaml:7: producers[0].authority.keys: is given without a threshold; give authority.threshold, the weight that signatures must reach`},
		{"authority without keys", authority("threshold: 1"),
			`relay.yaml:7: producers[0].authority.threshold: is given without keys; give authority.keys`},
		{"authority with no keys in it", authority("threshold: 1", "keys: []"),
			`relay.yaml:7: producers[0].authority.threshold: is given without keys; give authority.keys`},
		{"authority with plain keys", authority("threshold: 1", "keys: ["+testPublic+"]"),
			`relay.yaml:8: producers[0].authority.keys[0]: is a single value; give a mapping with key or weight`},
		{"authority as a list", producers("  - name: alice", "    authority: ["+testPublic+"]"),
			`relay.yaml:6: producers[0].authority: is a list, not a section; give threshold or keys, indented below it`},
		{"authority misspelt", authority("treshold: 1"),
			`relay.yaml:7: producers[0].authority.treshold: unknown key; did you mean producers[0].authority.threshold?`},

		// Nodes.
		{"empty nodes", nodes("  []"), `relay.yaml:5: nodes: is empty; give at least one node`},
		{"unnamed node", nodes("  - dial: 10.0.0.1:9876"), `relay.yaml:5: nodes[0].name: is missing; give one (name)`},
		{"bad node name", nodes("  - {name: 'node a', dial: '10.0.0.1:9876'}"), `relay.yaml:5: nodes[0].name: "node a" is not a usable name; ` + labels},
		{"no port", nodes("  - {name: a, dial: 10.0.0.1}"), `relay.yaml:5: nodes[0].dial: "10.0.0.1" has no port; ` + dials},
		{"no host", nodes("  - {name: a, dial: ':9876'}"), `relay.yaml:5: nodes[0].dial: ":9876" has no host; ` + dials},
		{"port 0", nodes("  - {name: a, dial: 'x:0'}"), `relay.yaml:5: nodes[0].dial: "x:0" has a port out of range; give a port from 1 to 65535`},
		{"large port", nodes("  - {name: a, dial: 'x:65536'}"), `relay.yaml:5: nodes[0].dial: "x:65536" has a port out of range; give a port from 1 to 65535`},
		{"port name", nodes("  - {name: a, dial: 'x:http'}"), `relay.yaml:5: nodes[0].dial: "x:http" has a port out of range; give a port from 1 to 65535`},
		{"no port number", nodes("  - {name: a, dial: 'x:'}"), `relay.yaml:5: nodes[0].dial: "x:" has a port out of range; give a port from 1 to 65535`},
		{"wildcard", nodes("  - {name: a, dial: '0.0.0.0:9876'}"), `relay.yaml:5: nodes[0].dial: "0.0.0.0:9876" is no address one can connect to; ` + dials},
		{"bare IPv6", nodes("  - {name: a, dial: 'fd00::1:9876'}"), `relay.yaml:5: nodes[0].dial: "fd00::1:9876" is not an address; ` + dials},
		{"URL", nodes("  - {name: a, dial: 'http://x:9876'}"), `relay.yaml:5: nodes[0].dial: "http://x:9876" looks like a URL; ` + dials},
		{"suffix", nodes("  - {name: a, dial: 'x:9876:blk'}"), `relay.yaml:5: nodes[0].dial: "x:9876:blk" has nodeos' suffix :blk, which has no meaning here; ` + dials},
		{"bad host", nodes("  - {name: a, dial: 'a b:9876'}"), `relay.yaml:5: nodes[0].dial: "a b:9876" has an impossible host; ` + dials},
		{"bad IP", nodes("  - {name: a, dial: '10.0.0.256:9876'}"), `relay.yaml:5: nodes[0].dial: "10.0.0.256:9876" has an impossible host; ` + dials},
		{"priority", nodes("  - {name: a, dial: 'x:9876', priority: high}"), `relay.yaml:5: nodes[0].priority: "high" is not a whole number; give a whole number from -32768 to 32767`},
		{"from without listener", nodes("  - {name: a, from: [10.0.0.1, node-a]}"),
			`relay.yaml:5: nodes[0].from: "10.0.0.1, node-a" cannot connect without listen.internal; set listen.internal too, or remove it`},
		{"neither dial nor from", nodes("  - {name: a}"), `relay.yaml:5: nodes[0]: "a" has no way to the relay; give dial, or from together with listen.internal`},
		{"from a network", nodes("  - {name: a, from: [10.0.0.0/24]}"), `relay.yaml:5: nodes[0].from[0]: "10.0.0.0/24" looks like a network; ` + aHost + `, one entry for each`},
		{"from with a port", nodes("  - {name: a, from: ['10.0.0.1:9876']}"), `relay.yaml:5: nodes[0].from[0]: "10.0.0.1:9876" is not a host; ` + aHost},
		{"from anywhere", nodes("  - {name: a, from: [0.0.0.0]}"), `relay.yaml:5: nodes[0].from[0]: "0.0.0.0" is nobody's address; ` + aHost},
		{"same node name", nodes("  - {name: a, dial: 'x:1'}", "  - {name: A, dial: 'x:2'}"),
			`relay.yaml:6: nodes[1].name: "A" is the name of nodes[0] too; give each node and peer a name of its own`},
		{"same node address", nodes("  - {name: a, dial: 'x:1'}", "  - {name: b, dial: 'X:1'}"),
			`relay.yaml:6: nodes[1].dial: "X:1" is dialled as nodes[0] too; give each address once, as a node or as a peer`},

		// Peers.
		{"no peers", "producers: [alice]\nnodes: [{name: a, dial: 'x:1'}]\n",
			`relay.yaml: network.peers: the relay has no way to the network; give peers to dial, or listen.network for them to connect to`},
		{"empty peers", peers("    []"), `relay.yaml:5: network.peers: the relay has no way to the network; give peers to dial, or listen.network for them to connect to`},
		{"peer without address", peers("  - name: north"), `relay.yaml:5: network.peers[0].dial: is missing; give one (host:port)`},
		{"plain peer without port", peers("  - north"), `relay.yaml:5: network.peers[0].dial: "north" has no port; ` + dials},
		{"own node as peer", peers("  - 10.0.0.1:9876"), `relay.yaml:5: network.peers[0].dial: "10.0.0.1:9876" is dialled as nodes[0] too; give each address once, as a node or as a peer`},
		{"peer named like a node", peers("  - {name: a, dial: 'x:1'}"), `relay.yaml:5: network.peers[0].name: "a" is the name of nodes[0] too; give each node and peer a name of its own`},
		{"only listener closed", "producers: [alice]\nnodes: [{name: a, dial: 'x:1'}]\nlisten: {network: ':9876'}\np2p: {max_clients: 0}\n",
			`relay.yaml:4: p2p.max_clients: "0" leaves the relay no way to the network; give at least 1, or network.peers to dial`},

		// Listeners.
		{"listener without port", with("listen: {network: 0.0.0.0}"), `relay.yaml:7: listen.network: "0.0.0.0" has no port; ` + listens},
		{"listener by number", with("listen: {network: 9876}"), `relay.yaml:7: listen.network: "9876" has no port; ` + listens},
		{"same port", with("listen: {internal: '10.0.0.9:9876', network: ':9876'}"),
			`relay.yaml:7: listen.network: ":9876" is taken by listen.internal (10.0.0.9:9876); give it another port or address`},
		{"admin on a p2p port", with("admin: {listen: 'localhost:9876'}", "listen: {network: '127.0.0.1:9876'}"),
			`relay.yaml:7: admin.listen: "localhost:9876" is taken by listen.network (127.0.0.1:9876); give it another port or address`},
		{"dialling ourselves", peers("  - 10.0.0.9:9876", "listen: {network: '10.0.0.9:9876'}"),
			`relay.yaml:5: network.peers[0].dial: "10.0.0.9:9876" is an address this relay listens on itself; give the address of the other side`},
		{"dialling ourselves by loopback", nodes("  - {name: a, dial: 'localhost:9877'}", "  - {name: b, from: [10.0.0.1]}", "listen: {internal: ':9877'}"),
			`relay.yaml:5: nodes[0].dial: "localhost:9877" is an address this relay listens on itself; give the address of the other side`},
		{"announcing nothing", with("listen: {p2p_server_address: ':9876'}"), `relay.yaml:7: listen.p2p_server_address: ":9876" has no host; ` + dials},
		{"admin switched how", with("admin: {listen: no}"), `relay.yaml:7: admin.listen: "no" has no port; ` + listens + `; or off`},

		// Single values.
		{"chain id", with("chain_id: aca376"), `relay.yaml:7: chain_id: "aca376" is not 64 hex digits; ` + chains},
		{"zero chain id", with("chain_id: '" + strings.Repeat("0", 64) + "'"), `relay.yaml:7: chain_id: "` + strings.Repeat("0", 64) + `" is no chain's id; ` + chains},
		{"agent name", with(`agent_name: "a\nb"`), `relay.yaml:7: agent_name: "a\nb" cannot be announced; give 1 to 64 printable ASCII characters`},
		{"takeover", with("takeover: vote"), `relay.yaml:7: takeover: "vote" is none of the choices; choose race, leash, api or auto`},
		{"grace", with("takeover_grace: 401ms"), `relay.yaml:7: takeover_grace: "401ms" is out of range; give a duration from 0s to 400ms`},
		{"vote timeout 0", with("vote_timeout: 0s"), `relay.yaml:7: vote_timeout: "0s" is out of range; give a duration from 500ms to 10m`},
		{"failback", with("failback: yes"), `relay.yaml:7: failback: "yes" is neither; give true or false`},

		// Commands.
		{"a command line", with("hooks: {on_lead_change: [switch key]}"),
			`relay.yaml:7: hooks.on_lead_change[0]: "switch key" looks like a command line, and no shell reads it; give the path of a program, or its name if it is in PATH, and each argument as an item of its own`},
		{"command as a text", with("hooks: {on_lead_change: switch}"),
			`relay.yaml:7: hooks.on_lead_change: "switch" is a single value, not a list; put each item on a line of its own that begins with '- '`},
		{"no program", with("hooks: {on_finalizer_silent: ['']}"),
			`relay.yaml:7: hooks.on_finalizer_silent[0]: is no program; give the path of a program, or its name if it is in PATH, and each argument as an item of its own`},
		{"a key in a command", with("hooks: {on_finalizer_silent: [switch, " + testPrivate + "]}"),
			`relay.yaml:7: hooks.on_finalizer_silent[1]: "(a private key)" must not be in the configuration; let the program read the key from a file, and treat the key as disclosed`},
		{"an empty argument's form", with("hooks: {on_lead_change: [a, [b]]}"), `relay.yaml:7: hooks.on_lead_change[1]: is a list; give a single value (text)`},
		{"transactions", with("p2p: {transactions: yes}"), `relay.yaml:7: p2p.transactions: "yes" is none of the choices; choose both, in, out or off`},
		{"log level", with("log: {level: trace}"), `relay.yaml:7: log.level: "trace" is none of the choices; choose debug, info, warn or error`},
		{"log format", with("log: {format: xml}"), `relay.yaml:7: log.format: "xml" is none of the choices; choose text or json`},
		{"duration without unit", with("p2p: {keepalive: 3}"), `relay.yaml:7: p2p.keepalive: "3" has no unit; ` + durations},
		{"no duration", with("p2p: {keepalive: 3 parsecs}"), `relay.yaml:7: p2p.keepalive: "3 parsecs" is not a duration; ` + durations},
		{"long duration", with("p2p: {keepalive: 10s}"), `relay.yaml:7: p2p.keepalive: "10s" is out of range; give a duration from 500ms to 5s`},
		{"negative duration", with("late_grace: -1s"), `relay.yaml:7: late_grace: "-1s" is out of range; give a duration from 0s to 6s`},
		{"long wait", with("prefer_wait: 250ms"), `relay.yaml:7: prefer_wait: "250ms" is out of range; give a duration from 0s to 200ms`},
		{"negative wait", with("prefer_wait: -1ms"), `relay.yaml:7: prefer_wait: "-1ms" is out of range; give a duration from 0s to 200ms`},
		{"narrow clock limit", with("clock_limit: 5ms"), `relay.yaml:7: clock_limit: "5ms" is out of range; give a duration from 20ms to 5s`},
		{"unknown finalizer node", with("finalizer_node: c"), `relay.yaml:7: finalizer_node: "c" is the name of no node; give the name of one of nodes`},
		{"finalizer node in another case", with("finalizer_node: A"), `relay.yaml:7: finalizer_node: "A" is the name of no node; give the name of one of nodes`},
		{"long range", with("limits: {dedup_age: 25h}"), `relay.yaml:7: limits.dedup_age: "25h" is out of range; give a duration from 1s to 24h`},
		{"size without unit", with("limits: {queue_bytes: 33554432}"), `relay.yaml:7: limits.queue_bytes: "33554432" has no unit; ` + sizes},
		{"no size", with("limits: {queue_bytes: much}"), `relay.yaml:7: limits.queue_bytes: "much" is not a size; ` + sizes},
		{"negative size", with("limits: {queue_bytes: -1MiB}"), `relay.yaml:7: limits.queue_bytes: "-1MiB" is not a size; ` + sizes},
		{"below one frame", with("limits: {queue_bytes: 8MiB}"), `relay.yaml:7: limits.queue_bytes: "8MiB" is out of range; give a size from 9MiB to 64GiB`},
		{"huge size", with("limits: {memory: 99999999999999999999GiB}"), `relay.yaml:7: limits.memory: "99999999999999999999GiB" is out of range; give a size from 9MiB to 256GiB`},
		{"no count", with("p2p: {max_clients: many}"), `relay.yaml:7: p2p.max_clients: "many" is not a whole number; give a whole number from 0 to 100000`},
		{"broken count", with("p2p: {max_clients: 2.5}"), `relay.yaml:7: p2p.max_clients: "2.5" is not a whole number; give a whole number from 0 to 100000`},
		{"negative count", with("p2p: {max_clients: -1}"), `relay.yaml:7: p2p.max_clients: "-1" is out of range; give a whole number from 0 to 100000`},
		{"no fraction", with("p2p: {redial_node: {jitter: some}}"), `relay.yaml:7: p2p.redial_node.jitter: "some" is not a number; give a number from 0 to 1, such as 0.2`},
		{"NaN", with("p2p: {redial_node: {jitter: nan}}"), `relay.yaml:7: p2p.redial_node.jitter: "nan" is not a number; give a number from 0 to 1, such as 0.2`},
		{"percent", with("p2p: {redial_node: {jitter: 20}}"), `relay.yaml:7: p2p.redial_node.jitter: "20" is out of range; give a number from 0 to 1, such as 0.2`},
		{"key in the file", with("p2p: {peer_private_key_file: " + testPrivate + "}"),
			`relay.yaml:7: p2p.peer_private_key_file: "(a private key)" must not be in the configuration; put the key into a file of mode 0600, name that file here, and treat the key as disclosed`},
		{"long value", with("log: {format: " + strings.Repeat("x", 200) + "}"), `relay.yaml:7: log.format: "` + strings.Repeat("x", 80) + `..." is none of the choices; choose text or json`},
		{"PVT key in the file", with("p2p: {peer_private_key_file: PVT_K1_abc}"),
			`relay.yaml:7: p2p.peer_private_key_file: "(a private key)" must not be in the configuration; put the key into a file of mode 0600, name that file here, and treat the key as disclosed`},
		{"empty path", with("p2p: {peer_private_key_file: ''}"), `relay.yaml:7: p2p.peer_private_key_file: is not a path; give the path of a file`},
		{"peer key", with("p2p: {allowed_peer_keys: [x]}"), `relay.yaml:7: p2p.allowed_peer_keys[0]: "x" is not a public key; ` + publics},

		// Roles and APIs.
		{"role", nodes("  - {name: a, dial: '10.0.0.1:9876', role: leader}"), `relay.yaml:5: nodes[0].role: "leader" is none of the choices; choose both, producer, finalizer or verifier`},
		{"API without a port", nodes("  - {name: a, dial: '10.0.0.1:9876', api: 10.0.0.1}"), `relay.yaml:5: nodes[0].api: "10.0.0.1" has no port; ` + anAPI},
		{"API everywhere", nodes("  - {name: a, dial: '10.0.0.1:9876', api: 'http://0.0.0.0:8888'}"), `relay.yaml:5: nodes[0].api: "http://0.0.0.0:8888" is no address one can connect to; ` + anAPI},
		{"API of another kind", nodes("  - {name: a, dial: '10.0.0.1:9876', api: 'unix:///run/nodeos.sock'}"), `relay.yaml:5: nodes[0].api: "unix:///run/nodeos.sock" is no http URL; ` + anAPI},
		{"API with a path", nodes("  - {name: a, dial: '10.0.0.1:9876', api: 'http://10.0.0.1:8888/v1'}"),
			`relay.yaml:5: nodes[0].api: "http://10.0.0.1:8888/v1" has more than a host and a port; ` + anAPI + `: the relay adds the path itself`},
		{"API with a user", nodes("  - {name: a, dial: '10.0.0.1:9876', api: 'http://me@10.0.0.1:8888'}"),
			`relay.yaml:5: nodes[0].api: "http://me@10.0.0.1:8888" has a user name, which nodeos does not know; ` + anAPI},
		{"API that is p2p", nodes("  - {name: a, dial: '10.0.0.1:9876', api: '10.0.0.1:9876'}"),
			`relay.yaml:5: nodes[0].api: "http://10.0.0.1:9876" is a p2p address: nodes[0].dial; give the address of nodeos' http-server-address`},
		{"one API for two", nodes("  - {name: a, dial: '10.0.0.1:9876', api: '10.0.0.1:8888'}", "  - {name: b, dial: '10.0.0.2:9876', api: 'http://10.0.0.1:8888/'}"),
			`relay.yaml:6: nodes[1].api: "http://10.0.0.1:8888" is the API of nodes[0] too; give the one of this node: pausing one would pause the other`},
		{"api without APIs", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '10.0.0.2:9876', api: '10.0.0.2:8888'}",
			"  - {name: c, dial: '10.0.0.3:9876', role: producer}", "  - {name: f, dial: '10.0.0.4:9876', role: finalizer}", "takeover: api"),
			`relay.yaml:9: takeover: "api" needs the producer API of every producing node, and there is none of nodes[0] (a), nodes[2] (c); give each of them nodes[].api, or choose auto`},
		{"nobody produces", nodes("  - {name: a, dial: '10.0.0.1:9876', role: finalizer}", "  - {name: b, dial: '10.0.0.2:9876', role: verifier}"),
			`relay.yaml:5: nodes: has finalizers and verifiers only: no block of ours would ever be made; give at least one the role producer or both`},
		{"finalizer without keys", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '10.0.0.2:9876', role: verifier}", "finalizer_node: b"),
			`relay.yaml:7: finalizer_node: "b" is a verifier, which has no keys; give a node of role finalizer or both`},
		{"finalizer without its key", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '10.0.0.2:9876', role: producer}", "finalizer_node: b"),
			`relay.yaml:7: finalizer_node: "b" has the role producer: no finalizer key; give a node of role finalizer or both`},
		{"fractions of a millisecond", with("vote_timeout: 1000.5ms"),
			`relay.yaml:7: vote_timeout: "1.0005s" cannot be given to nodeos, whose option counts milliseconds; give whole milliseconds`},

		// Combinations.
		{"fence below future", with("start_fence: 5s"),
			`relay.yaml:7: start_fence: "5s" is shorter than max_future: a block let out early before a restart could get a second one for its slot; give at least max_future (7s)`},
		{"journal without a chain", with("state_dir: /var/lib/relay"),
			`relay.yaml:7: state_dir: "/var/lib/relay" is for a journal, which belongs to one chain: chain_id is missing; give chain_id too, or remove it`},
		{"no directory", with("state_dir: ''"), `relay.yaml:7: state_dir: is not a path; give the path of a directory, or remove the key`},
		{"journal mode", with("journal: lenient"), `relay.yaml:7: journal: "lenient" is none of the choices; choose relaxed or strict`},
		{"idle before keepalive", with("p2p: {keepalive: 4s, idle_timeout: 4s}"),
			`relay.yaml:7: p2p.idle_timeout: "4s" ends a session before the other side was asked anything; give more than p2p.keepalive (4s)`},
		{"redial backwards", with("p2p: {redial_node: {min: 5s}}"), `relay.yaml:7: p2p.redial_node.min: "5s" is longer than max (1s); give at most that, or raise max`},
		{"network redial backwards", with("p2p: {redial_network: {max: 500ms}}"), `relay.yaml: p2p.redial_network.min: "1s" is longer than max (500ms); give at most that, or raise max`},
		{"queue above memory in odd sizes", with("limits: {memory: 70.5KB, queue_bytes: 10000001B, sync_queue_bytes: 9MiB}"),
			`relay.yaml:7: limits.memory: "70.5KB" is out of range; give a size from 9MiB to 256GiB`},
		{"trx queue above memory", with("limits: {memory: 10MB, trx_queue_bytes: 10000001B, queue_bytes: 9MiB, sync_queue_bytes: 9MiB}"),
			`relay.yaml:7: limits.trx_queue_bytes: "10000001B" is more than limits.memory (10000000B), which bounds all queues together; give at most that, or raise limits.memory`},
		{"queue above memory", with("limits: {memory: 48MiB}"),
			`relay.yaml: limits.sync_queue_bytes: "64MiB" is more than limits.memory (48MiB), which bounds all queues together; give at most that, or raise limits.memory`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := Parse("relay.yaml", []byte(c.text), nil)
			if err == nil {
				t.Fatalf("no error\nwant %s", c.want)
			}
			if err.Error() != c.want {
				t.Errorf("\ngot  %v\nwant %s", err, c.want)
			}
			if got != nil {
				t.Error("a configuration came with the error")
			}
		})
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	const text = `log:
  level: loud
producers: [Alice, bob]
nodes:
  - name: a
    dial: nowhere
  - nam: b
p2p:
  keepalive: 3
  redial_node: {min: 2s, max: 1s}
network: {peers: ["p2p.example:9876"]}
`
	want := []string{"log.level", "producers[0].name", "nodes[0].dial", "nodes[1].nam", "nodes[1].name", "p2p.keepalive", "p2p.redial_node.min"}
	_, _, err := Parse("relay.yaml", []byte(text), nil)
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("got %v", err)
	}
	var got []string
	line := 0
	for _, err := range joined.Unwrap() {
		var e *Error
		if !errors.As(err, &e) || e.Line < line {
			t.Fatalf("got %v after line %d", err, line)
		}
		line = e.Line
		got = append(got, e.Path)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name, text, env, want string
	}{
		{"admin on all interfaces", with("admin:", "  listen: 0.0.0.0:8765"), "",
			`relay.yaml:8: admin.listen: 0.0.0.0:8765 can be reached from outside this host and asks for no password`},
		{"admin on a port", with("admin: {listen: ':8765'}"), "",
			`relay.yaml:7: admin.listen: :8765 can be reached from outside this host and asks for no password`},
		{"admin on an address", with("admin: {listen: '10.0.0.9:8765'}"), "",
			`relay.yaml:7: admin.listen: 10.0.0.9:8765 can be reached from outside this host and asks for no password`},
		{"admin from the environment", least, "BPRELAY_ADMIN_LISTEN=[::]:8765",
			`BPRELAY_ADMIN_LISTEN: admin.listen: [::]:8765 can be reached from outside this host and asks for no password`},
		{"unknown variable", least, "BPRELAY_PORT_8765_TCP=tcp://10.0.0.1:8765",
			`BPRELAY_PORT_8765_TCP: overrides no option and is ignored`},
		{"open internal listener", nodes("  - name: a", "listen: {internal: '10.0.0.9:9877'}"), "",
			`relay.yaml:5: nodes[0]: has neither dial nor from: whoever reaches listen.internal (10.0.0.9:9877) counts as our node`},
		{"useless internal listener", with("listen: {internal: '10.0.0.9:9877'}"), "",
			`relay.yaml:7: listen.internal: no node has from: every connection to it will be refused`},
		{"shared from", nodes("  - {name: a, from: [host]}", "  - {name: b, from: [10.0.0.1, Host]}", "listen: {internal: '10.0.0.9:9877'}"), "",
			`relay.yaml:6: nodes[1].from[1]: host is in the list of a too: connections from there go by that name`},
		{"short idle timeout", with("p2p: {idle_timeout: 10s}"), "",
			`relay.yaml:7: p2p.idle_timeout: a quiet nodeos sends a message every 10s only: good sessions will be closed`},
		{"wait for nobody", with("prefer_wait: 20ms"), "",
			`relay.yaml:7: prefer_wait: all nodes have the same priority: nobody is waited for`},
		{"short handshake timeout", with("p2p: {handshake_timeout: 5s}"), "",
			`relay.yaml:7: p2p.handshake_timeout: without chain_id a dialled node may need 10s for its first message: set chain_id, or at least 11s`},
		{"leash of one", with("takeover: leash"), "",
			`relay.yaml:7: takeover: leash has no effect: only one node produces, and nobody can take over from it`},
		{"lead beside the relay", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '127.0.0.1:9876', priority: 1}"), "",
			`relay.yaml:6: nodes[1]: b is on the relay's host and may lead: when the host dies, both are gone. Give a node on another host a higher priority`},
		{"lead at our address", nodes("  - {name: a, dial: '10.0.0.9:9876'}", "  - {name: b, dial: '10.0.0.2:9876'}", "listen: {network: '10.0.0.9:9800'}"), "",
			`relay.yaml:5: nodes[0]: a is on the relay's host and may lead: when the host dies, both are gone. Give a node on another host a higher priority`},
		{"vote timeout of a moment", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '10.0.0.2:9876'}", "vote_timeout: 600ms"), "",
			`relay.yaml:7: vote_timeout: 600ms is short for a leash: the lead stops as well when the network's votes stay away for that long and about 1 s, as when a peer is restarted; 2s or more is safe, 6s is nodeos' default`},
		{"public API", nodes("  - {name: a, dial: '10.0.0.1:9876', api: '203.0.113.7:8888'}"), "",
			`relay.yaml:5: nodes[0].api: 203.0.113.7:8888 is a public address: whoever reaches it can stop the node; nodeos asks for no password`},
		{"nobody votes", nodes("  - {name: a, dial: '10.0.0.1:9876', role: producer}"), "",
			`relay.yaml:5: nodes: none has the role finalizer or both: on a Savanna chain our producers stop vote_timeout (6s) after the last vote of our finalizer, which must come from elsewhere`},
		{"failback to nobody", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '10.0.0.2:9876'}", "failback: true"), "",
			`relay.yaml:7: failback: 2 producing nodes share the highest priority: there is none to go back to`},
		{"failback from nobody", with("failback: true"), "", `relay.yaml:7: failback: has no effect: no node ever takes over from another`},
		{"no lead to change", with("takeover: race", "hooks: {on_lead_change: [/bin/true]}"), "",
			`relay.yaml:8: hooks.on_lead_change: with takeover race no node leads: it never runs`},
		{"strict without a journal", with("journal: strict"), "",
			`relay.yaml:7: journal: strict has no effect without state_dir`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := Parse("relay.yaml", []byte(c.text), []string{c.env})
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != 1 || warnings[0].String() != c.want {
				t.Errorf("\ngot  %v\nwant %s", warnings, c.want)
			}
		})
	}
}

func TestErrorWithoutASource(t *testing.T) {
	_, _, err := Parse("", []byte(with("log: {format: xml}")), nil)
	want := `log.format: "xml" is none of the choices; choose text or json`
	var e *Error
	if !errors.As(err, &e) || e.Line != 7 {
		t.Fatalf("got %v", err)
	}
	e.Line = 0
	if got := e.Error(); got != want {
		t.Errorf("got %s", got)
	}
}
