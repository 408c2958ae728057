package p2pwire

import (
	"errors"
	"fmt"
)

// Sentinels: the Err of an [Error] is one of these (or, for a compressed
// transaction part, wraps one). All of them are also errors.Is-able as
// [ErrMalformed], so that a session can be ended on that one question.
var (
	// ErrMalformed matches every [Error] of this package.
	ErrMalformed = errors.New("malformed message")

	// ErrLength: the frame's length prefix is 0, above [MaxPayload], or above
	// what its message type can have ([Type.MaxBody]).
	ErrLength = errors.New("bad frame length")
	// ErrUnknownType: the message index is none of 0..13. nodeos (all versions)
	// closes the connection without a go_away on one it does not know.
	ErrUnknownType = errors.New("unknown message index")
	// ErrNonMinimal: the message index is padded with zero groups. No nodeos
	// writes it so; accepting it would give one payload two digests.
	ErrNonMinimal = errors.New("non-minimal message index")
	// ErrTruncated: the body ends inside the named field.
	ErrTruncated = errors.New("truncated")
	// ErrTrailing: bytes are left after the last field. nodeos does not skip
	// them: it would read them as the next frame's length.
	ErrTrailing = errors.New("trailing bytes")
	// ErrRange: a bool, enum, variant index, count or number is out of its range.
	ErrRange = errors.New("value out of range")
	// ErrExtension: a block or header extension is unknown, repeated, out of
	// order, or does not decode.
	ErrExtension = errors.New("bad extension")
	// ErrInflate: a zlib part of a transaction does not inflate, or inflates
	// beyond [MaxInflated].
	ErrInflate = errors.New("bad compressed data")
	// ErrMerkle: a block's transactions do not hash to its transaction_mroot.
	ErrMerkle = errors.New("transaction_mroot mismatch")
	// ErrWebAuthn: a block is signed with a WebAuthn key: nodeos closes the
	// connection that delivers one.
	ErrWebAuthn = errors.New("webauthn block signature")
)

// NoType is the Type of an [Error] that was met before the message type was
// known.
const NoType Type = 0xff

// Error says where a frame or a body is malformed. It never stands for an I/O
// problem: this package does no I/O.
type Error struct {
	Type   Type   // message type, [NoType] while unknown
	Field  string // nodeos' field name, with a dot for nested ones
	Offset int    // byte offset in the body (in the frame, for framing errors)
	Err    error  // one of the sentinels above
}

func (e *Error) Error() string {
	if e.Type == NoType {
		return fmt.Sprintf("frame: %s at %d: %v", e.Field, e.Offset, e.Err)
	}
	return fmt.Sprintf("%s: %s at %d: %v", e.Type, e.Field, e.Offset, e.Err)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// Is reports true for [ErrMalformed], whatever the sentinel.
func (e *Error) Is(target error) bool { return target == ErrMalformed }
