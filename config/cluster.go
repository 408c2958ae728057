package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ClusterMode is how many relays act as one.
type ClusterMode string

// The modes.
const (
	ClusterStandalone ClusterMode = "standalone" // one relay
	ClusterPair       ClusterMode = "pair"       // two, the chain is the witness
	ClusterQuorum     ClusterMode = "quorum"     // three or more, a majority decides
)

// ClusterPreset is how far apart the members are.
type ClusterPreset string

// The presets.
const (
	ClusterLocal ClusterPreset = "local"
	ClusterLAN   ClusterPreset = "lan"
	ClusterWAN   ClusterPreset = "wan"
)

// MemberRole is what a member of a cluster is there for.
type MemberRole string

// The roles.
const (
	MemberRelay   MemberRole = "relay"   // may become active
	MemberWitness MemberRole = "witness" // only has a voice
)

// Cluster is the relays that act as one. In mode standalone nothing else of it counts.
type Cluster struct {
	Mode ClusterMode
	// Name is this relay's among the Members.
	Name    string
	Members []ClusterMember
	// PriorityMember is one of Members, the first relay if none was given.
	PriorityMember string
	// ListenLink and ListenGossip are where to listen (host:port); filled in from the own member's
	// addresses if they were not given.
	ListenLink   string
	ListenGossip string
	// CA, Cert and Key are paths, absolute after [Load]. CA is empty if the members have pins.
	CA, Cert, Key string
	// GossipKeyFile is a path, absolute after [Load].
	GossipKeyFile string
	Preset        ClusterPreset
	// RTTMax is the longest healthy round trip between two members of a quorum; 0: by Preset.
	RTTMax time.Duration
	// ClaimWait is how long an active waits for the others' acknowledgement of a claim; 0: by Preset.
	ClaimWait time.Duration
	// EchoWait is how long an own slot's echo is waited for before a takeover; 0: by Preset.
	EchoWait time.Duration
	// AgentCheck is where HAProxy's agent-check is answered (host:port); empty: nowhere.
	AgentCheck string
	// Failback makes the priority member active again when it is back.
	Failback bool
}

// ClusterMember is one relay or witness of a cluster. The addresses are host:port.
type ClusterMember struct {
	Name   string
	Link   string
	Gossip string
	// Admin is empty if it is not known.
	Admin string
	Role  MemberRole
	// Pin is the SHA-256 of its public key; zero if a CA speaks for it.
	Pin [32]byte
}

// Clustered reports whether there is more than one relay.
func (c *Cluster) Clustered() bool { return c.Mode == ClusterPair || c.Mode == ClusterQuorum }

// Self is this relay's entry; nil in mode standalone.
func (c *Cluster) Self() *ClusterMember { return c.member(c.Name) }

func (c *Cluster) member(name string) *ClusterMember {
	for i := range c.Members {
		if c.Members[i].Name == name && name != "" && c.Clustered() {
			return &c.Members[i]
		}
	}
	return nil
}

// Witness reports whether this process is a witness, which has no nodes and no peers.
func (c *Cluster) Witness() bool {
	self := c.Self()
	return c.Mode == ClusterQuorum && self != nil && self.Role == MemberWitness
}

// Pinned reports whether members are known by pins.
func (c *Cluster) Pinned() bool {
	return slices.ContainsFunc(c.Members, func(m ClusterMember) bool { return m.Pin != [32]byte{} })
}

