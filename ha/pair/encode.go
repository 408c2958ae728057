package pair

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"bprelay/p2pwire"
)

// The encoding, version 1. Integers are little endian; a byte string has its length (u32) in front, a
// name its length (u8). Nothing is optional, and nothing may follow.
//
//	u8 version, u8 kind, name member, u64 incarnation, i64 sent, i64 heard (ns),
//	u64 epoch, u8 role, u8 flags, u8 owner, u8 anchor owner, u32 anchor, u8 number of missed, each: u32 slot,
//	u16 nodes, u16 network, i64 echo wait, i64 guard (ns), u64 state epoch, u64 state version,
//	u8 number of claims, each: u64 producer, u32 slot, 32 bytes id, u8 flags,
//	u32 slot, 32 bytes id, bytes block, bytes state
const encodingVersion = 1

const (
	// MaxBlock is the largest block a message may bring, MaxState the largest cluster state, bytes.
	MaxBlock, MaxState = 8 << 20, 1 << 20
	// MaxMessage is the largest encoded message.
	MaxMessage = fixedSize + maxName + maxMissed*4 + maxTold*toldSize + MaxBlock + MaxState

	fixedSize = 2 + 1 + 8 + 8 + 8 + 8 + 4 + 4 + 1 + 4 + 16 + 16 + 1 + 4 + 32 + 4 + 4
	toldSize  = 8 + 4 + 32 + 1
	maxWait   = time.Minute
)

const (
	flagUnsure = 1 << iota
	flagFresh
	flagInRun
	flagCandidate
	flagTurn
	allFlags = flagUnsure | flagFresh | flagInRun | flagCandidate | flagTurn
)

const (
	toldFinal = 1 << iota
	toldHeld
	toldFree
	toldForeign
	toldMine
	allTold = toldFinal | toldHeld | toldFree | toldForeign | toldMine
)

// ErrMessage is what every error of DecodeMessage wraps.
var ErrMessage = errors.New("malformed message of a pair")

func flags(list ...bool) (b byte) {
	for i, on := range list {
		if on {
			b |= 1 << i
		}
	}
	return b
}

// Append appends the encoded message to dst. A message beyond the bounds is an error: nothing that the
// other side would refuse is sent.
func (x *Message) Append(dst []byte) ([]byte, error) {
	if err := x.check(); err != nil {
		return dst, err
	}
	le := binary.LittleEndian
	dst = append(dst, encodingVersion, byte(x.Kind), byte(len(x.Member)))
	dst = append(dst, x.Member...)
	dst = le.AppendUint64(dst, x.Incarnation)
	dst = le.AppendUint64(dst, uint64(x.Sent))
	dst = le.AppendUint64(dst, uint64(x.Heard))
	dst = le.AppendUint64(dst, x.Epoch)
	dst = append(dst, byte(x.Role), flags(x.Unsure, x.Fresh, x.Health.InRun, x.Candidate, x.Turn), byte(x.Owner), byte(x.AnchorOwner))
	dst = le.AppendUint32(dst, uint32(x.Anchor))
	dst = append(dst, byte(len(x.Missed)))
	for _, slot := range x.Missed {
		dst = le.AppendUint32(dst, uint32(slot))
	}
	dst = le.AppendUint16(dst, x.Health.Nodes)
	dst = le.AppendUint16(dst, x.Health.Network)
	dst = le.AppendUint64(dst, uint64(x.EchoWait))
	dst = le.AppendUint64(dst, uint64(x.Guard))
	dst = le.AppendUint64(dst, x.StateEpoch)
	dst = le.AppendUint64(dst, x.StateAt)
	dst = append(dst, byte(len(x.Claims)))
	for i := range x.Claims {
		t := &x.Claims[i]
		dst = le.AppendUint64(dst, uint64(t.Producer))
		dst = le.AppendUint32(dst, uint32(t.Slot))
		dst = append(dst, t.ID[:]...)
		dst = append(dst, flags(t.Final, t.Held, t.Free, t.Foreign, t.Mine))
	}
	dst = le.AppendUint32(dst, uint32(x.Slot))
	dst = append(dst, x.ID[:]...)
	for _, b := range [][]byte{x.Bytes, x.State} {
		dst = le.AppendUint32(dst, uint32(len(b)))
		dst = append(dst, b...)
	}
	return dst, nil
}

