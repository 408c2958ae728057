package nodeos

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func TestProcess(t *testing.T) {
	p := &process{name: "child", logPath: filepath.Join(t.TempDir(), "child.log")}
	for _, end := range []func(){p.kill, p.stop} {
		if err := p.start("sleep", "60"); err != nil {
			t.Fatal(err)
		}
		if err := p.start("sleep", "60"); !errors.Is(err, errRunning) {
			t.Errorf("started twice: %v", err)
		}
		if !p.alive() {
			t.Error("the process is not alive")
		}
		end()
		if p.alive() {
			t.Error("the process is alive after its end")
		}
		end() // again: no error, no wait
	}
	if err := p.start(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing program started")
	}
}

func TestPoll(t *testing.T) {
	calls := 0
	if err := poll(t.Context(), "it is enough", time.Millisecond, time.Minute, func(context.Context) error {
		if calls++; calls < 3 {
			return errApart
		}
		return nil
	}); err != nil || calls != 3 {
		t.Errorf("%d calls: %v", calls, err)
	}
	if err := poll(t.Context(), "never", time.Millisecond, 10*time.Millisecond, func(context.Context) error { return errApart }); !errors.Is(err, errApart) {
		t.Errorf("out of patience: %v, want the last error", err)
	}
	if err := poll(t.Context(), "it runs", time.Hour, time.Hour, func(context.Context) error { return errEnded }); !errors.Is(err, errEnded) {
		t.Errorf("an ended process: %v", err)
	}
}

func TestPorts(t *testing.T) {
	p, taken := newPorts(), map[int]bool{}
	for range 20 {
		port, err := p.take()
		if err != nil {
			t.Fatal(err)
		}
		if taken[port] || port < firstPort || port > lastPort {
			t.Errorf("port %d is taken or out of range", port)
		}
		taken[port] = true
	}
}
