package simnet

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// attacker follows the network at beta and is a peer of V's: it may put its own
// version of a block in front of V before V has the good one.
type attacker struct {
	*script
	r        *rig
	upstream *scriptConn
	victim   *scriptConn // the newest connection to V
	mangle   func(f p2pwire.Frame) [][]byte
	done     bool
	at       time.Duration // when the hostile bytes left
}

// cleanup is the victim's connection-cleanup-period, as in the experiment.
const cleanup = 6 * time.Second

// f5Rig has a victim in sync over a slow link to beta and a fast one to the
// attacker. When dialled is true V dials the attacker, otherwise the other way.
func f5Rig(t *testing.T, dialled bool) (*rig, *attacker) {
	t.Helper()
	r := newRig(t, Savanna, 5)
	r.network(producers...)
	r.load("gamma", 200*time.Millisecond, time.Hour)
	r.w.Run(12 * time.Second)
	r.w.SetLatency("V:9876", "beta:9876", 20*time.Millisecond)
	a := &attacker{script: r.script("attacker"), r: r}
	a.dials = []string{"beta:9876"}
	peers := []string{"beta"}
	if dialled {
		peers = append(peers, "attacker")
	}
	beta := r.nodes["beta"]
	a.onConn = func(c *scriptConn) {
		switch {
		case c.dialled && c.remote == "beta:9876":
			a.upstream = c
			c.claim(r.chain, 9, beta.Root(), beta.ForkHead())
		case c.dialled:
			a.victim = c
			c.claim(r.chain, 9, beta.Root(), beta.ForkHead())
		default:
			a.victim = c
		}
		c.keepAlive()
	}
	a.onFrame = func(c *scriptConn, f p2pwire.Frame) {
		switch {
		case f.Type() == p2pwire.TypeTime:
			c.pong(f)
		case !c.dialled && f.Type() == p2pwire.TypeHandshake && c.gen == 0:
			c.mirror(r.chain, 9)
		case c == a.upstream && f.Type() == p2pwire.TypeSignedBlock && a.mangle != nil && !a.done:
			if out := a.mangle(f); out != nil {
				a.done, a.at = true, r.w.now
				a.victim.send(out...)
			}
		}
	}
	r.w.Add(a.addr, a)
	r.start(Config{Name: "V", Peers: peers, VoteThreads: 2, ConnectionCleanupPeriod: cleanup})
	r.w.Run(2 * time.Second)
	if !dialled {
		a.host.Dial("V:9876")
	}
	r.w.Run(2 * time.Second)
	return r, a
}

func reframe(t p2pwire.Type, body []byte) []byte { return p2pwire.AppendRawFrame(nil, t, body) }

func blockOf(f p2pwire.Frame) p2pwire.Block {
	b, err := p2pwire.ParseBlock(f.Body())
	if err != nil {
		panic(err)
	}
	return b
}

// flip changes one byte of a block's body.
func flip(f p2pwire.Frame, at func(b p2pwire.Block) int) []byte {
	out := slices.Clone(f)
	out[p2pwire.PrefixLen+1+at(blockOf(f))] ^= 1
	return out
}

func signatureEnd(b p2pwire.Block) int { return b.HeaderEnd + len(b.Signature()) }

