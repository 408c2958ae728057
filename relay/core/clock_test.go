package core_test

import (
	"fmt"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// clocks is a warm rig in which two nodes and three network peers, two of them dialled later, answer
// time messages by the right time.
func clocks(t testing.TB, opts ...blockOption) (r *rig, nets []*peer, a, b *peer, head blk) {
	r, n, a, b, head := warm(t, opts...)
	nets = []*peer{n, r.network("net2", head), r.network("net3", head)}
	for _, p := range r.order {
		p.answers(0)
	}
	r.run(4 * time.Second)
	return r, nets, a, b, head
}

// hostile opens n network sessions that came by themselves and lie about the time.
func (r *rig) hostile(n int, ahead time.Duration, head blk) {
	for i := range n {
		id, err := r.c.Open(r.now, core.SessionInfo{Side: core.Network, Remote: fmt.Sprintf("10.6.6.%d:1", i)})
		if err != nil {
			r.t.Fatal(err)
		}
		p := &peer{r: r, id: id, side: core.Network, name: "liar", nodeID: p2pwire.ID{0xbb, byte(i)}}
		r.peers[id] = p
		r.order = append(r.order, p)
		p.answers(ahead)
		p.handshake(head, head)
	}
}

func (r *rig) clock() core.ClockStatus { return r.c.Snapshot(r.now).Clock }

func (r *rig) alarms(why core.Reason) uint64 { return r.c.Snapshot(r.now).Stats.Alarms[why] }

func TestClockLiars(t *testing.T) {
	const lie = 30 * time.Second
	tests := []struct {
		name    string
		dialled int // of three
		inbound int
		nodes   int // of two
		want    core.ClockStatus
		alarms  uint64
	}{
		{"all agree", 0, 0, 0, core.ClockStatus{Known: true, Sources: 5, Trusted: true}, 0},
		{"one dialled peer", 1, 0, 0, core.ClockStatus{Known: true, Sources: 5, Trusted: true}, 0},
		{"ten that came by themselves", 0, 10, 0, core.ClockStatus{Known: true, Sources: 5, Trusted: true}, 0},
		{"one node", 0, 0, 1, core.ClockStatus{Known: true, Sources: 5, Trusted: true}, 0},
		{"two dialled peers and ten others", 2, 10, 0, core.ClockStatus{Known: true, Sources: 5, Trusted: true}, 0},
		{"all dialled peers: an alarm, but our nodes keep our time", 3, 0, 0, core.ClockStatus{Known: true, AheadNs: -int64(lie), Sources: 5}, 1},
		{"everybody", 3, 0, 2, core.ClockStatus{Known: true, AheadNs: -int64(lie), Sources: 5, Corrected: true}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, n, a, b, head := warm(t)
			nets := []*peer{n, r.network("net2", head), r.network("net3", head)}
			for i, p := range nets {
				p.answers(0)
				if i < tt.dialled {
					p.answers(lie)
				}
			}
			for i, p := range []*peer{a, b} {
				p.answers(0)
				if i < tt.nodes {
					p.answers(lie)
				}
			}
			r.hostile(tt.inbound, lie, head)
			r.run(10 * time.Second)
			if got := r.clock(); got != tt.want {
				t.Errorf("clock %+v, want %+v", got, tt.want)
			}
			if got := r.alarms(core.ReasonClockOffset); got != tt.alarms {
				t.Errorf("%d alarms, want %d: once for an episode", got, tt.alarms)
			}
		})
	}
}

func TestClockNeedsTwoToBeRefuted(t *testing.T) {
	r := newRig(t, 20*time.Second)
	g := genesis(100)
	r.network("net1", g).answers(time.Minute)
	r.run(10 * time.Second)
	if got := r.clock(); got.Known || got.Corrected || r.alarms(core.ReasonClockOffset) != 0 {
		t.Errorf("one peer's word: %+v", got)
	}
	r.node("a", g).answers(0)
	r.run(10 * time.Second)
	if got := r.clock(); got.Known || got.Corrected || r.alarms(core.ReasonClockOffset) != 0 {
		t.Errorf("two that contradict each other: %+v", got)
	}
	r.node("b", g).answers(0)
	r.run(10 * time.Second)
	if got := r.clock(); !got.Trusted {
		t.Errorf("two of three: %+v", got)
	}
}

func TestClockEpisodeHasHysteresis(t *testing.T) {
	r, _, _, _, _ := clocks(t)
	for range 10 {
		for _, off := range []time.Duration{105, 95} { // around the limit of 100 ms
			for _, p := range r.order {
				p.answers(off * time.Millisecond)
				p.alive()
			}
			r.run(time.Minute)
		}
	}
	if got := r.alarms(core.ReasonClockOffset); got != 1 {
		t.Errorf("%d alarms, want one episode", got)
	}
	for _, p := range r.order {
		p.answers(10 * time.Millisecond)
	}
	r.run(time.Minute)
	if got := r.clock(); !got.Trusted || got.Corrected {
		t.Errorf("after the episode: %+v", got)
	}
}

