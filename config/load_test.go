package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bprelay/p2pwire"
)

func TestLoadReadsTheKeyBesideTheFile(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o400, 0o640} {
		path := writeFiles(t, least+"p2p: {peer_private_key_file: peer.key}\n", testPrivate+"\n", mode)
		c, warnings, err := Load(path, nil)
		if err != nil || len(warnings) != 0 {
			t.Fatalf("mode %o: %v, %v", mode, warnings, err)
		}
		if want := filepath.Join(filepath.Dir(path), "peer.key"); c.P2P.PeerPrivateKeyFile != want {
			t.Errorf("key file %s, want %s", c.P2P.PeerPrivateKeyFile, want)
		}
		if got := c.P2P.PeerPublicKey.String(); got != testPublic {
			t.Errorf("public key %s", got)
		}
		key, err := c.P2P.ReadPeerPrivateKey()
		if err != nil || key.Public() != c.P2P.PeerPublicKey {
			t.Errorf("read again: %v", err)
		}
		if text := fmt.Sprintf("%+v", c); strings.Contains(text, testPrivate) {
			t.Errorf("the private key is in %s", text)
		}
	}
}

func TestLoadPlacesStateDirBesideTheFile(t *testing.T) {
	path := writeFiles(t, least+"chain_id: "+strings.Repeat("ab", 32)+"\nstate_dir: state\n", "", 0o600)
	c, _, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "state"); c.StateDir != want {
		t.Errorf("state_dir %s, want %s", c.StateDir, want)
	}
}

// A hook's program is placed beside the file, and missed when the file is read, not when it is needed.
func TestLoadFindsHooks(t *testing.T) {
	const text = "hooks:\n  on_lead_change: [./hook.sh, x]\n  on_finalizer_silent: [sh]\n"
	path := writeFiles(t, least+text, "", 0o600)
	hook := filepath.Join(filepath.Dir(path), "hook.sh")
	_, warnings, err := Load(path, nil)
	want := fmt.Sprintf("%s:8: hooks.on_lead_change: %s cannot be run: ", path, hook)
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), want) {
		t.Errorf("absent: %v, %v\nwant %s", warnings, err, want)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, warnings, err = Load(path, nil); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Text, "permission denied") {
		t.Errorf("not executable: %v, %v", warnings, err)
	}
	if err := os.Chmod(hook, 0o700); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := Load(path, nil)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%v, %v", warnings, err)
	}
	if !slices.Equal(c.Hooks.OnLeadChange, []string{hook, "x"}) || !slices.Equal(c.Hooks.OnFinalizerSilent, []string{"sh"}) {
		t.Errorf("hooks %+v", c.Hooks)
	}
}

func TestLoadWithoutKey(t *testing.T) {
	c, _, err := Load(writeFiles(t, least, "", 0o600), nil)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := c.P2P.ReadPeerPrivateKey(); key != nil || err != nil {
		t.Errorf("key %v, %v", key, err)
	}
}

func TestLoadKeyErrors(t *testing.T) {
	for _, c := range []struct {
		name, file, key string
		mode            os.FileMode
		want            string
		is              error
	}{
		{"readable by all", "peer.key", testPrivate, 0o644,
			`can be read or written by everybody; chmod 600 it (mount a container's secret with mode 0400)`, ErrKeyFileMode},
		{"writable by all", "peer.key", testPrivate, 0o602,
			`can be read or written by everybody; chmod 600 it (mount a container's secret with mode 0400)`, ErrKeyFileMode},
		{"absent", "other.key", "", 0o600, `does not exist; create it, or correct the path`, fs.ErrNotExist},
		{"empty", "peer.key", "", 0o600,
			`holds no private key; put a K1 private key alone into it, as WIF or PVT_K1_`, p2pwire.ErrKey},
		{"mistyped", "peer.key", testPrivate[:50] + "X", 0o600,
			`holds no private key; put a K1 private key alone into it, as WIF or PVT_K1_`, p2pwire.ErrKey},
		{"a public key", "peer.key", testPublic, 0o600,
			`holds no private key; put a K1 private key alone into it, as WIF or PVT_K1_`, p2pwire.ErrKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFiles(t, least+"p2p:\n  peer_private_key_file: "+c.file+"\n", c.key, c.mode)
			_, _, err := Load(path, nil)
			file := filepath.Join(filepath.Dir(path), c.file)
			want := fmt.Sprintf("%s:8: p2p.peer_private_key_file: %q %s", path, redact(file), c.want)
			if err == nil || err.Error() != want {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
			if strings.Contains(err.Error(), testPrivate[:50]) {
				t.Fatal("the error shows the key")
			}
			p := P2P{PeerPrivateKeyFile: file}
			if _, err := p.ReadPeerPrivateKey(); !errors.Is(err, c.is) {
				t.Errorf("ReadPeerPrivateKey: %v, want %v", err, c.is)
			}
		})
	}
}

