package p2pwire

// ListMode is id_list_modes, four bytes on the wire: a plain C++ enum.
type ListMode uint32

// The modes of nodeos.
const (
	ListNone ListMode = iota
	ListCatchUp
	ListLastIrrCatchUp
	ListNormal
)

var listModeNames = [...]string{"none", "catch_up", "last_irr_catch_up", "normal"}

// String returns nodeos' enumerator name.
func (m ListMode) String() string {
	if int(m) < len(listModeNames) {
		return listModeNames[m]
	}
	return "unknown"
}

// IDList is select_ids: the half of a notice or request that speaks about
// transactions or about blocks.
type IDList struct {
	Mode    ListMode
	Pending uint32 // in notices: the sender's head (catch_up) or root (last_irr_catch_up) number
	IDs     []ID   // shares nothing with the body it was decoded from
}

func (l IDList) appendTo(dst []byte) []byte {
	dst = appendU32(dst, uint32(l.Mode))
	dst = appendU32(dst, l.Pending)
	dst = appendVarint(dst, uint32(len(l.IDs)))
	for i := range l.IDs {
		dst = append(dst, l.IDs[i][:]...)
	}
	return dst
}

// idListFields are the names an IDList's errors carry.
type idListFields struct{ mode, pending, ids string }

func (c *cursor) idList(f *idListFields) IDList {
	off := c.off
	l := IDList{Mode: ListMode(c.u32(f.mode)), Pending: c.u32(f.pending)}
	if c.err == nil && l.Mode > ListNormal {
		c.off = off
		c.fail(f.mode, ErrRange)
	}
	if n := c.count(len(ID{}), f.ids); n > 0 {
		l.IDs = make([]ID, n)
		for i := range l.IDs {
			l.IDs[i] = c.id(f.ids)
		}
	}
	return l
}
