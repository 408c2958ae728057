package repo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport says, for each top-level directory, which others it may import besides itself. The way
// is cmd -> ha -> relay -> dedup, p2pwire: a relay knows no cluster, a cluster knows the relay that it is
// given. What is under test may use everything.
var mayImport = map[string][]string{
	"p2pwire": {},
	"dedup":   {},
	"relay":   {"dedup", "p2pwire"},
	"ha":      {"relay", "dedup", "p2pwire"},
	"config":  {"dedup", "p2pwire"},
	"docker":  {},
	"cmd":     {"relay", "ha", "config", "dedup", "p2pwire", "test"},
	"test":    {"cmd", "relay", "ha", "config", "dedup", "p2pwire"},
}

// testsMayImport is what _test.go files may use on top: the simulated nodes, where a package can
// only be tried against peers.
var testsMayImport = map[string][]string{
	"relay": {"test"},
	"ha":    {"test"},
}

// impure says what pure packages must not import: they decide and never act, so no sockets, files,
// processes, logging. The core is deterministic besides: the same events give the same effects, so
// no randomness of its own, and one loop owns it, so no locks.
var impure = map[string][]string{
	"p2pwire":    acting,
	"dedup":      acting,
	"ha/pair":    append([]string{"sync", "context", "crypto/rand", "math/rand"}, acting...),
	"relay/core": append([]string{"sync", "sync/atomic", "context", "crypto/rand", "math/rand"}, acting...),
}

var acting = []string{
	"os", "os/exec", "os/signal", "syscall", "net/http", "log", "log/slog", "runtime", "runtime/debug",
	"github.com/panjf2000/gnet/v2",
}

func TestImportDirection(t *testing.T) {
	for _, f := range source(t) {
		for _, line := range wrongImports(f.room(), f.test, importsOf(t, f)) {
			t.Errorf("%s %s", f.path, line)
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, f := range source(t) {
		forbidden, isPure := impure[f.dir()]
		if f.test || !isPure {
			continue
		}
		for _, imp := range importsOf(t, f) {
			if slices.Contains(forbidden, imp) {
				t.Errorf("%s imports %s: %s is pure", f.path, imp, f.dir())
			}
		}
		for _, use := range impureUses(f) {
			t.Errorf("%s: %s is pure", use, f.dir())
		}
	}
}

// TestRulesBite makes sure that the rules above can fail at all.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		room, imp string
		test, bad bool
	}{
		{"p2pwire", "bprelay/dedup", false, true},
		{"p2pwire", "bprelay/dedup", true, true},
		{"dedup", "bprelay/p2pwire", false, true},
		{"relay", "bprelay/config", false, true},
		{"relay", "bprelay/test/simnet", false, true},
		{"relay", "bprelay/test/simnet", true, false},
		{"relay", "bprelay/p2pwire", false, false},
		{"relay", "bprelay/relay/core", false, false},
		{"config", "bprelay/relay/core", false, true},
		{"cmd", "bprelay/test/simnet", false, false},
		{"test", "bprelay/relay", false, false},
		{"relay", "github.com/panjf2000/gnet/v2", false, false},
		{"attic", "bprelay/p2pwire", false, true},
	} {
		if got := len(wrongImports(c.room, c.test, []string{c.imp})) > 0; got != c.bad {
			t.Errorf("%s importing %s (test file: %v): refused = %v, want %v", c.room, c.imp, c.test, got, c.bad)
		}
	}
}

func wrongImports(room string, test bool, imports []string) (wrong []string) {
	allowed, known := mayImport[room]
	if !known {
		return []string{fmt.Sprintf("is in %q, which is no place for Go code", room)}
	}
	allowed = append([]string{room}, allowed...)
	if test {
		allowed = append(allowed, testsMayImport[room]...)
	}
next:
	for _, imp := range imports {
		rest, ours := strings.CutPrefix(imp, module+"/")
		if !ours {
			continue
		}
		for _, a := range allowed {
			if rest == a || strings.HasPrefix(rest, a+"/") {
				continue next
			}
		}
		wrong = append(wrong, fmt.Sprintf("imports %s: %s may import %v only", imp, room, allowed))
	}
	return wrong
}

func importsOf(t *testing.T, f *file) (paths []string) {
	t.Helper()
	for _, imp := range f.ast.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
		paths = append(paths, p)
	}
	return paths
}
