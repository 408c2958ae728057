package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"bprelay/relay/core"
)

const (
	// askTimeout bounds a question to another process' admin server, maxAnswer the answer.
	askTimeout = 10 * time.Second
	maxAnswer  = 16 << 20
)

// AskSlots asks the admin server at address (host:port) for slot records. A report without records
// means that there are none; an error, that the relay could not be asked or did not understand.
func AskSlots(ctx context.Context, address string, q core.SlotQuery) (core.SlotReport, error) {
	key, n := keyLast, uint64(q.Last)
	switch {
	case q.Slot != 0:
		key, n = keySlot, uint64(q.Slot)
	case q.Num != 0:
		key, n = keyBlock, uint64(q.Num)
	}
	code, text, err := ask(ctx, http.MethodGet, address, "/slots", url.Values{key: {strconv.FormatUint(n, 10)}})
	if err != nil {
		return core.SlotReport{}, err
	}
	var body SlotsError
	if err := json.Unmarshal(text, &body); err != nil {
		return core.SlotReport{}, notRelay(code, err)
	}
	if body.SlotReport == nil {
		return core.SlotReport{}, fmt.Errorf("status %d: %s", code, body.Error)
	}
	return *body.SlotReport, nil
}

// StatusReport is what /status says, as far as it is meant to be read by another program of ours.
// Raw is all of it.
type StatusReport struct {
	Version     string               `json:"version"`
	Missing     []string             `json:"missing"`
	Notes       []string             `json:"notes"`
	ChainID     string               `json:"chain_id"`
	UptimeNs    int64                `json:"uptime_ns"`
	PublicHead  *core.BlockRef       `json:"public_head"`
	LastClaimed *core.BlockRef       `json:"last_claimed"`
	Sessions    []core.SessionStatus `json:"sessions"`
	Takeover    core.TakeoverStatus  `json:"takeover"`
	Cluster     *core.ClusterStatus  `json:"cluster"`
	Stats       struct {
		OwnSlots map[string]uint64 `json:"own_slots"`
	} `json:"stats"`

	Raw json.RawMessage `json:"-"`
}

// AskStatus asks the admin server at address for its state.
func AskStatus(ctx context.Context, address string) (StatusReport, error) {
	code, text, err := ask(ctx, http.MethodGet, address, "/status", nil)
	if err != nil {
		return StatusReport{}, err
	}
	var st StatusReport
	if err := json.Unmarshal(text, &st); err != nil {
		return StatusReport{}, notRelay(code, err)
	}
	switch {
	case code != http.StatusOK && len(st.Missing) > 0:
		return StatusReport{}, fmt.Errorf("status %d: %s", code, st.Missing[0])
	case code != http.StatusOK || st.Version == "":
		return StatusReport{}, notRelay(code, errNoStatus)
	}
	st.Raw = text
	return st, nil
}

var errNoStatus = errors.New("no status in it")

// Refusal is a command's answer that is not yes.
type Refusal struct {
	// Code is one of the codes of an answer, Reason its words.
	Code, Reason string
}

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

// Tell sends a command to the admin server at address. A refusal is a *Refusal; another error tells
// that it is not known whether the command arrived.
func Tell(ctx context.Context, address string, c Command, node string, force bool) error {
	query := url.Values{"node": {node}}
	if force && c.forced() {
		query.Set("force", "true")
	}
	code, text, err := ask(ctx, http.MethodPost, address, "/"+string(c), query)
	if err != nil {
		return err
	}
	var body CommandAnswer
	if err := json.Unmarshal(text, &body); err != nil {
		return notRelay(code, err)
	}
	switch {
	case body.OK && code == http.StatusOK:
		return nil
	case body.Code == "":
		return notRelay(code, errors.New("no command is known there"))
	}
	return &Refusal{Code: body.Code, Reason: body.Error}
}

func notRelay(code int, err error) error {
	return fmt.Errorf("status %d, and the answer is not a relay's: %w", code, err)
}

// ask makes one request.
func ask(ctx context.Context, method, address, path string, query url.Values) (code int, body []byte, err error) {
	u := url.URL{Scheme: "http", Host: address, Path: path, RawQuery: query.Encode()}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set(commandHeader, "1")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is ours
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", err)
	}
	return resp.StatusCode, body, nil
}

// AskHealth asks whether the relay at address lives, or, if ready is set, whether it can do its job now. What is
// missing is empty if so; an error means that the relay could not be asked.
func AskHealth(ctx context.Context, address string, ready bool) (missing []string, err error) {
	path := "/livez"
	if ready {
		path = "/readyz"
	}
	code, text, err := ask(ctx, http.MethodGet, address, path, nil)
	if err != nil {
		return nil, err
	}
	var h health
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, notRelay(code, err)
	}
	if !h.OK && len(h.Missing) == 0 {
		return nil, notRelay(code, errors.New("it does not say what is missing"))
	}
	return h.Missing, nil
}
