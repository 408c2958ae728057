package p2pwire

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// seedFrames adds up to n recorded frames of each type to f.
func seedFrames(f *testing.F, n int, add func(Frame)) {
	f.Helper()
	seen := map[Type]int{}
	eachFrame(f, func(_ *capture, _ *captureFrame, frame Frame) {
		if seen[frame.Type()]++; seen[frame.Type()] <= n && len(frame) < 4096 {
			add(frame)
		}
	})
	for _, m := range samples() {
		add(AppendFrame(nil, m))
	}
}

// mustBeMalformed fails on an error that is not an *Error with a field.
func mustBeMalformed(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Field == "" || !errors.Is(err, ErrMalformed) || e.Error() == "") {
		t.Fatalf("error %v", err)
	}
}

// FuzzFrameStream: however a stream is cut, the same frames come out of it, up
// to the same first error.
func FuzzFrameStream(f *testing.F) {
	seedFrames(f, 2, func(frame Frame) {
		f.Add(append(bytes.Clone(frame), frame...), uint8(7))
	})
	f.Add([]byte{0, 0, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		read := func(step int) (frames []string, failed bool) {
			var buf []byte
			for rest := data; len(rest) > 0; {
				n := min(step, len(rest))
				buf, rest = append(buf, rest[:n]...), rest[n:]
				for {
					frame, err := ParseFrame(buf)
					if err != nil {
						mustBeMalformed(t, err)
						return frames, true
					}
					if frame == nil {
						break
					}
					if n, err := FrameLen(buf); err != nil || n != len(frame) {
						t.Fatalf("FrameLen %d, %v; frame of %d", n, err, len(frame))
					}
					if len(frame.Body()) < frame.Type().MinBody() || len(frame.Body()) > frame.Type().MaxBody() {
						t.Fatalf("%s of %d bytes", frame.Type(), len(frame))
					}
					frames = append(frames, string(frame))
					buf = buf[len(frame):]
				}
			}
			return frames, false
		}
		whole, failed := read(max(len(data), 1))
		parts, failedParts := read(int(chunk) + 1)
		if failed != failedParts || len(whole) != len(parts) {
			t.Fatalf("%d frames, error %v; in chunks of %d: %d, %v", len(whole), failed, chunk+1, len(parts), failedParts)
		}
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatalf("frame %d differs", i)
			}
		}
	})
}

// FuzzMessages: what decodes is written back in a form that decodes to the same
// bytes, and no longer than it came.
func FuzzMessages(f *testing.F) {
	seedFrames(f, 10, func(frame Frame) { f.Add(uint8(frame.Type()), frame.Body()) })
	f.Fuzz(func(t *testing.T, typ uint8, body []byte) {
		m, err := decodeAny(Type(typ), body)
		if err != nil || m == nil {
			mustBeMalformed(t, err)
			return
		}
		first := m.AppendBody(nil)
		if len(first) > len(body) {
			t.Fatalf("%d bytes are written as %d", len(body), len(first))
		}
		again, err := decodeAny(Type(typ), first)
		if err != nil {
			t.Fatalf("written form: %v", err)
		}
		if second := again.AppendBody(nil); !bytes.Equal(first, second) {
			t.Fatalf("%x, then %x", first, second)
		}
		if h, ok := m.(Handshake); ok {
			_ = h.Validate()
			_, _ = h.VerifyAuth()
			_ = h.PeerKind()
		}
		if g, ok := m.(GossipBPPeers); ok {
			for _, p := range g.Peers {
				_, err := p.DecodeInfo()
				mustBeMalformed(t, err)
			}
		}
	})
}

