package core_test

import (
	"fmt"
	"strings"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// say adds a line to the transcript, at the present time.
func (w *world) say(format string, args ...any) {
	w.lines = append(w.lines, line{w.now(), fmt.Sprintf(format, args...)})
}

// collect says what the core decided and what everybody received since the last call. Time messages
// are answered on the way.
func (w *world) collect() {
	if w.r == nil {
		return
	}
	for again := true; again; {
		again = false
		for ; w.events < len(w.r.events); w.events++ {
			w.sayEvent(&w.r.events[w.events])
		}
		for _, p := range w.r.order {
			got := p.got
			p.clear()
			w.sayReceived(p, got)
			again = w.answer(p, got) || again
		}
	}
	for _, p := range w.r.order {
		if p.closed != core.ReasonNone {
			w.say("the relay closes the link to %s: %v", p.name, p.closed)
			p.closed = core.ReasonNone
		}
	}
	w.sayDropped()
}

func (w *world) sayEvent(e *core.Event) {
	who := ""
	if e.Node != "" {
		who = e.Node + "'s "
	}
	id := func() string { return who + w.nameOf(e.ID) }
	switch e.Kind {
	case core.EventSessionUp, core.EventSessionDown: // the script's doing, or told by its close
	case core.EventClaimed:
		w.say("%s goes out", id())
	case core.EventWithheld:
		w.say("%s stays inside: %v", id(), e.Reason)
	case core.EventHeld:
		w.say("%s waits: %v", id(), e.Reason)
	case core.EventPublic:
		if !w.ours[e.Producer.String()] {
			w.say("public head: %s", w.nameOf(e.ID))
		}
	case core.EventBlamed:
		w.say("%s is blamed for a %s", e.Node, e.Detail)
	case core.EventLead:
		w.say("%s leads", e.Node)
	case core.EventRound:
		w.say("round over: %s", judged(e.Round))
	case core.EventAlarm:
		text := fmt.Sprintf("ALARM %v:", e.Reason)
		if !e.ID.IsZero() {
			text += " " + id()
		} else if e.Node != "" {
			text += " " + e.Node
		}
		if e.Detail != "" {
			text += " " + e.Detail
		}
		w.say("%s", text)
	default:
		w.say("%v %v %s %s", e.Kind, e.Reason, e.Node, e.Detail)
	}
}

// judged says what became of a round's slots, those that went the same way together.
func judged(round []core.SlotRecord) string {
	var parts []string
	for i := 0; i < len(round); {
		j, r := i, &round[i]
		for j+1 < len(round) && round[j+1].Outcome == r.Outcome && round[j+1].Reason == r.Reason {
			j++
		}
		text := fmt.Sprintf("%d", int64(r.Slot)-int64(base))
		if j > i {
			text += fmt.Sprintf("-%d", int64(round[j].Slot)-int64(base))
		}
		text += " " + r.Outcome.String()
		if r.Reason != core.ReasonClaimed {
			text += " (" + r.Reason.String() + ")"
		}
		parts = append(parts, text)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// sayReceived says what a peer got: blocks, votes and transactions in a line, questions and handshakes
// in one each.
func (w *world) sayReceived(p *peer, got []p2pwire.Frame) {
	var run []string
	fatal := ""
	flush := func() {
		if len(run) > 0 {
			w.say("to %s: %s", p.name, strings.Join(run, ", "))
		}
		run = nil
	}
	for _, f := range got {
		switch f.Type() {
		case p2pwire.TypeSignedBlock:
			b, err := p2pwire.ParseBlock(f.Body())
			if err != nil {
				w.fatalf("%s got a bad block: %v", p.name, err)
			}
			name, ok := w.payloads[string(f)]
			if !ok {
				w.fatalf("%s got bytes that nobody sent under the id of %s", p.name, w.nameOf(b.ID))
			}
			run = append(run, name)
			if w.fatal[name] && !w.took[p.name][b.ID] { // nodeos does not look at a block that it has
				fatal = name
			} else if fatal == "" {
				w.took[p.name][b.ID] = true
			}
			w.checkShown(p, &b, name)
		case p2pwire.TypeVote:
			v, err := p2pwire.ParseVote(f.Body())
			if err != nil {
				w.fatalf("%s got a bad vote: %v", p.name, err)
			}
			run = append(run, w.voteName(v))
			if w.fatal[w.finalizer(v)] {
				fatal = w.voteName(v)
			}
			w.checkVoted(p, v)
		case p2pwire.TypePackedTransaction:
			run = append(run, w.payloads[string(f)])
		case p2pwire.TypeRequest:
			flush()
			m, err := p2pwire.DecodeRequest(f.Body())
			if err != nil {
				w.fatalf("%s got a bad request: %v", p.name, err)
			}
			w.say("%s is asked for what follows %s", p.name, w.nameOf(m.Blocks.IDs[0]))
		case p2pwire.TypeHandshake:
			h, err := p2pwire.DecodeHandshake(f.Body())
			if err != nil {
				w.fatalf("%s got a bad handshake: %v", p.name, err)
			}
			if w.shakes {
				flush()
				w.say("handshake to %s: root %s, head %s", p.name, w.nameOf(h.RootID), w.nameOf(h.HeadID))
			}
		case p2pwire.TypeTime:
		default:
			run = append(run, f.Type().String())
		}
	}
	flush()
	if fatal != "" && p.side == core.Internal && !p.gone {
		w.closeOver(p, fatal)
	}
}

// finalizer is the script's name of a finalizer key.
func (w *world) finalizer(v p2pwire.Vote) string {
	for name, k := range w.keys {
		if k == v.FinalizerKey()[0] {
			return name
		}
	}
	return ""
}

func (w *world) voteName(v p2pwire.Vote) string {
	text := "vote for " + w.nameOf(v.BlockID)
	if !v.Strong {
		text = "weak " + text
	}
	if name := w.finalizer(v); name != defaultFinalizer {
		text = name + "'s " + text
	}
	return text
}

// answer replies to the relay's time messages, by the peer's own clock.
func (w *world) answer(p *peer, got []p2pwire.Frame) bool {
	answered := false
	for _, f := range got {
		if f.Type() != p2pwire.TypeTime || p.gone {
			continue
		}
		if m, err := p2pwire.DecodeTime(f.Body()); err == nil && m.Org == 0 {
			there := w.now() + int64(w.offset[p.name])
			p.send(p2pwire.AppendFrame(nil, p2pwire.Time{Org: m.Xmt, Rec: there, Xmt: there}))
			answered = true
		}
	}
	return answered
}

// checkShown fails a script in which the network is shown two blocks for one own slot, whatever
// transcript is checked in.
func (w *world) checkShown(p *peer, b *p2pwire.Block, name string) {
	if p.side != core.Network || !w.ours[b.Producer.String()] {
		return
	}
	at := ownSlot{b.Producer, b.Slot}
	if before, ok := w.shown[at]; ok && w.blocks[before].id != b.ID {
		w.Errorf("%s: the network was shown %s and %s for one slot", w.at, before, name)
	}
	w.shown[at] = name
}

// checkVoted does the same for votes: one per finalizer and timestamp, in rising order.
func (w *world) checkVoted(p *peer, v p2pwire.Vote) {
	if p.side != core.Network {
		return
	}
	key := fmt.Sprintf("%s %d", p.name, v.FinalizerKey()[0])
	slot := w.blocks[w.nameOf(v.BlockID)].slot
	if last := w.voted[key]; slot <= last {
		w.Errorf("%s: %s got a vote for %s after one for a block as new", w.at, p.name, w.nameOf(v.BlockID))
	}
	w.voted[key] = slot
}

// sayDropped says why messages were dropped.
func (w *world) sayDropped() {
	now := w.r.c.Snapshot(w.r.now).Stats.Dropped
	for why, n := range now {
		switch n -= w.dropped[why]; n {
		case 0:
		case 1:
			w.say("dropped: %v", core.Reason(why))
		default:
			w.say("dropped: %v, %d times", core.Reason(why), n)
		}
	}
	w.dropped = now
}

// transcript is what was said since the last call, the time in a column of its own where it changes.
func (w *world) transcript() []string {
	var out []string
	last := ""
	for _, l := range w.lines {
		at := slotTime(l.wall)
		if at == last {
			out = append(out, fmt.Sprintf("%19s %s", "", l.text))
		} else {
			out = append(out, fmt.Sprintf("%-19s %s", at, l.text))
		}
		last = at
	}
	w.lines = nil
	return out
}

// slotTime is a time as an offset to the nearest slot's timestamp.
func slotTime(wall int64) string {
	const half = int64(p2pwire.SlotDuration) / 2
	d := wall - base.Time() + half
	slot := d / (2 * half)
	if d%(2*half) < 0 {
		slot--
	}
	off := time.Duration(wall - base.Time() - slot*2*half)
	if off == 0 {
		return fmt.Sprintf("slot %d", slot)
	}
	return fmt.Sprintf("slot %d %+.4g ms", slot, float64(off)/1e6)
}
