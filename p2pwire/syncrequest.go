package p2pwire

// SyncRequest is sync_request_message (index 6): block numbers Start..End, both
// included. Start = x with End = 0 cancels.
type SyncRequest struct {
	Start, End uint32
}

// Type implements [Message].
func (SyncRequest) Type() Type { return TypeSyncRequest }

// AppendBody implements [Message].
func (m SyncRequest) AppendBody(dst []byte) []byte {
	return appendU32(appendU32(dst, m.Start), m.End)
}

// DecodeSyncRequest reads a body of exactly 8 bytes.
func DecodeSyncRequest(body []byte) (SyncRequest, error) {
	c := cursor{buf: body}
	m := SyncRequest{Start: c.u32("start_block"), End: c.u32("end_block")}
	return m, c.finish(TypeSyncRequest)
}
