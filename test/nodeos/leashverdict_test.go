package nodeos

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// fate is a round of ours whose lead, node-a, dies before slot 4; node-b makes the rest.
type fate struct {
	r      *leadResult
	chain  map[p2pwire.Slot]chainBlock
	seen   map[p2pwire.ID]time.Time
	signed map[string][]producedBlock
}

func newFate(kind faultKind, after time.Duration) *fate {
	round := 1000 * cycle
	x := &fate{
		r:      &leadResult{fault: leadFault{kind: kind, after: after}, round: round, at: begin(round).Add(after), victim: nodeA},
		chain:  map[p2pwire.Slot]chainBlock{},
		seen:   map[p2pwire.ID]time.Time{},
		signed: map[string][]producedBlock{},
	}
	x.r.releases = []leadChange{{at: x.r.at.Add(time.Millisecond), node: nodeB, reason: "lead_gone"}}
	var previous p2pwire.ID
	for s := round; s < round+p2pwire.RoundSlots; s++ {
		_, id := blockOf(s, previous, 0)
		x.chain[s] = chainBlock{ID: id, Num: id.Num(), Previous: previous, Producer: producerOf(s)}
		x.seen[id] = slotTime(s).Add(-time.Duration(s.Index()+1) * 37 * time.Millisecond)
		who := nodeA
		if s >= round+4 {
			who = nodeB
		}
		x.signed[who] = append(x.signed[who], producedBlock{s, id.String()[8:24]})
		previous = id
	}
	return x
}

// measure has blocks leave the relay 5 ms before the network sees them.
func (x *fate) measure() {
	seen := func(id p2pwire.ID) time.Time { return x.seen[id] }
	x.r.measure(x.chain, seen, func(id p2pwire.ID) time.Time { return seen(id).Add(-5 * time.Millisecond) }, x.signed)
}

func (x *fate) slot(i int) p2pwire.Slot { return x.r.round + p2pwire.Slot(i) }

// TestLeadBounds makes sure that what a fault may not cost is found.
func TestLeadBounds(t *testing.T) {
	const inSlot4 = 2100 * time.Millisecond // from the round's beginning
	lose := func(indices ...int) func(*fate) {
		return func(x *fate) {
			for _, i := range indices {
				delete(x.chain, x.slot(i))
			}
		}
	}
	for _, c := range []struct {
		name     string
		kind     faultKind
		after    time.Duration
		tamper   func(*fate)
		problems int
	}{
		{"nothing lost", faultKill, inSlot4, lose(), 0},
		{"killed, one lost", faultKill, inSlot4, lose(4), 1},
		{"killed in slot 0, that one lost", faultKill, 300 * time.Millisecond, lose(0), 0},
		{"killed in slot 0, another one lost", faultKill, 300 * time.Millisecond, lose(1), 1},
		{"killed in slot 0, two lost", faultKill, 300 * time.Millisecond, lose(0, 1), 1},
		{"killed before the round", faultKill, -time.Millisecond, lose(0), 1},
		{"slot 0 lost by a later kill", faultKill, 600 * time.Millisecond, lose(0), 1},
		{"frozen, one lost", faultFreeze, inSlot4, lose(4), 0},
		{"frozen, two lost", faultFreeze, inSlot4, lose(4, 5), 1},
		{"cut, one lost", faultCut, inSlot4, lose(4), 0},
		{"silent, two lost", faultSilence, inSlot4, lose(4, 9), 1},
		{"a held node signs", faultFreeze, inSlot4, func(x *fate) {
			x.signed[nodeC] = []producedBlock{{x.slot(7), "0123456789abcdef"}}
		}, 1},
		{"the victim goes on by itself", faultCut, inSlot4, func(x *fate) {
			x.signed[nodeA] = append(x.signed[nodeA], producedBlock{x.slot(7), "0123456789abcdef"})
		}, 0},
		{"a block nobody saw", faultKill, inSlot4, func(x *fate) { delete(x.seen, x.chain[x.slot(9)].ID) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newFate(c.kind, c.after)
			c.tamper(x)
			x.measure()
			x.r.bounds()
			if len(x.r.problems) != c.problems {
				t.Errorf("%d problems, want %d: %q", len(x.r.problems), c.problems, x.r.problems)
			}
		})
	}
}

