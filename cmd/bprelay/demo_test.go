package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDemoUsage(t *testing.T) {
	for _, c := range []struct{ args, stderr string }{
		{"demo --takeover relay", "race, leash, api, auto"},
		{"demo --takeover leash --chain legacy", "no votes to withhold"},
		{"demo --kill everyone", "none, leader, random"},
		{"demo --kill relay", "with one relay there is none to take over"},
		{"demo --relays 4", "possible are 1 to 3"},
		{"demo --relays 1 --mode quorum", "a quorum 2 and a witness, or 3"},
		{"demo --mode trio", "possible are pair, quorum"},
		{"demo --chain dpos", "savanna, legacy"},
		{"demo --nodes 0x", "--nodes"},
		{"demo --nodes 99", "1 to 16"},
		{"demo --duration 0s", "duration"},
		{"demo extra", "unknown command"},
	} {
		if code, stdout, stderr := bprelay(t, strings.Fields(c.args)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q, want %q", c.args, code, stdout, stderr, c.stderr)
		}
	}
}

// TestDemoJSON: stdout has one JSON object and nothing else; the view goes to stderr. In this time
// none of our slots comes, so there is nothing to break.
func TestDemoJSON(t *testing.T) {
	code, stdout, stderr := bprelay(t, "demo", "--duration", "2s", "--seed", "3", "--json")
	if code != exitOK || !strings.Contains(stderr, "seed 3") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	d := json.NewDecoder(strings.NewReader(stdout))
	var got struct {
		OK    bool
		Seed  uint64
		Due   *int `json:"slots_due"`
		Kills *int
	}
	if err := d.Decode(&got); err != nil || !got.OK || got.Seed != 3 || got.Due == nil || *got.Due != 0 || got.Kills == nil {
		t.Errorf("%v, %+v in %s", err, got, stdout)
	}
	if d.More() {
		t.Errorf("more than one object: %s", stdout)
	}
}

// TestDemoCluster: two relays in processes of their own, without and with a witness; the active one is killed in
// our second round, which is over after 40 s, and the other one takes over. What that costs is a matter of the
// machine; that no slot ever has two blocks is not.
func TestDemoCluster(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mode, view string }{
		{"pair", "behind relay1, relay2, a pair (preset local)"},
		{"quorum", "behind relay1, relay2, witness, a quorum (preset lan)"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			dir := t.TempDir()
			cmd := exec.CommandContext(ctx, os.Args[0], "demo", "--mode", c.mode, "--nodes", "2", "--kill", "relay", "--duration", "40s", "--seed", "5", "--json", "--dir", dir)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			var view strings.Builder
			cmd.Stderr = &view
			stdout, err := cmd.Output()
			var exit *exec.ExitError
			if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitDemo) {
				t.Fatalf("%v\n%s", err, &view)
			}
			var got struct {
				Relays     int
				Cluster    string
				Due        int `json:"slots_due"`
				Public     int `json:"slots_public"`
				Double     int `json:"slots_double"`
				RelayKills int `json:"relay_kills"`
				Takeovers  int
				TakeoverMs struct{ P50, P99, Max float64 } `json:"takeover_ms"`
				Violations []any
			}
			if err := json.Unmarshal(stdout, &got); err != nil {
				t.Fatalf("%v in %s", err, stdout)
			}
			if got.Relays != 2 || got.Cluster != c.mode || got.Due < 24 || got.Public == 0 || got.Double != 0 || len(got.Violations) > 0 {
				t.Errorf("%s\n%s", stdout, &view)
			}
			if got.RelayKills == 0 || got.Takeovers < got.RelayKills || got.TakeoverMs.P50 > got.TakeoverMs.Max {
				t.Errorf("nothing was tried, or nobody took over: %s\n%s", stdout, &view)
			}
			for _, want := range []string{c.view, "the active relay: in our round", "relay2 is active"} {
				if !strings.Contains(view.String(), want) {
					t.Errorf("the view lacks %q:\n%s", want, &view)
				}
			}
			// Those that were left ended with the demo, cleanly.
			log, err := os.ReadFile(filepath.Join(dir, "relay2.log"))
			if err != nil || !strings.Contains(string(log), "relay stopped") {
				t.Errorf("%v, log of relay2:\n%s", err, log)
			}
		})
	}
}
