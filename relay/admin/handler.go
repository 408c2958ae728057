package admin

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bprelay/relay/core"
)

// Handler answers the paths named in the package documentation; other methods than they name are
// refused. The error tells that the metrics contradict each other.
func Handler(cfg Config) (http.Handler, error) {
	source := newShared(cfg.Source)
	registry := prometheus.NewPedanticRegistry()
	for _, c := range []prometheus.Collector{
		&collector{families: newFamilies(), source: source, version: cfg.Version, logDrops: cfg.LogDrops, cluster: cfg.Cluster},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 8,
		Timeout:             writeTimeout / 2,
	}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) {
		if _, err := source.Status(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, health{Missing: []string{loopSilent}})
			return
		}
		answer(w, http.StatusOK, health{OK: true, Missing: []string{}})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		missing := []string{loopSilent}
		var notes []string
		if st, err := source.Status(r.Context()); err == nil {
			missing, notes = Missing(&st), Notes(&st)
		}
		code := http.StatusOK
		if len(missing) > 0 {
			code = http.StatusServiceUnavailable
		}
		answer(w, code, health{OK: len(missing) == 0, Missing: missing, Notes: notes})
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		st, err := source.Status(r.Context())
		if err != nil {
			answer(w, http.StatusServiceUnavailable, health{Missing: []string{loopSilent}})
			return
		}
		answer(w, http.StatusOK, status{Version: cfg.Version, Missing: Missing(&st), Notes: Notes(&st), Status: st})
	})
	mux.HandleFunc("GET /slots", func(w http.ResponseWriter, r *http.Request) { slots(w, r, source) })
	mux.HandleFunc("GET /active", func(w http.ResponseWriter, r *http.Request) { active(w, r, source) })
	if cfg.Cluster != nil {
		mux.HandleFunc("GET /cluster", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, cfg.Cluster.View()) })
		mux.HandleFunc("POST /vote", func(w http.ResponseWriter, r *http.Request) { vote(w, r, cfg.Cluster) })
		mux.HandleFunc("POST /handover", func(w http.ResponseWriter, r *http.Request) { handover(w, r, cfg.Cluster, source) })
	}
	if cfg.Commands != nil {
		for _, c := range []Command{Drain, Undrain, Lead} {
			mux.HandleFunc("POST /"+string(c), func(w http.ResponseWriter, r *http.Request) { command(w, r, c, cfg.Commands, source) })
		}
	}
	return mux, nil
}

// health is the body of /livez and /readyz.
type health struct {
	OK      bool     `json:"ok"`
	Missing []string `json:"missing"`
	// Notes are worth knowing, and no failure.
	Notes []string `json:"notes,omitempty"`
}

// status is the body of /status: what the relay knows of itself, and what it lacks to be ready.
type status struct {
	Version string   `json:"version"`
	Missing []string `json:"missing"`
	Notes   []string `json:"notes,omitempty"`
	core.Status
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(body) // the client is gone: nobody to tell
}
