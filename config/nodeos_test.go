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
			if i == 0 || !strings.HasPrefix(lines[i-1], "# ") && !strings.HasPrefix(line, "peer-key") {
				t.Errorf("%q has no reason", line)
			}
		case len(line) < 15:
			t.Errorf("%q is no reason", line)
		}
	}
	return set
}

func TestNodeosLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"dialled", nodes("  - {name: a, dial: '10.0.0.1:9876'}"), []string{
			"p2p-listen-endpoint = 10.0.0.1:9876", "p2p-max-nodes-per-host = 4", "vote-threads = 4",
		}},
		{"dialled by name", nodes("  - {name: a, dial: 'node-a:19876'}"), []string{
			"p2p-listen-endpoint = 0.0.0.0:19876", "p2p-max-nodes-per-host = 4", "vote-threads = 4",
		}},
		{"dialling", nodes("  - {name: a, from: [10.0.0.1]}", "listen: {internal: '10.0.0.9:9877'}"), []string{
			"p2p-peer-address = 10.0.0.9:9877", "connection-cleanup-period = 2", "vote-threads = 4",
		}},
		{"both, wildcard", nodes("  - {name: a, dial: '10.0.0.1:9876', from: [10.0.0.1]}", "listen: {internal: ':9877'}"), []string{
			"p2p-listen-endpoint = 10.0.0.1:9876", "p2p-max-nodes-per-host = 4",
			"p2p-peer-address = RELAY-HOST:9877", "connection-cleanup-period = 2", "vote-threads = 4",
		}},
		{"with a key", nodes("  - {name: a, dial: '10.0.0.1:9876'}", "p2p: {peer_private_key_file: /k}"), []string{
			"p2p-listen-endpoint = 10.0.0.1:9876", "p2p-max-nodes-per-host = 4", "vote-threads = 4",
			"allowed-connection = specified", `peer-key = "` + testPublic + `"`,
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
			for _, remark := range []string{"# p2p-auto-bp-peer =", "# p2p-bp-gossip-endpoint =", "# production-pause-vote-timeout-ms = 6000"} {
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
