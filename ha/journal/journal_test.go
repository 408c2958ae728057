package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFull = errors.New("no space left on device")

// answers collects what became of claims, in order.
type answers chan Result

func (a answers) claim(j *Journal, slot uint32) { j.Claim(claimOf(slot), func(r Result) { a <- r }) }

func (a answers) mark(j *Journal, n byte, slot uint32) {
	j.Mark(Mark{key(n), slot}, func(r Result) { a <- r })
}

// want waits until everything has come to rest and compares.
func (a answers) want(t *testing.T, want ...Result) {
	t.Helper()
	synctest.Wait()
	for i, w := range want {
		select {
		case r := <-a:
			if r != w {
				t.Fatalf("answer %d is %d, want %d", i+1, r, w)
			}
		default:
			t.Fatalf("%d answers, want %d", i, len(want))
		}
	}
	if len(a) > 0 {
		t.Fatalf("%d answers too many", len(a))
	}
}

func options(strict bool) Options {
	return Options{Identity: Identity{Chain: chainOne, Producers: []uint64{bpA}, Fence: 5000}, Strict: strict, Logger: slog.New(slog.DiscardHandler)}
}

// bubble runs a test in virtual time on a journal in memory.
func bubble(t *testing.T, strict bool, f func(t *testing.T, m *memory, j *Journal, a answers)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		j := reopen(t, m, strict)
		t.Cleanup(func() { _ = j.Close(context.Background()) })
		f(t, m, j, make(answers, 100))
	})
}

func reopen(t *testing.T, m *memory, strict bool) *Journal {
	t.Helper()
	return openWith(t, m, options(strict))
}

