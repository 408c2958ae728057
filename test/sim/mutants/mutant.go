package mutants

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Mutant is one way to break the relay.
type Mutant struct {
	Name  string
	Rule  string // what of the design it breaks
	Edits []Edit
	// Test, if any, are arguments of go test: what finds the mutant out if no world does.
	Test string
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

// Overlay writes the mutated sources to dir and lists them for the -overlay flag of go build and go test; root
// is the module's.
func (m Mutant) Overlay(root, dir string) (list string, err error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name := range m.Files() {
		path := filepath.Join(root, name)
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		mutated, err := m.Apply(name, string(source))
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(copied, []byte(mutated), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[path] = copied
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list = filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, text, 0o600)
}

// Build builds a package with the mutant in it, as dir/mutant.
func (m Mutant) Build(root, dir, pkg string) (binary string, err error) {
	list, err := m.Overlay(root, dir)
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "mutant")
	build := exec.Command("go", "build", "-overlay", list, "-o", binary, pkg)
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, text)
	}
	return binary, nil
}

// ModuleRoot is the directory of this module, within which a command must run.
func ModuleRoot() (string, error) {
	text, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	mod := strings.TrimSpace(string(text))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("not inside the module")
	}
	return filepath.Dir(mod), nil
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
