package pair

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"bprelay/p2pwire"
)

// The world of the model: two relays a (0) and b (1) that run Machine, two nodes, and the network with
// which each relay has one session that stands for all. Time is counted in ticks; whatever is written
// in one arrives in the next.

const (
	worldSlots  = 3 // slots for which the nodes make blocks
	worldDues   = 7 // slots that become due; those after the first three have no block
	slotTicks   = 10
	firstDue    = 4
	linkTimeout = 4 // ticks without bytes after which an engine closes the link
	netTimeout  = 3 // ticks without bytes after which a network session does not count as recent
	lateTicks   = 8 // by how much a late node is late
	horizon     = firstDue + worldDues*slotTicks
	// The first fault begins before the second slot: later ones find the same again.
	firstFault = firstDue + slotTicks - 1
	lastFault  = firstDue + (worldSlots-1)*slotTicks + 8
	lastHeal   = lastFault + 8
)

func worldTiming() Timing {
	return Timing{
		Heartbeat: 2, ClaimWait: 3, EchoWait: 7, Guard: 2, BidWait: 3, GapLimit: 2, StartWait: 5,
		ProbeEvery: 2, HandoverWait: 20, FailbackAfter: 1 << 40, QuietWait: 1 << 40,
	}
}

// setting is what a search varies besides faults.
type setting struct {
	name   string
	text   string
	rules  rules
	chain  bool // a block's parent is its node's block before; else each slot stands for itself
	same   bool // both nodes make the same block (leash)
	skew   int  // by how many ticks b's slot clock is ahead
	second bool // b, which has no priority, is active at first
	held   bool // node 2 is held: it makes blocks when node 1 is dead and an active relay released it
	cold   bool // both relays start at tick 0, not yet in contact
	early  bool // blocks leave their nodes three ticks before they are due
}

// clockStart is what the machines' clock shows at tick 0.
const clockStart = 1000

func (w *world) now() time.Duration { return time.Duration(w.t + clockStart) }

type blockID uint8 // 0 none, 1 and 2 the nodes' blocks

type msgInFlight struct {
	m    *Message
	hash uint64
	at   int // sent
}

// item is what a network session carries.
type item struct {
	slot  int8
	id    blockID
	probe uint64 // or a time message
	at    int16  // written
	until int16  // alone: dropped with its session then; 0: never
	late  bool   // under way, whatever the relay's kernel does
}

// relay is one relay: its machine, and as much of a core and an engine as matters here.
type relay struct {
	m      *Machine
	down   bool // crashed
	paused bool
	life   uint8

	cands   [worldSlots]uint8 // ids held, as bits
	book    [worldSlots]blockID
	perm    [worldSlots]int16 // 0 none, -1 free, else alone until
	written [worldSlots]bool
	shown   [worldSlots]blockID
	dropped [worldSlots]uint8 // candidates that were denied
	asked   int8              // slot of the pending claim, -1 none
	askedID blockID
	synced  bool   // it knows what the network has since its start
	probed  uint64 // the last question put to the network's session

	link     bool
	lastLink int
	lastNet  int
	dueNext  int8
	queue    []msgInFlight // from the other relay
	nodeIn   []item
	netIn    []item
	netOut   []item
	fin      bool // the other end is gone, after what is in queue
	rst      bool // the connection is gone with what is in queue
	cutLink  bool // link towards this relay
	cutOut   bool // to the network
	cutIn    bool // from the network
	cutNode  [2]bool
	held     []item // writes of a pass in which it was paused
	holding  bool   // its writes are put off
}

type world struct {
	set    *setting
	t      int
	r      [2]relay
	pub    [worldSlots]blockID
	pubAt  [worldSlots]int16
	late   [2][worldSlots]bool
	dead   bool // node 1 is
	made   [worldSlots]bool
	faults uint8
	open   []openFault
	trace  *traceNode
	broken string
	idle   bool // the last action was without effect, or the same as another one
	log    *strings.Builder
}

type openFault struct {
	f  fault
	at int16
}

type traceNode struct {
	up *traceNode
	t  int
	a  action
}

func idOf(slot int8, id blockID) (x p2pwire.ID) {
	x[0], x[1] = byte(slot+1), byte(id)
	return x
}

func claimOf(slot int8, id blockID) Claim {
	return Claim{Producer: 1, Slot: p2pwire.Slot(slot + 1), ID: idOf(slot, id)}
}

