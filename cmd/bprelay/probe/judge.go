package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"bprelay/p2pwire"
)

// Bounds beyond which a peer is not what it should be.
const (
	offsetWarn    = 250 * time.Millisecond // half a slot
	offsetProblem = time.Second
	tripWarn      = 300 * time.Millisecond
	ageProblem    = 5 * time.Second
	// judgeFlow is the least time of listening after which silence means something: four slots, more
	// than one missed block or a change of producer.
	judgeFlow = 2 * time.Second
)

func (r *Report) find(s Severity, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{s, fmt.Sprintf(format, args...)})
}

func (r *Report) settle() {
	r.Healthy = true
	for _, f := range r.Findings {
		if f.Severity == Problem {
			r.Healthy = false
		}
	}
}

// unreachable says why there is no connection.
func (r *Report) unreachable(err error) {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		r.find(Problem, "the host name cannot be resolved: %v", dns)
	case errors.Is(err, syscall.ECONNREFUSED):
		r.find(Problem, "connection refused: nothing listens there (p2p-listen-endpoint), or a firewall rejects us")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		r.find(Problem, "no answer to the connection attempt: host down, wrong address, or a firewall drops it")
	default:
		r.find(Problem, "cannot connect: %v", err)
	}
	r.settle()
}

// judge fills in the rest of the report and draws the conclusions.
func (d *dialogue) judge() {
	r, f := d.report, &d.flow
	if d.clock.answers > 0 {
		r.Clock = &Clock{RoundTripMs: ms(d.clock.trip), OffsetMs: ms(d.clock.offset), Pings: d.clock.answers}
	}
	if !f.from.IsZero() {
		r.ListenedMs = ms(f.to.Sub(f.from))
	}
	r.Blocks, r.Votes, r.Transactions = f.summary(), f.votes, f.transactions
	if d.broken != nil {
		r.Ended = d.broken.Error()
	}
	d.judgeChain()
	d.judgeEnd()
	d.judgeClock()
	if r.Peer != nil && !f.from.IsZero() {
		d.judgeFlow()
	}
	r.settle()
}

func (d *dialogue) judgeChain() {
	r := d.report
	if r.Peer != nil && r.Peer.ChainID != d.chain {
		r.find(Problem, "wrong chain: the peer is on %s, expected was %s", r.Peer.ChainID, d.chain)
	}
	if r.GoAway != "" {
		r.find(Problem, "the peer sent us away (%s): %s", r.GoAway, goAwayMeaning(r.GoAway))
	}
}

// judgeEnd explains an end that was not ours, and silence.
func (d *dialogue) judgeEnd() {
	r := d.report
	var wire *p2pwire.Error
	switch {
	case r.GoAway != "":
	case errors.As(d.broken, &wire):
		r.find(Problem, "what came is not nodeos' p2p protocol (%v): is this an HTTP port, or another kind of node?", wire)
	case r.Peer == nil && d.broken != nil:
		r.find(Problem, "the peer closed without a word: p2p-max-nodes-per-host (default 1) is used up for our address, "+
			"max-clients is reached, or its firewall or proxy does not want us")
	case r.Peer == nil && len(r.Messages) > 0:
		r.find(Problem, "the peer answers but sent no handshake: it greets first only with its tick (p2p-keepalive-interval-ms, default 10 s): "+
			"give a longer --timeout, or --chain-id")
	case r.Peer == nil && !d.o.ChainID.IsZero():
		r.find(Problem, "no handshake came: not a nodeos p2p port, or a nodeos that hangs")
	case r.Peer == nil:
		r.find(Problem, "the peer is silent: not a nodeos p2p port, or it hangs; with --chain-id it would be greeted first")
	case d.broken != nil && r.Peer.ChainID == d.chain:
		r.find(Problem, "the peer ended the session after the handshake (%v)", d.broken)
	}
}

func (d *dialogue) judgeClock() {
	r := d.report
	if r.Clock == nil {
		if r.Peer != nil && d.broken == nil && r.GoAway == "" {
			r.find(Warning, "no ping came back: clock and latency are unknown")
		}
		return
	}
	switch offset := d.clock.offset.Abs(); {
	case offset > offsetProblem:
		r.find(Problem, "the clocks are %v apart: check NTP on both sides", offset.Round(time.Millisecond))
	case offset > offsetWarn:
		r.find(Warning, "the clocks are %v apart, half a slot or more: check NTP on both sides", offset.Round(time.Millisecond))
	}
	if d.clock.trip > tripWarn {
		r.find(Warning, "a round trip takes %v: blocks that come or go this way lose as much of their slot", d.clock.trip.Round(time.Millisecond))
	}
}

func (d *dialogue) judgeFlow() {
	r, f := d.report, &d.flow
	long := f.to.Sub(f.from) >= judgeFlow
	if r.Peer.Kind == p2pwire.KindTransactions.String() {
		r.find(Problem, "the peer announces :trx: it wants and gives transactions only, no blocks")
		return
	}
	switch {
	case r.Blocks == nil && long:
		r.find(Problem, "no block in %v: the peer is still syncing, its network stands still, or it does not pass blocks on", f.to.Sub(f.from).Round(time.Millisecond))
	case r.Blocks == nil:
		r.find(Note, "no block in %v: too short to judge, listen for %v or more", f.to.Sub(f.from).Round(time.Millisecond), judgeFlow)
	case time.Duration(r.Blocks.AgeMs*float64(time.Millisecond)) > ageProblem:
		r.find(Problem, "its newest block is %.0f s old: the peer is behind, or its network stands still", r.Blocks.AgeMs/1000)
	}
	if r.Blocks != nil && r.Blocks.Savanna && f.votes == 0 && long {
		if r.Peer.ProtocolVersion < p2pwire.PVSavanna {
			r.find(Problem, "no votes: protocol version %d does not know them, on a chain that runs on them", r.Peer.ProtocolVersion)
		} else {
			r.find(Problem, "no votes: the peer has vote-threads 0, the default of a node without producer-name; "+
				"nodes fed by it alone stop producing after production-pause-vote-timeout-ms")
		}
	}
	if f.transactions == 0 && long && r.Blocks != nil {
		r.find(Note, "no transactions: none were sent, or the peer does not pass them on")
	}
	if r.Peer.Kind == p2pwire.KindBlocks.String() {
		r.find(Note, "the peer announces :blk: it takes no transactions from us")
	}
}

// goAwayMeaning explains nodeos' reasons.
func goAwayMeaning(reason string) string {
	switch reason {
	case p2pwire.GoAwayWrongChain.String():
		return "it is on another chain than --chain-id"
	case p2pwire.GoAwayAuthentication.String():
		return "its allowed-connection lets only known keys in, and the probe signs with none"
	case p2pwire.GoAwayDuplicate.String(), p2pwire.GoAwaySelf.String():
		return "it takes us for a connection it already has"
	case p2pwire.GoAwayForked.String():
		return "our root is not on its chain"
	case p2pwire.GoAwayFatalOther.String():
		return "it found our handshake invalid"
	case p2pwire.GoAwayBenignOther.String():
		return "it gave no exact reason; try again later"
	}
	return "nodeos knows no more about it"
}
