package p2pwire

// BlockNotice is block_notice_message (index 11, PV 10): sent in place of a
// block to a peer that kept sending nacks.
type BlockNotice struct {
	Previous ID
	ID       ID
}

// Type implements [Message].
func (BlockNotice) Type() Type { return TypeBlockNotice }

// AppendBody implements [Message].
func (m BlockNotice) AppendBody(dst []byte) []byte {
	return append(append(dst, m.Previous[:]...), m.ID[:]...)
}

// DecodeBlockNotice reads a body of exactly 64 bytes.
func DecodeBlockNotice(body []byte) (BlockNotice, error) {
	c := cursor{buf: body}
	m := BlockNotice{Previous: c.id("previous"), ID: c.id("id")}
	return m, c.finish(TypeBlockNotice)
}
