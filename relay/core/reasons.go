package core

import "fmt"

// Reason says why something was decided. The catalogue is closed: every withheld candidate, dropped
// message, ended session and alarm names one.
type Reason uint8

// The catalogue, group by group: see Group. A new reason goes to the end of its group.
const (
	ReasonNone Reason = iota

	// Own blocks.
	ReasonClaimed
	ReasonSameID
	ReasonSlotTaken
	ReasonBelowFloor
	ReasonTooOld
	ReasonTooEarly
	ReasonUnknownParent
	ReasonParentWithheld
	ReasonParentHeld
	ReasonNotLineage
	ReasonOlderParent
	ReasonBelowLIB
	ReasonSuperseded
	ReasonStartFence
	ReasonStarting
	ReasonBadSignature
	ReasonKeyUnconfirmed
	ReasonKeyDisputed
	ReasonClaimPending
	ReasonClaimFailed
	ReasonPreferredNode
	ReasonAheadOfTime
	ReasonGap
	ReasonLeadExpected
	ReasonStandby
	ReasonSlotInDoubt

	// Lost slots: why nothing of ours went out, or to no avail.
	ReasonNoNode
	ReasonNodeSilent
	ReasonLeadLost
	ReasonOwnBranch
	ReasonNoNetwork
	ReasonOrphaned
	ReasonPublicElsewhere

	// Messages.
	ReasonDuplicate
	ReasonTwin
	ReasonTooManyPayloads
	ReasonTooFarAhead
	ReasonOrphan
	ReasonNoHandshake
	ReasonGossip
	ReasonTrxQueueFull
	ReasonDirection
	ReasonStale
	ReasonVoteOrder
	ReasonVoteNotEmitter
	ReasonVoteWithheld
	ReasonVoteExpired
	ReasonVoteQueueFull
	ReasonVoteUnmarked
	ReasonCanaryFull
	ReasonHarmful
	ReasonProtocolVersion
	ReasonRejected
	ReasonQuota
	ReasonVoteParity

	// Sessions.
	ReasonPeerClosed
	ReasonMalformed
	ReasonBadLength
	ReasonInvalidBlock
	ReasonWrongChain
	ReasonAuthentication
	ReasonBadHandshake
	ReasonSelf
	ReasonDuplicateSession
	ReasonGoAway
	ReasonHandshakeTimeout
	ReasonIdle
	ReasonSlowConsumer
	ReasonMemory
	ReasonReassembly
	ReasonTooManyClients
	ReasonBlamed
	ReasonUnheard

	// Who leads.
	ReasonLeadChosen
	ReasonLeadGone
	ReasonLeadLate
	ReasonLeadUnfit
	ReasonLeadHung
	ReasonLeadOvertaken
	ReasonLeadDrained
	ReasonLeadOrdered
	ReasonLeadFailback
	ReasonLeadFollowed

	// Which relay is active.
	ReasonActiveStart
	ReasonActiveMissed
	ReasonActiveMissedAlone
	ReasonActiveMissedAgain
	ReasonActiveNoContact
	ReasonActiveElected
	ReasonActiveGranted
	ReasonActiveHandover
	ReasonActiveNodesLost
	ReasonActiveIsolated
	ReasonActiveFailback
	ReasonActiveGap
	ReasonActiveConfirmed
	ReasonActiveOutranked
	ReasonActiveOtherPublished
	ReasonActiveRaised
	ReasonActiveMajority
	ReasonActiveNoMajority

	// Alarms.
	ReasonForeignBlock
	ReasonUnknownKey
	ReasonLineageDead
	ReasonWithheldInPublic
	ReasonClockOffset
	ReasonClockJump
	ReasonNoVotes
	ReasonFinalizerSilent
	ReasonCannotHold
	ReasonNoStandby
	ReasonProducerAPI
	ReasonDoubleClaim
	ReasonPairPeerUnseen
	ReasonPairPeerSlow
	ReasonPairPeerLost
	ReasonPairNoProof
	ReasonPairSettings
	ReasonMemberAside
	ReasonFinalizerUnlisted
	ReasonNodeFreed

	numReasons
)

