package p2pwire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/eoscanada/eos-go/ecc"
)

// maxHandshakeText is nodeos' limit for p2p_address, os and agent, in bytes
// (max_handshake_str_length).
const maxHandshakeText = 384

// Handshake is handshake_message (index 0), the same bytes in every version.
// "Root" is last_irreversible_block in leap and spring 1.0, fork_db_root from
// spring 1.1 on; head is the head of the best fork database branch.
type Handshake struct {
	NetworkVersion uint16        // NetVersionBase + protocol version
	ChainID        ID            //
	NodeID         ID            // random per nodeos process start
	Key            ecc.PublicKey // the zero value is written as nodeos' empty key
	Time           int64         // unix nanoseconds
	Token          ID            // sha256 of the 8 little-endian bytes of Time, or zero
	Sig            ecc.Signature // over Token; the zero value is written as the empty signature
	P2PAddress     string        // see ParseAddress
	RootNum        uint32
	RootID         ID
	HeadNum        uint32
	HeadID         ID
	OS             string // "linux", "osx", "win32", "other"
	Agent          string // nodeos' agent-name
	Generation     int16  // 1 in the first handshake of a connection, then counting
}

// Type implements [Message].
func (Handshake) Type() Type { return TypeHandshake }

// PV returns the protocol version the handshake announces.
func (h Handshake) PV() uint16 { return ProtocolVersion(h.NetworkVersion) }

// AppendBody implements [Message].
func (h Handshake) AppendBody(dst []byte) []byte {
	dst = appendU16(dst, h.NetworkVersion)
	dst = append(dst, h.ChainID[:]...)
	dst = append(dst, h.NodeID[:]...)
	dst = appendPublicKey(dst, h.Key)
	dst = appendU64(dst, uint64(h.Time))
	dst = append(dst, h.Token[:]...)
	dst = appendSignature(dst, h.Sig)
	dst = appendString(dst, h.P2PAddress)
	dst = appendU32(dst, h.RootNum)
	dst = append(dst, h.RootID[:]...)
	dst = appendU32(dst, h.HeadNum)
	dst = append(dst, h.HeadID[:]...)
	dst = appendString(dst, h.OS)
	dst = appendString(dst, h.Agent)
	return appendU16(dst, uint16(h.Generation))
}

// DecodeHandshake reads a body exactly. It does not judge the values: see
// [Handshake.Validate] and [Handshake.VerifyAuth].
func DecodeHandshake(body []byte) (Handshake, error) {
	c := cursor{buf: body}
	h := Handshake{
		NetworkVersion: c.u16("network_version"),
		ChainID:        c.id("chain_id"),
		NodeID:         c.id("node_id"),
		Key:            c.publicKey("key"),
		Time:           c.i64("time"),
		Token:          c.id("token"),
		Sig:            c.signature("sig"),
		P2PAddress:     c.string("p2p_address"),
		RootNum:        c.u32("fork_db_root_num"),
		RootID:         c.id("fork_db_root_id"),
		HeadNum:        c.u32("fork_db_head_num"),
		HeadID:         c.id("fork_db_head_id"),
		OS:             c.string("os"),
		Agent:          c.string("agent"),
		Generation:     int16(c.u16("generation")),
	}
	if err := c.finish(TypeHandshake); err != nil {
		return Handshake{}, err
	}
	return h, nil
}

// ErrHandshake is what every error of [Handshake.Validate] matches.
var ErrHandshake = errors.New("invalid handshake")

// Validate applies nodeos' is_valid(handshake_message): root not above head,
// p2p_address and os present, the three texts at most 384 bytes, and a token
// that is the digest of the time whenever there is a token or signature.
// nodeos answers a breach with go_away fatal_other.
func (h Handshake) Validate() error {
	switch {
	case h.RootNum > h.HeadNum:
		return fmt.Errorf("%w: root %d above head %d", ErrHandshake, h.RootNum, h.HeadNum)
	case h.P2PAddress == "":
		return fmt.Errorf("%w: empty p2p_address", ErrHandshake)
	case len(h.P2PAddress) > maxHandshakeText:
		return fmt.Errorf("%w: p2p_address of %d bytes", ErrHandshake, len(h.P2PAddress))
	case h.OS == "":
		return fmt.Errorf("%w: empty os", ErrHandshake)
	case len(h.OS) > maxHandshakeText:
		return fmt.Errorf("%w: os of %d bytes", ErrHandshake, len(h.OS))
	case len(h.Agent) > maxHandshakeText:
		return fmt.Errorf("%w: agent of %d bytes", ErrHandshake, len(h.Agent))
	case (!emptyK1(h.Sig.Curve, h.Sig.Content) || !h.Token.IsZero()) && h.Token != handshakeToken(h.Time):
		return fmt.Errorf("%w: token is not the digest of time", ErrHandshake)
	}
	return nil
}

// handshakeToken is sha256 of the packed time: what a peer key signs.
func handshakeToken(t int64) ID {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(t))
	return sha256.Sum256(b[:])
}

// Sign sets Key, Token and Sig for the present Time, as nodeos does with its
// first peer-private-key. The signature covers the time alone: no address, no
// chain, no node id.
func (h *Handshake) Sign(priv *K1Private) {
	h.Token = handshakeToken(h.Time)
	sig := priv.Sign(h.Token)
	h.Key = priv.Public().ECC()
	h.Sig = mustSignature(sig[:])
}

// Signed reports whether the handshake carries a signature.
func (h Handshake) Signed() bool { return !emptyK1(h.Sig.Curve, h.Sig.Content) }

// VerifyAuth checks what nodeos' authenticate_peer checks for a key it knows:
// the token is the digest of the time and the signature over it recovers to
// Key. It returns that key; whether it is an accepted one, and whether the time
// is recent, is for the caller to decide. WebAuthn is not supported. The error
// matches [ErrHandshake].
func (h Handshake) VerifyAuth() (PublicKey, error) {
	switch {
	case !h.Signed():
		return PublicKey{}, fmt.Errorf("%w: not signed", ErrHandshake)
	case h.Token != handshakeToken(h.Time):
		return PublicKey{}, fmt.Errorf("%w: token is not the digest of time", ErrHandshake)
	}
	got, err := Recover(h.Token, appendSignature(nil, h.Sig))
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if !bytes.Equal(got[:], appendPublicKey(nil, h.Key)) {
		return PublicKey{}, fmt.Errorf("%w: signed by %s, not by the stated key", ErrHandshake, got)
	}
	return got, nil
}
