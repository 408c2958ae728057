package nodeos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a child process that is started, killed and started again; its output is appended to
// one file. On Linux the kernel kills it when the test's process dies.
type process struct {
	name    string
	logPath string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

// stopTimeout is how long a process may take to end by itself. nodeos writes its state out.
const stopTimeout = 15 * time.Second

var (
	errRunning = errors.New("is running")
	errEnded   = errors.New("has ended") // by itself: there is nothing to wait for
)

func (p *process) start(path string, args ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("start %s: %w", p.name, errRunning)
	}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childOfTest()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(done)
	}()
	p.cmd, p.done = cmd, done
	return nil
}

// running is for holders of the lock.
func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// alive reports whether the process runs.
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

func (p *process) ended() error { return fmt.Errorf("%s %w: see %s", p.name, errEnded, p.logPath) }

// kill ends the process as a power cut would, and waits for that. One that has ended is no error.
func (p *process) kill() { p.end(syscall.SIGKILL, stopTimeout) }

// stop asks the process to end, and kills it when it does not.
func (p *process) stop() { p.end(syscall.SIGTERM, stopTimeout) }

// freeze stops the process' execution without ending it (SIGSTOP); thaw lets it go on.
func (p *process) freeze() { p.signal(syscall.SIGSTOP) }
func (p *process) thaw()   { p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		_ = p.cmd.Process.Signal(s) // it may have ended meanwhile
	}
}

func (p *process) end(signal syscall.Signal, patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return
	}
	_ = p.cmd.Process.Signal(signal) // it may have ended meanwhile
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// wait returns at the time given, or with ctx's error.
func wait(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// poll calls check every interval until it returns nil. It returns the last error when patience is
// over or the process waited for has ended.
func poll(ctx context.Context, what string, interval, patience time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if wait(ctx, time.Now().Add(interval)) != nil {
			return fmt.Errorf("wait until %s: %w", what, last)
		}
	}
}
