package pair

import (
	"fmt"
	"slices"
	"strings"
)

type faultKind uint8

const (
	faultNone faultKind = iota
	faultKill           // the process ends; its kernel still sends what is queued, then closes
	faultHost           // the host ends: nothing is sent any more
	faultPause
	faultStall    // a pause between a decision and its write
	faultCutLink  // n: 0 towards b, 1 towards a, 2 both
	faultBreak    // the connection between the relays ends, with what is under way
	faultCutNet   // n: 0 to the network, 1 from it, 2 both
	faultCutNode  // n: the node
	faultLate     // what the relay wrote to the network is under way for long, whatever its kernel does
	faultSlowNode // i: the node; its next block comes late
	faultShared   // a relay's host dies, and node 1 with it
	faultHandover // an operator's handover --now
)

// fault is one thing that goes wrong.
type fault struct {
	kind faultKind
	i    int // relay, or node
	n    int
}

// action is what happens in a tick: nothing, a fault begins, or one ends (heal; 2: a pause after which
// old timers fire before the sockets are read).
type action struct {
	f    faultKind
	i, n int
	heal uint8
}

var nodeNames = [2]string{"node 1", "node 2"}

// String names the fault's class, the same for both relays and nodes: who is active is named by the
// trace.
func (f fault) String() string {
	switch f.kind {
	case faultKill:
		return "kill " + memberNames[f.i]
	case faultHost:
		return "host of " + memberNames[f.i] + " dies"
	case faultShared:
		return "host of " + memberNames[f.i] + " and node 1 dies"
	case faultPause:
		return "pause " + memberNames[f.i]
	case faultStall:
		return "pause " + memberNames[f.i] + " between decision and write"
	case faultCutLink:
		return [...]string{"cut a -> b", "cut b -> a", "cut a - b"}[f.n]
	case faultBreak:
		return "connection a - b breaks"
	case faultCutNet:
		return fmt.Sprintf([...]string{"cut %s -> network", "cut network -> %s", "cut %s - network"}[f.n], memberNames[f.i])
	case faultCutNode:
		return "cut " + nodeNames[f.n] + " - " + memberNames[f.i]
	case faultLate:
		return "late delivery " + memberNames[f.i] + " -> network"
	case faultSlowNode:
		return nodeNames[f.i] + " late"
	case faultHandover:
		return "handover " + memberNames[f.i]
	}
	return "none"
}

// class is the fault without the relay's name.
func (f fault) class() string {
	switch f.kind {
	case faultKill, faultHost:
		return "crash of a relay"
	case faultShared:
		return "crash of a relay and the lead"
	case faultPause:
		return "pause of a relay"
	case faultStall:
		return "pause of a relay between decision and write"
	case faultCutLink:
		return "cut between the relays"
	case faultBreak:
		return "break of the connection between the relays"
	case faultCutNet:
		return "cut between a relay and the network"
	case faultCutNode:
		return "cut between a relay and a node"
	case faultLate:
		return "late delivery to the network"
	case faultSlowNode:
		return "late node"
	case faultHandover:
		return "handover"
	}
	return ""
}

func (a action) String() string {
	s := fault{a.f, a.i, a.n}.String()
	switch a.heal {
	case 1:
		return "end of: " + s
	case 2:
		return "end of: " + s + ", old timers first"
	}
	return s
}

// faults are all that can begin in the present state.
func (w *world) beginnings(dst []action) []action {
	for i := range w.r {
		r := &w.r[i]
		if r.down || r.paused || r.holding {
			continue
		}
		for _, f := range []faultKind{faultKill, faultHost, faultPause, faultStall} {
			dst = append(dst, action{f: f, i: i})
		}
		if w.set.held && !w.dead {
			dst = append(dst, action{f: faultShared, i: i})
		}
		if !r.cutOut && !r.cutIn {
			for n := range 3 {
				dst = append(dst, action{f: faultCutNet, i: i, n: n})
			}
		}
		for n := range 2 {
			if !r.cutNode[n] && (n == 0 || !w.set.same) {
				dst = append(dst, action{f: faultCutNode, i: i, n: n})
			}
		}
		dst = append(dst, action{f: faultLate, i: i})
		if r.m.role == Active {
			dst = append(dst, action{f: faultHandover, i: i})
		}
	}
	if !w.r[0].cutLink && !w.r[1].cutLink {
		for n := range 3 {
			dst = append(dst, action{f: faultCutLink, n: n})
		}
		if w.r[0].link && w.r[1].link {
			dst = append(dst, action{f: faultBreak})
		}
	}
	for n := range 2 {
		if s := w.nextBlock(n); s >= 0 && !w.late[n][s] && (n == 0 || !w.set.same) && w.t%slotTicks == 1 {
			dst = append(dst, action{f: faultSlowNode, i: n})
		}
	}
	return dst
}

