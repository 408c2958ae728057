package p2pwire

import "encoding/binary"

// Limits of nodeos' unpacker (libfc: MAX_NUM_ARRAY_ELEMENTS,
// MAX_SIZE_OF_BYTE_ARRAYS). The second is above MaxPayload: what it would
// refuse is truncated here anyway.
const maxElements = 1 << 20

// cursor walks a body. The first failure sticks: later reads return zero
// values, so that a walk is written straight down and asked once at its end.
type cursor struct {
	buf   []byte
	off   int
	err   error  // first failure, a sentinel
	field string // its field
	at    int    // and offset
	// padded is set when a varuint32 was longer than needed. nodeos takes such
	// bytes but hashes what it would have written itself; see canonical.
	padded bool
	// canon, when on, receives every byte read with varuint32s in their
	// shortest form.
	canon   []byte
	canonOn bool
}

func (c *cursor) fail(field string, err error) {
	if c.err == nil {
		c.err, c.field, c.at = err, field, c.off
	}
	c.off = len(c.buf)
}

func (c *cursor) left() int { return len(c.buf) - c.off }

// take returns the next n bytes, nil after a failure.
func (c *cursor) take(n int, field string) []byte {
	if c.err != nil || n > len(c.buf)-c.off {
		c.fail(field, ErrTruncated)
		return nil
	}
	b := c.buf[c.off : c.off+n : c.off+n]
	c.off += n
	if c.canonOn {
		c.canon = append(c.canon, b...)
	}
	return b
}

func (c *cursor) skip(n int, field string) { c.take(n, field) }

func (c *cursor) u8(field string) uint8 {
	if b := c.take(1, field); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16(field string) uint16 {
	if b := c.take(2, field); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32(field string) uint32 {
	if b := c.take(4, field); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(field string) uint64 {
	if b := c.take(8, field); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) i64(field string) int64 { return int64(c.u64(field)) }

func (c *cursor) id(field string) (id ID) {
	copy(id[:], c.take(len(id), field))
	return id
}

// bool reads one byte that must be 0 or 1.
func (c *cursor) bool(field string) bool {
	off := c.off
	v := c.u8(field)
	if v > 1 {
		c.off = off
		c.fail(field, ErrRange)
	}
	return v == 1
}

// varint reads a varuint32 like libfc: at most five bytes, excess bits dropped,
// padding tolerated.
func (c *cursor) varint(field string) uint32 {
	if c.err != nil {
		return 0
	}
	var v uint32
	for i := range 5 {
		if c.off+i >= len(c.buf) {
			c.fail(field, ErrTruncated)
			return 0
		}
		b := c.buf[c.off+i]
		v |= uint32(b&0x7f) << (7 * i)
		if b < 0x80 || i == 4 {
			if i+1 != varintLen(v) || b >= 0x80 {
				c.padded = true
			}
			c.off += i + 1
			break
		}
	}
	if c.canonOn {
		c.canon = appendVarint(c.canon, v)
	}
	return v
}

// count reads the element count of an array whose elements take at least
// minSize bytes each, so that a hostile count fails here, before any work or
// memory is spent on it.
func (c *cursor) count(minSize int, field string) int {
	off := c.off
	n := c.varint(field)
	if n > maxElements {
		c.off = off
		c.fail(field, ErrRange)
		return 0
	}
	if int(n)*minSize > c.left() {
		c.fail(field, ErrTruncated)
		return 0
	}
	return int(n)
}

// bytes reads a length-prefixed byte string, as a view.
func (c *cursor) bytes(field string) []byte {
	n := c.varint(field)
	if uint64(n) > uint64(c.left()) {
		c.fail(field, ErrTruncated)
		return nil
	}
	return c.take(int(n), field)
}

func (c *cursor) string(field string) string { return string(c.bytes(field)) }

// variant reads a variant index below n.
func (c *cursor) variant(n uint32, field string) uint32 {
	off := c.off
	v := c.varint(field)
	if v >= n {
		c.off = off
		c.fail(field, ErrRange)
		return 0
	}
	return v
}

// error returns the walk's failure as an *Error, nil if there was none.
func (c *cursor) error(t Type) error {
	if c.err == nil {
		return nil
	}
	return &Error{Type: t, Field: c.field, Offset: c.at, Err: c.err}
}

// finish is error, plus ErrTrailing when bytes are left.
func (c *cursor) finish(t Type) error {
	if c.err == nil && c.off != len(c.buf) {
		return &Error{Type: t, Field: "body", Offset: c.off, Err: ErrTrailing}
	}
	return c.error(t)
}
