package demo

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"bprelay/relay/admin"
	"bprelay/relay/core"
)

// child is one of several members of a cluster: a process of its own, which can be killed and started again.
type child struct {
	id      string
	config  string // its configuration file
	log     string // where its log goes
	network string // address for network peers
	ask     string // of its admin server
	command []string
	desk    *desk

	stdin   io.Closer
	process *os.Process
	ended   chan struct{} // nil: it was never started
	started *atomic.Bool  // it listens
}

func (c *child) name() string    { return c.id }
func (c *child) address() string { return c.network }
func (c *child) admin() string   { return c.ask }

// start runs the process; whether it listens tells listens.
func (c *child) start() error {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", c.id, err)
	}
	defer log.Close()
	cmd := exec.Command(c.command[0], append(slices.Clone(c.command[1:]), c.config)...)
	cmd.Stderr = log
	// What overrides a configuration is not meant for this one.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "BPRELAY_") })
	// A Ctrl-C is for the demo only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.id, err)
	}
	c.stdin, c.process, c.ended, c.started = in, cmd.Process, make(chan struct{}), &atomic.Bool{}
	go c.listen(cmd, out, c.started, c.ended)
	return nil
}

// listen passes on what one life of the process reports, to its end.
func (c *child) listen(cmd *exec.Cmd, out io.Reader, started *atomic.Bool, ended chan<- struct{}) {
	defer close(ended)
	for from := gob.NewDecoder(out); ; {
		var x report
		if err := from.Decode(&x); err != nil {
			break // it has ended, or is about to
		}
		if x.Kind == 0 {
			started.Store(true)
			continue
		}
		c.desk.post(x.news(c.id))
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // how it ended is in its log
}

func (c *child) up() bool {
	if c.ended == nil {
		return false
	}
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// listens tells whether the relay has started.
func (c *child) listens() bool { return c.up() && c.started.Load() }

// kill is kill -9.
func (c *child) kill() {
	if c.up() {
		_ = c.process.Kill() // it may have ended meanwhile
		<-c.ended
		c.stdin.Close()
	}
}

func (c *child) close(ctx context.Context) {
	if !c.up() {
		return
	}
	c.stdin.Close()
	select {
	case <-c.ended:
	case <-ctx.Done():
		c.kill()
	}
}

func (c *child) status(ctx context.Context) (relayStatus, error) {
	st, err := admin.AskStatus(ctx, c.ask)
	if err != nil {
		return relayStatus{}, fmt.Errorf("ask %s: %w", c.id, err)
	}
	var raw struct {
		Stats struct {
			AddedLatency core.Histogram `json:"added_latency"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(st.Raw, &raw); err != nil {
		return relayStatus{}, fmt.Errorf("status of %s: %w", c.id, err)
	}
	return relayStatus{takeover: st.Takeover, added: raw.Stats.AddedLatency, cluster: st.Cluster, peers: peersOf(st.Sessions)}, nil
}

// lastWords is the end of its log, for an error.
func (c *child) lastWords() string {
	const lines = 5
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