func TestLoadKeyThatIsADirectory(t *testing.T) {
	path := writeFiles(t, least+"p2p: {peer_private_key_file: .}\n", "", 0o600)
	_, _, err := Load(path, nil)
	if err == nil || !strings.Contains(err.Error(), "not a regular file; make it a readable file") {
		t.Errorf("got %v", err)
	}
}

func TestLoadFileErrors(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, _, err := Load(t.TempDir(), nil); err == nil || !strings.HasPrefix(err.Error(), "read configuration: ") {
		t.Errorf("directory: %v", err)
	}
	path := writeFiles(t, least+strings.Repeat("#", maxFileSize), "", 0o600)
	want := path + ": the file is larger than 1 MiB; give a configuration file"
	if _, _, err := Load(path, nil); err == nil || err.Error() != want {
		t.Errorf("large file: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	c := mustParse(t, least,
		"HOME=/root",
		"BPRELAY_LOG_LEVEL=warn",
		"BPRELAY_P2P_REDIAL_NETWORK_MAX=10s",
		"BPRELAY_AGENT_NAME=", // as compose makes it of ${UNSET:-}
		"BPRELAY_PRODUCERS=bob, carol",
		"BPRELAY_NETWORK_PEERS=x.example:1,y.example:2",
		`BPRELAY_NODES=[{name: one, dial: "10.0.0.7:9876"}, {name: two, dial: "10.0.0.8:9876", priority: 1}]`,
		"BPRELAY_P2P_ALLOWED_PEER_KEYS="+testPublic,
		"BPRELAY_HOOKS_ON_LEAD_CHANGE=notify,lead",
		"BPRELAY_FAILBACK=true",
		"BPRELAY_EVENT=lead_change", "BPRELAY_TIME=now", // of a hook that calls bprelay
	)
	want := leastConfig(t)
	want.Log.Level = 4
	want.P2P.RedialNetwork.Max = 10e9
	want.Producers = []Producer{{Name: mustName(t, "bob")}, {Name: mustName(t, "carol")}}
	want.Network.Peers = []Peer{{"x.example:1", "x.example:1"}, {"y.example:2", "y.example:2"}}
	want.Nodes = []Node{{Name: "one", Dial: "10.0.0.7:9876", Role: RoleBoth}, {Name: "two", Dial: "10.0.0.8:9876", Priority: 1, Role: RoleBoth}}
	want.Hooks.OnLeadChange = []string{"notify", "lead"}
	want.Failback = true
	want.P2P.AllowedPeerKeys = []p2pwire.PublicKey{mustKey(t, testPublic)}
	if got, want := fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnvironmentAlone(t *testing.T) {
	c := mustParse(t, "", "BPRELAY_PRODUCERS=alice", "BPRELAY_NETWORK_PEERS=p2p.example:9876",
		`BPRELAY_NODES=[{name: a, dial: "10.0.0.1:9876"}]`)
	if got, want := fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", leastConfig(t)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnvironmentHidesAWrongValueInTheFile(t *testing.T) {
	c := mustParse(t, least+"log: {level: loud}\n", "BPRELAY_LOG_LEVEL=error")
	if c.Log.Level != 8 {
		t.Errorf("level %v", c.Log.Level)
	}
}

func TestEnvironmentErrors(t *testing.T) {
	for _, c := range []struct{ entry, want string }{
		{"BPRELAY_P2P_KEEPALIVE=3",
			`BPRELAY_P2P_KEEPALIVE: p2p.keepalive: "3" has no unit; give a number with a unit, such as 500ms, 3s or 1m30s`},
		{"BPRELAY_PRODUCERS=alice,Bob",
			`BPRELAY_PRODUCERS: producers[1].name: "Bob" is not an EOSIO account name; give 1 to 12 of a-z, 1-5 and '.', not ending in '.'`},
		{"BPRELAY_NODES=[{name: a}",
			`BPRELAY_NODES:1: nodes: not valid YAML: did not find expected ',' or ']'`},
		{"BPRELAY_NODES=a,b",
			`BPRELAY_NODES: nodes[0]: is a single value; give a mapping with name, dial, from, priority, role or api` + "\n" +
				`BPRELAY_NODES: nodes[1]: is a single value; give a mapping with name, dial, from, priority, role or api`},
		{"BPRELAY_NODES=[{name: a}]",
			`BPRELAY_NODES: nodes[0]: "a" has no way to the relay; give dial, or from together with listen.internal`},
		{"BPRELAY_START_FENCE=1s",
			`BPRELAY_START_FENCE: start_fence: "1s" is shorter than max_future: a block let out early before a restart could get a second one for its slot; give at least max_future (7s)`},
	} {
		_, _, err := Parse("relay.yaml", []byte(least), []string{c.entry})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.entry, err, c.want)
		}
	}
}
