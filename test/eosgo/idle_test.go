package eosgo

import (
	"testing"
	"time"

	eos "github.com/eoscanada/eos-go"
	"github.com/eoscanada/eos-go/p2p"

	"bprelay/p2pwire"
	"bprelay/relay/core"
	"bprelay/relay/engine"
)

// TestIdle: eos-go's client does not answer the relay's time messages, and is idle unless who uses
// it says something. A nodeos closes it for the same reason after two keepalive intervals.
func TestIdle(t *testing.T) {
	t.Parallel()
	r := startRelay(t, engine.Config{Core: core.Config{
		ChainID: p2pwire.ID{1}, Producers: []core.Producer{{Name: name(t, own)}},
		Keepalive: 100 * time.Millisecond, IdleTimeout: time.Second,
	}})
	lively := r.join(t, "lively", nil, p2p.HandlerFunc(func(e *p2p.Envelope) {
		if e.Packet.Type == eos.TimeMessageType {
			_ = e.Sender.SendTime() // an error shows as an ended session
		}
	}))
	silent := r.join(t, "silent", nil)
	if e := r.end(t, silent); e.Reason != core.ReasonIdle {
		t.Errorf("ended: %+v", e)
	}
	before := len(lively.of(eos.TimeMessageType))
	until(t, "more time messages", func() bool { return len(lively.of(eos.TimeMessageType)) >= before+15 })
	if down := r.of(core.EventSessionDown); len(down) != 1 {
		t.Errorf("ended: %+v", down)
	}
}
