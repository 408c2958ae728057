package nodeos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// relayProcess is the relay under test.
type relayProcess struct {
	process
	binary   string
	file     string // its configuration
	internal string // host:port
	network  string
	admin    string
	link     string
	gossip   string
}

// buildRelay builds the command as it is released.
func buildRelay(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "bprelay")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "bprelay/cmd/bprelay").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the relay: %w\n%s", err, out)
	}
	return path, nil
}

// relayPeers is whom the relay is configured with.
type relayPeers struct {
	chainID  string
	own      producer
	takeover string
	timeout  time.Duration // vote_timeout; 0: the default
	nodes    []string      // entries of nodes
	public   []relayPeer
	pair     []*relayProcess // both relays, if there are two
	creds    string          // directory of their credentials
}

type relayPeer struct{ name, address string }

func newRelay(binary, root, name string, free *ports) (*relayProcess, error) {
	r := &relayProcess{binary: binary, file: filepath.Join(root, name+".yaml")}
	r.name, r.logPath = name, filepath.Join(root, name+".log")
	for _, address := range []*string{&r.internal, &r.network, &r.admin, &r.link, &r.gossip} {
		port, err := free.take()
		if err != nil {
			return nil, err
		}
		*address = fmt.Sprintf("%s:%d", hostOthers, port)
	}
	return r, nil
}

// relayName is what the relay calls itself in handshakes, and therefore in the nodes' logs.
const relayName = "bprelay"

// configure writes the configuration file, with a claim journal if stateDir is given.
func (r *relayProcess) configure(p relayPeers, stateDir string) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("chain_id: %s", p.chainID)
	line("takeover: %s", p.takeover)
	if p.timeout != 0 {
		line("vote_timeout: %s", p.timeout)
	}
	line("producers:")
	keys := ""
	if p.own.vote.public != "" {
		keys = ", finalizer_keys: [" + p.own.vote.public + "]"
	}
	line("  - {name: %s, keys: [%s]%s}", p.own.name, p.own.block.public, keys)
	line("nodes:")
	for _, entry := range p.nodes {
		line("  - %s", entry)
	}
	line("network:")
	line("  peers:")
	for _, n := range p.public {
		line("    - {name: %s, dial: %q}", n.name, n.address)
	}
	line("listen: {internal: %q, network: %q, p2p_server_address: %q}", r.internal, r.network, relayName+":9876")
	line("admin: {listen: %q}", r.admin)
	line("log: {level: debug, format: json}")
	if len(p.pair) > 0 {
		line("cluster:")
		line("  mode: pair")
		line("  name: %s", r.name)
		line("  preset: lan")
		line("  credentials: {ca: %q, cert: %q, key: %q}", filepath.Join(p.creds, "ca.crt"),
			filepath.Join(p.creds, r.name+".crt"), filepath.Join(p.creds, r.name+".key"))
		line("  gossip_key_file: %q", filepath.Join(p.creds, "gossip.keys"))
		line("  members:")
		for _, m := range p.pair {
			line("    - {name: %s, link: %q, gossip: %q, admin: %q}", m.name, m.link, m.gossip, m.admin)
		}
	}
	if stateDir != "" {
		line("state_dir: %q", stateDir)
		line("journal: strict")
	}
	if err := os.WriteFile(r.file, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("configure the relay: %w", err)
	}
	return nil
}

// run starts the relay and returns when its admin server answers.
func (r *relayProcess) run(ctx context.Context) error {
	if err := r.start(r.binary, "run", "-c", r.file); err != nil {
		return err
	}
	return poll(ctx, "the relay listens", 20*time.Millisecond, 5*time.Second, func(ctx context.Context) error {
		if !r.alive() {
			return r.ended()
		}
		_, err := r.status(ctx)
		return err
	})
}

// relayStatus is what is used of /status.
type relayStatus struct {
	Starting bool   `json:"starting"`
	Lead     string `json:"lead"`
	Sessions []struct {
		Side    string `json:"side"`
		Name    string `json:"name"`
		Ready   bool   `json:"ready"`
		Syncing bool   `json:"syncing"`
	} `json:"sessions"`
	Cluster struct {
		Role   string `json:"role"`
		Epoch  uint64 `json:"epoch"`
		Reason string `json:"reason"`
		Linked bool   `json:"linked"`
	} `json:"cluster"`
	Takeover struct {
		Mode    string `json:"mode"`
		Why     string `json:"why"`
		Lead    string `json:"lead"`
		NextRun int64  `json:"next_run_in_ns"`
		Nodes   []struct {
			Node  string `json:"node"`
			State string `json:"state"`
			Why   string `json:"why"`
		} `json:"nodes"`
	} `json:"takeover"`
	Stats struct {
		OwnForwarded uint64            `json:"own_forwarded"`
		OwnWithheld  map[string]uint64 `json:"own_withheld"`
		Conflicts    uint64            `json:"conflicts"`
		Dropped      map[string]uint64 `json:"dropped"`
		Closed       map[string]uint64 `json:"closed"`
		Alarms       map[string]uint64 `json:"alarms"`
	} `json:"stats"`
}

// ready counts the sessions of a side that are past their handshake.
func (st *relayStatus) ready(side string) (n int) {
	for _, s := range st.Sessions {
		if s.Side == side && s.Ready {
			n++
		}
	}
	return n
}

// status asks the admin server.
func (r *relayProcess) status(ctx context.Context) (st relayStatus, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+"/status", nil)
	if err != nil {
		return st, fmt.Errorf("ask the relay: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return st, fmt.Errorf("ask the relay: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		return st, fmt.Errorf("ask the relay: %w", err)
	}
	return st, nil
}
