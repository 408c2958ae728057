package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bprelay/ha/journal"
	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// witness is the network's node, which keeps account of what the relay shows it.
type witness struct {
	*simnet.Node
	check *checker.Checker
}

// Data implements simnet.Endpoint.
func (w *witness) Data(now simnet.Instant, conn simnet.ConnID, chunk []byte) {
	w.check.Feed(now.Wall, fmt.Sprint(conn), chunk)
	w.Node.Data(now, conn, chunk)
}

// process is bprelay as a process of its own.
type process struct {
	*exec.Cmd
	admin string
	mu    sync.Mutex
	log   bytes.Buffer
	done  chan struct{} // closed at the log's end
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func startProcess(t *testing.T, path string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0], "run", "-c", path), done: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	go func() {
		defer close(p.done)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			p.mu.Lock()
			p.log.WriteString(in.Text() + "\n")
			p.mu.Unlock()
			var line struct{ Msg, Admin string }
			if json.Unmarshal(in.Bytes(), &line) == nil && line.Msg == "relay started" {
				up <- line.Admin
			}
		}
	}()
	select {
	case p.admin = <-up:
	case <-p.done:
		t.Fatalf("it did not start:\n%s", p.text())
	}
	return p
}

// end sends a signal and waits for the process.
func (p *process) end(sig os.Signal) error {
	if err := p.Process.Signal(sig); err != nil {
		return err
	}
	<-p.done
	return p.Wait()
}

// until asks for the status until it is as wanted.
func (p *process) until(t *testing.T, what string, ok func(*core.Status) bool) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	limit := time.NewTimer(40 * time.Second)
	defer limit.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		resp, err := client.Get("http://" + p.admin + "/status")
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			// Only what is asked for here: the rest does not read back.
			var st struct {
				LastClaimed *core.BlockRef      `json:"last_claimed"`
				PublicHead  *core.BlockRef      `json:"public_head"`
				Journal     *core.JournalStatus `json:"journal"`
			}
			if err := json.Unmarshal(body, &st); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if ok(&core.Status{LastClaimed: st.LastClaimed, PublicHead: st.PublicHead, Journal: st.Journal}) {
				return
			}
		}
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("waited in vain for %s:\n%s", what, p.text())
		}
	}
}

// TestKilledInTheMiddleOfOurRound: a relay that journals is killed without warning while its blocks go
// out, and started again. Every slot is there, none twice.
func TestKilledInTheMiddleOfOurRound(t *testing.T) {
	own, err := p2pwire.ParseName("bpown")
	if err != nil {
		t.Fatal(err)
	}
	chain := simnet.NewChain(simnet.ChainConfig{
		Mode: simnet.Savanna, Seed: 12, Producers: []string{"bppublic", "bpown"}, Genesis: p2pwire.SlotAt(time.Now().UnixNano()),
	})
	listen := func(cfg simnet.Config, wrap func(*simnet.Node) simnet.Endpoint) (*simnet.TCP, string) {
		l, err := simnet.ListenTCP(simnet.TCPConfig{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		cfg.Address, cfg.Chain, cfg.Seed = l.Addr(), chain, 12
		n := simnet.NewNode(cfg)
		if wrap == nil {
			l.Start(n)
		} else {
			l.Start(wrap(n))
		}
		return l, l.Addr()
	}
	w := &witness{check: checker.New(checker.Config{
		Own: []p2pwire.Name{own}, Schedule: chain.Producers(), OwnKeys: [][p2pwire.FinalizerKeySize]byte{chain.FinalizerKey("bpown").Pub},
	})}
	public, publicAddr := listen(simnet.Config{
		Name: "public", Producers: []string{"bppublic"}, Finalizers: []string{"bppublic"}, EnableStaleProduction: true,
	}, func(n *simnet.Node) simnet.Endpoint { w.Node = n; return w })
	_, nodeA := listen(simnet.Config{Name: "a", Producers: []string{"bpown"}, Finalizers: []string{"bpown"}}, nil)
	_, nodeB := listen(simnet.Config{Name: "b", Producers: []string{"bpown"}, Finalizers: []string{"bpown"}}, nil)

	text := fmt.Sprintf(`
chain_id: %s
producers: [{name: bpown, keys: [%s]}]
nodes: [{name: node-a, dial: "%s"}, {name: node-b, dial: "%s"}]
network: {peers: ["%s"]}
p2p: {redial_network: {min: 50ms}}
state_dir: state
journal: strict
admin: {listen: "127.0.0.1:0"}
log: {format: json}
`, chain.ID(), chain.ProducerKey("bpown"), nodeA, nodeB, publicAddr)
	path := write(t, "relay.yaml", text)

	first := startProcess(t, path)
	if !strings.Contains(first.text(), "journal is not complete") || !strings.Contains(first.text(), "there is none yet") {
		t.Errorf("the first start says:\n%s", first.text())
	}
	cfg, _, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), cfg, slog.New(slog.DiscardHandler), nil); codeOf(err) != exitFailure ||
		!strings.Contains(err.Error(), fmt.Sprintf("in use by process %d: %s", first.Process.Pid, cfg.StateDir)) {
		t.Errorf("a second relay with the same state_dir: %v", err)
	}
	var killed p2pwire.Slot
	first.until(t, "an own block early in a round", func(st *core.Status) bool {
		if b := st.LastClaimed; b != nil && b.Slot.Index() >= 3 && b.Slot.Index() <= 6 {
			killed = b.Slot
		}
		return killed != 0
	})
	_ = first.end(syscall.SIGKILL)

	second := startProcess(t, path)
	if !strings.Contains(second.text(), "journal is complete") {
		t.Errorf("the second start says:\n%s", second.text())
	}
	last := killed + p2pwire.RoundSlots - 1 - p2pwire.Slot(killed.Index())
	second.until(t, "the round's end", func(st *core.Status) bool {
		return st.PublicHead != nil && st.PublicHead.Slot > last && st.Journal.Complete && st.Journal.CompleteAtStart
	})
	if err := second.end(syscall.SIGTERM); err != nil || strings.Contains(second.text(), `"level":"ERROR"`) {
		t.Errorf("%v, log:\n%s", err, second.text())
	}
	public.Do(func(simnet.Instant) {
		// What came before the kill is judged too, from the first own block of that round that was seen.
		rep := w.check.Report(killed, last, nil)
		if rep.SlotsPublic != rep.SlotsDue || rep.SlotsDouble > 0 || !rep.OK() {
			t.Errorf("%d of %d slots from the kill on are public, %d double, %v; log of the second start:\n%s",
				rep.SlotsPublic, rep.SlotsDue, rep.SlotsDouble, rep.Violations, second.text())
		}
	})
	data, err := os.ReadFile(filepath.Join(cfg.StateDir, "claims"))
	if err != nil {
		t.Fatal(err)
	}
	_, h, err := journal.Read(data, journal.Identity{Chain: cfg.ChainID, Producers: []uint64{uint64(own)}}, time.Now().UnixNano())
	if err != nil || !h.Complete || len(h.Claims) < int(last-killed) || len(h.Marks) == 0 {
		t.Errorf("what is left: %v, %+v", err, h)
	}
}
