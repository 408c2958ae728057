package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bprelay/relay/core"
)

// atLeast is a line of a schedule file that says how many own slots must be public, where the judge would let a lost
// one pass.
var atLeast = regexp.MustCompile(`(?m)^# public (\d+)$`)

// TestFound plays the schedules that once found a bug.
func TestFound(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no schedules: ", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		v := Play(s, nil)
		for _, b := range v.Breaches {
			t.Errorf("%s: %s (go run ./test/sim/simulate --schedule test/sim/%s)", file, b, file)
		}
		if want := atLeast.FindSubmatch(text); want != nil && fmt.Sprint(v.Public) != string(want[1]) {
			t.Errorf("%s: %d own slots public of %d, want %s", file, v.Public, v.Due, want[1])
		}
	}
}

// TestSchedules plays worlds of every flavour, and a few that nobody has seen before. -seeds asks for
// more of those, -seed for one alone.
func TestSchedules(t *testing.T) {
	t.Parallel()
	var list []uint64
	for s := range uint64(2 * len(flavours)) {
		list = append(list, s)
	}
	for range 4 + *seeds {
		list = append(list, rand.Uint64()>>32)
	}
	if *seed != 0 {
		list = []uint64{*seed}
	}
	for _, s := range list {
		v := Play(Generate(s), nil)
		t.Logf("seed %d: %d of %d own slots public", s, v.Public, v.Due)
		for _, b := range v.Breaches {
			t.Errorf("seed %d: %s (go run ./test/sim/simulate --seeds 1 --first %d)", s, b, s)
		}
	}
}

// TestLedSchedules plays worlds of every flavour in which one of our nodes leads, by leash and by API, under the
// same faults as the others: relays die and stand still, clocks jump, peers are hostile.
func TestLedSchedules(t *testing.T) {
	t.Parallel()
	for _, by := range []core.Takeover{core.TakeoverLeash, core.TakeoverAPI} {
		var list []uint64
		for s := range uint64(len(flavours)) {
			list = append(list, 5_000_000+s)
		}
		for range 3 + *seeds {
			list = append(list, rand.Uint64()>>32)
		}
		if *seed != 0 {
			list = []uint64{*seed}
		}
		for _, s := range list {
			for _, b := range Play(Generate(s).Led(by), nil).Breaches {
				t.Errorf("%s, seed %d: %s (go run ./test/sim/simulate --takeover %s --seeds 1 --first %d)", by, s, b, by, s)
			}
		}
	}
}

// TestScheduleText: a schedule reads back as it was written.
func TestScheduleText(t *testing.T) {
	t.Parallel()
	for s := range uint64(200) {
		want := Generate(s)
		got, err := Parse("# a comment\n\n" + want.String())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %v\n%s%s", s, err, want, got)
		}
	}
}

// TestScheduleErrors: what cannot be played is refused, with the line or the fault.
func TestScheduleErrors(t *testing.T) {
	t.Parallel()
	const world = "world seed=1 mode=legacy layout=na nodes=2 peers=1 length=30s\n"
	for text, want := range map[string]string{
		"":                                 "a world needs",
		"world seed=x":                     "line 1",
		"world mode=other":                 `no mode "other"`,
		"world colour=red":                 `no option "colour"`,
		world + "1s":                       "line 2",
		world + "soon kill bp0":            "line 2",
		world + "1s kill bp0 since=2s":     `no option "since"`,
		world + "1s kill bp2 for=1s":       "needs 1 machines",
		world + "1s reset relay":           "needs 2 machines",
		world + "1s explode bp0":           "no such fault",
		world + "1s kill bp0 for=whenever": "line 2",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestPlayRepeats: the same schedule gives the same transcript, to the byte.
func TestPlayRepeats(t *testing.T) {
	t.Parallel()
	for _, s := range []uint64{6, 12, 18, 22} {
		var transcripts [2]strings.Builder
		for i := range transcripts {
			Play(Generate(s), func(format string, args ...any) { fmt.Fprintf(&transcripts[i], format+"\n", args...) })
		}
		if a, b := transcripts[0].String(), transcripts[1].String(); a != b || len(a) < 1000 {
			t.Errorf("seed %d: two runs differ, %d and %d bytes", s, len(a), len(b))
		}
	}
}

// TestMinimise: of many faults the one that matters is left, and as little of it as matters.
func TestMinimise(t *testing.T) {
	t.Parallel()
	s := Generate(12)
	s.Nodes, s.Trx = 3, time.Second
	for i := range 10 {
		s.Faults = append(s.Faults, Fault{At: time.Duration(10+i) * time.Second, Kind: Pause, A: "bp0", For: 4 * time.Second})
	}
	s.Faults = append(s.Faults, Fault{At: 15 * time.Second, Kind: Kill, A: "relay", For: 3 * time.Second})
	runs := 0
	got := Minimise(s, func(s Schedule) bool {
		runs++
		return slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Kind == Kill && f.A == "relay" && f.For > time.Second })
	}, 100)
	if len(got.Faults) != 1 || got.Faults[0].For != 1500*time.Millisecond || got.Nodes != 1 || got.Trx != 0 || runs > 100 {
		t.Errorf("after %d runs:\n%s", runs, got)
	}
}
