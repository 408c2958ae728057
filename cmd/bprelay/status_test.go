package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"bprelay/relay/admin"
	"bprelay/relay/core"
)

// ruled is a relay that can be told who leads.
type ruled struct {
	recorded
	takeover core.TakeoverStatus
	told     []string
	err      error
}

func (r *ruled) Status(context.Context) (core.Status, error) {
	st := core.Status{
		UptimeNs: 3661e9, Takeover: r.takeover,
		PublicHead: &core.BlockRef{Num: 305, Slot: 1204, Producer: "bpbeta"},
		Sessions: []core.SessionStatus{
			{Side: "internal", Name: "node-a", Remote: "10.0.0.11:9876", Ready: true, HeadNum: 305, RTTNs: 250e3},
			{Side: "network", Name: "peer", Remote: "192.0.2.1:9876", Ready: true, Syncing: true},
			{Side: "network", Name: "192.0.2.2:1", Remote: "192.0.2.2:1", QueuedBytes: 7},
		},
	}
	st.Stats.OwnSlots[core.OutcomePublic], st.Stats.OwnSlots[core.OutcomeLost] = 120, 2
	return st, nil
}

func (r *ruled) Drain(_ context.Context, node string, force bool) error {
	r.told = append(r.told, fmt.Sprint("drain ", node, " ", force))
	return r.err
}

func (r *ruled) Undrain(_ context.Context, node string) error {
	r.told = append(r.told, "undrain "+node)
	return r.err
}

func (r *ruled) SetLead(_ context.Context, node string, force bool) error {
	r.told = append(r.told, fmt.Sprint("lead ", node, " ", force))
	return r.err
}

// leashed is a takeover with a node in every kind of state.
func leashed() core.TakeoverStatus {
	return core.TakeoverStatus{
		Configured: core.TakeoverAuto, Mode: core.TakeoverLeash, Why: "Savanna, 20 foreign finalizers", Lead: "node-a",
		NextRunInNs: 12.34e9, Releases: 1, LeadChanges: 3,
		Nodes: []core.NodeStatus{
			{Node: "node-a", Role: core.RoleProducer, State: core.NodeLead},
			{Node: "node-b", Role: core.RoleProducer, State: core.NodeArmed, ReserveVotes: 8, HeldBack: 304},
			{Node: "node-c", State: core.NodeArming, ArmedInNs: 4.2e9, Drained: true},
			{Node: "node-f", Role: core.RoleFinalizer, State: core.NodeFree, Why: "it never produces"},
		},
	}
}

