package p2pwire

// Signatures walks all signatures of a block: the producer signature first, then
// those of block extension 2, additional_block_signatures, which only a producer
// with several keys has. It does not allocate:
//
//	w := b.Signatures()
//	for sig := w.Next(); sig != nil; sig = w.Next() {
//	}
//	err := w.Err()
type Signatures struct {
	body    []byte // the block's
	at, end int    // where its producer signature begins and ends
	started bool
	ext     cursor // over the extension's data
	left    int
	err     error
}

// Signatures begins a walk. The second step walks the transactions to find the
// extension.
func (b Block) Signatures() Signatures {
	return Signatures{body: b.body, at: b.HeaderEnd, end: b.transactions}
}

// Next returns the next signature, variant index included: 66 bytes of K1 or R1
// unless the index is padded. It is nil at the end and on an error.
func (w *Signatures) Next() []byte {
	if !w.started {
		w.started = true
		w.find()
		return w.body[w.at:w.end]
	}
	if w.left == 0 || w.err != nil {
		return nil
	}
	const field = "additional_signatures"
	from := w.ext.off
	curve, _ := w.ext.skipSignature(field)
	if w.ext.err == nil && curve == curveWA {
		w.ext.fail(field, ErrWebAuthn)
	}
	if err := w.ext.error(TypeSignedBlock); err != nil {
		w.err = err
		return nil
	}
	w.left--
	return w.ext.buf[from:w.ext.off]
}

// Err tells why the walk ended early, nil if it did not: the block's end cannot
// be decoded, or a signature is by WebAuthn. It is an [*Error]. A block that
// passed [Block.Check] gives none.
func (w *Signatures) Err() error { return w.err }

// find positions the walk on the extension.
func (w *Signatures) find() {
	const field = "block_extensions"
	c := cursor{buf: w.body, off: w.end}
	for range c.count(minReceipt, "transactions") {
		c.skipReceipt()
	}
	for range c.count(minExtension, field) {
		id := c.u16(field)
		data := c.bytes(field)
		if c.err != nil || id != extAdditionalSignatures {
			continue
		}
		if w.left > 0 {
			c.fail(field, ErrExtension)
			continue
		}
		w.ext = cursor{buf: data}
		w.left = w.ext.count(K1SigSize, "additional_signatures")
		if w.ext.err == nil && (w.left == 0 || w.left > maxAdditionalSignatures) {
			w.ext.fail("additional_signatures", ErrRange)
		}
		if w.ext.err != nil {
			c.fail("block_extensions.additional_signatures", ErrExtension)
		}
	}
	if err := c.error(TypeSignedBlock); err != nil {
		w.err, w.left = err, 0
	}
}
