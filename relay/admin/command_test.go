package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bprelay/relay/core"
)

// orders notes commands, and answers all alike.
type orders struct {
	got []string
	err error
	// block: it answers only when nobody waits any more.
	block bool
}

func (o *orders) take(ctx context.Context, order string) error {
	o.got = append(o.got, order)
	if o.block {
		<-ctx.Done()
		return ctx.Err()
	}
	return o.err
}

func (o *orders) Drain(ctx context.Context, node string, force bool) error {
	return o.take(ctx, fmt.Sprint("drain ", node, " ", force))
}

func (o *orders) Undrain(ctx context.Context, node string) error {
	return o.take(ctx, "undrain "+node)
}

func (o *orders) SetLead(ctx context.Context, node string, force bool) error {
	return o.take(ctx, fmt.Sprint("lead ", node, " ", force))
}

func post(t *testing.T, o *orders, r *http.Request) (int, CommandAnswer) {
	t.Helper()
	cfg := Config{Source: &fakeSource{status: readyStatus()}}
	if o != nil {
		cfg.Commands = o
	}
	h, err := Handler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body CommandAnswer
	if w.Header().Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%v in %q", err, w.Body)
		}
	}
	return w.Code, body
}

func TestCommands(t *testing.T) {
	refused := func(why error) error { return fmt.Errorf("%w: its reason", why) }
	for _, c := range []struct {
		path string
		err  error
		code int
		want CommandAnswer
		told string
	}{
		{"/drain?node=a", nil, 200, CommandAnswer{OK: true}, "drain a false"},
		{"/drain?node=a&force=true", nil, 200, CommandAnswer{OK: true}, "drain a true"},
		{"/drain?node=a&force=false", nil, 200, CommandAnswer{OK: true}, "drain a false"},
		{"/undrain?node=a", nil, 200, CommandAnswer{OK: true}, "undrain a"},
		{"/lead?node=a%20b&force=1", nil, 200, CommandAnswer{OK: true}, "lead a b true"},
		{"/drain?node=a", refused(core.ErrNoSuchNode), 404, CommandAnswer{Error: "no such node: its reason", Code: "no_such_node"}, "drain a false"},
		{"/drain?node=a", refused(core.ErrUnsafe), 409, CommandAnswer{Error: "not safe now: its reason", Code: "unsafe"}, "drain a false"},
		{"/lead?node=a", refused(core.ErrNotPossible), 422, CommandAnswer{Error: "not possible: its reason", Code: "not_possible"}, "lead a false"},
		{"/lead?node=a", errors.New("engine is closed"), 500, CommandAnswer{Error: "engine is closed", Code: "failed"}, "lead a false"},
		{"/drain", nil, 400, CommandAnswer{Error: "node is missing", Code: "bad_request"}, ""},
		{"/drain?node=", nil, 400, CommandAnswer{Error: "node is missing", Code: "bad_request"}, ""},
		{"/drain?node=a&node=b", nil, 400, CommandAnswer{Error: "node is given twice", Code: "bad_request"}, ""},
		{"/drain?node=a&force=maybe", nil, 400, CommandAnswer{Error: "force must be true or false", Code: "bad_request"}, ""},
		{"/undrain?node=a&force=true", nil, 400, CommandAnswer{Error: "unknown key force; possible are node", Code: "bad_request"}, ""},
		{"/drain?nod=a", nil, 400, CommandAnswer{Error: "unknown key nod; possible are node, force", Code: "bad_request"}, ""},
		{"/drain?node=%zz", nil, 400, CommandAnswer{Error: "the query cannot be read", Code: "bad_request"}, ""},
	} {
		o := &orders{err: c.err}
		r := httptest.NewRequest(http.MethodPost, c.path, nil)
		r.Header.Set("X-Bprelay", "1")
		code, body := post(t, o, r)
		if told := strings.Join(o.got, "; "); code != c.code || body != c.want || told != c.told {
			t.Errorf("%s: %d %+v, told %q; want %d %+v, %q", c.path, code, body, told, c.code, c.want, c.told)
		}
	}
}

func TestCommandLoopSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/drain?node=a", nil)
	r.Header.Set("X-Bprelay", "1")
	code, body := post(t, &orders{block: true}, r)
	if code != 503 || body.Code != CodeSilent || !strings.Contains(body.Error, "may still take effect") {
		t.Errorf("%d %+v", code, body)
	}
}

