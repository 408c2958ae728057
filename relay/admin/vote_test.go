package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Who votes is changed by who may send commands, and refusals say why.
func TestVote(t *testing.T) {
	h, err := Handler(Config{Source: &fakeSource{status: readyStatus()}, Cluster: fakeCluster{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query string
		bare  bool // without the header that a page cannot send
		code  int
	}{
		{"member=w&votes=true", false, http.StatusOK},
		{"member=w&votes=false", false, http.StatusOK},
		{"member=w&votes=true", true, http.StatusForbidden},
		{"member=x&votes=true", false, http.StatusUnprocessableEntity},
		{"member=w", false, http.StatusBadRequest},
		{"member=w&votes=maybe", false, http.StatusBadRequest},
		{"member=&votes=true", false, http.StatusBadRequest},
		{"member=w&votes=true&force=true", false, http.StatusBadRequest},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/vote?"+c.query, nil)
		if !c.bare {
			r.Header.Set("X-Bprelay", "1")
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.code {
			t.Errorf("%s: %d, want %d: %s", c.query, w.Code, c.code, w.Body)
		}
	}
}
