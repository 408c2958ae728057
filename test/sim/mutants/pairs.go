package mutants

const (
	pairClaims   = "ha/pair/claims.go"
	pairMachine  = "ha/pair/machine.go"
	pairReceive  = "ha/pair/receive.go"
	pairTakeover = "ha/pair/takeover.go"
	pairWindows  = "ha/pair/windows.go"
	cluster      = "relay/core/cluster.go"

	model = "./ha/pair -run TestModelOneFault|TestModelExceptions"
)

// Pairs break what two relays, or a quorum, promise: the command test/sim/pair plays them.
var Pairs = []Mutant{
	{
		Name: "acknowledged without bytes", Rule: "an acknowledgement means: I hold the block's bytes",
		Edits: []Edit{{pairReceive, "\tif m.holds(t.ID) || m.rules.ackBlind {\n", "\tif true {\n"}}, Test: model,
	},
	{
		Name: "link loss taken as peer death after a pause", Rule: "a pause: drain first, act as if demoted until acknowledged",
		Edits: []Edit{
			{pairMachine, "\tif m.rules.pauseIgnored {\n", "\tif true {\n"},
			{pairWindows, "\treturn m.rules.noWindow || m.windows", "\treturn true || m.windows"},
		},
		Test: model,
	},
	{
		Name: "unacknowledged claims written to dead sockets", Rule: "only towards network sessions with recent inbound bytes, closed with RST",
		Edits: []Edit{
			{pairClaims, "m.health.Network == 0 && !m.rules.deadSockets:", "false:"},
			{pairClaims, "Alone: !m.rules.deadSockets,", "Alone: false,"},
		},
		Test: model,
	},
	{
		Name: "takeover only with a candidate", Rule: "a due own slot without echo is enough, with or without a candidate in hand",
		Edits: []Edit{{pairTakeover, "\tif m.rules.onlyCandidate && !m.want.on {\n", "\tif !m.want.on {\n"}},
		Test:  "./ha/duo ./ha/pair -run TestTakeover",
	},
	{
		Name: "both started during a cut go active", Rule: "only the priority member may become active without ever having seen the other",
		Edits: []Edit{{pairTakeover, "\t\tmine = m.rules.startAlone || m.cfg", "\t\tmine = true || m.cfg"}},
		Test:  model + "|TestModelCatchesMutants/both",
	},
	{
		Name: "standby leaks a vote", Rule: "a standby never leaks a vote to a held node",
		Edits: []Edit{{votes, "\t\tcase t.held && (foreign", "\t\tcase t.held && !c.follows() && (foreign"}},
		Test:  "./relay/core -run Standby|Votes",
	},
	{
		Name: "witness leader swallows claims", Rule: "a witness that leads forwards proposals",
		Edits: []Edit{{"ha/quorum/propose.go", "\tcase askPropose:\n", "\tcase askPropose:\n\t\tif n.me.Witness {\n\t\t\treturn nil\n\t\t}\n"}},
		Test:  "./ha/quorum -run TestWitnessForwards",
	},
	{
		Name: "acknowledgements are not waited for", Rule: "claims are replicated and acknowledged before the write while the peer is reachable",
		Edits: []Edit{{pairClaims, " && !m.rules.noAck:\n", " && false:\n"}}, Test: model,
	},
	{
		Name: "the right to write alone does not end", Rule: "I1: one of two may write what is not acknowledged",
		Edits: []Edit{{pairWindows, "\treturn m.rules.noWindow || m.windows", "\treturn true || m.windows"}}, Test: model,
	},
	{
		Name: "takeover although no network peer answers", Rule: "who is isolated does not take over",
		Edits: []Edit{{pairTakeover, "\tif p.ok || m.rules.noProof {\n", "\tif true {\n"}}, Test: model,
	},
	{
		Name: "who grants is sure that the grant arrives", Rule: "handover has exactly one winner",
		Edits: []Edit{{pairTakeover, "\tcase m.rules.noGrantDoubt:\n", "\tcase true:\n"}}, Test: model,
	},
	{
		Name: "outranked, and active still", Rule: "the (epoch, member) order decides",
		Edits: []Edit{{pairReceive, "\t\tcase !m.rules.keepRole:\n", "\t\tcase false:\n"}}, Test: model,
	},
	{
		Name: "only the newest question's answer counts", Rule: "a takeover needs the network's answer, at any distance",
		Edits: []Edit{{cluster, "\tagain := n == c.ha.asked\n", "\tagain := false\n"}},
	},
	{
		Name: "an answer counts before what was shown is judged", Rule: "who was paused or isolated has read everything first",
		Edits: []Edit{{cluster, "\tif c.now.Mono < k.proof+proofWait && c.ownOnTrial() {\n", "\tif false {\n"}},
		Test:  "./relay/core -run TestAnswerWaits",
	},
	{
		Name: "a new session's answer counts without its head", Rule: "who was paused or isolated has read everything first",
		Edits: []Edit{{cluster, " && c.knowsHead(s)\n", "\n"}},
		Test:  "./relay/core -run TestAnswerOfANewSession",
	},
	{
		Name: "shown before its node sent it, and no echo", Rule: "what the network has is told to the cluster",
		Edits: []Edit{{"relay/core/own.go", "\t\tif e.shown {\n\t\t\tc.echoed(e)", "\t\tif false {\n\t\t\tc.echoed(e)"}},
		Test:  "./relay/core -run TestShownBefore",
	},
	{
		Name: "shown blocks leave children first", Rule: "I5: parents first",
		Edits: []Edit{{"relay/core/blocks.go", "\tfor i := len(ours) - 1; i >= 0; i-- {\n", "\tfor i := range ours {\n"}},
	},
}
