package quorum

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"bprelay/p2pwire"
)

// Instant is a point in time as the relay's loop has it.
type Instant struct {
	// Mono is the monotonic time since an arbitrary start.
	Mono time.Duration
	// Wall is the system clock, ns since the Unix epoch.
	Wall int64
}

// Verdict is the answer to a claim; the values mean what the relay core's verdicts mean.
type Verdict uint8

// The verdicts.
const (
	// Approved: the slot belongs to the block, now and for ever.
	Approved Verdict = iota + 1
	// Denied: the slot belongs to another block.
	Denied
	// Failed: it was not decided in time, or this relay is not active. If it is decided later, all relays
	// adopt it.
	Failed
	// Pending: the answer comes in Pump.
	Pending
)

// Host is what the driver may do with the relay's core, in Pump.
type Host interface {
	// SetRole comes for a standby also when only the reign or the cause is another.
	SetRole(now Instant, r Role, epoch uint64, why Cause)
	// Linked tells whether the active relay is heard of; on the active, whether another relay is.
	Linked(now Instant, up bool)
	Adopt(now Instant, cl Claim) (held bool, err error)
	AdoptBlock(now Instant, cl Claim, frame []byte) error
	ApplyLead(now Instant, state []byte) error
	ClaimDecided(now Instant, cl Claim, v Verdict)
	BlockBytes(id p2pwire.ID) []byte
	Health(now Instant, within time.Duration) (network, nodes int, inRun bool, untilRun time.Duration)
}

const (
	// smallBlock (bytes): up to here a block's frame always travels with its claim. A larger one does so
	// only if no other relay says within an eighth of a heartbeat that it has the block already.
	smallBlock = 64 << 10
	// maxInbox and maxInboxBytes bound what waits for a loop that does not come.
	maxInbox      = 4096
	maxInboxBytes = 16 << 20
	// newSlots is how far back a claim is of interest to a relay: a whole schedule of 21 producers.
	newSlots = 21 * p2pwire.RoundSlots
	// bytesSlots is how far back a claimed block's bytes are looked for, and for how many at once.
	bytesSlots = 2 * p2pwire.RoundSlots
	// maxHolds is how many blocks that are here, or elsewhere, are remembered.
	maxHolds = 64
	// heardWithin is how recently a network session must have been heard of to count as one: nodeos sends
	// time messages every 10 s at least, and blocks every 500 ms.
	heardWithin = 3 * time.Second
)

// Driver is a relay's place in the quorum. Claim, Holds, Echo, Missed, LeadChanged, Gap and Pump are called
// on the relay's loop and do not block.
type Driver struct {
	node *Node
	wake func()

	mu        sync.Mutex
	inbox     []item
	bytes     int
	resync    bool      // the inbox was full
	pumped    time.Time // when the loop came last
	elsewhere []p2pwire.ID
	came      chan struct{} // closed and replaced when elsewhere grows

	// The rest belongs to the loop.
	role      Role
	epoch     uint64
	pending   *proposal
	asked     []*proposal // by Claim, to be sent at the end of the event
	missing   []missing
	holds     []Claim
	lead      []byte // to be told
	leadDirty bool
	leadBusy  bool
	lastLead  []byte // as told by the active
	row       int    // slots missed without a claim between
	sampled   time.Duration
	scanned   bool
}

// proposal is a claim under way.
type proposal struct {
	cl     Claim
	until  time.Duration
	cancel context.CancelFunc
}

// missing is a claimed block that is not here.
type missing struct {
	cl   Claim
	next time.Duration // when to ask for it
	busy bool
}

// item is something that waits for the loop.
type item struct {
	kind  itemKind
	cl    Claim
	data  []byte
	role  Role
	epoch uint64
	d     Decision
	err   error
	list  []Claim
	reply chan []byte
	p     *proposal
	up    bool
	why   Cause
}

type itemKind uint8

const (
	itemDecided itemKind = iota + 1
	itemLed
	itemRestored
	itemRole
	itemLinked
	itemAnswer
	itemLeadDone
	itemFrame
	itemWanted
)

// NewDriver returns the driver of a relay, to be given to Start. Attach comes before everything else.
func NewDriver() *Driver {
	return &Driver{role: Standby, came: make(chan struct{}), wake: func() {}}
}

func (d *Driver) join(n *Node) { d.node = n }

// Attach gives it what brings about a call of Pump, from any goroutine.
func (d *Driver) Attach(wake func()) {
	d.mu.Lock()
	d.wake = wake
	d.pumped = time.Now()
	d.mu.Unlock()
	wake()
}

