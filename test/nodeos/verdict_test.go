package nodeos

import (
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// history is a cycle of blocks that can be tampered with.
type history struct {
	first p2pwire.Slot
	chain map[p2pwire.Slot]chainBlock
	watch *watch
}

func newHistory(t *testing.T) *history {
	t.Helper()
	var producers []producer
	for _, name := range scheduleNames {
		producers = append(producers, producer{name: mustName(name)})
	}
	h := &history{first: 1000 * cycle, chain: map[p2pwire.Slot]chainBlock{}, watch: newWatch(producers)}
	var previous p2pwire.ID
	for s := h.first; s < h.first+cycle; s++ {
		body, id := blockOf(s, previous, 0)
		h.chain[s] = chainBlock{ID: id, Num: id.Num(), Previous: previous, Producer: producerOf(s)}
		h.watch.network.received("bpbeta/1", frame(body))
		previous = id
	}
	return h
}

// blockOf makes a block; with another variant it is a sibling.
func blockOf(s p2pwire.Slot, previous p2pwire.ID, variant uint16) ([]byte, p2pwire.ID) {
	b := p2pwire.BlockBuilder{Slot: s, Producer: mustName(producerOf(s)), Previous: previous, Confirmed: variant}
	return b.AppendBlock(nil)
}

func frame(block []byte) []byte { return p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, block) }

// TestCount makes sure that each kind of failure is seen, and put where it belongs.
func TestCount(t *testing.T) {
	const failure = 4 // the slot a failure is allowed to cost the rest of the round from
	for _, c := range []struct {
		name     string
		tamper   func(h *history)
		failing  bool // whether there was a failure at all
		want     result
		problems int
	}{
		{"nothing", func(*history) {}, false, result{due: 12, public: 12}, 0},
		{"two blocks at a producer", func(h *history) {
			body, _ := blockOf(h.first+3, p2pwire.ID{}, 1)
			h.watch.network.received("bpgamma/1", frame(body))
		}, true, result{due: 12, public: 12, double: 1}, 1},
		{"two blocks from the relay", func(h *history) {
			body, _ := blockOf(h.first+3, p2pwire.ID{}, 1)
			h.watch.outlet.received("relay/1", frame(body))
		}, true, result{due: 12, public: 12, double: 1}, 1},
		{"lost after the failure", func(h *history) { delete(h.chain, h.first+failure) }, true,
			result{due: 12, public: 11, lostInRound: 1}, 0},
		{"lost before it", func(h *history) { delete(h.chain, h.first+failure-1) }, true,
			result{due: 12, public: 11, lostOutside: 1}, 1},
		{"lost without one", func(h *history) { delete(h.chain, h.first+failure) }, false,
			result{due: 12, public: 11, lostOutside: 1}, 1},
		{"another producer's loss", func(h *history) { delete(h.chain, h.first+20) }, true,
			result{due: 12, public: 12, othersLost: 1}, 1},
		{"another producer's fork", func(h *history) {
			body, _ := blockOf(h.first+20, p2pwire.ID{}, 1)
			h.watch.network.received("bpdelta/1", frame(body))
		}, true, result{due: 12, public: 12, othersDouble: 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHistory(t)
			c.tamper(h)
			r := result{first: h.first, last: h.first + cycle - 1}
			failedAt := p2pwire.Slot(0)
			if c.failing {
				failedAt = h.first + failure
			}
			r.count(h.chain, h.watch, failedAt)
			got := result{due: r.due, public: r.public, double: r.double, lostInRound: r.lostInRound,
				lostOutside: r.lostOutside, othersLost: r.othersLost, othersDouble: r.othersDouble}
			if row(&got) != row(&c.want) {
				t.Errorf("counted\n%swant\n%s", row(&got), row(&c.want))
			}
			if len(r.problems) != c.problems {
				t.Errorf("problems: %q, want %d", r.problems, c.problems)
			}
		})
	}
}

func row(r *result) string { return table("", []*result{r}) }

func TestNextRound(t *testing.T) {
	start := p2pwire.Slot(1000 * cycle)
	for _, c := range []struct {
		before time.Duration // of the round's first timestamp
		want   p2pwire.Slot
	}{
		{5 * time.Second, start},
		{1001 * time.Millisecond, start},
		{time.Millisecond, start + cycle},
		{-time.Second, start + cycle},
	} {
		if got := nextRound(slotTime(start).Add(-c.before)); got != c.want {
			t.Errorf("%v before a round the next one is %d slots away, want %d", c.before, int(got)-int(start), int(c.want)-int(start))
		}
	}
}

func TestTable(t *testing.T) {
	r := &result{mode: "savanna", scenario: "steady", due: 24, public: 24}
	r.note("all is %s", "well")
	text := table("v1.2.2", []*result{r})
	for _, want := range []string{"nodeos v1.2.2", "savanna  steady", "all is well"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
}
