package pair

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// Claim is the wish to give a slot of an own producer to a block, or the fact that it has it.
type Claim struct {
	Producer p2pwire.Name
	Slot     p2pwire.Slot
	ID       p2pwire.ID
	// Foreign: the network has the block from elsewhere; it is only told.
	Foreign bool
}

// Verdict is the answer to a Claim; the values mean what the relay core's verdicts mean.
type Verdict uint8

const (
	// Approved: the slot belongs to the block. How it may be written says Decided.
	Approved Verdict = iota + 1
	// Denied: the slot belongs to another block.
	Denied
	// Failed: the claim was given up unanswered (Withdraw, or the machine stopped).
	Failed
	// Pending: the answer comes as a Decided effect.
	Pending
)

var verdictNames = []string{"", "approved", "denied", "failed", "pending"}

// String is the verdict's name in logs.
func (v Verdict) String() string { return name(verdictNames, int(v)) }

const (
	// maxClaims is how many claims a machine remembers (five rounds), maxTold how many of the newest
	// every message carries (two rounds). The relay's own claim book is the one that never forgets.
	maxClaims, maxTold = 64, 24
	// maxHeld is how many ids of blocks that this relay holds are remembered: more than two nodes send
	// in a round.
	maxHeld = 64
)

// entry is what is known of one slot.
type entry struct {
	Claim
	final  bool          // it may be on the network: decided here or there
	held   bool          // this relay holds the bytes
	mine   bool          // decided, or proposed, by this relay as the active
	free   bool          // the other side holds it or the network showed it: it may be written at any time
	shown  bool          // the network showed it
	alarm  bool          // another id was seen for the slot, and told
	asked  bool          // its bytes were asked for on this link
	until  time.Duration // let out alone: up to then
	relied bool          // not final: what the other side proposed (a note); its bytes are not here yet
	// earlier: known from an earlier life, and not confirmed in this one.
	earlier bool
}

// book remembers the newest claims in rising order of slot.
type book struct {
	list  []entry
	floor p2pwire.Slot // no new claim at or below it
}

func (b *book) at(producer p2pwire.Name, slot p2pwire.Slot) *entry {
	for i := len(b.list) - 1; i >= 0; i-- {
		if e := &b.list[i]; e.Slot == slot && e.Producer == producer {
			return e
		} else if e.Slot < slot {
			return nil
		}
	}
	return nil
}

// put adds an entry for a slot that has none; nil if it is too old to be remembered.
func (b *book) put(e entry) *entry {
	if e.Slot <= b.floor {
		return nil
	}
	if len(b.list) >= maxClaims {
		b.floor = b.list[0].Slot
		b.list = append(b.list[:0], b.list[1:]...)
		if e.Slot <= b.floor {
			return nil
		}
	}
	i := len(b.list)
	for i > 0 && b.list[i-1].Slot > e.Slot {
		i--
	}
	b.list = slices.Insert(b.list, i, e)
	return &b.list[i]
}

// newest is the last slot that has an entry.
func (b *book) newest() p2pwire.Slot {
	if n := len(b.list); n > 0 {
		return b.list[n-1].Slot
	}
	return 0
}

func (b *book) drop(f func(*entry) bool) {
	b.list = slices.DeleteFunc(b.list, func(e entry) bool { return f(&e) })
}
