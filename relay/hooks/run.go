package hooks

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// maxOutput (bytes) is what is kept of a command's output.
const maxOutput = 4 << 10

// run runs the command for one event, and returns when it has ended or was given up.
func (k *hook) run(e *event) {
	var out output
	cmd := exec.Command(k.command[0], k.command[1:]...)
	cmd.Env = append(os.Environ(), e.environment()...)
	cmd.Stdout, cmd.Stderr = &out, &out
	// A group of its own, so that what the command started can be ended with it, and a Ctrl-C meant
	// for the relay does not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What the command leaves running may keep its output open; that is not waited for.
	cmd.WaitDelay = k.killAfter
	log := k.log.With("node", e.node, "reason", e.reason.String())
	began := time.Now()
	if err := cmd.Start(); err != nil {
		log.Error("hook could not be started", "error", err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	cut, err := k.wait(cmd.Process.Pid, ended)
	attrs := []any{"exit_code", exitCode(err), "took", time.Since(began).Round(time.Millisecond)}
	switch {
	case cut != "":
		log.Error("hook killed: "+cut, append(attrs, "output", out.String())...)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		log.Error("hook failed", append(attrs, "error", err, "output", out.String())...)
	default:
		log.Info("hook done", attrs...)
		if log.Enabled(context.Background(), slog.LevelDebug) {
			log.Debug("hook output", "output", out.String())
		}
	}
}

// wait waits for the command's end, and makes it end when its time is over. cut says why it did.
func (k *hook) wait(pid int, ended <-chan error) (cut string, err error) {
	timeout := time.NewTimer(k.timeout)
	defer timeout.Stop()
	select {
	case err = <-ended:
		return "", err
	case <-timeout.C:
		cut = "it took longer than hooks.timeout"
	case <-k.abort:
		cut = "the relay ends"
	}
	// The error is that there is no such group any more.
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	grace := time.NewTimer(k.killAfter)
	defer grace.Stop()
	gone := false
	select {
	case err = <-ended:
		gone = true
	case <-grace.C:
	case <-k.abort:
	}
	// Also when the command itself has ended: what it started may not have.
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	if gone {
		return cut, err
	}
	last := time.NewTimer(2 * k.killAfter) // WaitDelay is within
	defer last.Stop()
	select {
	case err = <-ended:
	case <-last.C:
		// In the kernel, waiting for a disk perhaps. Its goroutine ends when it does.
		err, cut = errStuck, cut+", and it does not end"
	}
	return cut, err
}

var errStuck = errors.New("the process cannot be killed")

// exitCode is the command's, -1 if a signal ended it or it never did.
func exitCode(err error) int {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return 0
	}
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return e.ExitCode()
	}
	return -1
}

// output keeps the beginning of what is written.
type output struct {
	mu   sync.Mutex
	kept []byte
	more bool
}

// Write implements io.Writer; it takes everything.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := min(len(p), maxOutput-len(o.kept))
	o.kept = append(o.kept, p[:room]...)
	o.more = o.more || room < len(p)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more {
		return string(o.kept) + "..."
	}
	return string(o.kept)
}