func openWith(t *testing.T, m *memory, o Options) *Journal {
	t.Helper()
	j, _, err := open(o, "memory", m)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// history is what a start would find now, after the power went.
func history(m *memory) *History {
	data, _ := m.crash(0, false).read(claimsName)
	_, h, _ := Read(data, options(false).Identity, time.Now().UnixNano())
	return h
}

func (h *History) has(slots ...uint32) bool {
	have := map[uint32]bool{}
	for _, c := range h.Claims {
		have[c.Slot] = true
	}
	for _, s := range slots {
		if !have[s] {
			return false
		}
	}
	return true
}

// fails makes every writing operation fail, or none.
func (m *memory) fails(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = nil
	if err != nil {
		m.fail = func() error { return err }
	}
}

func TestWhatWasAnsweredIsOnDisk(t *testing.T) {
	bubble(t, false, func(t *testing.T, m *memory, j *Journal, a answers) {
		a.claim(j, 1)
		a.claim(j, 2)
		a.want(t, Recorded, Recorded)
		a.claim(j, 2) // the same again
		j.Claim(Claim{Producer: bpA, Slot: 2, ID: [32]byte{7}}, func(r Result) { a <- r })
		a.mark(j, 1, 12)
		synctest.Wait()
		if h := history(m); !h.Complete || !h.has(1, 2) || len(h.Claims) != 2 || len(h.Marks) != 1 {
			t.Errorf("%+v", h)
		}
		got := map[Result]int{}
		for range 3 {
			got[<-a]++
		}
		if got[Recorded] != 2 || got[Taken] != 1 {
			t.Errorf("answers %v", got)
		}
	})
}

func TestWaitingClaimsShareOneWrite(t *testing.T) {
	bubble(t, true, func(t *testing.T, m *memory, j *Journal, a answers) {
		m.mu.Lock()
		m.stall = make(chan struct{})
		m.mu.Unlock()
		a.claim(j, 1)
		synctest.Wait()
		for slot := range uint32(50) {
			a.claim(j, 2+slot)
		}
		a.want(t)
		before := j.Status().Syncs
		m.mu.Lock()
		close(m.stall)
		m.stall = nil
		m.mu.Unlock()
		synctest.Wait()
		writes := uint64(0)
		for i, n := range j.Status().Syncs {
			writes += n - before[i]
		}
		if writes != 2 || len(a) != 51 {
			t.Errorf("%d writes for %d answers, want 2 for 51", writes, len(a))
		}
	})
}

func TestSignsOfLife(t *testing.T) {
	bubble(t, false, func(t *testing.T, m *memory, j *Journal, a answers) {
		a.claim(j, 1)
		a.want(t, Recorded)
		<-time.After(time.Hour)
		if h := history(m); !h.Complete || !h.has(1) {
			t.Errorf("after an idle hour: %s", h.Fault)
		}
		after := m.crash(0, false)
		<-time.After(maxSilence + beatEvery)
		data, _ := after.read(claimsName)
		if _, h, _ := Read(data, who, time.Now().UnixNano()); h.Complete || !h.has(1) {
			t.Error("a copy of 12 s ago is believed")
		}
	})
}

func TestDiskFullRelaxed(t *testing.T) {
	bubble(t, false, func(t *testing.T, m *memory, j *Journal, a answers) {
		a.claim(j, 1)
		a.want(t, Recorded)
		// Nothing can be written but what is there already: the gap is marked in place.
		m.mu.Lock()
		m.fail = func() error { return errFull }
		m.mu.Unlock()
		a.claim(j, 2)
		synctest.Wait()
		// In memory the mark failed too: the directory refused everything.
		a.want(t, Remembered)
		if j.Status().Complete {
			t.Error("shown as complete")
		}
		a.claim(j, 3)
		a.want(t, Remembered)
		j.Claim(Claim{Producer: bpA, Slot: 3, ID: [32]byte{7}}, func(r Result) { a <- r })
		a.want(t, Taken) // memory counts
		m.fails(nil)
		<-time.After(2 * time.Second)
		if h := history(m); !h.Complete || !h.has(1, 2, 3) || !j.Status().Complete {
			t.Errorf("not healed: %+v", h)
		}
		a.claim(j, 4)
		a.want(t, Recorded)
	})
}

// The gap must be on disk before the first claim that is not: marked in place, or the file removed.
func TestGapIsKnownBeforeItBegins(t *testing.T) {
	for _, way := range []string{"in place", "removed"} {
		bubble(t, false, func(t *testing.T, m *memory, j *Journal, a answers) {
			a.claim(j, 1)
			a.want(t, Recorded)
			m.mu.Lock()
			writes := 0
			m.fail = func() error {
				writes++
				switch {
				case writes <= 2: // the append; the new file
					return errFull
				case way == "removed" && writes == 3: // the mark in place
					return errFull
				}
				return nil
			}
			m.mu.Unlock()
			j.Claim(claimOf(2), func(r Result) {
				if h := history(m); h.Complete {
					t.Errorf("%s: the claim is answered (%d), and the file on disk still looks complete", way, r)
				} else if way == "in place" && !h.has(1) {
					t.Error("what was recorded before is lost")
				}
				a <- r
			})
			a.want(t, Remembered)
		})
	}
}

func TestDiskFullStrict(t *testing.T) {
	bubble(t, true, func(t *testing.T, m *memory, j *Journal, a answers) {
		a.claim(j, 1)
		a.want(t, Recorded)
		m.fails(errFull)
		a.claim(j, 2)
		a.mark(j, 1, 10)
		a.want(t, Failed, Failed)
		a.claim(j, 3)
		a.want(t, Failed)
		if st := j.Status(); st.Complete || st.Errors == 0 || st.Unrecorded != 3 {
			t.Errorf("%+v", st)
		}
		m.fails(nil)
		<-time.After(2 * time.Second)
		a.claim(j, 2)
		a.want(t, Recorded)
		if h := history(m); !h.Complete || !h.has(1, 2) {
			t.Errorf("%+v", h)
		}
	})
}

// One failed write alone costs nothing: the file is written anew before anyone is answered.
func TestOneErrorIsHealedAtOnce(t *testing.T) {
	for _, strict := range []bool{false, true} {
		bubble(t, strict, func(t *testing.T, m *memory, j *Journal, a answers) {
			once := true
			m.mu.Lock()
			m.fail = func() error {
				if once {
					once = false
					return errFull
				}
				return nil
			}
			m.mu.Unlock()
			a.claim(j, 1)
			a.want(t, Recorded)
			if h := history(m); !h.Complete || !h.has(1) || !j.Status().Complete {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestDiskHangs(t *testing.T) {
	for _, strict := range []bool{false, true} {
		bubble(t, strict, func(t *testing.T, m *memory, j *Journal, a answers) {
			stall := make(chan struct{})
			m.mu.Lock()
			m.stall = stall
			m.mu.Unlock()
			a.claim(j, 1)
			<-time.After(patience - time.Millisecond)
			a.want(t)
			<-time.After(2 * time.Millisecond)
			if strict {
				a.want(t)
			} else {
				a.want(t, Remembered)
				a.claim(j, 2)
				a.want(t, Remembered) // at once
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			<-time.After(time.Minute)
			m.mu.Lock()
			m.stall = nil
			close(stall)
			m.mu.Unlock()
			synctest.Wait()
			want := []uint32{1}
			if strict {
				a.want(t, Recorded)
			} else {
				a.want(t)
				want = append(want, 2) // written late, but written
			}
			if h := history(m); !h.Complete || !h.has(want...) {
				t.Errorf("strict %v: %+v", strict, h)
			}
			<-ctx.Done()
		})
	}
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	bubble(t, true, func(t *testing.T, m *memory, j *Journal, a answers) {
		stall := make(chan struct{})
		m.mu.Lock()
		m.stall = stall
		m.mu.Unlock()
		a.claim(j, 1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := j.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		m.mu.Lock()
		m.stall = nil
		close(stall)
		m.mu.Unlock()
	})
}

// Power goes before every single operation of a life that opens, claims, grows, is written anew and
// closes: what was answered is there, or the journal says that it is not complete.
func TestPowerGoesAtEveryStep(t *testing.T) {
	for at := 1; ; at++ {
		through := false
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			// A first life, so that there is something to lose.
			j := reopen(t, m, false)
			a := make(answers, 100)
			a.claim(j, 1)
			a.want(t, Recorded)
			_ = j.Close(context.Background())
			m = m.crash(0, false)

			m.crashAt = at
			o := options(true)
			o.growth = recordSize - 1 // written anew with every fifth record, and when it is quiet
			j = openWith(t, m, o)
			acked := []uint32{1}
			for slot := uint32(2); slot < 6; slot++ {
				j.Claim(claimOf(slot), func(r Result) {
					if r == Recorded {
						acked = append(acked, slot)
					}
				})
				synctest.Wait()
				if slot == 3 {
					<-time.After(quiet + beatEvery)
				}
			}
			_ = j.Close(context.Background())
			through = m.ops < at
			for _, keep := range []int{0, 1, recordSize - 1, recordSize, recordSize + 1, 1 << 20} {
				for _, entries := range []bool{false, true} {
					data, _ := m.crash(keep, entries).read(claimsName)
					_, h, err := Read(data, who, time.Now().UnixNano())
					if err != nil {
						t.Fatal(err)
					}
					if h.Complete && !h.has(acked...) {
						t.Errorf("power gone before operation %d, %d bytes kept, entries %v: complete, and of %v only %v is there",
							at, keep, entries, acked, h.Claims)
					}
					if !h.Complete && !strings.Contains(h.Fault, "ends within") {
						t.Errorf("operation %d, %d bytes kept, entries %v: not complete: %s", at, keep, entries, h.Fault)
					}
				}
			}
		})
		if through || t.Failed() {
			t.Logf("%d operations", at)
			return
		}
	}
}

func TestGrownFileIsWrittenAnew(t *testing.T) {
	bubble(t, false, func(t *testing.T, m *memory, j *Journal, a answers) {
		most := 0
		for slot := range uint32(100_000) {
			j.Claim(claimOf(slot+1), nil)
			if slot%500 == 0 {
				synctest.Wait()
				data, _ := m.read(claimsName)
				most = max(most, len(data))
			}
		}
		synctest.Wait()
		if most > 6*growth {
			t.Errorf("it grew to %d bytes", most)
		}
		if h := history(m); !h.Complete || !h.has(100_000) || len(h.Claims) != maxClaims {
			t.Errorf("complete %v (%s), %d claims", h.Complete, h.Fault, len(h.Claims))
		}
	})
}

func TestCloseWritesExactMarks(t *testing.T) {
	bubble(t, false, func(t *testing.T, m *memory, j *Journal, a answers) {
		a.mark(j, 1, 20)
		a.mark(j, 2, 30)
		a.want(t, Recorded, Recorded)
		j.Settle(Mark{key(1), 17})
		if err := j.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[Mark]bool{}
		for _, m := range history(m).Marks {
			got[m] = true
		}
		if len(got) != 2 || !got[Mark{key(1), 17}] || !got[Mark{key(2), 30}] {
			t.Errorf("marks %v", got)
		}
		a.claim(j, 9)
		a.want(t, Failed)
	})
}

func TestRealDirectory(t *testing.T) {
	o := options(false)
	o.Dir = filepath.Join(t.TempDir(), "state", "relay1")
	for start := range uint32(3) {
		j, h, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if h.Complete != (start > 0) || len(h.Claims) != int(start) {
			t.Errorf("start %d: complete %v (%s), %d claims", start, h.Complete, h.Fault, len(h.Claims))
		}
		if st, err := os.Stat(o.Dir); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("directory: %v, %v", st.Mode(), err)
		}
		_, _, err = Open(o)
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), o.Dir) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
			t.Errorf("second open: %v", err)
		}
		done := make(chan Result)
		j.Claim(claimOf(start+1), func(r Result) { done <- r })
		if r := <-done; r != Recorded {
			t.Errorf("answer %d", r)
		}
		if err := j.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o.Chain = [32]byte{2}
	if _, _, err := Open(o); !errors.Is(err, ErrOtherChain) || !strings.Contains(err.Error(), o.Dir) {
		t.Errorf("other chain: %v", err)
	}
}

func TestOpenErrorsNameThePath(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "a-file")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{taken, filepath.Join(taken, "below")} {
		o := options(false)
		o.Dir = d
		if _, _, err := Open(o); err == nil || !strings.Contains(err.Error(), taken) {
			t.Errorf("%s: %v", d, err)
		}
	}
	bad := filepath.Join(dir, "bad")
	if err := os.MkdirAll(filepath.Join(bad, claimsName), 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(false)
	o.Dir = bad
	if _, _, err := Open(o); err == nil || !strings.Contains(err.Error(), claimsName) {
		t.Errorf("a directory in its place: %v", err)
	}
}

func BenchmarkClaim(b *testing.B) {
	o := options(false)
	o.Dir = b.TempDir()
	j, _, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close(context.Background()) }()
	b.ReportAllocs()
	done := make(chan Result)
	slot := uint32(0)
	for b.Loop() {
		slot++
		j.Claim(claimOf(slot), func(r Result) { done <- r })
		if r := <-done; r != Recorded {
			b.Fatal(fmt.Sprint(r))
		}
	}
}

// That a claim was agreed to after all costs no write of its own: it goes with the next one.
func TestAgreeingCostsNoWrite(t *testing.T) {
	bubble(t, true, func(t *testing.T, m *memory, j *Journal, a answers) {
		a.claim(j, 1)
		a.want(t, Recorded)
		before := m.ops
		j.Agree(claimOf(1))
		j.Agree(claimOf(1))
		j.Agree(claimOf(7)) // never claimed
		synctest.Wait()
		if m.ops != before {
			t.Errorf("%d operations", m.ops-before)
		}
		if h := history(m); h.Claims[0].Agreed {
			t.Error("agreed, says a file that was not written")
		}
		a.claim(j, 2)
		a.want(t, Recorded)
		if got := m.ops - before; got != 2 {
			t.Errorf("%d operations, want a write and its sync", got)
		}
		h := history(m)
		if !h.Complete || len(h.Claims) != 2 || !h.Claims[0].Agreed || h.Claims[1].Agreed {
			t.Errorf("%+v", h)
		}
		// Alone again, or by a beat.
		j.Agree(claimOf(2))
		<-time.After(beatEvery + time.Second)
		if h := history(m); !h.Complete || !h.Claims[1].Agreed {
			t.Errorf("%+v", h)
		}
	})
}
