package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/admin"
	"bprelay/relay/core"
)

// recorded is a relay with three own slots: one public, one lost, one whose node sent nothing else.
type recorded struct{ query core.SlotQuery }

func (r *recorded) Status(context.Context) (core.Status, error) { return core.Status{}, nil }

func (r *recorded) Slots(_ context.Context, q core.SlotQuery) (core.SlotReport, error) {
	r.query = q
	name, _ := p2pwire.ParseName("bpalpha")
	rep := core.SlotReport{Now: 1300, Oldest: 1200, Newest: 1202, Kept: 3, PeriodRounds: 21, StartedAt: time.Unix(0, p2pwire.Slot(1000).Time()).UTC(), Slots: []core.SlotRecord{}}
	for slot := p2pwire.Slot(1200); slot < 1203; slot++ {
		x := core.SlotRecord{
			Producer: name, Slot: slot, Time: time.Unix(0, slot.Time()).UTC(), Index: slot.Index(), DueNs: -37_500_000, Closed: true,
			Outcome: core.OutcomePublic, Reason: core.ReasonClaimed, Node: "bp1", Num: 300, Sessions: 2,
			LeftNs: core.Offset{Ns: -37e6, Known: true}, AddedNs: core.Offset{Ns: 2e5, Known: true},
			Nodes: []core.NodeRecord{{Node: "bp1", Decision: core.DecisionOut, Candidates: 1, Connected: true, ArrivedNs: core.Offset{Ns: -372e5, Known: true}}},
		}
		if slot == 1201 {
			x.Outcome, x.Reason, x.Node, x.LeftNs, x.Nodes = core.OutcomeLost, core.ReasonNodeSilent, "", core.Offset{}, []core.NodeRecord{{Node: "bp1", Connected: true}}
		}
		if q.Slot == 0 && q.Num == 0 || q.Slot == slot || q.Num == 300 {
			rep.Slots = append(rep.Slots, x)
		}
	}
	return rep, nil
}

func TestExplain(t *testing.T) {
	src := &recorded{}
	h, err := admin.Handler(admin.Config{Source: src})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	address := strings.TrimPrefix(srv.URL, "http://")
	file := write(t, "c.yaml", strings.Replace(small, "admin: {listen: \"127.0.0.1:0\"}", "admin: {listen: \""+address+"\"}", 1))
	const (
		good  = "slot 1200: public: bp1's block 300 left 37 ms before its timestamp, to 2 network sessions\n"
		story = "  bpalpha, 1 of 12 in its round, timestamp 2000-01-01 00:10:00.0 UTC\n" +
			"  it was due 38 ms before its timestamp; the relay had it for 0.2 ms; the network has not shown yet that it has it\n" +
			"  bp1: its block came 0.3 ms after it was due and went out\n"
		lost = "slot 1201: lost: bp1 was connected, but sent no block\n" +
			"  bpalpha, 2 of 12 in its round, timestamp 2000-01-01 00:10:00.5 UTC\n" +
			"  bp1: was connected, but sent no block\n" +
			"  what to do: Look at the nodes' logs: "
	)
	for _, c := range []struct {
		args   string
		code   int
		stdout string // its beginning
		query  core.SlotQuery
	}{
		{"--slot 1200", exitOK, good + story, core.SlotQuery{Slot: 1200}},
		{"--slot 1201", exitOK, lost, core.SlotQuery{Slot: 1201}},
		{"--block 300", exitOK, good + story, core.SlotQuery{Num: 300}},
		{"--last 240", exitOK, good + lost, core.SlotQuery{Last: 240}},
		{"--last", exitOK, good + lost, core.SlotQuery{Last: 12}},
		{"--last=2", exitOK, good + lost, core.SlotQuery{Last: 2}},
		{"", exitOK, good + lost, core.SlotQuery{Last: 12}},
		{"--slot 1100", exitFailure, "slot 1100: is older than the 3 records kept", core.SlotQuery{Slot: 1100}},
		{"--block 7", exitFailure, "block 7: no block of ours with this number", core.SlotQuery{Num: 7}},
	} {
		for _, where := range []string{" --admin " + address, " -c " + file} {
			src.query = core.SlotQuery{}
			code, stdout, stderr := bprelay(t, strings.Fields("explain "+c.args+where)...)
			if code != c.code || !strings.HasPrefix(stdout, c.stdout) || src.query != c.query {
				t.Errorf("explain %s: exit code %d, asked %+v\n%s%s\nwant %d, %+v\n%s", c.args, code, src.query, stdout, stderr, c.code, c.query, c.stdout)
			}
		}
	}
	code, stdout, _ := bprelay(t, "explain", "--slot", "1201", "--json", "--admin", address)
	var rep core.SlotReport
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil || code != exitOK || len(rep.Slots) != 1 || rep.Slots[0].Reason != core.ReasonNodeSilent {
		t.Errorf("--json: %d, %v\n%s", code, err, stdout)
	}
}

func TestExplainErrors(t *testing.T) {
	refused := closedPort(t)
	other := httptest.NewServer(nil) // answers 404 in plain text
	defer other.Close()
	off := write(t, "off.yaml", strings.Replace(small, "admin: {listen: \"127.0.0.1:0\"}", "admin: {listen: off}", 1))
	for _, c := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"--slot 1 --admin " + refused, exitFailure, "ask the relay at " + refused + ": "},
		{"--admin " + strings.TrimPrefix(other.URL, "http://"), exitFailure, "not a relay's"},
		{"-c " + off, exitUsage, "admin.listen is off"},
		{"-c " + off + ".missing", exitUsage, "no such file"},
		{"--admin nowhere", exitUsage, "--admin"},
		{"--slot 0", exitUsage, "above 0"},
		{"--slot x", exitUsage, "--slot takes a whole number from 0 on, not \"x\""},
		{"--slot 1 --last", exitUsage, "slot"},
		{"--last 0", exitUsage, "from 1 to 240"},
		{"--last 241", exitUsage, "from 1 to 240"},
		{"--last two", exitUsage, "unexpected argument"},
		{"17", exitUsage, "unexpected argument"},
	} {
		code, stdout, stderr := bprelay(t, strings.Fields("explain "+c.args)...)
		if code != c.code || !strings.Contains(stderr, c.stderr) {
			t.Errorf("explain %s: exit code %d, want %d\n%s%s", c.args, code, c.code, stdout, stderr)
		}
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8765": "127.0.0.1:8765", ":8765": "localhost:8765", "0.0.0.0:8765": "localhost:8765",
		"[::]:8765": "localhost:8765", "10.0.0.9:1": "10.0.0.9:1", "relay.example:1": "relay.example:1",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}
