package p2pwire

import (
	"crypto/sha256"
)

// Compression of a packed_transaction.
const (
	compressionNone = 0
	compressionZlib = 1
)

// Smallest wire sizes, for counts.
const (
	minAction    = 8 + 8 + 1 + 1
	minPermLevel = 16
	minTrxExt    = 2 + 1
)

// Transaction is a view of a packed_transaction (index 8).
type Transaction struct {
	ID         ID     // sha256 of the uncompressed transaction
	Expiration uint32 // unix seconds
	body       []byte
}

// Body returns the bytes the transaction was parsed from.
func (t Transaction) Body() []byte { return t.body }

// ParseTransaction walks a body the way nodeos' unpacker does, inflating what is
// compressed (at most [MaxInflated] bytes a part): what passes here does not
// make a nodeos close the connection for its form. Bytes behind the end of the
// inner transaction, of the context-free data, or of a zlib stream are ignored,
// as nodeos does. It does not allocate with a reused Scratch, except for zlib
// streams with codes longer than nine bits and for padded counts.
func ParseTransaction(body []byte, s *Scratch) (Transaction, error) {
	s.budget = MaxBlockInflated
	c := cursor{buf: body}
	t := Transaction{body: body}
	p := c.readPacked()
	if c.err == nil {
		p.unpack(&c, s, &t)
	}
	if err := c.finish(TypePackedTransaction); err != nil {
		return Transaction{}, err
	}
	return t, nil
}

// packed are the parts of a packed_transaction, as views.
type packed struct {
	signatures  []byte // the whole vector, count included
	padded      bool   // its count or an index in it is padded
	compression uint8
	cfd         []byte
	trx         []byte
	trxAt       int // offsets of the contents, for errors
	cfdAt       int
}

// readPacked reads packed_transaction's own fields.
func (c *cursor) readPacked() (p packed) {
	from, padded := c.off, c.padded
	c.padded = false
	for range c.count(K1SigSize, "signatures") {
		c.skipSignature("signatures")
	}
	p.signatures, p.padded = c.buf[from:c.off], c.padded
	c.padded = c.padded || padded
	at := c.off
	if p.compression = c.u8("compression"); p.compression > compressionZlib {
		c.off = at
		c.fail("compression", ErrRange)
	}
	p.cfd = c.bytes("packed_context_free_data")
	p.cfdAt = c.off - len(p.cfd)
	p.trx = c.bytes("packed_trx")
	p.trxAt = c.off - len(p.trx)
	return p
}

// unpack walks the inner parts, inflating them first where needed. If t is not
// nil its id and expiration are set.
func (p *packed) unpack(c *cursor, s *Scratch, t *Transaction) {
	if p.compression == compressionNone {
		if field, at, err := walkTransaction(p.trx, t); err != nil {
			c.off = p.trxAt + at
			c.fail(field, err)
			return
		}
		if at, err := walkContextFreeData(p.cfd); err != nil {
			c.off = p.cfdAt + at
			c.fail("packed_context_free_data", err)
		}
		return
	}
	if s.budget <= 0 {
		return
	}
	trx, err := s.inflate(p.trx)
	if err != nil {
		c.off = p.trxAt
		c.fail("packed_trx", err)
		return
	}
	if field, _, err := walkTransaction(trx, t); err != nil {
		c.off = p.trxAt
		c.fail(field, err)
		return
	}
	if len(p.cfd) == 0 {
		return
	}
	cfd, err := s.inflate(p.cfd)
	if err == nil {
		_, err = walkContextFreeData(cfd)
	}
	if err != nil {
		c.off = p.cfdAt
		c.fail("packed_context_free_data", err)
	}
}

// walkTransaction walks an uncompressed transaction and, when t is not nil,
// fills it in.
func walkTransaction(trx []byte, t *Transaction) (field string, at int, err error) {
	c := cursor{buf: trx}
	expiration := c.skipTransaction()
	if c.err != nil {
		return c.field, c.at, c.err
	}
	if t == nil {
		return "", 0, nil
	}
	t.Expiration = expiration
	hashed := trx[:c.off]
	if c.padded {
		// nodeos hashes what it would have written itself.
		again := cursor{buf: trx, canonOn: true}
		again.skipTransaction()
		hashed = again.canon
	}
	t.ID = sha256.Sum256(hashed)
	return "", 0, nil
}

// skipTransaction walks struct transaction.
func (c *cursor) skipTransaction() (expiration uint32) {
	expiration = c.u32("packed_trx.expiration")
	c.u16("packed_trx.ref_block_num")
	c.u32("packed_trx.ref_block_prefix")
	c.varint("packed_trx.max_net_usage_words")
	c.u8("packed_trx.max_cpu_usage_ms")
	c.varint("packed_trx.delay_sec")
	c.skipActions("packed_trx.context_free_actions")
	c.skipActions("packed_trx.actions")
	for range c.count(minTrxExt, "packed_trx.transaction_extensions") {
		c.u16("packed_trx.transaction_extensions")
		c.bytes("packed_trx.transaction_extensions")
	}
	return expiration
}

func (c *cursor) skipActions(field string) {
	for range c.count(minAction, field) {
		c.skip(16, field) // account, name
		c.skip(minPermLevel*c.count(minPermLevel, field), field)
		c.bytes(field)
	}
}

// walkContextFreeData walks vector<bytes>; nothing at all stands for none.
func walkContextFreeData(cfd []byte) (at int, err error) {
	if len(cfd) == 0 {
		return 0, nil
	}
	c := cursor{buf: cfd}
	for range c.count(1, "packed_context_free_data") {
		c.bytes("packed_context_free_data")
	}
	return c.at, c.err
}
