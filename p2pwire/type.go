package p2pwire

// Type is a message index: the position in nodeos' net_message variant
// (plugins/net_plugin/include/eosio/net_plugin/protocol.hpp). Indexes have
// never been renumbered between versions.
type Type uint8

// The message types, in wire order.
const (
	TypeHandshake Type = iota
	TypeChainSize
	TypeGoAway
	TypeTime
	TypeNotice
	TypeRequest
	TypeSyncRequest
	TypeSignedBlock
	TypePackedTransaction
	TypeVote
	TypeBlockNack
	TypeBlockNotice
	TypeGossipBPPeers
	TypeTransactionNotice
)

// NumTypes is the number of known message types: valid indexes are 0..NumTypes-1.
const NumTypes = 14

type typeInfo struct {
	name    string
	minPV   uint16
	minBody int
	maxBody int
}

// The fixed-size types have minBody == maxBody. nodeos itself bounds the others
// by its 8 MiB frame limit alone; the tighter bounds here are far above anything
// it writes and keep a peer from making us buffer megabytes for a handshake.
var typeTable = [NumTypes]typeInfo{
	TypeHandshake:         {"handshake_message", PVBase, 283, 64 << 10},
	TypeChainSize:         {"chain_size_message", PVBase, 72, 72},
	TypeGoAway:            {"go_away_message", PVBase, 36, 36},
	TypeTime:              {"time_message", PVBase, 32, 32},
	TypeNotice:            {"notice_message", PVBase, 18, 1 << 20},
	TypeRequest:           {"request_message", PVBase, 18, 1 << 20},
	TypeSyncRequest:       {"sync_request_message", PVBase, 8, 8},
	TypeSignedBlock:       {"signed_block", PVBase, 116 + 66 + 2, MaxPayload - 1},
	TypePackedTransaction: {"packed_transaction", PVBase, 4, MaxPayload - 1},
	TypeVote:              {"vote_message", PVSavanna, voteSize, voteSize},
	TypeBlockNack:         {"block_nack_message", PVBlockNack, 32, 32},
	TypeBlockNotice:       {"block_notice_message", PVBlockNack, 64, 64},
	TypeGossipBPPeers:     {"gossip_bp_peers_message", PVGossipBPPeers, 1, 1 << 20},
	TypeTransactionNotice: {"transaction_notice_message", PVTrxNotice, 32, 32},
}

// Known reports whether t is an index of the table.
func (t Type) Known() bool { return t < NumTypes }

// String returns nodeos' name of the message, "unknown" for an index it does
// not have.
func (t Type) String() string {
	if !t.Known() {
		return "unknown"
	}
	return typeTable[t].name
}

// MinPV returns the lowest protocol version a receiver must have announced for
// t to be sent to it: 9 for votes, 10 for block nack and notice, 11 for gossip,
// 12 for transaction notice, otherwise 0. An unknown type has no such version
// and yields 65535.
func (t Type) MinPV() uint16 {
	if !t.Known() {
		return 0xffff
	}
	return typeTable[t].minPV
}

// SendableTo reports whether a peer that announced protocol version pv
// understands t. nodeos closes the connection on an index it does not know, so
// this is asked before every send; receiving is not gated by version.
func (t Type) SendableTo(pv uint16) bool { return t.Known() && pv >= typeTable[t].minPV }

// MinBody returns the smallest body of t in bytes, 0 for an unknown type.
func (t Type) MinBody() int {
	if !t.Known() {
		return 0
	}
	return typeTable[t].minBody
}

// MaxBody returns the largest body of t in bytes that this package accepts, 0
// for an unknown type. See the package documentation for the table.
func (t Type) MaxBody() int {
	if !t.Known() {
		return 0
	}
	return typeTable[t].maxBody
}
