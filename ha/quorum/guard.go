package quorum

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// store is where a member keeps its log and its votes.
type store interface {
	raft.LogStore
	raft.StableStore
	io.Closer
}

// guard stands between raft and the disk. raft goes on after a log that was not written (and counts as
// written what is not), and panics over a vote that was not. Here the first error is the last thing that
// raft gets to know of the disk: the member steps aside, and begins anew from what the disk really holds.
type guard struct {
	store
	broken func(error) // told the first error, on any goroutine

	running atomic.Bool  // raft's goroutines ask, and may be ended
	since   atomic.Int64 // when the write under way began, ns; 0: there is none

	mu    sync.Mutex
	err   error
	pace  time.Duration // moving average of what a write takes
	bytes int64         // appended

	promise promise // with mu
}

// promise is what a disk confirmed to have.
type promise struct {
	last uint64 // the log's last entry
	term uint64
}

// errLied: this member must not vote again with this directory. What it confirmed to others may be what a
// claim was decided by.
var errLied = errors.New("the disk lost what it had confirmed: this member has to join anew, with an empty directory on a disk that works")

// kept returns errLied if a store lacks what was confirmed.
func (p promise) kept(s store) error {
	last, err := s.LastIndex()
	if err != nil {
		return fmt.Errorf("read the log's end: %w", err)
	}
	term, err := s.GetUint64(keyTerm)
	if err != nil && err.Error() != "not found" { // what raft compares with, too
		return fmt.Errorf("read the term: %w", err)
	}
	if last < p.last || term < p.term {
		return fmt.Errorf("%w (entry %d of %d, term %d of %d)", errLied, last, p.last, term, p.term)
	}
	return nil
}

// keyTerm is under which raft keeps its term.
var keyTerm = []byte("CurrentTerm")

func (g *guard) promised() promise {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.promise
}

var errHole = errors.New("an entry is missing in the middle of the log")

// retire ends the calling goroutine of raft's, which would panic otherwise.
func (g *guard) retire(err error) error {
	if g.running.Load() {
		runtime.Goexit()
	}
	return err
}

func (g *guard) fault() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// fail notes an error; the first one counts.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	first := g.err == nil
	if first {
		g.err = err
	}
	err = g.err
	g.mu.Unlock()
	if first {
		g.broken(err)
	}
	return err
}

// write does a write, unless one failed before.
func (g *guard) write(what string, do func() error) error {
	if err := g.fault(); err != nil {
		return err
	}
	begin := time.Now()
	g.since.Store(begin.UnixNano())
	err := do()
	g.since.Store(0)
	took := time.Since(begin)
	g.mu.Lock()
	g.pace += (took - g.pace) / 8
	g.mu.Unlock()
	if err != nil {
		return g.fail(fmt.Errorf("%s: %w", what, err))
	}
	return nil
}

// hanging is how long the write under way has taken so far.
func (g *guard) hanging(now time.Time) time.Duration {
	since := g.since.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

// average is what a write takes these days.
func (g *guard) average() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pace
}

// StoreLog implements raft.LogStore.
func (g *guard) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore. raft takes an error well: nothing else must follow it, though.
func (g *guard) StoreLogs(logs []*raft.Log) error {
	var n int64
	for _, l := range logs {
		n += int64(len(l.Data))
	}
	err := g.write("append to the log", func() error { return g.store.StoreLogs(logs) })
	if err == nil {
		g.mu.Lock()
		g.bytes += n
		g.promise.last = logs[len(logs)-1].Index
		g.mu.Unlock()
	}
	return err
}

// DeleteRange implements raft.LogStore.
func (g *guard) DeleteRange(from, to uint64) error {
	g.mu.Lock()
	if to >= g.promise.last { // the end of it: another leader's entries take its place
		g.promise.last = min(g.promise.last, from-1)
	}
	g.mu.Unlock()
	return g.write("cut the log", func() error { return g.store.DeleteRange(from, to) })
}

// GetLog implements raft.LogStore. What lies outside of the log is not found; what is missing inside is
// an error.
func (g *guard) GetLog(index uint64, l *raft.Log) error {
	if err := g.fault(); err != nil {
		return g.retire(err)
	}
	err := g.store.GetLog(index, l)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrLogNotFound):
		first, errFirst := g.store.FirstIndex()
		last, errLast := g.store.LastIndex()
		if errFirst == nil && errLast == nil && (first == 0 || index < first || index > last) {
			return raft.ErrLogNotFound
		}
		err = errHole
	}
	return g.retire(g.fail(fmt.Errorf("read entry %d: %w", index, err)))
}

// Set implements raft.StableStore.
func (g *guard) Set(key, val []byte) error {
	return g.vote(func() error { return g.store.Set(key, val) })
}

// SetUint64 implements raft.StableStore.
func (g *guard) SetUint64(key []byte, val uint64) error {
	err := g.vote(func() error { return g.store.SetUint64(key, val) })
	if err == nil && string(key) == string(keyTerm) {
		g.mu.Lock()
		g.promise.term = val
		g.mu.Unlock()
	}
	return err
}

func (g *guard) vote(do func() error) error {
	if err := g.write("write term or vote", do); err != nil {
		return g.retire(err)
	}
	return nil
}

// IsMonotonic implements raft.MonotonicLogStore.
func (g *guard) IsMonotonic() bool {
	m, ok := g.store.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}