func clusterOptions() []option[Config] {
	return []option[Config]{{
		path: "cluster.mode",
		kind: choice(func(c *Config) *ClusterMode { return &c.Cluster.Mode },
			string(ClusterStandalone), string(ClusterPair), string(ClusterQuorum)),
		def: string(ClusterStandalone),
		doc: "How many relays act as one. standalone: this one. pair: two, of which one is active; the other takes over when " +
			"it sees on the chain that a block of ours is missing. quorum: three or more, which decide by majority what goes " +
			"out; one may be a witness. Each node connects to every relay.",
	}, {
		path:    "cluster.name",
		kind:    label(func(c *Config) *string { return &c.Cluster.Name }),
		example: "relay-a",
		doc: "This relay's name among cluster.members. The rest of this section should be the same on all members: with " +
			"the environment variable one file does for all.",
	}, {
		path:    "cluster.members",
		kind:    records(func(c *Config) *[]ClusterMember { return &c.Cluster.Members }, memberOptions(), ""),
		example: `[{name: relay-a, link: "a:9870", gossip: "a:7946"}, {name: b, link: "b:9870", gossip: "b:7946"}]`,
		doc:     "All members of the cluster, this one included.",
	}, {
		path:    "cluster.priority_member",
		kind:    label(func(c *Config) *string { return &c.Cluster.PriorityMember }),
		example: "relay-a",
		doc: "The only member of a pair that becomes active without ever having seen the other one, and the one that " +
			"cluster.failback goes back to. If left out, the first relay of cluster.members.",
	}, {
		path:    "cluster.listen_link",
		kind:    listen(func(c *Config) *string { return &c.Cluster.ListenLink }),
		example: "0.0.0.0:9870",
		doc: "Where this member listens for links, if not at its own address in cluster.members. If left out and that has " +
			"a host name, it listens on all interfaces.",
	}, {
		path:    "cluster.listen_gossip",
		kind:    listen(func(c *Config) *string { return &c.Cluster.ListenGossip }),
		example: "0.0.0.0:7946",
		doc:     "The same for gossip, which needs UDP and TCP.",
	}, {
		path:    "cluster.credentials.ca",
		kind:    file(func(c *Config) *string { return &c.Cluster.CA }),
		example: "cluster/ca.crt",
		doc: "Certificate of the cluster's CA, which `bprelay cluster init` makes. Instead of pins of all members. A relative " +
			"path counts from this file's directory.",
	}, {
		path:    "cluster.credentials.cert",
		kind:    file(func(c *Config) *string { return &c.Cluster.Cert }),
		example: "cluster/relay-a.crt",
		doc:     "This member's certificate.",
	}, {
		path:    "cluster.credentials.key",
		kind:    file(func(c *Config) *string { return &c.Cluster.Key }),
		example: "cluster/relay-a.key",
		doc:     "File with this member's private key. Nobody but its owner may have access to it (chmod 600).",
	}, {
		path:    "cluster.gossip_key_file",
		kind:    file(func(c *Config) *string { return &c.Cluster.GossipKeyFile }),
		example: "cluster/gossip.keys",
		doc: "File with the keys that encrypt gossip, the same on all members (chmod 600). It is read again every few " +
			"seconds: see `bprelay cluster rotate-gossip-key`.",
	}, {
		path: "cluster.preset",
		kind: choice(func(c *Config) *ClusterPreset { return &c.Cluster.Preset },
			string(ClusterLocal), string(ClusterLAN), string(ClusterWAN)),
		def: string(ClusterLAN),
		doc: "How far apart the members are, which decides how soon a silent one is found out. local: all on one machine. lan: " +
			"round trips below 20 ms. wan: below 500 ms. The same on all members; `bprelay check` says what it means.",
	}, {
		path:    "cluster.rtt_max",
		kind:    duration(func(c *Config) *time.Duration { return &c.Cluster.RTTMax }, 5*time.Millisecond, time.Second),
		example: "23ms",
		doc: "Longest round trip between two members of a quorum that is still healthy, its processor and disk included. All " +
			"times of an election follow from it: a member misses the leader after 4 x rtt_max (heartbeat), an election is " +
			"held again after 4 x heartbeat, a leader without a majority's word gives up after heartbeat / 2. Less takes over " +
			"sooner, and more often for nothing. The same on all members. If left out, by cluster.preset: local 12 ms, lan 23 " +
			"ms, wan 150 ms; `bprelay check` says what it comes to.",
	}, {
		path:    "cluster.claim_wait",
		kind:    duration(func(c *Config) *time.Duration { return &c.Cluster.ClaimWait }, 10*time.Millisecond, 400*time.Millisecond),
		example: "20ms",
		doc: "How long a block of ours waits for the other relay of a pair to say that it has it, while that one is there and " +
			"only slow. More than a few round trips; each block that waits leaves that much later. If left out, by " +
			"cluster.preset: local 10 ms, lan 20 ms, wan 120 ms.",
	}, {
		path:    "cluster.echo_wait",
		kind:    duration(func(c *Config) *time.Duration { return &c.Cluster.EchoWait }, 50*time.Millisecond, 400*time.Millisecond),
		example: "200ms",
		doc: "How long after a block of ours was due a standby waits for the network to show it, before it takes over. If left " +
			"out, by cluster.preset: local 150 ms, lan 200 ms, wan 350 ms.",
	}, {
		path:    "cluster.agent_check",
		kind:    listen(func(c *Config) *string { return &c.Cluster.AgentCheck }),
		example: "0.0.0.0:8766",
		doc: "Where HAProxy's agent-check is answered over plain TCP, one line for each connection: `ready up` on the relay that " +
			"lets blocks out, `down` on a standby, `drain` on one that is about to end. If left out, nowhere.",
	}, {
		path: "cluster.failback",
		kind: boolean(func(c *Config) *bool { return &c.Cluster.Failback }),
		def:  "false",
		doc:  "Whether the priority member becomes active again, outside our rounds, when it is back. If not, whoever took over stays.",
	}}
}

