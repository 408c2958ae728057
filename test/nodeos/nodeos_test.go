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
)

// binDirVariable names the directory of nodeos and spring-util.
const binDirVariable = "NODEOS_BIN_DIR"

// perMode bounds one mode's run: fifteen cycles of 24 s, the boot and the end.
const perMode = 9 * time.Minute

// margin is what is left of the test's time when a mode has to be through.
const margin = 5 * time.Second

// TestRealNodeos runs all scenarios in legacy and in Savanna mode.
func TestRealNodeos(t *testing.T) {
	binDir, version, relay := binaries(t)
	var results []*result
	modes := []string{"legacy", "savanna"}
	for i, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			until := time.Now().Add(perMode)
			if end, bounded := t.Deadline(); bounded {
				share := time.Until(end.Add(-margin)) / time.Duration(len(modes)-i)
				until = time.Now().Add(min(share, perMode))
			}
			results = append(results, runMode(t, binDir, relay, mode, until)...)
		})
	}
	t.Logf("\n%s", table(version, results))
}

// binaries finds nodeos and builds the relay. Without nodeos it says so and skips the test.
func binaries(t *testing.T) (binDir, version, relay string) {
	binDir = os.Getenv(binDirVariable)
	if binDir == "" {
		text := t.Name() + ": REAL NODEOS TESTS WERE NOT RUN: set " + binDirVariable
		fmt.Fprintln(os.Stderr, text)
		t.Skip(text)
	}
	out, err := exec.Command(filepath.Join(binDir, "nodeos"), "--full-version").Output()
	if err != nil {
		t.Fatalf("ask nodeos for its version: %v", err)
	}
	if relay, err = buildRelay(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return binDir, strings.TrimSpace(string(out)), relay
}

// runMode boots one network and runs the scenarios on it.
func runMode(t *testing.T, binDir, relay, mode string, until time.Time) (results []*result) {
	ctx, cancel := context.WithDeadline(t.Context(), until)
	defer cancel()
	n := bootNetwork(ctx, t, binDir, relay, mode, racingPair(mode == "savanna"))
	next := nextRound(time.Now())
	for _, sc := range scenarios() {
		r := &result{mode: mode, scenario: sc.name, first: next, last: next + sc.slots - 1}
		next = r.last + 1
		if slotTime(r.last).Add(margin).After(until) {
			t.Errorf("left out for want of time: %s: give -timeout 20m", sc.name)
			continue
		}
		t.Run(strings.ReplaceAll(sc.name, " ", "_"), func(t *testing.T) {
			results = append(results, r)
			s := newStage(r)
			if err := sc.run(ctx, n, s); err != nil {
				t.Fatal(err)
			}
			if _, err := n.judge(ctx, r, s.failedAt); err != nil {
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

// bootNetwork boots one network, which ends with the test.
func bootNetwork(ctx context.Context, t *testing.T, binDir, relay, name string, shape topology) *network {
	root, err := os.MkdirTemp("", "bprelay-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(ctx, binDir, relay, root, shape)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.stop()
		if t.Failed() || os.Getenv("NODEOS_KEEP") != "" {
			t.Logf("state and logs are kept in %s", root)
			showLogs(t, n)
			return
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	begun := time.Now()
	if err := n.start(ctx); err != nil {
		t.Fatalf("boot the network: %v", err)
	}
	t.Logf("booted in %v", time.Since(begun).Round(100*time.Millisecond))
	return n
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
