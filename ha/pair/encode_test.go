package pair

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
)

func fullMessage() *Message {
	return &Message{
		Kind: KindClaim, Member: "relay-a", Incarnation: 7, Sent: 3 * time.Second, Heard: 2 * time.Second, Epoch: 9,
		Role: Active, Unsure: true, Fresh: true, Owner: me, AnchorOwner: peer, Anchor: 1001, Missed: []p2pwire.Slot{1005, 1009},
		Health: Health{Nodes: 2, Network: 5, InRun: true}, EchoWait: 200 * time.Millisecond, Guard: 50 * time.Millisecond,
		StateEpoch: 8, StateAt: 77,
		Claims: []Told{
			{Claim: claimOf(0, 1), Final: true, Held: true, Free: true, Mine: true},
			{Claim: Claim{Producer: 2, Slot: 5, ID: idOf(5, 2), Foreign: true}},
		},
		Slot: 1002, Candidate: true, Turn: true, ID: idOf(2, 1), Bytes: []byte("block"), State: []byte("state"),
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	want := fullMessage()
	b, err := want.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if n := fixedSize + len(want.Member) + 2*4 + 2*toldSize + 10; len(b) != n {
		t.Errorf("%d bytes, %d by the sizes that MaxMessage counts with", len(b), n)
	}
	// Whatever is cut off or added is noticed, and the error says where.
	for n := range b {
		if _, err := DecodeMessage(b[:n]); !errors.Is(err, ErrMessage) || !strings.Contains(err.Error(), ": ") {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := DecodeMessage(append(b, 0)); !errors.Is(err, ErrMessage) || !strings.Contains(err.Error(), "end") {
		t.Errorf("one byte more: %v", err)
	}
}

func TestEncodeBounds(t *testing.T) {
	for field, spoil := range map[string]func(*Message){
		"kind":         func(x *Message) { x.Kind = lastKind + 1 },
		"member":       func(x *Message) { x.Member = strings.Repeat("a", maxName+1) },
		"sent":         func(x *Message) { x.Sent = -1 },
		"heard":        func(x *Message) { x.Heard = -1 },
		"epoch":        func(x *Message) { x.Epoch = 1 << 63 },
		"role":         func(x *Message) { x.Role = 0 },
		"owner":        func(x *Message) { x.Owner = 3 },
		"anchor owner": func(x *Message) { x.AnchorOwner = 3 },
		"missed":       func(x *Message) { x.Missed[0] = x.Missed[1] },
		"echo wait":    func(x *Message) { x.EchoWait = time.Hour },
		"guard":        func(x *Message) { x.Guard = x.EchoWait },
		"claims":       func(x *Message) { x.Claims[0], x.Claims[1] = x.Claims[1], x.Claims[0] },
		"block":        func(x *Message) { x.Bytes = make([]byte, MaxBlock+1) },
		"state":        func(x *Message) { x.State = make([]byte, MaxState+1) },
	} {
		x := fullMessage()
		spoil(x)
		if _, err := x.Append(nil); !errors.Is(err, ErrMessage) || !strings.Contains(err.Error(), ": "+field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	b, err := fullMessage().Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	name := len("relay-a")
	for field, spoil := range map[string]func([]byte){
		"version":       func(b []byte) { b[0]++ },
		"flags":         func(b []byte) { b[3+name+32+1] = 0x80 },
		"claim's flags": func(b []byte) { b[3+name+32+4+4+1+8+4+32+1+toldSize-1] = 0x80 },
		"block":         func(b []byte) { b[len(b)-10-5] = 0xff },
	} {
		c := bytes.Clone(b)
		spoil(c)
		if _, err := DecodeMessage(c); !errors.Is(err, ErrMessage) || !strings.Contains(err.Error(), ": "+field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	b, err := fullMessage().Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	small := &Message{Kind: KindBeat, Member: "b", Role: Standby, EchoWait: 1}
	if b, err = small.Append(nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := DecodeMessage(data)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		again, err := x.Append(nil)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("decoded and encoded:\n%x\n%x", data, again)
		}
		// No message, however strange, upsets a machine.
		for _, p := range []bool{true, false} {
			m, err := New(Config{Member: "m", Peer: x.Member + "x", Incarnation: 1, Priority: p, Timing: LAN()}, 0)
			if err != nil {
				return
			}
			x.Member += "x"
			m.LinkUp(1)
			m.Recv(2, x)
			m.Claim(3, claimOf(1, 1), []byte{1})
			m.Recv(4, x)
			for _, e := range m.Effects(nil) {
				if e.Kind == EffectSend {
					if _, err := e.Message.Append(nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			x.Member = x.Member[:len(x.Member)-1]
		}
	})
}