// DecodeMessage reads one whole message, strictly: every error names the field, wraps ErrMessage, and
// means that the link is to be closed. Bytes and State are slices of data.
func DecodeMessage(data []byte) (*Message, error) {
	d := decoder{data: data}
	if v := d.u8("version"); d.err == nil && v != encodingVersion {
		d.fail("version", fmt.Sprintf("%d is not known, %d is", v, encodingVersion))
	}
	x := &Message{Kind: Kind(d.u8("kind"))}
	x.Member = string(d.take("member", int(d.u8("member"))))
	x.Incarnation = d.u64("incarnation")
	x.Sent = time.Duration(d.u64("sent"))
	x.Heard = time.Duration(d.u64("heard"))
	x.Epoch = d.u64("epoch")
	x.Role = Role(d.u8("role"))
	f := d.u8("flags")
	if d.err == nil && f&^allFlags != 0 {
		d.fail("flags", fmt.Sprintf("%#x has unknown bits", f))
	}
	x.Unsure, x.Fresh, x.Health.InRun = f&flagUnsure != 0, f&flagFresh != 0, f&flagInRun != 0
	x.Candidate, x.Turn = f&flagCandidate != 0, f&flagTurn != 0
	x.Owner, x.AnchorOwner = party(d.u8("owner")), party(d.u8("anchor owner"))
	x.Anchor = p2pwire.Slot(d.u32("anchor"))
	for n := int(d.u8("missed")); n > 0 && d.err == nil; n-- {
		x.Missed = append(x.Missed, p2pwire.Slot(d.u32("missed")))
	}
	x.Health.Nodes, x.Health.Network = d.u16("nodes"), d.u16("network")
	x.EchoWait, x.Guard = time.Duration(d.u64("echo wait")), time.Duration(d.u64("guard"))
	x.StateEpoch, x.StateAt = d.u64("state epoch"), d.u64("state version")
	n := int(d.u8("claims"))
	if d.err == nil && n > maxTold {
		d.fail("claims", fmt.Sprintf("%d are more than %d", n, maxTold))
	}
	for i := 0; i < n && d.err == nil; i++ {
		t := Told{Claim: Claim{Producer: p2pwire.Name(d.u64("claim's producer")), Slot: p2pwire.Slot(d.u32("claim's slot"))}}
		copy(t.ID[:], d.take("claim's id", len(t.ID)))
		g := d.u8("claim's flags")
		if d.err == nil && g&^allTold != 0 {
			d.fail("claim's flags", fmt.Sprintf("%#x has unknown bits", g))
		}
		t.Final, t.Held, t.Free, t.Foreign, t.Mine = g&toldFinal != 0, g&toldHeld != 0, g&toldFree != 0, g&toldForeign != 0, g&toldMine != 0
		x.Claims = append(x.Claims, t)
	}
	x.Slot = p2pwire.Slot(d.u32("slot"))
	copy(x.ID[:], d.take("id", len(x.ID)))
	x.Bytes = d.bytes("block", MaxBlock)
	x.State = d.bytes("state", MaxState)
	if d.err == nil && len(d.data) > 0 {
		d.fail("end", fmt.Sprintf("%d bytes are left over", len(d.data)))
	}
	if d.err != nil {
		return nil, d.err
	}
	if err := x.check(); err != nil {
		return nil, err
	}
	return x, nil
}

// check holds a message to what both sides promise.
func (x *Message) check() error {
	bad := func(field string, v any) error { return fmt.Errorf("%w: %s: %v is not allowed", ErrMessage, field, v) }
	switch {
	case x.Kind < KindHello || x.Kind > lastKind:
		return bad("kind", uint8(x.Kind))
	case x.Member == "" || len(x.Member) > maxName:
		return bad("member", fmt.Sprintf("a name of %d bytes", len(x.Member)))
	case x.Sent < 0:
		return bad("sent", x.Sent)
	case x.Heard < 0:
		return bad("heard", x.Heard)
	case x.Epoch > maxEpoch:
		return bad("epoch", x.Epoch)
	case x.Role != Standby && x.Role != Active:
		return bad("role", uint8(x.Role))
	case x.Owner > peer:
		return bad("owner", uint8(x.Owner))
	case x.AnchorOwner > peer:
		return bad("anchor owner", uint8(x.AnchorOwner))
	case x.EchoWait <= 0 || x.EchoWait > maxWait:
		return bad("echo wait", x.EchoWait)
	case x.Guard < 0 || x.Guard >= x.EchoWait:
		return bad("guard", x.Guard)
	case len(x.Claims) > maxTold:
		return bad("claims", len(x.Claims))
	case len(x.Bytes) > MaxBlock:
		return bad("block", fmt.Sprintf("%d bytes", len(x.Bytes)))
	case len(x.State) > MaxState:
		return bad("state", fmt.Sprintf("%d bytes", len(x.State)))
	}
	if len(x.Missed) > maxMissed {
		return bad("missed", len(x.Missed))
	}
	for i, slot := range x.Missed {
		if slot <= x.Anchor || i > 0 && slot <= x.Missed[i-1] {
			return bad("missed", slot)
		}
	}
	for i := 1; i < len(x.Claims); i++ {
		a, b := &x.Claims[i-1], &x.Claims[i]
		if a.Slot > b.Slot || a.Slot == b.Slot && a.Producer == b.Producer {
			return bad("claims", fmt.Sprintf("slot %d after %d", b.Slot, a.Slot))
		}
	}
	return nil
}

// maxEpoch is far beyond what can be reached: one that is larger would make the epochs run over.
const maxEpoch = 1 << 62

type decoder struct {
	data []byte
	err  error
}

func (d *decoder) fail(field, why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s: %s", ErrMessage, field, why)
	}
}

func (d *decoder) take(field string, n int) []byte {
	if d.err == nil && n > len(d.data) {
		d.fail(field, fmt.Sprintf("%d bytes are needed, %d are left", n, len(d.data)))
	}
	if d.err != nil {
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) bytes(field string, most int) []byte {
	n := d.u32(field)
	if d.err == nil && uint64(n) > uint64(most) {
		d.fail(field, fmt.Sprintf("%d bytes are more than %d", n, most))
	}
	if d.err != nil || n == 0 {
		return nil
	}
	return d.take(field, int(n))
}

func (d *decoder) u8(field string) uint8 {
	if b := d.take(field, 1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16(field string) uint16 {
	if b := d.take(field, 2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32(field string) uint32 {
	if b := d.take(field, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64(field string) uint64 {
	if b := d.take(field, 8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
