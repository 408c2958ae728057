package p2pwire

// Request is request_message (index 5): what the sender wants. Blocks catch_up
// with one id asks for the blocks after that one up to the applied head; none
// and none cancels; normal with two ids (PV 10) asks again for one block that
// was only announced.
type Request struct {
	Trx    IDList // req_trx
	Blocks IDList // req_blocks
}

// Type implements [Message].
func (Request) Type() Type { return TypeRequest }

// AppendBody implements [Message].
func (m Request) AppendBody(dst []byte) []byte { return m.Blocks.appendTo(m.Trx.appendTo(dst)) }

var (
	requestTrx    = idListFields{"req_trx.mode", "req_trx.pending", "req_trx.ids"}
	requestBlocks = idListFields{"req_blocks.mode", "req_blocks.pending", "req_blocks.ids"}
)

// DecodeRequest reads a body exactly. A mode above [ListNormal] is [ErrRange].
func DecodeRequest(body []byte) (Request, error) {
	c := cursor{buf: body}
	m := Request{Trx: c.idList(&requestTrx), Blocks: c.idList(&requestBlocks)}
	if err := c.finish(TypeRequest); err != nil {
		return Request{}, err
	}
	return m, nil
}
