package nodeos

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRelaySessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.log")
	lines := `{"time":"2026-01-01T00:00:01Z","level":"INFO","msg":"session up","side":"internal","node":"node-a"}
{"time":"2026-01-01T00:00:10Z","level":"INFO","msg":"session down","reason":"peer_closed","side":"internal","node":"node-a"}
{"time":"2026-01-01T00:00:12Z","level":"INFO","msg":"session up","side":"internal","node":"node-a"}
{"time":"2026-01-01T00:00:20Z","level":"INFO","msg":"session down","reason":"idle","side":"network","node":"bpbeta"}
{"time":"2026-01-01T00:00:21Z","level":"ERROR","msg":"alarm","reason":"foreign_block"}
{"time":"2026-01-01T00:00:25Z","level":"ERROR","msg":"alarm","reason":"producer_api","node":"node-a"}
panic: nothing is right
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		name        string
		from, until int
		excuses     []disruption
		reconnects  int
		problems    int
	}{
		{"a kill explains its node's session", 5, 15, []disruption{{from: at(9), until: at(15), node: "node-a"}}, 1, 1},
		{"another node's kill does not", 5, 15, []disruption{{from: at(9), until: at(15), node: "node-b"}}, 1, 2},
		{"nor one that came later", 5, 15, []disruption{{from: at(11), until: at(15), node: "node-a"}}, 1, 2},
		{"the relay's restart explains all", 5, 22, []disruption{{from: at(9), until: at(22)}}, 1, 2},
		{"nothing explains an alarm", 21, 22, []disruption{{from: at(9), until: at(22)}}, 0, 2},
		{"but that a node does not answer", 24, 26, []disruption{{from: at(24), until: at(26), node: "node-a"}}, 0, 1},
		{"when it was taken away", 24, 26, []disruption{{from: at(24), until: at(26), node: "node-b"}}, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			reconnects, problems, err := relaySessions(path, at(c.from), at(c.until), c.excuses)
			if err != nil {
				t.Fatal(err)
			}
			// The panic has no time and counts always.
			if reconnects != c.reconnects || len(problems) != c.problems {
				t.Errorf("%d reconnects and problems %q, want %d and %d", reconnects, problems, c.reconnects, c.problems)
			}
		})
	}
}

func TestNodeSessions(t *testing.T) {
	n := &node{}
	n.name, n.logPath = "node-a", filepath.Join(t.TempDir(), "node-a.log")
	lines := `info  2026-01-01T00:00:10.000 net-0     net_plugin.cpp:1419           _close               ] ["bprelay:9876 - 1a2b3c4" - 3 127.0.0.1:20001] closing
info  2026-01-01T00:00:11.000 net-1     net_plugin.cpp:1419           _close               ] ["127.0.0.1:20002 - 1a2b3c4" - 4 127.0.0.1:20002] closing
info  2026-01-01T00:00:12.000 nodeos    producer_plugin.cpp:1         produce              ] Produced block
`
	if err := os.WriteFile(n.logPath, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		public   bool
		excuses  []disruption
		problems int
	}{
		{"an own node has no session but the relay's", false, nil, 2},
		{"a public one has", true, nil, 1},
		{"excused", true, []disruption{{from: start, until: start.Add(time.Minute)}}, 0},
	} {
		problems, err := nodeSessions(n, c.public, start, start.Add(time.Minute), c.excuses)
		if err != nil {
			t.Fatal(err)
		}
		if len(problems) != c.problems {
			t.Errorf("%s: problems %q, want %d", c.name, problems, c.problems)
		}
	}
}