func memberOptions() []option[ClusterMember] {
	return []option[ClusterMember]{{
		path:     "name",
		kind:     label(func(m *ClusterMember) *string { return &m.Name }),
		required: true,
		doc:      "Its name, for which its certificate was made.",
	}, {
		path:     "link",
		kind:     dial(func(m *ClusterMember) *string { return &m.Link }),
		required: true,
		doc:      "Where the other members connect to it (TCP, encrypted).",
	}, {
		path:     "gossip",
		kind:     dial(func(m *ClusterMember) *string { return &m.Gossip }),
		required: true,
		doc:      "Where it takes gossip (UDP and TCP, encrypted).",
	}, {
		path: "admin",
		kind: dial(func(m *ClusterMember) *string { return &m.Admin }),
		doc:  "Where commands such as `bprelay status` reach its admin server.",
	}, {
		path: "role",
		kind: choice(func(m *ClusterMember) *MemberRole { return &m.Role }, string(MemberRelay), string(MemberWitness)),
		def:  string(MemberRelay),
		doc:  "relay: it has nodes and peers, and may be active. witness (quorum): it only has a voice.",
	}, {
		path: "pin",
		kind: scalar("sha256: and 64 hex digits", func(m *ClusterMember) *[32]byte { return &m.Pin }, parsePin),
		doc:  "SHA-256 of its public key, as `bprelay cluster show` prints it. Instead of cluster.credentials.ca; for all members.",
	}}
}

func parsePin(text string) (pin [32]byte, problem *invalid) {
	digits, ok := strings.CutPrefix(text, "sha256:")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(pin) || [32]byte(b) == pin {
		return pin, bad("give sha256: and 64 hex digits, as `bprelay cluster show` prints it", "is not a pin")
	}
	return [32]byte(b), nil
}

// settle fills in what follows from other options.
func (c *Cluster) settle() {
	if !c.Clustered() {
		return
	}
	if c.PriorityMember == "" {
		for _, m := range c.Members {
			if m.Role == MemberRelay {
				c.PriorityMember = m.Name
				break
			}
		}
	}
	if self := c.Self(); self != nil {
		if c.ListenLink == "" {
			c.ListenLink = listenFor(self.Link)
		}
		if c.ListenGossip == "" {
			c.ListenGossip = listenFor(self.Gossip)
		}
	}
}

// listenFor is where to listen for what arrives at an address: there, or everywhere if it is a name.
func listenFor(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return address
	}
	return net.JoinHostPort("0.0.0.0", port)
}

// checkCluster wants of a cluster that it can work.
func (d *decoder) checkCluster(c *Config) {
	cl := &c.Cluster
	if !d.good("cluster.mode") {
		return
	}
	if !cl.Clustered() {
		if len(cl.Members) > 0 {
			d.warn("cluster.members", "has no effect: cluster.mode is standalone")
		}
		return
	}
	for _, o := range []struct{ path, value, want string }{
		{"cluster.name", cl.Name, "give this relay's name among cluster.members"},
		{"cluster.credentials.cert", cl.Cert, "give this member's certificate, which bprelay cluster init makes"},
		{"cluster.credentials.key", cl.Key, "give the file with this member's key"},
		{"cluster.gossip_key_file", cl.GossipKeyFile, "give the file with the gossip keys, which bprelay cluster init makes"},
	} {
		if o.value == "" && d.good(o.path) {
			d.fail(o.path, "", bad(o.want, "is missing: cluster.mode is %s", cl.Mode))
		}
	}
	if !d.good("cluster.members") {
		return
	}
	d.checkMembers(cl)
	d.checkPins(cl)
	d.checkMemberAddresses(cl)
	d.checkClusterListeners(c)
	if d.good("cluster.name") && cl.Self() == nil {
		d.fail("cluster.name", cl.Name, bad("give the name of one of cluster.members", "is the name of no member"))
	}
	if d.good("cluster.priority_member") {
		switch m := cl.member(cl.PriorityMember); {
		case m == nil && cl.PriorityMember != "":
			d.fail("cluster.priority_member", cl.PriorityMember, bad("give the name of one of cluster.members", "is the name of no member"))
		case m != nil && m.Role == MemberWitness:
			d.fail("cluster.priority_member", m.Name, bad("give the name of a relay", "is a witness, which is never active"))
		}
	}
	d.checkQuorumTimes(cl)
	d.checkClusterTakeover(c)
	switch {
	case cl.Mode == ClusterQuorum && c.StateDir == "" && d.good("state_dir"):
		d.fail("state_dir", "", bad("give a directory on a local disk", "is missing: with cluster.mode quorum what was decided must outlive a restart"))
	case c.StateDir == "" && d.good("state_dir"):
		d.warn("state_dir", "is missing: a member of the pair that restarts while the other one is gone has the start fence")
	}
}

