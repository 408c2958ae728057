package link

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// The kinds of frames.
const (
	kindHello   = 1
	kindChosen  = 2
	kindPing    = 3
	kindPong    = 4
	kindMessage = 5
	kindBye     = 6
)

const (
	version    = 1
	headerSize = 5 // length and kind
	helloSize  = 1 + 8 + 8 + 4
	timeSize   = 8
	chosenSize = 8
	// maxControl bounds frames other than messages.
	maxControl = 64
)

// number is a random number of an instance or a connection; 0 is none.
type number uint64

// hello is what both sides say first.
type hello struct {
	// instance is drawn once for each Open.
	instance number
	// lost is the connection that was chosen last and is not there any more; 0 if there was none.
	lost number
	// heartbeat is how often the sender will ping.
	heartbeat time.Duration
}

func appendFrame(b []byte, kind byte, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)+1))
	return append(append(b, kind), payload...)
}

func (h *hello) append(b []byte) []byte {
	p := binary.BigEndian.AppendUint64([]byte{version}, uint64(h.instance))
	p = binary.BigEndian.AppendUint64(p, uint64(h.lost))
	p = binary.BigEndian.AppendUint32(p, uint32(h.heartbeat/time.Microsecond))
	return appendFrame(b, kindHello, p)
}

func parseHello(p []byte) (h hello, err error) {
	if len(p) != helloSize || p[0] != version {
		return h, fmt.Errorf("%w: hello of %d bytes", errMalformed, len(p))
	}
	h.instance = number(binary.BigEndian.Uint64(p[1:]))
	h.lost = number(binary.BigEndian.Uint64(p[9:]))
	h.heartbeat = time.Duration(binary.BigEndian.Uint32(p[17:])) * time.Microsecond
	if h.instance == 0 || h.heartbeat == 0 {
		return h, fmt.Errorf("%w: empty hello", errMalformed)
	}
	return h, nil
}

func appendUint64(b []byte, kind byte, v uint64) []byte {
	return appendFrame(b, kind, binary.BigEndian.AppendUint64(make([]byte, 0, 8), v))
}

// readFrame reads one frame. The payload is a slice of its own.
func readFrame(r io.Reader, maxMessage int) (kind byte, payload []byte, err error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 1
	kind = head[4]
	switch most := int64(maxMessage); {
	case kind < kindHello || kind > kindBye:
		return 0, nil, fmt.Errorf("%w: kind %d", errMalformed, kind)
	case kind != kindMessage && size > maxControl, size < 0 || size > most:
		return 0, nil, fmt.Errorf("%w: %d bytes of kind %d", errMalformed, size, kind)
	}
	payload, err = readBody(r, int(size))
	return kind, payload, err
}

// firstPart is how much is allocated for a message before any of it came.
const firstPart = 64 << 10

// readBody reads size bytes without believing in them before they come.
func readBody(r io.Reader, size int) ([]byte, error) {
	b := make([]byte, min(size, firstPart))
	for have := 0; ; {
		n, err := io.ReadFull(r, b[have:])
		have += n
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if have == size {
			return b, nil
		}
		more := make([]byte, min(size, 4*len(b)))
		copy(more, b)
		b = more
	}
}
