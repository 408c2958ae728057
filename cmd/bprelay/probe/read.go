package probe

import (
	"bufio"
	"errors"
	"io"
	"time"

	"bprelay/p2pwire"
)

// errClosed tells that the peer closed without an error: how nodeos ends most sessions.
var errClosed = errors.New("the peer closed the connection")

// read hands frames to the dialogue until the connection ends.
func (d *dialogue) read() {
	in := bufio.NewReaderSize(d.conn, 64<<10)
	for {
		f, err := readFrame(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errClosed
		}
		select {
		case d.frames <- arrival{at: time.Now(), frame: f, err: err}:
		case <-d.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

// readFrame reads one whole frame. A length that cannot be is refused before its bytes are waited
// for, so memory is bounded by the largest frame.
func readFrame(in *bufio.Reader) (p2pwire.Frame, error) {
	head, err := in.Peek(p2pwire.PrefixLen + 1) // every payload has at least its index
	if err != nil {
		return nil, err
	}
	n, err := p2pwire.FrameLen(head)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(in, buf); err != nil {
		return nil, err
	}
	return p2pwire.ParseFrame(buf)
}
