package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"bprelay/relay/core"
)

// Cluster is a relay's part among others.
type Cluster interface {
	// Handover makes another relay active, the one called to if that is not empty, outside our run or, with now,
	// at once. The error matches core.ErrNotPossible if that is refused. After ctx's end it may still come.
	Handover(ctx context.Context, to string, now bool) error
	// Vote gives a configured member a vote in a quorum, or ends it. The error matches core.ErrNotPossible if that
	// is refused.
	Vote(ctx context.Context, name string, votes bool) error
	// View is what is known of all members; it becomes JSON.
	View() any
	// Facts are for metrics.
	Facts() core.ClusterFacts
}

// samples of a cluster.
func (s samples) cluster(st *core.ClusterStatus, f core.ClusterFacts) {
	for _, role := range []core.ClusterRole{core.ClusterActive, core.ClusterStandby} {
		s.flag(s.clusterRole, st.Role == role, role.String())
	}
	s.add(s.clusterEpoch, float64(max(st.Epoch, f.Epoch)))
	s.flag(s.clusterLinked, st.Linked)
	s.add(s.clusterTakeovers, float64(st.Takeovers))
	s.histogram(s.clusterAnswer, &st.Answers)
	for _, m := range f.Members {
		s.flag(s.clusterMember, m.Up, m.Name)
	}
	if f.Term > 0 {
		s.add(s.clusterTerm, float64(f.Term))
		s.flag(s.clusterLeader, f.Leads)
	}
}

// ActiveAnswer is the body of /active.
type ActiveAnswer struct {
	Active bool             `json:"active"`
	Role   core.ClusterRole `json:"role"`
	Epoch  uint64           `json:"epoch"`
	Reason core.Reason      `json:"reason"`
}

// active answers GET /active: 200 on the relay that lets blocks out, 503 on any other.
func active(w http.ResponseWriter, r *http.Request, source *shared) {
	st, err := source.Status(r.Context())
	if err != nil {
		answer(w, http.StatusServiceUnavailable, health{Missing: []string{loopSilent}})
		return
	}
	a := ActiveAnswer{Active: true}
	if c := st.Cluster; c != nil {
		a = ActiveAnswer{Active: c.Role == core.ClusterActive, Role: c.Role, Epoch: c.Epoch, Reason: c.Reason}
	}
	code := http.StatusOK
	if !a.Active {
		code = http.StatusServiceUnavailable
	}
	answer(w, code, a)
}

// CodePending is the code of a handover that was asked for and waits for the end of our run (202).
const CodePending = "pending"

// handover answers POST /handover.
func handover(w http.ResponseWriter, r *http.Request, to Cluster, source *shared) {
	if why := crossSite(r); why != "" {
		answer(w, http.StatusForbidden, CommandAnswer{Error: why, Code: CodeCrossSite})
		return
	}
	now, name := false, ""
	for key, list := range r.URL.Query() {
		var err error
		switch {
		case key == "to" && len(list) == 1:
			name = list[0]
			continue
		case key == "now" && len(list) == 1:
			if now, err = strconv.ParseBool(list[0]); err == nil {
				continue
			}
		}
		answer(w, http.StatusBadRequest, CommandAnswer{Error: "the keys are to, a member's name, and now, true or false", Code: CodeBadRequest})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loopTimeout)
	defer cancel()
	err := to.Handover(ctx, name, now)
	source.forget(ctx)
	switch {
	case err == nil:
		answer(w, http.StatusOK, CommandAnswer{OK: true})
	case errors.Is(err, core.ErrNotPossible):
		answer(w, http.StatusUnprocessableEntity, CommandAnswer{Error: err.Error(), Code: CodeNotPossible})
	case ctx.Err() != nil:
		answer(w, http.StatusAccepted, CommandAnswer{Error: "it comes when our run is over", Code: CodePending})
	default:
		answer(w, http.StatusInternalServerError, CommandAnswer{Error: err.Error(), Code: CodeFailed})
	}
}

