package relay

import (
	"flag"
	"os"
	"strings"
	"testing"

	"bprelay/relay/core"
)

var update = flag.Bool("update", false, "write REASONS.md")

func TestReasonsDoc(t *testing.T) {
	const name = "REASONS.md"
	want := reasonsDoc()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s has drifted from the code: go generate ./relay", name)
	}
	for _, r := range core.Reasons() {
		if n := strings.Count(want, "| `"+r.String()+"` |"); n != 1 {
			t.Errorf("%s stands in the document %d times", r, n)
		}
	}
}

// TestReasons: the catalogue is whole, and whoever is woken at night is told what to do.
func TestReasons(t *testing.T) {
	for _, r := range core.Reasons() {
		if r.String() == "" || r.Help() == "" {
			t.Errorf("reason %d (%q) has no name or no meaning", r, r)
		}
		if g := r.Group(); (g == core.GroupAlarms || g == core.GroupLost) && r.ToDo() == "" {
			t.Errorf("%s is an alarm or a loss, and says not what to do", r)
		}
		text, err := r.MarshalText()
		var back core.Reason
		if err != nil || back.UnmarshalText(text) != nil || back != r {
			t.Errorf("%s is read back as %s", r, back)
		}
		if all := r.Help() + r.ToDo(); strings.Contains(all, "double") {
			t.Errorf("%s reads like a double block: %s", r, all)
		}
	}
}
