package members

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// levels are memberlist's, and what they mean here: whatever it says, nobody has to be woken up for.
var levels = []struct {
	mark  string
	level slog.Level
}{
	{"[ERR] ", slog.LevelWarn}, {"[ERROR] ", slog.LevelWarn}, {"[WARN] ", slog.LevelInfo},
	{"[INFO] ", slog.LevelDebug}, {"[DEBUG] ", slog.LevelDebug},
}

// logWriter hands memberlist's lines to a logger.
type logWriter struct{ log *slog.Logger }

func newLogger(l *slog.Logger) *log.Logger { return log.New(logWriter{l}, "", 0) }

func (w logWriter) Write(b []byte) (int, error) {
	text, level := strings.TrimSpace(string(b)), slog.LevelInfo
	for _, l := range levels {
		if rest, ok := strings.CutPrefix(text, l.mark); ok {
			text, level = rest, l.level
			break
		}
	}
	w.log.Log(context.Background(), level, "gossip", "message", strings.TrimPrefix(text, "memberlist: "))
	return len(b), nil
}
