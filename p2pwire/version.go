package p2pwire

// NetVersionBase is what nodeos adds to a protocol version to get the
// network_version of a handshake (net_version_base in net_plugin.cpp).
const NetVersionBase = 1205

// netVersionRange is the span above the base that counts as a protocol version.
const netVersionRange = 106

// Protocol versions (PV), as net_plugin names them. There is no negotiation:
// each side announces its own and only refrains from sending what the other's
// is too low for.
const (
	PVBase              = 0
	PVExplicitSync      = 1 // EOSIO 1.x and 2.0
	PVBlockIDNotify     = 2 // reserved, never used
	PVPrunedTypes       = 3 // 3..6: EOSIO 2.1 only
	PVHeartbeatInterval = 4
	PVDupGoAwayResolve  = 5
	PVDupNodeIDGoAway   = 6
	PVLeapInitial       = 7  // every leap release announces this
	PVBlockRange        = 8  // notices may carry two ids: head, earliest block
	PVSavanna           = 9  // votes; spring 1.0
	PVBlockNack         = 10 // block nack and notice; spring 1.1
	PVGossipBPPeers     = 11 // spring 1.2
	PVTrxNotice         = 12 // spring main, 2.0-dev
)

// ProtocolVersion turns a handshake's network_version into a protocol version:
// the difference to [NetVersionBase] when that is 0..106, otherwise 0, as
// nodeos does.
func ProtocolVersion(networkVersion uint16) uint16 {
	if networkVersion < NetVersionBase || networkVersion > NetVersionBase+netVersionRange {
		return PVBase
	}
	return networkVersion - NetVersionBase
}

// NetworkVersion is the network_version that announces pv (0..106).
func NetworkVersion(pv uint16) uint16 { return NetVersionBase + pv }
