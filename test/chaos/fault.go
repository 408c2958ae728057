//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/rig"
)

// lookBefore is how long before a fault its victim is chosen.
const lookBefore = 200 * time.Millisecond

// course is what happened of a fault.
type course struct {
	fault
	round           p2pwire.Slot // its first slot
	active, standby string
	lead            string
	began, over     int64 // unix ns; over: healed, 0 if there was nothing to heal
	back            int64 // when who was killed was started again
}

var errNoActive = errors.New("no relay is active")

// cast finds who plays which part. A relay that stood still for a moment is no active for as long as it takes to
// ask the other one, so it looks more than once.
func (w *world) cast(ctx context.Context) (active, standby *member, lead string, err error) {
	for range castTries {
		if active, standby, lead, err = w.look(ctx); err == nil || sleepUntil(ctx, time.Now().Add(castEvery).UnixNano()) != nil {
			break
		}
	}
	return active, standby, lead, err
}

const (
	castEvery = 20 * time.Millisecond
	castTries = 50
)

func (w *world) look(ctx context.Context) (active, standby *member, lead string, err error) {
	epoch := uint64(0)
	for _, m := range w.members {
		if m.witness || !m.up() {
			continue
		}
		st, err := m.status(ctx)
		if err != nil || st.Cluster == nil {
			continue
		}
		if st.Cluster.Role == core.ClusterActive && (active == nil || st.Cluster.Epoch > epoch) {
			active, epoch, lead = m, st.Cluster.Epoch, st.Takeover.Lead
		}
	}
	if active == nil {
		return nil, nil, "", errNoActive
	}
	for _, m := range w.members {
		if m != active && !m.witness && (standby == nil || w.rng.IntN(2) == 0) {
			standby = m
		}
	}
	return active, standby, lead, nil
}

// suffer plays the fault of a round, to the end of what it needs.
func (w *world) suffer(ctx context.Context, i int) error {
	f := w.Faults[i]
	c := &course{fault: f, round: w.plan.Round(1 + i)}
	w.courses = append(w.courses, c)
	at := rig.Begin(c.round) + int64(f.At)
	if err := sleepUntil(ctx, at-int64(lookBefore)); err != nil {
		return err
	}
	active, standby, lead, err := w.cast(ctx)
	if err != nil {
		return err
	}
	c.active, c.standby, c.lead = active.name, standby.name, lead
	if err := sleepUntil(ctx, at); err != nil {
		return err
	}
	c.began = time.Now().UnixNano()
	heal, err := w.strike(ctx, f, active, standby, lead)
	if err != nil {
		return err
	}
	if f.For > 0 {
		if err := sleepUntil(ctx, c.began+int64(f.For)); err != nil {
			return err
		}
		c.over = time.Now().UnixNano()
	}
	if traits[f.Kind].restart && !traits[f.Kind].soon {
		if err := sleepUntil(ctx, (c.round+p2pwire.RoundSlots-1).Time()+int64(backAfter)); err != nil {
			return err
		}
	}
	if traits[f.Kind].restart {
		c.back = time.Now().UnixNano()
	}
	return heal()
}

// strike begins a fault, and returns what ends it.
func (w *world) strike(ctx context.Context, f fault, active, standby *member, lead string) (heal func() error, err error) {
	switch f.Kind {
	case killActive, restartActive:
		return w.kill(active), nil
	case killStandby:
		return w.kill(standby), nil
	case killWitness:
		return w.kill(w.witness()), nil
	case killBoth:
		again := w.kill(active)
		back := w.killNode(lead)
		return func() error { return errors.Join(back(), again()) }, nil
	case killLead:
		return w.killNode(lead), nil
	case termActive:
		active.signal(syscall.SIGTERM)
		return func() error {
			err := active.end(endWithin)
			return errors.Join(err, active.start())
		}, nil
	case pauseActive, freezeActive:
		return freeze(active), nil
	case freezeStandby:
		return freeze(standby), nil
	case freezeWitness:
		return freeze(w.witness()), nil
	case cutRelays:
		return w.cut(ctx, w.between(active, standby)...)
	case cutToActive:
		return w.cut(ctx, w.way(standby, active)...)
	case cutFromActive:
		return w.cut(ctx, w.way(active, standby)...)
	case isolateActive:
		return w.cut(ctx, w.isolated(active)...)
	case isolateStandby:
		return w.cut(ctx, w.isolated(standby)...)
	case cutWitness:
		return w.cut(ctx, w.isolated(w.witness())...)
	case blindActive:
		return w.cut(ctx, both(active.ip, networkIP)...)
	case bereftActive:
		return w.cut(ctx, both(active.ip, nodesIP)...)
	case delayLink:
		w.delay(f.Delay)
		return func() error { w.delay(0); return nil }, nil
	case downActive:
		return w.down(ctx, active)
	case diskFull:
		return fill(active.state)
	case clockOff:
		return func() error { return nil }, nil // from the start
	}
	return nil, fmt.Errorf("no such fault: %s", f.Kind)
}

