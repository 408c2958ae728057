package record_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"bprelay/ha/creds"
	"bprelay/ha/members"
	"bprelay/ha/record"
)

// free returns an address on loopback whose port nobody has, for TCP and UDP.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		p, err := net.ListenPacket("udp", address)
		_ = l.Close()
		if err == nil {
			_ = p.Close()
			return address
		}
	}
	t.Fatal("no port")
	return ""
}

// TestOverGossip runs three members over loopback: each shows the whole cluster, also one that comes
// late, and one that restarts shows it at once, from the disk.
func TestOverGossip(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	dir := filepath.Join(t.TempDir(), "cluster")
	names := []string{"a", "b", "w"}
	if _, err := creds.Create(creds.Plan{Dir: dir, Members: names}); err != nil {
		t.Fatal(err)
	}
	var seeds []members.Seed
	for _, n := range names {
		seeds = append(seeds, members.Seed{Name: n, Address: free(t)})
	}
	type member struct {
		*record.Store
		gossip *members.Cluster
	}
	open := func(i int) *record.Store {
		me, err := creds.Load(creds.Options{
			Name: names[i], Members: names, CA: filepath.Join(dir, creds.CAFile),
			Cert: filepath.Join(dir, creds.CertFile(names[i])), Key: filepath.Join(dir, creds.KeyFile(names[i])),
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := record.Open(record.Options{Identity: me, Members: names, Path: filepath.Join(dir, names[i]+".view"), Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	start := func(i int) *member {
		m := &member{Store: open(i)}
		var err error
		m.gossip, err = members.Join(members.Options{
			Name: names[i], Members: seeds, Bind: seeds[i].Address, KeyFile: filepath.Join(dir, creds.GossipFile), Preset: members.Local, Logger: quiet,
			Carried: members.Carried{Local: m.Local, Merge: m.Merge, Receive: m.Receive},
		})
		if err != nil {
			t.Fatal(err)
		}
		m.SetBroadcast(m.gossip.Broadcast)
		if err := m.Publish(record.Status{Role: "role of " + names[i], Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	// sees waits until a member's view has what is wanted of all.
	sees := func(m *member, epoch uint64) {
		t.Helper()
		end := time.After(20 * time.Second)
		for {
			good := 0
			for _, e := range m.View().Members {
				if e.State == record.Fresh && e.Record.Status.Role == "role of "+e.Member && (e.Member != "a" || e.Record.Status.Epoch == epoch) {
					good++
				}
			}
			if good == len(names) {
				return
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-end:
				t.Fatalf("%+v", m.View())
			}
		}
	}
	a, b := start(0), start(1)
	w := start(2) // it may come before the others know each other
	for _, m := range []*member{a, b, w} {
		sees(m, 1)
	}
	if err := a.Publish(record.Status{Role: "role of a", Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{a, b, w} {
		sees(m, 2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, m := range []*member{a, b, w} {
		m.gossip.Leave(ctx)
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
		if len(m.View().Refused) != 0 {
			t.Errorf("refused %v", m.View().Refused)
		}
	}
	again := open(1)
	for _, e := range again.View().Members {
		if e.Member != "b" && (e.State != record.Fresh || e.Record.Status.Role != "role of "+e.Member) {
			t.Errorf("from the disk: %+v", e)
		}
	}
	if err := again.Close(ctx); err != nil {
		t.Error(err)
	}
}
