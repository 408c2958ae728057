package config

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParse holds the parser to: no panic, no configuration with an error, every error with a
// problem stated, the defaults' invariants in what is accepted, and no private key in a message.
func FuzzParse(f *testing.F) {
	f.Add(least, "BPRELAY_LOG_LEVEL=warn")
	f.Add(string(Example()), "BPRELAY_NODES=[{name: a}, [], *x]")
	f.Add("a: &x [*x]\np2p: *x\n", "BPRELAY_PRODUCERS=,")
	f.Add("? {a: b}\n: !!binary x\nlog: !!int 3\n", "BPRELAY_P2P_MAX_CLIENTS=1e3")
	f.Add(with("p2p: {peer_private_key_file: "+testPrivate+"}"), "")
	f.Add("--- |\n a\n...\n%YAML 1.2\n", "BPRELAY_=")
	f.Fuzz(func(t *testing.T, text, env string) {
		c, warnings, err := Parse("f", []byte(text), []string{env})
		for _, w := range warnings {
			if w.Text == "" {
				t.Errorf("warning without a text: %+v", w)
			}
		}
		if err != nil {
			if c != nil {
				t.Error("a configuration came with an error")
			}
			if strings.Contains(err.Error(), testPrivate) {
				t.Errorf("the error shows a private key: %v", err)
			}
			var joined interface{ Unwrap() []error }
			if !errors.As(err, &joined) {
				t.Fatalf("not joined: %v", err)
			}
			for _, err := range joined.Unwrap() {
				var e *Error
				if !errors.As(err, &e) || e.Problem == "" {
					t.Errorf("no reason in %v", err)
				}
			}
			return
		}
		if len(c.Producers) == 0 || len(c.Nodes) == 0 || len(c.Network.Peers) == 0 && c.Listen.Network == "" {
			t.Errorf("accepted without producers, nodes or network: %+v", c)
		}
		if c.StartFence < c.MaxFuture || c.P2P.IdleTimeout <= c.P2P.Keepalive || c.Limits.QueueBytes < leastFrame {
			t.Errorf("accepted out of bounds: %+v", c)
		}
		for _, n := range c.NodeosLines() {
			for _, line := range n.Lines {
				if strings.ContainsAny(line, "\r\n") {
					t.Errorf("node %s: a line with a line break: %q", n.Node, line)
				}
			}
		}
	})
}
