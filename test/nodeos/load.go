package nodeos

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eoscanada/eos-go"

	"bprelay/p2pwire"
)

// wallet makes transactions of the system account.
type wallet struct {
	api   *api
	chain p2pwire.ID
	key   blockKey
}

// act builds an action of the system account.
func act(name string, data []byte) *eos.Action {
	return &eos.Action{
		Account: "eosio", Name: eos.ActionName(name),
		Authorization: []eos.PermissionLevel{{Actor: "eosio", Permission: "active"}},
		ActionData:    eos.NewActionDataFromHexData(data),
	}
}

// push signs and sends one transaction of these actions, referring to block ref, and returns when it
// was executed.
func (w *wallet) push(ctx context.Context, ref p2pwire.ID, actions ...*eos.Action) error {
	tx := eos.NewTransaction(actions, &eos.TxOptions{HeadBlockID: ref[:], ChainID: w.chain[:]})
	tx.SetExpiration(time.Minute)
	signed := eos.NewSignedTransaction(tx)
	unsigned, contextFree, err := signed.PackedTransactionAndCFD()
	if err != nil {
		return fmt.Errorf("pack a transaction: %w", err)
	}
	sig, err := w.key.private.Sign(eos.SigDigest(w.chain[:], unsigned, contextFree))
	if err != nil {
		return fmt.Errorf("sign a transaction: %w", err)
	}
	signed.Signatures = append(signed.Signatures, sig)
	packed, err := signed.Pack(eos.CompressionNone)
	if err != nil {
		return fmt.Errorf("pack a transaction: %w", err)
	}
	body := map[string]any{"return_failure_trace": false, "retry_trx": false, "transaction": packed}
	return w.api.call(ctx, "/v1/chain/send_transaction2", body, new(json.RawMessage))
}

// load is a steady stream of transactions, all different.
type load struct{ sent, failed atomic.Int64 }

// perSecond is the rate of the stream.
const perSecond = 20

// run sends until ctx is done. What the node does not take is counted, not repeated.
func (l *load) run(ctx context.Context, w *wallet) {
	ticker := time.NewTicker(time.Second / perSecond)
	defer ticker.Stop()
	var ref p2pwire.ID
	for n := uint64(0); ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if n%perSecond == 0 || ref.IsZero() {
			info, err := w.api.info(ctx)
			if err != nil {
				l.failed.Add(1)
				continue
			}
			ref = info.LIBID
		}
		if err := w.push(ctx, ref, act(actionNonce, binary.LittleEndian.AppendUint64(nil, n))); err != nil {
			l.failed.Add(1)
			continue
		}
		l.sent.Add(1)
	}
}