var memberNames = [2]string{"a", "b"}

func (w *world) newMachine(i int) *Machine {
	m, err := New(Config{
		Member: memberNames[i], Peer: memberNames[1-i], Incarnation: uint64(w.r[i].life) + 1, Priority: i == 0,
		Timing: worldTiming(),
	}, w.now())
	if err != nil {
		panic(err)
	}
	m.rules = w.set.rules
	return m
}

// newWorld is the state before the first slot, without faults so far.
func newWorld(set *setting) *world {
	w := &world{set: set, t: -40}
	if set.cold {
		w.t = 0
	}
	for i := range w.r {
		r := &w.r[i]
		r.asked, r.synced, r.lastNet = -1, true, w.t
		r.m = w.newMachine(i)
	}
	for w.t < 0 {
		if set.second && w.t == -20 {
			w.r[0].m.Handover(w.now(), true)
		}
		w.step(action{})
	}
	return w
}

func (w *world) clone() *world {
	c := *w
	c.open = slices.Clone(w.open)
	for i := range c.r {
		r := &c.r[i]
		r.m = r.m.clone()
		r.queue = slices.Clone(r.queue)
		r.nodeIn, r.netIn, r.netOut, r.held = slices.Clone(r.nodeIn), slices.Clone(r.netIn), slices.Clone(r.netOut), slices.Clone(r.held)
	}
	return &c
}

func (m *Machine) clone() *Machine {
	c := *m
	c.out = nil
	c.book.list = slices.Clone(m.book.list)
	c.has, c.blocks = slices.Clone(m.has), slices.Clone(m.blocks)
	c.windows.dues = slices.Clone(m.windows.dues)
	return &c
}

func (w *world) logf(format string, a ...any) {
	if w.log != nil {
		fmt.Fprintf(w.log, "%4d  ", w.t)
		fmt.Fprintf(w.log, format, a...)
		w.log.WriteByte('\n')
	}
}

// dueTick is when relay i believes a slot to be due.
func (w *world) dueTick(i, slot int) int {
	d := firstDue + slot*slotTicks
	if i == 1 {
		d -= w.set.skew
	}
	return d
}

// step lets one tick pass; a is what goes wrong (or right again) in it.
func (w *world) step(a action) {
	w.apply(a)
	if w.t == lastHeal { // nothing is late for ever
		for i := range w.r {
			for j := range w.r[i].netOut {
				w.r[i].netOut[j].late = false
			}
		}
	}
	w.nodes()
	w.network()
	for i := range w.r {
		w.engine(i, a)
	}
	w.connect()
	if a.f == faultBreak {
		for i := range w.r {
			w.r[i].rst, w.r[i].queue = true, nil
		}
	}
	if a.f == faultLate && a.heal == 0 {
		w.delay(a.i)
	}
	for i := range w.r {
		r := &w.r[i]
		if r.holding && !r.paused { // it pauses in the middle of the pass, its writes not yet done
			r.paused = true
			w.idle = len(r.held) == 0 // just a pause
		}
	}
	w.t++
}

// delay makes late what relay i wrote in this tick. If that is nothing, there is no point in it.
func (w *world) delay(i int) {
	w.idle = true
	for j := range w.r[i].netOut {
		if x := &w.r[i].netOut[j]; int(x.at) == w.t && x.probe == 0 {
			x.late, w.idle = true, false
		}
	}
}

// nodes sends blocks to the relays.
func (w *world) nodes() {
	for s := range worldSlots {
		due := firstDue + s*slotTicks
		if w.set.early {
			due -= 3
		}
		for n := range 2 {
			if n == 1 && w.set.same || n == 0 && w.dead {
				continue
			}
			if n == 1 && w.set.held {
				w.released(s)
				continue
			}
			at := due
			if w.late[n][s] {
				at += lateTicks
			}
			if at != w.t {
				continue
			}
			w.send(s, n)
		}
	}
}

// send brings node n's block of a slot to the relays.
func (w *world) send(s, n int) {
	for i := range w.r {
		if !w.r[i].down {
			w.r[i].nodeIn = append(w.r[i].nodeIn, item{slot: int8(s), id: blockID(n + 1), at: int16(w.t)})
		}
	}
}

