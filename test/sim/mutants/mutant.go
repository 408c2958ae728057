package mutants

import (
	"fmt"
	"strings"
)

// Mutant is one way to break the relay.
type Mutant struct {
	Name  string
	Rule  string // what of the design it breaks
	Edits []Edit
}

// Edit replaces a piece of source text that occurs exactly once in its file.
type Edit struct {
	File     string // from the module's root
	Old, New string
}

// Files are the files a mutant changes.
func (m Mutant) Files() map[string]bool {
	files := map[string]bool{}
	for _, e := range m.Edits {
		files[e.File] = true
	}
	return files
}

// Apply gives the mutated source of a file. It is an error if the text to replace is not there exactly
// once: then the code has moved on and the mutant must follow.
func (m Mutant) Apply(file, source string) (string, error) {
	for _, e := range m.Edits {
		if e.File != file {
			continue
		}
		if n := strings.Count(source, e.Old); n != 1 {
			return "", fmt.Errorf("%s has %d times: %s", file, n, e.Old)
		}
		source = strings.Replace(source, e.Old, e.New, 1)
	}
	return source, nil
}
