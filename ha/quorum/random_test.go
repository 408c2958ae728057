package quorum

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// members5 are three relays and two witnesses.
var members5 = []Member{
	{Name: "a", Address: "a:1"}, {Name: "b", Address: "b:1"}, {Name: "c", Address: "c:1"},
	{Name: "w", Address: "w:1", Witness: true}, {Name: "x", Address: "x:1", Witness: true},
}

// storm is a random schedule of faults over a running cluster.
type storm struct {
	*rig
	rng    *rand.Rand
	log    []string
	undo   map[string]func() // what ends the fault of a member
	served int
}

func (s *storm) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%8.3f ", time.Since(s.pub.start).Seconds())+fmt.Sprintf(format, args...))
}

// victim is the leader half of the time: it is the one that matters.
func (s *storm) victim() string {
	if l := s.leader(); l != "" && s.rng.IntN(2) == 0 {
		return l
	}
	return s.members[s.rng.IntN(len(s.members))].Name
}

// fault does something bad to a member; a second fault of the same one ends the first.
func (s *storm) fault() {
	name := s.victim()
	if undo := s.undo[name]; undo != nil {
		undo()
		return
	}
	d, rr := s.disks[name], s.relays[name]
	over := func(what string, undo func()) {
		s.note("%s: %s", name, what)
		s.undo[name] = func() {
			s.note("%s: over", name)
			delete(s.undo, name)
			undo()
		}
	}
	switch s.rng.IntN(9) {
	case 8: // no fault by itself, but then who is late gets a snapshot
		if in := s.nodes[name].instance(); in != nil {
			c := in.raft.ReloadableConfig()
			c.TrailingLogs = 1
			s.note("%s: snapshot: %v, %v", name, in.raft.ReloadConfig(c), in.raft.Snapshot().Error())
		}
	case 0, 1:
		s.down(name)
		over("crash", func() { s.up(name) })
	case 2:
		s.mesh.isolate(name, true)
		over("isolated", func() { s.mesh.isolate(name, false) })
	case 3:
		for _, o := range s.members {
			s.mesh.set(name, o.Name, true)
		}
		over("mute", func() { s.mesh.isolate(name, false) })
	case 4:
		for _, o := range s.members {
			s.mesh.set(o.Name, name, true)
		}
		over("deaf", func() { s.mesh.isolate(name, false) })
	case 5: // a pause: nothing moves, and then everything does
		s.mesh.isolate(name, true)
		goOn := d.hang()
		if rr != nil {
			rr.with(func() { rr.frozen = true })
		}
		over("paused", func() {
			goOn()
			s.mesh.isolate(name, false)
			if rr := s.relays[name]; rr != nil {
				rr.with(func() { rr.frozen = false })
			}
		})
	case 6:
		d.set(errors.New("no space left on device"))
		over("disk full", func() { d.set(nil) })
	case 7:
		goOn := d.hang()
		over("disk hangs", goOn)
	}
}

// slot brings candidates for a slot to the relays, late and different ones too.
func (s *storm) slot(slot p2pwire.Slot) {
	for _, name := range slices.Sorted(maps.Keys(s.relays)) {
		rr := s.relays[name]
		for range 1 + s.rng.IntN(2) {
			cl := claimOf(slot, byte(s.rng.IntN(3)))
			delay := time.Duration(s.rng.IntN(60)) * time.Millisecond
			time.AfterFunc(delay, func() {
				select {
				case <-rr.stop:
				default:
					rr.candidate(cl, []byte{byte(slot), cl.ID[31]})
				}
			})
		}
	}
}

// run is one schedule; afterwards everything is mended, and has to be well.
func (s *storm) run(length time.Duration) {
	s.t.Helper()
	s.awaitActive()
	first := slotNow()
	slot, end := first, time.Now().Add(length)
	next := time.Now()
	for time.Now().Before(end) {
		s.slot(slot)
		slot++
		for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); sleep(10 * time.Millisecond) {
			if time.Now().After(next) {
				s.fault()
				next = time.Now().Add(time.Duration(50+s.rng.IntN(1500)) * time.Millisecond)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.undo)) {
		if undo := s.undo[name]; undo != nil {
			undo()
		}
	}
	s.mesh.heal()
	s.note("healed")
	s.until("somebody active", 40*time.Second, func() bool { return s.active() != "" })
	last := claimOf(slot+1000, 1)
	for _, rr := range s.relays {
		rr.candidate(last, []byte("last"))
	}
	s.until("the last slot shown by all", 10*time.Second, func() bool { return s.pub.by(last) == len(s.relays) })
	s.agree()
	for i := first; i < slot; i++ {
		if _, ok := s.pub.has(i); ok {
			s.served++
		}
	}
	s.note("%d of %d slots served", s.served, slot-first)
}

func seeds(t testing.TB, n int) (first, last uint64) {
	if text := os.Getenv("QUORUM_SEED"); text != "" {
		one, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return one, one + 1
	}
	if text := os.Getenv("QUORUM_SEEDS"); text != "" {
		many, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		n = many
	}
	return 1, uint64(n) + 1
}

// Whatever happens to members, links and disks: no slot has two blocks, and when it is over all agree.
// QUORUM_SEEDS=n runs n schedules, QUORUM_SEED=n that one. A seed gives the same faults at the same times;
// elections are raft's, and are random besides.
func TestStorm(t *testing.T) {
	first, last := seeds(t, 30)
	served, slots := 0, 0
	for seed := first; seed < last; seed++ {
		members := members3
		if seed%3 == 0 {
			members = members5
		}
		ok := t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			bubble(t, members, func(r *rig) {
				s := &storm{rig: r, rng: rand.New(rand.NewPCG(seed, 7)), undo: map[string]func(){}}
				defer func() {
					if t.Failed() {
						for _, line := range s.log {
							t.Log(line)
						}
					}
				}()
				s.run(20 * time.Second)
				r.pub.check()
				served += s.served
				slots += 40
			})
		})
		if !ok {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d of %d slots served under faults", served, slots)
	if served*2 < slots {
		t.Error("that is not much for a cluster that has a majority most of the time")
	}
}
