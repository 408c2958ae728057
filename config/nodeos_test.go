package config

import (
	"slices"
	"strings"
	"testing"
)

// settings returns the lines that set something, and checks that each of them, and each that is to
// stay unset, has its reason above it.
func settings(t *testing.T, lines []string) (set []string) {
	t.Helper()
	for i, line := range lines {
		switch {
		case !strings.HasPrefix(line, "# "):
			set = append(set, line)
			if i == 0 || !strings.HasPrefix(lines[i-1], "# ") && !strings.HasPrefix(line, "peer-key") && !strings.HasPrefix(line, "http-") {
				t.Errorf("%q has no reason", line)
			}
		case len(line) < 15 && !strings.HasSuffix(line, "="):
			t.Errorf("%q is no reason", line)
		}
	}
	return set
}

const pause6s = "production-pause-vote-timeout-ms = 6000"

func TestNodeosLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"dialled", nodes("  - {name: a, dial: '10.0.0.1:9876'}"), []string{
			"p2p-listen-endpoint = 10.0.0.1:9876", "p2p-max-nodes-per-host = 4", "vote-threads = 4", pause6s,
		}},
		{"dialled by name", nodes("  - {name: a, dial: 'node-a:19876'}"), []string{
			"p2p-listen-endpoint = 0.0.0.0:19876", "p2p-max-nodes-per-host = 4", "vote-threads = 4", pause6s,
		}},
		{"dialling", nodes("  - {name: a, from: [10.0.0.1]}", "listen: {internal: '10.0.0.9:9877'}"), []string{
			"p2p-peer-address = 10.0.0.9:9877", "connection-cleanup-period = 2", "vote-threads = 4", pause6s,
		}},
		{"both, wildcard", nodes("  - {name: a, dial: '10.0.0.1:9876', from: [10.0.0.1]}", "listen: {internal: ':9877'}"), []string{
			"p2p-listen-endpoint = 10.0.0.1:9876", "p2p-max-nodes-per-host = 4",
			"p2p-peer-address = RELAY-HOST:9877", "connection-cleanup-period = 2", "vote-threads = 4", pause6s,
		}},
		{"with a key", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "p2p: {peer_private_key_file: /k}"), []string{
			"p2p-listen-endpoint = 10.0.0.1:9876", "p2p-max-nodes-per-host = 4", "vote-threads = 4",
			"allowed-connection = specified", `peer-key = "` + testPublic + `"`, pause6s,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := mustParse(t, c.text)
			if cfg.P2P.PeerPrivateKeyFile != "" {
				cfg.P2P.PeerPublicKey = mustKey(t, testPublic) // as Load does
			}
			list := cfg.NodeosLines()
			if len(list) != 1 || list[0].Node != "a" {
				t.Fatalf("got %v", list)
			}
			if got := settings(t, list[0].Lines); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			for _, remark := range []string{"# p2p-auto-bp-peer =", "# p2p-bp-gossip-endpoint =", "# enable-stale-production = false", "# pause-on-startup ="} {
				if !slices.Contains(list[0].Lines, remark) {
					t.Errorf("no word of %q", remark)
				}
			}
		})
	}
}

func TestNodeosLinesOfEachNode(t *testing.T) {
	cfg := mustParse(t, nodes("  - {name: a, dial: '10.0.0.1:9876'}", "  - {name: b, dial: '10.0.0.2:9876'}"))
	list := cfg.NodeosLines()
	if len(list) != 2 || list[1].Node != "b" || !slices.Contains(list[1].Lines, "p2p-listen-endpoint = 10.0.0.2:9876") {
		t.Errorf("got %v", list)
	}
}

// Each way and each role has its own settings; what must not be set is named as well.
func TestNodeosLinesOfRolesAndWays(t *testing.T) {
	const (
		dialled = "p2p-max-nodes-per-host = 4"
		votes   = "vote-threads = 4"
		plugin  = "plugin = eosio::producer_api_plugin"
	)
	all := func(takeover string) string {
		return nodes("  - {name: p, dial: '10.0.0.1:9876', role: producer, api: '10.0.0.1:8888'}",
			"  - {name: q, dial: '10.0.0.2:9876', role: both, api: 'http://node-q:8888'}",
			"  - {name: f, dial: '10.0.0.3:9876', role: finalizer, api: '10.0.0.3:8888'}",
			"  - {name: v, dial: '10.0.0.4:9876', role: verifier}",
			"vote_timeout: 2500ms", "takeover: "+takeover)
	}
	const pause = "production-pause-vote-timeout-ms = 2500"
	for takeover, want := range map[string]map[string][]string{
		"leash": {
			"p": {"p2p-listen-endpoint = 10.0.0.1:9876", dialled, votes, pause, plugin, "http-server-address = 10.0.0.1:8888"},
			"q": {"p2p-listen-endpoint = 10.0.0.2:9876", dialled, votes, pause, plugin, "http-alias = node-q:8888", "http-server-address = PRIVATE-ADDRESS:8888"},
			"f": {"p2p-listen-endpoint = 10.0.0.3:9876", dialled, votes},
			"v": {"p2p-listen-endpoint = 10.0.0.4:9876", dialled, votes},
		},
		"api": {
			"p": {"p2p-listen-endpoint = 10.0.0.1:9876", dialled, votes, pause, "pause-on-startup = true", plugin, "http-server-address = 10.0.0.1:8888"},
			"f": {"p2p-listen-endpoint = 10.0.0.3:9876", dialled, votes},
		},
		"race": {"p": {"p2p-listen-endpoint = 10.0.0.1:9876", dialled, votes, pause, plugin, "http-server-address = 10.0.0.1:8888"}},
		"auto": {"p": {"p2p-listen-endpoint = 10.0.0.1:9876", dialled, votes, pause, plugin, "http-server-address = 10.0.0.1:8888"}},
	} {
		for _, n := range mustParse(t, all(takeover)).NodeosLines() {
			got := settings(t, n.Lines)
			if w, given := want[n.Node]; given && !slices.Equal(got, w) {
				t.Errorf("%s, %s:\ngot  %q\nwant %q", takeover, n.Node, got, w)
			}
			text := strings.Join(n.Lines, "\n")
			producing := n.Node == "p" || n.Node == "q"
			if strings.Contains(text, "# enable-stale-production = false") != producing {
				t.Errorf("%s, %s: stale production", takeover, n.Node)
			}
			if strings.Contains(text, "with 0 it could not be held") != (producing && (takeover == "leash" || takeover == "auto")) {
				t.Errorf("%s, %s: the vote timeout's reason", takeover, n.Node)
			}
			if strings.Contains(text, "\n# pause-on-startup =") != (producing && takeover != "api") {
				t.Errorf("%s, %s: no word of pause-on-startup", takeover, n.Node)
			}
		}
	}
}
