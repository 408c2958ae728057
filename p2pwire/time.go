package p2pwire

// Time is time_message (index 3), NTP's four timestamps in unix nanoseconds.
// A ping has only Xmt set; its answer has Org = the ping's Xmt, Rec = when it
// came, Xmt = when the answer left. nodeos sends one per keep-alive interval.
type Time struct {
	Org, Rec, Xmt, Dst int64
}

// Type implements [Message].
func (Time) Type() Type { return TypeTime }

// AppendBody implements [Message].
func (m Time) AppendBody(dst []byte) []byte {
	dst = appendU64(dst, uint64(m.Org))
	dst = appendU64(dst, uint64(m.Rec))
	dst = appendU64(dst, uint64(m.Xmt))
	return appendU64(dst, uint64(m.Dst))
}

// DecodeTime reads a body of exactly 32 bytes.
func DecodeTime(body []byte) (Time, error) {
	c := cursor{buf: body}
	m := Time{Org: c.i64("org"), Rec: c.i64("rec"), Xmt: c.i64("xmt"), Dst: c.i64("dst")}
	return m, c.finish(TypeTime)
}
