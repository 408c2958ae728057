package p2pwire

import "encoding/binary"

const (
	// PrefixLen is the size of a frame's length prefix in bytes.
	PrefixLen = 4
	// MaxPayload is the largest payload in bytes (index and body, without the
	// prefix) that nodeos accepts: twice its 4 MiB message limit.
	MaxPayload = 8 << 20
)

// Frame is one whole valid frame: u32 little-endian payload length, message
// index, body. It is a view: it shares the bytes it was parsed from. Only
// [ParseFrame] and [AppendFrame] make one; its methods rely on that.
type Frame []byte

// Type returns the message type. All known indexes take one byte.
func (f Frame) Type() Type { return Type(f[PrefixLen]) }

// Payload returns index and body: the bytes a message is identified by.
func (f Frame) Payload() []byte { return f[PrefixLen:] }

// Body returns the bytes after the index.
func (f Frame) Body() []byte { return f[PrefixLen+1:] }

// FrameLen returns the total length in bytes, prefix included, of the frame buf
// begins with; 0 while the prefix is incomplete. As soon as the prefix (and then
// the index byte) is there, it is judged: the error is an [*Error] with
// [ErrLength] for a payload length of 0, above [MaxPayload] or impossible for
// its type, [ErrUnknownType] or [ErrNonMinimal] for the index. So a bad frame is
// refused before its bytes are waited for.
func FrameLen(buf []byte) (total int, err error) {
	if len(buf) < PrefixLen {
		return 0, nil
	}
	n := binary.LittleEndian.Uint32(buf)
	if n == 0 || n > MaxPayload {
		return 0, &Error{Type: NoType, Field: "payload_length", Err: ErrLength}
	}
	if len(buf) > PrefixLen {
		b := buf[PrefixLen]
		if b >= NumTypes {
			return 0, badIndex(buf[PrefixLen:])
		}
		if body, info := int(n)-1, &typeTable[b]; body < info.minBody || body > info.maxBody {
			return 0, &Error{Type: Type(b), Field: "payload_length", Err: ErrLength}
		}
	}
	return PrefixLen + int(n), nil
}

// badIndex tells a padded known index from an unknown one. Both are refused.
func badIndex(payload []byte) error {
	e := &Error{Type: NoType, Field: "message_index", Offset: PrefixLen, Err: ErrUnknownType}
	if b := payload[0]; b&0x80 != 0 && b&0x7f < NumTypes && len(payload) > 1 {
		for _, g := range payload[1:min(len(payload), 5)] {
			if g&0x7f != 0 {
				return e
			}
			if g&0x80 == 0 {
				break
			}
		}
		e.Err = ErrNonMinimal
	}
	return e
}

// ParseFrame returns the first frame of buf, without copying: nil, nil while it
// is incomplete, an [*Error] as described at [FrameLen]. The body is not looked
// into.
func ParseFrame(buf []byte) (Frame, error) {
	n, err := FrameLen(buf)
	if err != nil || n == 0 || len(buf) < n {
		return nil, err
	}
	return Frame(buf[:n:n]), nil
}

// Message is a message that can be written: one of this package's structs.
type Message interface {
	// Type is the message's index.
	Type() Type
	// AppendBody appends the encoded body, without index and prefix, to dst.
	AppendBody(dst []byte) []byte
}

// AppendFrame appends m as a whole frame to dst. It does not check the size:
// a message beyond its type's maximum is refused by the reader.
func AppendFrame(dst []byte, m Message) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(m.Type()))
	dst = m.AppendBody(dst)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-PrefixLen))
	return dst
}

// AppendRawFrame appends a frame made of a type and an already encoded body,
// such as one of the builders' ([BlockBuilder], [AppendVote]).
func AppendRawFrame(dst []byte, t Type, body []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(1+len(body)))
	dst = append(dst, byte(t))
	return append(dst, body...)
}
