package core

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"bprelay/p2pwire"
)

// producer is one own producer.
type producer struct {
	authority *p2pwire.AuthorityVerifier // nil: signatures are not checked
	shown     map[string]shown           // by node: its last own block
	fence     int64                      // system clock of the start: up to here slots are closed to new ids
}

// shown is who signed a node's last own block.
type shown struct {
	slot p2pwire.Slot
	by   signing
}

// maxShown bounds the nodes remembered; those that are gone are forgotten first.
const maxShown = 64

// signing says who signed a candidate.
type signing struct {
	verdict verdict
	keys    p2pwire.ID // digest of the keys, if unknown
}

// verdict is what a candidate's signature is worth, the better the larger.
type verdict uint8

const (
	sigBad       verdict = iota // leads to no key: no nodeos takes it
	sigUnknown                  // by keys that do not make up the configured authority
	sigGood                     // by the configured keys
	sigUnchecked                // no keys are configured, or a legacy block: only the chain's state tells
)

var errTwoAuthorities = errors.New("keys and an authority are both given")

func newProducer(p *Producer) (*producer, error) {
	a := p.Authority
	switch {
	case len(p.Keys) > 0 && len(a.Keys) > 0:
		return nil, fmt.Errorf("producer %s: %w", p.Name, errTwoAuthorities)
	case len(p.Keys) > 0:
		a = p2pwire.AnyOf(p.Keys...)
	case len(a.Keys) == 0:
		return &producer{}, nil
	}
	v, err := p2pwire.NewAuthorityVerifier(a)
	if err != nil {
		return nil, fmt.Errorf("producer %s: %w", p.Name, err)
	}
	return &producer{authority: v, shown: make(map[string]shown)}, nil
}

// signing tells who signed a block of the producer, and notes that one of our nodes showed it. Every
// block by unknown keys is an alarm, whatever becomes of it: keys were changed, or a node is wrong.
func (c *Core) signing(op *producer, s *session, v *p2pwire.Block) signing {
	switch {
	case op.authority == nil || !v.Savanna:
		return signing{verdict: sigUnchecked}
	case op.authority.Verify(v):
		by := signing{verdict: sigGood}
		c.show(op, s, v.Slot, by)
		return by
	}
	keys, err := v.Signers()
	if err != nil {
		return signing{verdict: sigBad}
	}
	h := sha256.New()
	var text []byte
	for _, k := range keys {
		h.Write(k[:])
		text = fmt.Append(text, " ", k)
	}
	by := signing{verdict: sigUnknown, keys: p2pwire.ID(h.Sum(nil))}
	c.show(op, s, v.Slot, by)
	c.stats.Alarms[ReasonUnknownKey]++
	c.note(Event{
		Kind: EventAlarm, Reason: ReasonUnknownKey, Session: s.id, Side: s.info.Side, Node: s.Name(), Remote: s.info.Remote,
		Producer: v.Producer, Slot: v.Slot, Num: v.Num, ID: v.ID, Detail: "signed by" + string(text),
	})
	return by
}

func (c *Core) show(op *producer, s *session, slot p2pwire.Slot, by signing) {
	last, known := op.shown[s.Name()]
	if known && last.slot > slot {
		return
	}
	if !known && len(op.shown) >= maxShown {
		maps.DeleteFunc(op.shown, func(name string, _ shown) bool {
			return !slices.ContainsFunc(c.internal, func(n *session) bool { return n.Name() == name })
		})
		if len(op.shown) >= maxShown {
			return
		}
	}
	op.shown[s.Name()] = shown{slot, by}
}

