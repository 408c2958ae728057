package p2pwire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// readChunks feeds data in chunks given by next and returns the frames seen.
func readChunks(t *testing.T, data []byte, next func() int) (frames []Frame) {
	t.Helper()
	var buf []byte
	for len(data) > 0 {
		n := min(next(), len(data))
		buf = append(buf, data[:n]...)
		data = data[n:]
		for {
			f, err := ParseFrame(buf)
			if err != nil {
				t.Fatal(err)
			}
			if f == nil {
				break
			}
			frames = append(frames, bytes.Clone(f))
			buf = buf[len(f):]
		}
	}
	if len(buf) != 0 {
		t.Fatalf("%d bytes left over", len(buf))
	}
	return frames
}

func TestCapturesParseInAnyChunks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, c := range loadCaptures(t) {
		chunkings := map[string]func() int{
			"whole":  func() int { return len(c.data) },
			"1460":   func() int { return 1460 },
			"random": func() int { return 1 + rng.IntN(1+rng.IntN(5000)) },
		}
		if len(c.data) < 40000 {
			chunkings["single"] = func() int { return 1 }
		}
		for how, next := range chunkings {
			frames := readChunks(t, c.data, next)
			if len(frames) != len(c.frames) {
				t.Fatalf("%s %s: %d frames, want %d", c.name, how, len(frames), len(c.frames))
			}
			for i, f := range frames {
				rec := c.frames[i]
				if len(f) != rec.Length || int(f.Type()) != rec.Type ||
					!bytes.Equal(f, c.data[rec.Offset:rec.Offset+rec.Length]) {
					t.Fatalf("%s %s: frame %d is %s of %d bytes, want type %d of %d", c.name, how, i, f.Type(), len(f), rec.Type, rec.Length)
				}
			}
		}
	}
}

// decodeAny decodes the body of a rare message.
func decodeAny(t Type, body []byte) (Message, error) {
	switch t {
	case TypeHandshake:
		return asMessage(DecodeHandshake(body))
	case TypeChainSize:
		return asMessage(DecodeChainSize(body))
	case TypeGoAway:
		return asMessage(DecodeGoAway(body))
	case TypeTime:
		return asMessage(DecodeTime(body))
	case TypeNotice:
		return asMessage(DecodeNotice(body))
	case TypeRequest:
		return asMessage(DecodeRequest(body))
	case TypeSyncRequest:
		return asMessage(DecodeSyncRequest(body))
	case TypeBlockNack:
		return asMessage(DecodeBlockNack(body))
	case TypeBlockNotice:
		return asMessage(DecodeBlockNotice(body))
	case TypeGossipBPPeers:
		return asMessage(DecodeGossipBPPeers(body))
	case TypeTransactionNotice:
		return asMessage(DecodeTransactionNotice(body))
	}
	return nil, nil
}

func asMessage[M Message](m M, err error) (Message, error) { return m, err }

func TestCapturedControlMessagesReencode(t *testing.T) {
	seen := map[Type]int{}
	eachFrame(t, func(c *capture, rec *captureFrame, frame Frame) {
		m, err := decodeAny(frame.Type(), frame.Body())
		if err != nil {
			t.Fatalf("%s at %d: %v", c.name, rec.Offset, err)
		}
		if m == nil {
			return
		}
		seen[m.Type()]++
		if got := AppendFrame(nil, m); !bytes.Equal(got, frame) {
			t.Fatalf("%s at %d: %s re-encodes differently\n got %x\nwant %x", c.name, rec.Offset, m.Type(), got, frame)
		}
		if h, ok := m.(Handshake); ok {
			if err := h.Validate(); err != nil {
				t.Errorf("%s at %d: %v", c.name, rec.Offset, err)
			}
			if h.PV() != PVGossipBPPeers {
				t.Errorf("%s at %d: PV %d, spring 1.2 announces 11", c.name, rec.Offset, h.PV())
			}
			if want := loadMeta(t, c.mode).ChainID; h.ChainID.String() != want {
				t.Errorf("%s at %d: chain id %s, want %s", c.name, rec.Offset, h.ChainID, want)
			}
		}
	})
	for _, typ := range []Type{TypeHandshake, TypeGoAway, TypeTime, TypeNotice, TypeRequest, TypeSyncRequest, TypeBlockNack, TypeBlockNotice} {
		if seen[typ] == 0 {
			t.Errorf("no %s among the captures", typ)
		}
	}
}

func TestCapturedTransactionsAndVotes(t *testing.T) {
	var s Scratch
	trx, votes := 0, 0
	eachFrame(t, func(c *capture, rec *captureFrame, frame Frame) {
		switch frame.Type() {
		case TypePackedTransaction:
			x, err := ParseTransaction(frame.Body(), &s)
			if err != nil {
				t.Fatalf("%s at %d: %v", c.name, rec.Offset, err)
			}
			if x.Expiration < 1_700_000_000 || x.ID.IsZero() {
				t.Errorf("%s at %d: expiration %d, id %s", c.name, rec.Offset, x.Expiration, x.ID)
			}
			trx++
		case TypeVote:
			v, err := ParseVote(frame.Body())
			if err != nil {
				t.Fatalf("%s at %d: %v", c.name, rec.Offset, err)
			}
			if v.BlockID.String() != rec.Info.BlockID || v.Strong != rec.Info.Strong || v.BlockID.Num() != rec.Info.Num {
				t.Errorf("%s at %d: vote %s strong=%v, want %s", c.name, rec.Offset, v.BlockID, v.Strong, rec.Info.BlockID)
			}
			if got := hexPrefix(v.FinalizerKey(), 8); got != rec.Info.Key {
				t.Errorf("%s at %d: finalizer %s, want %s", c.name, rec.Offset, got, rec.Info.Key)
			}
			votes++
		}
	})
	if trx < 100 || votes < 500 {
		t.Errorf("%d transactions and %d votes: captures incomplete", trx, votes)
	}
}
