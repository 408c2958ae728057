package engine

import (
	"context"
	"fmt"
	"log/slog"
)

// gnetLog brings gnet's messages into our log, one level lower each: what it calls an error is a
// socket call that failed, which the engine handles.
type gnetLog struct{ log *slog.Logger }

func (g gnetLog) Debugf(format string, args ...any) {}
func (g gnetLog) Infof(format string, args ...any)  {}

func (g gnetLog) Warnf(format string, args ...any)  { g.print(slog.LevelDebug, format, args) }
func (g gnetLog) Errorf(format string, args ...any) { g.print(slog.LevelWarn, format, args) }
func (g gnetLog) Fatalf(format string, args ...any) { g.print(slog.LevelError, format, args) }

func (g gnetLog) print(level slog.Level, format string, args []any) {
	if g.log.Enabled(context.Background(), level) {
		g.log.Log(context.Background(), level, "gnet: "+fmt.Sprintf(format, args...))
	}
}