// released makes the held node's block of a slot, if an active relay lets it: the leash's first act
// when the lead is gone.
func (w *world) released(s int) {
	due := firstDue + s*slotTicks
	if !w.dead || w.made[s] || w.pub[s] != 0 || w.t < due || w.t >= due+slotTicks+4 {
		return
	}
	for i := range w.r {
		r := &w.r[i]
		if !r.down && !r.paused && !r.cutNode[1] && r.m.told == Active {
			w.made[s] = true
			w.send(s, 1)
			return
		}
	}
}

// network takes what the relays wrote, and answers.
func (w *world) network() {
	for i := range w.r {
		r := &w.r[i]
		rest := r.netOut[:0]
		cut, wait := false, false
		for _, x := range r.netOut {
			switch {
			case cut:
				// The session was closed with what was behind.
				if x.probe == 0 {
					r.written[x.slot] = false
				} else {
					r.probed = 0 // the next session is asked anew
				}
			case !x.late && x.until != 0 && int(x.until) <= w.t && (r.cutOut || int(x.at) >= w.t):
				w.logf("%s: session closed at the end of its right, slot %d dropped", memberNames[i], x.slot)
				r.written[x.slot] = false
				cut = w.set.chain
			case wait || r.cutOut || x.late || int(x.at) >= w.t:
				wait = wait || x.late // one session, one order
				rest = append(rest, x)
			case x.probe != 0:
				r.netIn = append(r.netIn, item{probe: x.probe, at: int16(w.t)})
			default:
				w.publish(i, x)
			}
		}
		r.netOut = rest
	}
}

func (w *world) publish(i int, x item) {
	s := x.slot
	w.logf("network: block %d of slot %d from %s", x.id, s, memberNames[i])
	if w.pub[s] == 0 {
		w.pub[s], w.pubAt[s] = x.id, int16(w.t)
		if w.set.chain && s > 0 && w.pub[s-1] == 0 && w.broken == "" {
			w.broken = "I2"
		}
		for j := range w.r {
			w.r[j].netIn = append(w.r[j].netIn, item{slot: s, id: x.id, at: int16(w.t)})
		}
	} else if w.pub[s] != x.id && w.broken == "" {
		w.broken = "I1"
	}
}

// engine is one pass of relay i's loop.
func (w *world) engine(i int, a action) {
	r := &w.r[i]
	if r.down || r.paused {
		return
	}
	now := w.now()
	woke := (a.f == faultPause || a.f == faultStall) && a.i == i && a.heal != 0
	if woke && len(r.held) > 0 {
		w.logf("%s: writes put off by its pause leave", memberNames[i])
		for _, x := range r.held {
			x.at = int16(w.t)
			r.netOut = append(r.netOut, x)
		}
		r.held = nil
	}
	if woke && a.heal == 2 { // timers first: the link has had no bytes for long
		w.timers(i, now)
	}
	w.inputs(i, now)
	w.timers(i, now)
	w.core(i)
	w.effects(i)
	r.m.Tick(now)
	w.effects(i)
	w.core(i)
	w.effects(i)
}

// inputs reads every socket empty.
func (w *world) inputs(i int, now time.Duration) {
	r := &w.r[i]
	// Draining may begin within: each thing is taken out before it is passed on.
	for len(r.queue) > 0 && !r.cutLink && r.queue[0].at < w.t && r.link {
		x := r.queue[0]
		r.queue = r.queue[1:]
		r.lastLink = w.t
		if w.log != nil {
			w.logf("%s <- %s epoch %d %s %s", memberNames[i], x.m.Kind, x.m.Epoch, x.m.Role, toldText(x.m))
		}
		r.m.Recv(now, x.m)
		w.effects(i)
	}
	if r.rst || r.fin && len(r.queue) == 0 && !r.cutLink {
		w.linkDown(i, "closed")
	}
	if !r.cutIn {
		if w.t > r.lastNet {
			r.lastNet = w.t
		}
		for len(r.netIn) > 0 && int(r.netIn[0].at) < w.t {
			x := r.netIn[0]
			r.netIn = r.netIn[1:]
			if x.probe != 0 {
				r.synced = true
				r.m.Answered(now, x.probe)
			} else {
				w.logf("%s sees block %d of slot %d", memberNames[i], x.id, x.slot)
				r.shown[x.slot] = x.id
				r.m.Echo(now, 1, p2pwire.Slot(x.slot+1), idOf(x.slot, x.id))
				if r.book[x.slot] == 0 {
					r.book[x.slot], r.perm[x.slot] = x.id, -1
				}
			}
			w.effects(i)
		}
	}
	var rest []item
	in := r.nodeIn
	r.nodeIn = nil
	for _, x := range in {
		if r.cutNode[x.id-1] || w.set.same && r.cutNode[0] {
			rest = append(rest, x)
			continue
		}
		r.cands[x.slot] |= 1 << x.id
		r.m.Hold(now, idOf(x.slot, x.id))
		w.effects(i)
	}
	r.nodeIn = append(rest, r.nodeIn...)
}

