package nodeos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

// binDirVariable names the directory of nodeos and spring-util.
const binDirVariable = "NODEOS_BIN_DIR"

// perMode bounds one mode's run: ten cycles of 24 s, the boot and the end.
const perMode = 6 * time.Minute

// TestRealNodeos runs all scenarios in legacy and in Savanna mode.
func TestRealNodeos(t *testing.T) {
	binDir := os.Getenv(binDirVariable)
	if binDir == "" {
		const text = "REAL NODEOS TESTS WERE NOT RUN: set " + binDirVariable
		fmt.Fprintln(os.Stderr, text)
		t.Skip(text)
	}
	if deadline, ok := t.Deadline(); ok && time.Until(deadline) < 2*perMode {
		t.Fatalf("this takes up to %v: run it with -timeout 20m", 2*perMode)
	}
	version, err := exec.Command(filepath.Join(binDir, "nodeos"), "--full-version").Output()
	if err != nil {
		t.Fatalf("ask nodeos for its version: %v", err)
	}
	relay, err := buildRelay(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var results []*result
	for _, savanna := range []bool{false, true} {
		mode := "legacy"
		if savanna {
			mode = "savanna"
		}
		t.Run(mode, func(t *testing.T) {
			results = append(results, runMode(t, binDir, relay, mode, savanna)...)
		})
	}
	t.Logf("\n%s", table(strings.TrimSpace(string(version)), results))
}

// runMode boots one network and runs the scenarios on it.
func runMode(t *testing.T, binDir, relay, mode string, savanna bool) (results []*result) {
	ctx, cancel := context.WithTimeout(t.Context(), perMode)
	defer cancel()
	root, err := os.MkdirTemp("", "bprelay-"+mode+"-")
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(ctx, binDir, relay, root, savanna)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		n.stop()
		if t.Failed() || os.Getenv("NODEOS_KEEP") != "" {
			t.Logf("state and logs are kept in %s", root)
			showLogs(t, n)
			return
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	}()
	begun := time.Now()
	if err := n.start(ctx); err != nil {
		t.Fatalf("boot the network: %v", err)
	}
	t.Logf("booted in %v", time.Since(begun).Round(100*time.Millisecond))
	next := nextRound(time.Now())
	for _, sc := range scenarios() {
		r := &result{mode: mode, scenario: sc.name, first: next, last: next + cycle*p2pwire.Slot(sc.cycles) - 1}
		next = r.last + 1
		t.Run(strings.ReplaceAll(sc.name, " ", "_"), func(t *testing.T) {
			results = append(results, r)
			s := &stage{result: r, round: r.first}
			if err := sc.run(ctx, n, s); err != nil {
				t.Fatal(err)
			}
			// What is left of the scenario's last slots is judged while the next one begins.
			if err := n.judge(ctx, r, s.failedAt); err != nil {
				t.Fatal(err)
			}
			if err := n.sessions(r, slotTime(r.first), slotTime(r.last), s.disruptions); err != nil {
				t.Fatal(err)
			}
			for _, p := range r.problems {
				t.Error(p)
			}
			t.Logf("\n%s", table("", []*result{r}))
		})
		if ctx.Err() != nil {
			t.Fatal("out of time")
		}
	}
	if sent, failed := n.load.sent.Load(), n.load.failed.Load(); failed*20 > sent {
		t.Errorf("%d transactions were taken, %d were not", sent, failed)
	}
	return results
}

// showLogs prints what nodes and relay had to say, in short.
func showLogs(t *testing.T, n *network) {
	for _, path := range n.logs() {
		var tail []string
		err := eachLine(path, func(line string) {
			if strings.HasPrefix(line, "info ") || strings.Contains(line, `"level":"DEBUG"`) {
				return
			}
			if tail = append(tail, line); len(tail) > 40 {
				tail = tail[1:]
			}
		})
		if err != nil {
			t.Log(err)
		}
		for i, line := range tail {
			tail[i] = fmt.Sprintf("%.300s", line)
		}
		t.Logf("end of %s:\n%s", path, strings.Join(tail, "\n"))
	}
}