func (d *Driver) post(it item) {
	d.mu.Lock()
	committed := it.kind == itemDecided || it.kind == itemLed || it.kind == itemRestored
	if it.kind == itemDecided && d.bytes+len(it.data) > maxInboxBytes {
		it.data = nil // it is asked for when the loop comes
	}
	if committed && (d.resync || len(d.inbox) >= maxInbox) {
		if !d.resync { // what was committed is in the state as well
			d.inbox = slices.DeleteFunc(d.inbox, func(x item) bool {
				return x.kind == itemDecided || x.kind == itemLed || x.kind == itemRestored
			})
			d.bytes, d.resync = 0, true
		}
	} else {
		if it.kind == itemDecided {
			d.bytes += len(it.data)
		}
		d.inbox = append(d.inbox, it)
	}
	wake := d.wake
	d.mu.Unlock()
	wake()
}

// decided implements listener.
func (d *Driver) decided(cl Claim, block []byte) {
	d.post(item{kind: itemDecided, cl: cl, data: slices.Clone(block)})
}

// led implements listener.
func (d *Driver) led(state []byte) { d.post(item{kind: itemLed, data: slices.Clone(state)}) }

// reigns implements listener: what follows from it, is tells.
func (d *Driver) reigns(Reign) {}

// restored implements listener.
func (d *Driver) restored(recent []Claim, lead []byte, _ Reign) {
	d.post(item{kind: itemRestored, list: recent, data: slices.Clone(lead)})
}

// is implements relay.
func (d *Driver) is(r Role, epoch uint64, why Cause) {
	d.post(item{kind: itemRole, role: r, epoch: epoch, why: why})
}

// linked implements relay.
func (d *Driver) linked(up bool) { d.post(item{kind: itemLinked, up: up}) }

// held implements relay.
func (d *Driver) held(_ string, id [32]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.elsewhere = append(d.elsewhere, id); len(d.elsewhere) > maxHolds {
		d.elsewhere = slices.Delete(d.elsewhere, 0, len(d.elsewhere)-maxHolds)
	}
	close(d.came)
	d.came = make(chan struct{})
}

// frame implements relay.
func (d *Driver) frame(ctx context.Context, id [32]byte) []byte {
	reply := make(chan []byte, 1)
	d.post(item{kind: itemWanted, cl: Claim{ID: id}, reply: reply})
	select {
	case b := <-reply:
		return b
	case <-ctx.Done():
		return nil
	}
}

// moving implements relay.
func (d *Driver) moving(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pumped.IsZero() || now.Sub(d.pumped) < stuckWait
}

// Claim asks for a slot. A Foreign claim is only told to the others.
func (d *Driver) Claim(now Instant, cl Claim) Verdict {
	p := &proposal{cl: cl, until: now.Mono + d.node.o.Timing.claimWait()}
	if cl.Foreign {
		d.asked = append(d.asked, p)
		return Pending
	}
	if v, ok := d.known(cl); ok {
		return v
	}
	if d.role != Active {
		return Failed
	}
	d.pending = p
	d.asked = append(d.asked, p)
	return Pending
}

// known is the verdict that follows from what is committed here already.
func (d *Driver) known(cl Claim) (Verdict, bool) {
	in := d.node.instance()
	if in == nil {
		return 0, false
	}
	dec := in.machine.decision(cl.Producer, cl.Slot)
	switch {
	case !dec.Known:
		return 0, false
	case dec.Winner == cl.ID:
		return Approved, true
	}
	return Denied, true
}

// Holds tells the other relays that a block's bytes are here.
func (d *Driver) Holds(_ Instant, cl Claim) {
	if d.holds = append(d.holds, cl); len(d.holds) > maxHolds {
		d.holds = slices.Delete(d.holds, 0, len(d.holds)-maxHolds)
	}
	d.node.tell(append([]byte{askHolds}, cl.ID[:]...), d.node.names(true))
}

// Echo means nothing here: that the network has a block decides no slot that is not decided already.
func (*Driver) Echo(Instant, Claim) {}

// Missed has the leader told that a slot of ours had no block in time.
func (d *Driver) Missed(_ Instant, producer p2pwire.Name, slot p2pwire.Slot) {
	d.row++
	holds := slices.ContainsFunc(d.holds, func(cl Claim) bool { return cl.Slot == slot && cl.Producer == producer })
	d.node.missed(producer, slot, d.row, holds)
}

// LeadChanged tells the others what the core says about lead and held nodes.
func (d *Driver) LeadChanged(_ Instant, state []byte) {
	d.lead, d.leadDirty = slices.Clone(state), true
}