// floorRTT is the least of cluster.rtt_max that a machine's own pauses leave room for.
const floorRTT = 23 * time.Millisecond

// checkQuorumTimes tells of times that mean nothing in this mode, or little good.
func (d *decoder) checkQuorumTimes(cl *Cluster) {
	switch {
	case cl.RTTMax > 0 && cl.Mode != ClusterQuorum:
		d.warn("cluster.rtt_max", "has no effect: cluster.mode is %s", cl.Mode)
	case cl.RTTMax > 0 && cl.RTTMax < floorRTT && cl.Preset != ClusterLocal:
		d.warn("cluster.rtt_max", "%s leaves a member %s to show itself: a busy processor or disk will look like a death; 23ms is what lan has", cl.RTTMax, 4*cl.RTTMax)
	}
}

// checkClusterTakeover wants the finalizers' keys for a leash: with two relays for peers, each node passes
// on to one what it has from the other.
func (d *decoder) checkClusterTakeover(c *Config) {
	if !d.good("takeover") || !d.good("producers") || c.Takeover != TakeoverLeash && c.Takeover != TakeoverAuto {
		return
	}
	for i := range c.Producers {
		path := fmt.Sprintf("producers[%d].finalizer_keys", i)
		switch {
		case len(c.Producers[i].FinalizerKeys) > 0:
		case c.Takeover == TakeoverLeash:
			d.fail(path, "", bad("give the BLS public keys of its finalizers", "is missing: with takeover leash in a cluster votes of ours must be known"))
		default:
			d.warn(path, "is missing: a Savanna chain's votes of ours are not told from others' in a cluster, and held nodes get none")
		}
	}
}

// checkMembers wants as many members as the mode needs, with names of their own.
func (d *decoder) checkMembers(cl *Cluster) {
	relays := 0
	for i, m := range cl.Members {
		if m.Role == MemberRelay {
			relays++
		} else if cl.Mode == ClusterPair {
			d.fail(fmt.Sprintf("cluster.members[%d].role", i), string(m.Role), bad("choose cluster.mode quorum, with three members", "has no place in a pair"))
		}
	}
	n := len(cl.Members)
	switch {
	case cl.Mode == ClusterPair && n != 2:
		d.fail("cluster.members", "", bad("give the two relays, or choose cluster.mode quorum for three or more", "has %d, and a pair has 2", n))
	case cl.Mode == ClusterQuorum && n < 3:
		d.fail("cluster.members", "", bad("add a witness, or choose cluster.mode pair",
			"has %d, and a quorum needs 3: of 2, both would have to be there always", n))
	case cl.Mode == ClusterQuorum && n > 7:
		d.fail("cluster.members", "", bad("give 3 or 5", "has %d: every claim would wait for %d of them", n, n/2+1))
	case cl.Mode == ClusterQuorum && relays < 2:
		d.fail("cluster.members", "", bad("give at least two the role relay", "has %d relays: nobody could take over", relays))
	case cl.Mode == ClusterQuorum && n%2 == 0:
		d.warn("cluster.members", "%d members bear the loss of %d, as %d would", n, (n-1)/2, n-1)
	}
	once := d.once("is given twice, as %s too", "give each member a name of its own")
	for i, m := range cl.Members {
		once(fmt.Sprintf("cluster.members[%d]", i), ".name", m.Name)
	}
}

