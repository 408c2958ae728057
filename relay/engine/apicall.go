package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxReply (bytes) is what is read of an answer.
const maxReply = 64 << 10

// errNotNodeos: who answers is no producer API.
var errNotNodeos = errors.New("the answer is not nodeos'")

// call makes one call of a producer API and returns when nodeos has done it. nodeos answers 201 and
// {"result":"ok"} (producer_api_plugin), and an error as JSON with its status.
func call(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	// Pausing twice is pausing once: on a connection that nodeos has just closed, as when it was
	// restarted, the call is made again on a new one. An empty value is not sent.
	req.Header["Idempotency-Key"] = []string{}
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address: the caller says it
		}
		return err
	}
	defer resp.Body.Close()
	// To its end, so that the connection can be used again.
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d: %s", resp.StatusCode, complaint(text))
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) || !json.Valid(text) {
		return fmt.Errorf("status %d: %w", resp.StatusCode, errNotNodeos)
	}
	return nil
}

// complaint finds the words in an error of nodeos'.
func complaint(text []byte) string {
	var body struct {
		Message string `json:"message"`
		Error   struct {
			What    string `json:"what"`
			Details []struct {
				Message string `json:"message"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &body) != nil {
		return errNotNodeos.Error()
	}
	var parts []string
	for _, p := range []string{body.Message, body.Error.What} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(body.Error.Details) > 0 {
		parts = append(parts, body.Error.Details[0].Message)
	}
	return strings.Join(parts, ": ")
}
