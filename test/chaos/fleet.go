//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// worldArg makes this program play one world, whose order it reads from stdin; its result goes to stdout.
const worldArg = "--world"

// playOrder is that process' life.
func playOrder() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		fmt.Fprintln(os.Stderr, "order:", err)
		return exitFailed
	}
	r, err := play(ctx, o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

// fleet plays runs side by side.
type fleet struct {
	options
	binary string
	dir    string

	mu      sync.Mutex
	results []*result
	failed  []error
}

// runAll plays all runs, as many at a time as was asked for. After ctx's end those that were played are summed
// up, with an error.
func runAll(ctx context.Context, o options) (_ *summary, err error) {
	for _, tool := range []string{"ip", "nft", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%s is missing (apt-get install iproute2 nftables)", tool)
		}
	}
	if err := sweep(); err != nil {
		return nil, err
	}
	f := &fleet{options: o}
	tmp, err := os.MkdirTemp("", "bprelay-chaos-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if f.dir = o.logs; f.dir == "" {
		f.dir = tmp
	}
	f.binary = filepath.Join(tmp, "bprelay")
	if err := command(ctx, "", "go", "build", "-o", f.binary, "bprelay/cmd/bprelay"); err != nil {
		return nil, err
	}
	began := time.Now()
	f.playAll(ctx)
	s := &summary{
		Mode: o.mode, Witness: o.witness, Runs: o.runs, Played: len(f.results), Seed: o.seed, Parallel: o.parallel, Took: float64(time.Since(began).Milliseconds()) / 1e3,
	}
	s.sum(f.results)
	if o.results {
		s.Results = f.results
	}
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	return s, errors.Join(f.failed...)
}

func (f *fleet) playAll(ctx context.Context) {
	next := make(chan int)
	var all sync.WaitGroup
	for i := range min(f.parallel, f.runs) {
		all.Go(func() {
			// Not all clusters start at the same instant.
			if sleepUntil(ctx, time.Now().Add(time.Duration(i)*stagger).UnixNano()) != nil {
				return
			}
			for run := range next {
				f.one(ctx, run)
			}
		})
	}
	for run := range f.runs {
		select {
		case next <- run:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	all.Wait()
}

// stagger is how far apart the first runs begin: their rounds are 18 s apart.
const stagger = 2200 * time.Millisecond

// one plays one run, and tells of it.
func (f *fleet) one(ctx context.Context, run int) {
	seed := f.seed + uint64(run)
	r, err := f.play(ctx, run, seed)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			f.failed = append(f.failed, fmt.Errorf("seed %d: %w", seed, err))
			fmt.Fprintf(os.Stderr, "seed %d: NOT PLAYED: %v\n", seed, err)
		}
		return
	}
	f.results = append(f.results, r)
	var parts []string
	for _, o := range r.Outcomes {
		if o.Detail == "" && o.Lost+o.Late+o.Double == 0 {
			continue
		}
		if o.Detail == "" {
			o.Detail = o.Fault
		}
		parts = append(parts, fmt.Sprintf("%s: %d lost %v, %d late, %d double, wait %.0f ms", o.Detail, o.Lost, o.LostAt, o.Late, o.Double, o.TakeoverMs))
	}
	fmt.Fprintf(os.Stderr, "seed %d (%d/%d): %s\n", seed, len(f.results), f.runs, strings.Join(parts, "; "))
	for _, b := range r.Broken {
		fmt.Fprintf(os.Stderr, "seed %d: BROKEN: %s\n", seed, b)
	}
}

// runWithin bounds a run: 75 s are usual.
const runWithin = 3 * time.Minute

// play makes the namespaces of a run, has a process of its own play it there, and removes them.
func (f *fleet) play(ctx context.Context, run int, seed uint64) (_ *result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runWithin, errors.New("the run takes too long"))
	defer cancel()
	const members = 3
	o := order{
		Mode: f.mode, Witness: f.witness, Seed: seed, Run: run, Binary: f.binary, Level: f.level,
		Dir: filepath.Join(f.dir, fmt.Sprintf("%s-%d", f.mode, seed)), Faults: draw(seed, kindsOf(f.mode, f.witness)),
	}
	if f.only != "" {
		o.Faults = draw(seed, []kind{kind(f.only)})
	}
	n := members
	if f.mode == pairMode {
		n = 2
	}
	for i := range n {
		o.Members = append(o.Members, nsName(run, i))
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, removeNamespaces(run, n)) }()
	if err := makeNamespaces(ctx, run, n); err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", nsName(run, -1), self, worldArg)
	cmd.Stdin = bytes.NewReader(text)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	// A Ctrl-C is for this process only, which ends that one; and that one ends with this one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * endWithin
	runtime.LockOSThread() // the kernel takes the thread that started a process for its parent
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	r := &result{}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	return r, nil
}