// f5Cases are the table's rows; send gets the next good block with transactions.
var f5Cases = []struct {
	name   string
	send   func(a *attacker, good p2pwire.Frame) [][]byte
	closes bool
	redial redialRule
}{
	{"a corrupted body", func(_ *attacker, good p2pwire.Frame) [][]byte {
		return [][]byte{flip(good, func(b p2pwire.Block) int { return signatureEnd(b) + 2 })}
	}, true, nextTick},
	{"a' corrupted body, good block right behind", func(_ *attacker, good p2pwire.Frame) [][]byte {
		return [][]byte{flip(good, func(b p2pwire.Block) int { return signatureEnd(b) + 2 }), good}
	}, true, nextTick},
	{"a'' truncated block", func(_ *attacker, good p2pwire.Frame) [][]byte {
		return [][]byte{reframe(p2pwire.TypeSignedBlock, good.Body()[:len(good.Body())-9])}
	}, true, nextTick},
	{"b bad producer signature", func(_ *attacker, good p2pwire.Frame) [][]byte {
		return [][]byte{flip(good, func(b p2pwire.Block) int { return b.HeaderEnd + 20 })}
	}, true, nextTick},
	{"c unlinkable", func(_ *attacker, good p2pwire.Frame) [][]byte {
		return [][]byte{flip(good, func(p2pwire.Block) int { return 30 })}
	}, false, noRedial},
	{"d vote with the signature of another block", func(a *attacker, good p2pwire.Frame) [][]byte {
		k := a.r.chain.FinalizerKey("bpalpha")
		sig := k.Sign(a.r.nodes["V"].Root().ID, true)
		return [][]byte{good, voteFrame(blockOf(good).ID, true, k.Pub, sig)}
	}, true, nextTick},
	{"d' vote whose signature is no point", func(a *attacker, _ p2pwire.Frame) [][]byte {
		k := a.r.chain.FinalizerKey("bpalpha")
		sig := k.Sign(a.r.nodes["V"].Head().ID, true)
		sig[3] ^= 1
		return [][]byte{voteFrame(a.r.nodes["V"].Head().ID, true, k.Pub, sig)}
	}, true, nextTick},
	{"e vote of an unknown key", func(a *attacker, _ p2pwire.Frame) [][]byte {
		return [][]byte{a.r.chain.VoteFrame("nobody", a.r.nodes["V"].Head().ID, true)}
	}, true, nextTick},
	{"e' vote for an unknown block", func(a *attacker, _ p2pwire.Frame) [][]byte {
		id := a.r.nodes["V"].Head().ID
		id[20] ^= 1
		return [][]byte{a.r.chain.VoteFrame("bpalpha", id, true)}
	}, false, noRedial},
	{"f length 0", func(*attacker, p2pwire.Frame) [][]byte { return [][]byte{{0, 0, 0, 0, 0}} }, true, nextTick},
	{"f length 8 MiB + 1", func(*attacker, p2pwire.Frame) [][]byte {
		return [][]byte{binary.LittleEndian.AppendUint32(nil, p2pwire.MaxPayload+1)}
	}, true, nextTick},
	{"g type 13", func(*attacker, p2pwire.Frame) [][]byte { return [][]byte{reframe(13, make([]byte, 32))} }, true, nextTick},
	{"g type 100", func(*attacker, p2pwire.Frame) [][]byte { return [][]byte{reframe(100, []byte{1})} }, true, nextTick},
	{"g garbage notice", func(*attacker, p2pwire.Frame) [][]byte {
		return [][]byte{reframe(p2pwire.TypeNotice, []byte{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9})}
	}, true, nextTick},
	{"h transaction with a bad signature", func(a *attacker, _ p2pwire.Frame) [][]byte {
		f, _ := a.r.chain.Transaction(1<<40, uint32(a.r.w.Now().Wall/1e9)+60)
		f[p2pwire.PrefixLen+20] ^= 1
		return [][]byte{f}
	}, false, noRedial},
	{"h expired transaction", func(a *attacker, _ p2pwire.Frame) [][]byte {
		f, _ := a.r.chain.Transaction(1<<40, uint32(a.r.w.Now().Wall/1e9)-60)
		return [][]byte{f}
	}, false, noRedial},
	{"j the same block three times", func(_ *attacker, good p2pwire.Frame) [][]byte {
		return [][]byte{good, good, good}
	}, false, noRedial},
	{"k go_away benign_other", goAwayCase(p2pwire.GoAwayBenignOther), true, secondTick},
	{"k go_away duplicate", goAwayCase(p2pwire.GoAwayDuplicate), true, nextTick},
	{"k go_away fatal_other", goAwayCase(p2pwire.GoAwayFatalOther), true, never},
	{"k go_away self", goAwayCase(p2pwire.GoAwaySelf), true, never},
	{"k go_away wrong_chain", goAwayCase(p2pwire.GoAwayWrongChain), true, never},
	{"k go_away forked", goAwayCase(p2pwire.GoAwayForked), true, never},
	{"k go_away unlinkable", goAwayCase(p2pwire.GoAwayUnlinkable), true, never},
	{"k go_away validation", goAwayCase(p2pwire.GoAwayValidation), true, never},
	{"k go_away bad_transaction", goAwayCase(p2pwire.GoAwayBadTransaction), true, never},
	{"k go_away authentication", goAwayCase(p2pwire.GoAwayAuthentication), true, never},
}