type reasonText struct{ text, help string }

var reasonTexts = [numReasons]reasonText{
	ReasonNone:           {"none", "no reason"},
	ReasonClaimed:        {"claimed", "the slot was free and the parent right: the block went out"},
	ReasonSameID:         {"same_id", "another node made the identical block, which is decided already: it counts once"},
	ReasonSlotTaken:      {"slot_taken", "another node's block already has this slot; this sibling stays inside, as it should"},
	ReasonBelowFloor:     {"below_floor", "the slot is older than the claim book remembers; it is closed to new blocks"},
	ReasonTooOld:         {"too_old", "the block came after its round and grace were over"},
	ReasonTooEarly:       {"too_early", "the block's timestamp is further ahead than nodeos tolerates"},
	ReasonUnknownParent:  {"unknown_parent", "the block's parent did not become known before the slot ended"},
	ReasonParentWithheld: {"parent_withheld", "the block builds on a withheld sibling, which the network never saw"},
	ReasonParentHeld:     {"parent_held", "the block's parent is itself waiting for a decision"},
	ReasonNotLineage:     {"not_lineage", "within a run a block must extend our last public block; this one does not"},
	ReasonOlderParent:    {"older_parent", "the block does not extend the public head; it waits until its slot ends for a better one"},
	ReasonBelowLIB:       {"below_lib", "the block's parent is older than what the network has finalized"},
	ReasonSuperseded:     {"superseded", "another producer's block for a later slot is public already: this one came too late to be built upon"},
	ReasonStartFence:     {"start_fence", "the relay just started and cannot know what went out before; the slot is closed unless the block extends the head just learned from the network"},
	ReasonStarting:       {"starting", "the relay just started and is fetching what was made before: recent blocks from the network, and those of our nodes for slots this block leaves out"},
	ReasonBadSignature:   {"bad_signature", "a signature of the block leads to no key, or one key signed twice"},
	ReasonKeyUnconfirmed: {"key_unconfirmed", "the block is signed by keys that are not configured; until its timestamp it waits for the other nodes' blocks"},
	ReasonKeyDisputed:    {"key_disputed", "the block is signed by keys that are not configured, and another node's for the slot by others"},
	ReasonClaimPending:   {"claim_pending", "the claim of this block, or of the one before it, is being recorded"},
	ReasonClaimFailed:    {"claim_failed", "the claim could not be recorded, so the block must not leave"},

	ReasonPreferredNode: {"preferred_node", "the block waits, at most prefer_wait, for that of a node of higher priority"},
	ReasonGap:           {"gap", "the node was asked for the ancestors of a later block of its own; this one waits a moment to show whether it is one of them"},
	ReasonAheadOfTime:   {"ahead_of_time", "the block came before a node whose clock is right could make it; it waits while another node can still bring its own"},

	ReasonLeadExpected:    {"lead_expected", "the node is held and has made a block all the same: it waits until the lead's should have come"},
	ReasonStandby:         {"standby", "this relay is the standby: the active one lets the block out"},
	ReasonSlotInDoubt:     {"slot_in_doubt", "the journal has another block for this slot, or for the one before, and the cluster has not said yet which block it is"},
	ReasonNoNode:          {"no_node", "no node of ours was connected when the block was due"},
	ReasonNodeSilent:      {"node_silent", "our nodes were connected, but none sent a block for the slot"},
	ReasonLeadLost:        {"lead_lost", "the node whose blocks went out was lost within the round, and the others were on branches of their own"},
	ReasonOwnBranch:       {"own_branch", "every block that came builds on blocks the network never saw"},
	ReasonNoNetwork:       {"no_network", "the block got its slot, but no network peer was connected to give it to"},
	ReasonOrphaned:        {"orphaned", "the block went out, but the network went on without it"},
	ReasonPublicElsewhere: {"public_elsewhere", "the network has a block of ours for the slot that did not leave through this relay since its start"},

	ReasonDuplicate:       {"duplicate", "the same bytes were already seen"},
	ReasonTwin:            {"twin", "other bytes under the id of a block that already proved good"},
	ReasonTooManyPayloads: {"too_many_payloads", "more than three different payloads under one block id"},
	ReasonTooFarAhead:     {"too_far_ahead", "the timestamp is further ahead than nodeos tolerates"},
	ReasonOrphan:          {"orphan", "the block's parent is not known yet"},
	ReasonNoHandshake:     {"no_handshake", "a message came before the handshake"},
	ReasonGossip:          {"gossip", "gossip_bp_peers is never passed on: it would lead peers past the relay"},
	ReasonTrxQueueFull:    {"trx_queue_full", "the session's transaction queue is at its bound"},
	ReasonDirection:       {"direction", "transactions are not carried this way"},
	ReasonStale:           {"stale", "the message is about a block that is long past"},
	ReasonVoteOrder:       {"vote_order", "a finalizer's vote was not newer than the last one let out"},
	ReasonVoteNotEmitter:  {"vote_not_emitter", "another node is emitting this finalizer's votes"},
	ReasonVoteWithheld:    {"vote_withheld", "the vote is for a withheld block"},
	ReasonVoteExpired:     {"vote_expired", "the vote's block did not become public in time"},
	ReasonVoteQueueFull:   {"vote_queue_full", "too many votes are waiting for their blocks"},
	ReasonVoteUnmarked:    {"vote_unmarked", "the journal could not record that the vote leaves"},
	ReasonCanaryFull:      {"canary_full", "too many unproven messages are on trial"},
	ReasonHarmful:         {"harmful", "the message made one of our nodes close its link"},
	ReasonProtocolVersion: {"protocol_version", "the peer's protocol version does not know the message"},

	ReasonRejected:   {"rejected", "our nodes could not use the block"},
	ReasonQuota:      {"quota", "the session has too many blocks here that nobody vouched for"},
	ReasonVoteParity: {"vote_parity", "the node just voted for a branch that stayed inside: its votes leave again when it votes for public blocks"},

	ReasonPeerClosed:       {"peer_closed", "the other side closed the connection"},
	ReasonMalformed:        {"malformed", "a frame could not be decoded"},
	ReasonBadLength:        {"bad_length", "a frame's length is 0, over 8 MiB, or too large before the handshake"},
	ReasonInvalidBlock:     {"invalid_block", "a block's body does not match its header"},
	ReasonWrongChain:       {"wrong_chain", "the peer is on another chain"},
	ReasonAuthentication:   {"authentication", "the peer did not show an allowed key"},
	ReasonBadHandshake:     {"bad_handshake", "the handshake breaks nodeos' rules"},
	ReasonSelf:             {"self", "the relay reached itself"},
	ReasonDuplicateSession: {"duplicate_session", "the same nodeos already has a session"},
	ReasonGoAway:           {"go_away", "the peer said go_away"},
	ReasonHandshakeTimeout: {"handshake_timeout", "no handshake came in time"},
	ReasonIdle:             {"idle", "nothing came for the idle timeout"},
	ReasonSlowConsumer:     {"slow_consumer", "the peer does not read what it is sent"},
	ReasonMemory:           {"memory", "the relay's memory bound was reached and this session held most of it"},
	ReasonReassembly:       {"reassembly", "partial frames reached their bound and this session held most of it"},
	ReasonTooManyClients:   {"too_many_clients", "max_clients accepted network sessions are there already"},
	ReasonBlamed:           {"blamed", "a message of this peer made one of our nodes close its link"},
	ReasonUnheard:          {"unheard", "a block that left without the other relay's word was not taken by this network peer in time: it might come out too late"},

	ReasonLeadChosen:    {"lead_chosen", "no node led: the preferred one of those that are ready does now, or the one that produces already"},
	ReasonLeadGone:      {"lead_gone", "the lead's session ended and it could not be dialled: the next node was released"},
	ReasonLeadLate:      {"lead_late", "the lead's block did not come by its due time and takeover_grace: the next node was released"},
	ReasonLeadUnfit:     {"lead_unfit", "outside our run the lead was hung, behind, applied no blocks or did not vote any more: another node leads in time"},
	ReasonLeadHung:      {"lead_hung", "within our run the lead answered nothing for 400 ms while the next node did: that one was released"},
	ReasonLeadOvertaken: {"lead_overtaken", "another node's block got the slot, and the lead is on a branch of its own: that node leads now"},
	ReasonLeadDrained:   {"lead_drained", "the lead was drained"},
	ReasonLeadOrdered:   {"lead_ordered", "it was told to lead"},
	ReasonLeadFailback:  {"lead_failback", "a node of higher priority is back and quiet: it leads again"},
	ReasonLeadFollowed:  {"lead_followed", "the active relay says so: this one is the standby"},

	ReasonActiveStart:          {"active_start", "every relay of a cluster starts as standby"},
	ReasonActiveMissed:         {"active_missed", "a slot of ours passed unseen, and the active did not answer"},
	ReasonActiveMissedAlone:    {"active_missed_alone", "a slot of ours passed unseen, and there was no link to the other relay"},
	ReasonActiveMissedAgain:    {"active_missed_again", "slots of ours passed unseen once more, and nobody else showed up"},
	ReasonActiveNoContact:      {"active_no_contact", "the other relay was never seen, slots of ours pass, and this is the priority member"},
	ReasonActiveElected:        {"active_elected", "no relay was active, and this one comes first"},
	ReasonActiveGranted:        {"active_granted", "the active handed over because it was asked to: this relay holds a block, or sees nodes or a network, that it lacks"},
	ReasonActiveHandover:       {"active_handover", "handed over as planned"},
	ReasonActiveNodesLost:      {"active_nodes_lost", "the active has no node any more, the standby has"},
	ReasonActiveIsolated:       {"active_isolated", "the active has no network peer any more, the standby has"},
	ReasonActiveFailback:       {"active_failback", "the priority member is well again, and our run is over"},
	ReasonActiveGap:            {"active_gap", "this relay stood still for a moment: it is active again when the other one says so, or slots pass unseen"},
	ReasonActiveConfirmed:      {"active_confirmed", "the standby said that this relay is still active"},
	ReasonActiveOutranked:      {"active_outranked", "the other relay is active with a higher epoch"},
	ReasonActiveOtherPublished: {"active_other_published", "the network shows a block of ours that did not leave here, and there is no link to the other relay"},
	ReasonActiveRaised:         {"active_raised", "the other relay knew a higher epoch, and is not active"},
	ReasonActiveNoMajority:     {"active_no_majority", "this relay does not hear a majority of the cluster: nothing leaves by its word until it does"},
	ReasonActiveMajority:       {"active_majority", "the majority of the cluster says so"},

	ReasonForeignBlock:     {"foreign_block", "a block of ours with a valid signature came from the network and none of our nodes sent it: someone else has our key"},
	ReasonUnknownKey:       {"unknown_key", "an own block is not signed as configured: the keys were changed, and the configuration should be, or that node is wrong"},
	ReasonLineageDead:      {"lineage_dead", "the network finalized another branch; our run's lineage is dropped"},
	ReasonWithheldInPublic: {"withheld_in_public", "the network shows a block that was withheld here: it has another way out"},
	ReasonClockOffset:      {"clock_offset", "most of our nodes and the peers we dial say that the relay's clock is off by more than clock_limit: decisions by due time are off, and slots are judged by their time if our nodes agree with it"},
	ReasonClockJump:        {"clock_jump", "the relay's clock was stepped, or the machine was suspended; until others confirm it, a slot is open if it is by either time"},
	ReasonNoVotes:          {"no_votes", "the network's peers give no votes: all our nodes stop producing when production-pause-vote-timeout-ms is over"},
	ReasonFinalizerSilent:  {"finalizer_silent", "no vote of our own finalizer comes any more: all our producers stop when production-pause-vote-timeout-ms is over"},
	ReasonCannotHold:       {"cannot_hold", "a node goes on producing although it gets no votes: it cannot be held by the leash"},
	ReasonNoStandby:        {"no_standby", "no node could be released if the lead failed now"},
	ReasonProducerAPI:      {"producer_api", "a call of a node's producer API failed: whether it is paused is not known"},
	ReasonDoubleClaim:      {"double_claim", "two relays of the cluster gave one slot to different blocks: the network may have seen both"},
	ReasonPairPeerUnseen:   {"pair_peer_unseen", "there is no link to the active relay, though the network shows its blocks"},
	ReasonPairPeerSlow:     {"pair_peer_slow", "the standby answers too late: blocks leave without its word"},
	ReasonPairPeerLost:     {"pair_peer_lost", "there is no link to the standby relay: blocks leave by this relay's word alone"},
	ReasonPairNoProof:      {"pair_no_proof", "a slot of ours passed unseen, and no network peer answers: this relay may be the one that is cut off"},
	ReasonPairSettings:     {"pair_settings", "the two relays run with different waiting times"},
	ReasonMemberAside:      {"member_aside", "this member of the quorum takes no part: its disk failed, is full or slow, or lost what it had confirmed"},

	ReasonFinalizerUnlisted: {"finalizer_unlisted", "our nodes vote by a finalizer key that is not configured: its votes leave, but it is not known beforehand to be ours"},
	ReasonNodeFreed:         {"node_freed", "no node was known to produce, so this one was resumed by its producer API"},
}

