package record

import (
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bprelay/ha/creds"
)

const (
	wireSchema = 1
	purpose    = "record/1"
	// MaxSize (bytes) bounds a record as it is sent.
	MaxSize = 8 << 10
	// maxFuture is how far another member's clock may be ahead.
	maxFuture = 24 * time.Hour
)

var (
	// ErrForged: it is not signed by the member it names.
	ErrForged = errors.New("record is not signed by its member")
	// ErrStranger: it is of nobody who is configured.
	ErrStranger = errors.New("record of a stranger")
	// ErrMalformed: it is no record.
	ErrMalformed = errors.New("malformed record")
	// ErrSchema: it is of a version of this program that we do not understand.
	ErrSchema = errors.New("record of another schema")
	// ErrFuture: its incarnation or time is far ahead.
	ErrFuture = errors.New("record from the future")
	// ErrConflict: there is another one with the same incarnation and version: two processes have one key.
	ErrConflict = errors.New("two records of one version")
	// ErrTooLarge: it has more than MaxSize bytes.
	ErrTooLarge = errors.New("record is too large")
)

// Block names one by number and id (hex).
type Block struct {
	Number uint32 `json:"number"`
	ID     string `json:"id,omitempty"`
}

// Node is one of the nodes a member is connected to.
type Node struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Head  uint32 `json:"head,omitempty"`
}

// Status is a record's content: what a member says of itself.
type Status struct {
	// Role is active, standby or witness; Reason is why.
	Role   string `json:"role"`
	Reason string `json:"reason,omitempty"`
	Epoch  uint64 `json:"epoch"`
	// Version is the program's.
	Version string `json:"version,omitempty"`
	// Link, Admin and Gossip are its addresses.
	Link   string `json:"link,omitempty"`
	Admin  string `json:"admin,omitempty"`
	Gossip string `json:"gossip,omitempty"`
	// Lead is the node it takes for the leading one.
	Lead  string `json:"lead,omitempty"`
	Nodes []Node `json:"nodes,omitempty"`
	// Peers counts its sessions with the network.
	Peers int `json:"peers"`
	// Public is the public head, Irreversible the last irreversible block it knows.
	Public       Block `json:"public_head"`
	Irreversible Block `json:"irreversible"`
	// Links tells of each other member whether the link to it is up.
	Links    map[string]bool   `json:"links,omitempty"`
	Counters map[string]uint64 `json:"counters,omitempty"`
	Alarms   []string          `json:"alarms,omitempty"`
}

// Record is one member's, at one version.
type Record struct {
	Member      string `json:"member"`
	Incarnation uint64 `json:"incarnation"`
	Version     uint64 `json:"version"`
	// Time is when it was made, by the member's clock, in Unix milliseconds.
	Time   int64  `json:"time_ms"`
	Status Status `json:"status"`
}

// newer reports whether r takes the place of o.
func (r *Record) newer(o *Record) bool {
	if r.Incarnation != o.Incarnation {
		return r.Incarnation > o.Incarnation
	}
	return r.Version > o.Version
}

func (r *Record) made() time.Time { return time.UnixMilli(r.Time) }

// seal makes a record's bytes.
func seal(me *creds.Identity, r *Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if len(body) > MaxSize { // before its length is cut
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(body))
	}
	sig, err := me.Sign(purpose, body)
	if err != nil {
		return nil, fmt.Errorf("sign record: %w", err)
	}
	b := appendPart([]byte{wireSchema}, me.Certificate())
	b = appendPart(appendPart(b, sig), body)
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

// envelope is a record that was not checked yet.
type envelope struct {
	Record
	cert, sig, body []byte
}

// open reads a record's bytes, and believes nothing of them.
func open(b []byte) (*envelope, error) {
	switch {
	case len(b) == 0 || len(b) > MaxSize:
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	case b[0] != wireSchema:
		return nil, fmt.Errorf("%w: %d", ErrSchema, b[0])
	}
	e := &envelope{}
	rest := b[1:]
	for _, part := range []*[]byte{&e.cert, &e.sig, &e.body} {
		var ok bool
		if *part, rest, ok = cutPart(rest); !ok {
			return nil, fmt.Errorf("%w: it is cut off", ErrMalformed)
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind it", ErrMalformed, len(rest))
	}
	if err := json.Unmarshal(e.body, &e.Record); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if e.Incarnation == 0 || e.Version == 0 || e.Member == "" {
		return nil, fmt.Errorf("%w: it lacks a name or number", ErrMalformed)
	}
	return e, nil
}

// check believes a record, or says why not.
func (e *envelope) check(me *creds.Identity, now time.Time) error {
	cert, err := x509.ParseCertificate(e.cert)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	// The certificate was good when the record was made: a view from the disk stays readable after it
	// ended. That the time is not invented follows from the signature.
	at := e.made()
	if limit := now.Add(maxFuture); at.After(limit) || e.Incarnation > uint64(limit.UnixMilli()) {
		return fmt.Errorf("%w: %s, incarnation %d", ErrFuture, at.UTC().Format(time.RFC3339), e.Incarnation)
	}
	who, err := me.Verify(cert, at)
	switch {
	case errors.Is(err, creds.ErrStranger):
		return fmt.Errorf("%w: %w", ErrStranger, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrForged, err)
	case who != e.Member:
		return fmt.Errorf("%w: %s signed for %s", ErrForged, who, e.Member)
	}
	if err := creds.CheckSignature(cert, purpose, e.body, e.sig); err != nil {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	return nil
}

func appendPart(b, part []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(part))), part...)
}

func cutPart(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
