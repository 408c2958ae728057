package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDemoUsage(t *testing.T) {
	for _, c := range []struct{ args, stderr string }{
		{"demo --takeover relay", "race, leash, api, auto"},
		{"demo --takeover leash --chain legacy", "no votes to withhold"},
		{"demo --kill everyone", "none, leader, random"},
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
