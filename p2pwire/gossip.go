package p2pwire

import "github.com/eoscanada/eos-go/ecc"

// GossipBPPeers is gossip_bp_peers_message (index 12, PV 11): where block
// producers can be reached. It would make other producers dial a node past its
// relay, so a relay decodes it for its log at most and never passes it on.
type GossipBPPeers struct {
	Peers []BPPeer
}

// BPPeer is signed_bp_peer. Info is its length-prefixed inner structure, kept as
// bytes so that later versions of it survive; see [BPPeer.DecodeInfo]. An entry
// with empty Info, alone in its message, asks for the receiver's list.
type BPPeer struct {
	Version  uint32 // 1
	Producer Name
	Info     []byte
	Sig      ecc.Signature // over sha256(chain id, version, producer, info)
}

// BPPeerInfo is bp_peer_info_v1, the content of [BPPeer].Info.
type BPPeerInfo struct {
	ServerEndpoint string
	OutboundIP     string
	Expiration     Slot
}

// Type implements [Message].
func (GossipBPPeers) Type() Type { return TypeGossipBPPeers }

// AppendBody implements [Message].
func (m GossipBPPeers) AppendBody(dst []byte) []byte {
	dst = appendVarint(dst, uint32(len(m.Peers)))
	for i := range m.Peers {
		p := &m.Peers[i]
		dst = appendVarint(dst, p.Version)
		dst = appendU64(dst, uint64(p.Producer))
		dst = appendBytes(dst, p.Info)
		dst = appendSignature(dst, p.Sig)
	}
	return dst
}

// minBPPeer is the smallest entry: version, name, empty info, signature.
const minBPPeer = 1 + 8 + 1 + K1SigSize

// DecodeGossipBPPeers reads a body exactly. Info is copied, not looked into.
func DecodeGossipBPPeers(body []byte) (GossipBPPeers, error) {
	c := cursor{buf: body}
	var m GossipBPPeers
	if n := c.count(minBPPeer, "peers"); n > 0 {
		m.Peers = make([]BPPeer, n)
		for i := range m.Peers {
			m.Peers[i] = BPPeer{
				Version:  c.varint("peers.version"),
				Producer: Name(c.u64("peers.producer_name")),
				Info:     append([]byte(nil), c.bytes("peers.bp_peer_info")...),
				Sig:      c.signature("peers.sig"),
			}
		}
	}
	if err := c.finish(TypeGossipBPPeers); err != nil {
		return GossipBPPeers{}, err
	}
	return m, nil
}

// AppendInfo appends the encoding of i, for [BPPeer].Info.
func (i BPPeerInfo) AppendInfo(dst []byte) []byte {
	return appendU32(appendString(appendString(dst, i.ServerEndpoint), i.OutboundIP), uint32(i.Expiration))
}

// DecodeInfo reads Info. Bytes after the known fields are a later version's and
// are left alone, as nodeos does.
func (p BPPeer) DecodeInfo() (BPPeerInfo, error) {
	c := cursor{buf: p.Info}
	i := BPPeerInfo{
		ServerEndpoint: c.string("peers.bp_peer_info.server_endpoint"),
		OutboundIP:     c.string("peers.bp_peer_info.outbound_ip_address"),
		Expiration:     Slot(c.u32("peers.bp_peer_info.expiration")),
	}
	return i, c.error(TypeGossipBPPeers)
}