// Gap means nothing here: whoever was elected while the loop stood still, without a majority's consent
// nothing is claimed, and roles that changed meanwhile come with the next Pump.
func (*Driver) Gap(Instant, time.Duration) {}

// Pump acts on the core, and returns when (Instant.Mono) it wants to be called again at the latest.
func (d *Driver) Pump(now Instant, h Host) time.Duration {
	d.mu.Lock()
	inbox, resync := d.inbox, d.resync
	d.inbox, d.bytes, d.resync, d.pumped = nil, 0, false, time.Now()
	d.mu.Unlock()
	if resync {
		if in := d.node.instance(); in != nil {
			recent, lead, _ := in.machine.present()
			d.restore(now, h, recent, lead)
		}
	}
	for i := range inbox {
		d.handle(now, h, &inbox[i])
	}
	if p := d.pending; p != nil && now.Mono >= p.until {
		d.conclude(now, h, p, Failed)
	}
	for len(d.asked) > 0 { // an answer may have brought the next question
		p := d.asked[0]
		d.asked = d.asked[1:]
		d.send(p, h)
	}
	d.tellLead()
	d.fetch(now, h)
	if !d.scanned || now.Mono-d.sampled >= d.node.o.Timing.Heartbeat {
		d.scanned, d.sampled = true, now.Mono
		d.node.sample(h.Health(now, heardWithin))
	}
	next := now.Mono + d.node.o.Timing.Heartbeat
	if d.pending != nil {
		next = min(next, d.pending.until)
	}
	for _, m := range d.missing {
		next = min(next, m.next)
	}
	return max(next, now.Mono+time.Millisecond)
}

// conclude answers a claim that is pending.
func (d *Driver) conclude(now Instant, h Host, p *proposal, v Verdict) {
	d.pending = nil // the core may ask for the next one at once
	if p.cancel != nil {
		p.cancel()
	}
	p.until = 0
	h.ClaimDecided(now, p.cl, v)
}

func (d *Driver) handle(now Instant, h Host, it *item) {
	switch it.kind {
	case itemDecided:
		d.row = 0
		d.node.served(it.cl.Slot)
		if p := d.pending; p != nil && p.cl.Producer == it.cl.Producer && p.cl.Slot == it.cl.Slot {
			v := Denied
			if p.cl.ID == it.cl.ID {
				v = Approved
			}
			d.conclude(now, h, p, v)
		}
		d.adopt(now, h, it.cl, it.data)
	case itemLed:
		d.lastLead = it.data
		d.applyLead(now, h)
	case itemRestored:
		d.restore(now, h, it.list, it.data)
	case itemRole:
		d.become(now, h, it.role, it.epoch, it.why)
	case itemLinked:
		h.Linked(now, it.up)
	case itemAnswer:
		if it.p != d.pending {
			return
		}
		switch {
		case it.err != nil:
			d.conclude(now, h, it.p, Failed)
		case it.d.Known && it.d.Winner == it.p.cl.ID:
			d.conclude(now, h, it.p, Approved)
		default:
			d.conclude(now, h, it.p, Denied)
		}
	case itemLeadDone:
		d.leadBusy = false
		if it.err != nil && it.epoch == d.epoch && !d.leadDirty {
			d.leadDirty = true
		}
	case itemFrame:
		for i := range d.missing {
			if m := &d.missing[i]; m.cl == it.cl {
				m.busy = false
				if len(it.data) > 0 && d.adoptBlock(now, h, it.cl, it.data) {
					d.missing = slices.Delete(d.missing, i, i+1)
				}
				break
			}
		}
	case itemWanted:
		it.reply <- slices.Clone(h.BlockBytes(it.cl.ID))
	}
}

// become takes a role. A claim under way is not waited for by a standby: if it is decided after all, it
// is adopted like everybody's.
func (d *Driver) become(now Instant, h Host, r Role, epoch uint64, why Cause) {
	was := d.role
	d.role, d.epoch = r, epoch
	if p := d.pending; p != nil && r != Active {
		d.conclude(now, h, p, Failed)
	}
	h.SetRole(now, r, epoch, why)
	if r != Active && was == Active {
		d.leadDirty = false
		d.applyLead(now, h)
	}
}

func (d *Driver) applyLead(now Instant, h Host) {
	if d.role == Active || len(d.lastLead) == 0 {
		return
	}
	if err := h.ApplyLead(now, d.lastLead); err != nil {
		d.node.log.Error("the active's word about lead and held nodes cannot be read: nodes may produce at once", "error", err)
	}
}

