package admin

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSharedAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{status: readyStatus()}
		s := newShared(src)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if st, err := s.Status(t.Context()); err != nil || st.Lead != "node-a" {
					t.Errorf("%q, %v", st.Lead, err)
				}
			})
		}
		wg.Wait()
		if n := src.asked.Load(); n != 1 {
			t.Errorf("50 callers asked the loop %d times", n)
		}
		time.Sleep(statusFor)
		if _, err := s.Status(t.Context()); err != nil || src.asked.Load() != 2 {
			t.Errorf("after %v: %v, asked %d times, want 2", statusFor, err, src.asked.Load())
		}
	})
}

func TestSharedStuckLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(&fakeSource{block: true})
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := s.Status(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != loopTimeout {
			t.Errorf("all gave up after %v, want %v", took, loopTimeout)
		}
	})
}
