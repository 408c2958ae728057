package quorum

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// reportSpread adds what half, and all but one in a hundred, took at most.
func reportSpread(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
}

// BenchmarkClaim is a claim on the active of two relays and a witness, over loopback and on real disks, by
// the size of the block that comes with it.
func BenchmarkClaim(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, size := range []int{0, 10 << 10, 100 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("tls=%v/block=%d", secure, size), func(b *testing.B) {
				r := wired(b, secure)
				defer r.finish()
				n := r.nodes[r.awaitActive()]
				sleep(100 * time.Millisecond)
				took := make([]time.Duration, 0, b.N)
				block := make([]byte, size)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					e := entry{kind: kindClaim, claim: claimOf(p2pwire.Slot(1000+i), 1), block: block}
					began := time.Now()
					if _, err := n.propose(context.Background(), e.encode()); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
				}
				b.StopTimer()
				reportSpread(b, took)
			})
		}
	}
}

// BenchmarkTakeover is the time from the end of the active's process, which tells nobody, to the next claim
// decided, over loopback with TLS at the lan preset.
func BenchmarkTakeover(b *testing.B) {
	r := wired(b, true)
	defer r.finish()
	var took []time.Duration
	slot := slotNow()
	for range b.N {
		b.StopTimer()
		a := r.awaitActive()
		sleep(time.Second)
		b.StartTimer()
		began := time.Now()
		r.end(a)
		slot++
		cl := claimOf(slot, 1)
		for _, rr := range r.relays {
			rr.candidate(cl, []byte("frame"))
		}
		r.until("served", 5*time.Second, func() bool { return r.pub.by(cl) > 0 })
		took = append(took, time.Since(began))
		b.StopTimer()
		r.up(a)
		b.StartTimer()
	}
	reportSpread(b, took)
}

// BenchmarkDisk is what of it is the disk's: an append with its fsync, and a vote.
func BenchmarkDisk(b *testing.B) {
	h, err := openHome(b.TempDir(), "a")
	if err != nil {
		b.Fatal(err)
	}
	defer h.close()
	s, _, err := h.open(hclog.NewNullLogger())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	index := uint64(0)
	for _, size := range []int{100, 10 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("append=%d", size), func(b *testing.B) {
			data := make([]byte, size)
			took := make([]time.Duration, 0, b.N)
			for range b.N {
				index++
				began := time.Now()
				if err := s.StoreLogs([]*raft.Log{{Index: index, Term: 1, Data: data}}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			reportSpread(b, took)
		})
	}
	b.Run("vote", func(b *testing.B) {
		took := make([]time.Duration, 0, b.N)
		for i := range b.N {
			began := time.Now()
			if err := s.SetUint64(keyTerm, uint64(i)); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		reportSpread(b, took)
	})
}

// BenchmarkQuestion is what of it is the network's: a question and its answer over loopback.
func BenchmarkQuestion(b *testing.B) {
	timing := lan(b)
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", secure), func(b *testing.B) {
			all := newCerts(b, "a", "b")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			l2, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			address := func(string) (string, bool) { return l.Addr().String(), true }
			identity := func(name string) Identity {
				if !secure {
					return nil
				}
				return badge{name, all}
			}
			s := newStreams("b", address, l, identity("b"), timing, testLog())
			s.serve(func(_ context.Context, _ string, q []byte) []byte { return q })
			c := newStreams("a", address, l2, identity("a"), timing, testLog())
			c.serve(nil)
			defer s.close()
			defer c.close()
			q := make([]byte, 100)
			took := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				if _, err := c.call(context.Background(), "b", q); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			reportSpread(b, took)
		})
	}
}

// stopwatch is a store that notes when its last append began and ended.
type stopwatch struct {
	store
	mu         sync.Mutex
	began, end time.Time
}

// StoreLogs implements raft.LogStore.
func (s *stopwatch) StoreLogs(logs []*raft.Log) error {
	began := time.Now()
	err := s.store.StoreLogs(logs)
	s.mu.Lock()
	s.began, s.end = began, time.Now()
	s.mu.Unlock()
	return err
}

// StoreLog implements raft.LogStore.
func (s *stopwatch) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// IsMonotonic implements raft.MonotonicLogStore.
func (s *stopwatch) IsMonotonic() bool { return s.store.(raft.MonotonicLogStore).IsMonotonic() }

func (s *stopwatch) last() (began, end time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began, s.end
}

// BenchmarkClaimParts is where the time of a claim without a block goes, on the active of two relays and a
// witness over loopback with TLS: half of the claims were through each part within what is shown (µs).
//
//	queue    from the question to the leader's append
//	leader   its append, fsync included
//	there    from there to the append of the first follower that has it
//	follower its append
//	back     from there to the answer
func BenchmarkClaimParts(b *testing.B) {
	r := newWired(b, true)
	defer r.finish()
	disks := map[string]*stopwatch{}
	alter := r.alter
	r.alter = func(o *Options) {
		alter(o)
		h, err := openHome(o.Dir, o.Name)
		if err != nil {
			b.Fatal(err)
		}
		o.home, o.open = h, func(log hclog.Logger) (store, raft.SnapshotStore, error) {
			s, snaps, err := h.open(log)
			if err != nil {
				return nil, nil, err
			}
			disks[o.Name] = &stopwatch{store: s}
			return disks[o.Name], snaps, nil
		}
	}
	r.start()
	leader := r.awaitActive()
	n := r.nodes[leader]
	sleep(100 * time.Millisecond)
	names := []string{"queue", "leader", "there", "follower", "back"}
	parts := make([][]time.Duration, len(names))
	var whole []time.Duration
	b.ResetTimer()
	for i := range b.N {
		e := (&entry{kind: kindClaim, claim: claimOf(p2pwire.Slot(1000+i), 1)}).encode()
		began := time.Now()
		if _, err := n.propose(context.Background(), e); err != nil {
			b.Fatal(err)
		}
		over := time.Now()
		at := make([]time.Time, 0, len(names)+1)
		at = append(at, began)
		from, to := disks[leader].last()
		at = append(at, from, to)
		var first [2]time.Time
		for name, d := range disks {
			if from, to := d.last(); name != leader && from.After(began) && (first[1].IsZero() || to.Before(first[1])) {
				first = [2]time.Time{from, to}
			}
		}
		if first[1].IsZero() {
			continue // it went on to the next one already
		}
		at = append(at, first[0], first[1], over)
		for k := range names {
			parts[k] = append(parts[k], at[k+1].Sub(at[k]))
		}
		whole = append(whole, over.Sub(began))
	}
	b.StopTimer()
	reportSpread(b, whole)
	for k, list := range parts {
		slices.Sort(list)
		b.ReportMetric(float64(list[len(list)/2].Nanoseconds())/1e3, names[k]+"-µs")
	}
}
