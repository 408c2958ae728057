package demo

import (
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// blockID is an id of that number; the letter tells siblings apart.
func blockID(num byte, letter byte) (id p2pwire.ID) {
	id[3], id[4] = num, letter
	return id
}

// script is three slots of a round: one with two siblings, one with an identical copy, one whose
// node died.
func script(first p2pwire.Slot) []news {
	at := func(slot p2pwire.Slot, ms int64) int64 { return slot.Time() + ms*int64(time.Millisecond) }
	decide := func(slot p2pwire.Slot, node string, id p2pwire.ID, kind core.EventKind, why core.Reason) news {
		return news{kind: decided, slot: slot, node: node, id: id, event: kind, reason: why}
	}
	a, b, c, same, d := blockID(9, 0xa), blockID(9, 0xb), blockID(9, 0xc), blockID(10, 0xa), blockID(11, 0xd)
	return []news{
		{kind: produced, slot: first, node: "node1", id: a},
		decide(first, "node2", b, core.EventClaimed, core.ReasonClaimed),
		{kind: produced, slot: first, node: "node2", id: b},
		decide(first, "node1", a, core.EventWithheld, core.ReasonSlotTaken),
		{kind: seen, slot: first, id: b, wall: at(first, -37)},
		{kind: produced, slot: first, node: "node3", id: c},
		decide(first, "", c, core.EventWithheld, core.ReasonNotLineage),

		{kind: produced, slot: first + 1, node: "node2", id: same},
		{kind: produced, slot: first + 1, node: "node1", id: same},
		decide(first+1, "node2", same, core.EventClaimed, core.ReasonClaimed),
		decide(first+1, "node1", same, core.EventWithheld, core.ReasonSameID),
		{kind: seen, slot: first + 1, id: same, wall: at(first+1, 5)},
		{kind: seen, slot: first + 1, id: same, wall: at(first+1, 6)},

		{kind: produced, slot: first + 2, node: "node1", id: d},
		decide(first+2, "node1", d, core.EventWithheld, core.ReasonParentWithheld),
	}
}

func testPlan() plan {
	return plan{schedule: []string{ours, "bpbeta"}, cycle: 24, start: 2397, first: 2400}
}

func TestView(t *testing.T) {
	l := newLedger(testPlan())
	for _, n := range script(2400) {
		l.apply(n)
	}
	l.at(2400).added = 41 * time.Microsecond
	var out strings.Builder
	v := view{w: &out}
	if rows := l.due(p2pwire.Slot(2399).Time()); len(rows) != 1 || rows[0].slot != 2398 {
		t.Errorf("due at slot 2399's timestamp: %d rows", len(rows))
	}
	for _, r := range l.due(p2pwire.Slot(2403).Time()) {
		v.slot(r)
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		got = append(got, line[strings.Index(line, "  "):]) // without the local time
	}
	want := []string{
		"  bpbeta   12/12  no block",
		"  bpalpha   1/12  9:0b000000       -37.0 ms  node2  relay +41 µs  withheld: node1 9:0a000000 (slot_taken), node3 9:0c000000 (not_lineage)",
		"  bpalpha   2/12  10:0a000000       +5.0 ms  node2=node1",
		"  bpalpha   3/12  no block                   withheld: node1 11:0d000000 (parent_withheld)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("view:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if l.won["node2"] != 2 || l.public != 2 || l.double != 0 || l.best.slot != 2401 {
		t.Errorf("won %v, public %d, double %d, best %d", l.won, l.public, l.double, l.best.slot)
	}
	l.apply(news{kind: seen, slot: 2400, id: blockID(9, 0xa), wall: 1})
	if l.double != 1 {
		t.Error("a second block for one slot is not noticed")
	}
	out.Reset()
	v.slot(l.at(2400))
	if !strings.Contains(out.String(), "TWO BLOCKS: 9:0a000000") {
		t.Errorf("view of it: %s", &out)
	}
	early := testPlan()
	early.start, early.first = 2382, 2424 // it begins within a round of ours
	if rows := newLedger(early).due(p2pwire.Slot(2395).Time()); len(rows) != 7 || rows[0].slot != 2388 {
		t.Errorf("%d rows at slot 2395's timestamp", len(rows))
	}
	l.forget(p2pwire.Slot(2600).Time())
	if len(l.rows) != 1 || l.rows[2401] == nil {
		t.Errorf("%d rows after forgetting all but the best", len(l.rows))
	}
}

// Two relays tell of one block: it went out once. A copy that a node only passed on is none of its own.
func TestViewOfTwoRelays(t *testing.T) {
	l := newLedger(testPlan())
	x := blockID(9, 0xa)
	claimed := news{kind: decided, slot: 2400, node: "node1", id: x, event: core.EventClaimed, reason: core.ReasonClaimed, relay: "relay1"}
	passed := news{kind: decided, slot: 2400, node: "voter", id: x, event: core.EventWithheld, reason: core.ReasonSameID, relay: "relay2"}
	l.apply(news{kind: produced, slot: 2400, node: "node1", id: x})
	l.apply(claimed)
	l.apply(passed)
	claimed.relay = "relay2"
	l.apply(claimed)
	if l.won["node1"] != 1 {
		t.Errorf("won %v", l.won)
	}
	if got := l.at(2400).inside(); got != "  node1" {
		t.Errorf("shown as %q", got)
	}
}

// TestPanel: the panel is erased before a line is written, and drawn again below it; without a
// terminal there is neither panel nor colour.
func TestPanel(t *testing.T) {
	var out strings.Builder
	v := view{w: &out, terminal: true}
	v.show("one", "two")
	v.line(red, "x%d", 1)
	v.show()
	const panel = noWrap + "one\ntwo\n" + wrap
	want := panel + "\x1b[2A" + clearBelow + red + "x1" + plain + "\n" + panel + "\x1b[2A" + clearBelow
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	v = view{w: &out}
	v.show("one")
	v.line(red, "x")
	if out.String() != "x\n" {
		t.Errorf("plain: %q", out.String())
	}
}