// FuzzVote: the quick parser takes exactly what the field by field one takes,
// and what it takes is rebuilt from its parts.
func FuzzVote(f *testing.F) {
	seedFrames(f, 5, func(frame Frame) {
		if frame.Type() == TypeVote {
			f.Add(frame.Body())
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ParseVote(body)
		mustBeMalformed(t, err)
		if err != nil {
			return
		}
		rebuilt := AppendVote(nil, v.BlockID, v.Strong, [96]byte(v.FinalizerKey()), [192]byte(v.Signature()))
		if !bytes.Equal(rebuilt, body) {
			t.Fatalf("%x rebuilt as %x", body, rebuilt)
		}
	})
}

// FuzzBlock: a body that passes survives no truncation and no extra byte, and
// its view is within its bounds.
func FuzzBlock(f *testing.F) {
	seedFrames(f, 30, func(frame Frame) {
		if frame.Type() == TypeSignedBlock {
			f.Add(frame.Body())
		}
	})
	signed := BlockBuilder{
		ScheduleVersion: ScheduleVersionSavanna, QC: &QCClaim{Num: 1}, Signer: R1PrivateFromSeed("a"),
		CoSigners: []Signer{K1PrivateFromSeed("b"), R1PrivateFromSeed("c")},
	}
	body, _ := signed.AppendBlock(nil)
	f.Add(body)
	var s Scratch
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := ParseBlock(body)
		mustBeMalformed(t, err)
		if err != nil {
			return
		}
		if b.Num != b.ID.Num() || len(b.Header())+len(b.Signature()) > len(b.Body()) || b.HeaderEnd != len(b.Header()) {
			t.Fatalf("%+v", b)
		}
		w := b.Signatures()
		for n, sig := 0, w.Next(); sig != nil; sig = w.Next() {
			if n++; n > 1+maxAdditionalSignatures {
				t.Fatal("signatures without end")
			}
		}
		mustBeMalformed(t, w.Err())
		err = b.Check(&s)
		if err == nil && w.Err() != nil {
			t.Fatalf("passes, but its signatures: %v", w.Err())
		}
		mustBeMalformed(t, err)
		if errors.Is(err, ErrMerkle) {
			// Put the right root in, so that what is behind it gets fuzzed too.
			body = bytes.Clone(body)
			root := merkleRoot(s.leaves[:min(len(s.leaves), 1)], b.Savanna)
			copy(body[46:], root[:])
			err = checkBlock(body)
			if err != nil {
				t.Fatalf("with the right root: %v", err)
			}
		}
		if err != nil {
			return
		}
		if err := checkBlock(append(bytes.Clone(body), 0)); !errors.Is(err, ErrTrailing) {
			t.Fatalf("with a byte more: %v", err)
		}
		if err := checkBlock(body[:len(body)-1]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("with a byte less: %v", err)
		}
	})
}

// FuzzTransaction: the id does not depend on what the scratch held before.
func FuzzTransaction(f *testing.F) {
	seedFrames(f, 30, func(frame Frame) {
		if frame.Type() == TypePackedTransaction {
			f.Add(frame.Body())
		}
	})
	trx := sampleTransaction(true)
	f.Add(trx.AppendPackedTransaction(nil))
	var s Scratch
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := ParseTransaction(body, &s)
		mustBeMalformed(t, err)
		fresh, err2 := ParseTransaction(body, new(Scratch))
		if (err == nil) != (err2 == nil) || got.ID != fresh.ID {
			t.Fatalf("%s, %v; with a new scratch %s, %v", got.ID, err, fresh.ID, err2)
		}
		if err == nil {
			if _, err := ParseTransaction(append(bytes.Clone(body), 0), &s); !errors.Is(err, ErrTrailing) {
				t.Fatalf("with a byte more: %v", err)
			}
		}
	})
}

// FuzzSigners: no bytes behind a header make the recovery of its signers panic,
// and whoever an authority accepts is among them.
func FuzzSigners(f *testing.F) {
	a, c := R1PrivateFromSeed("a"), K1PrivateFromSeed("c")
	builder := BlockBuilder{ScheduleVersion: ScheduleVersionSavanna, QC: &QCClaim{Num: 1}, Signer: a, CoSigners: []Signer{c}}
	body, _ := builder.AppendBlock(nil)
	b, err := ParseBlock(body)
	if err != nil {
		f.Fatal(err)
	}
	header := bytes.Clone(b.Header())
	v, err := NewAuthorityVerifier(Authority{2, []KeyWeight{{a.Public(), 1}, {c.Public(), 1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body[len(header):])
	f.Fuzz(func(t *testing.T, rest []byte) {
		b, err := ParseBlock(append(bytes.Clone(header), rest...))
		if err != nil {
			return
		}
		keys, err := b.Signers()
		if ok := err == nil && len(keys) == 2 && slices.Contains(keys, a.Public()) && slices.Contains(keys, c.Public()); v.Verify(&b) != ok {
			t.Fatalf("Verify says %v; signers %s, %v", !ok, keys, err)
		}
	})
}
