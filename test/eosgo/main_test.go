package eosgo

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for something that is bound to happen. A round of the other
// producer is in it.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// until polls until ok, and fails the test when that takes too long.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-end.C:
			t.Fatalf("waited in vain for: %s", what)
		case <-again.C:
		}
	}
}