// kill is kill -9; the process is started again by what is returned.
func (w *world) kill(m *member) func() error {
	m.signal(syscall.SIGKILL)
	return func() error {
		<-m.ended
		return m.start()
	}
}

// killNode is kill -9 of a node of ours.
func (w *world) killNode(name string) func() error {
	for _, n := range w.nodes {
		if n.Name() == name && name != rig.Voter {
			n.Kill()
			return n.Restart
		}
	}
	return func() error { return nil } // nobody leads: the table shows what comes of it
}

func freeze(m *member) func() error {
	m.signal(syscall.SIGSTOP)
	return func() error { m.signal(syscall.SIGCONT); return nil }
}

func (w *world) witness() *member { return w.members[len(w.members)-1] }

// way is what passes from one member to another, by whichever address.
func (w *world) way(from, to *member) (flows []flow) { return []flow{{from.ip, to.ip}} }

// between is both ways between a member and all others that it could decide with: a cut of a pair's link.
func (w *world) between(a, b *member) []flow { return append(w.way(a, b), w.way(b, a)...) }

// isolated is all that a member sends or gets.
func (w *world) isolated(m *member) (flows []flow) {
	for _, ip := range []string{networkIP, nodesIP, proxyIP} {
		flows = append(flows, both(m.ip, ip)...)
	}
	for _, x := range w.members {
		if x != m {
			flows = append(flows, both(m.ip, x.ip)...)
		}
	}
	return flows
}

// cut drops packets, and stops what proxies carry in those directions.
func (w *world) cut(ctx context.Context, flows ...flow) (heal func() error, err error) {
	if err := w.wall.set(ctx, flows...); err != nil {
		return nil, err
	}
	w.stop(flows, true)
	return func() error {
		w.stop(flows, false)
		return w.wall.set(context.WithoutCancel(ctx))
	}, nil
}

func (w *world) stop(flows []flow, stopped bool) {
	for ends, p := range w.proxies {
		for _, f := range flows {
			switch f {
			case flow{ends[0].ip, ends[1].ip}:
				p.out.stopped.Store(stopped)
			case flow{ends[1].ip, ends[0].ip}:
				p.back.stopped.Store(stopped)
			}
		}
	}
}

// delay slows what passes between relays; a witness may be nearer.
func (w *world) delay(d time.Duration) {
	for ends, p := range w.proxies {
		if !ends[0].witness && !ends[1].witness {
			p.set(d)
		}
	}
}

// down takes a member's interface down.
func (w *world) down(ctx context.Context, m *member) (heal func() error, err error) {
	set := func(ctx context.Context, state string) error {
		return command(ctx, "", "ip", "-n", m.ns, "link", "set", "eth0", state)
	}
	return func() error { return set(context.WithoutCancel(ctx), "up") }, set(ctx, "down")
}

// fill takes all room on a member's disk.
func fill(dir string) (heal func() error, err error) {
	path := filepath.Join(dir, "ballast")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for size := 1 << 16; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2 // what is left of the last pages
		} else if err != nil {
			return nil, err
		}
	}
	return func() error { return os.Remove(path) }, nil
}
