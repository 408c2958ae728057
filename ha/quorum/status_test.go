package quorum

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		sleep(time.Second)
		a, w := r.nodes["a"].Status(), r.nodes["w"].Status()
		if a.Role != "active" || a.Epoch == 0 || a.Leader != "a" || a.Active != "a" || !a.Heard.IsZero() || !a.Founded || a.Aside != "" {
			t.Errorf("%+v", a)
		}
		if w.Role != "standby" || !w.Witness || w.Leader != "a" || w.Active != "a" || time.Since(w.Heard) > 100*time.Millisecond {
			t.Errorf("%+v", w)
		}
		if !slices.Equal(w.Voters, []string{"a", "b", "w"}) || w.Relays["a"].Nodes != 2 || w.Relays["b"].Ago > 200*time.Millisecond {
			t.Errorf("%+v", w)
		}
		r.disks["w"].set(errors.New("input/output error"))
		r.make("b")
		r.until("w aside", time.Second, func() bool { return r.nodes["w"].Status().Aside != "" })
		text, err := json.Marshal(r.nodes["w"].Status())
		if err != nil || !strings.Contains(string(text), `"aside":"`) || !strings.Contains(string(text), "aside_since") {
			t.Errorf("%s: %v", text, err)
		}
	})
}