// TestClockStep: whatever happens to the relay's clock, our round goes out, once.
func TestClockStep(t *testing.T) {
	for _, d := range []time.Duration{2 * time.Second, -2 * time.Second, 10 * time.Second, -10 * time.Second, time.Hour, -time.Hour} {
		for _, at := range []p2pwire.Slot{0, 1, 5, 11} {
			for _, sources := range []string{"all", "one node"} {
				t.Run(fmt.Sprintf("%s at %d, %s", d, at, sources), func(t *testing.T) {
					r, n, a, b, head := warm(t)
					if sources == "all" {
						r.network("net2", head).answers(0)
						n.answers(0)
						b.answers(0)
					}
					a.answers(0)
					r.run(100 * time.Millisecond)
					var public []blk
					prevA, prevB := head, head
					for i := range p2pwire.Slot(12) {
						slot := base + i
						if i == at {
							r.until(slot, early(slot)+20*time.Millisecond)
							r.stepClock(d)
						}
						r.until(slot, early(slot))
						x, y := makeBlock(prevA, slot, ourName, mark(1)), makeBlock(prevB, slot, ourName, mark(2))
						a.send(x.frame)
						b.send(y.frame)
						public = append(public, x)
						prevA, prevB = x, y
					}
					n.want(public...)
					if got := r.alarms(core.ReasonClockJump); got != 1 {
						t.Errorf("%d alarms of a step, want 1", got)
					}
				})
			}
		}
	}
}

// TestClockStepBackReopensNothing: siblings for slots that are taken stay inside, at whatever time.
func TestClockStepBackReopensNothing(t *testing.T) {
	r, nets, a, b, _ := clocks(t)
	head := makeBlock(genesis(500), base+11, otherName)
	nets[0].send(head.frame)
	a.handshake(head, head)
	b.handshake(head, head)
	start := base + 12
	r.until(start, early(start))
	x := makeBlock(head, start, ourName, mark(1))
	a.send(x.frame)
	nets[0].want(x)
	for _, d := range []time.Duration{-10 * time.Second, -time.Hour, 2 * time.Hour, -time.Hour} {
		r.stepClock(d)
		b.send(makeBlock(head, start, ourName, mark(byte(d/time.Second))).frame)
		r.run(5 * time.Second)
		b.send(makeBlock(head, start, ourName, mark(byte(d/time.Minute)+1)).frame)
		nets[0].want(x)
	}
}

// TestClockOffFromTheStart: a relay that was started with a wrong clock lets our round out by the
// time of the others, and keeps its fence by the later of both.
func TestClockOffFromTheStart(t *testing.T) {
	for _, d := range []time.Duration{2 * time.Second, -2 * time.Second, 10 * time.Second, -10 * time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			r := newRig(t, 20*time.Second-d)
			r.step = d
			g := genesis(100)
			root := makeBlock(g, base-40, otherName)
			head := makeBlock(root, base-39, otherName)
			n := r.open(core.Network, "net1").answers(0)
			n.handshake(root, head)
			n.send(head.frame)
			a, b := r.node("a", head).answers(0), r.node("b", head).answers(0)
			r.until(base, 700*time.Millisecond)
			last := makeBlock(head, base-1, otherName)
			n.send(last.frame)
			r.run(150 * time.Millisecond)
			n.clear()
			var public []blk
			prev := last
			for i := range p2pwire.Slot(12) {
				r.until(base+i, early(base+i))
				x := makeBlock(prev, base+i, ourName, mark(1))
				a.send(x.frame)
				public = append(public, x)
				prev = x
				b.alive()
			}
			n.want(public...)
			if got := r.clock(); !got.Corrected || got.AheadNs != int64(d) || r.alarms(core.ReasonClockOffset) != 1 {
				t.Errorf("clock %+v, want it corrected by %s", got, d)
			}
			if want, got := p2pwire.SlotAt(base.Time()-int64(20*time.Second)+int64(max(d, 0))+int64(7*time.Second)), r.c.Snapshot(r.now).FencedUntil; got != want {
				t.Errorf("fenced until slot %d, want %d", got, want)
			}
		})
	}
}

// TestSuspendedRelay: the machine slept, monotonic clock and all.
func TestSuspendedRelay(t *testing.T) {
	r, n, a, b, head := warm(t)
	for _, p := range []*peer{n, a, b} {
		p.answers(0)
	}
	r.run(100 * time.Millisecond)
	r.now.Wall += int64(3 * time.Second) // the right time went on
	x := makeBlock(head, base+6, ourName)
	r.until(base+6, early(base+6))
	a.send(x.frame)
	n.want(x)
	r.run(10 * time.Second)
	if got := r.clock(); !got.Trusted || got.Stepped {
		t.Errorf("clock %+v, want it trusted again", got)
	}
}

// TestTimeMessageNonsense: absurd answers are no sources and break nothing.
func TestTimeMessageNonsense(t *testing.T) {
	r, nets, _, _, _ := clocks(t)
	for _, rec := range []int64{0, 1, -1, 1 << 61, 1<<63 - 1, -1 << 63, 1.5e15} {
		for _, xmt := range []int64{1, -1, 1 << 61, 1<<63 - 1, -1 << 63, 1.5e15} {
			nets[0].clear()
			r.run(3 * time.Second)
			nets[0].clock = nil
			for _, f := range nets[0].frames(p2pwire.TypeTime) {
				m, _ := p2pwire.DecodeTime(f.Body())
				nets[0].send(p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: rec, Xmt: xmt}))
			}
		}
	}
	if got := r.clock(); !got.Trusted {
		t.Errorf("clock %+v", got)
	}
}
