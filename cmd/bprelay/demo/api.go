package demo

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"bprelay/test/simnet"
)

// producerAPI is a node's producer_api_plugin, as far as the relay asks for it: POST
// /v1/producer/pause, resume and paused. It lives as long as its node's process.
type producerAPI struct {
	listener net.Listener
	server   *http.Server
	over     chan struct{} // nil until it serves
}

func listenAPI(address string) (*producerAPI, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &producerAPI{listener: l}, nil
}

// url is what a configuration would have.
func (a *producerAPI) url() string { return "http://" + a.listener.Addr().String() }

// serve answers for a node until close.
func (a *producerAPI) serve(runner *simnet.TCP, sim *simnet.Node) {
	const ok = `{"result":"ok"}`
	calls := map[string]func(simnet.Instant) string{
		"pause":  func(simnet.Instant) string { sim.Pause(); return ok },
		"resume": func(now simnet.Instant) string { sim.Resume(now); return ok },
		"paused": func(now simnet.Instant) string { return fmt.Sprint(sim.Paused(now)) },
	}
	mux := http.NewServeMux()
	for name, call := range calls {
		mux.HandleFunc("POST /v1/producer/"+name, func(w http.ResponseWriter, _ *http.Request) {
			answer := ""
			if !runner.Do(func(now simnet.Instant) { answer = call(now) }) {
				panic(http.ErrAbortHandler) // the process is gone
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated) // nodeos answers 201
			_, _ = fmt.Fprint(w, answer)      // who asked may be gone
		})
	}
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	a.over = make(chan struct{})
	go func() {
		defer close(a.over)
		_ = a.server.Serve(a.listener) // it ends with close
	}()
}

// close ends it as the end of the process does: connections break.
func (a *producerAPI) close() {
	if a.over == nil {
		a.listener.Close()
		return
	}
	_ = a.server.Close() // the listener may be closed already
	<-a.over
}
