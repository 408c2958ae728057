package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asProgram makes the test binary behave as the program itself.
const asProgram = "TEST_AS_BPRELAY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestSignals: the process ends cleanly, with code 0, on each signal a service manager or a person
// would send.
func TestSignals(t *testing.T) {
	path := write(t, "small.yaml", small)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "-c", path)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			for in := bufio.NewScanner(stderr); in.Scan(); {
				log.WriteString(in.Text() + "\n")
				if strings.Contains(in.Text(), "relay started") {
					if err := cmd.Process.Signal(sig); err != nil {
						t.Error(err)
					}
				}
			}
			if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), "relay stopped") {
				t.Errorf("%v, log:\n%s", err, &log)
			}
		})
	}
}
