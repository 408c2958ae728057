package admin

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"

	"go.uber.org/goleak"

	"bprelay/relay/core"
)

// HAProxy is told who lets blocks out.
func TestAgent(t *testing.T) {
	defer goleak.VerifyNone(t)
	role := func(r core.ClusterRole) core.Status {
		st := readyStatus()
		st.Cluster.Role = r
		return st
	}
	alone := readyStatus()
	alone.Cluster = nil
	for _, c := range []struct {
		name string
		src  *fakeSource
		ends bool
		want string
	}{
		{"active", &fakeSource{status: role(core.ClusterActive)}, false, "ready up\n"},
		{"standby", &fakeSource{status: role(core.ClusterStandby)}, false, "down #standby\n"},
		{"alone", &fakeSource{status: alone}, false, "ready up\n"},
		{"stuck", &fakeSource{err: errors.New("stuck")}, false, "down #stuck\n"},
		{"ending", &fakeSource{status: role(core.ClusterActive)}, true, "drain\n"},
	} {
		a, err := ListenAgent("127.0.0.1:0", c.src, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if c.ends {
			a.Drain()
		}
		for range 2 {
			conn, err := net.Dial("tcp", a.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(conn); string(got) != c.want || err != nil {
				t.Errorf("%s: %q, %v", c.name, got, err)
			}
			conn.Close()
		}
		a.Close()
		if conn, err := net.Dial("tcp", a.Addr().String()); err == nil {
			conn.Close()
			t.Errorf("%s: it still listens", c.name)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := ListenAgent(l.Addr().String(), &fakeSource{}, nil); err == nil {
		t.Error("a taken port was no error")
	}
}
