package p2pwire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// ID is a 32-byte digest in wire (and display) order: a block id, transaction
// id, chain id, node id or token.
type ID [32]byte

// Num returns the block number a block id carries in its first four bytes, big
// endian. It means nothing for other ids.
func (id ID) Num() uint32 { return binary.BigEndian.Uint32(id[:4]) }

// String returns the 64 hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short returns "number:digits" with the eight hex digits after the number,
// the part of a block id that differs between siblings: "305:35280a79".
func (id ID) Short() string { return fmt.Sprintf("%d:%x", id.Num(), id[4:8]) }

// IsZero reports whether all bytes are zero, nodeos' "no id".
func (id ID) IsZero() bool { return id == ID{} }

// AppendText implements encoding.TextAppender with the 64 hex digits.
func (id ID) AppendText(dst []byte) ([]byte, error) { return hex.AppendEncode(dst, id[:]), nil }

// MarshalText implements encoding.TextMarshaler, for JSON and logs.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText implements encoding.TextUnmarshaler; see [ParseID].
func (id *ID) UnmarshalText(text []byte) error {
	v, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads exactly 64 hex digits of either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("parse id: want 64 hex digits, have %d characters", len(s))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("parse id: %w", err)
	}
	return id, nil
}
