package engine

import (
	"testing"

	"golang.org/x/sys/unix"

	"bprelay/relay/core"
)

// Every connection, accepted or dialled, has the options the package promises.
func TestSocketOptions(t *testing.T) {
	cfg := loopback()
	node := serve(t)
	cfg.Nodes = []Target{{Name: "node1", Dial: node.address()}}
	e, h := build(t, cfg, nil)
	start(t, e)
	node.next(t)
	dialTo(t, e, core.Network)
	soon(t, "two sessions", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 2 })
	on(t, e, func() {
		for _, k := range e.loop.links {
			for _, o := range []struct {
				name          string
				level, option int
				want          int
			}{
				{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
				{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 10},
				{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 10_000},
				{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowWater},
			} {
				if got, err := unix.GetsockoptInt(k.conn.Fd(), o.level, o.option); err != nil || got != o.want {
					t.Errorf("dialled %v: %s is %d (%v), want %d", k.info.Dialled, o.name, got, err, o.want)
				}
			}
		}
	})
}
