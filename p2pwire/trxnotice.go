package p2pwire

// TransactionNotice is transaction_notice_message (index 13, PV 12: spring main
// and 2.0-dev only): the sender has a large transaction and need not be sent it.
type TransactionNotice struct {
	ID ID
}

// Type implements [Message].
func (TransactionNotice) Type() Type { return TypeTransactionNotice }

// AppendBody implements [Message].
func (m TransactionNotice) AppendBody(dst []byte) []byte { return append(dst, m.ID[:]...) }

// DecodeTransactionNotice reads a body of exactly 32 bytes.
func DecodeTransactionNotice(body []byte) (TransactionNotice, error) {
	c := cursor{buf: body}
	m := TransactionNotice{ID: c.id("id")}
	return m, c.finish(TypeTransactionNotice)
}