// timers are the engine's own.
func (w *world) timers(i int, now time.Duration) {
	r := &w.r[i]
	if r.link && w.t-r.lastLink > linkTimeout {
		w.linkDown(i, "silent")
	}
	for int(r.dueNext) < worldDues && w.dueTick(i, int(r.dueNext)) <= w.t {
		s := r.dueNext
		r.dueNext++
		r.m.Due(now, 1, p2pwire.Slot(s+1), time.Duration(w.dueTick(i, int(s))+clockStart))
		w.effects(i)
	}
	h := Health{}
	for n := range 2 {
		if !r.cutNode[n] && (n == 0 || !w.set.same) {
			h.Nodes++
		}
	}
	if w.t-r.lastNet <= netTimeout {
		h.Network = 1
	}
	r.m.Health(now, h)
	w.effects(i)
}

// linkDown closes relay i's end of the link. The other end hears of it if it can.
func (w *world) linkDown(i int, why string) {
	r, o := &w.r[i], &w.r[1-i]
	if !r.link {
		return
	}
	w.logf("%s: link down (%s)", memberNames[i], why)
	r.link, r.fin, r.rst, r.queue = false, false, false, nil
	if o.link {
		if o.cutLink {
			o.queue = nil
		} else {
			o.rst = true
		}
	}
	r.m.LinkDown(w.now(), why)
	w.effects(i)
}

// connect links the relays again if nothing is in the way.
func (w *world) connect() {
	a, b := &w.r[0], &w.r[1]
	if a.link || b.link || a.down || b.down || a.paused || b.paused || a.holding || b.holding || a.cutLink || b.cutLink {
		return
	}
	for i := range w.r {
		r := &w.r[i]
		r.link, r.lastLink, r.queue, r.fin, r.rst = true, w.t, nil, false, false
	}
	w.logf("link up")
	for i := range w.r {
		w.r[i].m.LinkUp(w.now())
		w.effects(i)
	}
}

// effects carries out what relay i's machine wants.
func (w *world) effects(i int) {
	r := &w.r[i]
	for {
		m := r.m
		if len(m.out) == 0 {
			w.flush(i)
			return
		}
		list := m.out
		m.out = nil
		for _, e := range list {
			w.effect(i, e)
		}
	}
}

func (w *world) effect(i int, e Effect) {
	r, o := &w.r[i], &w.r[1-i]
	s, id := int8(e.Claim.Slot)-1, blockID(e.Claim.ID[1])
	switch e.Kind {
	case EffectSend:
		if o.link {
			o.queue = append(o.queue, msgInFlight{m: e.Message, hash: messageHash(e.Message), at: w.t})
		}
	case EffectDecided:
		w.logf("%s: slot %d block %d %s (%s) alone=%v until %d", memberNames[i], s, id, e.Verdict, e.Reason, e.Alone, max(e.Until-clockStart, 0))
		if r.asked == s && r.askedID == id {
			r.asked = -1
		}
		if e.Verdict != Approved {
			if e.Verdict == Denied {
				r.dropped[s] |= 1 << id
			}
			return
		}
		if r.book[s] == 0 {
			r.book[s] = id
		}
		if r.book[s] != id {
			return
		}
		if e.Alone {
			r.perm[s] = int16(e.Until - clockStart)
			w.flush(i)
		} else {
			r.perm[s] = -1
		}
	case EffectFree, EffectAdopt:
		w.logf("%s: %s slot %d block %d held=%v (%s)", memberNames[i], e.Kind, s, id, e.Held, e.Reason)
		if r.book[s] == 0 {
			r.book[s] = id
		}
		if r.book[s] == id {
			r.perm[s] = -1
		}
		if e.Bytes != nil {
			r.cands[s] |= 1 << id
		}
	case EffectRole:
		w.logf("%s: %s, epoch %d (%s)", memberNames[i], e.Role, e.Epoch, e.Reason)
	case EffectDrain:
		w.logf("%s: drains", memberNames[i])
		w.inputs(i, w.now())
		r.m.Drained(w.now())
	case EffectProbe:
		if r.probed != e.Probe {
			r.probed = e.Probe
			w.write(i, item{probe: e.Probe, at: int16(w.t)})
		}
	case EffectAlarm:
		w.logf("%s: alarm %s", memberNames[i], e.Reason)
	}
}

