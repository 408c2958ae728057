package mutants_test

import (
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bprelay/test/sim/mutants"
)

// TestMutantsApply: the text each mutant replaces still occurs exactly once, and what comes of it is Go.
func TestMutantsApply(t *testing.T) {
	names := map[string]bool{}
	for _, m := range slices.Concat(mutants.All, mutants.Pairs) {
		if names[m.Name] || m.Rule == "" || len(m.Edits) == 0 {
			t.Errorf("%s: named twice, or without a rule, or without edits", m.Name)
		}
		names[m.Name] = true
		for file := range m.Files() {
			source, err := os.ReadFile(filepath.Join("..", "..", "..", file))
			if err != nil {
				t.Fatal(err)
			}
			mutated, err := m.Apply(file, string(source))
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
				continue
			}
			if mutated == string(source) {
				t.Errorf("%s changes nothing in %s", m.Name, file)
			}
			if _, err := format.Source([]byte(mutated)); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
}
