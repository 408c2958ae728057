package members

import (
	"encoding/json"

	"github.com/hashicorp/memberlist"
)

// MaxMeta is how many bytes of metadata memberlist carries.
const MaxMeta = memberlist.MetaMaxSize

// Meta is what every member says of itself in each sign of life. It is a hint for people and for dialling.
type Meta struct {
	// Role is active, standby or witness, or what else the caller says.
	Role string `json:"r,omitempty"`
	// Epoch is the fencing number the member knows.
	Epoch uint64 `json:"e,omitempty"`
	// Link and Admin are addresses (host:port).
	Link  string `json:"l,omitempty"`
	Admin string `json:"a,omitempty"`
	// Leaving: the member ends in good order.
	Leaving bool `json:"x,omitempty"`
}

// encode returns at most limit bytes: what does not fit is left out, the least needed first.
func (m Meta) encode(limit int) []byte {
	for _, drop := range []func(){func() {}, func() { m.Admin = "" }, func() { m.Link = "" }, func() { m.Role = "" }} {
		drop()
		if b, err := json.Marshal(m); err == nil && len(b) <= limit {
			return b
		}
	}
	return nil
}

// decodeMeta reads what encode wrote, or what a later version did: unknown fields are skipped, and
// what cannot be read says nothing.
func decodeMeta(b []byte) (m Meta) {
	if err := json.Unmarshal(b, &m); err != nil {
		return Meta{}
	}
	return m
}
