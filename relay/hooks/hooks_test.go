package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that is bound to happen.
const patience = 30 * time.Second

// journal collects log lines and lets a test wait for one.
type journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan map[string]any
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(p)
	var line map[string]any
	if err := json.Unmarshal(p, &line); err != nil {
		return 0, err
	}
	j.lines <- line
	return len(p), nil
}

// next waits for the next line, which must begin like that.
func (j *journal) next(t *testing.T, message string) map[string]any {
	t.Helper()
	select {
	case line := <-j.lines:
		if m, _ := line["msg"].(string); !strings.HasPrefix(m, message) {
			t.Fatalf("logged %v, want %q", line, message)
		}
		return line
	case <-time.After(patience):
		t.Fatalf("nothing like %q is logged", message)
		return nil
	}
}

// hooked runs a shell script as on_lead_change, with short times.
func hooked(t *testing.T, timeout time.Duration, script string) (*Hooks, *journal) {
	t.Helper()
	return started(t, timeout, []string{"/bin/sh", "-c", script})
}

func started(t *testing.T, timeout time.Duration, command []string) (*Hooks, *journal) {
	t.Helper()
	j := &journal{lines: make(chan map[string]any, 64)}
	log := slog.New(slog.NewJSONHandler(j, nil))
	h := New(Config{OnLeadChange: command, Timeout: timeout, Logger: log})
	h.byEvent[LeadChange].killAfter = 100 * time.Millisecond
	h.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return h, j
}

// lead tells of a new lead.
func lead(h *Hooks, node string) {
	h.Event(core.Instant{}, &core.Event{Kind: core.EventLead, Node: node, Detail: "before", Reason: core.ReasonLeadLost})
}

func TestEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	t.Setenv("OF_THE_RELAY", "kept")
	t.Setenv("BPRELAY_NODE", "from outside")
	h, j := hooked(t, patience, `env | grep -E '^(BPRELAY|OF_THE)' | sort > `+file)
	at := core.Instant{Wall: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC).UnixNano()}
	h.Event(at, &core.Event{Kind: core.EventLead, Node: "node-b", Detail: "node-a", Reason: core.ReasonLeadLost, Producer: name(t, "bpalpha")})
	if line := j.next(t, "hook done"); line["exit_code"] != 0.0 || line["hook"] != "on_lead_change" || line["node"] != "node-b" {
		t.Errorf("logged %v", line)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "BPRELAY_DETAIL=" + core.ReasonLeadLost.Help() + `
BPRELAY_EPOCH=
BPRELAY_EVENT=lead_change
BPRELAY_NODE=node-b
BPRELAY_PREVIOUS_NODE=node-a
BPRELAY_PRODUCER=bpalpha
BPRELAY_REASON=lead_lost
BPRELAY_ROLE=
BPRELAY_TIME=2026-03-04T05:06:07.089Z
OF_THE_RELAY=kept
`
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	// All of them, and no others, are in the documentation.
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range Variables() {
		if !strings.Contains(want, v+"=") || !strings.Contains(string(doc), "//\t"+v+" ") {
			t.Errorf("%s is not documented or not given", v)
		}
	}
	if n := strings.Count(string(doc), "//\tBPRELAY_"); n != len(Variables()) {
		t.Errorf("%d variables are documented, there are %d", n, len(Variables()))
	}
}

