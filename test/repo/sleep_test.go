package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// A time.Sleep is allowed with one of these marks and a reason behind it, on the same line or the one
// above: in a test that deals with real processes or kernels, and in a function that only runs
// inside a bubble.
var sleepMarks = []string{"real time:", "virtual time:"}

// TestNoSleep keeps tests from waiting for real time. Inside a testing/synctest bubble time.Sleep
// is virtual, and allowed.
func TestNoSleep(t *testing.T) {
	for _, f := range source(t) {
		if !f.test {
			continue
		}
		for _, at := range sleeps(f) {
			t.Errorf("%s: time.Sleep in a test: wait for the event, use virtual time, or mark it with one of %q and the reason", at, sleepMarks)
		}
	}
}

// sleeps finds the calls of time.Sleep that are neither marked nor in a synctest bubble.
func sleeps(f *file) (at []token.Position) {
	marked := map[int]bool{}
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			for _, mark := range sleepMarks {
				if _, why, ok := strings.Cut(c.Text, mark); ok && strings.TrimSpace(why) != "" {
					line := f.fset.Position(c.Pos()).Line
					marked[line], marked[line+1] = true, true
				}
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.SelectorExpr); ok && isSelector(fun, "synctest", "Test", "Run") {
				return false
			}
		case *ast.SelectorExpr:
			if p := f.at(n); isSelector(n, "time", "Sleep") && !marked[p.Line] {
				at = append(at, p)
			}
		}
		return true
	})
	return at
}

// TestDetectorsBite makes sure that the detectors find what they look for, and no more.
func TestDetectorsBite(t *testing.T) {
	fset := token.NewFileSet()
	const src = `package p
func a() { time.Sleep(1) }
func b() { time.Sleep(1) } // real time: a real process is killed
// real time:
func c() { time.Sleep(1) }
func d(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }
func e() { go a(); select {}; _ = make(chan int); _ = time.Now() }
func f() { _ = time.Second; x.Now() }
`
	parsed, err := parser.ParseFile(fset, "p_test.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	f := &file{path: "p_test.go", test: true, ast: parsed, fset: fset}
	var lines []int
	for _, at := range sleeps(f) {
		lines = append(lines, at.Line)
	}
	if want := []int{2, 5}; !slices.Equal(lines, want) {
		t.Errorf("sleeps found in lines %v, want %v", lines, want)
	}
	// Four sleeps, and goroutine, select, channel and clock of e.
	if found := impureUses(f); len(found) != 8 {
		t.Errorf("impure uses found: %v, want 8", found)
	}
}
