package journal

import (
	"errors"
	"fmt"
	"time"
)

const (
	// beatEvery is how often a running relay leaves a sign of life.
	beatEvery = 2 * time.Second
	// maxSilence is how old the last record of a complete journal may be. No longer than a start
	// fence or so: whoever else ran in that time was behind a fence of its own.
	maxSilence = 10 * time.Second
	// clockSlack is how far from the future a record may be.
	clockSlack = time.Second
)

// ErrOtherChain means that the journal belongs to another chain than the configuration.
var ErrOtherChain = errors.New("the journal belongs to another chain")

// Identity is whose claims a journal has, and how much is unknown at a start without a complete one.
type Identity struct {
	Chain     [32]byte
	Producers []uint64
	// Fence is the last slot that may have been claimed before this start, by whoever: the slot of
	// now plus the start fence.
	Fence uint32
}

// History is what is known of the time before a start.
type History struct {
	Claims []Claim
	// Floor closes itself and all slots below to new claims.
	Floor uint32
	Marks []Mark
	// Complete: no claim of the own producers that the file names can be missing.
	Complete bool
	// Fault says why it is not complete.
	Fault string
	// Fences has each own producer's last slot whose claims may be unknown.
	Fences map[uint64]uint32
}

// Read decodes a journal file; nil data means that there is none. wall is the time, in ns since the
// Unix epoch. The error is ErrOtherChain, everything else is a fault: see the package documentation.
// The ledger is to be written to a new file before it is used.
func Read(data []byte, who Identity, wall int64) (*Ledger, *History, error) {
	l := newLedger(who.Chain)
	h := &History{}
	last, chain := l.replay(data, h)
	if chain != ([32]byte{}) && chain != who.Chain {
		return nil, nil, fmt.Errorf("%w: %x", ErrOtherChain, chain)
	}
	if h.Fault == "" {
		h.Fault = silence(time.Duration(wall - last))
	}
	h.Complete = h.Fault == ""
	known := l.fences
	l.fences = map[uint64]uint32{}
	for _, name := range who.Producers {
		fence, listed := known[name]
		if !listed || !h.Complete {
			fence = max(fence, who.Fence)
		}
		l.fences[name] = fence
	}
	h.Fences = l.fences
	h.Floor = l.book.Floor()
	h.Claims = l.claims()
	h.Marks = l.newestMarks()
	return l, h, nil
}

func silence(d time.Duration) string {
	switch {
	case d > maxSilence:
		return fmt.Sprintf("its last sign of life is %s old: another instance may have run since", d.Round(time.Millisecond))
	case d < -clockSlack:
		return fmt.Sprintf("its last record is from %s in the future: the clock was set back", (-d).Round(time.Millisecond))
	}
	return ""
}

// replay enters every record that is whole, and notes the first thing that is wrong.
func (l *Ledger) replay(data []byte, h *History) (last int64, chain [32]byte) {
	fault := func(format string, args ...any) {
		if h.Fault == "" {
			h.Fault = fmt.Sprintf(format, args...)
		}
	}
	if data == nil {
		fault("there is none yet")
		return 0, chain
	}
	if len(data) < recordSize {
		fault("its header is cut off")
		return 0, chain
	}
	first, ok := decodeRecord(data[:recordSize], [32]byte{}, 0)
	switch {
	case !ok || first.kind != kindHeader || first.number != magic:
		fault("its header is damaged")
		return 0, chain
	case first.version != version:
		fault("it is in format %d, this relay writes %d", first.version, version)
		return 0, chain
	case first.slot&flagGap != 0:
		fault("claims were let out while it could not be written")
	}
	last = first.wall
	sealed := false
	var floor uint32
	for at := recordSize; at < len(data); at += recordSize {
		place := at / recordSize
		if at+recordSize > len(data) {
			fault("it ends within record %d", place)
			break
		}
		r, ok := decodeRecord(data[at:at+recordSize], first.id, uint32(place))
		if !ok {
			fault("record %d is damaged", place)
			continue
		}
		last = r.wall
		switch r.kind {
		case kindChain:
			chain = r.id
		case kindProducer:
			l.fences[r.number] = r.slot
		case kindFloor:
			floor = max(floor, r.slot)
		case kindClaim, kindForeign, kindAgreed:
			c := Claim{Producer: r.number, Slot: r.slot, ID: r.id, Foreign: r.kind == kindForeign, Agreed: r.kind == kindAgreed}
			if !l.Claim(c) {
				fault("record %d contradicts an earlier one", place)
			}
		case kindMark:
			l.Mark(Mark{Key: r.id, Slot: r.slot})
		case kindSeal:
			sealed = true
		case kindBeat:
		default:
			fault("record %d is of an unknown kind", place)
		}
	}
	l.book.SetFloor(floor)
	if !sealed {
		fault("it was not written to its end")
	}
	return last, chain
}
