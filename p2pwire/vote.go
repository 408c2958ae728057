package p2pwire

// Sizes of a finalizer's BLS key and signature on the wire: affine,
// little-endian, non-Montgomery, without their length prefixes.
const (
	FinalizerKeySize  = 96
	FinalizerSigSize  = 192
	voteKeyOffset     = 32 + 1 + 1
	voteSigOffset     = voteKeyOffset + FinalizerKeySize + 2
	voteSize          = voteSigOffset + FinalizerSigSize
	voteStrongOffset  = 32
	voteKeyLenOffset  = 33
	voteSigLenOffset  = voteKeyOffset + FinalizerKeySize
	finalizerSigLenLo = FinalizerSigSize&0x7f | 0x80
	finalizerSigLenHi = FinalizerSigSize >> 7
)

// Vote is a view of a vote_message (index 9, PV 9). It holds the body it was
// parsed from. A relay can read a vote but not verify it: the digest that is
// signed needs chain state.
type Vote struct {
	BlockID ID
	Strong  bool
	body    []byte
}

// ParseVote reads a body of exactly 324 bytes. Whether key and signature are
// points of the curve is not checked. It does not allocate.
func ParseVote(body []byte) (Vote, error) {
	if len(body) != voteSize || body[voteStrongOffset] > 1 || body[voteKeyLenOffset] != FinalizerKeySize ||
		body[voteSigLenOffset] != finalizerSigLenLo || body[voteSigLenOffset+1] != finalizerSigLenHi {
		return Vote{}, badVote(body)
	}
	return Vote{BlockID: ID(body[:32]), Strong: body[voteStrongOffset] == 1, body: body}, nil
}

// badVote finds the field a malformed vote breaks at.
func badVote(body []byte) error {
	c := cursor{buf: body}
	c.skip(32, "block_id")
	c.bool("strong")
	c.fixedBytes(FinalizerKeySize, "finalizer_key")
	c.fixedBytes(FinalizerSigSize, "sig")
	if err := c.finish(TypeVote); err != nil {
		return err
	}
	// Only padded length prefixes are left: nodeos takes them from us but never
	// writes them, and they would let one vote have many digests.
	return &Error{Type: TypeVote, Field: "finalizer_key", Offset: voteKeyLenOffset, Err: ErrRange}
}

// fixedBytes reads a byte string whose length prefix must be n.
func (c *cursor) fixedBytes(n int, field string) []byte {
	off := c.off
	if l := c.varint(field); c.err == nil && int(l) != n {
		c.off = off
		c.fail(field, ErrRange)
	}
	return c.take(n, field)
}

// FinalizerKey returns the 96 bytes of the voter's BLS public key, as a view.
func (v Vote) FinalizerKey() []byte { return v.body[voteKeyOffset : voteKeyOffset+FinalizerKeySize] }

// Signature returns the 192 bytes of the BLS signature, as a view.
func (v Vote) Signature() []byte { return v.body[voteSigOffset:voteSize] }

// Body returns the bytes the vote was parsed from.
func (v Vote) Body() []byte { return v.body }
