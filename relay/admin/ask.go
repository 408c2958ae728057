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
	u := url.URL{Scheme: "http", Host: address, Path: "/slots", RawQuery: url.Values{key: {strconv.FormatUint(n, 10)}}.Encode()}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return core.SlotReport{}, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is ours
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return core.SlotReport{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return core.SlotReport{}, fmt.Errorf("read the answer: %w", err)
	}
	var body SlotsError
	if err := json.Unmarshal(text, &body); err != nil {
		return core.SlotReport{}, fmt.Errorf("status %d, and the answer is not a relay's: %w", resp.StatusCode, err)
	}
	if body.SlotReport == nil {
		return core.SlotReport{}, fmt.Errorf("status %d: %s", resp.StatusCode, body.Error)
	}
	return *body.SlotReport, nil
}