// nextBlock is the slot whose block a node sends next, -1 if there is none.
func (w *world) nextBlock(int) int {
	for s := range worldSlots {
		due := firstDue + s*slotTicks
		if w.set.early {
			due -= 3
		}
		if due >= w.t {
			return s
		}
	}
	return -1
}

// endings are the faults that can end now. Durations are sampled: short ones all, longer ones some.
func (w *world) endings(dst []action) []action {
	for _, o := range w.open {
		switch d := w.t - int(o.at); {
		case d == 1, d == 3, d == 5, d == 9, d == 14, d == 21:
		default:
			continue
		}
		a := action{f: o.f.kind, i: o.f.i, n: o.f.n, heal: 1}
		dst = append(dst, a)
		if o.f.kind == faultPause || o.f.kind == faultStall {
			a.heal = 2
			dst = append(dst, a)
		}
	}
	return dst
}

// apply makes an action happen.
func (w *world) apply(a action) {
	if a.f == faultNone {
		return
	}
	w.trace = &traceNode{up: w.trace, t: w.t, a: a}
	w.logf("*** %s", a)
	r, o := &w.r[a.i], &w.r[1-a.i]
	on := a.heal == 0
	if on {
		w.faults++
	}
	lasts := true
	switch a.f {
	case faultKill, faultHost, faultShared:
		if !on {
			w.restart(a.i)
			break
		}
		w.dead = w.dead || a.f == faultShared
		r.down, r.link = true, false
		if a.f != faultKill {
			r.netOut = slices.DeleteFunc(r.netOut, func(x item) bool { return !x.late })
			r.held = nil
			// What is under way towards the other relay is lost, and nothing tells it.
			o.queue = nil
		} else if o.link {
			o.fin = true
		}
		r.queue, r.nodeIn, r.netIn, r.fin, r.rst = nil, nil, nil, false, false
	case faultPause:
		r.paused = on
	case faultStall:
		r.holding = on
		if !on {
			r.paused = false
		}
	case faultCutLink:
		if a.n != 1 {
			w.r[1].cutLink = on
		}
		if a.n != 0 {
			w.r[0].cutLink = on
		}
	case faultBreak:
		lasts = false // at the end of the tick
	case faultCutNet:
		if a.n != 1 {
			r.cutOut = on
		}
		if a.n != 0 {
			r.cutIn = on
		}
	case faultCutNode:
		r.cutNode[a.n] = on
	case faultLate:
		for j := range r.netOut {
			r.netOut[j].late = false
		}
	case faultSlowNode:
		w.late[a.i][w.nextBlock(a.i)] = true
		lasts = false
	case faultHandover:
		r.m.Handover(r.m.now, true)
		w.effects(a.i)
		lasts = false
	}
	switch {
	case on && lasts:
		w.open = append(w.open, openFault{fault{a.f, a.i, a.n}, int16(w.t)})
	case !on:
		for j, x := range w.open {
			if x.f == (fault{a.f, a.i, a.n}) {
				w.open = append(w.open[:j:j], w.open[j+1:]...)
				break
			}
		}
	}
}

// restart brings a crashed relay back: it remembers nothing, and asks the network first.
func (w *world) restart(i int) {
	old := &w.r[i]
	*old = relay{
		asked: -1, life: old.life + 1, lastNet: w.t, lastLink: w.t, cutLink: old.cutLink, cutOut: old.cutOut, cutIn: old.cutIn,
		cutNode: old.cutNode, netOut: old.netOut,
	}
	for int(old.dueNext) < worldDues && w.dueTick(i, int(old.dueNext)) < w.t {
		old.dueNext++
	}
	for s := range worldSlots {
		if w.pub[s] != 0 {
			old.netIn = append(old.netIn, item{slot: int8(s), id: w.pub[s], at: int16(w.t)})
		}
	}
	// The handshake's answer comes after that; the nodes send again what they have.
	old.netIn = append(old.netIn, item{probe: 1 << 40, at: int16(w.t)})
	old.m = w.newMachine(i)
	if w.r[1-i].link {
		w.r[1-i].rst = true
	}
}

// history lists a trace's actions.
func (n *traceNode) history() (list []traceNode) {
	for ; n != nil; n = n.up {
		list = append([]traceNode{*n}, list...)
	}
	return list
}

func (n *traceNode) classes() string {
	var parts []string
	for _, x := range n.history() {
		if x.a.heal == 0 {
			parts = append(parts, fault{x.a.f, x.a.i, x.a.n}.class())
		}
	}
	sortStrings(parts)
	return strings.Join(parts, " + ")
}