func serveRelay(t *testing.T, r *ruled) (address string) {
	t.Helper()
	h, err := admin.Handler(admin.Config{Source: r, Commands: r, Version: "v1.2"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

const nodesText = `takeover   leash (configured: auto): Savanna, 20 foreign finalizers
lead       node-a; 1 releases, 3 changes of the lead
next run   in 12.3s

node    role       state                              votes kept  held back  why
node-a  producer   lead                               0           -          -
node-b  producer   armed                              8           304        -
node-c  both       arming (armed in 4.2s), drained    0           -          -
node-f  finalizer  free                               0           -          it never produces
`

func TestStatus(t *testing.T) {
	address := serveRelay(t, &ruled{takeover: leashed()})
	code, stdout, stderr := bprelay(t, "status", "--admin", address)
	want := `relay      v1.2, up 1h1m1s, ready
head       305 by bpbeta, slot 1204 (00:10:02.0 UTC)
last own   none
own slots  last 3: 2 public, 1 lost; in rounds judged since the start: 120 public, 2 lost
` + nodesText + `
session      side      remote          state        head  round trip  queued
node-a       internal  10.0.0.11:9876  ready        305   250µs       0
peer         network   192.0.2.1:9876  catching up  0     0s          0
192.0.2.2:1  network   192.0.2.2:1     handshaking  0     0s          7
`
	if stdout = squeeze(stdout); code != exitOK || stdout != squeeze(want) || stderr != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", code, stderr, stdout, squeeze(want))
	}
	code, stdout, _ = bprelay(t, "status", "--json", "--admin", address)
	var st core.Status
	var raw map[string]any
	if err := json.Unmarshal([]byte(stdout), &raw); err != nil || code != exitOK || raw["version"] != "v1.2" {
		t.Errorf("--json: %d, %v\n%s", code, err, stdout)
	}
	part, _ := json.Marshal(raw["takeover"])
	if err := json.Unmarshal(part, &st.Takeover); err != nil || st.Takeover.Nodes[1].HeldBack != 304 || raw["stats"] == nil {
		t.Errorf("--json: %v, %+v", err, st.Takeover)
	}
}

// squeeze makes columns comparable whatever their width.
func squeeze(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

// In race there is no lead, and nobody could take over: neither is worth a word.
func TestStatusRace(t *testing.T) {
	r := &ruled{takeover: core.TakeoverStatus{Nodes: []core.NodeStatus{{Node: "node-a", State: core.NodeFree}}}}
	_, stdout, _ := bprelay(t, "status", "--admin", serveRelay(t, r))
	if !strings.Contains(stdout, "takeover   race\n\nnode") || strings.Contains(stdout, "lead ") || strings.Contains(stdout, "note ") {
		t.Errorf("%s", stdout)
	}
	r.takeover.Mode, r.takeover.Configured = core.TakeoverAPI, core.TakeoverAPI
	_, stdout, _ = bprelay(t, "status", "--admin", serveRelay(t, r))
	if !strings.Contains(stdout, "note       no standby can take over: ") || !strings.Contains(stdout, "lead       none\n") {
		t.Errorf("%s", stdout)
	}
}

func TestLeadCommands(t *testing.T) {
	for _, c := range []struct {
		args   string
		err    error
		code   int
		told   string
		stdout string // its beginning
		stderr string // a part
	}{
		{"drain node-b", nil, exitOK, "drain node-b false", "drain node-b: taken\n" + nodesText, ""},
		{"drain node-a", nil, exitOK, "drain node-a false", "drain node-a: taken; it still leads, and another node will when we are not producing: see bprelay status\n", ""},
		{"drain --force node-b", nil, exitOK, "drain node-b true", "drain node-b: taken\n", ""},
		{"undrain node-c", nil, exitOK, "undrain node-c", "undrain node-c: taken\n", ""},
		{"lead node-a", nil, exitOK, "lead node-a false", "lead node-a: taken\n", ""},
		{"lead node-b --force", nil, exitOK, "lead node-b true", "lead node-b: taken; it will lead when we are not producing: see bprelay status\n", ""},
		{"drain node-f", fmt.Errorf("%w: it votes for our finalizer", core.ErrUnsafe), exitFailure, "drain node-f false", "",
			"bprelay: drain node-f: refused: not safe now: it votes for our finalizer (--force does it all the same)\n"},
		{"lead node-f", fmt.Errorf("%w: it never produces", core.ErrNotPossible), exitFailure, "lead node-f false", "",
			"bprelay: lead node-f: refused: not possible: it never produces\n"},
		{"drain node-x", core.ErrNoSuchNode, exitFailure, "drain node-x false", "", "bprelay: drain node-x: refused: no such node\n"},
		{"drain", nil, exitUsage, "", "", "accepts 1 arg"},
		{"drain a b", nil, exitUsage, "", "", "accepts 1 arg"},
		{"undrain a --force", nil, exitUsage, "", "", "unknown flag"},
	} {
		r := &ruled{takeover: leashed(), err: c.err}
		address := serveRelay(t, r)
		code, stdout, stderr := bprelay(t, append(strings.Fields(c.args), "--admin", address)...)
		if told := strings.Join(r.told, "; "); code != c.code || told != c.told || !strings.HasPrefix(squeeze(stdout), squeeze(c.stdout)) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, told %q\n%s%s\nwant %d, %q\n%s%s", c.args, code, told, stdout, stderr, c.code, c.told, c.stdout, c.stderr)
		}
	}
}

// Without a relay, or with another program there, nothing is done, and it is said.
func TestLeadCommandsNobodyThere(t *testing.T) {
	refused := closedPort(t)
	other := httptest.NewServer(nil)
	defer other.Close()
	for _, c := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"status --admin " + refused, exitFailure, "ask the relay at " + refused + ": "},
		{"drain a --admin " + refused, exitFailure, "tell the relay at " + refused + ": "},
		{"lead a --admin " + strings.TrimPrefix(other.URL, "http://"), exitFailure, "not a relay's"},
		{"undrain a --admin nowhere", exitUsage, "--admin"},
		{"status extra", exitUsage, "unknown command"},
	} {
		code, stdout, stderr := bprelay(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stderr, c.stderr) || stdout != "" {
			t.Errorf("%s: exit code %d, want %d\n%s%s", c.args, code, c.code, stdout, stderr)
		}
	}
}
