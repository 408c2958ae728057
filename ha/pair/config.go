package pair

import (
	"errors"
	"fmt"
	"time"
)

// Timing is how long a pair waits for what. All times are the loop's monotonic clock.
type Timing struct {
	// Heartbeat is how often a message is sent when nothing else is.
	Heartbeat time.Duration
	// ClaimWait is how long the acknowledgement of a claim is waited for. Above the usual round trip.
	ClaimWait time.Duration
	// EchoWait is how long after it was due an own block is waited for in the network before its slot
	// counts as missed. Raising it makes a takeover later and a needless one rarer.
	EchoWait time.Duration
	// Guard is how long before a slot counts as missed the right to write unacknowledged blocks ends.
	// At least the time in which a block written here has spread in the network, as far as to the peers
	// of the other relay, and the difference of the two relays' slot clocks.
	Guard time.Duration
	// BidWait is how long the other relay has to answer a bid.
	BidWait time.Duration
	// GapLimit is the longest pause of the loop that changes nothing.
	GapLimit time.Duration
	// StartWait is how long after its start the priority member waits for the other one.
	StartWait time.Duration
	// ProbeEvery is how often the network is asked while an answer is awaited.
	ProbeEvery time.Duration
	// QuietWait is how long the priority member that has never seen the other one waits, while the network
	// shows no block of ours and none is known to be due: the schedule is learned from our blocks, and
	// there may be none before somebody is active. At least a whole schedule, so that a round of ours would
	// have been seen.
	QuietWait time.Duration
	// HandoverWait bounds how long a planned handover waits for the end of our run.
	HandoverWait time.Duration
	// FailbackAfter is how long the member of higher priority must be seen well before it gets its role
	// back.
	FailbackAfter time.Duration
}

// The presets. R is the longest round trip between the two relays, and between each and its nearest network peer:
// 2 ms, 20 ms and 80 ms.
//
//   - claim_wait is R or more: a block is acknowledged R after it came from its node.
//   - guard is half an R and 40 ms: what was written when the right to write alone ended reaches the network half an R
//     later; the rest is for its way from there to the other relay's peers, and for two clocks that differ.
//   - echo_wait is as long as both, and as it takes the network to acknowledge (R), and as nodes may be late: by 30 to
//     100 ms. Who writes later breaks its network sessions when its right ends.
//
// A takeover lets out what it holds echo_wait + R after it was due, when the network has answered; if the link to the
// other relay is still up, not before bid_wait either. Half an R later it is with the network. The last block of a
// round is due 450 ms before its timestamp (Spring), the others 462.5 ms before the next one: a takeover within that
// time costs nothing.

// Local is for both relays on one machine or rack. A takeover takes up to 153 ms, and 171 ms with the link up.
func Local() Timing {
	return Timing{Heartbeat: 5 * ms, ClaimWait: 10 * ms, EchoWait: 150 * ms, Guard: 50 * ms, BidWait: 20 * ms}.complete()
}

// LAN is for both relays at one site: 230 ms, and 250 ms with the link up.
func LAN() Timing {
	return Timing{Heartbeat: 10 * ms, ClaimWait: 20 * ms, EchoWait: 200 * ms, Guard: 50 * ms, BidWait: 40 * ms}.complete()
}

// WAN is for sites up to about 80 ms (round trip) apart: 420 ms, and 440 ms with the link up.
func WAN() Timing {
	return Timing{Heartbeat: 30 * ms, ClaimWait: 100 * ms, EchoWait: 300 * ms, Guard: 90 * ms, BidWait: 100 * ms}.complete()
}

const ms = time.Millisecond

// complete adds what all presets have in common.
func (t Timing) complete() Timing {
	t.GapLimit, t.StartWait, t.ProbeEvery = 100*ms, 3*time.Second, 20*ms
	t.QuietWait = 140 * time.Second // 21 producers have 126 s
	t.HandoverWait, t.FailbackAfter = 30*time.Second, time.Minute
	return t
}

// Config says which half of a pair a Machine is.
type Config struct {
	// Member and Peer are the two relays' names, 1 to 64 bytes each.
	Member, Peer string
	// Incarnation is larger at every start of the process; the wall clock at start will do.
	Incarnation uint64
	// Priority: this is the member that may become active without ever having seen the other one, and
	// the one that is active if nothing speaks against it. It is set at exactly one of the two.
	Priority bool
	// Failback gives the role back to the priority member outside our runs.
	Failback bool
	Timing   Timing
	// Claims are those known from an earlier life: see Known.
	Claims []Claim
}

// maxName is how long a member's name may be.
const maxName = 64

func (c *Config) check() error {
	for _, n := range []string{c.Member, c.Peer} {
		if n == "" || len(n) > maxName {
			return fmt.Errorf("member name %q: 1 to %d bytes are allowed", n, maxName)
		}
	}
	if c.Member == c.Peer {
		return fmt.Errorf("both members are named %q", c.Member)
	}
	t := &c.Timing
	switch {
	case t.Heartbeat <= 0 || t.ClaimWait <= 0 || t.BidWait <= 0 || t.GapLimit <= 0 || t.ProbeEvery <= 0:
		return errors.New("heartbeat, claim_wait, bid_wait, gap_limit and probe interval must be above 0")
	case t.EchoWait <= t.Guard+t.ClaimWait:
		return fmt.Errorf("echo_wait %v must be above guard %v and claim_wait %v together", t.EchoWait, t.Guard, t.ClaimWait)
	case t.EchoWait >= 450*time.Millisecond:
		return fmt.Errorf("echo_wait %v must be below 450 ms", t.EchoWait)
	case t.Guard < 0 || t.StartWait < 0 || t.QuietWait < 0 || t.HandoverWait < 0 || t.FailbackAfter < 0:
		return errors.New("waiting times must not be negative")
	}
	return nil
}

// rules switches single rules off. Tests turn them on to show that the model misses each; the zero
// value is the protocol.
type rules struct {
	pauseIgnored  bool // a pause makes nothing unsure: link loss after it is taken as the peer's death
	deadSockets   bool // what is not acknowledged may be written to any session at any time
	ackBlind      bool // a claim is acknowledged without its bytes
	onlyCandidate bool // a takeover needs a candidate
	startAlone    bool // both may become active without having seen the other
	noWindow      bool // the right to write alone does not end when a slot passes
	noProof       bool // a takeover needs no answer of the network
	noAck         bool // claims are not waited for
	noGrantDoubt  bool // who granted counts on the grant having arrived
	keepRole      bool // an active that is outranked stays active
}