func (w *world) write(i int, x item) {
	r := &w.r[i]
	if r.holding {
		r.held = append(r.held, x)
		return
	}
	r.netOut = append(r.netOut, x)
}

// flush writes what may be written, parents first.
func (w *world) flush(i int) {
	r := &w.r[i]
	for s := range int8(worldSlots) {
		id := r.book[s]
		if id == 0 || r.written[s] || r.perm[s] == 0 || r.cands[s]&(1<<id) == 0 || r.shown[s] != 0 {
			continue
		}
		if r.perm[s] > 0 && (int(r.perm[s]) <= w.t || w.t-r.lastNet > netTimeout) {
			continue
		}
		if w.set.chain && s > 0 && !r.written[s-1] && r.shown[s-1] == 0 {
			continue
		}
		r.written[s] = true
		x := item{slot: s, id: id, at: int16(w.t)}
		if r.perm[s] > 0 {
			x.until = r.perm[s]
		}
		w.write(i, x)
	}
	// What was written alone and may leave by now needs no end.
	for j := range r.netOut {
		if x := &r.netOut[j]; x.until != 0 && r.perm[x.slot] == -1 {
			x.until = 0
		}
	}
}

// core asks for the oldest slot whose candidate may leave: as simple as a core can be.
func (w *world) core(i int) {
	r := &w.r[i]
	if r.down || r.paused || !r.synced {
		return
	}
	for s := range int8(worldSlots) {
		if r.book[s] != 0 || r.asked == s {
			if r.asked == s {
				return
			}
			continue
		}
		id := w.candidate(i, s)
		if id == 0 {
			continue
		}
		if r.asked >= 0 && r.asked < s {
			return
		}
		switch r.m.Claim(w.now(), claimOf(s, id), []byte{byte(s), byte(id)}) {
		case Approved:
			r.book[s], r.perm[s] = id, -1
		case Denied:
			r.dropped[s] |= 1 << id
		case Pending:
			r.asked, r.askedID = s, id
		}
		w.effects(i)
	}
}

// candidate is the block that relay i would let out for a slot. a heard from node 1 first, b from node 2.
func (w *world) candidate(i int, s int8) blockID {
	r := &w.r[i]
	for n := range blockID(2) {
		id := n + 1
		if i == 1 {
			id = 2 - n
		}
		if r.cands[s]&^r.dropped[s]&(1<<id) == 0 {
			continue
		}
		if w.set.chain && s > 0 && r.book[s-1] != id {
			continue
		}
		return id
	}
	return 0
}

// hash tells states apart that can end differently.
func (w *world) hash(buf []byte) (uint64, []byte) {
	b := buf[:0]
	put := func(v ...int) {
		for _, x := range v {
			b = binary.AppendVarint(b, int64(x))
		}
	}
	bit := func(v ...bool) {
		for _, x := range v {
			b = append(b, '0')
			if x {
				b[len(b)-1] = '1'
			}
		}
	}
	items := func(list []item) {
		put(len(list))
		for _, x := range list {
			put(int(x.slot), int(x.id), int(x.probe), int(x.until), min(w.t-int(x.at), 1))
			bit(x.late)
		}
	}
	put(w.t, int(w.faults))
	bit(w.dead)
	for _, o := range w.open {
		put(int(o.f.kind), o.f.i, o.f.n, int(o.at))
	}
	for s := range worldSlots {
		put(int(w.pub[s]))
		bit(w.late[0][s], w.late[1][s], w.made[s])
	}
	for i := range w.r {
		r := &w.r[i]
		bit(r.down, r.paused, r.synced, r.link, r.fin, r.rst, r.cutLink, r.cutOut, r.cutIn, r.cutNode[0], r.cutNode[1], r.holding, r.probed == r.m.probe.last)
		for s := range worldSlots {
			put(int(r.cands[s]), int(r.book[s]), int(r.perm[s]), int(r.shown[s]), int(r.dropped[s]))
			bit(r.written[s])
		}
		put(int(r.asked), int(r.askedID), int(r.dueNext), min(w.t-r.lastLink, linkTimeout+1), min(w.t-r.lastNet, netTimeout+1))
		put(len(r.queue))
		for _, x := range r.queue {
			b = binary.LittleEndian.AppendUint64(b, x.hash)
		}
		items(r.nodeIn)
		items(r.netIn)
		items(r.netOut)
		items(r.held)
		if !r.down {
			b = r.m.appendState(b)
		}
	}
	return xxhash.Sum64(b), b
}

