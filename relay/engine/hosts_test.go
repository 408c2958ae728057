package engine

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"bprelay/relay/core"
)

func TestHostTable(t *testing.T) {
	names := map[string][]netip.Addr{
		"node-a": {netip.MustParseAddr("10.0.0.7")},
		"node-b": {netip.MustParseAddr("::ffff:10.0.0.8"), netip.MustParseAddr("fd00::8")},
	}
	lookup := func(_ context.Context, host string) ([]netip.Addr, error) {
		if a := names[host]; a != nil {
			return a, nil
		}
		return nil, errors.New("no such host")
	}
	type want struct {
		from, name string
		ok         bool
	}
	tests := []struct {
		name  string
		nodes []Target
		want  []want
	}{
		{"none configured: anyone", nil, []want{{"1.2.3.4", "", true}}},
		{"by address and name", []Target{
			{Name: "a", Dial: "node-a:9876"},
			{Name: "b", From: []string{"node-b"}},
			{Name: "c", Dial: "10.0.0.9:9876", From: []string{"10.0.0.10", "10.0.0.9"}},
			{Name: "d", Dial: "nowhere:1"},
		}, []want{
			{"10.0.0.7", "a", true}, {"10.0.0.8", "b", true}, {"fd00::8", "b", true},
			{"10.0.0.9", "c", true}, {"10.0.0.10", "c", true}, {"10.0.0.11", "", false},
		}},
		{"two nodes on one host: neither is named", []Target{
			{Name: "a", Dial: "10.0.0.7:1"}, {Name: "b", Dial: "10.0.0.7:2"}, {Name: "c", Dial: "10.0.0.8:1"},
		}, []want{{"10.0.0.7", "", true}, {"10.0.0.8", "c", true}, {"10.0.0.1", "", false}}},
		{"a node without a host: anyone, known ones by name", []Target{
			{Name: "a", Dial: "10.0.0.7:1"}, {Name: "b"},
		}, []want{{"10.0.0.7", "a", true}, {"10.0.0.1", "", true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostTable(tt.nodes, lookup)
			for _, w := range tt.want {
				who, ok := h.admit(context.Background(), netip.MustParseAddr(w.from))
				if who.Name != w.name || ok != w.ok {
					t.Errorf("%s: %q, %v; want %q, %v", w.from, who.Name, ok, w.name, w.ok)
				}
			}
		})
	}
	t.Run("a name that moved", func(t *testing.T) {
		h := newHostTable([]Target{{Name: "a", Dial: "node-a:1"}}, lookup)
		for _, addr := range []string{"10.0.0.7", "10.0.0.70"} {
			names["node-a"] = []netip.Addr{netip.MustParseAddr(addr)}
			h.looked = h.looked.Add(-lookupEvery)
			if who, ok := h.admit(context.Background(), netip.MustParseAddr(addr)); !ok || who.Name != "a" {
				t.Errorf("%s: %q, %v", addr, who.Name, ok)
			}
		}
		names["node-a"] = nil // the resolver is out: what was known stays
		h.looked = h.looked.Add(-lookupEvery)
		if _, ok := h.admit(context.Background(), netip.MustParseAddr("10.0.0.70")); !ok {
			t.Error("forgotten")
		}
	})
}

// The internal listener turns away hosts that are not configured, and names the ones that are.
func TestInternalListener(t *testing.T) {
	for _, tt := range []struct {
		from string
		ok   bool
	}{{"127.0.0.1", true}, {"192.0.2.1", false}} {
		cfg := loopback()
		cfg.Nodes = []Target{{Name: "node1", From: []string{tt.from}, Priority: 2}}
		e, h := build(t, cfg, nil)
		start(t, e)
		c := dialTo(t, e, core.Internal)
		if !tt.ok {
			ends(t, c)
			if n := look(t, e, func() int { return len(h.opened) }); n != 0 {
				t.Errorf("%d sessions opened", n)
			}
			continue
		}
		soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.opened) }) == 1 })
		if i := look(t, e, func() core.SessionInfo { return h.opened[0] }); i.Name != "node1" || i.Priority != 2 || i.Dialled || i.Side != core.Internal {
			t.Errorf("opened as %+v", i)
		}
	}
}
