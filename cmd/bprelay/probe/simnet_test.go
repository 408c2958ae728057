package probe

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bprelay/p2pwire"
	"bprelay/test/simnet"
)

// node starts a simulated nodeos on loopback in real time, and returns its address.
func node(t *testing.T, cfg simnet.Config) string {
	t.Helper()
	l, err := simnet.ListenTCP(simnet.TCPConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Address = l.Addr()
	l.Start(simnet.NewNode(cfg))
	t.Cleanup(l.Close)
	return l.Addr()
}

// TestSimulatedNodeos probes a producing node and one that only follows it, which by nodeos' default
// gives no votes.
func TestSimulatedNodeos(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	chain := simnet.NewChain(simnet.ChainConfig{
		Mode: simnet.Savanna, Seed: 5, Producers: []string{"bpa"}, Genesis: p2pwire.SlotAt(time.Now().UnixNano()),
	})
	producer := node(t, simnet.Config{
		Name: "producer", Chain: chain, Seed: 5, Producers: []string{"bpa"}, Finalizers: []string{"bpa"}, EnableStaleProduction: true,
		KeepAlive: 2 * time.Second, // so that it greets first after 2 s, not 10 s
	})
	follower := node(t, simnet.Config{Name: "follower", Chain: chain, Seed: 5, Peers: []string{producer}})
	full := node(t, simnet.Config{Name: "full", Chain: chain, Seed: 5, Peers: []string{producer}, MaxNodesPerHost: 1})
	only, err := net.Dial("tcp", full)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { only.Close() })

	for _, c := range []struct {
		name, address string
		o             Options
		problem       string // part of the one problem; empty: healthy
	}{
		{"producer", producer, Options{ChainID: chain.ID(), ListenFor: 3 * time.Second}, ""},
		{"producer, chain unknown", producer, Options{ListenFor: 3 * time.Second}, ""},
		{"follower", follower, Options{ChainID: chain.ID(), ListenFor: 3 * time.Second}, "vote-threads 0"},
		{"full", full, Options{ChainID: chain.ID()}, "p2p-max-nodes-per-host"},
		{"wrong chain", producer, Options{ChainID: p2pwire.ID{1}}, "wrong_chain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.Address = c.address
			r, err := Run(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, f := range r.Findings {
				if f.Severity == Problem {
					problems = append(problems, f.Text)
				}
			}
			if c.problem == "" && !r.Healthy || c.problem != "" && !slices.ContainsFunc(problems, func(s string) bool { return strings.Contains(s, c.problem) }) {
				t.Errorf("problems %q, want %q", problems, c.problem)
			}
			if c.problem == "" && (r.Blocks == nil || r.Blocks.Count < 3 || r.Votes == 0 || r.Peer.ChainID != chain.ID() || r.Clock == nil) {
				t.Errorf("report %+v, blocks %+v", r, r.Blocks)
			}
		})
	}
}
