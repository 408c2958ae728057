package p2pwire

// GoAwayReason is go_away_reason, four bytes on the wire: a plain C++ enum.
type GoAwayReason uint32

// The reasons of nodeos. A nodeos that dialled us does not redial, until its
// restart, after self, wrong_chain, forked, unlinkable, bad_transaction,
// validation, fatal_other or authentication: see [GoAwayReason.Permanent].
const (
	GoAwayNoReason GoAwayReason = iota
	GoAwaySelf
	GoAwayDuplicate
	GoAwayWrongChain
	GoAwayWrongVersion
	GoAwayForked
	GoAwayUnlinkable
	GoAwayBadTransaction
	GoAwayValidation
	GoAwayBenignOther
	GoAwayFatalOther
	GoAwayAuthentication
)

var goAwayNames = [...]string{
	"no_reason", "self", "duplicate", "wrong_chain", "wrong_version", "forked",
	"unlinkable", "bad_transaction", "validation", "benign_other", "fatal_other",
	"authentication",
}

// String returns nodeos' enumerator name, "unknown" beyond the table.
func (r GoAwayReason) String() string {
	if int(r) < len(goAwayNames) {
		return goAwayNames[r]
	}
	return "unknown"
}

// Permanent reports whether a nodeos that receives r from a peer it dials stops
// dialling that peer until it is restarted.
func (r GoAwayReason) Permanent() bool {
	switch r {
	case GoAwaySelf, GoAwayWrongChain, GoAwayForked, GoAwayUnlinkable,
		GoAwayBadTransaction, GoAwayValidation, GoAwayFatalOther, GoAwayAuthentication:
		return true
	}
	return false
}

// GoAway is go_away_message (index 2). eos-go writes the reason as one byte;
// nodeos writes and reads four.
type GoAway struct {
	Reason GoAwayReason
	NodeID ID // for duplicate: the node id that is already connected
}

// Type implements [Message].
func (GoAway) Type() Type { return TypeGoAway }

// AppendBody implements [Message].
func (m GoAway) AppendBody(dst []byte) []byte {
	return append(appendU32(dst, uint32(m.Reason)), m.NodeID[:]...)
}

// DecodeGoAway reads a body of exactly 36 bytes. Like nodeos it takes reasons
// it has no name for.
func DecodeGoAway(body []byte) (GoAway, error) {
	c := cursor{buf: body}
	m := GoAway{Reason: GoAwayReason(c.u32("reason")), NodeID: c.id("node_id")}
	return m, c.finish(TypeGoAway)
}