// voteTimeout bounds a change of who votes: a new member is brought what it lacks first.
const voteTimeout = 8 * time.Second

// vote answers POST /vote.
func vote(w http.ResponseWriter, r *http.Request, to Cluster) {
	if why := crossSite(r); why != "" {
		answer(w, http.StatusForbidden, CommandAnswer{Error: why, Code: CodeCrossSite})
		return
	}
	query := r.URL.Query()
	votes, err := strconv.ParseBool(query.Get("votes"))
	if name := query.Get("member"); len(query) != 2 || name == "" || err != nil {
		answer(w, http.StatusBadRequest, CommandAnswer{Error: "the keys are member, a name, and votes, true or false", Code: CodeBadRequest})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), voteTimeout)
	defer cancel()
	switch err := to.Vote(ctx, query.Get("member"), votes); {
	case err == nil:
		answer(w, http.StatusOK, CommandAnswer{OK: true})
	case errors.Is(err, core.ErrNotPossible):
		answer(w, http.StatusUnprocessableEntity, CommandAnswer{Error: err.Error(), Code: CodeNotPossible})
	default:
		answer(w, http.StatusInternalServerError, CommandAnswer{Error: err.Error(), Code: CodeFailed})
	}
}

// TellVote has the cluster of the relay at address give a member a vote, or end it. A refusal is a *Refusal.
func TellVote(ctx context.Context, address, name string, votes bool) error {
	code, text, err := ask(ctx, http.MethodPost, address, "/vote", url.Values{"member": {name}, "votes": {strconv.FormatBool(votes)}})
	if err != nil {
		return err
	}
	if code == http.StatusNotFound {
		return &Refusal{Code: CodeNotPossible, Reason: "this relay is in no cluster"}
	}
	var body CommandAnswer
	if err := json.Unmarshal(text, &body); err != nil {
		return notRelay(code, err)
	}
	if body.OK && code == http.StatusOK {
		return nil
	}
	return &Refusal{Code: body.Code, Reason: body.Error}
}

// AskActive asks the admin server at address whether its relay is the active one.
func AskActive(ctx context.Context, address string) (ActiveAnswer, error) {
	code, text, err := ask(ctx, http.MethodGet, address, "/active", nil)
	if err != nil {
		return ActiveAnswer{}, err
	}
	var a struct {
		ActiveAnswer
		Missing []string `json:"missing"`
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return ActiveAnswer{}, notRelay(code, err)
	}
	if len(a.Missing) > 0 {
		return ActiveAnswer{}, errors.New(a.Missing[0])
	}
	return a.ActiveAnswer, nil
}

// AskCluster asks for what a member knows of all, and decodes it; false if its relay is alone.
func AskCluster(ctx context.Context, address string, into any) (bool, error) {
	code, text, err := ask(ctx, http.MethodGet, address, "/cluster", nil)
	if err != nil || code == http.StatusNotFound {
		return false, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, notRelay(code, err)
	}
	return true, nil
}

// TellHandover asks the relay at address to hand over, to a member if that is not empty. pending tells that it waits for the end of our run. A
// refusal is a *Refusal.
func TellHandover(ctx context.Context, address, to string, now bool) (pending bool, err error) {
	query := url.Values{}
	if now {
		query.Set("now", "true")
	}
	if to != "" {
		query.Set("to", to)
	}
	code, text, err := ask(ctx, http.MethodPost, address, "/handover", query)
	if err != nil {
		return false, err
	}
	if code == http.StatusNotFound {
		return false, &Refusal{Code: CodeNotPossible, Reason: "this relay is in no cluster"}
	}
	var body CommandAnswer
	if err := json.Unmarshal(text, &body); err != nil {
		return false, notRelay(code, err)
	}
	switch {
	case body.OK && code == http.StatusOK:
		return false, nil
	case body.Code == CodePending:
		return true, nil
	case body.Code == "":
		return false, notRelay(code, fmt.Errorf("no code in it"))
	}
	return false, &Refusal{Code: body.Code, Reason: body.Error}
}
