package pair

import (
	"time"

	"bprelay/p2pwire"
)

// EffectKind says what a driver has to do.
type EffectKind uint8

const (
	// EffectSend: Message goes to the other relay on the present link. Losing it means losing the link.
	EffectSend EffectKind = iota + 1
	// EffectDecided: Claim, which was Pending or has just been answered Approved, has its Verdict. If
	// Alone, the block may be written only to network sessions with recent inbound bytes, only until
	// Until, and a session that has not acknowledged it (TCP) by then is closed with RST. After that it
	// goes to nobody before EffectFree names it.
	EffectDecided
	// EffectFree: the other relay holds Claim's block, or the network showed it: what Alone forbade is
	// allowed from now on.
	EffectFree
	// EffectAdopt: the slot belongs to Claim, decided on the other side. The core enters it in its book;
	// if Held (or as soon as it holds the block) it writes it to its own network sessions. Bytes is set
	// if the block came with the claim.
	EffectAdopt
	// EffectRole: this relay has Role in Epoch.
	EffectRole
	// EffectDrain: after a pause: links and network input are read empty and passed on, then Drained is
	// called. Nothing is decided before.
	EffectDrain
	// EffectProbe: a time message goes at once to every network session that was not sent one for this Probe
	// yet. When one of them answers it, and all that came before on that session was passed on,
	// Answered(Probe) is called.
	EffectProbe
	// EffectNeed: the other relay lacks the bytes of ID: Give passes them.
	EffectNeed
	// EffectState: the cluster state, State, as the active last set it.
	EffectState
	// EffectAlarm: Reason and Detail are for a human.
	EffectAlarm
	// EffectHandedOver: what Handover asked for is done, or (Detail) refused.
	EffectHandedOver
)

var effectNames = []string{"", "send", "decided", "free", "adopt", "role", "drain", "probe", "need", "state", "alarm", "handed_over"}

// String is the kind's name in logs.
func (k EffectKind) String() string { return name(effectNames, int(k)) }

// Effect is one thing for the driver to do. Which fields are set says EffectKind.
type Effect struct {
	Kind    EffectKind
	Reason  Reason
	Claim   Claim
	Verdict Verdict
	Alone   bool
	Held    bool
	Until   time.Duration // on the clock of now
	Role    Role
	Epoch   uint64
	Probe   uint64
	ID      p2pwire.ID
	Bytes   []byte
	State   []byte
	Detail  string
	Message *Message
}
