package p2pwire

import (
	"fmt"

	eos "github.com/eoscanada/eos-go"
)

// Name is an EOSIO account name in its 64-bit form.
type Name uint64

// String returns the text form; the zero name is "".
func (n Name) String() string { return eos.NameToString(uint64(n)) }

// ParseName reads an account name strictly: 1 to 13 characters of ".12345a-z",
// the thirteenth only up to 'j', and no trailing dot, so that String gives the
// same text back.
func ParseName(s string) (Name, error) {
	if s == "" {
		return 0, fmt.Errorf("parse name: empty")
	}
	if len(s) > 13 {
		return 0, fmt.Errorf("parse name %q: more than 13 characters", s)
	}
	v, err := eos.StringToName(s)
	if err != nil {
		return 0, fmt.Errorf("parse name %q: %w", s, err)
	}
	// eos-go maps what it does not know to '.', so only the way back tells.
	if back := Name(v).String(); back != s {
		return 0, fmt.Errorf("parse name %q: only a-z, 1-5 and inner dots are allowed, a 13th character only up to j", s)
	}
	return Name(v), nil
}

// MarshalText implements encoding.TextMarshaler, for JSON and logs.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads a name as ParseName does.
func (n *Name) UnmarshalText(text []byte) (err error) {
	*n, err = ParseName(string(text))
	return err
}
