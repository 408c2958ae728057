package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/livez" {
			_, _ = w.Write([]byte(`{"ok":true,"missing":[]}`))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"ok":false,"missing":["no own node is connected"]}`))
	}))
	address := strings.TrimPrefix(s.URL, "http://")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, exitOK, "healthy"},
		{[]string{"--ready"}, exitFailure, "no own node is connected"},
	} {
		var out, complaints strings.Builder
		code := execute(t.Context(), append([]string{"healthcheck", "--admin", address}, c.args...), &out, &complaints)
		if code != c.code || !strings.Contains(out.String()+complaints.String(), c.says) {
			t.Errorf("%v: exit code %d, want %d, with %q: %s%s", c.args, code, c.code, c.says, out.String(), complaints.String())
		}
	}
	s.Close()
	var out, complaints strings.Builder
	if code := execute(t.Context(), []string{"healthcheck", "--admin", address}, &out, &complaints); code != exitFailure {
		t.Errorf("without a relay: exit code %d, want %d", code, exitFailure)
	}
}
