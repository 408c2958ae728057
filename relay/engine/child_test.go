package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bprelay/relay/core"
)

// Some things can only be tried in a process of its own: the test binary runs itself with this
// variable naming the part to play.
const childVar = "BPRELAY_ENGINE_TEST_CHILD"

func child(part string) int {
	var err error
	switch part {
	case "panic":
		err = childPanic(func(e *Engine) error {
			c, err := net.Dial("tcp", e.Addr(core.Network).String())
			if err == nil {
				_, err = c.Write([]byte("x"))
			}
			return err
		})
	case "loop ends":
		err = childPanic(func(e *Engine) error { e.anchorEnd(); return nil })
	case "descriptors":
		err = childDescriptors()
	case "crowd":
		err = childCrowd()
	default:
		err = errors.New("unknown part")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runChild(t *testing.T, part string) (code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+part)
	var out bytes.Buffer
	cmd.Stderr = &out
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGQUIT) } // it shows where it hangs
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("the child hangs: %s", out.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// A panic in the core ends the process, after a log line.
func TestPanicEndsProcess(t *testing.T) {
	code, out := runChild(t, "panic")
	if code != 2 {
		t.Errorf("exit code %d, a crashed Go program has 2", code)
	}
	for _, want := range []string{`"level":"ERROR"`, "panic on the event loop", "boom", "hub).Data", "panic: boom"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

// When the loop's anchor goes without being asked to, the loop is gone, or about to be.
func TestLoopEndEndsProcess(t *testing.T) {
	code, out := runChild(t, "loop ends")
	if code != 2 || !strings.Contains(out, "panic: "+errLoopEnded.Error()) {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func childPanic(provoke func(e *Engine) error) error {
	cfg := loopback()
	cfg.Logger = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	e, err := New(cfg)
	if err != nil {
		return err
	}
	h := newHub(core.Instant{})
	h.boom = true
	e.machine = func(core.Config, core.Instant) (machine, error) { return h, nil }
	if err := e.Start(context.Background()); err != nil {
		return err
	}
	if err := provoke(e); err != nil {
		return err
	}
	<-time.After(patience)
	return errors.New("still alive")
}

// Out of file descriptors the engine keeps what it has, and takes connections again when it can.
// (gnet's own listeners end the event loop then.)
func TestOutOfDescriptors(t *testing.T) {
	if code, out := runChild(t, "descriptors"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
}

func childDescriptors() error {
	e, err := New(loopback())
	if err != nil {
		return err
	}
	h := newHub(core.Instant{})
	e.machine = func(core.Config, core.Instant) (machine, error) { return h, nil }
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Start(ctx); err != nil {
		return err
	}
	dial := func() (net.Conn, error) { return net.Dial("tcp", e.Addr(core.Network).String()) }
	a, err := dial()
	if err != nil {
		return err
	}
	b, err := dial()
	if err != nil {
		return err
	}
	sessions := func(n int) error {
		for {
			st, err := e.Status(ctx)
			if err != nil {
				return err
			}
			if len(st.Sessions) >= n {
				return nil
			}
			<-time.After(time.Millisecond)
		}
	}
	if err := sessions(2); err != nil {
		return err
	}
	echo := func() error {
		if _, err := a.Write([]byte("x")); err != nil {
			return err
		}
		_ = b.SetReadDeadline(time.Now().Add(patience))
		_, err := b.Read(make([]byte, 1))
		return err
	}
	// Leave no descriptor but one, which the next dial takes: accept gets none.
	var fill []*os.File
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	lim.Cur = 128
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		fill = append(fill, f)
	}
	_ = fill[0].Close()
	c, err := dial()
	if err != nil {
		return err
	}
	// The listener is at it, and fails, while the others are served.
	for range 200 {
		if err := echo(); err != nil {
			return fmt.Errorf("while out of descriptors: %w", err)
		}
	}
	if st, err := e.Status(ctx); err != nil || len(st.Sessions) != 2 {
		return fmt.Errorf("while out of descriptors: %d sessions, %w", len(st.Sessions), err)
	}
	for _, f := range fill[1:] {
		_ = f.Close()
	}
	// The one that was turned away, if it got as far as that, would call again.
	d, err := dial()
	if err != nil {
		return err
	}
	if err := sessions(3); err != nil {
		return fmt.Errorf("with descriptors again: %w", err)
	}
	_ = d.Close()
	_ = c.Close()
	return e.Close(ctx)
}