func TestLeadMeasure(t *testing.T) {
	x := newFate(faultKill, 2100*time.Millisecond)
	delete(x.chain, x.slot(11))
	x.seen[x.chain[x.slot(6)].ID] = slotTime(x.slot(6)).Add(3 * time.Millisecond)
	x.signed[nodeA] = append(x.signed[nodeA], producedBlock{x.slot(4), x.signed[nodeB][0].id}, producedBlock{x.slot(5), "0123456789abcdef"})
	x.signed[nodeB] = append(x.signed[nodeB], producedBlock{x.slot(4), "fedcba9876543210"})
	x.measure()
	r := x.r
	// Slot 4 is seen 185 ms before its timestamp, which is 2500 ms from the round's beginning.
	const next = 2500*time.Millisecond - 185*time.Millisecond - 2100*time.Millisecond
	if !slices.Equal(r.lost, []int{11}) || r.late != 1 || r.byVictim != 1 || r.bySuccessor != 2 || r.byHeld != 0 {
		t.Errorf("lost %v, late %d, siblings %d/%d/%d", r.lost, r.late, r.byVictim, r.bySuccessor, r.byHeld)
	}
	if r.next != next || r.obeyed != next-6*time.Millisecond || r.margin != 185*time.Millisecond {
		t.Errorf("next %v, obeyed %v, margin %v", r.next, r.obeyed, r.margin)
	}
	for _, want := range []string{"| a | kill -9 | 1 | 12 | 1 | 11: 1 | 1 | 0 | 0 | 1 / 2 / 0 | 215 ms, 215 ms | 209 ms, 209 ms |", "| a | all | 1 |"} {
		r.mode = "a"
		if got := leadTable([]*leadResult{r}); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLeashLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const lines = `{"time":"2026-01-01T00:00:01Z","level":"INFO","msg":"another node leads","reason":"lead_gone","node":"node-b","previous_node":"node-a"}
{"time":"2026-01-01T00:00:09Z","level":"INFO","msg":"another node leads","reason":"lead_late","node":"node-c"}
info  2026-01-01T00:00:01.463 nodeos    controller.cpp:3592           log_applied          ] Produced block 07c0ffee00112233... #81 @ 2026-01-01T00:00:01.500 signed by bpalpha [trxs: 2, lib: 79, net: 300, cpu: 400 us, elapsed: 500 us, producing time: 600 us]
info  2026-01-01T00:00:02.000 nodeos    controller.cpp:4478           maybe_apply_blocks   ] switching forks from 00 (block number 81 bpalpha) a to 01 (block number 82 bpbeta) b
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	changes, err := leadChanges(path, start, start.Add(5*time.Second))
	if err != nil || len(changes) != 1 || changes[0] != (leadChange{start.Add(time.Second), "node-b", "lead_gone"}) {
		t.Errorf("%v, %v", changes, err)
	}
	slot := p2pwire.SlotAt(start.Add(1500 * time.Millisecond).UnixNano())
	blocks, err := produced(path, slot, slot+1)
	if err != nil || len(blocks) != 1 || blocks[0] != (producedBlock{slot, "07c0ffee00112233"}) {
		t.Errorf("%v, %v", blocks, err)
	}
	for _, c := range []struct {
		from  time.Duration
		found int
	}{{time.Second, 1}, {3 * time.Second, 0}} {
		if got, err := forkSwitches(path, start.Add(c.from), start.Add(c.from+2*time.Second)); err != nil || len(got) != c.found {
			t.Errorf("%q, %v", got, err)
		}
	}
}