// Only POST is a command, and there are none where nobody takes them.
func TestCommandMethods(t *testing.T) {
	for _, path := range []string{"/drain", "/undrain", "/lead"} {
		for method, code := range map[string]int{http.MethodGet: 405, http.MethodHead: 405, http.MethodPut: 405, http.MethodDelete: 405, http.MethodOptions: 405} {
			o := &orders{}
			r := httptest.NewRequest(method, path+"?node=a", nil)
			r.Header.Set("X-Bprelay", "1")
			if got, _ := post(t, o, r); got != code || len(o.got) > 0 {
				t.Errorf("%s %s: %d, want %d; told %q", method, path, got, code, o.got)
			}
		}
		r := httptest.NewRequest(http.MethodPost, path+"?node=a", nil)
		r.Header.Set("X-Bprelay", "1")
		if got, _ := post(t, nil, r); got != 404 {
			t.Errorf("%s without commands: %d", path, got)
		}
	}
}

// A page in a browser on the relay's host must not be able to stop a node.
func TestCommandCrossSite(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8765}
	outside := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 8765}
	for _, c := range []struct {
		header, value string
		host          string
		local         net.Addr
		ok            bool
	}{
		{"X-Bprelay", "1", "127.0.0.1:8765", loopback, true},
		{"X-Bprelay", "1", "localhost:8765", loopback, true},
		{"X-Bprelay", "1", "[::1]:8765", loopback, true},
		{"X-Bprelay", "1", "localhost", loopback, true},
		{"Content-Type", "application/json", "127.0.0.1:8765", loopback, true},
		{"Content-Type", "application/json; charset=utf-8", "127.0.0.1:8765", loopback, true},
		{"X-Bprelay", "1", "relay.example:8765", outside, true},
		{"Origin", "https://evil.example", "127.0.0.1:8765", loopback, false},
		{"Content-Type", "text/plain", "127.0.0.1:8765", loopback, false},
		{"Content-Type", "application/x-www-form-urlencoded", "127.0.0.1:8765", loopback, false},
		{"Content-Type", "text/plain; application/json", "127.0.0.1:8765", loopback, false},
		{"X-Bprelay", "1", "evil.example:8765", loopback, false}, // its name leads here since
		{"X-Bprelay", "1", "evil.example", loopback, false},
	} {
		o := &orders{}
		ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, c.local)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/drain?node=a", nil)
		r.Host = c.host
		r.Header.Set(c.header, c.value)
		code, body := post(t, o, r)
		if ok := code == 200; ok != c.ok || len(o.got) > 0 != c.ok || !ok && (code != 403 || body.Code != CodeCrossSite) {
			t.Errorf("%s: %s to %s: %d %+v, told %q", c.header, c.value, c.host, code, body, o.got)
		}
	}
}

// Status and commands over a real server; a command makes the next status a new one.
func TestAskAndTell(t *testing.T) {
	src, o := &fakeSource{status: readyStatus()}, &orders{}
	s, err := Listen("127.0.0.1:0", Config{Source: src, Commands: o, Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close(context.Background()) }()
	address := s.Addr().String()
	for range 2 {
		st, err := AskStatus(t.Context(), address)
		if err != nil || st.Version != "v1" || st.Takeover.Mode != core.TakeoverLeash || st.Takeover.Nodes[1].State != core.NodeArmed ||
			st.Stats.OwnSlots["lost"] != 37 || st.PublicHead.Num != 305 || len(st.Sessions) != 4 || !json.Valid(st.Raw) {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	before := src.asked.Load()
	if err := Tell(t.Context(), address, Drain, "node a", true); err != nil {
		t.Error(err)
	}
	if err := Tell(t.Context(), address, Undrain, "node a", true); err != nil {
		t.Error(err)
	}
	if got := strings.Join(o.got, "; "); got != "drain node a true; undrain node a" {
		t.Errorf("told %q", got)
	}
	if _, err := AskStatus(t.Context(), address); err != nil || src.asked.Load() == before {
		t.Errorf("the state from before the command was given; %v", err)
	}
	o.err = fmt.Errorf("%w: its reason", core.ErrUnsafe)
	var r *Refusal
	if err := Tell(t.Context(), address, Lead, "a", false); !errors.As(err, &r) || r.Code != CodeUnsafe || r.Error() != "not safe now: its reason" {
		t.Errorf("refused: %v", err)
	}
}

func TestAskStrangers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		code int
		want string
	}{
		"text":      {"hello", 200, "the answer is not a relay's"},
		"JSON":      {"{}", 200, "the answer is not a relay's"},
		"not found": {"404 page not found", 404, "status 404, and the answer is not a relay's"},
		"stuck":     {`{"ok": false, "missing": ["the event loop does not answer"]}`, 503, "status 503: the event loop does not answer"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.code)
			fmt.Fprint(w, c.text)
		}))
		address := strings.TrimPrefix(srv.URL, "http://")
		if _, err := AskStatus(t.Context(), address); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: status: %v", name, err)
		}
		var r *Refusal
		if err := Tell(t.Context(), address, Drain, "a", false); err == nil || errors.As(err, &r) {
			t.Errorf("%s: command: %v", name, err)
		}
		srv.Close()
	}
}