func name(t *testing.T, s string) p2pwire.Name {
	t.Helper()
	n, err := p2pwire.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Only what the hooks are about becomes an event of theirs.
func TestEventOf(t *testing.T) {
	silent := core.ReasonNone
	for _, r := range core.Reasons() {
		if r.String() == FinalizerSilent {
			silent = r
		}
	}
	for _, c := range []struct {
		e    core.Event
		want string
	}{
		{core.Event{Kind: core.EventLead, Node: "b", Detail: "a", Reason: core.ReasonLeadLost}, LeadChange},
		{core.Event{Kind: core.EventLead, Node: "b", Reason: core.ReasonLeadLost}, LeadChange},
		{core.Event{Kind: core.EventLead, Node: "b", Num: 7, ID: p2pwire.ID{1}}, ""}, // of a block, in race
		{core.Event{Kind: core.EventAlarm, Reason: core.ReasonForeignBlock}, ""},
		{core.Event{Kind: core.EventSessionDown, Node: "b", Reason: core.ReasonIdle, Detail: "x"}, ""},
	} {
		got, ok := eventOf(core.Instant{}, &c.e)
		if ok != (c.want != "") || got.name != c.want {
			t.Errorf("%+v: %q, %v", c.e, got.name, ok)
		}
	}
	if silent != core.ReasonNone {
		if got, ok := eventOf(core.Instant{}, &core.Event{Kind: core.EventAlarm, Reason: silent, Detail: "d"}); !ok || got.name != FinalizerSilent || got.detail != "d" {
			t.Errorf("finalizer_silent: %+v, %v", got, ok)
		}
	}
}

// Events of one hook run one after the other, in order; the loop is never held up, and of too many
// the oldest are given up.
func TestOrderAndOverflow(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	ready, gate := pipe(t, filepath.Join(dir, "ready")), pipe(t, filepath.Join(dir, "gate"))
	// Each run says that it began, waits at the gate, and says that it ends: runs that overlap show.
	h, j := hooked(t, patience, `echo "$BPRELAY_NODE" >> `+out+`; echo > `+ready.Name()+`; read -r line < `+gate.Name()+`; echo "$BPRELAY_NODE" >> `+out)
	lead(h, "n0")
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	const extra = 3
	for i := range backlog + extra {
		lead(h, fmt.Sprintf("n%d", i+1))
	}
	if _, err := gate.WriteString(strings.Repeat("\n", backlog+1)); err != nil {
		t.Fatal(err)
	}
	j.next(t, "hook done")
	if line := j.next(t, "hook not run"); line["events"] != float64(extra) {
		t.Errorf("logged %v", line)
	}
	for range backlog {
		j.next(t, "hook done")
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"n0", "n0"}
	for i := range backlog {
		n := fmt.Sprintf("n%d", i+1+extra)
		want = append(want, n, n)
	}
	if got := strings.Fields(string(text)); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// pipe makes a named pipe and keeps it open at both ends, so that nobody waits to open it.
func pipe(t *testing.T, path string) *os.File {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestFailure(t *testing.T) {
	h, j := hooked(t, patience, `echo to stdout; echo to stderr >&2; head -c 10000 /dev/zero | tr '\0' x; exit 7`)
	lead(h, "b")
	line := j.next(t, "hook failed")
	out, _ := line["output"].(string)
	if line["level"] != "ERROR" || line["exit_code"] != 7.0 || !strings.HasPrefix(out, "to stdout\nto stderr\nxxx") || len(out) != maxOutput+len("...") {
		t.Errorf("logged %v", line)
	}
}

func TestMissingProgram(t *testing.T) {
	h, j := started(t, patience, []string{filepath.Join(t.TempDir(), "absent")})
	lead(h, "b")
	if line := j.next(t, "hook could not be started"); line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), "no such file") {
		t.Errorf("logged %v", line)
	}
}

// gone waits until the process of the id in the file is no more.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for alive(pid) {
		select {
		case <-end.C:
			t.Fatalf("process %d lives on", pid)
		case <-again.C:
		}
	}
}

// alive tells whether a process runs; one that nobody has buried yet does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		_, err = os.Stat("/proc/self/stat")
		return err != nil // without /proc there is no telling
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// A command that takes too long ends with what it started, whatever it thinks of signals.
func TestTimeout(t *testing.T) {
	for what, script := range map[string]string{
		"obeys":           `sleep 1000 & echo $! > FILE; wait`,
		"ignores SIGTERM": `trap '' TERM; sleep 1000 & echo $! > FILE; while :; do wait; done`,
		"child ignores":   `(trap '' TERM; exec sleep 1000) & echo $! > FILE; wait`,
	} {
		t.Run(what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			h, j := hooked(t, 300*time.Millisecond, strings.ReplaceAll(script, "FILE", file))
			lead(h, "b")
			line := j.next(t, "hook killed: it took longer than hooks.timeout")
			if line["level"] != "ERROR" || line["exit_code"] != -1.0 {
				t.Errorf("logged %v", line)
			}
			gone(t, file)
			lead(h, "c") // the next one has its turn
			j.next(t, "hook killed")
		})
	}
}

// What a command leaves behind on purpose is not waited for, though it has the output open.
func TestLeftBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	h, j := hooked(t, patience, `sleep 1000 & echo $! > `+file)
	lead(h, "b")
	if line := j.next(t, "hook done"); line["exit_code"] != 0.0 {
		t.Errorf("logged %v", line)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil || !alive(pid) {
		t.Errorf("it was killed: %v", err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	gone(t, file)
}

// Close kills what runs when its context ends, and says so.
func TestCloseKills(t *testing.T) {
	dir := t.TempDir()
	file, ready := filepath.Join(dir, "pid"), pipe(t, filepath.Join(dir, "ready"))
	h, j := hooked(t, time.Hour, `trap '' TERM; echo $$ > `+file+`; echo > `+ready.Name()+`; while :; do sleep 1000; done`)
	lead(h, "b")
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	lead(h, "c")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	j.next(t, "hook killed: the relay ends")
	if line := j.next(t, "hook not run: the relay ends"); line["node"] != "c" {
		t.Errorf("logged %v", line)
	}
	gone(t, file)
}

// Without commands nothing runs, and Close without Start is harmless.
func TestNothingToDo(t *testing.T) {
	h := New(Config{})
	lead(h, "b")
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	h.Start()
	lead(h, "b")
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Events that are none of a hook's business cost the loop nothing.
func TestEventDoesNotAllocate(t *testing.T) {
	h := New(Config{OnLeadChange: []string{"/bin/true"}})
	e := &core.Event{Kind: core.EventClaimed, Node: "a"}
	l := &core.Event{Kind: core.EventLead, Node: "a", ID: p2pwire.ID{1}}
	if n := testing.AllocsPerRun(1000, func() { h.Event(core.Instant{}, e); h.Event(core.Instant{}, l) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