func goAwayCase(reason p2pwire.GoAwayReason) func(*attacker, p2pwire.Frame) [][]byte {
	return func(*attacker, p2pwire.Frame) [][]byte {
		return [][]byte{p2pwire.AppendFrame(nil, p2pwire.GoAway{Reason: reason})}
	}
}

type redialRule int

const (
	noRedial redialRule = iota
	nextTick
	secondTick
	never
)

// TestF5 runs the rows with V as dialler (D) and as listener (L).
func TestF5(t *testing.T) {
	for _, dialled := range []bool{true, false} {
		for _, tt := range f5Cases {
			role := "L"
			if dialled {
				role = "D"
			}
			t.Run(role+" "+tt.name, func(t *testing.T) {
				r, a := f5Rig(t, dialled)
				var goodID p2pwire.ID
				victim := a.victim
				a.mangle = func(f p2pwire.Frame) [][]byte {
					b := blockOf(f)
					if f.Body()[signatureEnd(b)] == 0 {
						return nil // wait for a block with transactions
					}
					goodID = b.ID
					return tt.send(a, f)
				}
				r.w.Run(100 * time.Millisecond)
				if !r.w.RunUntil(r.w.now+3*time.Second, func() bool { return a.done }) {
					t.Fatal("no block with transactions came by")
				}
				r.w.Run(19 * time.Millisecond)
				if victim.open == tt.closes {
					t.Fatalf("open within 19 ms: %t", victim.open)
				}
				checkF5Reaction(t, r, a, victim, tt.name)
				r.w.Run(2 * time.Second)
				v := r.nodes["V"]
				if !v.OnChain(goodID) || v.Head().Num+1 < r.nodes["beta"].Head().Num {
					t.Errorf("V is not in sync: head %d of %d", v.Head().Num, r.nodes["beta"].Head().Num)
				}
				r.w.Run(2*cleanup + time.Second)
				if dialled {
					checkRedial(t, r, a, victim, tt.redial)
				} else if n := len(a.all); n != 2 {
					t.Errorf("a listener redialled: %d connections", n)
				}
			})
		}
	}
}

// checkF5Reaction looks at what V said: never a go_away; a handshake for an
// unlinkable block.
func checkF5Reaction(t *testing.T, r *rig, a *attacker, victim *scriptConn, name string) {
	t.Helper()
	if n := len(victim.ofType(p2pwire.TypeGoAway, 0)); n != 0 {
		t.Errorf("V sent %d go_away", n)
	}
	answered := 0
	for i, f := range victim.got {
		if f.Type() == p2pwire.TypeHandshake && victim.gotAt[i] > a.at {
			answered++
		}
	}
	if want := name == "c unlinkable"; (answered > 0) != want {
		t.Errorf("%d handshakes in answer", answered)
	}
	if v := r.events("V", EventGoAwaySent, 0); len(v) != 0 {
		t.Errorf("go_away sent: %v", v)
	}
}

