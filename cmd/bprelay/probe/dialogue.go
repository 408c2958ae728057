package probe

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"bprelay/p2pwire"
)

const (
	// pingEvery keeps the session alive (nodeos closes one that is silent for 10 s) and gives the
	// clock some samples.
	pingEvery = time.Second
	// linger is how long a session is kept after the handshake when there is nothing to listen for:
	// time for a ping to come back, or a go_away.
	linger = time.Second
	// writeTimeout is ample for a few hundred bytes.
	writeTimeout = 5 * time.Second
)

// dialogue is one conversation with a peer.
type dialogue struct {
	o      *Options
	report *Report
	conn   net.Conn
	frames chan arrival
	quit   chan struct{}
	reader sync.WaitGroup

	id     p2pwire.ID
	chain  p2pwire.ID
	gen    int16         // of our last handshake
	rest   time.Duration // how long to go on from now; 0: as decided before
	broken error         // why nothing more can be sent or read
	clock  clock
	flow   flow
}

// arrival is one frame with the time it came, or the reason why no more will.
type arrival struct {
	at    time.Time
	frame p2pwire.Frame
	err   error
}

func newDialogue(conn net.Conn, o *Options, r *Report) *dialogue {
	d := &dialogue{
		o: o, report: r, conn: conn, id: nodeID(), chain: o.ChainID,
		frames: make(chan arrival), quit: make(chan struct{}),
	}
	d.reader.Go(d.read)
	return d
}

// close ends the connection and the reader.
func (d *dialogue) close() {
	close(d.quit)
	d.conn.Close()
	d.reader.Wait()
}

// run speaks until the time is over, the peer ends it, or ctx is done.
func (d *dialogue) run(ctx context.Context, deadline time.Time) {
	if !d.chain.IsZero() {
		d.greet(p2pwire.Handshake{})
	}
	d.ping()
	pings := time.NewTicker(pingEvery)
	defer pings.Stop()
	end := time.NewTimer(time.Until(deadline))
	defer end.Stop()
	for d.broken == nil {
		select {
		case a := <-d.frames:
			if a.err != nil {
				d.broken = a.err
				break
			}
			d.take(a)
		case <-pings.C:
			d.ping()
		case <-end.C:
			d.flow.end(time.Now())
			return
		case <-ctx.Done():
			return
		}
		if d.rest > 0 {
			end.Reset(d.rest)
			d.rest = 0
		}
	}
	d.flow.end(time.Now())
}

// take handles one message.
func (d *dialogue) take(a arrival) {
	t := a.frame.Type()
	d.report.Messages[t.String()]++
	body := a.frame.Body()
	var err error
	switch t {
	case p2pwire.TypeHandshake:
		var h p2pwire.Handshake
		if h, err = p2pwire.DecodeHandshake(body); err == nil {
			d.handshake(&h, a.at)
		}
	case p2pwire.TypeTime:
		var m p2pwire.Time
		if m, err = p2pwire.DecodeTime(body); err == nil {
			d.time(m, a.at)
		}
	case p2pwire.TypeGoAway:
		var m p2pwire.GoAway
		if m, err = p2pwire.DecodeGoAway(body); err == nil {
			d.report.GoAway = m.Reason.String()
		}
	default:
		err = d.flow.take(t, body, a.at)
	}
	if err != nil {
		d.broken = fmt.Errorf("the peer sent what cannot be decoded: %w", err)
	}
}

// handshake answers the first one by mirroring it, which makes nodeos count the session as current.
func (d *dialogue) handshake(h *p2pwire.Handshake, at time.Time) {
	first := d.report.Peer == nil
	d.report.Peer = peerOf(h)
	if !first {
		return
	}
	d.rest = linger
	if d.chain.IsZero() {
		d.chain = h.ChainID
	}
	if h.ChainID != d.chain {
		return // nodeos is about to send a go_away; there is nothing to hear on another chain
	}
	d.greet(p2pwire.Handshake{RootNum: h.RootNum, RootID: h.RootID, HeadNum: h.HeadNum, HeadID: h.HeadID})
	if d.o.ListenFor > 0 {
		d.flow.begin(at)
		d.rest = d.o.ListenFor
	}
}

// greet sends our next handshake, with the root and head of about.
func (d *dialogue) greet(about p2pwire.Handshake) {
	d.gen++
	about.NetworkVersion = p2pwire.NetworkVersion(p2pwire.PVSavanna) // votes, and always whole blocks
	about.ChainID = d.chain
	about.NodeID = d.id
	about.Time = time.Now().UnixNano()
	about.P2PAddress = p2pwire.FormatAddress("bprelay-probe:0", p2pwire.KindBoth, d.id)
	about.OS = "linux"
	about.Agent = d.o.Agent
	about.Generation = d.gen
	d.send(about)
}

func (d *dialogue) ping() { d.send(d.clock.ping(time.Now())) }

func (d *dialogue) time(m p2pwire.Time, at time.Time) {
	if answer, ok := d.clock.take(m, at); ok {
		d.send(answer)
	}
}

func (d *dialogue) send(m p2pwire.Message) {
	if d.broken != nil {
		return
	}
	err := d.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = d.conn.Write(p2pwire.AppendFrame(nil, m))
	}
	if err != nil {
		// The reader may still have what explains it: a go_away on the way.
		d.drain()
		if d.broken == nil {
			d.broken = fmt.Errorf("send %s: %w", m.Type(), err)
		}
	}
}

// drain takes what was received before the connection broke.
func (d *dialogue) drain() {
	for d.broken == nil {
		select {
		case a := <-d.frames:
			if d.broken = a.err; a.err == nil && a.frame.Type() == p2pwire.TypeGoAway {
				d.take(a)
			}
		case <-time.After(100 * time.Millisecond):
			return
		}
	}
}

func peerOf(h *p2pwire.Handshake) *Peer {
	p := &Peer{
		ChainID: h.ChainID, NetworkVersion: h.NetworkVersion, ProtocolVersion: h.PV(), Release: release(h.PV()),
		NodeID: h.NodeID, P2PAddress: h.P2PAddress, Kind: h.PeerKind().String(), Agent: h.Agent, OS: h.OS,
		RootNum: h.RootNum, RootID: h.RootID, HeadNum: h.HeadNum, HeadID: h.HeadID,
	}
	if key, err := h.VerifyAuth(); err == nil {
		p.SignedBy = key.String()
	}
	return p
}

// release names the line of nodeos that announces a protocol version.
func release(pv uint16) string {
	switch {
	case pv < p2pwire.PVLeapInitial:
		return "EOSIO"
	case pv < p2pwire.PVSavanna:
		return "Leap"
	case pv == p2pwire.PVSavanna:
		return "Spring 1.0, or a relay"
	case pv == p2pwire.PVBlockNack:
		return "Spring 1.1"
	case pv == p2pwire.PVGossipBPPeers:
		return "Spring 1.2"
	}
	return "newer than Spring 1.2"
}
