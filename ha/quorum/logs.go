package quorum

import (
	"context"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLog hands raft's own words on: they are for whoever looks for a fault in it, and what an operator
// must know is said by the member itself.
type raftLog struct{ log *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (r raftLog) Accept(name string, level hclog.Level, msg string, args ...any) {
	l := slog.LevelDebug
	if level >= hclog.Error {
		l = slog.LevelInfo
	}
	r.log.Log(context.Background(), l, name+": "+msg, args...)
}

func newRaftLog(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Debug, Output: io.Discard})
	l.RegisterSink(raftLog{log})
	return l
}
