package relay

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
	"bprelay/relay/hooks"
	"bprelay/test/simnet"
)

// claims passes own blocks that went out to a test.
type claims chan core.Event

// Event implements core.Observer.
func (c claims) Event(_ core.Instant, e *core.Event) {
	if e.Kind != core.EventClaimed {
		return
	}
	select {
	case c <- *e:
	default:
	}
}

// simulated starts a simulated nodeos on loopback.
func simulated(t *testing.T, cfg simnet.Config) string {
	t.Helper()
	l, err := simnet.ListenTCP(simnet.TCPConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Address = l.Addr()
	l.Start(simnet.NewNode(cfg))
	t.Cleanup(l.Close)
	return l.Addr()
}

// TestRelay puts a whole relay between a public producer and two nodes of ours, lets it see our
// round, and looks at what its admin side says of it.
func TestRelay(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	chain := simnet.NewChain(simnet.ChainConfig{
		Mode: simnet.Savanna, Seed: 11, Producers: []string{"bppublic", "bpown"}, Genesis: p2pwire.SlotAt(time.Now().UnixNano()),
	})
	public := simulated(t, simnet.Config{
		Name: "public", Chain: chain, Seed: 11, Producers: []string{"bppublic"}, Finalizers: []string{"bppublic"}, EnableStaleProduction: true,
	})
	own := simnet.Config{Chain: chain, Seed: 11, Producers: []string{"bpown"}, Finalizers: []string{"bpown"}}
	own.Name = "a"
	nodeA := simulated(t, own)
	own.Name = "b"
	nodeB := simulated(t, own)

	name, err := p2pwire.ParseName("bpown")
	if err != nil {
		t.Fatal(err)
	}
	out := make(claims, 2*p2pwire.RoundSlots)
	r, err := New(Options{
		Engine: engine.Config{
			Core: core.Config{
				ChainID:   chain.ID(),
				Producers: []core.Producer{{Name: name, Keys: []p2pwire.PublicKey{chain.ProducerKey("bpown")}}},
			},
			Nodes:         []engine.Target{{Name: "node-a", Dial: nodeA}, {Name: "node-b", Dial: nodeB}},
			Peers:         []engine.Target{{Name: "public", Dial: public}},
			ListenNetwork: "127.0.0.1:0",
		},
		AdminListen: "127.0.0.1:0", Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Observer: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for seen := range 3 {
		select {
		case e := <-out:
			if e.Producer != name || !strings.HasPrefix(e.Node, "node-") {
				t.Errorf("claimed %+v", e)
			}
		case <-time.After(40 * time.Second):
			st, err := r.Status(t.Context())
			t.Fatalf("only %d own blocks went out in 40 s; status %+v, %v", seen, st, err)
		}
	}
	if r.Addr(core.Network) == nil || r.Addr(core.Internal) != nil {
		t.Errorf("it listens on %v and %v", r.Addr(core.Network), r.Addr(core.Internal))
	}
	admin := "http://" + r.AdminAddr().String()
	if code, body := fetch(t, admin+"/readyz"); code != http.StatusOK {
		t.Errorf("ready: %d %s", code, body)
	}
	_, body := fetch(t, admin+"/status")
	var st struct {
		Version string         `json:"version"`
		Claimed *core.BlockRef `json:"last_claimed"`
	}
	if err := json.Unmarshal([]byte(body), &st); err != nil || st.Version != "test" || st.Claimed == nil || st.Claimed.Producer != "bpown" {
		t.Errorf("%v in status %s", err, body)
	}
	_, body = fetch(t, admin+"/slots")
	var slots core.SlotReport
	if err := json.Unmarshal([]byte(body), &slots); err != nil || len(slots.Slots) < 3 ||
		// Late is how a busy machine shows; which of the two it is depends on the load.
		slots.Slots[0].Outcome != core.OutcomePublic && slots.Slots[0].Outcome != core.OutcomeLate {
		t.Errorf("%v in slots %s", err, body)
	}
	_, body = fetch(t, admin+"/metrics")
	for _, want := range []string{
		`bprelay_sessions{side="internal",state="ready"} 2`,
		`bprelay_sessions{side="network",state="ready"} 1`,
		`bprelay_own_blocks_total{decision="forwarded",reason="claimed"} `,
		`bprelay_build_info{go_version=`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", r.Addr(core.Network).String()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func fetch(t *testing.T, url string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestCloseWithoutStart: a relay that never ran can be thrown away.
func TestCloseWithoutStart(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	r, err := New(Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("it started after Close")
	}
	goleak.VerifyNone(t, leaks)
}

// TestStartFails: what cannot start leaves nothing behind.
func TestStartFails(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	r, err := New(Options{Logger: slog.New(slog.DiscardHandler)}) // no producers: the core refuses
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no producers") {
		t.Errorf("error %v", err)
	}
	goleak.VerifyNone(t, leaks)
}

// TestCommandsAndHooks: commands reach the core through a running relay, and what the core tells
// reaches the hooks.
func TestCommandsAndHooks(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	name, err := p2pwire.ParseName("bpown")
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "ran")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ran, err := os.OpenFile(fifo, os.O_RDWR, 0) // both ends: nobody waits to open it
	if err != nil {
		t.Fatal(err)
	}
	defer ran.Close()
	var log strings.Builder
	r, err := New(Options{
		Engine: engine.Config{Core: core.Config{Producers: []core.Producer{{Name: name}}, Nodes: []core.NodeConfig{{Name: "a"}}}},
		Hooks:  hooks.Config{OnLeadChange: []string{"/bin/sh", "-c", `echo "$BPRELAY_NODE after $BPRELAY_PREVIOUS_NODE"; echo > ` + fifo + `; exit 3`}},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Drain(t.Context(), "a", false); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("before the start: %v", err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{r.SetLead(t.Context(), "a", false), r.Drain(t.Context(), "a", true), r.Undrain(t.Context(), "a")} {
		if errors.Is(err, engine.ErrClosed) {
			t.Errorf("it did not arrive: %v", err)
		}
	}
	r.options.Engine.Core.Observer.Event(core.Instant{}, &core.Event{Kind: core.EventLead, Node: "b", Detail: "a", Reason: core.ReasonLeadLost})
	if _, err := ran.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "hook failed") || !strings.Contains(text, `output="b after a\n"`) || !strings.Contains(text, "another node leads") {
		t.Errorf("log:\n%s", text)
	}
	goleak.VerifyNone(t, leaks)
}
