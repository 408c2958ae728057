package pair

import (
	"os"
	"strings"
	"testing"
)

// mutants are rules without which the pair breaks: where and with how many faults the search shows it,
// and what it finds. What it finds must not be among the exceptions of the protocol itself.
var mutants = []struct {
	name     string
	set      func() *setting
	faults   int
	property string
}{
	{"link loss after a pause is taken as the peer's death", func() *setting { return &setting{rules: rules{pauseIgnored: true, noWindow: true}} }, 1, "I1"},
	{"unacknowledged claims go to dead sockets", func() *setting { return &setting{rules: rules{deadSockets: true}} }, 2, "I1"},
	{"acknowledged without bytes", func() *setting { return &setting{rules: rules{ackBlind: true}} }, 2, "live"},
	{"takeover only with a candidate", func() *setting { return &setting{held: true, rules: rules{onlyCandidate: true}} }, 1, "live"},
	{"both go active when started during a cut", func() *setting { return &setting{cold: true, rules: rules{startAlone: true}} }, 1, "I1"},
	{"the right to write alone does not end", func() *setting { return &setting{rules: rules{noWindow: true}} }, 2, "I1"},
	{"takeover although no network peer answers", func() *setting { return &setting{rules: rules{noProof: true}} }, 2, "I1"},
	{"acknowledgements are not waited for", func() *setting { return &setting{rules: rules{noAck: true}} }, 2, "I1"},
	{"who grants is sure that the grant arrives", func() *setting { return &setting{rules: rules{noGrantDoubt: true}} }, 2, "I1"},
	{"outranked, and active still", func() *setting { return &setting{rules: rules{keepRole: true}} }, 2, "I1"},
}

func TestModelCatchesMutants(t *testing.T) {
	file, err := os.ReadFile("EXCEPTIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range mutants {
		t.Run(x.name, func(t *testing.T) {
			set := x.set()
			var got *finding
			faults := 0
			var res *result
			for faults = 1; faults <= min(x.faults, *modelFaults) && got == nil; faults++ {
				res = search(set, faults, func(f *finding) bool {
					if faults > 1 && strings.Contains(string(file), "| "+f.property+" | "+f.classes+" |") {
						return false
					}
					got = f
					return true
				})
			}
			if got == nil {
				t.Fatalf("not noticed with %d faults, %d states, %v", faults-1, res.states, res.took)
			}
			t.Logf("%d faults, %d states, %v: %s: %s", faults-1, res.states, res.took, got.key(), got.trace.text())
		})
	}
}
