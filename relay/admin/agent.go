package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"bprelay/relay/core"
)

// What HAProxy's agent-check is told, one line for each connection.
const (
	// agentUp: this relay lets blocks out. ready takes back an earlier drain.
	agentUp = "ready up"
	// agentStandby: another relay is to be asked.
	agentStandby = "down #standby"
	// agentSilent: the event loop does not answer.
	agentSilent = "down #stuck"
	// agentDrain: this relay is about to end; connections that are there may stay until then.
	agentDrain = "drain"
)

// agentTimeout bounds the wait for the event loop; twice that a connection.
const agentTimeout = time.Second

// Agent answers HAProxy's agent-check: who connects over TCP gets one line, and the connection ends.
type Agent struct {
	source   *shared
	listen   net.Listener
	draining atomic.Bool
	wg       sync.WaitGroup
}

// ListenAgent opens addr (host:port, port 0 lets the system choose) and answers in the background.
func ListenAgent(addr string, source Source, log *slog.Logger) (*Agent, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for agent checks: %w", err)
	}
	a := &Agent{source: newShared(source), listen: newBounded(l, maxConns)}
	a.wg.Go(func() { a.accept(log) })
	return a, nil
}

func (a *Agent) accept(log *slog.Logger) {
	for {
		c, err := a.listen.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				log.Error("agent checks are answered no more", "error", err)
			}
			return
		}
		a.wg.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(2 * agentTimeout)) // an error shows in the write
			ctx, cancel := context.WithTimeout(context.Background(), agentTimeout)
			defer cancel()
			_, _ = io.WriteString(c, a.line(ctx)+"\n") // who asked asks again
		})
	}
}

// line is what to say now.
func (a *Agent) line(ctx context.Context) string {
	if a.draining.Load() {
		return agentDrain
	}
	st, err := a.source.Status(ctx)
	switch {
	case err != nil:
		return agentSilent
	case st.Cluster != nil && st.Cluster.Role != core.ClusterActive:
		return agentStandby
	}
	return agentUp
}

// Drain has it answer from now on that the relay is about to end.
func (a *Agent) Drain() { a.draining.Store(true) }

// Addr is the address it listens on.
func (a *Agent) Addr() net.Addr { return a.listen.Addr() }

// Close ends it; it waits for those who are being answered.
func (a *Agent) Close() {
	_ = a.listen.Close() // it is not used any more
	a.wg.Wait()
}
