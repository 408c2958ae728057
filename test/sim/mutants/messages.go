package mutants

const votes = "relay/core/votes.go"

// messages break I4, I5 and I6: votes, what our nodes get, and who is to blame.
var messages = []Mutant{
	{
		Name: "vote dropped instead of held", Rule: "I4: a vote that precedes its block waits",
		Edits: []Edit{{votes, `if len(c.votes.waiting) >= maxWaitingVotes {`, `if len(c.votes.waiting) >= 0 {`}},
	},
	{
		Name: "vote order not enforced", Rule: "I4",
		Edits: []Edit{{votes, "\tcase e.slot <= k.last:\n", "\tcase false:\n"}},
	},
	{
		Name: "twin suppresses the good copy", Rule: "I6: no bad twin suppresses a good message",
		Edits: []Edit{{inbound, "\t\tif e.survived {\n\t\t\tc.drop(s, ReasonTwin)", "\t\tif true {\n\t\t\tc.drop(s, ReasonTwin)"}},
	},
	{
		Name: "children before parents", Rule: "I5",
		Edits: []Edit{{inbound, "\tfor i := len(path) - 1; i >= 0; i-- {\n", "\tfor i := range path {\n"}},
	},
	{
		Name: "a closed session counted as death without redial", Rule: "I6: the same node back over one message means the message was it",
		Edits: []Edit{{"relay/core/suspects.go", "\tif why != ReasonPeerClosed {\n", "\tif true {\n"}},
	},
}
