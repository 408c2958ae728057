package main

import (
	"fmt"
	"strings"
	"time"

	"bprelay/config"
	"bprelay/ha/creds"
	"bprelay/ha/link"
	"bprelay/ha/members"
)

// identityOf reads a member's credentials.
func identityOf(cl *config.Cluster) (*creds.Identity, error) {
	o := creds.Options{Name: cl.Name, CA: cl.CA, Cert: cl.Cert, Key: cl.Key}
	if cl.Pinned() {
		o.Pins = map[string]creds.Pin{}
	}
	for _, m := range cl.Members {
		o.Members = append(o.Members, m.Name)
		if o.Pins != nil {
			o.Pins[m.Name] = m.Pin
		}
	}
	return creds.Load(o)
}

// checkCredentials looks into the files a cluster's member needs.
func checkCredentials(cl *config.Cluster) (*creds.Identity, error) {
	if !cl.Clustered() {
		return nil, nil
	}
	me, err := identityOf(cl)
	if err != nil {
		return nil, fmt.Errorf("cluster.credentials: %w", err)
	}
	if _, err := creds.ReadKeyring(cl.GossipKeyFile); err != nil {
		return nil, fmt.Errorf("cluster.gossip_key_file: %w", err)
	}
	return me, nil
}

// clusterLines says what a cluster's configuration means. me is nil if there is no cluster.
func clusterLines(cfg *config.Config, me *creds.Identity, now time.Time) (string, error) {
	cl := &cfg.Cluster
	if !cl.Clustered() {
		return "cluster: standalone, this relay is alone", nil
	}
	timing, err := link.Preset(string(cl.Preset))
	if err != nil {
		return "", err
	}
	preset, err := members.PresetOf(string(cl.Preset))
	if err != nil {
		return "", err
	}
	var names []string
	for _, m := range cl.Members {
		name := m.Name
		if m.Role == config.MemberWitness {
			name += " (witness)"
		}
		names = append(names, name)
	}
	self := cl.Self()
	var b strings.Builder
	fmt.Fprintf(&b, "cluster: %s of %s; this is %s, link at %s, gossip at %s\n", cl.Mode, strings.Join(names, ", "), self.Name, cl.ListenLink, cl.ListenGossip)
	if cl.Mode == config.ClusterPair {
		cc := clusterOptions(cfg)
		waits, err := cc.Timing()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  %s alone becomes active without having seen the other; a block of ours waits up to %s for the other relay, if that is there and slow;\n"+
			"  a standby that lost sight of the active takes over %s after one of our blocks was due and did not come\n",
			cl.PriorityMember, waits.ClaimWait, waits.EchoWait)
	} else {
		n := len(cl.Members)
		fmt.Fprintf(&b, "  what goes out is decided by %d of %d: without so many nothing does\n", n/2+1, n)
		cc := clusterOptions(cfg)
		t, err := cc.QuorumTiming()
		if err != nil {
			return "", err
		}
		early, late := t.Detection()
		half, most := t.Takeover()
		fmt.Fprintf(&b, "  round trips of up to %s (rtt_max): heartbeat 4 x rtt_max = %s, election 4 x heartbeat = %s, lease heartbeat / 2 = %s;\n"+
			"  a dead active is missed after %s to %s, another relay lets blocks out within %s in half of all cases and %s in 99 of 100\n",
			t.RTTMax(), t.Heartbeat, t.Election, t.Lease, early, late, half, most)
	}
	early, late := preset.Detection(len(cl.Members))
	fmt.Fprintf(&b, "  preset %s: a silent link is down after %s to %s; gossip calls a silent member dead after %s to %s\n",
		cl.Preset, timing.Timeout-timing.Heartbeat, timing.Timeout, early, late)
	failback := "whoever took over stays active"
	if cl.Failback {
		failback = cl.PriorityMember + " becomes active again, outside our rounds, when it is back"
	}
	fmt.Fprintf(&b, "  %s\n", failback)
	if cl.Pinned() {
		b.WriteString("  members are known by pins, which do not expire")
	} else {
		fmt.Fprintf(&b, "  credentials hold until %s", me.Expires().Format(time.DateOnly))
	}
	if alarm := me.Alarm(now); alarm != "" {
		fmt.Fprintf(&b, "\n  ALARM: %s", alarm)
	}
	return b.String(), nil
}
