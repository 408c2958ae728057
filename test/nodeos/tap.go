package nodeos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"bprelay/p2pwire"
)

// tap is a p2p client that listens: it claims to be where the other side is, and so is sent
// everything live and asked for nothing.
type tap struct {
	name    string
	address string
	chain   p2pwire.ID
	// received is told of every read: the stream's name, which is new with each connection, and the
	// bytes. It is called from the tap's goroutine.
	received func(stream string, data []byte)
}

const (
	tapPing   = 3 * time.Second // nodeos ends an incoming connection on which nothing came for 10 s
	tapRedial = 100 * time.Millisecond
)

// listen keeps a connection up until ctx is done.
func (t *tap) listen(ctx context.Context) {
	for n := 1; ctx.Err() == nil; n++ {
		_ = t.connection(ctx, fmt.Sprintf("%s/%d", t.name, n)) // the other side may be down on purpose
		_ = wait(ctx, time.Now().Add(tapRedial))
	}
}

// connection runs one connection to its end.
func (t *tap) connection(ctx context.Context, stream string) error {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	d := &dialogue{tap: t, conn: c, stream: stream}
	d.id[0] = 0xff // above any other node id: never taken for a duplicate
	copy(d.id[1:], stream)
	if err := d.greet(1, p2pwire.Handshake{}); err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	go d.ping(ended)
	return d.read()
}

// dialogue is one connection of a tap.
type dialogue struct {
	*tap
	conn     net.Conn
	stream   string
	id       p2pwire.ID
	mirrored bool
}

// greet sends a handshake that claims the root and head of theirs.
func (d *dialogue) greet(generation int16, theirs p2pwire.Handshake) error {
	return d.send(p2pwire.Handshake{
		NetworkVersion: p2pwire.NetworkVersion(p2pwire.PVSavanna), ChainID: d.chain, NodeID: d.id,
		Time: time.Now().UnixNano(), P2PAddress: "tap:9876 - " + d.id.String()[:7],
		RootNum: theirs.RootNum, RootID: theirs.RootID, HeadNum: theirs.HeadNum, HeadID: theirs.HeadID,
		OS: "linux", Agent: "tap", Generation: generation,
	})
}

// send may be called from two goroutines: a frame is one write.
func (d *dialogue) send(m p2pwire.Message) error {
	_ = d.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := d.conn.Write(p2pwire.AppendFrame(nil, m))
	return err
}

func (d *dialogue) ping(ended <-chan struct{}) {
	ticker := time.NewTicker(tapPing)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = d.send(p2pwire.Time{Xmt: time.Now().UnixNano()}) // read notices
		case <-ended:
			return
		}
	}
}

func (d *dialogue) read() error {
	var pending []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := d.conn.Read(chunk)
		if n > 0 {
			d.received(d.stream, chunk[:n])
			pending = append(pending, chunk[:n]...)
			rest, err := d.frames(pending)
			if err != nil {
				return err
			}
			pending = append(pending[:0], rest...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// frames answers what needs an answer and returns the incomplete rest.
func (d *dialogue) frames(buf []byte) ([]byte, error) {
	for {
		f, err := p2pwire.ParseFrame(buf)
		if err != nil || f == nil {
			return buf, err
		}
		buf = buf[len(f):]
		switch f.Type() {
		case p2pwire.TypeHandshake:
			h, err := p2pwire.DecodeHandshake(f.Body())
			if err != nil {
				return buf, err
			}
			if !d.mirrored {
				d.mirrored = true
				if err := d.greet(2, h); err != nil {
					return buf, err
				}
			}
		case p2pwire.TypeTime:
			m, err := p2pwire.DecodeTime(f.Body())
			if err != nil {
				return buf, err
			}
			if m.Org == 0 {
				now := time.Now().UnixNano()
				if err := d.send(p2pwire.Time{Org: m.Xmt, Rec: now, Xmt: now}); err != nil {
					return buf, err
				}
			}
		}
	}
}
