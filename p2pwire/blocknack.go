package p2pwire

// BlockNack is block_nack_message (index 10, PV 10): the sender had the block
// already. After four in a row a spring >= 1.1 sends notices instead of blocks.
// An id of zero resets that count.
type BlockNack struct {
	ID ID
}

// Type implements [Message].
func (BlockNack) Type() Type { return TypeBlockNack }

// AppendBody implements [Message].
func (m BlockNack) AppendBody(dst []byte) []byte { return append(dst, m.ID[:]...) }

// DecodeBlockNack reads a body of exactly 32 bytes.
func DecodeBlockNack(body []byte) (BlockNack, error) {
	c := cursor{buf: body}
	m := BlockNack{ID: c.id("id")}
	return m, c.finish(TypeBlockNack)
}
