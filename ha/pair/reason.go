package pair

import "strconv"

// Reason says why the pair decided something. The catalogue is closed.
type Reason uint8

// The reasons, group by group.
const (
	ReasonNone Reason = iota

	// Claims.

	// ReasonAcknowledged: the other relay holds the block and has the claim.
	ReasonAcknowledged
	// ReasonAlone: it did not answer within claim_wait, or there is no link to it.
	ReasonAlone
	// ReasonPublic: the network showed this very block.
	ReasonPublic
	// ReasonKnown: the claim was decided before.
	ReasonKnown
	// ReasonTaken: the slot belongs to another block.
	ReasonTaken
	// ReasonTooOld: the slot is older than what is remembered.
	ReasonTooOld
	// ReasonAwaitAck: the other relay has been asked.
	ReasonAwaitAck
	// ReasonStandby: this relay is the standby.
	ReasonStandby
	// ReasonUnsure: the loop was paused; the other relay has not yet confirmed who is active.
	ReasonUnsure
	// ReasonWindow: a slot passed unseen, and until the next one does only the other relay may write
	// what is not acknowledged.
	ReasonWindow
	// ReasonSettling: blocks of the last active may still be under way.
	ReasonSettling
	// ReasonNoNetwork: no network session had bytes recently.
	ReasonNoNetwork
	// ReasonWithdrawn: the core took the claim back.
	ReasonWithdrawn
	// ReasonStopped: the relay ends.
	ReasonStopped

	// Roles.

	// ReasonStart: every relay starts as standby.
	ReasonStart
	// ReasonMissed: an own slot passed without echo, and the active did not answer.
	ReasonMissed
	// ReasonMissedAlone: an own slot passed without echo, and there is no link to the other relay.
	ReasonMissedAlone
	// ReasonMissedAgain: as many passed that the right to write alone is back.
	ReasonMissedAgain
	// ReasonNoContact: the priority member has never seen the other one, and slots pass.
	ReasonNoContact
	// ReasonElected: both were standby, and this one is first.
	ReasonElected
	// ReasonGranted: the active handed over upon a bid.
	ReasonGranted
	// ReasonHandover: handed over as planned.
	ReasonHandover
	// ReasonNodesLost: the active has no nodes, the standby has.
	ReasonNodesLost
	// ReasonIsolated: the active has no network sessions, the standby has.
	ReasonIsolated
	// ReasonFailback: the member of higher priority is active again.
	ReasonFailback
	// ReasonGap: the loop was paused.
	ReasonGap
	// ReasonConfirmed: the standby confirmed that this relay is active still.
	ReasonConfirmed
	// ReasonOutranked: the other relay is active with a higher (epoch, member).
	ReasonOutranked
	// ReasonOtherPublished: the network shows an own block that did not come from here, and there is no
	// link to the other relay.
	ReasonOtherPublished
	// ReasonRaised: the other relay knew a higher epoch, and is not active.
	ReasonRaised

	// Alarms.

	// ReasonDoubleClaim: the two relays let different blocks out for one slot.
	ReasonDoubleClaim
	// ReasonPeerUnseen: no link to the active, whose blocks the network shows.
	ReasonPeerUnseen
	// ReasonPeerSlow: the standby answers too late.
	ReasonPeerSlow
	// ReasonPeerLost: no link to the standby; claims leave unacknowledged.
	ReasonPeerLost
	// ReasonNoProof: a slot passed unseen, and no network peer answers: this relay may be isolated.
	ReasonNoProof
	// ReasonSettings: the other relay runs with other waiting times.
	ReasonSettings

	numReasons
)

var reasonNames = [numReasons]string{
	"none",
	"acknowledged", "alone", "public", "known", "taken", "too_old", "await_ack", "standby", "unsure", "window",
	"settling", "no_network", "withdrawn", "stopped",
	"start", "missed", "missed_alone", "missed_again", "no_contact", "elected", "granted", "handover", "nodes_lost",
	"isolated", "failback", "gap", "confirmed", "outranked", "other_published", "raised",
	"double_claim", "peer_unseen", "peer_slow", "peer_lost", "no_proof", "settings",
}

// String is the reason's code.
func (r Reason) String() string { return name(reasonNames[:], int(r)) }

func name(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return strconv.Itoa(i)
}
