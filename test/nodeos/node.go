package nodeos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Loopback addresses. Those of our nodes that the relay dials have one of their own: by it the relay
// tells them from the one that dials it.
const (
	hostOthers = "127.0.0.1"
	hostOurs   = "127.0.0.2"
)

// node is one nodeos with its directory.
type node struct {
	process
	binary  string
	dir     string
	host    string
	p2p     int // port of p2p-listen-endpoint, 0 = it listens nowhere
	http    int
	api     *api
	started bool // it has a block log
	down    bool // it was killed on purpose
}

// nodeOptions are lines of config.ini besides those common to all.
type nodeOptions struct {
	name    string
	host    string
	listen  bool // accept p2p connections
	peers   []string
	members []producer // whose keys it has
	vote    bool       // it has their BLS keys too
	more    []string
}

// netLog turns on what tells why connections end.
const netLog = `{
  "includes": [],
  "appenders": [{"name": "stderr", "type": "console", "args": {"stream": "std_error"}, "enabled": true}],
  "loggers": [
    {"name": "default", "level": "info", "enabled": true, "additivity": false, "appenders": ["stderr"]},
    {"name": "net_plugin_impl", "level": "%s", "enabled": true, "additivity": false, "appenders": ["stderr"]}
  ]
}
`

func newNode(binDir, root string, free *ports, genesis string, o nodeOptions) (*node, error) {
	n := &node{binary: filepath.Join(binDir, "nodeos"), dir: filepath.Join(root, o.name), host: o.host}
	n.name, n.logPath = o.name, filepath.Join(root, o.name+".log")
	var err error
	if n.http, err = free.take(); err != nil {
		return nil, err
	}
	if o.listen {
		if n.p2p, err = free.take(); err != nil {
			return nil, err
		}
	}
	n.api = newAPI(n.httpAddress())
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", o.name, err)
	}
	level := os.Getenv("NODEOS_NET_LOG")
	if level == "" {
		level = "info"
	}
	for name, content := range map[string]string{
		"config.ini":   strings.Join(n.config(o), "\n") + "\n",
		"logging.json": fmt.Sprintf(netLog, level),
		"genesis.json": genesis,
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", o.name, err)
		}
	}
	return n, nil
}

func (n *node) config(o nodeOptions) []string {
	lines := []string{
		"plugin = eosio::chain_api_plugin",
		"plugin = eosio::producer_api_plugin",
		"plugin = eosio::net_api_plugin",
		"http-server-address = " + n.httpAddress(),
		"http-validate-host = false",
		"agent-name = " + o.name,
		// A few hundred blocks, and all nodes on one host: chain-threads and http-threads are 2 anyway.
		"chain-state-db-size-mb = 256",
		"net-threads = 2",
		"vote-threads = 2",
		"p2p-max-nodes-per-host = 100",
		"max-clients = 100",
		"connection-cleanup-period = 2",
	}
	if n.p2p != 0 {
		lines = append(lines, "p2p-listen-endpoint = "+n.p2pAddress())
	} else {
		lines = append(lines, "p2p-listen-endpoint =")
	}
	for _, p := range o.peers {
		lines = append(lines, "p2p-peer-address = "+p)
	}
	for _, m := range o.members {
		if m.block.private != nil {
			lines = append(lines, "producer-name = "+m.name.String(), "signature-provider = "+m.block.provider())
		}
		if o.vote && m.vote.public != "" {
			lines = append(lines, "signature-provider = "+m.vote.provider())
		}
	}
	return append(lines, o.more...)
}

func (n *node) p2pAddress() string { return fmt.Sprintf("%s:%d", n.host, n.p2p) }

func (n *node) httpAddress() string { return fmt.Sprintf("%s:%d", hostOthers, n.http) }

// run starts the process. After a kill the state database is unusable, so it is made anew from the
// block log, which ends at the last irreversible block.
func (n *node) run(args ...string) error {
	args = append([]string{"--config-dir", n.dir, "--data-dir", filepath.Join(n.dir, "data")}, args...)
	if n.started {
		args = append(args, "--hard-replay-blockchain")
	} else {
		args = append(args, "--genesis-json", filepath.Join(n.dir, "genesis.json"))
	}
	n.started, n.down = true, false
	return n.start(n.binary, args...)
}

// answers waits until the node's API does.
func (n *node) answers(ctx context.Context) (i chainInfo, err error) {
	err = poll(ctx, n.name+" answers", 50*time.Millisecond, 30*time.Second, func(ctx context.Context) (err error) {
		if !n.alive() {
			return n.ended()
		}
		i, err = n.api.info(ctx)
		return err
	})
	return i, err
}

// blockLogHead is logged by controller.cpp after a replay.
var blockLogHead = regexp.MustCompile(`blocks replayed from block log, chain head (\d+)`)

// replayed is the block number at which the node began when it was last started, by its log; 0 if it
// does not say.
func (n *node) replayed() (num uint32) {
	_ = eachLine(n.logPath, func(line string) { // no log: unknown
		if m := blockLogHead.FindStringSubmatch(line); m != nil {
			if v, err := strconv.ParseUint(m[1], 10, 32); err == nil {
				num = uint32(v)
			}
		}
	})
	return num
}
