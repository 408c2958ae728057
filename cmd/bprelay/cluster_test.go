package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClusterCommands goes the way an operator goes.
func TestClusterCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	gossip := filepath.Join(dir, "gossip.keys")
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // parts
	}{
		{"cluster", exitOK, "rotate-gossip-key", ""},
		{"cluster frobnicate", exitUsage, "", "unknown command"},
		{"cluster init", exitUsage, "", "no --dir"},
		{"cluster init --dir " + dir, exitUsage, "", "no --member"},
		{"cluster init --dir " + dir + " --member a", exitFailure, "", "at least 2 members"},
		{"cluster init --dir " + dir + " --member a --member b --validity 10y", exitUsage, "", "such as 3650d"},
		{"cluster init --dir " + dir + " --member a --member b --validity 10d", exitFailure, "", "too short"},
		{"cluster init --dir " + dir + " --member a --member b", exitOK, "to none of them: " + filepath.Join(dir, "ca.key"), ""},
		{"cluster init --dir " + dir + " --member a --member b", exitFailure, "", "is not overwritten"},
		{"cluster show --dir " + dir, exitOK, "sha256:", ""},
		{"cluster add --dir " + dir + " --member w", exitOK, "to w: ", ""},
		{"cluster add --dir " + dir + " --member w", exitFailure, "", "is not overwritten"},
		{"cluster rotate-gossip-key", exitUsage, "", "accepts 1 arg"},
		{"cluster rotate-gossip-key turn --file " + gossip, exitUsage, "", "invalid argument"},
		{"cluster rotate-gossip-key use --file " + gossip, exitFailure, "", "add one first"},
		{"cluster rotate-gossip-key add --file " + gossip, exitOK, "then: rotate-gossip-key use", ""},
		{"cluster rotate-gossip-key use --file " + gossip, exitOK, "then: rotate-gossip-key remove", ""},
		{"cluster rotate-gossip-key remove --file " + gossip, exitOK, "the rotation is done", ""},
		{"cluster rotate-gossip-key remove --file " + gossip, exitFailure, "", "no old key"},
		{"cluster renew --dir " + dir + " --member w --validity 90d", exitOK, "renewed " + filepath.Join(dir, "w.crt"), ""},
		{"cluster renew --dir " + dir + " --member x", exitFailure, "", "x.crt"},
		{"cluster show --dir " + dir, exitOK, "w  ", ""},
		{"cluster show --dir " + dir + "x", exitFailure, "", "no such file"},
		{"cluster vote add", exitUsage, "", "accepts 2 arg"},
		{"cluster vote forget w", exitUsage, "", "say add or remove"},
		{"cluster vote add w --admin 127.0.0.1:1", exitFailure, "", "tell the relay at 127.0.0.1:1"},
	} {
		code, stdout, stderr := bprelay(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, want %d\nstdout %q\nstderr %q", c.args, code, c.code, stdout, stderr)
		}
	}
	var got struct {
		Certificates []struct{ Name, Pin string }
		GossipKeys   []struct{ Encrypts bool } `json:"gossip_keys"`
	}
	_, stdout, _ := bprelay(t, "cluster", "show", "--dir", dir, "--json")
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || len(got.Certificates) != 4 || len(got.GossipKeys) != 1 {
		t.Errorf("%v in %s", err, stdout)
	}
	if err := os.Remove(filepath.Join(dir, "a.crt")); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	bprelay(t, "cluster", "init", "--dir", other, "--member", "a", "--member", "b")
	if err := os.Rename(filepath.Join(other, "a.crt"), filepath.Join(dir, "a.crt")); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ := bprelay(t, "cluster", "show", "--dir", dir); code != exitFailure || !strings.Contains(stdout, "PROBLEM: "+dir+"/a.crt: is not signed by") {
		t.Errorf("%d: %s", code, stdout)
	}
}

// check says what a cluster's configuration means, and finds out what is wrong with the files; run
// refuses what it cannot do.
func TestClusterConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	if code, _, stderr := bprelay(t, "cluster", "init", "--dir", dir, "--member", "a", "--member", "b", "--member", "w"); code != exitOK {
		t.Fatal(stderr)
	}
	text := func(mode, credentials string) string {
		members := `{name: a, link: "10.0.0.1:9870", gossip: "10.0.0.1:7946"}, {name: b, link: "10.0.0.2:9870", gossip: "10.0.0.2:7946"}`
		if mode == "quorum" {
			members += `, {name: w, link: "10.0.0.3:9870", gossip: "10.0.0.3:7946", role: witness}`
		}
		return "producers: [bpalpha]\nnetwork: {peers: ['p.example:9876']}\nnodes: [{name: n, dial: '10.0.0.9:9876'}]\n" +
			"chain_id: " + strings.Repeat("ab", 32) + "\nstate_dir: " + dir + "/state\n" +
			"cluster:\n  mode: " + mode + "\n  name: a\n  gossip_key_file: " + dir + "/gossip.keys\n  credentials: " + credentials + "\n  members: [" + members + "]\n"
	}
	good := "{ca: " + dir + "/ca.crt, cert: " + dir + "/a.crt, key: " + dir + "/a.key}"
	pair := write(t, "pair.yaml", text("pair", good))
	for _, c := range []struct {
		args string
		code int
		want []string // parts of stderr
	}{
		{"check -c " + pair, exitOK, []string{
			"cluster: pair of a, b; this is a, link at 10.0.0.1:9870, gossip at 10.0.0.1:7946", "a alone becomes active", "waits up to 20ms",
			"a silent link is down after 225ms to 300ms; gossip calls a silent member dead after 500ms to 750ms", "whoever took over stays", "credentials hold until 20",
		}},
		{"check -c " + write(t, "quorum.yaml", text("quorum", good)), exitOK, []string{"quorum of a, b, w (witness)", "decided by 2 of 3",
			"round trips of up to 23ms (rtt_max): heartbeat 4 x rtt_max = 92ms, election 4 x heartbeat = 368ms, lease heartbeat / 2 = 46ms", "missed after 92ms to 184ms", "within 368ms in half of all cases and 460ms in 99 of 100"}},
		{"check -c " + write(t, "wan.yaml", text("quorum", good)+"  preset: wan\n  rtt_max: 100ms\n"), exitOK, []string{"heartbeat 4 x rtt_max = 400ms", "preset wan: "}},
		{"check -c " + write(t, "wrong.yaml", text("pair", strings.ReplaceAll(good, "/a.", "/b."))), exitUsage,
			[]string{"cluster.credentials: " + dir + "/b.crt is the certificate of b, and this member is a"}},
		{"check -c " + write(t, "swapped.yaml", strings.Replace(text("pair", good), "gossip.keys", "a.key", 1)), exitUsage, []string{"cluster.gossip_key_file: ", "not a key"}},
		{"check -c " + write(t, "witness.yaml", strings.ReplaceAll(strings.Replace(text("quorum", good), "  name: a\n", "  name: w\n", 1), "/a.", "/w.")), exitOK,
			[]string{"takeover: none, a witness", "this is w"}},
		{"check -c " + write(t, "alone.yaml", strings.Split(text("pair", good), "cluster:")[0]), exitOK, []string{"cluster: standalone"}},
	} {
		code, _, stderr := bprelay(t, strings.Fields(c.args)...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(stderr, want) {
				t.Errorf("%s: exit code %d, want %d, and %q in\n%s", c.args, code, c.code, want, stderr)
			}
		}
	}
}
