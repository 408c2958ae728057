package probe

import (
	"time"

	"bprelay/p2pwire"
)

// Report is what was seen, as it stands in the JSON output.
type Report struct {
	Address   string `json:"address"`
	Remote    string `json:"remote,omitempty"` // ip:port that answered
	Connected bool   `json:"connected"`
	// ConnectMs is the time TCP needed, name resolution included.
	ConnectMs float64 `json:"connect_ms"`

	// Peer is what it said of itself; nil if it sent no handshake.
	Peer *Peer `json:"peer,omitempty"`
	// Clock is nil if no ping came back.
	Clock *Clock `json:"clock,omitempty"`

	// ListenedMs is how long messages were counted.
	ListenedMs float64 `json:"listened_ms"`
	// Messages counts all that came, by nodeos' name of the type.
	Messages map[string]int `json:"messages"`
	// Blocks describes the blocks that came while listening; nil if there were none.
	Blocks *Blocks `json:"blocks,omitempty"`
	// Votes and Transactions count what came while listening.
	Votes        int `json:"votes"`
	Transactions int `json:"transactions"`

	// GoAway is the reason the peer gave when it sent us away.
	GoAway string `json:"go_away,omitempty"`
	// Ended tells how the connection ended if it was not by us.
	Ended string `json:"ended,omitempty"`

	// Healthy is true if there is no finding of severity problem.
	Healthy  bool      `json:"healthy"`
	Findings []Finding `json:"findings"`
}

// Peer is the content of the peer's latest handshake.
type Peer struct {
	ChainID         p2pwire.ID `json:"chain_id"`
	NetworkVersion  uint16     `json:"network_version"`
	ProtocolVersion uint16     `json:"protocol_version"`
	Release         string     `json:"release"` // nodeos release line that announces this version
	NodeID          p2pwire.ID `json:"node_id"`
	P2PAddress      string     `json:"p2p_address"`
	Kind            string     `json:"kind"` // "both", "blk" or "trx": what it wants to be sent
	Agent           string     `json:"agent"`
	OS              string     `json:"os"`
	RootNum         uint32     `json:"root_num"`
	RootID          p2pwire.ID `json:"root_id"`
	HeadNum         uint32     `json:"head_num"`
	HeadID          p2pwire.ID `json:"head_id"`
	SignedBy        string     `json:"signed_by,omitempty"` // key its handshake was signed by
}

// Clock is the best of the pings: the one with the shortest round trip.
type Clock struct {
	RoundTripMs float64 `json:"round_trip_ms"`
	// OffsetMs is the peer's clock minus ours.
	OffsetMs float64 `json:"offset_ms"`
	Pings    int     `json:"pings"`
}

// Blocks describes a stretch of blocks.
type Blocks struct {
	Count   int        `json:"count"`
	First   uint32     `json:"first_num"`
	Last    uint32     `json:"last_num"`
	LastID  p2pwire.ID `json:"last_id"`
	Savanna bool       `json:"savanna"` // the last one is a proper Savanna block
	// Delays of arrival against the slot's timestamp; negative: early, which is normal, as producers
	// finish the blocks of a round ahead of time.
	EarliestMs float64 `json:"earliest_ms"`
	MedianMs   float64 `json:"median_ms"`
	LatestMs   float64 `json:"latest_ms"`
	// AgeMs is how far the last block's timestamp was behind our clock at the end.
	AgeMs float64 `json:"age_ms"`
}

// Severity says what a finding means.
type Severity string

const (
	// Problem: a relay could not rely on this peer.
	Problem Severity = "problem"
	// Warning: works, but should be looked at.
	Warning Severity = "warning"
	// Note: worth knowing.
	Note Severity = "note"
)

// Finding is one conclusion in words.
type Finding struct {
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
}

func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