// checkPins wants a CA, or a pin of everybody.
func (d *decoder) checkPins(cl *Cluster) {
	if !d.good("cluster.credentials") {
		return
	}
	switch pinned := cl.Pinned(); {
	case pinned && cl.CA != "":
		d.fail("cluster.credentials.ca", cl.CA, bad("remove it, or the pins", "stands beside pins of members"))
		return
	case !pinned && cl.CA == "":
		d.fail("cluster.credentials.ca", "", bad("give the cluster's CA, or a pin for each member", "is missing: cluster.mode is %s", cl.Mode))
		return
	case !pinned:
		return
	}
	once := d.once("is the pin of %s too", "give each member a key of its own")
	for i, m := range cl.Members {
		path := fmt.Sprintf("cluster.members[%d]", i)
		if m.Pin == [32]byte{} {
			d.fail(path, m.Name, bad("give it one, or cluster.credentials.ca instead of all pins", "has no pin, and others have one"))
			continue
		}
		once(path, ".pin", "sha256:"+hex.EncodeToString(m.Pin[:]))
	}
}

// checkMemberAddresses wants each address once, and within reach of the others.
func (d *decoder) checkMemberAddresses(cl *Cluster) {
	once := d.once("is an address of %s too", "give each member addresses of its own, and link and gossip different ports")
	loopback := 0
	for i, m := range cl.Members {
		path := fmt.Sprintf("cluster.members[%d]", i)
		for _, a := range []struct{ field, address string }{{".link", m.Link}, {".gossip", m.Gossip}, {".admin", m.Admin}} {
			once(path, a.field, a.address)
		}
		if onLoopback(m.Link) || onLoopback(m.Gossip) {
			loopback++
		}
	}
	if loopback == 0 || loopback == len(cl.Members) {
		return
	}
	for i, m := range cl.Members {
		for _, a := range []struct{ field, address string }{{".link", m.Link}, {".gossip", m.Gossip}} {
			if onLoopback(a.address) {
				d.fail(fmt.Sprintf("cluster.members[%d]%s", i, a.field), a.address,
					bad("give the address by which the others reach it", "is on loopback, and other members are on other hosts"))
			}
		}
	}
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

// checkClusterListeners wants a place of its own for each listener of this member.
func (d *decoder) checkClusterListeners(c *Config) {
	cl := &c.Cluster
	if cl.Self() == nil || !d.good("cluster.listen_link", "cluster.listen_gossip", "cluster.agent_check", "listen", "admin.listen") {
		return
	}
	taken := []struct{ path, address string }{
		{"listen.internal", c.Listen.Internal}, {"listen.network", c.Listen.Network}, {"admin.listen", c.Admin.Listen},
		{"cluster.listen_link", cl.ListenLink}, {"cluster.listen_gossip", cl.ListenGossip}, {"cluster.agent_check", cl.AgentCheck},
	}
	for i, a := range taken[3:] {
		for _, b := range taken[:3+i] {
			if overlap(a.address, b.address) {
				d.fail(a.path, a.address, bad("give it another port or address", "is taken by %s (%s)", b.path, b.address))
				break
			}
		}
	}
}

// excuseWitness takes back what was asked of a relay: a witness has neither producers nor nodes.
func (d *decoder) excuseWitness() {
	d.errs = slices.DeleteFunc(d.errs, func(e *Error) bool {
		return (e.Path == "producers" || e.Path == "nodes") && e.Problem == isMissing
	})
}

// placeCluster makes the paths absolute, and looks whether the files are there and closed to others. What
// is in them is for whoever uses them to see.
func (d *decoder) placeCluster(cl *Cluster, dir string) error {
	if !cl.Clustered() {
		return nil
	}
	for _, f := range []struct {
		path   string
		name   *string
		secret bool
	}{
		{"cluster.credentials.ca", &cl.CA, false}, {"cluster.credentials.cert", &cl.Cert, false},
		{"cluster.credentials.key", &cl.Key, true}, {"cluster.gossip_key_file", &cl.GossipKeyFile, true},
	} {
		if *f.name == "" || !d.good(f.path) {
			continue
		}
		if !filepath.IsAbs(*f.name) {
			abs, err := filepath.Abs(filepath.Join(dir, *f.name))
			if err != nil {
				return fmt.Errorf("locate %s: %w", f.path, err)
			}
			*f.name = abs
		}
		info, err := os.Stat(*f.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.fail(f.path, *f.name, bad("create it with bprelay cluster init, or correct the path", "does not exist"))
		case err != nil:
			d.fail(f.path, *f.name, bad("make it a readable file", "cannot be read: %v", cause(err)))
		case !info.Mode().IsRegular():
			d.fail(f.path, *f.name, bad("make it a readable file", "is not a regular file"))
		case f.secret && info.Mode().Perm()&0o007 != 0:
			d.fail(f.path, *f.name, bad("chmod 600 it (mount a container's secret with mode 0400)", "can be read or written by everybody"))
		}
	}
	return nil
}
