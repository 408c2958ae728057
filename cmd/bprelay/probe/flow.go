package probe

import (
	"slices"
	"time"

	"bprelay/p2pwire"
)

// flow counts what a peer passes on while we listen.
type flow struct {
	from, to     time.Time // zero: not begun, not ended
	blocks       int
	first, last  p2pwire.Block
	delays       []time.Duration // arrival minus slot time
	seen         map[p2pwire.ID]bool
	votes        int
	transactions int
}

func (f *flow) begin(at time.Time) {
	f.from = at
	f.seen = map[p2pwire.ID]bool{}
}

func (f *flow) listening() bool { return !f.from.IsZero() && f.to.IsZero() }

func (f *flow) end(at time.Time) {
	if f.listening() {
		f.to = at
	}
}

// take counts one message; what came before listening is only looked at.
func (f *flow) take(t p2pwire.Type, body []byte, at time.Time) error {
	switch t {
	case p2pwire.TypeSignedBlock:
		b, err := p2pwire.ParseBlock(body)
		if err != nil {
			return err
		}
		if f.listening() && !f.seen[b.ID] {
			f.block(b, at)
		}
	case p2pwire.TypeVote:
		if _, err := p2pwire.ParseVote(body); err != nil {
			return err
		}
		if f.listening() {
			f.votes++
		}
	case p2pwire.TypePackedTransaction:
		if f.listening() {
			f.transactions++
		}
	}
	return nil
}

func (f *flow) block(b p2pwire.Block, at time.Time) {
	f.seen[b.ID] = true
	if f.blocks == 0 {
		f.first = b
	}
	f.blocks++
	if f.blocks == 1 || b.Num >= f.last.Num {
		f.last = b
	}
	f.delays = append(f.delays, time.Duration(at.UnixNano()-b.Slot.Time()))
}

func (f *flow) summary() *Blocks {
	if f.blocks == 0 {
		return nil
	}
	slices.Sort(f.delays)
	return &Blocks{
		Count: f.blocks, First: f.first.Num, Last: f.last.Num, LastID: f.last.ID, Savanna: f.last.Savanna,
		EarliestMs: ms(f.delays[0]), MedianMs: ms(f.delays[len(f.delays)/2]), LatestMs: ms(f.delays[len(f.delays)-1]),
		AgeMs: ms(time.Duration(f.to.UnixNano() - f.last.Slot.Time())),
	}
}
