package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bprelay/relay/core"
)

// nodeAPI is a producer API: it answers as nodeos does, unless told otherwise, and notes the calls.
type nodeAPI struct {
	*httptest.Server
	mu      sync.Mutex
	calls   []string
	remotes map[string]bool
	running int
	overlap bool
	answer  func(w http.ResponseWriter, r *http.Request) // nil: done
}

func serveAPI(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *nodeAPI {
	t.Helper()
	a := &nodeAPI{remotes: map[string]bool{}, answer: answer}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *nodeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.calls = append(a.calls, r.Method+" "+r.URL.Path+" "+string(body))
	a.remotes[r.RemoteAddr] = true
	a.running++
	a.overlap = a.overlap || a.running > 1
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.running--
		a.mu.Unlock()
	}()
	if a.answer != nil {
		a.answer(w, r)
		return
	}
	done(w)
}

func done(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"result":"ok"}`)
}

func (a *nodeAPI) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// withAPIs makes an engine whose nodes have these APIs, named n0, n1 and so on.
func withAPIs(t *testing.T, log *slog.Logger, urls ...string) (*Engine, *hub) {
	t.Helper()
	cfg := loopback()
	cfg.Logger = log
	cfg.APITimeout = patience
	for i, u := range urls {
		cfg.Nodes = append(cfg.Nodes, Target{Name: "n" + string(rune('0'+i)), API: u})
	}
	e, h := build(t, cfg, nil)
	return e, h
}

// want makes the core want something, and the loop look.
func want(t *testing.T, e *Engine, h *hub, list ...core.ControlRequest) {
	t.Helper()
	on(t, e, func() {
		h.wanted = append(h.wanted, list...)
		e.loop.begin()
		e.loop.pump()
	})
}

func answers(t *testing.T, e *Engine, h *hub, n int) []string {
	t.Helper()
	soon(t, "answers", func() bool { return look(t, e, func() int { return len(h.done) }) >= n })
	return look(t, e, func() []string { return slices.Clone(h.done) })
}

const (
	pauseCall  = "POST /v1/producer/pause {}"
	resumeCall = "POST /v1/producer/resume {}"
)

// Calls reach the node they are for, over one connection that stays open, and the answers come back
// on the loop.
func TestControlCalls(t *testing.T) {
	a, b := serveAPI(t, nil), serveAPI(t, nil)
	e, h := withAPIs(t, quiet, a.URL, b.URL)
	start(t, e)
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true})
	answers(t, e, h, 1)
	want(t, e, h, core.ControlRequest{Node: "n0"}, core.ControlRequest{Node: "n1", Pause: true}, core.ControlRequest{Node: "nobody"})
	got := answers(t, e, h, 4)
	slices.Sort(got)
	if want := []string{"n0 pause <nil>", "n0 resume <nil>", "n1 pause <nil>", "nobody resume " + errNoAPI.Error()}; !slices.Equal(got, want) {
		t.Errorf("answers %q", got)
	}
	if got := a.seen(); !slices.Equal(got, []string{pauseCall, resumeCall}) {
		t.Errorf("the first node saw %q", got)
	}
	if got := b.seen(); !slices.Equal(got, []string{pauseCall}) {
		t.Errorf("the second node saw %q", got)
	}
	if n := len(a.remotes); n != 1 {
		t.Errorf("%d connections for two calls", n)
	}
	if h.strangers > 0 {
		t.Errorf("%d answers came from elsewhere", h.strangers)
	}
}

// A node that is restarted between two calls has closed the connection: the call is made on a new one.
func TestControlReconnects(t *testing.T) {
	a := serveAPI(t, nil)
	e, h := withAPIs(t, quiet, a.URL)
	start(t, e)
	for i := range 3 {
		want(t, e, h, core.ControlRequest{Node: "n0", Pause: true})
		if got := answers(t, e, h, i+1); got[i] != "n0 pause <nil>" {
			t.Fatalf("answers %q", got)
		}
		a.CloseClientConnections()
	}
}

// What goes wrong with a call is an answer, too, and says what it was.
func TestControlFailures(t *testing.T) {
	redirect := serveAPI(t, nil)
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"nodeos complains": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"code":500,"message":"Internal Service Error","error":{"code":3,"name":"x","what":"bad thing","details":[{"message":"deep down"}]}}`)
		}, "pause n0: status 500: Internal Service Error: bad thing: deep down"},
		"no such API": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"code":404,"message":"Not Found","error":{"what":"unspecified","details":[]}}`)
		}, "pause n0: status 404: Not Found: unspecified"},
		"garbage 500":      {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>", 500) }, "pause n0: status 500: " + errNotNodeos.Error()},
		"garbage 200":      {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>ok</html>") }, "pause n0: status 200: " + errNotNodeos.Error()},
		"nothing":          {func(w http.ResponseWriter, r *http.Request) {}, "pause n0: status 200: " + errNotNodeos.Error()},
		"led elsewhere":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, redirect.URL, http.StatusFound) }, "pause n0: status 302: " + errNotNodeos.Error()},
		"cut off":          {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "pause n0: EOF"},
		"a body cut short": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "99"); done(w) }, "pause n0: read the answer: unexpected EOF"},
		"too much": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(201)
			_, _ = w.Write(bytes.Repeat([]byte("{"), 10*maxReply))
		}, "pause n0: status 201: " + errNotNodeos.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			a := serveAPI(t, tt.answer)
			e, h := withAPIs(t, quiet, a.URL)
			start(t, e)
			want(t, e, h, core.ControlRequest{Node: "n0", Pause: true})
			if got := answers(t, e, h, 1); got[0] != "n0 pause "+tt.want {
				t.Errorf("got  %s\nwant n0 pause %s", got[0], tt.want)
			}
		})
	}
	if len(redirect.seen()) > 0 {
		t.Error("it followed a redirection")
	}
	t.Run("refused", func(t *testing.T) {
		l := serve(t)
		address := l.address()
		_ = l.Close()
		e, h := withAPIs(t, quiet, "http://"+address)
		start(t, e)
		want(t, e, h, core.ControlRequest{Node: "n0"})
		if got := answers(t, e, h, 1); !strings.Contains(got[0], "connection refused") {
			t.Errorf("answer %s", got[0])
		}
	})
}

// A node that does not answer costs its own calls the timeout, and no other node anything.
func TestControlTimeout(t *testing.T) {
	stuck := serveAPI(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	silent := serve(t) // takes the connection, and says nothing
	well := serveAPI(t, nil)
	e, h := withAPIs(t, quiet, stuck.URL, "http://"+silent.address(), well.URL)
	e.cfg.APITimeout = 200 * time.Millisecond
	start(t, e)
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true}, core.ControlRequest{Node: "n1", Pause: true}, core.ControlRequest{Node: "n2"})
	got := answers(t, e, h, 3)
	if got[0] != "n2 resume <nil>" {
		t.Errorf("the good node had to wait: %q", got)
	}
	for _, a := range got[1:] {
		// Which of the two it is depends on who looks at the clock first.
		if !strings.HasSuffix(a, context.DeadlineExceeded.Error()) && !strings.Contains(a, "timeout") {
			t.Errorf("answer %q", a)
		}
	}
}

// While a call is under way the newest wish waits, and takes the place of the one that waited.
func TestControlNewestWins(t *testing.T) {
	gate := make(chan struct{})
	a := serveAPI(t, func(w http.ResponseWriter, r *http.Request) { <-gate; done(w) })
	e, h := withAPIs(t, quiet, a.URL)
	start(t, e)
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true})
	soon(t, "the first call", func() bool { return len(a.seen()) == 1 })
	want(t, e, h, core.ControlRequest{Node: "n0"})
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true})
	want(t, e, h, core.ControlRequest{Node: "n0"})
	if got := look(t, e, func() []string { return slices.Clone(h.done) }); !slices.Equal(got, []string{
		"n0 resume " + core.ErrSuperseded.Error(), "n0 pause " + core.ErrSuperseded.Error(),
	}) {
		t.Errorf("answers %q", got)
	}
	close(gate)
	if got := answers(t, e, h, 4); got[2] != "n0 pause <nil>" || got[3] != "n0 resume <nil>" {
		t.Errorf("answers %q", got)
	}
	if got := a.seen(); !slices.Equal(got, []string{pauseCall, resumeCall}) || a.overlap {
		t.Errorf("the node saw %q, overlapping: %v", got, a.overlap)
	}
}

// Where a node runs, Close does not wait for one that does not answer, and says which nodes nobody will resume.
func TestCloseLeavesPausedNodes(t *testing.T) {
	stuck := serveAPI(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	paused, resumed, never := serveAPI(t, nil), serveAPI(t, nil), serveAPI(t, nil)
	var text bytes.Buffer
	e, h := withAPIs(t, slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError})), stuck.URL, paused.URL, resumed.URL, never.URL)
	node := serve(t)
	e.cfg.Nodes[2].Dial = node.address()
	start(t, e)
	node.next(t)
	soon(t, "a session", func() bool { return look(t, e, func() int { return len(h.sessions) }) == 1 })
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true}, core.ControlRequest{Node: "n1", Pause: true}, core.ControlRequest{Node: "n2", Pause: true})
	answers(t, e, h, 2)
	want(t, e, h, core.ControlRequest{Node: "n2"})
	answers(t, e, h, 3)
	soon(t, "the call of the stuck node", func() bool { return len(stuck.seen()) == 1 })
	if err := e.Close(within(t)); err != nil {
		t.Error(err)
	}
	if got := text.String(); !strings.Contains(got, "running=[n2] paused=[n1] maybe_paused=[n0]") || strings.Count(got, "\n") != 1 {
		t.Errorf("log: %s", got)
	}
	if slices.Contains(paused.seen(), resumeCall) {
		t.Error("a node was resumed at the end")
	}
}

// Where no node is known to run, Close resumes those that are paused: the one that was resumed last has gone.
func TestCloseNeverLeavesAllPaused(t *testing.T) {
	a, b, gone := serveAPI(t, nil), serveAPI(t, nil), serveAPI(t, nil)
	e, h := withAPIs(t, quiet, a.URL, b.URL, gone.URL)
	start(t, e)
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true}, core.ControlRequest{Node: "n1", Pause: true}, core.ControlRequest{Node: "n2"})
	answers(t, e, h, 3)
	if err := e.Close(within(t)); err != nil {
		t.Error(err)
	}
	for i, n := range []*nodeAPI{a, b} {
		if got := n.seen(); !slices.Equal(got, []string{pauseCall, resumeCall}) {
			t.Errorf("n%d saw %q", i, got)
		}
	}
	if got := gone.seen(); !slices.Equal(got, []string{resumeCall}) {
		t.Errorf("the node that was not paused saw %q", got)
	}
}

// A node tells whether it is paused, and nothing else than true and false is an answer.
func TestControlAsks(t *testing.T) {
	text := ""
	a := serveAPI(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, text) })
	e, h := withAPIs(t, quiet, a.URL)
	start(t, e)
	for i, tt := range []struct {
		text   string
		paused bool
		err    string
	}{{"true", true, "<nil>"}, {"false\n", false, "<nil>"}, {"{}", false, "paused n0: status 201: " + errNotNodeos.Error()}} {
		text = tt.text
		want(t, e, h, core.ControlRequest{Node: "n0", Ask: true})
		got := answers(t, e, h, i+1)
		if got[i] != "n0 paused "+tt.err || look(t, e, func() bool { return h.told }) != tt.paused {
			t.Errorf("%q: %s, paused %t", tt.text, got[i], h.told)
		}
	}
	if got := a.seen(); !slices.Equal(got, slices.Repeat([]string{"POST /v1/producer/paused {}"}, 3)) {
		t.Errorf("the node saw %q", got)
	}
}

// Dials of an API that hang do not outlive Close.
func TestCloseWhileDiallingAPI(t *testing.T) {
	e, h := withAPIs(t, quiet, "http://hangs:1")
	dialling := make(chan struct{}, 1)
	e.dialAPI = func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialling <- struct{}{}
		select {
		case <-ctx.Done():
		case <-e.ctx.Done():
		}
		return nil, errors.New("called off")
	}
	start(t, e)
	want(t, e, h, core.ControlRequest{Node: "n0", Pause: true})
	<-dialling
	if err := e.Close(within(t)); err != nil {
		t.Error(err)
	}
}

func TestPausedState(t *testing.T) {
	bad := errors.New("bad")
	for _, c := range []struct {
		from  pausedState
		pause bool
		err   error
		want  pausedState
	}{
		{notPaused, true, nil, isPaused}, {notPaused, true, bad, maybePaused}, {notPaused, false, bad, notPaused},
		{isPaused, false, nil, notPaused}, {isPaused, false, bad, maybePaused}, {isPaused, true, bad, maybePaused},
		{maybePaused, false, nil, notPaused}, {maybePaused, false, bad, maybePaused}, {maybePaused, true, nil, isPaused},
	} {
		if got := c.from.after(c.pause, c.err); got != c.want {
			t.Errorf("%v after %v, %v: %v, want %v", c.from, c.pause, c.err, got, c.want)
		}
	}
}

// Commands are carried out on the loop, and the core's refusal comes back as it is.
func TestCommands(t *testing.T) {
	e, h := build(t, loopback(), nil)
	if err := e.Drain(within(t), "a", false); !errors.Is(err, ErrClosed) {
		t.Errorf("before the start: %v", err)
	}
	start(t, e)
	for name, do := range map[string]func() error{
		"drain a true": func() error { return e.Drain(within(t), "a", true) },
		"undrain a":    func() error { return e.Undrain(within(t), "a") },
		"lead b false": func() error { return e.SetLead(within(t), "b", false) },
	} {
		for _, refusal := range []error{nil, core.ErrUnsafe} {
			on(t, e, func() { h.refuse, h.done = refusal, nil })
			if err := do(); !errors.Is(err, refusal) {
				t.Errorf("%s: %v, want %v", name, err, refusal)
			}
			if got := look(t, e, func() []string { return slices.Clone(h.done) }); !slices.Equal(got, []string{name}) {
				t.Errorf("the core was told %q, want %q", got, name)
			}
		}
	}
	if h.strangers > 0 {
		t.Errorf("%d calls came from elsewhere", h.strangers)
	}
	if err := e.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := e.SetLead(within(t), "b", false); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// A command makes the loop carry out what the core wants because of it.
func TestCommandTakesEffect(t *testing.T) {
	a := serveAPI(t, nil)
	e, h := withAPIs(t, quiet, a.URL)
	start(t, e)
	on(t, e, func() { h.wanted = append(h.wanted, core.ControlRequest{Node: "n0", Pause: true}) })
	if err := e.Drain(within(t), "n0", false); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, e, h, 2); !slices.Contains(got, "n0 pause <nil>") {
		t.Errorf("answers %q", got)
	}
}
