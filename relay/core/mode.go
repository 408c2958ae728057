package core

import (
	"fmt"
	"time"

	"bprelay/p2pwire"
)

const (
	// modeEvery is how often the way to take over is chosen anew, modeHolds how long something must
	// speak against the one in force.
	modeEvery, modeHolds = time.Second, 10 * time.Second
	// leastForeigners is how many foreign finalizers must be heard for a leash: one that restarts must
	// not stop our lead.
	leastForeigners = 2
)

// chooseMode decides how nodes take over from each other, as configured or as the chain and the nodes
// allow. What is in force changes outside our run only.
func (c *Core) chooseMode() {
	t := &c.reign
	first := !t.chosen
	if t.up == 0 || (!first && c.since(t.decided) < modeEvery) {
		return
	}
	mode, why, sure := c.bestMode()
	if first && !sure && c.since(t.up) < leadWait {
		return
	}
	t.decided = c.now.Mono
	if mode == t.mode && !first {
		t.why, t.against = why, 0
		return
	}
	if !first {
		if in, _ := c.run(); in {
			return
		}
		if t.against == 0 {
			t.against = max(c.now.Mono, 1)
		}
		if t.mode != TakeoverRace && c.since(t.against) < modeHolds {
			return
		}
	}
	t.chosen, t.against = true, 0
	c.enforce(mode, why)
}

// enforce puts a way into force.
func (c *Core) enforce(mode Takeover, why string) {
	t := &c.reign
	changed, led := mode != t.mode, t.on() && t.known
	t.mode, t.why, t.passing = mode, why, passing{}
	if !led || !t.on() {
		t.known, t.lead = false, "" // else who leads goes on
	}
	for _, n := range t.nodes {
		if n.cfg.Role.produces() {
			if changed {
				n.wish, n.quiet, n.seen = wishNone, c.now.Mono, 0
			}
			c.setHeld(n, t.on() && n.cfg.Name != t.lead)
		}
	}
	c.note(Event{Kind: EventTakeover, Detail: mode.String() + ": " + why})
	if !t.on() {
		t.known, t.since = true, c.now.Mono
		c.giveAllBack()
	}
	c.stepSoon()
}

func (c *Core) giveAllBack() {
	for _, n := range c.reign.nodes {
		if n.s != nil && !n.back.IsZero() {
			c.giveBack(n)
		}
	}
}

// bestMode is the way that fits, why, and whether more could change that soon after a start.
func (c *Core) bestMode() (mode Takeover, why string, sure bool) {
	against, sure := c.againstLeash()
	switch c.cfg.Takeover.Mode {
	case TakeoverLeash:
		if c.head != nil && !c.head.stub() && !c.head.savanna {
			return TakeoverRace, "leash is configured, but " + legacyChain, true
		}
		return TakeoverLeash, "as configured", true
	case TakeoverAPI:
		return TakeoverAPI, "as configured", true
	}
	if against == "" {
		return TakeoverLeash, fmt.Sprintf("Savanna, %d foreign finalizers heard, nodes stop without votes", c.foreigners()), true
	}
	producing, api := 0, 0
	for _, n := range c.reign.nodes {
		if n.cfg.Role.produces() {
			producing++
			if n.cfg.API {
				api++
			}
		}
	}
	if producing > 1 && api == producing {
		return TakeoverAPI, "no leash (" + against + "), and every producing node has a producer API", sure
	}
	return TakeoverRace, against, sure
}

const legacyChain = "on a legacy chain there are no votes to withhold"

// againstLeash is what speaks against the leash, in words; empty if nothing does.
func (c *Core) againstLeash() (why string, sure bool) {
	t := &c.reign
	producing, stray := 0, ""
	for _, n := range t.nodes {
		switch {
		case !n.cfg.Role.produces():
		case n.stray != 0:
			stray = n.cfg.Name
		default:
			producing++
		}
	}
	least := c.cfg.Takeover.VoteTimeout + armAfter
	gap, _, known := c.runGaps()
	switch {
	case producing < 2 && stray != "":
		return stray + " goes on producing without votes, and then there is only one to choose from", true
	case producing < 2:
		return "there is only one producing node", len(c.cfg.Nodes) > 0
	case c.head == nil || c.head.stub():
		return "the chain is not known yet", false
	case !c.head.savanna:
		return legacyChain, true
	case known && gap < least:
		return fmt.Sprintf("our rounds are %.0f s apart, and a node goes quiet only after %.1f s", gap.Seconds(), least.Seconds()), true
	case c.foreigners() < leastForeigners:
		return fmt.Sprintf("%d foreign finalizers were heard, %d are needed", c.foreigners(), leastForeigners), false
	}
	return "", true
}

// runGaps is the least and the most time between our runs, as far as the schedule is known. Rounds of ours that
// follow each other have none between them; of a schedule that is ours alone both are 0.
func (c *Core) runGaps() (least, most time.Duration, known bool) {
	b := &c.slots.rounds
	if b.period == 0 {
		return 0, 0, false
	}
	now := p2pwire.SlotAt(c.wall()).Round()
	last := uint32(0)
	for r := now - min(now, b.period); r <= now+b.period; r++ {
		x := b.known(r)
		if x == nil || !(x.own || x.expected) || c.own[x.producer] == nil {
			continue
		}
		if last != 0 {
			d := time.Duration(r-last-1) * p2pwire.RoundSlots * p2pwire.SlotDuration
			if !known || d < least {
				least = d
			}
			most, known = max(most, d), true
		}
		last = r
	}
	return least, most, known
}
