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

// call makes one call of a producer API and gives nodeos' answer to read when it has done it. nodeos answers 201 and
// {"result":"ok"}, or true or false to paused (producer_api_plugin), and an error as JSON with its status.
func call(ctx context.Context, client *http.Client, address string, read func(answer []byte) error) error {
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
	if err := read(bytes.TrimSpace(text)); err != nil {
		return fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	return nil
}

// confirmed reads the answer to pause and resume.
func confirmed(answer []byte) error {
	if !bytes.HasPrefix(answer, []byte("{")) || !json.Valid(answer) {
		return errNotNodeos
	}
	return nil
}

// told reads the answer to paused.
func told(paused *bool) func(answer []byte) error {
	return func(answer []byte) error {
		if *paused = string(answer) == "true"; !*paused && string(answer) != "false" {
			return errNotNodeos
		}
		return nil
	}
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
