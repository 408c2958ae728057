package p2pwire

// Notice is notice_message (index 4): what the sender has. nodeos sends it in
// answer to a handshake: Blocks catch_up with its head number in Pending and,
// from PV 8 on, the ids of its head and earliest block; or last_irr_catch_up.
type Notice struct {
	Trx    IDList // known_trx
	Blocks IDList // known_blocks
}

// Type implements [Message].
func (Notice) Type() Type { return TypeNotice }

// AppendBody implements [Message].
func (m Notice) AppendBody(dst []byte) []byte { return m.Blocks.appendTo(m.Trx.appendTo(dst)) }

var (
	noticeTrx    = idListFields{"known_trx.mode", "known_trx.pending", "known_trx.ids"}
	noticeBlocks = idListFields{"known_blocks.mode", "known_blocks.pending", "known_blocks.ids"}
)

// DecodeNotice reads a body exactly. A mode above [ListNormal] is [ErrRange].
func DecodeNotice(body []byte) (Notice, error) {
	c := cursor{buf: body}
	m := Notice{Trx: c.idList(&noticeTrx), Blocks: c.idList(&noticeBlocks)}
	if err := c.finish(TypeNotice); err != nil {
		return Notice{}, err
	}
	return m, nil
}
