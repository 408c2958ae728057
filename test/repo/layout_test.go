package repo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The top level is a map of the project; nothing else may grow there. Directories without content
// yet are not kept by git, so two of them may be absent.
var (
	mustExist = []string{"cmd", "config", "dedup", "p2pwire", "relay", "test", "go.mod", "go.sum", "LICENSE", "README.md"}
	mayExist  = []string{"docker", "ha", "CHANGELOG.md", "CONTRIBUTING.md", "NOTICE", "SECURITY.md"}
)

// built are patterns of what building and profiling leave behind; git ignores them too.
var built = []string{"bprelay", "bin", "*.test", "*.out", "*.prof"}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(mustExist, e.Name()) &&
			!slices.Contains(mayExist, e.Name()) && !isBuilt(e.Name()) {
			t.Errorf("%s has no place at the top level", e.Name())
		}
	}
	for _, want := range mustExist {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing", want)
		}
	}
	ignored := strings.Fields(read(t, ".gitignore"))
	for _, pattern := range built {
		if !slices.ContainsFunc(ignored, func(line string) bool { return strings.Trim(line, "/") == pattern }) {
			t.Errorf(".gitignore lacks %s", pattern)
		}
	}
}

func isBuilt(name string) bool {
	return slices.ContainsFunc(built, func(pattern string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok
	})
}

// TestGoMod: what is built is what the module proxy serves under the versions named.
func TestGoMod(t *testing.T) {
	for _, name := range []string{"go.mod", ".ci/tools/go.mod"} {
		for i, line := range strings.Split(read(t, name), "\n") {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if word == "replace" || strings.Contains(line, "=>") {
				t.Errorf("%s:%d: %s", name, i+1, line)
			}
		}
	}
	if first, _, _ := strings.Cut(read(t, "go.mod"), "\n"); first != "module "+module {
		t.Errorf("go.mod begins with %q", first)
	}
	if strings.Contains(read(t, "go.mod"), "\ntool ") {
		t.Error("go.mod has tools: they belong into .ci/tools/go.mod")
	}
}

// TestCIRuns: the check script is there, executable, and ends with what README.md tells to run.
func TestCIRuns(t *testing.T) {
	info, err := os.Stat(filepath.Join(root, ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o111 == 0 {
		t.Error(".ci/run is not executable")
	}
	lines := strings.Split(strings.TrimSpace(read(t, ".ci/run")), "\n")
	const command = "go test ./..."
	if last := lines[len(lines)-1]; last != command {
		t.Errorf(".ci/run ends with %q, not with %q", last, command)
	}
	if !strings.Contains(read(t, "README.md"), command) {
		t.Errorf("README.md does not name %q", command)
	}
}
