package engine

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// failStop is deferred by everything that runs on the loop. A panic there means that the core's
// state can no longer be trusted: the process ends, so that nothing more is let out.
func failStop(log *slog.Logger) {
	v := recover()
	if v == nil {
		return
	}
	log.Error("panic on the event loop, ending the process", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	// From a goroutine of its own, so that no recover on the loop's stack can catch it again.
	go crash(v)
	select {}
}

func crash(v any) { panic(v) }
