package p2pwire

// ChainSize is chain_size_message (index 1): accepted and ignored by nodeos,
// never sent by it.
type ChainSize struct {
	RootNum uint32
	RootID  ID
	HeadNum uint32
	HeadID  ID
}

// Type implements [Message].
func (ChainSize) Type() Type { return TypeChainSize }

// AppendBody implements [Message].
func (m ChainSize) AppendBody(dst []byte) []byte {
	dst = append(appendU32(dst, m.RootNum), m.RootID[:]...)
	return append(appendU32(dst, m.HeadNum), m.HeadID[:]...)
}

// DecodeChainSize reads a body of exactly 72 bytes.
func DecodeChainSize(body []byte) (ChainSize, error) {
	c := cursor{buf: body}
	m := ChainSize{
		RootNum: c.u32("last_irreversible_block_num"),
		RootID:  c.id("last_irreversible_block_id"),
		HeadNum: c.u32("head_num"),
		HeadID:  c.id("head_id"),
	}
	return m, c.finish(TypeChainSize)
}
