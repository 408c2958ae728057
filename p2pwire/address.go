package p2pwire

import "strings"

// AddressKind is what a peer wants to be sent, told by a suffix of its
// p2p_address: "host:port:blk" or "host:port:trx". It restricts what is sent to
// the peer; whatever the peer sends is still taken.
type AddressKind uint8

const (
	// KindBoth: no suffix; blocks, votes and transactions.
	KindBoth AddressKind = iota
	// KindBlocks: ":blk"; no transactions.
	KindBlocks
	// KindTransactions: ":trx"; no blocks, votes, notices, and no sync.
	KindTransactions
)

// String returns nodeos' words: "both", "blk", "trx".
func (k AddressKind) String() string {
	switch k {
	case KindBlocks:
		return "blk"
	case KindTransactions:
		return "trx"
	default:
		return "both"
	}
}

// maxAddressParsed is the longest p2p_address nodeos looks into for a suffix
// (max_p2p_address_length, 253 + 36 bytes); a longer one counts as without.
const maxAddressParsed = 289

// PeerKind returns the kind in the handshake's p2p_address. nodeos writes
// "host:port[:blk|:trx] - 1234567" there, the digits being the start of its
// node id.
func (h Handshake) PeerKind() AddressKind { return ParseAddressKind(h.P2PAddress) }

// ParseAddressKind reads the kind from "host:port[:blk|:trx][:rate][ - id]" as
// net_utils::split_host_port_type does: the host may be an IPv6 address in
// square brackets, and only a third part beginning with trx or blk counts.
func ParseAddressKind(address string) AddressKind {
	if len(address) > maxAddressParsed {
		return KindBoth
	}
	rest := address
	if strings.HasPrefix(rest, "[") {
		_, after, ok := strings.Cut(rest, "]")
		if !ok {
			return KindBoth
		}
		rest = after
	}
	_, rest, ok := strings.Cut(rest, ":")
	if !ok {
		return KindBoth
	}
	_, rest, ok = strings.Cut(rest, ":")
	switch {
	case !ok:
		return KindBoth
	case strings.HasPrefix(rest, "blk"):
		return KindBlocks
	case strings.HasPrefix(rest, "trx"):
		return KindTransactions
	default:
		return KindBoth
	}
}

// FormatAddress writes the p2p_address of a handshake as nodeos does:
// "host:port[:blk|:trx] - " and the first seven hex digits of the node id.
func FormatAddress(hostPort string, kind AddressKind, node ID) string {
	if kind != KindBoth {
		hostPort += ":" + kind.String()
	}
	return hostPort + " - " + node.String()[:7]
}
