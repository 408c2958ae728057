package nodeos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"bprelay/p2pwire"
)

// api is a nodeos' HTTP API, as far as it is needed.
type api struct {
	base   string // http://host:port
	client *http.Client
}

func newAPI(hostPort string) *api {
	return &api{"http://" + hostPort, &http.Client{Timeout: 10 * time.Second}}
}

// call posts in as JSON and decodes the answer into out, unless that is nil.
func (a *api) call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("call %s: %s: %.600s", path, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	return nil
}

// chainInfo is what /v1/chain/get_info tells.
type chainInfo struct {
	ChainID  p2pwire.ID `json:"chain_id"`
	HeadNum  uint32     `json:"head_block_num"`
	HeadID   p2pwire.ID `json:"head_block_id"`
	LIBNum   uint32     `json:"last_irreversible_block_num"`
	LIBID    p2pwire.ID `json:"last_irreversible_block_id"`
	Producer string     `json:"head_block_producer"`
	HeadTime chainTime  `json:"head_block_time"`
}

func (a *api) info(ctx context.Context) (i chainInfo, err error) {
	err = a.call(ctx, "/v1/chain/get_info", struct{}{}, &i)
	return i, err
}

// chainTime is a time as nodeos writes it: UTC without saying so.
type chainTime struct{ at time.Time }

func (t *chainTime) UnmarshalText(text []byte) (err error) {
	t.at, err = time.Parse("2006-01-02T15:04:05.999", string(text))
	return err
}

func (t chainTime) slot() p2pwire.Slot { return p2pwire.SlotAt(t.at.UnixNano()) }

// chainBlock is a block of a node's chain.
type chainBlock struct {
	ID           p2pwire.ID        `json:"id"`
	Num          uint32            `json:"block_num"`
	Previous     p2pwire.ID        `json:"previous"`
	Producer     string            `json:"producer"`
	Time         chainTime         `json:"timestamp"`
	Transactions []json.RawMessage `json:"transactions"`
}

func (a *api) block(ctx context.Context, num uint32) (b chainBlock, err error) {
	err = a.call(ctx, "/v1/chain/get_block", map[string]any{"block_num_or_id": fmt.Sprint(num)}, &b)
	return b, err
}

// feature is a builtin protocol feature.
type feature struct {
	Digest       p2pwire.ID   `json:"feature_digest"`
	Dependencies []p2pwire.ID `json:"dependencies"`
	Spec         []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"specification"`
}

// name is the feature's codename, such as PREACTIVATE_FEATURE.
func (f *feature) name() string {
	for _, s := range f.Spec {
		if s.Name == "builtin_feature_codename" {
			return s.Value
		}
	}
	return ""
}

func (a *api) features(ctx context.Context) (list []feature, err error) {
	err = a.call(ctx, "/v1/producer/get_supported_protocol_features", struct{}{}, &list)
	return list, err
}