// judgeSignature is the last rule: by configured keys a block goes out, by none at all it stays inside.
// Unknown keys that all our nodes sign with are a rotation: their chain knows better than our
// configuration. But one node that is wrong must not take a slot from another's good block.
func (c *Core) judgeSignature(e *block) (action, Reason) {
	switch e.by.verdict {
	case sigBad:
		return actWithhold, ReasonBadSignature
	case sigGood, sigUnchecked:
		return actForward, ReasonClaimed
	}
	if p := c.blocks.get(e.prev); p != nil && p.claimed && p.by == e.by && p.slot.Round() == e.slot.Round() {
		return actForward, ReasonClaimed // what was decided at the round's start holds: schedules change between rounds
	}
	late := c.wall() >= e.slot.Time()
	switch opposed := c.opposed(e, late); {
	case opposed && late:
		return actWithhold, ReasonKeyDisputed
	case opposed, !late && c.othersDue(e):
		return actHold, ReasonKeyUnconfirmed
	}
	return actForward, ReasonClaimed
}

// opposed tells whether another node's candidate for the slot, which may still get it, is signed by
// others. One whose parent is not known when it is late does not count: its node is on a branch that
// nobody saw, maybe from before the keys were changed.
func (c *Core) opposed(e *block, late bool) bool {
	for i := range c.blocks.n {
		x := c.blocks.at(i)
		if x == e || !x.own || x.slot != e.slot || x.producer != e.producer || x.by == e.by || x.by.verdict == sigBad {
			continue
		}
		if x.withheld && x.why != ReasonKeyDisputed || late && x.held && c.rootless(x) {
			continue
		}
		return true
	}
	return false
}

// othersDue tells whether a connected node last signed by other keys and has not shown its block for
// the slot yet. It comes within milliseconds, or not at all: nobody is waited for beyond the slot's
// timestamp, which is 37.5 ms after the first block of a round is due.
func (c *Core) othersDue(e *block) bool {
	op := c.own[e.producer]
	return slices.ContainsFunc(c.internal, func(s *session) bool {
		last, ok := op.shown[s.Name()]
		return ok && !e.sent.has(s.lane) && last.slot < e.slot && last.by != e.by
	})
}

// judgeUnconfirmed judges again what waited for other nodes' keys, before a further one is decided on:
// first come, first served.
func (c *Core) judgeUnconfirmed() {
	if slices.ContainsFunc(c.held, func(x *block) bool { return x.why == ReasonKeyUnconfirmed }) {
		c.judgeHeld()
	}
}

// bottomHeld is the first of the held candidates that a held one builds on.
func (c *Core) bottomHeld(x *block) *block {
	for p := c.blocks.get(x.prev); p != nil && p.held; p = c.blocks.get(p.prev) {
		x = p
	}
	return x
}

// rootless tells whether a held candidate's branch hangs in the air.
func (c *Core) rootless(x *block) bool {
	b := c.bottomHeld(x)
	p := c.blocks.get(b.prev)
	return b.held && b.gap && (p == nil || !p.public && !p.withheld)
}

// anotherCopy takes the copy of a candidate that a further node made. The id does not cover the
// signature: where the first copy's was unknown or bad, this one may be the good one.
func (c *Core) anotherCopy(s *session, e *block, v *p2pwire.Block, f p2pwire.Frame, owned *buf) {
	op := c.own[e.producer]
	if op == nil || op.authority == nil || !e.savanna {
		return
	}
	if e.frame != nil && bytes.Equal(e.frame.b, f) {
		c.show(op, s, e.slot, e.by)
	} else if by := c.signing(op, s, v); by.verdict > e.by.verdict && (e.held || e.withheld && e.signatureBad()) {
		if err := c.checkBlock(v); err != nil {
			c.end(s, ReasonInvalidBlock)
			return
		}
		c.setFrame(e, c.keep(f, owned))
		e.given.set(s.lane)
		e.by = by
		if e.withheld {
			e.withheld = false
			c.decide(e, s)
		}
	}
	c.lineage.recheck = c.lineage.recheck || len(c.held) > 0
}

// signatureBad tells whether a candidate stayed inside for its signature alone.
func (b *block) signatureBad() bool {
	return b.why == ReasonBadSignature || b.why == ReasonKeyDisputed
}
