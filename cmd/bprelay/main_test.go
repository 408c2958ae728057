package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bprelay/config"
)

// write puts a file into a directory of the test's.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func bprelay(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	code = execute(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestExitCodes(t *testing.T) {
	example := write(t, "example.yaml", string(config.Example()))
	bad := write(t, "bad.yaml", "producers: [bpalpha]\nnodes: [{name: a, dail: 10.0.0.1:9876}]\n")
	refused := closedPort(t)
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // parts
	}{
		{"", exitOK, "Exit codes:", ""},
		{"help run", exitOK, "SIGTERM", ""},
		{"version", exitOK, "bprelay ", ""},
		{"version extra", exitUsage, "", "unknown command"},
		{"frobnicate", exitUsage, "", "unknown command"},
		{"run --frobnicate", exitUsage, "", "unknown flag"},
		{"run", exitUsage, "", "-c FILE"},
		{"run -c " + example + ".missing", exitUsage, "", "no such file"},
		{"run -c " + bad, exitUsage, "", "possible here: name, dial, from, priority"},
		{"check -c " + bad, exitUsage, "", "bad.yaml:2: nodes[0].dail"},
		{"check -c " + example, exitOK, "p2p-listen-endpoint = 10.0.0.11:9876", "is valid"},
		{"check --example", exitOK, "# bprelay: example configuration", ""},
		{"probe", exitUsage, "", "HOST:PORT"},
		{"probe nohost", exitUsage, "", "host:port"},
		{"probe h:1 --chain-id xyz", exitUsage, "", "--chain-id"},
		{"probe " + refused, exitProbe, "connection refused", ""},
		{"probe --json " + refused, exitProbe, `"healthy": false`, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := bprelay(t, strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit code %d, want %d\nstdout %q\nstderr %q", code, c.code, stdout, stderr)
			}
			if code == exitOK && c.stderr == "" && stderr != "" {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
}

// closedPort is an address nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestInterruptedProbe(t *testing.T) {
	// A listener that never answers: only the interruption can end the probe.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	if code := execute(ctx, []string{"probe", l.Addr().String()}, &out, &errs); code != exitFailure {
		t.Errorf("exit code %d, want %d: %s%s", code, exitFailure, &out, &errs)
	}
}
