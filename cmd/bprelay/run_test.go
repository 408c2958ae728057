package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

const small = `
producers: [bpalpha]
nodes: [{name: node-a, from: [127.0.0.1]}]
listen: {internal: "127.0.0.1:0", network: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
`

// TestRun starts a relay, asks its admin side, and ends it as a signal would.
func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines, log := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, parse(t, small), slog.New(slog.NewJSONHandler(log, nil)), nil)
		log.Close()
		ended <- err
	}()
	var messages []string
	for in := bufio.NewScanner(lines); in.Scan(); {
		var line struct{ Msg, Level, Admin string }
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			t.Fatalf("%v in %q", err, in.Text())
		}
		messages = append(messages, line.Msg)
		if line.Level == "WARN" || line.Level == "ERROR" {
			t.Errorf("logged: %s", in.Text())
		}
		if line.Msg == "relay started" {
			checkAdmin(t, line.Admin)
			cancel()
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if all := strings.Join(messages, "; "); !strings.Contains(all, "relay started; ") || !strings.HasSuffix(all, "relay stopped") {
		t.Errorf("log: %s", all)
	}
}

func checkAdmin(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for path, code := range map[string]int{"/livez": 200, "/readyz": 503, "/status": 200, "/metrics": 200} {
		resp, err := client.Get("http://" + address + path)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != code {
			t.Errorf("%s: %d, want %d; %v", path, resp.StatusCode, code, err)
		}
		resp.Body.Close()
	}
}

func TestRunAddressTaken(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, option := range []string{"network: \"127.0.0.1:0\"", "admin: {listen: \"127.0.0.1:0\"}"} {
		text := strings.Replace(small, option, strings.Replace(option, "127.0.0.1:0", l.Addr().String(), 1), 1)
		if text == small {
			t.Fatalf("no %s in the configuration", option)
		}
		err := run(t.Context(), parse(t, text), slog.New(slog.DiscardHandler), nil)
		if codeOf(err) != exitFailure || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: %v", option, err)
		}
	}
}
