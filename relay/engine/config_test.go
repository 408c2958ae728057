package engine

import (
	"strings"
	"testing"
)

func TestConfigErrors(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"node without a name", Config{Nodes: []Target{{Dial: "a:1"}}}, "node 1 has no name"},
		{"name twice", Config{Peers: []Target{{Name: "p"}, {Name: "p"}}}, `peer "p" is configured twice`},
		{"no port", Config{Peers: []Target{{Name: "p", Dial: "host"}}}, "missing port"},
		{"no host", Config{Nodes: []Target{{Name: "n", Dial: ":9876"}}}, "missing host"},
		{"listen without a port", Config{ListenNetwork: "host"}, "listening address"},
	}
	for _, tt := range tests {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if _, err := New(Config{Nodes: []Target{{Name: "a"}}, Peers: []Target{{Name: "a"}}, ListenNetwork: ":0"}); err != nil {
		t.Error(err)
	}
}