// restore takes over what was decided while this relay was not there.
func (d *Driver) restore(now Instant, h Host, recent []Claim, lead []byte) {
	for _, cl := range recent {
		d.handle(now, h, &item{kind: itemDecided, cl: cl})
	}
	if len(lead) > 0 {
		d.handle(now, h, &item{kind: itemLed, data: lead})
	}
}

// adopt hands a decided claim to the core, with the block's bytes if they came along and are not there.
func (d *Driver) adopt(now Instant, h Host, cl Claim, frame []byte) {
	present := p2pwire.SlotAt(now.Wall)
	if cl.Foreign || cl.Slot+newSlots < present {
		return
	}
	held, err := h.Adopt(now, cl)
	if err != nil {
		d.node.log.Error("this relay let out another block than the cluster decided on", "error", err)
		return
	}
	if held || len(frame) > 0 && d.adoptBlock(now, h, cl, frame) || cl.Slot+bytesSlots < present {
		return
	}
	if len(d.missing) >= bytesSlots {
		d.missing = slices.Delete(d.missing, 0, 1)
	}
	d.missing = append(d.missing, missing{cl: cl, next: now.Mono + d.node.o.Timing.step()})
}

func (d *Driver) adoptBlock(now Instant, h Host, cl Claim, frame []byte) bool {
	err := h.AdoptBlock(now, cl, frame)
	if err != nil {
		d.node.log.Warn("the bytes of a claimed block were not taken", "id", cl.ID.String(), "error", err)
	}
	return err == nil
}

// fetch asks the other relays for claimed blocks that did not come from a node meanwhile.
func (d *Driver) fetch(now Instant, h Host) {
	present := p2pwire.SlotAt(now.Wall)
	d.missing = slices.DeleteFunc(d.missing, func(m missing) bool {
		return m.cl.Slot+bytesSlots < present || h.BlockBytes(m.cl.ID) != nil
	})
	for i := range d.missing {
		m := &d.missing[i]
		if m.busy || now.Mono < m.next {
			continue
		}
		m.busy, m.next = true, now.Mono+d.node.o.Timing.claimWait()
		cl := m.cl
		d.node.spawn(func() { d.post(item{kind: itemFrame, cl: cl, data: d.node.findBlock(cl.ID)}) })
	}
}

// send has a claim proposed.
func (d *Driver) send(p *proposal, h Host) {
	if p != d.pending && !p.cl.Foreign {
		return // it was answered meanwhile
	}
	var frame []byte
	if !p.cl.Foreign {
		if b := h.BlockBytes(p.cl.ID); len(b) <= maxBlock {
			frame = slices.Clone(b)
		}
	}
	ctx, cancel := context.WithTimeout(d.node.ctx, d.node.o.Timing.claimWait())
	p.cancel = cancel
	d.node.spawn(func() {
		defer cancel()
		if len(frame) > smallBlock && d.heldElsewhere(ctx, p.cl.ID) {
			frame = nil
		}
		dec, err := d.node.propose(ctx, (&entry{kind: kindClaim, claim: p.cl, block: frame}).encode())
		if err != nil && !errors.Is(err, context.Canceled) {
			d.node.log.Debug("a claim was not decided", "slot", uint32(p.cl.Slot), "id", p.cl.ID.String(), "error", err)
		}
		d.post(item{kind: itemAnswer, p: p, d: dec, err: err})
	})
}

// heldElsewhere waits a little for another relay's word that it has a block.
func (d *Driver) heldElsewhere(ctx context.Context, id p2pwire.ID) bool {
	timer := time.NewTimer(d.node.o.Timing.Heartbeat / 8)
	defer timer.Stop()
	for {
		d.mu.Lock()
		has, came := slices.Contains(d.elsewhere, id), d.came
		d.mu.Unlock()
		if has {
			return true
		}
		select {
		case <-came:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// tellLead proposes what changed about the lead, one at a time.
func (d *Driver) tellLead() {
	if !d.leadDirty || d.leadBusy || d.role != Active {
		return
	}
	d.leadDirty, d.leadBusy = false, true
	epoch, e := d.epoch, (&entry{kind: kindLead, epoch: d.epoch, lead: d.lead}).encode()
	d.node.spawn(func() {
		ctx, cancel := context.WithTimeout(d.node.ctx, d.node.o.Timing.claimWait())
		defer cancel()
		_, err := d.node.propose(ctx, e)
		d.post(item{kind: itemLeadDone, epoch: epoch, err: err})
	})
}
