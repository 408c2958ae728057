package engine

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package if any test leaves a goroutine behind. gnet's package-wide worker pool,
// which the engine does not use, has two of its own from the start of the process.
func TestMain(m *testing.M) {
	if run := os.Getenv(childVar); run != "" {
		os.Exit(child(run))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
