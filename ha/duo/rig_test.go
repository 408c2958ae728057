package duo

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"bprelay/ha/pair"
	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
)

const ms = time.Millisecond

// host is a relay's core as a member sees it: it notes what it is told, as lines, in order.
type host struct {
	t       *testing.T
	told    []string
	blocks  map[p2pwire.ID][]byte
	network int
	nodes   int
	inRun   bool
	asked   int // how often for its health
	role    core.ClusterRole
	refuse  error // of AdoptBlock and ApplyLead
}

var _ engine.ClusterHost = (*host)(nil)

func (h *host) note(format string, args ...any) {
	h.told = append(h.told, fmt.Sprintf(format, args...))
}

func (h *host) SetClusterRole(_ core.Instant, role core.ClusterRole, epoch uint64, why core.Reason) {
	h.role = role
	h.note("role %s %d %s", role, epoch, why)
}
func (h *host) ClusterLink(_ core.Instant, up bool) { h.note("link %v", up) }
func (h *host) ClusterAlarm(_ core.Instant, why core.Reason, _ core.Claim, _ string) {
	h.note("alarm %s", why)
}

func (h *host) Adopt(_ core.Instant, cl core.Claim) (bool, error) {
	h.note("adopt %d", cl.Slot)
	return h.blocks[cl.ID] != nil, nil
}

func (h *host) AdoptBlock(_ core.Instant, cl core.Claim, frame []byte) error {
	if h.refuse != nil {
		return h.refuse
	}
	h.note("block %d %s", cl.Slot, frame)
	h.blocks[cl.ID] = frame
	return nil
}

func (h *host) ApplyLead(_ core.Instant, state []byte) error {
	if h.refuse != nil {
		return h.refuse
	}
	h.note("lead %s", state)
	return nil
}
func (h *host) ClaimDecided(_ core.Instant, cl core.Claim, v core.Verdict) {
	h.note("decided %d %d", cl.Slot, v)
}
func (h *host) Alone(now core.Instant, cl core.Claim, until, heard time.Duration) {
	h.note("alone %d for %s heard %s", cl.Slot, until-now.Mono, heard)
}
func (h *host) Free(_ core.Instant, cl core.Claim)            { h.note("free %d", cl.Slot) }
func (h *host) Probe(_ core.Instant, n uint64)                { h.note("probe %d", n) }
func (h *host) Overdue(dst []core.SessionID) []core.SessionID { return dst }
func (h *host) BlockBytes(id p2pwire.ID) []byte               { return h.blocks[id] }
func (h *host) Health(core.Instant, time.Duration) (int, int, bool, time.Duration) {
	h.asked++
	return h.network, h.nodes, h.inRun, time.Hour
}

// want fails unless the lines are all that was told since the last call.
func (h *host) want(lines ...string) {
	h.t.Helper()
	if !slices.Equal(h.told, lines) {
		h.t.Fatalf("was told\n\t%s\nwant\n\t%s", strings.Join(h.told, "\n\t"), strings.Join(lines, "\n\t"))
	}
	h.told = nil
}

// rig is two members with a link of 1 ms between them, under virtual time.
type rig struct {
	t     *testing.T
	now   core.Instant
	m     [2]*Member
	h     [2]*host
	next  [2]time.Duration // when Pump wants to be called
	woken [2]bool
	deaf  [2]bool // its loop stands still
	wires [2][]wire
	link  uint64 // number of the connection, 0: none
	lost  int    // messages sent on no connection
}

type wire struct {
	at   time.Duration
	data []byte
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, now: core.Instant{Mono: time.Second, Wall: 1e18}}
	for i, name := range []string{"a", "b"} {
		m, err := New(Config{Pair: pair.Config{
			Member: name, Peer: []string{"b", "a"}[i], Incarnation: 1, Priority: i == 0, Timing: pair.LAN(),
		}, Logger: slog.New(slog.DiscardHandler)}, r.now.Mono)
		if err != nil {
			t.Fatal(err)
		}
		r.m[i] = m
		r.h[i] = &host{t: t, blocks: map[p2pwire.ID][]byte{}, network: 2, nodes: 2}
		m.Attach(r.h[i], func() { r.woken[i] = true })
		m.Use(func(conn uint64, b []byte) error {
			if conn != r.link || r.link == 0 {
				r.lost++
				return errNoLink
			}
			r.wires[1-i] = append(r.wires[1-i], wire{r.now.Mono, b})
			return nil
		})
	}
	return r
}

// run lets time pass, 1 ms at a time.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	for end := r.now.Mono + d; ; {
		for i, m := range r.m {
			if r.deaf[i] {
				continue
			}
			for len(r.wires[i]) > 0 && r.wires[i][0].at < r.now.Mono {
				if err := m.Message(r.wires[i][0].data); err != nil {
					r.t.Fatal(err)
				}
				r.wires[i] = r.wires[i][1:]
			}
			if r.woken[i] || r.now.Mono >= r.next[i] {
				r.pump(i)
			}
		}
		if r.now.Mono >= end {
			return
		}
		r.now.Mono += ms
		r.now.Wall += int64(ms)
	}
}

func (r *rig) pump(i int) {
	r.woken[i] = false
	r.next[i] = r.m[i].Pump(r.now, r.h[i])
	if r.next[i] <= r.now.Mono {
		r.t.Fatalf("member %d wants to be called at once, for ever", i)
	}
}

// up connects the two.
func (r *rig) up() {
	r.link++
	for i, m := range r.m {
		r.wires[i] = nil
		m.Up(r.link)
	}
}

func (r *rig) cut() {
	r.link = 0
	for i, m := range r.m {
		r.wires[i] = nil
		m.Down("cut")
	}
}

// elected is a rig in which a is active and b has heard so.
func elected(t *testing.T) *rig {
	r := newRig(t)
	r.up()
	r.run(300 * ms)
	r.h[0].want("link true", "role active 1 active_elected")
	r.h[1].want("link true")
	return r
}

func claimOf(slot p2pwire.Slot) core.Claim {
	return core.Claim{Producer: 1, Slot: slot, ID: p2pwire.ID{0, 0, 0, 9, byte(slot)}}
}
