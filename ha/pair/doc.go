// Package pair decides, between two relays and without a third, who is active and which claims leave.
//
//	m, err := pair.New(pair.Config{Member: "a", Peer: "b", Priority: true, Timing: pair.LAN(), ...}, now)
//	m.LinkUp(now); m.Recv(now, msg)            // the authenticated link to the other relay
//	v := m.Claim(now, claim, block)            // the core asks; Pending: a Decided effect follows
//	m.Hold(now, id); m.Echo(now, ...); m.Due(now, ...); m.Health(now, ...); m.Tick(now)
//	for _, e := range m.Effects(nil) { ... }   // carried out in order, after every input
//
// A [Machine] has no socket, goroutine, lock or clock. The core, the engine and the link feed it; the
// model test feeds the very same code with every fault there is.
//
// # Claims
//
// The active proposes a claim, the standby takes it over when it holds the block and acknowledges: from
// then on no other block of that slot leaves either relay, and both write this one to their network
// sessions. That is the normal course, and it needs no trust in clocks or in anybody being alive: whoever
// is paused or dies, the block is the same.
//
// If no acknowledgement comes within claim_wait (or there is no link) the block may leave alone, if all
// of this holds: the active's loop was not paused since it was last confirmed; the right to write alone
// is its own (below); network sessions have had bytes recently. Then it goes to those sessions only, and
// a session whose TCP has not acknowledged it when the right ends is closed with RST
// (Effect.Until). Until the other relay or the network has shown that it has the block (EffectFree) it is
// not sent to anybody who comes later. With the next right it is let out again.
//
// # The right to write alone
//
// There is no majority of two. What both see is the chain, so it hands out the right: it belongs to the
// relay that let out the newest own block the network has shown. When an own slot stays unseen for
// echo_wait after it was due, the right goes to the other one, with the next such slot back, and so on in
// turn; a block that is seen ends the count. It ends guard before a slot counts as missed and begins when
// it does, so that there is never a moment with two owners, whichever of the relays is alive and
// whatever they know of each other. Two clocks need to agree to within guard only, less the time in which
// a block crosses the network.
//
// Whom the turn comes to takes over: it is active in a new epoch, with or without a candidate. But first
//
//   - the other relay is asked, if there is a link (KindBid). One that is alive answers: it refuses if a
//     node is merely late, and grants if the bidder holds a block that it lacks, or sees nodes or a
//     network that it does not see. Silence for bid_wait is an answer too;
//   - the network has to answer a time message sent after the slot was missed (EffectProbe). TCP keeps
//     the order, so everything it had before has been read by then: who is isolated, or was paused,
//     never takes over for want of bytes.
//
// A right that is given by consent (grant, handover, election) goes with the message. Who granted cannot
// know that it arrived; until it hears the other one as active it has no turn, and if it never does,
// waits until three slots passed unseen: by then both readings gave the other one a turn.
//
// # Pauses
//
// A loop that was paused for more than gap_limit first reads everything (EffectDrain). An active is
// then unsure: it acts as a standby until the other one confirms the epoch in a message that answers one
// sent after the pause, acknowledges a claim, or the turn comes to it. A link that is lost meanwhile
// proves nothing.
//
// # Start, and both active
//
// Everybody starts as standby. Two standbys in contact elect: who was in a pair with an active before is
// first, then the priority member; nothing leaves alone for echo_wait, since blocks of an earlier life
// may be under way. Without ever having seen the other, only the priority member may become active:
// start_wait after its start, and when two slots in a row passed unseen (one would have been the
// other's turn); or, if it knows of no slot that is due, when the network showed no block of ours for quiet_wait,
// in which there must have been a round of ours. The other one stays standby.
//
// If both are active the lower (epoch, member) steps down. Claims are exchanged by every message; two
// ids for one slot, both let out, are the alarm double_claim.
//
// Known tells a machine what it claimed in an earlier life, as far as a journal has it. It acknowledges no
// other block for such a slot, and tells the other relay, which takes the claim over. What the other side had
// agreed to is final. What had left alone, if at all, gives way to a block that the other side let out.
// Nothing is let out by the journal's word alone: between the writing of it and the end of that life the block
// may not have left, and the other side may have decided since.
//
// # What a pair cannot do
//
// EXCEPTIONS.md lists what the model finds with two faults, in the settings searched so, and its bounds;
// with one fault it finds nothing in any setting. All that is listed needs a claim that could not be
// acknowledged and a write that then stays under way beyond its time: a quorum has neither.
//
// A standby acknowledges before its journal has the claim. So one more course needs two deaths: both relays
// die within the time of a write, the active for good, the network has not shown the block to the other one
// when that is back, and its node made another.
//
// What the model takes for granted: the monotonic clock runs on during a pause (or the pause is told by
// Gap); the slot clocks of the two relays differ by less than guard less the network's delay; a session
// that is closed with RST delivers nothing later; the nearest network peer that answers has what any
// peer had a guard earlier; a block's two writers are this pair.
package pair
