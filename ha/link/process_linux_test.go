package link

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bprelay/ha/creds"
)

// The test binary is member b of a link if these are set: the directory with its credentials, and where a
// listens.
const (
	childDir     = "TEST_LINK_DIR"
	childAddress = "TEST_LINK_ADDRESS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Getenv(childAddress)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func load(dir, name string) (*creds.Identity, error) {
	return creds.Load(creds.Options{
		Name: name, Members: []string{"a", "b"}, CA: filepath.Join(dir, creds.CAFile),
		Cert: filepath.Join(dir, creds.CertFile(name)), Key: filepath.Join(dir, creds.KeyFile(name)),
	})
}

// child prints what its handler is told, until its input ends.
func child(dir, address string) error {
	me, err := load(dir, "b")
	if err != nil {
		return err
	}
	l, err := Open(Config{Identity: me, Peer: "a", Dial: address, Timing: LAN, Logger: quiet}, Handler{
		Up:      func(uint64) { fmt.Println("up") },
		Down:    func(r Reason) { fmt.Println("down", r) },
		Message: func(b []byte) { fmt.Println("message", string(b)) },
	})
	if err != nil {
		return err
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
	l.Close(context.Background())
	return nil
}

// TestProcesses stops, wakes and kills a real process at the other end: how long it takes to notice is
// logged, and what was sent to it while it was stopped is not delivered when it wakes up.
func TestProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	if _, err := creds.Create(creds.Plan{Dir: dir, Members: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	me, err := load(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	acceptor, err := Listen(ListenConfig{Address: "127.0.0.1:0", Identity: me, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer acceptor.Close()
	up, down := make(chan uint64, 100), make(chan Reason, 100)
	l, err := Open(Config{Identity: me, Peer: "b", Acceptor: acceptor, Timing: LAN, Logger: quiet}, Handler{
		Up: func(n uint64) { up <- n }, Down: func(r Reason) { down <- r }, Message: ignore,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childAddress+"="+acceptor.Addr().String())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1000)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- lines.Text()
		}
	}()

	signal := func(s syscall.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	<-up
	var stopped []time.Duration
	for i := range 5 {
		if err := l.Send(fmt.Appendf(nil, "good %d", i)); err != nil {
			t.Error(err)
		}
		await(t, said, fmt.Sprintf("message good %d", i))
		signal(syscall.SIGSTOP)
		before := time.Now()
		awaitStop(t, cmd.Process.Pid)
		_ = l.Send([]byte("late")) // the system takes it
		if r := <-down; r != Silent {
			t.Errorf("stopped: down %s", r)
		}
		stopped = append(stopped, time.Since(before))
		signal(syscall.SIGCONT)
		<-up
		await(t, said, "up")
	}
	signal(syscall.SIGKILL)
	before := time.Now()
	if r := <-down; r != Broken {
		t.Errorf("killed: down %s", r)
	}
	t.Logf("noticed: stopped %v, killed %v", stopped, time.Since(before))
	for line := range said {
		if strings.Contains(line, "late") {
			t.Errorf("b was told %q", line)
		}
	}
	_ = cmd.Wait() // it was killed
}

// awaitStop waits until all threads of a process stand still: the signal takes its time.
func awaitStop(t *testing.T, pid int) {
	t.Helper()
	for {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("process %d: %v", pid, err)
		}
		stopped := true
		for _, path := range tasks {
			stat, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			stopped = stopped && strings.HasPrefix(rest, "T")
		}
		if stopped {
			return
		}
	}
}

// await reads what the child says until it says that.
func await(t *testing.T, said <-chan string, want string) {
	t.Helper()
	for line := range said {
		switch {
		case line == want:
			return
		case strings.Contains(line, "late"), strings.HasPrefix(line, "error"):
			t.Fatalf("the child says %q", line)
		}
	}
	t.Fatalf("the child ended before it said %q", want)
}