// String is the reason as it stands in logs, metrics and JSON.
func (r Reason) String() string {
	if r < numReasons {
		return reasonTexts[r].text
	}
	return "unknown"
}

// Help explains the reason in words.
func (r Reason) Help() string {
	if r < numReasons {
		return reasonTexts[r].help
	}
	return ""
}

// ReasonGroup tells what a reason is given for.
type ReasonGroup string

// The groups, in the order of the catalogue.
const (
	GroupOwn      ReasonGroup = "own blocks"
	GroupLost     ReasonGroup = "lost slots"
	GroupMessages ReasonGroup = "messages"
	GroupSessions ReasonGroup = "sessions"
	GroupLead     ReasonGroup = "who leads"
	GroupActive   ReasonGroup = "which relay is active"
	GroupAlarms   ReasonGroup = "alarms"
)

// Group is the part of the catalogue the reason stands in.
func (r Reason) Group() ReasonGroup {
	switch {
	case r < ReasonNoNode:
		return GroupOwn
	case r < ReasonDuplicate:
		return GroupLost
	case r < ReasonPeerClosed:
		return GroupMessages
	case r < ReasonLeadChosen:
		return GroupSessions
	case r < ReasonActiveStart:
		return GroupLead
	case r < ReasonForeignBlock:
		return GroupActive
	}
	return GroupAlarms
}

// Reasons lists the whole catalogue.
func Reasons() []Reason {
	out := make([]Reason, 0, numReasons)
	for r := ReasonNone + 1; r < numReasons; r++ {
		out = append(out, r)
	}
	return out
}

// MarshalText makes reasons readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a reason by its name.
func (r *Reason) UnmarshalText(text []byte) error {
	for i := range reasonTexts {
		if reasonTexts[i].text == string(text) {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("unknown reason %q", text)
}