func (m *Machine) appendState(b []byte) []byte {
	put := func(v ...int) {
		for _, x := range v {
			b = binary.AppendVarint(b, int64(x))
		}
	}
	bit := func(v ...bool) {
		for _, x := range v {
			b = append(b, '0')
			if x {
				b[len(b)-1] = '1'
			}
		}
	}
	age := func(t time.Duration, most int) int { return min(int(m.now-t), most) }
	put(age(m.started, 6), int(m.role), int(m.epoch), int(m.owner), age(m.wake, 12), int(max(m.settle-m.now, 0)), age(m.sent, 2), age(m.grantedAt, 3))
	bit(m.sent < 0, m.stopped, m.settleAsked, m.fresh, m.met, m.unsure, m.draining, m.link, m.lacks, m.want.on, m.want.sent, m.bid.on, m.bid.answered, m.bid.turn, m.probe.ok, m.peer.known, m.peer.unsure, m.peer.fresh)
	p := &m.peer
	put(age(p.heard, 12), age(p.at, 6), int(p.role), int(p.epoch), int(p.health.Nodes), int(p.health.Network), int(m.health.Nodes), int(m.health.Network))
	if m.want.on {
		put(int(m.want.claim.Slot), int(m.want.claim.ID[1]), age(m.want.first, 4))
		bit(m.want.first < 0)
	}
	for i := range m.book.list {
		e := &m.book.list[i]
		put(int(e.Slot), int(e.ID[1]), int(max(e.until-m.now, 0)))
		bit(e.final, e.held, e.mine, e.free, e.shown, e.asked, e.relied)
	}
	put(len(m.has), int(m.windows.owner), int(m.windows.anchor), int(max(m.windows.anchor, m.windows.floor)))
	for _, d := range m.windows.dues {
		put(int(d.slot), age(d.at, 12))
	}
	put(age(m.probe.at, 3), int(m.probe.anchor), m.probe.missed, int(m.probe.last-m.probe.base+1), int(m.bid.slot), age(m.bid.at, 12))
	bit(m.handover.asked, m.handover.force)
	return b
}

func messageHash(x *Message) uint64 {
	var b []byte
	for _, v := range []int{
		int(x.Kind), int(x.Incarnation), int(x.Sent), int(x.Heard), int(x.Epoch), int(x.Role), int(x.Owner), int(x.AnchorOwner),
		int(x.Anchor), len(x.Missed), int(x.Health.Nodes), int(x.Health.Network), int(x.Slot), int(x.ID[0]), int(x.ID[1]), len(x.Bytes),
	} {
		b = binary.AppendVarint(b, int64(v))
	}
	b = append(b, bits(x.Unsure, x.Fresh, x.Candidate, x.Turn))
	for _, t := range x.Claims {
		b = append(b, byte(t.Slot), t.ID[1], bits(t.Final, t.Held, t.Free, t.Mine))
	}
	return xxhash.Sum64(b)
}

func bits(list ...bool) (b byte) {
	for i, x := range list {
		if x {
			b |= 1 << i
		}
	}
	return b
}

func toldText(x *Message) string {
	var b strings.Builder
	for _, t := range x.Claims {
		fmt.Fprintf(&b, "[%d:%d", t.Slot-1, t.ID[1])
		if t.Final {
			b.WriteString(" final")
		}
		if t.Held {
			b.WriteString(" held")
		}
		b.WriteString("]")
	}
	if x.Unsure {
		b.WriteString(" unsure")
	}
	return b.String()
}
