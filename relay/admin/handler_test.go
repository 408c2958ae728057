package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"bprelay/relay/core"
)

func get(t *testing.T, src *fakeSource, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Handler(Config{Source: src, Cluster: fakeCluster{}, Version: "v1.2.3", LogDrops: func() uint64 { return 41 }})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestHealth(t *testing.T) {
	down := errors.New("stuck")
	only := func(side string) core.Status {
		st := readyStatus()
		st.Sessions = slices.DeleteFunc(st.Sessions, func(s core.SessionStatus) bool { return s.Side != side })
		return st
	}
	handshaking := readyStatus()
	for i := range handshaking.Sessions {
		handshaking.Sessions[i].Ready = false
	}
	begun := readyStatus()
	begun.Starting = true

	for _, c := range []struct {
		name, path string
		src        *fakeSource
		code       int
		missing    []string
	}{
		{"live", "/livez", &fakeSource{status: only("")}, 200, nil},
		{"not live", "/livez", &fakeSource{err: down}, 503, []string{loopSilent}},
		{"ready", "/readyz", &fakeSource{status: readyStatus()}, 200, nil},
		{"no peer", "/readyz", &fakeSource{status: only("internal")}, 503, []string{noPeer}},
		{"no node", "/readyz", &fakeSource{status: only("network")}, 503, []string{noNode}},
		{"handshaking", "/readyz", &fakeSource{status: handshaking}, 503, []string{noNode, noPeer}},
		{"starting", "/readyz", &fakeSource{status: begun}, 503, []string{starting}},
		{"stuck", "/readyz", &fakeSource{err: down}, 503, []string{loopSilent}},
		{"no status", "/status", &fakeSource{err: down}, 503, []string{loopSilent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := get(t, c.src, http.MethodGet, c.path)
			var body health
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatalf("%v in %q", err, w.Body)
			}
			if w.Code != c.code || body.OK != (c.code == 200) || !slices.Equal(body.Missing, c.missing) {
				t.Errorf("%d %+v, want %d and missing %q", w.Code, body, c.code, c.missing)
			}
		})
	}
}

func TestStatusBody(t *testing.T) {
	w := get(t, &fakeSource{status: readyStatus()}, http.MethodGet, "/status")
	var body struct {
		Version    string   `json:"version"`
		Missing    []string `json:"missing"`
		Lead       string   `json:"lead"`
		PublicHead struct {
			Num uint32 `json:"num"`
		} `json:"public_head"`
		Stats struct {
			OwnWithheld map[string]uint64 `json:"own_withheld"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body.Version != "v1.2.3" || body.Missing == nil || body.Lead != "node-a" || body.PublicHead.Num != 305 ||
		body.Stats.OwnWithheld["slot_taken"] != 11 {
		t.Errorf("status: %+v", body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{http.MethodPost, "/status", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodGet, "/debug/pprof/", http.StatusNotFound},
		{http.MethodHead, "/livez", http.StatusOK},
	} {
		if w := get(t, &fakeSource{}, c.method, c.path); w.Code != c.code {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.code)
		}
	}
}

// What is worth knowing about the standbys does not make the relay unready.
func TestNotes(t *testing.T) {
	const alone = "no standby can take over: takeover is leash, and no held node could be released now"
	with := func(mode core.Takeover, nodes ...core.NodeStatus) core.Status {
		st := readyStatus()
		st.Takeover.Mode, st.Takeover.Nodes = mode, nodes
		return st
	}
	lead := core.NodeStatus{Node: "a", State: core.NodeLead}
	held := func(s core.NodeState, drained bool) core.NodeStatus {
		return core.NodeStatus{Node: "b", State: s, Drained: drained}
	}
	for _, c := range []struct {
		name string
		st   core.Status
		want []string
	}{
		{"race", with(core.TakeoverRace, held(core.NodeFree, false)), nil},
		{"armed", with(core.TakeoverLeash, lead, held(core.NodeArmed, false)), nil},
		{"arming", with(core.TakeoverLeash, lead, held(core.NodeArming, false)), []string{alone}},
		{"drained", with(core.TakeoverLeash, lead, held(core.NodeArmed, true)), []string{alone}},
		{"alone", with(core.TakeoverLeash, lead), []string{alone}},
		{"not ready", with(core.TakeoverAPI, lead, held(core.NodeNotReady, false)), []string{strings.Replace(alone, "leash", "api", 1)}},
	} {
		for _, path := range []string{"/readyz", "/status"} {
			w := get(t, &fakeSource{status: c.st}, http.MethodGet, path)
			var body health
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK || !slices.Equal(body.Notes, c.want) {
				t.Errorf("%s, %s: %d, %v, notes %q, want %q", c.name, path, w.Code, err, body.Notes, c.want)
			}
		}
	}
}
