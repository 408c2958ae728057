package engine

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// hostTable tells which of our nodes a connection comes from. Names are resolved again when somebody
// connects, because a node in a container comes back with another address.
type hostTable struct {
	nodes  []Target
	hosts  []nodeHost
	open   bool // anyone may connect: some node names no host
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	looked time.Time
}

// nodeHost is one host of one node.
type nodeHost struct {
	node  int
	name  string // empty for an address
	addrs []netip.Addr
}

const (
	// lookupEvery is how long resolved names are good for, lookupTimeout how long a connection waits
	// for them.
	lookupEvery, lookupTimeout = time.Second, 2 * time.Second
)

func newHostTable(nodes []Target, lookup func(context.Context, string) ([]netip.Addr, error)) *hostTable {
	h := &hostTable{nodes: nodes, lookup: lookup, open: len(nodes) == 0}
	for i, n := range nodes {
		hosts := n.From
		if dialled, _, err := net.SplitHostPort(n.Dial); err == nil {
			hosts = append([]string{dialled}, hosts...)
		}
		h.open = h.open || len(hosts) == 0
		for _, name := range hosts {
			e := nodeHost{node: i, name: name}
			if a, err := netip.ParseAddr(name); err == nil {
				e.name, e.addrs = "", []netip.Addr{a.Unmap().WithZone("")}
			}
			h.hosts = append(h.hosts, e)
		}
	}
	return h
}

// admit finds the node by its address. Of several nodes on one host none is named: only the
// handshake tells them apart.
func (h *hostTable) admit(ctx context.Context, from netip.Addr) (Target, bool) {
	h.resolve(ctx)
	found := -1
	for _, e := range h.hosts {
		if !slices.Contains(e.addrs, from) || e.node == found {
			continue
		}
		if found >= 0 {
			return Target{}, true
		}
		found = e.node
	}
	if found < 0 {
		return Target{}, h.open
	}
	return h.nodes[found], true
}

// resolve looks all names up at once. A name that does not resolve keeps the addresses it had.
func (h *hostTable) resolve(ctx context.Context) {
	if now := time.Now(); now.Sub(h.looked) < lookupEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for i := range h.hosts {
		if e := &h.hosts[i]; e.name != "" {
			wg.Go(func() {
				addrs, err := h.lookup(ctx, e.name)
				if err != nil {
					return
				}
				e.addrs = e.addrs[:0]
				for _, a := range addrs {
					e.addrs = append(e.addrs, a.Unmap().WithZone(""))
				}
			})
		}
	}
	wg.Wait()
	h.looked = time.Now()
}
