package engine

import (
	"slices"
	"testing"

	"bprelay/relay/core"
)

// paper is a journal that answers from goroutines of its own.
type paper struct{ settled chan core.VoteMark }

func (p *paper) Claim(cl core.Claim, _ bool, done func(core.Verdict)) { go done(core.Approved) }
func (p *paper) Agree(core.Claim)                                     {}
func (p *paper) Mark(m core.VoteMark, done func(bool))                { go done(true) }
func (p *paper) Settle(m core.VoteMark)                               { p.settled <- m }
func (p *paper) Status() core.JournalStatus                           { return core.JournalStatus{Dir: "paper"} }

// The core's questions go to the journal, and the answers come back on the loop; after Close nothing
// comes back.
func TestJournalAnswersOnTheLoop(t *testing.T) {
	cfg := loopback()
	p := &paper{settled: make(chan core.VoteMark, 1)}
	cfg.Journal = p
	e, h := build(t, cfg, nil)
	build := e.machine
	var got core.Config
	e.machine = func(c core.Config, now core.Instant) (machine, error) {
		got = c
		return build(c, now)
	}
	start(t, e)
	on(t, e, func() {
		if v := got.Claimer.Claim(core.Instant{}, core.Claim{Slot: 7}); v != core.Pending {
			t.Errorf("verdict %v", v)
		}
		got.VoteMarker.MarkVotes(core.Instant{}, core.VoteMark{Slot: 8})
		got.VoteMarker.SettleVotes(core.Instant{}, core.VoteMark{Slot: 9})
	})
	soon(t, "two answers", func() bool { return look(t, e, func() int { return len(h.answers) }) == 2 })
	on(t, e, func() {
		slices.Sort(h.answers)
		if want := []string{"7 1", "8 true"}; !slices.Equal(h.answers, want) || h.strangers > 0 {
			t.Errorf("answers %q, %d from elsewhere", h.answers, h.strangers)
		}
	})
	if m := <-p.settled; m.Slot != 9 {
		t.Errorf("settled %+v", m)
	}
	if st, err := e.Status(within(t)); err != nil || st.Journal == nil || st.Journal.Dir != "paper" {
		t.Errorf("status %+v, %v", st.Journal, err)
	}
	if err := e.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		durable{e, p}.e.post(func() { t.Error("after Close") })
	}()
	<-done
}
