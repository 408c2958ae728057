package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cluster is least with a cluster's section, on lines 7 to 13; more lines follow.
func cluster(mode, members string, lines ...string) string {
	return voting(with(append([]string{
		"cluster:",
		"  mode: " + mode,
		"  name: a",
		"  members:" + members,
		"  gossip_key_file: keys",
		"  credentials: {ca: ca.crt, cert: a.crt, key: a.key}",
	}, lines...)...))
}

// voting gives the producer of least a finalizer key.
func voting(text string) string {
	return strings.Replace(text, "producers: [alice]", "producers: [{name: alice, finalizer_keys: ["+testFinalizer+"]}]", 1)
}

const (
	memberA = `{name: a, link: "10.0.0.1:9870", gossip: "10.0.0.1:7946"}`
	memberB = `{name: b, link: "10.0.0.2:9870", gossip: "10.0.0.2:7946"}`
	memberW = `{name: w, link: "10.0.0.3:9870", gossip: "10.0.0.3:7946", role: witness}`
)

func listOf(members ...string) string { return " [" + strings.Join(members, ", ") + "]" }

func TestCluster(t *testing.T) {
	c := mustParse(t, cluster("pair", listOf(memberA, memberB), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s"))
	cl := &c.Cluster
	want := Cluster{
		Mode: ClusterPair, Name: "a", Members: cl.Members, PriorityMember: "a", ListenLink: "10.0.0.1:9870", ListenGossip: "10.0.0.1:7946",
		CA: "ca.crt", Cert: "a.crt", Key: "a.key", GossipKeyFile: "keys", Preset: ClusterLAN,
	}
	if cl.Name != want.Name || cl.PriorityMember != want.PriorityMember || cl.ListenLink != want.ListenLink || cl.ListenGossip != want.ListenGossip ||
		cl.Preset != want.Preset || cl.ClaimWait != want.ClaimWait || cl.EchoWait != want.EchoWait || cl.Failback || cl.Pinned() || cl.Witness() ||
		len(cl.Members) != 2 || cl.Self().Link != "10.0.0.1:9870" || cl.Members[1].Role != MemberRelay {
		t.Errorf("%+v", cl)
	}
	// One file for all: the name comes from the environment.
	c = mustParse(t, cluster("pair", listOf(memberA, memberB), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s"), "BPRELAY_CLUSTER_NAME=b")
	if c.Cluster.Self().Name != "b" || c.Cluster.ListenLink != "10.0.0.2:9870" {
		t.Errorf("%+v", c.Cluster)
	}
	// Names of hosts are listened for everywhere.
	named := strings.NewReplacer("10.0.0.1", "host-a", "10.0.0.2", "host-b").Replace(cluster("pair", listOf(memberA, memberB)))
	c, _, err := Parse("relay.yaml", []byte(named), nil)
	if err != nil || c.Cluster.ListenLink != "0.0.0.0:9870" || c.Cluster.ListenGossip != "0.0.0.0:7946" {
		t.Errorf("%v, %+v", err, c)
	}
	if c := mustParse(t, least); c.Cluster.Clustered() || c.Cluster.Self() != nil || c.Cluster.Witness() {
		t.Errorf("%+v", c.Cluster)
	}
}

// A witness needs neither producers nor nodes nor peers.
func TestWitness(t *testing.T) {
	text := strings.TrimPrefix(cluster("quorum", listOf(memberA, memberB, memberW), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s"), voting(least))
	c, warnings, err := Parse("relay.yaml", []byte(text), []string{"BPRELAY_CLUSTER_NAME=w"})
	if err != nil || len(warnings) != 0 || !c.Cluster.Witness() {
		t.Fatalf("%v, %v", err, warnings)
	}
	if _, _, err := Parse("relay.yaml", []byte(text), nil); err == nil || !strings.Contains(err.Error(), "nodes: is missing") {
		t.Errorf("a relay without nodes: %v", err)
	}
}

func TestClusterErrors(t *testing.T) {
	const (
		pinA = "sha256:" + "aa" + "00000000000000000000000000000000000000000000000000000000000000"
		pinB = "sha256:" + "bb" + "00000000000000000000000000000000000000000000000000000000000000"
	)
	pinned := func(member, pin string) string { return strings.Replace(member, "}", `, pin: "`+pin+`"}`, 1) }
	change := func(text string, pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("no %q in %s", pairs[i], text)
			}
		}
		return strings.NewReplacer(pairs...).Replace(text)
	}
	pair := cluster("pair", listOf(memberA, memberB))
	quorum := cluster("quorum", listOf(memberA, memberB, memberW), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s")
	for _, c := range []struct{ name, text, want string }{
		{"mode", with("cluster: {mode: triple}"), `relay.yaml:7: cluster.mode: "triple" is none of the choices; choose standalone, pair or quorum`},
		{"mode alone", with("cluster: {mode: pair}"), `relay.yaml: cluster.name: is missing: cluster.mode is pair; give this relay's name among cluster.members
relay.yaml: cluster.credentials.cert: is missing: cluster.mode is pair; give this member's certificate, which bprelay cluster init makes
relay.yaml: cluster.credentials.key: is missing: cluster.mode is pair; give the file with this member's key
relay.yaml: cluster.gossip_key_file: is missing: cluster.mode is pair; give the file with the gossip keys, which bprelay cluster init makes
relay.yaml: cluster.members: has 0, and a pair has 2; give the two relays, or choose cluster.mode quorum for three or more`},
		{"unknown key", change(pair, "gossip_key_file", "gossip_keyfile"), `relay.yaml:11: cluster.gossip_keyfile: unknown key; did you mean cluster.gossip_key_file?
relay.yaml: cluster.gossip_key_file: is missing: cluster.mode is pair; give the file with the gossip keys, which bprelay cluster init makes`},
		{"unknown key of a member", change(pair, "10.0.0.2:7946\"", "10.0.0.2:7946\", adress: x"), `relay.yaml:10: cluster.members[1].adress: unknown key; possible here: name, link, gossip, admin, role, pin`},
		{"no link", change(pair, `link: "10.0.0.2:9870", `, ""), `relay.yaml:10: cluster.members[1].link: is missing; give one (host:port)`},
		{"a wildcard", change(pair, "10.0.0.2:9870", "0.0.0.0:9870"), `relay.yaml:10: cluster.members[1].link: "0.0.0.0:9870" is no address one can connect to; give host:port, such as 10.0.0.11:9876, node-a:9876 or [fd00::1]:9876`},
		{"pair of three", cluster("pair", listOf(memberA, memberB, memberW)), `relay.yaml:10: cluster.members[2].role: "witness" has no place in a pair; choose cluster.mode quorum, with three members
relay.yaml:10: cluster.members: has 3, and a pair has 2; give the two relays, or choose cluster.mode quorum for three or more`},
		{"quorum of two", change(quorum, ", "+memberW, ""), `relay.yaml:10: cluster.members: has 2, and a quorum needs 3: of 2, both would have to be there always; add a witness, or choose cluster.mode pair`},
		{"quorum of one relay", change(quorum, memberB, change(memberB, "}", ", role: witness}")), `relay.yaml:10: cluster.members: has 1 relays: nobody could take over; give at least two the role relay`},
		{"quorum without state", change(quorum, "state_dir: /s", ""), `relay.yaml: state_dir: is missing: with cluster.mode quorum what was decided must outlive a restart; give a directory on a local disk`},
		{"self not a member", change(pair, "  name: a", "  name: c"), `relay.yaml:9: cluster.name: "c" is the name of no member; give the name of one of cluster.members`},
		{"name twice", change(pair, "name: b", "name: A"), `relay.yaml:10: cluster.members[1].name: "A" is given twice, as cluster.members[0] too; give each member a name of its own`},
		{"address twice", change(pair, "10.0.0.2:9870", "10.0.0.1:9870"), `relay.yaml:10: cluster.members[1].link: "10.0.0.1:9870" is an address of cluster.members[0] too; give each member addresses of its own, and link and gossip different ports`},
		{"one port for both", change(pair, "10.0.0.2:7946", "10.0.0.2:9870"), `relay.yaml:10: cluster.members[1].gossip: "10.0.0.2:9870" is an address of cluster.members[1] too; give each member addresses of its own, and link and gossip different ports`},
		{"loopback among others", change(pair, "10.0.0.2:9870", "localhost:9870"), `relay.yaml:10: cluster.members[1].link: "localhost:9870" is on loopback, and other members are on other hosts; give the address by which the others reach it`},
		{"priority of nobody", change(pair, "  name: a\n", "  name: a\n  priority_member: c\n"), `relay.yaml:10: cluster.priority_member: "c" is the name of no member; give the name of one of cluster.members`},
		{"priority of a witness", change(quorum, "  name: a\n", "  name: a\n  priority_member: w\n"), `relay.yaml:10: cluster.priority_member: "w" is a witness, which is never active; give the name of a relay`},
		{"port taken", change(pair, "cluster:", "listen: {network: '0.0.0.0:9870'}\ncluster:"), `relay.yaml: cluster.listen_link: "10.0.0.1:9870" is taken by listen.network (0.0.0.0:9870); give it another port or address`},
		{"own port taken", change(pair, "  name: a\n", "  name: a\n  listen_gossip: ':9870'\n"), `relay.yaml:10: cluster.listen_gossip: ":9870" is taken by cluster.listen_link (10.0.0.1:9870); give it another port or address`},
		{"no CA", change(pair, "ca: ca.crt, ", ""), `relay.yaml: cluster.credentials.ca: is missing: cluster.mode is pair; give the cluster's CA, or a pin for each member`},
		{"CA and pins", change(pair, memberA, pinned(memberA, pinA), memberB, pinned(memberB, pinB)), `relay.yaml:12: cluster.credentials.ca: "ca.crt" stands beside pins of members; remove it, or the pins`},
		{"a pin missing", change(pair, memberA, pinned(memberA, pinA), "ca: ca.crt, ", ""), `relay.yaml:10: cluster.members[1]: "b" has no pin, and others have one; give it one, or cluster.credentials.ca instead of all pins`},
		{"a pin twice", change(pair, memberA, pinned(memberA, pinA), memberB, pinned(memberB, pinA), "ca: ca.crt, ", ""),
			`relay.yaml:10: cluster.members[1].pin: "` + pinA + `" is the pin of cluster.members[0] too; give each member a key of its own`},
		{"no pin", change(pair, memberA, pinned(memberA, "sha256:12"), "ca: ca.crt, ", ""),
			"relay.yaml:10: cluster.members[0].pin: \"sha256:12\" is not a pin; give sha256: and 64 hex digits, as `bprelay cluster show` prints it"},
		{"long claim wait", change(pair, "  name: a\n", "  name: a\n  claim_wait: 450ms\n"), `relay.yaml:10: cluster.claim_wait: "450ms" is out of range; give a duration from 10ms to 400ms`},
		{"long echo wait", change(pair, "  name: a\n", "  name: a\n  echo_wait: 450ms\n"), `relay.yaml:10: cluster.echo_wait: "450ms" is out of range; give a duration from 50ms to 400ms`},
		{"leash without finalizer keys", "takeover: leash\n" + strings.Replace(pair, voting(least), least, 1),
			`relay.yaml: producers[0].finalizer_keys: is missing: with takeover leash in a cluster votes of ours must be known; give the BLS public keys of its finalizers`},
		{"key in the file", change(pair, "a.key", testPrivate), `relay.yaml:12: cluster.credentials.key: "(a private key)" must not be in the configuration; put the key into a file of mode 0600, name that file here, and treat the key as disclosed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := Parse("relay.yaml", []byte(c.text), nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("\ngot  %v\nwant %s", err, c.want)
			}
			if err != nil && got != nil {
				t.Error("a configuration came with the error")
			}
		})
	}
}

func TestClusterWarnings(t *testing.T) {
	three := listOf(memberA, memberB, memberW)
	quorum := []string{"chain_id: " + strings.Repeat("ab", 32), "state_dir: /s"}
	with := func(mode, members, option string) string {
		return strings.Replace(cluster(mode, members, quorum...), "cluster:\n", "cluster:\n  "+option+"\n", 1)
	}
	memberX := strings.NewReplacer("name: w", "name: x", "10.0.0.3", "10.0.0.4").Replace(memberW)
	for _, c := range []struct{ name, text, want string }{
		{"members for nobody", cluster("standalone", listOf(memberA, memberB)), `relay.yaml:10: cluster.members: has no effect: cluster.mode is standalone`},
		{"pair without state", cluster("pair", listOf(memberA, memberB)), `relay.yaml: state_dir: is missing: a member of the pair that restarts while the other one is gone has the start fence`},
		{"even number", cluster("quorum", listOf(memberA, memberB, memberW, memberX), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s"),
			`relay.yaml:10: cluster.members: 4 members bear the loss of 1, as 3 would`},
		{"round trips of a pair", with("pair", listOf(memberA, memberB), "rtt_max: 100ms"), `relay.yaml:8: cluster.rtt_max: has no effect: cluster.mode is pair`},
		{"short round trips", with("quorum", three, "rtt_max: 10ms"),
			`relay.yaml:8: cluster.rtt_max: 10ms leaves a member 40ms to show itself: a busy processor or disk will look like a death; 23ms is what lan has`},
		{"whose votes", strings.Replace(cluster("pair", listOf(memberA, memberB), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s"), voting(least), least, 1),
			`relay.yaml: producers[0].finalizer_keys: is missing: a Savanna chain's votes of ours are not told from others' in a cluster, and held nodes get none`},
	} {
		_, warnings, err := Parse("relay.yaml", []byte(c.text), nil)
		if err != nil || len(warnings) != 1 || warnings[0].String() != c.want {
			t.Errorf("%s: %v\ngot  %v\nwant %s", c.name, err, warnings, c.want)
		}
	}
}

// Load looks whether the files are there.
func TestClusterFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(path, []byte(cluster("pair", listOf(memberA, memberB))), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(path, nil)
	for _, name := range []string{"ca.crt", "a.crt", "a.key", "keys"} {
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)+`" does not exist`) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = Load(path, nil)
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), `a.key" can be read or written by everybody`) ||
		!strings.Contains(err.Error(), `keys" can be read or written by everybody`) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"a.key", "keys"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := Load(path, nil)
	if err != nil || c.Cluster.Key != filepath.Join(dir, "a.key") || c.Cluster.CA != filepath.Join(dir, "ca.crt") {
		t.Errorf("%v, %+v", err, c)
	}
}

// A node beside the relay that is active as a rule should not lead, and both relays' files say so. Beside the
// other one it may.
func TestLeadBesideARelayOfThePair(t *testing.T) {
	two := func(host, self string) string {
		text := cluster("pair", listOf(memberA, memberB), "chain_id: "+strings.Repeat("ab", 32), "state_dir: /s")
		text = strings.Replace(text, "  name: a\n", "  name: "+self+"\n  priority_member: a\n", 1)
		i := strings.Index(text, "nodes:")
		j := i + strings.Index(text[i:], "\n  -")
		k := j + 1 + strings.Index(text[j+1:], "\n")
		return text[:j] + "\n  - {name: n1, dial: '" + host + ":9876', priority: 1}\n  - {name: n2, dial: '10.0.0.9:9876'}" + text[k:]
	}
	for host, beside := range map[string]bool{"10.0.0.1": true, "10.0.0.2": false, "10.0.0.8": false} {
		for _, self := range []string{"a", "b"} {
			_, warnings, err := Parse("relay.yaml", []byte(two(host, self)), nil)
			if err != nil {
				t.Fatal(err)
			}
			said := false
			for _, w := range warnings {
				said = said || strings.Contains(w.Text, "n1 may lead and is on the host of a, the relay that is active as a rule")
			}
			if said != beside {
				t.Errorf("n1 at %s, relay %s: %v", host, self, warnings)
			}
		}
	}
}
