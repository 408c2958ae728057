package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config is what the HTTP side is told.
type Config struct {
	// Source gives the state.
	Source Source
	// Commands takes commands; without it there are none.
	Commands Commands
	// Cluster is the relay's part among others; nil if it is alone.
	Cluster Cluster
	// Version is the program's, for the build info.
	Version string
	// LogDrops counts the events that did not get into the log; nil if there is no such count.
	LogDrops func() uint64
	// Logger takes the server's own complaints; nil discards them.
	Logger *slog.Logger
}

// Bounds of one server. The answers are small, and those who ask are few and ours.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	idleTimeout  = 60 * time.Second
	maxHeader    = 8 << 10
	maxConns     = 64
)

// Server is a running HTTP server.
type Server struct {
	http   *http.Server
	listen net.Listener
	served chan struct{} // closed when the accept loop has ended
}

// Listen opens addr (host:port, port 0 lets the system choose) and serves on it in the background.
func Listen(addr string, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	handler, err := Handler(cfg)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for admin requests: %w", err)
	}
	s := &Server{
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: readTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		},
		listen: l,
		served: make(chan struct{}),
	}
	go s.serve(newBounded(l, maxConns), cfg.Logger)
	return s, nil
}

func (s *Server) serve(l net.Listener, log *slog.Logger) {
	defer close(s.served)
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("admin server ended", "error", err)
	}
}

// Addr is the address it listens on.
func (s *Server) Addr() net.Addr { return s.listen.Addr() }

// Close stops listening, lets running requests end until ctx is done, then cuts them off. Afterwards
// nothing of the server is left.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("end admin requests: %w", err), s.http.Close())
	}
	<-s.served
	return err
}
