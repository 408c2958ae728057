package sim

import (
	"time"

	"bprelay/p2pwire"
)

// afterDial is how long a node of the network may take to dial the relay again
// (connection-cleanup-period).
const afterDial = 31 * time.Second

// hostile tells whether evil does it.
func (k FaultKind) hostile() bool {
	switch k {
	case Twins, Echo, Unlink, Ahead, Forge, Own, Votes, Ask:
		return true
	}
	return false
}

// plan arranges for a fault and notes who may suffer from it, and until when.
func (x *play) plan(i int, f Fault) {
	end := f.At + f.For
	link := f.A + "-" + f.B
	x.w.At(f.At, func() { x.say("FAULT %s", f) })
	if f.For > 0 {
		x.w.At(end, func() { x.say("END OF %s", f) })
	}
	switch f.Kind {
	case Kill, Stale, Old, Torn:
		x.planKill(f)
	case Pause:
		x.sick(f.A, f.At, end, afterPause)
		x.w.At(f.At, func() { x.w.Pause(addr(f.A)) })
		x.w.At(end, func() { x.w.Resume(addr(f.A)) })
	case Slow:
		x.sick(f.A, f.At, end, afterPause)
		for at := f.At; at < end; at += 250 * time.Millisecond {
			x.w.At(at, func() { x.w.Resume(addr(f.A)); x.w.Pause(addr(f.A)) })
		}
		x.w.At(end, func() { x.w.Resume(addr(f.A)) })
	case Reset:
		x.ailLink(f.A, f.B, f.At, f.At, afterReset)
		x.w.At(f.At, func() { x.w.Reset(addr(f.A), addr(f.B)) })
	case Cut:
		x.ailLink(f.A, f.B, f.At, end, afterCut)
		x.cut(f.A, f.B, f.At, end)
	case Isolate:
		for _, p := range append(x.public(), "obs") {
			if p != f.A {
				x.ailLink(f.A, p, f.At, end, afterCut)
				x.cut(f.A, p, f.At, end)
				x.cut(p, f.A, f.At, end)
			}
		}
	case Latency:
		x.ailLink(f.A, f.B, f.At, end, f.By+afterReset)
		x.w.At(f.At, func() {
			x.w.SetLatencyTo(addr(f.A), addr(f.B), x.w.Latency(addr(f.A), addr(f.B))+f.By)
		})
		x.w.At(end, func() {
			x.w.SetLatencyTo(addr(f.A), addr(f.B), x.w.Latency(addr(f.A), addr(f.B))-f.By)
		})
	case Clock:
		x.planClock(f)
	case Disk:
		x.health.ill("disk", f.At, end, time.Second) // what failed is tried again after a while
		x.w.At(f.At, func() { x.disk.Failing = true })
		x.w.At(end, func() { x.disk.Failing = false })
	case Burst:
		x.w.At(f.At, func() {
			for range f.N {
				x.push(f.A)
			}
		})
	default:
		x.w.At(f.At, func() { x.evil.start(f) })
	}
	_, _ = i, link
}

// sick marks a machine, and its links where a peer may give them up.
func (x *play) sick(name string, from, to, recovery time.Duration) {
	x.health.ill(name, from, to, recovery)
}

// ailLink marks a link, by either order of its ends.
func (x *play) ailLink(a, b string, from, to, recovery time.Duration) {
	if recovery == afterReset {
		recovery += 4*x.s.Distance + 100*time.Millisecond // TCP's and nodeos' handshakes
	}
	if a == "obs" && b == "relay" || a == "relay" && b == "obs" {
		recovery = afterDial
	}
	x.health.ill(a+"-"+b, from, to, recovery)
	x.health.ill(b+"-"+a, from, to, recovery)
}

func (x *play) cut(from, to string, at, end time.Duration) {
	x.w.At(at, func() { x.w.Cut(addr(from), addr(to)) })
	x.w.At(end, func() { x.w.Heal(addr(from), addr(to)) })
}

// planKill kills and restarts a machine. One that is down already stays so until it is started.
func (x *play) planKill(f Fault) {
	if f.A == "relay" {
		x.sick("relay", f.At, f.At+f.For, afterStart)
		x.health.ill("obs-relay", f.At, f.At+f.For, afterDial)
		x.w.At(f.At, func() {
			if x.relay == nil {
				return
			}
			x.relay = nil
			x.w.Kill(addr("relay"))
			if f.Kind == Torn {
				x.disk.Torn = f.N
			}
			x.w.At(f.At+f.For, x.startRelay)
		})
		return
	}
	recovery := afterKill
	if f.Kind == Old {
		recovery = afterOld
		key := f.String() // the state to come back with
		x.w.At(max(f.At-f.By, 0), func() {
			if x.states[f.A] == nil && x.nodes[f.A] != nil {
				x.states[key] = x.nodes[f.A].Store()
			}
		})
	}
	x.sick(f.A, f.At, f.At+f.For, recovery)
	if f.A == "obs" {
		x.health.ill("obs-relay", f.At, f.At+f.For, afterDial)
	}
	x.w.At(f.At, func() {
		if x.nodes[f.A] == nil || x.states[f.A] != nil {
			return
		}
		x.states[f.A] = x.nodes[f.A].Store()
		x.w.Kill(addr(f.A))
		x.w.At(f.At+f.For, func() {
			st := x.states[f.A]
			if old := x.states[f.String()]; f.Kind == Old && old != nil {
				st = old
			}
			delete(x.states, f.A)
			x.start(f.A, st, f.Kind == Stale || f.A[:2] != "bp")
		})
	})
}

// planClock sets a machine's wall clock off.
func (x *play) planClock(f Fault) {
	end := f.At + f.For
	if f.For == 0 {
		end = forever
	}
	x.sick(f.A, f.At, end, afterPause)
	set := func(off time.Duration) func() {
		return func() { x.w.SetClock(addr(f.A), off) }
	}
	x.w.At(f.At, set(f.By))
	if f.For > 0 {
		x.w.At(end, set(0))
	}
}

// ownSlots gives the next n own slots after now.
func (x *play) ownSlots(n int) (out []p2pwire.Slot) {
	for s := p2pwire.SlotAt(x.w.Now().Wall) + 1; len(out) < n && len(out) < 64; s++ {
		if x.isOwn(x.chain.ProducerAt(s)) {
			out = append(out, s)
		}
	}
	return out
}
