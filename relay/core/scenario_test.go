package core_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenario scripts really print into testdata/scenarios")

const scenarioDir = "testdata/scenarios"

// TestScenarios plays the scripts of testdata/scenarios, one rule each, and compares what they print
// with what is checked in. README.txt there explains the language.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scenarioDir, "*.txt"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(file) == "README.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps := parseScenario(string(raw))
			for _, mode := range scenarioModes(t, steps) {
				t.Run(mode, func(t *testing.T) { playScenario(t, file, mode, steps) })
			}
			if *rewrite && !t.Failed() {
				if err := os.WriteFile(file, []byte(formatScenario(steps)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestScenarioReadme wants every command's line in README.txt.
func TestScenarioReadme(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(scenarioDir, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range scenarioCommands() {
		if line := "\n    " + strings.TrimSpace(name+" "+c.usage) + "\n"; !strings.Contains(string(raw), line) {
			t.Errorf("README.txt does not explain the command, or not as it is:%s", line)
		}
	}
}

// step is a stretch of a script: comment lines, commands, and the transcript they should print.
type step struct {
	comment  []string
	commands []string
	line     int // of the first command
	marked   bool
	want     []string
}

// parseScenario cuts a script at its empty lines.
func parseScenario(text string) []*step {
	var steps []*step
	var cur *step
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case line == "":
			cur = nil
			continue
		case cur == nil:
			cur = &step{}
			steps = append(steps, cur)
		}
		switch {
		case cur.marked:
			cur.want = append(cur.want, line)
		case line == "----":
			cur.marked = true
		case strings.HasPrefix(line, "#"):
			cur.comment = append(cur.comment, line)
		default:
			if len(cur.commands) == 0 {
				cur.line = i + 1
			}
			cur.commands = append(cur.commands, line)
		}
	}
	return steps
}

func formatScenario(steps []*step) string {
	var b strings.Builder
	for i, s := range steps {
		if i > 0 {
			b.WriteByte('\n')
		}
		lines := append(append([]string(nil), s.comment...), s.commands...)
		if len(s.want) > 0 {
			lines = append(append(lines, "----"), s.want...)
		}
		for _, l := range lines {
			b.WriteString(l)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// scenarioModes are the fork-choice modes a script is played in: both, unless its first command says
// which. In each the transcript must be the same.
func scenarioModes(t *testing.T, steps []*step) []string {
	for _, s := range steps {
		if len(s.commands) == 0 {
			continue
		}
		words := strings.Fields(s.commands[0])
		if words[0] != "modes" {
			break
		}
		for _, m := range words[1:] {
			if m != modeLegacy && m != modeSavanna {
				t.Fatalf("line %d: no mode %q", s.line, m)
			}
		}
		return words[1:]
	}
	return []string{modeLegacy, modeSavanna}
}

const (
	modeLegacy  = "legacy"
	modeSavanna = "savanna"
)

func playScenario(t *testing.T, file, mode string, steps []*step) {
	w := newWorld(t, mode)
	commands := scenarioCommands()
	for _, s := range steps {
		for i, line := range s.commands {
			w.at = fmt.Sprintf("%s:%d", file, s.line+i)
			a := parseArgs(w, line)
			c, ok := commands[a.name]
			if !ok {
				w.fatalf("no command %q", a.name)
			}
			c.run(w, a)
			w.collect()
			a.unused()
		}
		got := w.transcript()
		if *rewrite && (mode == modeLegacy || !hasMode(t, steps, modeLegacy)) {
			s.want = got
			continue
		}
		if d := diffLines(s.want, got); d != "" {
			t.Errorf("%s:%d: the transcript differs (- expected, + printed):\n%s", file, s.line, d)
		}
	}
}

func hasMode(t *testing.T, steps []*step, mode string) bool {
	for _, m := range scenarioModes(t, steps) {
		if m == mode {
			return true
		}
	}
	return false
}

// diffLines shows two texts line by line by their longest common part; empty if they are the same.
func diffLines(a, b []string) string {
	n, m := len(a), len(b)
	common := make([][]int, n+1)
	for i := range common {
		common[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	same := n == m
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case i < n && j < m && a[i] == b[j]:
			fmt.Fprintf(&out, "  %s\n", a[i])
			i, j = i+1, j+1
		case j == m || (i < n && common[i+1][j] >= common[i][j+1]):
			same = false
			fmt.Fprintf(&out, "- %s\n", a[i])
			i++
		default:
			same = false
			fmt.Fprintf(&out, "+ %s\n", b[j])
			j++
		}
	}
	if same {
		return ""
	}
	return out.String()
}