// checkRedial finds the connection after the victim's and how long it took.
func checkRedial(t *testing.T, r *rig, a *attacker, victim *scriptConn, rule redialRule) {
	t.Helper()
	again := slices.DeleteFunc(slices.Clone(a.all), func(c *scriptConn) bool { return c.dialled || c == victim })
	if rule == noRedial || rule == never {
		if len(again) > 0 {
			t.Errorf("redialled after %v", again[0].openedAt-victim.closedAt)
		}
		if skipped := len(r.events("V", EventRedialSkip, 0)); (skipped > 0) != (rule == never) {
			t.Errorf("%d addresses given up", skipped)
		}
		return
	}
	if len(again) == 0 {
		t.Fatal("no redial")
	}
	took := again[0].openedAt - victim.closedAt
	switch {
	case rule == nextTick && (took <= 0 || took > cleanup+10*time.Millisecond):
		t.Errorf("redial after %v", took)
	case rule == secondTick && (took < cleanup || took > cleanup+110*time.Millisecond):
		t.Errorf("redial after %v, not after a period and 0.1 s", took)
	}
}

// TestF5Close: a plain close by the peer waits for the tick; 27.7 s of the
// default 30 in the experiment.
func TestF5Close(t *testing.T) {
	r, a := f5Rig(t, true)
	cfg := r.cfgs["V"]
	cfg.ConnectionCleanupPeriod = 0
	state := r.kill("V")
	cfg.State = state
	r.start(cfg)
	began := r.w.now
	r.w.Run(2300 * time.Millisecond)
	a.victim.close()
	closed := a.victim
	r.w.Run(40 * time.Second)
	if a.victim == closed {
		t.Fatal("no redial")
	}
	if at := a.victim.openedAt - began; at < 30*time.Second || at > 30*time.Second+10*time.Millisecond {
		t.Errorf("redialled %v after the start", at)
	}
}

// TestF5Silence is row i.
func TestF5Silence(t *testing.T) {
	for _, tt := range []struct {
		dialled, speaks bool
		closed          time.Duration // 0: never in 65 s
		said            int           // handshakes of V's first connection
	}{
		{true, false, 0, 1},
		{true, true, 30 * time.Second, 3},
		{false, false, 0, 0},
		{false, true, 20 * time.Second, 2},
	} {
		t.Run(fmt.Sprintf("V dials %t, peer says a handshake %t", tt.dialled, tt.speaks), func(t *testing.T) {
			r := newRig(t, Savanna, 5)
			r.network(producers...)
			r.w.Run(12 * time.Second)
			s := r.script("silent")
			speak := func(c *scriptConn) {
				if tt.speaks && len(s.all) == 1 {
					c.claim(r.chain, 9, r.nodes["beta"].Root(), r.nodes["beta"].ForkHead())
				}
			}
			if tt.dialled {
				// V takes its blocks from beta; it must have none from the silent peer
				// nor send any, or the half heartbeat would wait.
				s.onFrame = func(c *scriptConn, f p2pwire.Frame) {
					if f.Type() == p2pwire.TypeHandshake && c.gen == 0 {
						speak(c)
					}
				}
			} else {
				s.onConn = speak
			}
			r.w.Add(s.addr, s)
			peers := []string{}
			if tt.dialled {
				peers = append(peers, "silent")
			}
			began := r.w.now
			r.start(Config{Name: "V", Peers: peers, ConnectionCleanupPeriod: cleanup})
			if !tt.dialled {
				r.w.Run(50 * time.Millisecond)
				s.host.Dial("V:9876")
			}
			r.w.Run(65 * time.Second)
			c := s.all[0]
			if tt.closed == 0 {
				if !c.open {
					t.Errorf("closed after %v", c.closedAt-began)
				}
			} else if at := c.closedAt - began; c.open || at < tt.closed-100*time.Millisecond || at > tt.closed+100*time.Millisecond {
				t.Errorf("open %t, closed after %v, want %v", c.open, at, tt.closed)
			}
			if got := len(c.ofType(p2pwire.TypeHandshake, 0)); got != tt.said {
				t.Errorf("V said %d handshakes", got)
			}
			if tt.dialled && tt.speaks {
				if len(s.all) < 2 {
					t.Fatal("no redial")
				}
				if took := s.all[1].openedAt - c.closedAt; took < cleanup || took > cleanup+200*time.Millisecond {
					t.Errorf("redial after %v", took)
				}
			}
		})
	}
}
